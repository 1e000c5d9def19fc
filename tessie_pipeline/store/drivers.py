"""Drivers and the rules that tell who drove. Not here: what a rule means (`domain.drivers`)."""

from dataclasses import asdict, dataclass, fields
from datetime import time
from typing import Any
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.drivers import DRIVER_RULES
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.tables import vehicles
from tessie_pipeline.store.tables.drives import driver_rules, drivers
from tessie_pipeline.store.tables.prices import places

LAST = 32_767
"""The priority after all others, which default drivers have."""


@dataclass(frozen=True)
class Conditions:
    """What a rule asks of a drive; None is anything. Ids are 32 hexadecimal digits.

    Weekdays and times are as in `DRIVER_RULES`. A vehicle alone makes its default driver.
    """

    vehicle_id: str | None = None
    start_place_id: str | None = None
    end_place_id: str | None = None
    weekdays: int | None = None
    start_time: time | None = None
    end_time: time | None = None


@dataclass(frozen=True)
class KnownRule:
    """A rule with the names of its driver, its vehicle and its places."""

    driver: str
    vehicle: str | None
    start_place: str | None
    end_place: str | None
    weekdays: int | None
    start_time: time | None
    end_time: time | None
    priority: int


def read_driver_rules(connection: adbc.Connection) -> pl.DataFrame:
    """All rules, as `DRIVER_RULES`."""
    query = sa.select(*(driver_rules.c[name] for name in DRIVER_RULES))
    return read_frame(connection, query, DRIVER_RULES)


def known_drivers(connection: sa.Connection) -> dict[str, str]:
    """Our id of each driver by name, in its order; of several of one name the first that came."""
    c = drivers.c
    query = sa.select(c.name, c.id).order_by(c.name, c.created_at.desc(), c.id.desc())
    return {name: own.hex for name, own in connection.execute(query)}


def known_rules(connection: sa.Connection) -> list[KnownRule]:
    """All rules in the order in which they count (`domain.drivers`)."""
    begin, end = places.alias(), places.alias()
    c = driver_rules.c
    has_hours = sa.func.coalesce(c.start_time, c.end_time)
    asked = sa.func.num_nonnulls(
        c.vehicle_id, c.start_place_id, c.end_place_id, c.weekdays, has_hours
    )
    query = (
        sa.select(
            drivers.c.name,
            sa.func.coalesce(vehicles.c.display_name, vehicles.c.vin),
            begin.c.name,
            end.c.name,
            *(c[name] for name in ("weekdays", "start_time", "end_time", "priority")),
        )
        .join(drivers, drivers.c.id == c.driver_id)
        .outerjoin(vehicles, vehicles.c.id == c.vehicle_id)
        .outerjoin(begin, begin.c.id == c.start_place_id)
        .outerjoin(end, end.c.id == c.end_place_id)
        .order_by(c.priority, asked.desc(), c.driver_id)
    )
    return [KnownRule(*row) for row in connection.execute(query)]


def add_driver(connection: sa.Connection, name: str) -> str:
    """Add a driver, unless there is one of that name; returns our id."""
    connection.execute(sa.text(f"lock table {drivers.name} in share row exclusive mode"))
    known = known_drivers(connection).get(name)
    if known is not None:
        return known
    insert = sa.insert(drivers).values(name=name).returning(drivers.c.id)
    return str(connection.execute(insert).scalar_one().hex)


def remove_driver(connection: sa.Connection, driver_id: str) -> int:
    """Remove a driver and the driver's rules; returns how many of them."""
    own = UUID(driver_id)
    delete = sa.delete(driver_rules).where(driver_rules.c.driver_id == own)
    rules = connection.execute(delete).rowcount
    connection.execute(sa.delete(drivers).where(drivers.c.id == own))
    return rules


def save_rule(
    connection: sa.Connection, driver_id: str, asked: Conditions, priority: int
) -> tuple[str, int] | None:
    """Let this driver be who drives under these conditions, whoever it was.

    Returns:
        The driver's name and the priority of the rule until now; None if there was none.
    """
    connection.execute(sa.text(f"lock table {driver_rules.name} in share row exclusive mode"))
    own, c = UUID(driver_id), driver_rules.c
    query = sa.select(c.driver_id, drivers.c.name, c.priority).join(drivers)
    rules = connection.execute(query.where(*_ask(asked)).order_by(c.priority)).all()
    if [(rule.driver_id, rule.priority) for rule in rules] != [(own, priority)]:
        connection.execute(sa.delete(driver_rules).where(*_ask(asked)))
        values = _values(asked) | {"driver_id": own, "priority": priority}
        connection.execute(sa.insert(driver_rules).values(values))
    return (rules[0].name, rules[0].priority) if rules else None


def remove_rule(connection: sa.Connection, driver_id: str, asked: Conditions) -> bool:
    """Remove the rule of this driver with just these conditions; returns whether there was one."""
    is_own = driver_rules.c.driver_id == UUID(driver_id)
    return connection.execute(sa.delete(driver_rules).where(is_own, *_ask(asked))).rowcount > 0


def _ask(asked: Conditions) -> list[sa.ColumnElement[bool]]:
    values = _values(asked)
    return [driver_rules.c[name].is_not_distinct_from(values[name]) for name in values]


def _values(asked: Conditions) -> dict[str, Any]:
    ids = {one.name for one in fields(Conditions) if one.name.endswith("_id")}
    return {
        name: UUID(value) if value is not None and name in ids else value
        for name, value in asdict(asked).items()
    }
