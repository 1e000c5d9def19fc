"""Which facts are worth an alert, and which follow from another one or from a car that sleeps."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tessie_pipeline.domain.alerts import (
    Alert,
    Facts,
    KeptBackup,
    Pause,
    Source,
    Spend,
    wanted_alerts,
)

NOW = datetime(2026, 5, 21, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOTHING_SPENT = Spend(0.0, 0.0, 10.0)
ADA = Source("0a" * 16, "Ada", "vehicle_data", NOW - MINUTE, NOW - 90 * DAY)
HOME = Source("0b" * 16, "Home", "live_status", NOW - MINUTE, NOW - 90 * DAY)
DATA = "GET /api/1/vehicles/{id}/vehicle_data"
LOGIN = Pause("", "", "", None, "login_required", "log in again: tessie login")


def wanted(
    spend: Spend = NOTHING_SPENT,
    token_received_at: datetime | None = NOW - HOUR,
    pauses: Sequence[Pause] = (),
    sources: Sequence[Source] = (),
    poll_interval: timedelta = 5 * MINUTE,
) -> list[Alert]:
    return wanted_alerts(Facts(spend, token_received_at, pauses, sources, poll_interval), NOW)


def found(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(alert.severity, alert.code) for alert in alerts]


def test_nothing_is_worth_an_alert_when_all_is_well() -> None:
    assert wanted(sources=[ADA, HOME]) == []


@pytest.mark.parametrize(
    ("spent_usd", "forecast_usd", "budget_usd", "alerts"),
    [
        (7.99, 9.0, 10.0, []),
        (8.0, 9.0, 10.0, [("warning", "budget")]),
        (9.99, 15.0, 10.0, [("warning", "budget")]),
        (10.0, 15.0, 10.0, [("critical", "budget_spent")]),
        (0.0, 0.0, 0.0, []),
        (0.01, 0.01, 0.0, [("critical", "budget_spent")]),
        (5.0, 10.0, 10.0, []),
        (5.0, 10.01, 10.0, [("warning", "budget_forecast")]),
    ],
)
def test_the_budget_is_told_once_at_its_worst(
    spent_usd: float, forecast_usd: float, budget_usd: float, alerts: list[tuple[str, str]]
) -> None:
    spend = Spend(spent_usd, forecast_usd, budget_usd)
    assert found(wanted(spend)) == alerts


def test_a_budget_alert_says_what_was_spent_and_what_to_do() -> None:
    (alert,) = wanted(Spend(8.5, 9.6, 10.0))
    assert alert.context == {"spent_usd": 8.5, "forecast_usd": 9.6, "budget_usd": 10.0}
    assert "8.50 of 10.00 USD" in alert.message
    assert "TESSIE_BUDGET_USD" in alert.message
    assert (alert.category, alert.subject) == ("budget", "")


@pytest.mark.parametrize(
    ("age", "alerts"),
    [
        (None, []),
        (7 * DAY - MINUTE, []),
        (7 * DAY, [("warning", "token_not_renewed")]),
        (76 * DAY - MINUTE, [("warning", "token_not_renewed")]),
        (76 * DAY, [("warning", "token_ends")]),
        (90 * DAY - MINUTE, [("warning", "token_ends")]),
        (90 * DAY, [("critical", "token_ended")]),
    ],
)
def test_a_login_is_told_of_before_it_ends(
    age: timedelta | None, alerts: list[tuple[str, str]]
) -> None:
    assert found(wanted(token_received_at=None if age is None else NOW - age)) == alerts


def test_a_login_that_ends_says_when() -> None:
    (alert,) = wanted(token_received_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert "ends on 2026-05-30" in alert.message
    assert "tessie login" in alert.message
    assert alert.context == {
        "received_at": "2026-03-01T00:00:00+00:00",
        "ends_at": "2026-05-30T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("pause", "severity", "says"),
    [
        (LOGIN, "critical", "No request is sent to Tesla for now: log in again: tessie login"),
        (replace(LOGIN, endpoint=DATA), "warning", f"No {DATA} is sent"),
        (replace(LOGIN, subject=ADA.subject, name="Ada"), "warning", "No request for Ada is"),
    ],
    ids=["all", "an endpoint", "a vehicle"],
)
def test_what_tesla_refuses_is_told_with_its_remedy(pause: Pause, severity: str, says: str) -> None:
    (alert,) = wanted(pauses=[pause])
    assert found([alert]) == [(severity, "login_required")]
    assert (alert.category, alert.subject) == ("account", pause.subject)
    assert says in alert.message
    assert pause.reason in alert.message


def test_one_cause_at_several_endpoints_is_one_alert() -> None:
    scopes = [
        Pause("", "", endpoint, NOW + hours * HOUR, "missing_scope", "grant its scopes")
        for hours, endpoint in ((2, "GET /b"), (3, "GET /a"))
    ]
    (alert,) = wanted(pauses=scopes)
    assert alert.context == {
        "endpoints": ["GET /a", "GET /b"],
        "held_until": "2026-05-21T03:00:00+00:00",
    }
    assert alert.message.startswith("No GET /a and no GET /b is sent")


@pytest.mark.parametrize(
    ("lasts", "alerts"),
    [(59 * MINUTE, []), (HOUR, [("critical", "rate_limit")])],
)
def test_a_short_rate_limit_is_not_worth_an_alert(
    lasts: timedelta, alerts: list[tuple[str, str]]
) -> None:
    limit = Pause("", "", "", NOW + lasts, "rate_limit", "Tesla asks for patience")
    assert found(wanted(pauses=[limit])) == alerts


@pytest.mark.parametrize(
    ("silence", "poll_interval", "is_stale"),
    [
        (60 * MINUTE, 5 * MINUTE, False),
        (61 * MINUTE, 5 * MINUTE, True),
        (180 * MINUTE, HOUR, False),
        (181 * MINUTE, HOUR, True),
    ],
)
def test_a_source_is_stale_after_three_polls_and_an_hour(
    silence: timedelta, poll_interval: timedelta, is_stale: bool
) -> None:
    silent = replace(HOME, newest_at=NOW - silence)
    alerts = wanted(sources=[silent, ADA], poll_interval=poll_interval)
    assert [(alert.code, alert.subject) for alert in alerts] == (
        [("stale_source", HOME.subject)] if is_stale else []
    )


@pytest.mark.parametrize(
    ("source", "is_stale"),
    [
        (replace(ADA, newest_at=NOW - DAY, excused_until=NOW - MINUTE), False),
        (replace(ADA, newest_at=NOW - DAY, excused_until=NOW + HOUR), False),
        (replace(ADA, newest_at=NOW - DAY, excused_until=NOW - 2 * HOUR), True),
        (replace(ADA, newest_at=None, known_since=NOW - MINUTE), False),
        (replace(ADA, newest_at=None, known_since=NOW - 2 * HOUR), True),
    ],
    ids=["asleep", "left alone", "awake for long", "new", "never heard of"],
)
def test_silence_counts_from_when_something_was_expected(source: Source, is_stale: bool) -> None:
    alerts = wanted(sources=[source])
    assert [alert.code for alert in alerts] == (["stale_source"] if is_stale else [])


@pytest.mark.parametrize(("failures", "is_told"), [(4, False), (5, True)])
def test_many_failures_in_a_row_are_told_with_the_last_error(failures: int, is_told: bool) -> None:
    failing = replace(HOME, failures_in_a_row=failures, last_error="503: down for maintenance")
    alerts = wanted(sources=[failing])
    assert [alert.code for alert in alerts] == (["polling_fails"] if is_told else [])
    assert all("503: down for maintenance" in alert.message for alert in alerts)


@pytest.mark.parametrize(
    ("pause", "told"),
    [
        (LOGIN, []),
        (replace(LOGIN, endpoint=DATA), ["Home"]),
        (replace(LOGIN, subject=ADA.subject), ["Home"]),
        (replace(LOGIN, subject=HOME.subject, endpoint="GET /site_info"), ["Ada", "Home"]),
        (replace(LOGIN, code="rate_limit", held_until=NOW + MINUTE), ["Ada", "Home"]),
    ],
    ids=["all", "an endpoint", "a vehicle", "another endpoint", "a moment"],
)
def test_silence_that_follows_from_a_pause_is_not_told_beside_it(
    pause: Pause, told: list[str]
) -> None:
    silent = [replace(source, newest_at=NOW - DAY) for source in (ADA, HOME)]
    alerts = wanted(pauses=[pause], sources=silent)
    stale = {alert.subject for alert in alerts if alert.code == "stale_source"}
    assert stale == {source.subject for source in (ADA, HOME) if source.name in told}


def test_there_is_one_alert_per_cause() -> None:
    silent = [replace(source, newest_at=NOW - DAY) for source in (ADA, HOME)]
    scope = replace(LOGIN, endpoint="GET /x", code="missing_scope")
    alerts = wanted(Spend(9.0, 11.0, 10.0), NOW - 80 * DAY, [scope, scope], silent)
    assert len(alerts) == 5
    assert len({(alert.code, alert.subject) for alert in alerts}) == 5


GOOD = KeptBackup("Monday", NOW - DAY, is_good=True)
BAD = KeptBackup("Tuesday", NOW - HOUR, is_good=False)
OLD = KeptBackup("April", NOW - 30 * DAY, is_good=True)


@pytest.mark.parametrize(
    ("backups", "said"),
    [
        ([], None),
        ([OLD, GOOD], None),
        ([GOOD, BAD], "Tuesday, has not been found to be good; the last good one is of 2026-05-20"),
        ([BAD], "there is no good one"),
        ([OLD], "April, is too old; the last good one is of 2026-04-21"),
    ],
    ids=["none", "good", "a bad one", "only a bad one", "an old one"],
)
def test_backups_that_are_not_made_any_more_are_told(
    backups: list[KeptBackup], said: str | None
) -> None:
    facts = Facts(NOTHING_SPENT, NOW, (), (), 5 * MINUTE, backups=backups)
    alerts = wanted_alerts(facts, NOW)
    assert found(alerts) == ([] if said is None else [("warning", "backup")])
    assert all(said is not None and said in alert.message for alert in alerts)


def test_each_default_partition_with_rows_is_told() -> None:
    astray = {"energy_states_rest": 3, "vehicle_states_rest": 1}
    facts = Facts(NOTHING_SPENT, NOW, (), (), 5 * MINUTE, rows_astray=astray)
    alerts = wanted_alerts(facts, NOW)
    assert [(alert.code, alert.subject) for alert in alerts] == [
        ("rows_astray", "energy_states_rest"),
        ("rows_astray", "vehicle_states_rest"),
    ]
    assert "has 3 rows" in alerts[0].message
