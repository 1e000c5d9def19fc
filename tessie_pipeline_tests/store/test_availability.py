"""Availability: stretches grow with each poll, end at a change or a gap, and never overlap."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.availability import Stretch, current_stretches, save_sightings
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.api import vehicle_availability
from tessie_pipeline_tests.store.conftest import wait_until_blocked

ADA, OTTO = "0a" * 16, "0b" * 16
NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def see(database: Database, at_minute: int, **states: str) -> None:
    """Save what a poll saw at a minute after noon."""
    ids = {"ada": ADA, "otto": OTTO}
    with database.rows() as connection:
        save_sightings(
            connection, {ids[name]: state for name, state in states.items()}, minute(at_minute)
        )


def stretches(database: Database) -> list[tuple[str, str, int, int, int | None]]:
    """Vehicle, state, and the minutes of start, last sighting and end."""

    def minutes(at: datetime | None) -> int | None:
        return None if at is None else int((at - NOON) / timedelta(minutes=1))

    c = vehicle_availability.c
    query = sa.select(c.vehicle_id, c.state, c.started_at, c.last_seen_at, c.ended_at)
    names = {ADA: "ada", OTTO: "otto"}
    with database.rows() as connection:
        rows = connection.execute(query.order_by(c.vehicle_id, c.started_at)).all()
    return [
        (names[own.hex], state, minutes(start) or 0, minutes(seen) or 0, minutes(end))
        for own, state, start, seen, end in rows
    ]


def test_polls_that_see_the_same_are_one_stretch(database: Database) -> None:
    for at in (0, 5, 10):
        see(database, at, ada="asleep", otto="online")
    assert stretches(database) == [
        ("ada", "asleep", 0, 10, None),
        ("otto", "online", 0, 10, None),
    ]


def test_another_state_ends_a_stretch_and_begins_one(database: Database) -> None:
    see(database, 0, ada="asleep", otto="online")
    see(database, 5, ada="online", otto="online")
    see(database, 10, ada="offline", otto="online")
    assert stretches(database) == [
        ("ada", "asleep", 0, 0, 5),
        ("ada", "online", 5, 5, 10),
        ("ada", "offline", 10, 10, None),
        ("otto", "online", 0, 10, None),
    ]


@pytest.mark.parametrize("state", ["asleep", "online"])
def test_a_stretch_does_not_reach_over_a_gap_in_polling(database: Database, state: str) -> None:
    see(database, 0, ada="asleep")
    see(database, 60, ada="asleep")
    see(database, 121, ada=state)
    assert stretches(database) == [
        ("ada", "asleep", 0, 60, 60),
        ("ada", state, 121, 121, None),
    ]


def test_how_long_a_gap_may_be_can_be_said(database: Database) -> None:
    see(database, 0, ada="asleep")
    with database.rows() as connection:
        save_sightings(connection, {ADA: "asleep"}, minute(90), timedelta(hours=2))
    assert stretches(database) == [("ada", "asleep", 0, 90, None)]


@pytest.mark.parametrize("at", [5, 4, -50])
@pytest.mark.parametrize("state", ["asleep", "online"])
def test_the_same_time_again_or_an_older_one_changes_nothing(
    database: Database, at: int, state: str
) -> None:
    see(database, 0, ada="asleep")
    see(database, 5, ada="online")
    before = stretches(database)
    see(database, at, ada=state)
    assert stretches(database) == before


def test_what_a_clock_saw_that_was_far_ahead_ends(database: Database) -> None:
    see(database, 0, ada="asleep")
    see(database, 5000, ada="online")
    see(database, 10, ada="online")
    see(database, 15, ada="online")
    open_ones = [stretch for stretch in stretches(database) if stretch[-1] is None]
    assert open_ones == [("ada", "online", 10, 15, None)]


def test_a_vehicle_that_a_poll_does_not_name_stays_as_it_was(database: Database) -> None:
    see(database, 0, ada="asleep", otto="online")
    see(database, 5, ada="online")
    see(database, 6)
    assert ("otto", "online", 0, 0, None) in stretches(database)


def test_current_stretches_name_the_state_before(database: Database) -> None:
    see(database, 0, ada="asleep")
    see(database, 5, ada="offline", otto="online")
    see(database, 9, ada="online", otto="online")
    with database.rows() as connection:
        assert current_stretches(connection) == {
            ADA: Stretch(ADA, "online", minute(9), minute(9), "offline"),
            OTTO: Stretch(OTTO, "online", minute(5), minute(9), None),
        }


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def test_of_two_processes_at_once_each_waits_for_the_other(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    other = Database(database.url())
    with database.rows() as connection:
        save_sightings(connection, {ADA: "asleep", OTTO: "online"}, minute(5))
        second = pool.submit(see, other, 6, otto="online", ada="online")
        wait_until_blocked(other)
    second.result(timeout=60)
    other.dispose()
    assert stretches(database) == [
        ("ada", "asleep", 5, 5, 6),
        ("ada", "online", 6, 6, None),
        ("otto", "online", 5, 6, None),
    ]
