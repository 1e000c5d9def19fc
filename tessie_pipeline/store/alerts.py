"""Alerts as they are stored: opened when their cause comes, resolved when it has gone.

Not here: what is worth an alert (`domain.alerts`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.alerts import Alert
from tessie_pipeline.store.tables.api import alerts

_IS_OPEN = alerts.c.status != "resolved"


@dataclass(frozen=True)
class OpenAlert:
    """An alert that is not resolved; times are in UTC."""

    id: UUID
    severity: str
    category: str
    code: str
    subject: str
    message: str
    context: Mapping[str, Any]
    status: str
    opened_at: datetime


@dataclass(frozen=True)
class Changes:
    """How many alerts were opened, lasted and were resolved."""

    opened: int
    lasted: int
    resolved: int


def reconcile(connection: sa.Connection, wanted: Sequence[Alert], now: datetime) -> Changes:
    """Let those alerts be open that are wanted; an acknowledged one stays acknowledged.

    Args:
        connection: the transaction; other processes wait until it ends.
        wanted: at most one per code and subject.
        now: when their causes were seen.
    """
    connection.execute(sa.text(f"lock table {alerts.name} in share row exclusive mode"))
    c = alerts.c
    causes = {(alert.code, alert.subject) for alert in wanted}
    resolve = sa.update(alerts).where(_IS_OPEN, sa.tuple_(c.code, c.subject).not_in(list(causes)))
    resolved = connection.execute(resolve.values(status="resolved", resolved_at=now)).rowcount
    lasted = connection.scalar(sa.select(sa.func.count()).where(_IS_OPEN)) or 0
    if wanted:
        connection.execute(_upsert(wanted, now))
    return Changes(len(causes) - lasted, lasted, resolved)


def acknowledge(connection: sa.Connection, alert_id: UUID, now: datetime) -> bool:
    """Take note of an active alert; returns whether it was one."""
    note = (
        sa.update(alerts)
        .where(alerts.c.id == alert_id, alerts.c.status == "active")
        .values(status="acknowledged", acknowledged_at=now)
    )
    return connection.execute(note).rowcount > 0


def open_alerts(connection: sa.Connection) -> list[OpenAlert]:
    """The alerts that are not resolved: critical ones first, then the oldest."""
    return _read(connection, _IS_OPEN)


def unposted_alerts(connection: sa.Connection) -> list[OpenAlert]:
    """The active alerts that the webhook has not taken, in the order of `open_alerts`."""
    return _read(connection, sa.and_(alerts.c.status == "active", alerts.c.posted_at.is_(None)))


def mark_posted(connection: sa.Connection, alert_ids: Collection[UUID], now: datetime) -> None:
    """Note that the webhook took these alerts."""
    is_due = sa.and_(alerts.c.id.in_(alert_ids), alerts.c.posted_at.is_(None))
    connection.execute(sa.update(alerts).where(is_due).values(posted_at=now))


def _upsert(wanted: Sequence[Alert], now: datetime) -> pg.Insert:
    seen = {"opened_at": now, "last_seen_at": now}
    insert = pg.insert(alerts).values(
        [vars(alert) | {"context": dict(alert.context)} | seen for alert in wanted]
    )
    new = insert.excluded
    told = {name: new[name] for name in ("severity", "category", "message", "context")}
    last_seen_at = sa.func.greatest(alerts.c.last_seen_at, new.last_seen_at)
    return insert.on_conflict_do_update(
        index_elements=["code", "subject"],
        index_where=sa.text("status <> 'resolved'"),
        set_=told | {"last_seen_at": last_seen_at},
    )


def _read(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[OpenAlert]:
    columns = [alerts.c[one.name] for one in fields(OpenAlert)]
    is_critical = alerts.c.severity == "critical"
    query = sa.select(*columns).where(condition)
    rows = connection.execute(query.order_by(is_critical.desc(), alerts.c.opened_at, alerts.c.id))
    return [OpenAlert(*row) for row in rows]
