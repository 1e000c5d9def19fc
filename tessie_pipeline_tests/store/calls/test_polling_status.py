"""Polling status: the newest decision and outcome of each vehicle and site, and its failures."""

from datetime import UTC, datetime, timedelta

from tessie_pipeline.store.calls.polling_status import (
    PollDecision,
    PollingStatus,
    PollOutcome,
    read_status,
    save_decisions,
    save_outcomes,
)
from tessie_pipeline.store.database import Database

CAR, HOME = "0a" * 16, "0b" * 16
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)
LATEST = NOON + timedelta(minutes=10)
WAIT = PollDecision(CAR, "vehicle", "wait", "it may fall asleep", LATER)
ASK = PollDecision(HOME, "energy_site", "live_status", "every poll")


def decide(database: Database, at: datetime, *decisions: PollDecision) -> None:
    with database.rows() as connection:
        save_decisions(connection, decisions, at)


def tell(database: Database, at: datetime, *outcomes: PollOutcome) -> None:
    with database.rows() as connection:
        save_outcomes(connection, outcomes, at)


def status(database: Database, subject: str = CAR) -> PollingStatus:
    with database.rows() as connection:
        return read_status(connection)[subject]


def test_decisions_are_kept_by_subject(database: Database) -> None:
    decide(database, NOON, WAIT, ASK)
    decide(database, NOON)
    with database.rows() as connection:
        assert read_status(connection) == {
            CAR: PollingStatus(
                CAR, "vehicle", "wait", "it may fall asleep", NOON, LATER, None, None, None, 0
            ),
            HOME: PollingStatus(
                HOME, "energy_site", "live_status", "every poll", NOON, None, None, None, None, 0
            ),
        }


def test_the_newest_decision_counts_and_leaves_outcomes_alone(database: Database) -> None:
    decide(database, NOON, WAIT)
    tell(database, NOON, PollOutcome(CAR, "vehicle"))
    ask = PollDecision(CAR, "vehicle", "vehicle_data", "it charges")
    decide(database, LATER, ask)
    decide(database, NOON, WAIT)
    assert status(database) == PollingStatus(
        CAR, "vehicle", "vehicle_data", "it charges", LATER, None, NOON, NOON, None, 0
    )


def test_failures_are_counted_until_a_success(database: Database) -> None:
    decide(database, NOON, WAIT)
    tell(database, NOON, PollOutcome(CAR, "vehicle"))
    tell(database, LATER, PollOutcome(CAR, "vehicle", "no answer"))
    tell(database, LATEST, PollOutcome(CAR, "vehicle", "503"))
    failed = status(database)
    assert (failed.failures_in_a_row, failed.last_error) == (2, "503")
    assert (failed.last_attempt_at, failed.last_success_at) == (LATEST, NOON)
    end = LATEST + timedelta(minutes=5)
    tell(database, end, PollOutcome(CAR, "vehicle"))
    mended = status(database)
    assert (mended.failures_in_a_row, mended.last_error) == (0, None)
    assert (mended.last_attempt_at, mended.last_success_at) == (end, end)


def test_an_attempt_counts_once_and_an_older_one_not_at_all(database: Database) -> None:
    for at in (LATER, LATER, NOON):
        tell(database, at, PollOutcome(CAR, "vehicle", "no answer"))
    assert status(database).failures_in_a_row == 1
    tell(database, NOON, PollOutcome(CAR, "vehicle"))
    assert status(database).last_error == "no answer"


def test_an_outcome_without_a_decision_tells_what_was_asked(database: Database) -> None:
    tell(database, NOON, PollOutcome(HOME, "energy_site", "no answer"), PollOutcome(CAR, "vehicle"))
    tell(database, NOON)
    assert status(database, HOME) == PollingStatus(
        HOME,
        "energy_site",
        "live_status",
        "asked",
        NOON,
        None,
        NOON,
        None,
        "no answer",
        failures_in_a_row=1,
        unanswered_in_a_row=1,
    )


def test_attempts_count_as_unanswered_until_something_is_told(database: Database) -> None:
    outcomes = [
        (PollOutcome(CAR, "vehicle", "504"), (1, 1)),
        (PollOutcome(CAR, "vehicle", is_reached=False), (0, 2)),
        (PollOutcome(CAR, "vehicle", is_understood=False), (0, 3)),
        (PollOutcome(CAR, "vehicle"), (0, 0)),
    ]
    for minute, (outcome, expected) in enumerate(outcomes):
        tell(database, NOON + timedelta(minutes=minute), outcome)
        found = status(database)
        assert (found.failures_in_a_row, found.unanswered_in_a_row) == expected
    assert status(database).decision == "vehicle_data"
