"""Alerts as they are stored: one open row per cause, from its first sight to its end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.alerts import Alert
from tessie_pipeline.store.alerts import (
    Changes,
    acknowledge,
    mark_posted,
    open_alerts,
    reconcile,
    unposted_alerts,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.api import alerts
from tessie_pipeline_tests.store.conftest import wait_until_blocked

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
BUDGET = Alert("warning", "budget", "budget", "", "8 of 10 USD: raise it", {"spent_usd": 8.0})
LOGIN = Alert("critical", "account", "login_required", "", "Log in again")
STALE = Alert("warning", "data", "stale_source", "0a" * 16, "Nothing new of Ada")


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def see(database: Database, at_minute: int, *wanted: Alert) -> Changes:
    with database.rows() as connection:
        return reconcile(connection, wanted, minute(at_minute))


def stored(database: Database) -> list[dict[str, Any]]:
    query = sa.select(alerts).order_by(alerts.c.opened_at, alerts.c.code)
    with database.rows() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def open_ids(database: Database) -> dict[str, UUID]:
    with database.rows() as connection:
        return {alert.code: alert.id for alert in open_alerts(connection)}


def test_an_alert_opens_lasts_and_is_resolved(database: Database) -> None:
    assert see(database, 0, BUDGET) == Changes(opened=1, lasted=0, resolved=0)
    assert see(database, 1, BUDGET) == Changes(opened=0, lasted=1, resolved=0)
    assert see(database, 2) == Changes(opened=0, lasted=0, resolved=1)
    assert see(database, 3) == Changes(opened=0, lasted=0, resolved=0)
    (row,) = stored(database)
    assert {name: row[name] for name in vars(BUDGET)} == vars(BUDGET)
    assert (row["opened_at"], row["last_seen_at"]) == (minute(0), minute(1))
    assert (row["status"], row["resolved_at"]) == ("resolved", minute(2))


def test_a_cause_that_comes_again_opens_another_alert(database: Database) -> None:
    see(database, 0, BUDGET)
    see(database, 1)
    assert see(database, 2, BUDGET) == Changes(opened=1, lasted=0, resolved=0)
    assert [row["status"] for row in stored(database)] == ["resolved", "active"]


def test_causes_are_told_apart_by_code_and_subject(database: Database) -> None:
    other = Alert("warning", "data", "stale_source", "0b" * 16, "Nothing new of Otto")
    see(database, 0, STALE, other, LOGIN)
    assert see(database, 1, other, BUDGET) == Changes(opened=1, lasted=1, resolved=2)
    resolved = {row["message"] for row in stored(database) if row["status"] == "resolved"}
    assert resolved == {STALE.message, LOGIN.message}


def test_an_alert_that_lasts_tells_the_newest_figures(database: Database) -> None:
    see(database, 0, BUDGET)
    more = Alert("warning", "budget", "budget", "", "9 of 10 USD", {"spent_usd": 9.0})
    see(database, 1, more)
    (row,) = stored(database)
    assert (row["message"], row["context"]) == (more.message, {"spent_usd": 9.0})
    assert row["opened_at"] == minute(0)


def test_an_acknowledged_alert_stays_so_until_it_is_resolved(database: Database) -> None:
    see(database, 0, BUDGET)
    alert_id = open_ids(database)["budget"]
    with database.rows() as connection:
        assert acknowledge(connection, alert_id, minute(1))
        assert not acknowledge(connection, alert_id, minute(2))
        assert not acknowledge(connection, uuid4(), minute(2))
    see(database, 3, BUDGET)
    (row,) = stored(database)
    assert (row["status"], row["acknowledged_at"]) == ("acknowledged", minute(1))
    see(database, 4)
    (row,) = stored(database)
    assert (row["status"], row["acknowledged_at"]) == ("resolved", minute(1))
    with database.rows() as connection:
        assert not acknowledge(connection, alert_id, minute(5))


def test_open_alerts_are_listed_the_critical_and_then_the_oldest_first(database: Database) -> None:
    see(database, 0, STALE)
    see(database, 1, STALE, BUDGET)
    see(database, 2, STALE, BUDGET, LOGIN)
    assert list(open_ids(database)) == ["login_required", "stale_source", "budget"]


def test_an_alert_is_posted_once_and_not_after_somebody_took_note(database: Database) -> None:
    see(database, 0, STALE, BUDGET, LOGIN)
    ids = open_ids(database)
    with database.rows() as connection:
        acknowledge(connection, ids["budget"], minute(1))
        mark_posted(connection, [ids["login_required"]], minute(2))
        mark_posted(connection, [ids["login_required"]], minute(3))
        assert [alert.code for alert in unposted_alerts(connection)] == ["stale_source"]
    posted = {row["code"]: row["posted_at"] for row in stored(database)}
    assert posted == {"budget": None, "stale_source": None, "login_required": minute(2)}
    see(database, 4)
    with database.rows() as connection:
        assert unposted_alerts(connection) == []


def test_of_two_processes_at_once_only_one_opens_an_alert(database: Database) -> None:
    other = Database(database.url())
    with ThreadPoolExecutor() as pool:
        with database.rows() as connection:
            assert reconcile(connection, [BUDGET, LOGIN], NOON).opened == 2
            second = pool.submit(see, other, 1, LOGIN, BUDGET)
            wait_until_blocked(other)
        assert second.result(timeout=60) == Changes(opened=0, lasted=2, resolved=0)
    other.dispose()
    assert len(stored(database)) == 2


@pytest.mark.parametrize("at", [-1, 0])
def test_an_older_look_does_not_turn_back_the_time(database: Database, at: int) -> None:
    see(database, 0, BUDGET)
    see(database, at, BUDGET)
    assert stored(database)[0]["last_seen_at"] == minute(0)
