"""Marks of new samples: none is lost, whoever reads, derives and adds at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sample_changes import (
    SAMPLE_CHANGES,
    Reader,
    mark,
    marked_vehicles,
    read_marks,
    take_off,
)
from tessie_pipeline.store.states import add_states
from tessie_pipeline_tests.store.conftest import wait_until_blocked

ADA, OTTO = "0a" * 16, "0b" * 16
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def samples(vehicle: str, *minutes: int) -> pl.DataFrame:
    """Samples of a vehicle, so many minutes after noon."""
    times = [NOON + timedelta(minutes=minute) for minute in minutes]
    schema = {"vehicle_id": pl.String(), "timestamp": UTC_TIME}
    return pl.DataFrame({"vehicle_id": vehicle, "timestamp": times}, schema)


def mark_in(database: Database, *given: pl.DataFrame) -> None:
    with database.frames() as connection:
        mark(connection, pl.concat(given))


def marks_in(database: Database, reader: Reader = "drives") -> pl.DataFrame:
    with database.frames() as connection:
        return read_marks(connection, reader)


def take_off_in(database: Database, marks: pl.DataFrame) -> None:
    with database.frames() as connection:
        take_off(connection, "drives", marks)


def spans(marks: pl.DataFrame) -> dict[str, tuple[float, float, int]]:
    """Minutes after noon of the first and the last new sample, and how often some came."""
    return {
        vehicle: ((first - NOON) / timedelta(minutes=1), (last - NOON) / timedelta(minutes=1), n)
        for vehicle, first, last, n in marks.iter_rows()
    }


@pytest.mark.parametrize("reader", ["charging_sessions", "drives"])
def test_each_reader_has_a_mark_from_the_first_to_the_last_new_sample(
    database: Database, reader: Reader
) -> None:
    mark_in(database, samples(ADA, 5, 3, 9), samples(OTTO, 4))
    mark_in(database, samples(ADA, -60))

    marks = marks_in(database, reader)

    assert marks.schema == SAMPLE_CHANGES
    assert spans(marks) == {ADA: (-60, 9, 2), OTTO: (4, 4, 1)}
    with database.rows() as connection:
        assert marked_vehicles(connection) == {ADA, OTTO}


def test_one_reader_takes_off_its_own_marks(database: Database) -> None:
    mark_in(database, samples(ADA, 1), samples(OTTO, 1))

    take_off_in(database, marks_in(database).filter(pl.col("vehicle_id") == ADA))

    assert list(spans(marks_in(database))) == [OTTO]
    assert list(spans(marks_in(database, "charging_sessions"))) == [ADA, OTTO]


def test_a_mark_stays_if_samples_came_since_it_was_read(database: Database) -> None:
    mark_in(database, samples(ADA, 1))
    read = marks_in(database)
    mark_in(database, samples(ADA, 2))

    take_off_in(database, read)

    assert spans(marks_in(database)) == {ADA: (1, 2, 2)}


def test_a_mark_stays_if_another_run_took_off_the_one_that_was_read(database: Database) -> None:
    mark_in(database, samples(ADA, 1))
    read = marks_in(database)
    take_off_in(database, read)
    mark_in(database, samples(ADA, 2))

    take_off_in(database, read)

    assert spans(marks_in(database)) == {ADA: (2, 2, 1)}


def test_marks_go_with_the_transaction_that_writes_them(database: Database) -> None:
    with database.frames() as connection:
        mark(connection, samples(ADA, 1))
        connection.rollback()

    assert marks_in(database).is_empty()


def test_no_samples_make_no_mark(database: Database) -> None:
    mark_in(database, samples(ADA))
    take_off_in(database, marks_in(database))

    assert marks_in(database).is_empty()


def test_samples_that_are_known_are_not_new(database: Database) -> None:
    with database.frames() as connection:
        add_states(connection, tables.vehicle_states, samples(ADA, 1, 2))
    take_off_in(database, marks_in(database))

    with database.frames() as connection:
        assert add_states(connection, tables.vehicle_states, samples(ADA, 1, 2)) == 0

    assert marks_in(database).is_empty()


def test_who_marks_and_who_takes_off_in_another_order_do_not_block_each_other(
    database: Database,
) -> None:
    """One has the second vehicle and wants the first, which the other one would have by then."""
    mark_in(database, samples(ADA, 1), samples(OTTO, 1))
    read = marks_in(database, "charging_sessions")
    with ThreadPoolExecutor(1) as other:
        with database.frames() as connection:
            mark(connection, samples(OTTO, 2))
            adding = other.submit(mark_in, database, samples(ADA, 3), samples(OTTO, 3))
            wait_until_blocked(database)
            take_off(connection, "charging_sessions", read)
        adding.result(timeout=30)

    assert spans(marks_in(database, "charging_sessions")) == {ADA: (3, 3, 1), OTTO: (1, 3, 3)}


def test_vehicles_are_marked_where_samples_are_added_together(database: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        for work in [pool.submit(mark_in, database, samples(ADA, n)) for n in range(8)]:
            work.result(timeout=30)

    assert spans(marks_in(database)) == {ADA: (0, 7, 8)}
    with database.rows() as connection:
        assert connection.scalar(sa.text("select count(*) from sample_changes")) == 2
