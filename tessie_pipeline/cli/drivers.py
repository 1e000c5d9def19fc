"""`tessie driver`: who drives, and the rules that tell when and where."""

from collections.abc import Iterable
from datetime import time

import sqlalchemy as sa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessie_pipeline.cli.account import say
from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.cli.named import (
    driver_named,
    new_name,
    place_named,
    say_changed,
    vehicle_named,
)
from tessie_pipeline.domain.tariff_files import read_hours, read_weekdays
from tessie_pipeline.store.drivers import (
    LAST,
    Conditions,
    KnownRule,
    add_driver,
    known_drivers,
    known_rules,
    remove_driver,
    remove_rule,
    save_rule,
)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def add(
    console: Console, environment: Environment, given_name: str, default_of: str | None
) -> None:
    """Add a driver, and let them be the default driver of a vehicle if one is given.

    Raises:
        CliError: there is no such vehicle.
    """
    name = new_name(given_name)
    with environment.database.rows() as connection:
        is_new = name not in known_drivers(connection)
        driver_id = add_driver(connection, name)
        drives = None if default_of is None else _drives(connection, name, driver_id, default_of)
    say(console, f"{name} is added." if is_new else f"{name} is there already.")
    if drives is not None:
        say_changed(console, drives)


def rule(
    console: Console,
    environment: Environment,
    name: str,
    *,
    vehicle: str | None,
    from_place: str | None,
    to_place: str | None,
    days: str | None,
    hours: str | None,
    priority: int,
    is_removed: bool,
) -> None:
    """Say when and where a driver drives, or take it back.

    Raises:
        CliError: something of it is not there or not what it should be, or nothing is asked.
    """
    weekdays = _weekday_sum(days)
    start, end = _clock_times(hours)
    with environment.database.rows() as connection:
        driver_id = driver_named(connection, name)
        asked = Conditions(
            vehicle_named(connection, vehicle)[0] if vehicle is not None else None,
            place_named(connection, from_place) if from_place is not None else None,
            place_named(connection, to_place) if to_place is not None else None,
            weekdays,
            start,
            end,
        )
        said = (
            _take_back(connection, name, driver_id, asked)
            if is_removed
            else _save(connection, name, driver_id, asked, priority)
        )
    if said is None:
        say(console, "The rule is there already, just so.")
    else:
        say_changed(console, said)


def show(console: Console, environment: Environment) -> None:
    """Print all drivers with their rules, those first that count first."""
    with environment.database.rows() as connection:
        names = known_drivers(connection)
        rules = known_rules(connection)
    if not names:
        say(console, "There are no drivers yet: `tessie driver add` adds one.")
        return
    console.print(_list(names, rules))


def remove(console: Console, environment: Environment, name: str) -> None:
    """Remove a driver and the driver's rules.

    Raises:
        CliError: there is no such driver.
    """
    with environment.database.rows() as connection:
        rules = remove_driver(connection, driver_named(connection, name))
    went = f", with {rules} rule(s)" if rules else ""
    say_changed(console, f"{name} is removed{went}.")


def _drives(connection: sa.Connection, name: str, driver_id: str, wanted: str) -> str:
    """What a driver drives from now on, made the default driver of the vehicle."""
    vehicle_id, vehicle = vehicle_named(connection, wanted)
    before = save_rule(connection, driver_id, Conditions(vehicle_id), LAST)
    instead = f" instead of {before[0]}" if before and before[0] != name else ""
    return f"{name} drives {vehicle}{instead}, unless a rule says otherwise."


def _take_back(connection: sa.Connection, name: str, driver_id: str, asked: Conditions) -> str:
    if not remove_rule(connection, driver_id, asked):
        raise CliError(f"{name} has no such rule: see `tessie driver list`")
    return "The rule is removed."


def _save(
    connection: sa.Connection, name: str, driver_id: str, asked: Conditions, priority: int
) -> str | None:
    """What was done; None if there was nothing to do."""
    if asked == Conditions(asked.vehicle_id):
        raise CliError(
            "A rule asks for a place, days or hours; who else drives a vehicle is said with "
            f"`tessie driver add {name} --default-of VEHICLE`"
        )
    before = save_rule(connection, driver_id, asked, priority)
    if before is None:
        return "The rule is added."
    if before == (name, priority):
        return None
    return f"The rule was {before[0]}'s with priority {before[1]}, and is changed."


def _weekday_sum(days: str | None) -> int | None:
    if days is None:
        return None
    try:
        return sum(1 << (day - 1) for day in read_weekdays(days))
    except ValueError as error:
        raise CliError(f"--days: {error}") from None


def _clock_times(hours: str | None) -> tuple[time | None, time | None]:
    if hours is None:
        return None, None
    try:
        return read_hours(hours)
    except ValueError as error:
        raise CliError(f"--hours: {error}") from None


def _list(names: Iterable[str], rules: Iterable[KnownRule]) -> Table:
    table = Table(title="Drivers", box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("driver", "vehicle", "from", "to", "days", "hours", "priority"):
        is_text = heading in ("driver", "vehicle", "from", "to")
        table.add_column(heading, no_wrap=not is_text)
    rules = list(rules)
    for one in rules:
        table.add_row(
            Text(one.driver),
            Text(one.vehicle or "any"),
            Text(one.start_place or "anywhere"),
            Text(one.end_place or "anywhere"),
            _days_of(one.weekdays),
            _hours_of(one.start_time, one.end_time),
            "last" if one.priority == LAST else str(one.priority),
        )
    for name in names:
        if name not in {one.driver for one in rules}:
            table.add_row(Text(name), *[""] * 5, "no rule")
    return table


def _days_of(weekdays: int | None) -> str:
    """The days as `--days` takes them."""
    if weekdays is None:
        return "any"
    days = [day for day in range(len(_DAYS)) if weekdays & 1 << day]
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{_DAYS[days[0]]}-{_DAYS[days[-1]]}"
    return ",".join(_DAYS[day] for day in days)


def _hours_of(start: time | None, end: time | None) -> str:
    if start is None and end is None:
        return "any"
    return f"{start or time():%H:%M}-{end or time():%H:%M}"
