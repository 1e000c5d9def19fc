"""`tessie tariff`: prices from a file, what is stored of them, and what a day costs by the hour."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessie_pipeline.cli.account import say
from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.cli.named import say_changed, tariff_named
from tessie_pipeline.domain.days import day_start
from tessie_pipeline.domain.prices import prices_over, version_at
from tessie_pipeline.domain.tariff_files import TariffFileError
from tessie_pipeline.domain.tariff_files import read_tariffs as read_file
from tessie_pipeline.domain.tariffs import Tariff, by_name
from tessie_pipeline.store.charging.places import known_places
from tessie_pipeline.store.charging.tariffs import (
    TariffClash,
    Version,
    read_tariffs,
    remove_tariff,
    save_tariffs,
)
from tessie_pipeline.store.registries import known_sites

_DAY = timedelta(days=1)
_SOURCES = {"file": "from a file", "tesla": "from Tesla", "hand": "written by hand"}


def load(console: Console, environment: Environment, file: Path) -> None:
    """Let the tariffs that a file names be as it says.

    Raises:
        CliError: the file cannot be read, or names a tariff that is of another source.
    """
    try:
        given = read_file(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CliError(f"{file} is no text in UTF-8") from None
    except TariffFileError as error:
        raise CliError(f"{file}: {error}") from None
    try:
        with environment.database.frames() as connection:
            changes = save_tariffs(connection, given)
    except TariffClash as error:
        raise CliError(f"{file}: {error}; give the one in the file another name") from None
    for what in ("new", "changed", "unchanged", "removed"):
        for version in getattr(changes, what):
            say(console, f"{what:<9}  {_called(version)}")
    with environment.database.rows() as connection:
        used = _used_at(connection, given)
    for name in by_name(given):
        if name not in used:
            say(console, f'No place has {name}: `tessie place add PLACE --tariff "{name}"`.')
    if changes.is_none:
        say(console, "Nothing has changed.")
    else:
        say_changed(console, f"{file} is loaded.")


def show_all(console: Console, environment: Environment) -> None:
    """Print the versions of all tariffs, and which rows are none."""
    known, reasons = _stored(environment)
    with environment.database.rows() as connection:
        used = _used_at(connection, known)
    if known:
        console.print(_list(known, used))
    elif not reasons:
        say(console, "There are no tariffs yet: docs/tariffs.md says how to write one.")
    _warn(console, reasons)


def show(console: Console, environment: Environment, name: str, at: str | None) -> None:
    """Print the prices of a tariff through a day, today if none is given, by its own clock.

    Raises:
        CliError: there is no such tariff, it does not hold on that day, or that is no date.
    """
    try:
        day = None if at is None else date.fromisoformat(at)
    except ValueError:
        raise CliError("--at should be a date such as 2026-01-31") from None
    with environment.database.rows() as connection:
        tariff_named(connection, name)
    known, reasons = _stored(environment)
    _warn(console, reasons)
    versions = by_name(known).get(name, [])
    if not versions:
        raise CliError(f"No version of {name} is a tariff")
    day = day or versions[-1].local(datetime.now(UTC)).date()
    version = version_at(
        versions, datetime.combine(day, time(12), ZoneInfo(versions[-1].time_zone))
    )
    if version is None:
        raise CliError(f"{name} has no version for {day}: see `tessie tariff list`")
    per = "kWh" if version.unit == "kwh" else "minute"
    say(
        console,
        f"{name} on {day:%A}, {day}, in {version.currency} per {per}, by the clock of "
        f"{version.time_zone}",
    )
    console.print(_prices(versions, version, day))
    say(console, _terms(version))


def remove(console: Console, environment: Environment, name: str) -> None:
    """Remove all versions of a tariff.

    Raises:
        CliError: there is no such tariff, or places have it.
    """
    with environment.database.rows() as connection:
        tariff_named(connection, name)
        places = [one.name for one in known_places(connection).values() if one.tariff_name == name]
        if places:
            raise CliError(
                f"{name} is the tariff of {', '.join(places)}: give another one first, or none, "
                'with `tessie place add NAME --tariff ""`'
            )
        versions = remove_tariff(connection, name)
    say_changed(console, f"{name} is removed, {versions} version(s).")


def _stored(environment: Environment) -> tuple[list[Tariff], list[str]]:
    with environment.database.frames() as connection:
        return read_tariffs(connection)


def _warn(console: Console, reasons: Iterable[str]) -> None:
    for reason in reasons:
        say(console, f"Left out: {reason}", style="yellow")


def _used_at(connection: sa.Connection, tariffs: Sequence[Tariff]) -> dict[str, list[str]]:
    """The places and sites that have each tariff, by its name."""
    sites = {site.site_id: site.site_name or "a site" for site in known_sites(connection)}
    used: dict[str, list[str]] = {}
    for place in known_places(connection).values():
        if place.tariff_name is not None:
            used.setdefault(place.tariff_name, []).append(place.name)
    for name, site_id in dict.fromkeys((tariff.name, tariff.site_id) for tariff in tariffs):
        if site_id is not None:
            used.setdefault(name, []).append(sites[site_id])
    return used


def _called(version: Version) -> str:
    name, valid_from = version
    return name if valid_from is None else f"{name} from {valid_from}"


def _list(tariffs: Iterable[Tariff], used: Mapping[str, Sequence[str]]) -> Table:
    table = Table(title="Tariffs", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("name", "from", "until", "currency", "prices", "source", "used at"):
        table.add_column(heading, justify="right" if heading == "prices" else "left")
    for tariff in tariffs:
        table.add_row(
            Text(tariff.name),
            str(tariff.valid_from or ""),
            str(tariff.valid_to or ""),
            tariff.currency,
            str(len(tariff.rates)),
            tariff.source,
            Text(", ".join(used.get(tariff.name, ()))),
        )
    return table


def _prices(versions: Sequence[Tariff], version: Tariff, day: date) -> Table:
    zone = ZoneInfo(version.time_zone)
    start, end = day_start(day, zone), day_start(day + _DAY, zone)
    # On a day on which clocks change, an hour that comes twice is told apart by its zone's name.
    clock = "%H:%M" if end - start == _DAY else "%H:%M %Z"
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("from", "until", "to buy", "to sell"):
        table.add_column(heading, justify="right")
    rows = prices_over(versions, start, end).select("start", "end", "buy_price", "sell_price")
    for first, last, buy, sell in rows.iter_rows():
        table.add_row(
            f"{first.astimezone(zone):{clock}}",
            "24:00" if last == end else f"{last.astimezone(zone):{clock}}",
            _money(buy),
            _money(sell),
        )
    return table


def _terms(version: Tariff) -> str:
    since = f" from {version.valid_from}" if version.valid_from else ""
    until = f" until {version.valid_to}" if version.valid_to else ""
    fee = (
        f" Each session costs {_money(version.session_fee)} besides." if version.session_fee else ""
    )
    return f"This version, {_SOURCES[version.source]}, holds{since + until or ' always'}.{fee}"


def _money(amount: Decimal | None) -> str:
    """An amount with the digits it has, four at least, so that prices stand below each other."""
    if amount is None:
        return "none"
    digits = f"{amount:.6f}"
    return digits[:-2] + digits[-2:].rstrip("0")
