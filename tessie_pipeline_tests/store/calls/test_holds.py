"""Holds: what is not asked, how long, and that the longest one stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tessie_pipeline.domain.calls import Hold
from tessie_pipeline.store.calls.holds import holds_against, lift_holds, put_hold, standing_holds
from tessie_pipeline.store.database import Database

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
DATA = "GET /api/1/vehicles/{id}/vehicle_data"
WAKE = "POST /api/1/vehicles/{id}/wake_up"


def hold(
    minutes: int | None, endpoint: str = "", tesla_id: int = 0, code: str = "rate_limit"
) -> Hold:
    until = None if minutes is None else NOW + timedelta(minutes=minutes)
    return Hold(endpoint, tesla_id, until, code, f"{code} for {minutes}")


def put(database: Database, *holds: Hold) -> None:
    for one in holds:
        with database.rows() as connection:
            put_hold(connection, one)


def against(database: Database, endpoint: str, tesla_id: int) -> Hold | None:
    with database.rows() as connection:
        return holds_against(connection, endpoint, tesla_id, NOW)


@pytest.mark.parametrize(
    ("kept", "held"),
    [
        (hold(5), {(DATA, 1), (DATA, 2), (WAKE, 1), ("GET /api/1/products", 0)}),
        (hold(5, DATA), {(DATA, 1), (DATA, 2)}),
        (hold(5, "", 1), {(DATA, 1), (WAKE, 1)}),
        (hold(5, DATA, 1), {(DATA, 1)}),
    ],
    ids=["all", "an endpoint", "a subject", "both"],
)
def test_a_hold_stands_against_what_it_names(
    database: Database, kept: Hold, held: set[tuple[str, int]]
) -> None:
    put(database, kept)
    asked = {(DATA, 1), (DATA, 2), (WAKE, 1), ("GET /api/1/products", 0)}
    assert {one for one in asked if against(database, *one) is not None} == held
    assert against(database, *min(held)) == kept


def test_the_one_that_lasts_longest_counts(database: Database) -> None:
    put(database, hold(5), hold(30, DATA), hold(10, "", 1), hold(20, DATA, 1))
    assert against(database, DATA, 1) == hold(30, DATA)
    assert against(database, WAKE, 1) == hold(10, "", 1)
    assert against(database, WAKE, 2) == hold(5)
    until_login = hold(None, "", 1, "login_required")
    put(database, until_login)
    assert against(database, DATA, 1) == until_login


@pytest.mark.parametrize("minutes", [0, -1])
def test_what_has_ended_does_not_count(database: Database, minutes: int) -> None:
    put(database, hold(minutes), hold(3, WAKE))
    assert against(database, DATA, 1) is None
    with database.rows() as connection:
        assert standing_holds(connection, NOW) == [hold(3, WAKE)]


@pytest.mark.parametrize(
    ("first", "second", "stands"),
    [
        (hold(5), hold(9), hold(9)),
        (hold(9), hold(5), hold(9)),
        (hold(9), hold(None), hold(None)),
        (hold(None), hold(9), hold(None)),
        (hold(-9), hold(5, code="account_locked"), hold(5, code="account_locked")),
        (hold(None, code="login_required"), hold(1), hold(None, code="login_required")),
    ],
    ids=["longer", "shorter", "endless", "endless before", "ended before", "another's is longer"],
)
def test_a_hold_is_never_shortened(
    database: Database, first: Hold, second: Hold, stands: Hold
) -> None:
    put(database, first, second)
    assert against(database, DATA, 1) == stands


def test_the_newest_reason_is_told(database: Database) -> None:
    better = replace(hold(5), reason="Pay the bill")
    put(database, hold(5), better)
    assert against(database, DATA, 1) == better


def test_holds_are_lifted_by_what_they_are(database: Database) -> None:
    login, limit = hold(None, code="login_required"), hold(9, DATA)
    scope, other = hold(None, WAKE, code="missing_scope"), hold(9, DATA, 2)
    put(database, login, limit, scope, other)
    with database.rows() as connection:
        assert lift_holds(connection, codes=["login_required", "missing_scope"]) == 2
        assert standing_holds(connection, NOW) == [limit, other]
        assert lift_holds(connection, codes=[]) == 0
        assert lift_holds(connection, endpoint=DATA, tesla_id=2) == 1
        assert standing_holds(connection, NOW) == [limit]
        assert lift_holds(connection, tesla_id=1) == 0
        assert lift_holds(connection) == 1
