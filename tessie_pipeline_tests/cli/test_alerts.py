"""`tessie alerts`: the open alerts, and taking note of one by its number or id."""

from datetime import UTC, datetime, timedelta

import pytest

from tessie_pipeline.cli.alerts import summary
from tessie_pipeline.domain.alerts import Alert
from tessie_pipeline.domain.budget import month_of
from tessie_pipeline.domain.calls import ApiCall, Category
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.alerts import OpenAlert, open_alerts, reconcile
from tessie_pipeline.store.calls.log import record
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.cli.conftest import Result, Tessie

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
BUDGET = Alert("warning", "budget", "budget", "", "Raise [TESSIE_BUDGET_USD]")
LOGIN = Alert("critical", "account", "login_required", "", "Log in again")


@pytest.fixture
def alerted(database: Database) -> list[OpenAlert]:
    """The open alerts: the login, then the budget."""
    with database.rows() as connection:
        reconcile(connection, [BUDGET, LOGIN], NOON)
        return open_alerts(connection)


def run(tessie: Tessie, database: Database, *arguments: str) -> Result:
    return tessie(*arguments, DATABASE_URL=database.url())


def statuses(database: Database) -> list[str]:
    with database.rows() as connection:
        return [alert.status for alert in open_alerts(connection)]


def test_without_alerts_it_says_so(tessie: Tessie, database: Database) -> None:
    assert "nothing to alert you to" in run(tessie, database, "alerts").stdout


def test_open_alerts_are_listed_with_what_to_do(
    tessie: Tessie, database: Database, alerted: list[OpenAlert]
) -> None:
    printed = run(tessie, database, "alerts").stdout
    assert printed.index("Log in again") < printed.index("Raise [TESSIE_BUDGET_USD]")
    assert "2026-05-06 12:00" in printed
    assert alerted[0].id.hex[:8] in printed


@pytest.mark.parametrize("form", ["number", "shown digits", "whole id"])
def test_an_alert_is_acknowledged_by_its_number_or_id(
    tessie: Tessie, database: Database, alerted: list[OpenAlert], form: str
) -> None:
    budget = alerted[1].id
    named = {"number": "2", "shown digits": budget.hex[:8], "whole id": str(budget)}[form]
    result = run(tessie, database, "alerts", "--acknowledge", named)
    assert result.returncode == 0, result.stderr
    assert statuses(database) == ["active", "acknowledged"]


@pytest.mark.parametrize("named", ["0", "3", "-1", "budget", "ffffffffffff"])
def test_an_alert_that_is_not_there_is_said_in_a_sentence(
    tessie: Tessie, database: Database, alerted: list[OpenAlert], named: str
) -> None:
    assert len(alerted) == 2
    result = run(tessie, database, "alerts", f"--acknowledge={named}")
    assert result.returncode == 1
    assert f"There is no open alert {named}" in result.stderr
    assert statuses(database) == ["active", "active"]


def test_a_database_without_tables_is_said_in_a_sentence(
    tessie: Tessie, bare_database: Database
) -> None:
    result = run(tessie, bare_database, "alerts")
    assert result.returncode == 1
    assert "tessie migrate" in result.stderr


def test_the_summary_tells_spending_and_open_alerts(
    database: Database, alerted: list[OpenAlert]
) -> None:
    assert alerted
    with database.rows() as connection:
        before = summary(connection, Settings.load(TESSIE_BUDGET_USD=10), NOON)
        record(connection, ApiCall(NOON, "GET /x", 1, 200, 9, Category.DATA, 1.25))
        after = summary(connection, Settings.load(TESSIE_BUDGET_USD=10), NOON)
    assert (
        before["Spent this month"]
        == "0.00 of 10.00 USD, 0.00 expected at its end (prices of 2026-01-10)"
    )
    days_left = (month_of(NOON)[1] - NOON) / timedelta(days=1)
    assert after == {
        "Spent this month": f"1.25 of 10.00 USD, {1.25 + 1.25 * days_left:.2f} expected at its end "
        "(prices of 2026-01-10)",
        "Open alerts": "2, 1 critical: see `tessie alerts`",
    }
