"""How polling of each vehicle and site goes: what was decided, and what came of asking.

A decision or an outcome that is older than the stored one changes nothing, unless that one is of
a clock that was far ahead. Not here: deciding.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.availability import LONGEST_GAP
from tessie_pipeline.store.tables.api import polling_status

Kind = Literal["vehicle", "energy_site"]

_ASKED_FOR = {"vehicle": "vehicle_data", "energy_site": "live_status"}


@dataclass(frozen=True)
class PollDecision:
    """What a poll decided about a subject: vehicle_data, live_status or wait; why, until when.

    The id is the 32 hexadecimal digits of the UUID of a vehicle or an energy site.
    """

    subject_id: str
    kind: Kind
    decision: str
    reason: str
    next_look_at: datetime | None = None


@dataclass(frozen=True)
class PollOutcome:
    """What came of asking a subject for its data.

    `error` is a sentence; a vehicle that could not be reached is no error, and gave no data, nor
    does data that is not understood say what the vehicle does.
    `idle_since` is since when a vehicle's answers say that it is idle, None if it is not. `at` is
    when it was asked, None for the present.
    """

    subject_id: str
    kind: Kind
    error: str | None = None
    is_reached: bool = True
    is_understood: bool = True
    idle_since: datetime | None = None
    at: datetime | None = None

    @property
    def has_data(self) -> bool:
        """Whether data came."""
        return self.error is None and self.is_reached


@dataclass(frozen=True)
class PollingStatus:
    """A row of `polling_status`; times are in UTC."""

    subject_id: str
    kind: str
    decision: str
    reason: str
    decided_at: datetime
    next_look_at: datetime | None
    last_attempt_at: datetime | None
    last_success_at: datetime | None
    last_error: str | None
    failures_in_a_row: int
    idle_since: datetime | None = None
    unanswered_in_a_row: int = 0


def save_decisions(
    connection: sa.Connection, decisions: Iterable[PollDecision], now: datetime
) -> None:
    """Keep what a poll decided at `now`, one decision per subject at most."""
    rows = [asdict(one) | {"decided_at": now} for one in decisions]
    if not rows:
        return
    insert = pg.insert(polling_status).values(_in_order(rows))
    new, old = insert.excluded, polling_status.c
    changed = ("kind", "decision", "reason", "decided_at", "next_look_at")
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["subject_id"],
            set_={name: new[name] for name in changed},
            where=sa.or_(new.decided_at >= old.decided_at, old.decided_at > now + LONGEST_GAP),
        )
    )


def save_outcomes(
    connection: sa.Connection, outcomes: Iterable[PollOutcome], now: datetime
) -> None:
    """Keep what came of asking at `now`, the oldest first where a subject has several.

    The same time again is the same attempt, and is not counted twice.
    """
    left = sorted(outcomes, key=lambda one: one.at or now)
    while left:
        firsts = {one.subject_id: one for one in reversed(left)}
        _save_outcomes(connection, firsts.values(), now)
        left = [one for one in left if firsts[one.subject_id] is not one]


def _save_outcomes(
    connection: sa.Connection, outcomes: Iterable[PollOutcome], now: datetime
) -> None:
    rows = [
        {
            "subject_id": one.subject_id,
            "kind": one.kind,
            "decision": _ASKED_FOR[one.kind],
            "reason": "asked",
            "decided_at": now,
            "last_attempt_at": one.at or now,
            "last_success_at": (one.at or now) if one.has_data else None,
            "last_error": one.error,
            "failures_in_a_row": 1 if one.error else 0,
            "unanswered_in_a_row": 0 if one.has_data and one.is_understood else 1,
            "idle_since": one.idle_since,
        }
        for one in outcomes
    ]
    insert = pg.insert(polling_status).values(_in_order(rows))
    new, old = insert.excluded, polling_status.c
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["subject_id"],
            set_={
                "last_attempt_at": new.last_attempt_at,
                "last_success_at": sa.func.coalesce(new.last_success_at, old.last_success_at),
                "last_error": new.last_error,
                "unanswered_in_a_row": sa.case(
                    (new.unanswered_in_a_row == 0, 0), else_=old.unanswered_in_a_row + 1
                ),
                "idle_since": sa.case(
                    (new.last_success_at.is_(None), old.idle_since), else_=new.idle_since
                ),
                "failures_in_a_row": sa.case(
                    (new.last_error.is_(None), 0), else_=old.failures_in_a_row + 1
                ),
            },
            where=sa.or_(
                old.last_attempt_at.is_(None),
                new.last_attempt_at > old.last_attempt_at,
                old.last_attempt_at > now + LONGEST_GAP,
            ),
        )
    )


def read_status(connection: sa.Connection) -> dict[str, PollingStatus]:
    """How polling goes, by the subject's id."""
    names = [field.name for field in fields(PollingStatus)]
    query = sa.select(*(polling_status.c[name] for name in names))
    return {own.hex: PollingStatus(own.hex, *facts) for own, *facts in connection.execute(query)}


def _in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by id, so that two processes that write the same ones do not lock each other out."""
    as_stored = (row | {"subject_id": UUID(row["subject_id"])} for row in rows)
    return sorted(as_stored, key=lambda row: row["subject_id"])
