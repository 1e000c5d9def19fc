"""Every request to Tesla as it was billed, and what requests have cost.

Not here: prices, and which answers are billed; the client knows them.
"""

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from tessie_pipeline.domain.calls import ApiCall
from tessie_pipeline.store.tables.api import api_calls


def record(connection: sa.Connection, call: ApiCall) -> None:
    """Add a request to the log, which is never changed."""
    connection.execute(sa.insert(api_calls).values(asdict(call)))


def spending_by_hour(
    connection: sa.Connection, start: datetime
) -> list[tuple[datetime, str, float]]:
    """Hour (UTC), endpoint and cost [US dollars] of the paid requests since `start`."""
    hour = sa.func.date_trunc("hour", api_calls.c.requested_at, "UTC")
    query = (
        sa.select(hour, api_calls.c.endpoint, sa.func.sum(api_calls.c.cost_usd))
        .where(api_calls.c.requested_at >= start, api_calls.c.cost_usd > 0)
        .group_by(hour, api_calls.c.endpoint)
    )
    return [(at, endpoint, cost_usd) for at, endpoint, cost_usd in connection.execute(query)]


def first_call_at(connection: sa.Connection) -> datetime | None:
    """When the first request was sent; None before."""
    first: datetime | None = connection.scalar(sa.select(sa.func.min(api_calls.c.requested_at)))
    return first
