"""`tessie place`: the places where cars charge and park.

Their coordinates are shown in the list alone, nowhere else.
"""

from dataclasses import replace
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessie_pipeline.cli.account import say
from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.cli.named import (
    new_name,
    place_named,
    say_changed,
    site_named,
    tariff_named,
    vehicle_named,
)
from tessie_pipeline.store.charging.places import (
    Place,
    known_places,
    newest_position,
    remove_place,
    save_place,
)
from tessie_pipeline.store.registries import known_sites

KINDS = ("home", "work", "other")
MAX_RADIUS_M = 100_000
MAX_LATITUDE, MAX_LONGITUDE = 90, 180

_SAID = {
    "latitude": "where it is",
    "longitude": "where it is",
    "radius_m": "its radius",
    "kind": "its kind",
    "site_id": "its energy site",
    "tariff_name": "its tariff",
}


_NUMBERS = ("latitude", "longitude", "radius, m")


def add(
    console: Console,
    environment: Environment,
    given_name: str,
    *,
    at: str | None,
    here: str | None,
    radius_m: float | None,
    kind: str | None,
    site: str | None,
    tariff: str | None,
) -> None:
    """Add a place, or change what is given of the one of that name.

    Args:
        console: where to say what was done.
        environment: where it is stored.
        given_name: its name.
        at: latitude and longitude.
        here: a vehicle whose newest position is meant instead.
        radius_m: its radius.
        kind: one of `KINDS`.
        site: name or Tesla id of the energy site there, empty for none.
        tariff: name of the tariff there, empty for none.

    Raises:
        CliError: one of them is not what it should be, or a new place has no centre.
    """
    name = new_name(given_name)
    if at is not None and here is not None:
        raise CliError("--at and --here exclude each other")
    changes: dict[str, Any] = _size_and_kind(radius_m, kind)
    if at is not None:
        changes |= _centre(at)
    with environment.database.rows() as connection:
        if here is not None:
            changes |= _centre_at(console, connection, here)
        if site is not None:
            changes["site_id"] = site_named(connection, site).site_id if site else None
        if tariff is not None:
            changes["tariff_name"] = tariff_named(connection, tariff) if tariff else None
        before = known_places(connection).get(name)
        if before is None and "latitude" not in changes:
            raise CliError(
                f"There is no place {name} yet: say where it is with --at LAT,LON or --here VEHICLE"
            )
        after = replace(before, **changes) if before else Place(name, **changes)
        save_place(connection, after)
    _say_what_changed(console, before, after)


def show(console: Console, environment: Environment) -> None:
    """Print all places, with their coordinates."""
    with environment.database.rows() as connection:
        places = known_places(connection).values()
        sites = {site.site_id: site.site_name for site in known_sites(connection)}
    if not places:
        say(console, "There are no places yet: `tessie place add` adds one.")
        return
    table = Table(title="Places", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("name", "kind", "latitude", "longitude", "radius, m", "energy site", "tariff"):
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for place in places:
        table.add_row(
            Text(place.name),
            place.kind,
            f"{place.latitude:.5f}",
            f"{place.longitude:.5f}",
            f"{place.radius_m:g}",
            Text(sites.get(place.site_id or "") or ""),
            Text(place.tariff_name or ""),
        )
    console.print(table)


def remove(console: Console, environment: Environment, name: str) -> None:
    """Remove a place, and the rules of drivers that ask for it.

    Raises:
        CliError: there is no such place.
    """
    with environment.database.rows() as connection:
        place_named(connection, name)
        rules = remove_place(connection, name)
    went = f", and with it {rules} rule(s) of drivers that asked for it" if rules else ""
    say_changed(console, f"{name} is removed{went}.")


def _size_and_kind(radius_m: float | None, kind: str | None) -> dict[str, Any]:
    """What is given of them."""
    if radius_m is not None and not 1 <= radius_m <= MAX_RADIUS_M:
        raise CliError(f"--radius should be 1 to {MAX_RADIUS_M} metres")
    if kind is not None and kind not in KINDS:
        raise CliError(f"--kind should be one of {', '.join(KINDS)}")
    given = {"radius_m": radius_m, "kind": kind}
    return {what: value for what, value in given.items() if value is not None}


def _centre(at: str) -> dict[str, float]:
    try:
        latitude, longitude = map(float, at.split(","))
    except ValueError:
        latitude = longitude = float("nan")
    if not (abs(latitude) <= MAX_LATITUDE and abs(longitude) <= MAX_LONGITUDE):
        raise CliError("--at should be degrees north and east such as 52.5163,13.3777")
    return {"latitude": latitude, "longitude": longitude}


def _centre_at(console: Console, connection: sa.Connection, wanted: str) -> dict[str, float]:
    vehicle_id, name = vehicle_named(connection, wanted)
    position = newest_position(connection, vehicle_id)
    if position is None:
        raise CliError(f"No position of {name} is stored: say where it is with --at LAT,LON")
    say(console, f"{name} was there on {position.at.astimezone(UTC):%Y-%m-%d at %H:%M} (UTC).")
    return {"latitude": position.latitude, "longitude": position.longitude}


def _say_what_changed(console: Console, before: Place | None, after: Place) -> None:
    if before is None:
        say_changed(console, f"{after.name} is added.")
        return
    changed = [
        said for what, said in _SAID.items() if getattr(before, what) != getattr(after, what)
    ]
    if changed:
        listed = ", ".join(dict.fromkeys(changed))
        say_changed(console, f"{after.name} was there and is changed: {listed}.")
    else:
        say(console, f"{after.name} is there already, just so.")
