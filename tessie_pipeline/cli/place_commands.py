"""The commands about places, tariffs and drivers, and their options; see `commands`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tessie_pipeline.cli import drivers, places, tariffs
from tessie_pipeline.cli.environment import Environment, environment
from tessie_pipeline.store import migrations

place_app = typer.Typer(no_args_is_help=True, help="Places where cars charge and park.")
tariff_app = typer.Typer(no_args_is_help=True, help="What electricity costs, and when.")
driver_app = typer.Typer(no_args_is_help=True, help="Who drives, and when and where.")

console = Console()

Name = Annotated[str, typer.Argument(show_default=False)]


@contextmanager
def _migrated() -> Iterator[Environment]:
    with environment() as env:
        migrations.upgrade(env.database)
        yield env


@place_app.command("add")
def run_place_add(
    name: Name,
    at: Annotated[
        str | None, typer.Option(metavar="LAT,LON", help="Degrees, such as 52.5163,13.3777.")
    ] = None,
    here: Annotated[
        str | None, typer.Option(metavar="VEHICLE", help="Where this vehicle was last.")
    ] = None,
    radius: Annotated[
        float | None, typer.Option(metavar="METRES", help="100 if not given.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="home, work or other; other if not given.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help='Name or Tesla id of its energy site; "" for none.')
    ] = None,
    tariff: Annotated[str | None, typer.Option(help='Name of its tariff; "" for none.')] = None,
) -> None:
    """Add a place, or change what is given of the place of that name."""
    with _migrated() as env:
        places.add(
            console,
            env,
            name,
            at=at,
            here=here,
            radius_m=radius,
            kind=kind,
            site=site,
            tariff=tariff,
        )


@place_app.command("list")
def run_place_list() -> None:
    """Show the places, with their coordinates."""
    with _migrated() as env:
        places.show(console, env)


@place_app.command("remove")
def run_place_remove(name: Name) -> None:
    """Remove a place, and the rules of drivers that ask for it."""
    with _migrated() as env:
        places.remove(console, env, name)


@tariff_app.command("load")
def run_tariff_load(
    file: Annotated[Path, typer.Argument(help="A TOML file as in docs/tariffs.md.")],
) -> None:
    """Load tariffs from a file; those it names become what it says."""
    with _migrated() as env:
        tariffs.load(console, env, file)


@tariff_app.command("list")
def run_tariff_list() -> None:
    """Show the versions of all tariffs, and where they are used."""
    with _migrated() as env:
        tariffs.show_all(console, env)


@tariff_app.command("show")
def run_tariff_show(
    name: Name,
    at: Annotated[
        str | None, typer.Option(metavar="DATE", help="A date such as 2026-01-31; today if none.")
    ] = None,
) -> None:
    """Show the prices of a tariff through a day, by its own clock."""
    with _migrated() as env:
        tariffs.show(console, env, name, at)


@tariff_app.command("remove")
def run_tariff_remove(name: Name) -> None:
    """Remove all versions of a tariff that no place has."""
    with _migrated() as env:
        tariffs.remove(console, env, name)


@driver_app.command("add")
def run_driver_add(
    name: Name,
    default_of: Annotated[
        str | None,
        typer.Option(metavar="VEHICLE", help="Name or VIN of what they drive if no rule fits."),
    ] = None,
) -> None:
    """Add a driver, who may be the default driver of a vehicle."""
    with _migrated() as env:
        drivers.add(console, env, name, default_of)


@driver_app.command("rule")
def run_driver_rule(
    name: Name,
    vehicle: Annotated[str | None, typer.Option(help="Its name or VIN; any if not given.")] = None,
    from_place: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Where drives begin.")
    ] = None,
    to_place: Annotated[str | None, typer.Option(metavar="PLACE", help="Where they end.")] = None,
    days: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Such as Mon-Fri or Sat,Sun.")
    ] = None,
    hours: Annotated[
        str | None, typer.Option(metavar="HOURS", help="When they begin, such as 07:00-09:30.")
    ] = None,
    priority: Annotated[
        int, typer.Option(min=0, max=1000, help="Of rules that fit, the lowest counts.")
    ] = 100,
    is_removed: Annotated[
        bool, typer.Option("--remove", help="Remove the rule with just these options.")
    ] = False,
) -> None:
    """Say which drives are a driver's; the same options for another driver move the rule."""
    with _migrated() as env:
        drivers.rule(
            console,
            env,
            name,
            vehicle=vehicle,
            from_place=from_place,
            to_place=to_place,
            days=days,
            hours=hours,
            priority=priority,
            is_removed=is_removed,
        )


@driver_app.command("list")
def run_driver_list() -> None:
    """Show the drivers and their rules, in the order in which the rules count."""
    with _migrated() as env:
        drivers.show(console, env)


@driver_app.command("remove")
def run_driver_remove(name: Name) -> None:
    """Remove a driver, with the driver's rules."""
    with _migrated() as env:
        drivers.remove(console, env, name)
