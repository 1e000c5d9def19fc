"""When vehicles were online, asleep or offline: a row per stretch, however often they are polled.

What lies between two polls that are far apart is not known, and no stretch reaches over it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from tessie_pipeline.store.tables.api import vehicle_availability as stretches

LONGEST_GAP = timedelta(hours=1)
"""Two polls further apart than this say nothing of the time between them."""


@dataclass(frozen=True)
class Stretch:
    """A vehicle's state since `started_at`, last seen so at `last_seen_at`, and the one before it.

    The id is the 32 hexadecimal digits of the UUID; `previous_state` is None if nobody
    looked right before.
    """

    vehicle_id: str
    state: str
    started_at: datetime
    last_seen_at: datetime
    previous_state: str | None


def save_sightings(
    connection: sa.Connection,
    states: Mapping[str, str],
    now: datetime,
    longest_gap: timedelta = LONGEST_GAP,
) -> None:
    """Keep the states that a poll saw at `now`; the same again, or an older one, changes nothing.

    A stretch that lies ahead by more than `LONGEST_GAP` is of a clock that was wrong, and ends.

    Args:
        connection: the transaction; other processes wait until it ends.
        states: online, asleep or offline by vehicle, an id being 32 hexadecimal digits.
        now: when the poll saw them.
        longest_gap: a stretch last seen longer ago ends there, and another one begins at `now`.
    """
    if not states:
        return
    connection.execute(sa.text(f"lock table {stretches.name} in share row exclusive mode"))
    seen = _seen(states)
    is_of_the_future = stretches.c.last_seen_at > now + LONGEST_GAP
    is_due = sa.and_(
        stretches.c.vehicle_id == seen.c.vehicle_id,
        stretches.c.ended_at.is_(None),
        sa.or_(stretches.c.last_seen_at < now, is_of_the_future),
    )
    goes_on = sa.and_(
        stretches.c.state == seen.c.state,
        stretches.c.last_seen_at.between(now - longest_gap, now),
    )
    extend = sa.update(stretches).where(is_due, goes_on).values(last_seen_at=now)
    end = (
        sa.update(stretches)
        .where(is_due)
        .values(
            ended_at=sa.case(
                (is_of_the_future, stretches.c.started_at),
                (stretches.c.last_seen_at < now - longest_gap, stretches.c.last_seen_at),
                else_=now,
            )
        )
    )
    later = sa.exists().where(
        stretches.c.vehicle_id == seen.c.vehicle_id,
        sa.or_(
            stretches.c.ended_at.is_(None),
            stretches.c.last_seen_at.between(now, now + LONGEST_GAP),
        ),
    )
    at = sa.literal(now, sa.DateTime(timezone=True))
    begin = sa.insert(stretches).from_select(
        ["vehicle_id", "state", "started_at", "last_seen_at"],
        sa.select(seen.c.vehicle_id, seen.c.state, at, at).where(~later),
    )
    for statement in (extend, end, begin):
        connection.execute(statement)


def current_stretches(connection: sa.Connection) -> dict[str, Stretch]:
    """The stretch that lasts of each vehicle that was ever seen, by the vehicle's id."""
    before = stretches.alias()
    previous_state = (
        sa.select(before.c.state)
        .where(
            before.c.vehicle_id == stretches.c.vehicle_id,
            before.c.ended_at == stretches.c.started_at,
        )
        .order_by(before.c.started_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    c = stretches.c
    query = sa.select(c.vehicle_id, c.state, c.started_at, c.last_seen_at, previous_state)
    rows = connection.execute(query.where(c.ended_at.is_(None)))
    return {own.hex: Stretch(own.hex, *facts) for own, *facts in rows}


def _seen(states: Mapping[str, str]) -> sa.Values:
    columns = (sa.column("vehicle_id", sa.Uuid), sa.column("state", sa.Text))
    return sa.values(*columns, name="seen").data(
        [(UUID(own), said) for own, said in states.items()]
    )
