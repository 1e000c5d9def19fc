"""Every request to Tesla as it was billed, and what requests have cost.

Not here: prices, and which answers are billed; the client knows them.
"""

from dataclasses import asdict, dataclass
from datetime import date, datetime

import sqlalchemy as sa

from tessie_pipeline.domain.calls import ApiCall
from tessie_pipeline.store.api_tables import api_calls


@dataclass(frozen=True)
class Spending:
    """What the requests of one endpoint and category have cost, US dollars."""

    endpoint: str
    category: str
    calls: int
    cost_usd: float


@dataclass(frozen=True)
class DaySpending:
    """What the requests of one UTC day have cost, US dollars."""

    day: date
    calls: int
    cost_usd: float


def record(connection: sa.Connection, call: ApiCall) -> None:
    """Add a request to the log, which is never changed."""
    connection.execute(sa.insert(api_calls).values(asdict(call)))


def spent_usd(connection: sa.Connection, start: datetime, end: datetime) -> float:
    """What all requests of [start, end) have cost, US dollars."""
    query = sa.select(sa.func.coalesce(sa.func.sum(api_calls.c.cost_usd), 0.0))
    return float(connection.scalar(query.where(_sent_in(start, end))) or 0.0)


def spending(connection: sa.Connection, start: datetime, end: datetime) -> list[Spending]:
    """What the requests of [start, end) have cost by endpoint and category, the dearest first."""
    cost_usd = sa.func.sum(api_calls.c.cost_usd)
    by = (api_calls.c.endpoint, api_calls.c.category)
    query = (
        sa.select(*by, sa.func.count(), cost_usd)
        .where(_sent_in(start, end))
        .group_by(*by)
        .order_by(cost_usd.desc(), *by)
    )
    return [Spending(*row) for row in connection.execute(query)]


def daily_spending(connection: sa.Connection, start: datetime, end: datetime) -> list[DaySpending]:
    """What the requests of [start, end) have cost by UTC day, in order; days without are left out.

    The first and the last day may be parts of days.
    """
    day = sa.cast(sa.func.timezone("UTC", api_calls.c.requested_at), sa.Date)
    query = (
        sa.select(day, sa.func.count(), sa.func.sum(api_calls.c.cost_usd))
        .where(_sent_in(start, end))
        .group_by(day)
        .order_by(day)
    )
    return [DaySpending(*row) for row in connection.execute(query)]


def spending_by_hour(
    connection: sa.Connection, start: datetime, end: datetime
) -> list[tuple[datetime, str, float]]:
    """Hour (UTC), endpoint and cost [US dollars] of the paid requests of [start, end)."""
    hour = sa.func.date_trunc("hour", api_calls.c.requested_at, "UTC")
    query = (
        sa.select(hour, api_calls.c.endpoint, sa.func.sum(api_calls.c.cost_usd))
        .where(_sent_in(start, end), api_calls.c.cost_usd > 0)
        .group_by(hour, api_calls.c.endpoint)
    )
    return [(at, endpoint, cost_usd) for at, endpoint, cost_usd in connection.execute(query)]


def first_call_at(connection: sa.Connection) -> datetime | None:
    """When the first request was sent; None before."""
    first: datetime | None = connection.scalar(sa.select(sa.func.min(api_calls.c.requested_at)))
    return first


def _sent_in(start: datetime, end: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(api_calls.c.requested_at >= start, api_calls.c.requested_at < end)
