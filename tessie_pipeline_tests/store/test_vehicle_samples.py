"""Stored samples of vehicles by windows of their own."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import VEHICLE_SERIES
from tessie_pipeline.domain.sample_windows import WINDOWS
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.retention.log import gone_days, note_restored
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables.rollups import (
    retention_log,
    vehicle_states_daily,
    vehicle_states_hourly,
)
from tessie_pipeline.store.vehicle_samples import read_samples, sampled_spans
from tessie_pipeline.store.writes import write_new

ADA, OTTO = "0a" * 16, "0b" * 16
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
COLUMNS = ["vehicle_id", "timestamp", "odometer"]


def at(hour: float | None) -> datetime | None:
    """So many hours after noon."""
    return None if hour is None else NOON + timedelta(hours=hour)


@pytest.fixture
def sampled(database: Database) -> Database:
    """Samples every hour for three days, of two vehicles whose odometers count these hours."""
    hours = pl.DataFrame({"odometer": [float(hour) for hour in range(72)]})
    times = hours.with_columns(
        timestamp=pl.Series([at(hour) for hour in range(72)], dtype=UTC_TIME)
    )
    with database.frames() as connection:
        for vehicle in (ADA, OTTO):
            own = times.with_columns(vehicle_id=pl.lit(vehicle))
            add_states(connection, tables.vehicle_states, own)
    return database


def found(database: Database, *windows: tuple[str, float | None, float | None]) -> pl.DataFrame:
    rows = [(vehicle, at(start), at(end)) for vehicle, start, end in windows]
    with database.frames() as connection:
        return read_samples(connection, pl.DataFrame(rows, WINDOWS, orient="row"), COLUMNS)


def hours(samples: pl.DataFrame, vehicle: str) -> list[float]:
    own = samples.filter(pl.col("vehicle_id") == vehicle)
    return sorted(own["odometer"].to_list())


def test_each_vehicle_has_the_samples_of_its_window_with_both_ends(sampled: Database) -> None:
    samples = found(sampled, (ADA, 1, 3), (OTTO, 30.5, 32.5))

    assert samples.columns == COLUMNS
    assert hours(samples, ADA) == [1, 2, 3]
    assert hours(samples, OTTO) == [31, 32]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(None, 1, [0, 1]), (70, None, [70, 71]), (None, None, list(range(72)))],
    ids=["from the first", "to the last", "all"],
)
def test_an_open_end_is_the_first_or_last_sample(
    sampled: Database, start: float | None, end: float | None, expected: list[float]
) -> None:
    samples = found(sampled, (ADA, start, end), (OTTO, 5, 5))

    assert hours(samples, ADA) == expected
    assert hours(samples, OTTO) == [5]


def test_no_window_has_no_sample(sampled: Database) -> None:
    samples = found(sampled)

    assert samples.is_empty()
    assert samples.columns == COLUMNS


def test_spans_are_those_of_vehicles_that_have_samples(sampled: Database) -> None:
    with sampled.frames() as connection:
        spans = sampled_spans(connection, [ADA, "0c" * 16])

    assert spans.rows() == [(ADA, at(0), at(71), None)]


@pytest.mark.parametrize(
    ("dropped", "restored", "expected"),
    [
        ([1], [], {ADA: (12, 71, 12), OTTO: (0, 71, None)}),
        ([1, 2], [], {ADA: (36, 71, 36), OTTO: (0, 71, None)}),
        ([2], [], {ADA: (36, 71, 36), OTTO: (0, 71, None)}),
        ([1, 2], [2], {ADA: (12, 71, 12), OTTO: (0, 71, None)}),
        ([1, 2], [1], {ADA: (36, 71, 36), OTTO: (0, 71, None)}),
        ([1, 2], [1, 2], {ADA: (0, 71, None), OTTO: (0, 71, None)}),
    ],
    ids=["one", "two", "one between others", "the last is back", "the first is back", "all are"],
)
def test_a_span_begins_after_the_last_day_of_which_the_vehicle_lost_samples(
    sampled: Database,
    dropped: list[int],
    restored: list[int],
    expected: dict[str, tuple[int, int, int | None]],
) -> None:
    """What is kept of June's first days tells of the first vehicle's samples only.

    The samples that are there all the same came late or back.
    """
    with sampled.rows() as connection:
        for day in dropped:
            row = {"series": "vehicle_states", "start": date(2026, 6, day), "rows": 1, "bytes": 1}
            more = {
                "end": date(2026, 6, day + 1),
                "rollup_rows": 1,
                "checksum": "",
                "duration_s": 0,
            }
            connection.execute(sa.insert(retention_log).values(row | more))
    with sampled.frames() as connection:
        for day in dropped:
            noon = datetime(2026, 6, day, 12, tzinfo=UTC)
            told = {"vehicle_id": ADA, "timestamp": noon, "sample_count": 1, "covered_s": 0.0}
            row = dict.fromkeys(VEHICLE_SERIES.schema) | told | {"first_at": noon, "last_at": noon}
            table = vehicle_states_daily if day == 1 else vehicle_states_hourly
            write_new(connection, table, pl.DataFrame([row], VEHICLE_SERIES.schema))
        for day in restored:
            note_restored(connection, VEHICLE_SERIES, date(2026, 6, day))
        gone = gone_days(connection, VEHICLE_SERIES)
        spans = sampled_spans(connection, [ADA, OTTO])

    assert gone == [date(2026, 6, day) for day in dropped if day not in restored]
    assert {car: times for car, *times in spans.rows()} == {
        car: [at(hour) for hour in hours] for car, hours in expected.items()
    }


def test_no_vehicle_has_no_span(sampled: Database) -> None:
    with sampled.frames() as connection:
        assert sampled_spans(connection, []).is_empty()
