"""Requests to Tesla: each is kept as it was billed, and their cost adds up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.calls import ApiCall, Category
from tessie_pipeline.store.calls.log import first_call_at, record, spending_by_hour
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.api import api_calls

MAY = datetime(2026, 5, 1, tzinfo=UTC)
DATA = "GET /api/1/vehicles/{id}/vehicle_data"
CALL = ApiCall(MAY, DATA, 1_492_931_337_154_343, 200, 431, Category.DATA, 0.002, "2b1f")
WAKE = ApiCall(MAY, "POST /api/1/vehicles/{id}/wake_up", 2, 200, 80, Category.WAKE, 0.02)
FREE = ApiCall(MAY, "GET /api/1/products", None, 200, 60, Category.FREE, 0.0)


def keep(database: Database, *calls: ApiCall) -> None:
    with database.rows() as connection:
        for call in calls:
            record(connection, call)


@pytest.mark.parametrize(
    "call",
    [
        CALL,
        replace(CALL, status=408, error="GET vehicle_data: 408 vehicle unavailable"),
        replace(FREE, status=None, txid=None, error="ConnectTimeout"),
    ],
    ids=["answered", "billed though it failed", "no answer"],
)
def test_a_request_is_kept_as_it_was_billed(database: Database, call: ApiCall) -> None:
    keep(database, call)
    with database.rows() as connection:
        row = dict(connection.execute(sa.select(api_calls)).mappings().one())
    assert row.pop("id") > 0
    assert ApiCall(**row) == call


def test_nothing_costs_nothing(database: Database) -> None:
    with database.rows() as connection:
        assert spending_by_hour(connection, MAY) == []
        assert first_call_at(connection) is None


def test_paid_requests_add_up_by_utc_hour_and_endpoint(database: Database) -> None:
    late = datetime(2026, 5, 3, 23, 59, tzinfo=UTC)
    keep(
        database,
        FREE,
        CALL,
        CALL,
        replace(CALL, requested_at=late),
        replace(WAKE, requested_at=late),
    )
    keep(database, replace(CALL, requested_at=MAY - timedelta(seconds=1)))
    with database.rows() as connection:
        connection.execute(sa.text("set local timezone to 'Asia/Kolkata'"))
        assert sorted(spending_by_hour(connection, MAY)) == [
            (MAY, DATA, 0.004),
            (late.replace(minute=0), DATA, 0.002),
            (late.replace(minute=0), WAKE.endpoint, 0.02),
        ]
        assert first_call_at(connection) == MAY - timedelta(seconds=1)
