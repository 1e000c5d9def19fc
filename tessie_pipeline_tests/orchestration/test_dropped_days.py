"""What is derived stays as it was when samples go, come late, or come back from the archive."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from json import dumps
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.rollups import ALL_SERIES, ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.orchestration.retention import carry_out, plan, rebuilds
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.dirty_days import mark_days
from tessie_pipeline.store.partitions import partitions_of
from tessie_pipeline.store.registries import read_zones
from tessie_pipeline.store.retention.restoring import restore
from tessie_pipeline.store.retention.retiring import retire_samples
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables import energy_sites, energy_states
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.vehicle_samples import sampled_spans
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration import household_years, test_derivation
from tessie_pipeline_tests.orchestration.household_years import CARS, Household
from tessie_pipeline_tests.orchestration.two_years import Course, derive, settings_of
from tessie_pipeline_tests.orchestration.years_compared import DERIVED, derived_unlike, read

DAY, FIRST = timedelta(days=1), date(2026, 3, 2)
ADA, OTTO = CARS.values()
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
OF_CARS = list(DERIVED)[:5]
HOUSEHOLD = Household(FIRST, 12, timedelta(minutes=10), weeks=1, plugged_in=(8, 1), lates=[])
LATE = FIRST + 3 * DAY
NIGHT = datetime(2026, 3, 14, 0, 30, tzinfo=UTC)
"""When the last day is over."""


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path))


@pytest.fixture
def homes(database: Database) -> Database:
    """A database that knows the homes and cars of the household and has no samples."""
    household_years.register(database)
    return database


@pytest.fixture
def kept(server_url: sa.URL, template: str) -> Iterator[Database]:
    """A second one, of which no day is dropped."""
    for database in new_database(server_url, f"template {template}"):
        household_years.register(database)
        yield database


@pytest.fixture(scope="module")
def arriving() -> dict[str, pl.DataFrame]:
    """All samples of the household, by series."""
    return {name: HOUSEHOLD.samples(series).drop("arrives") for name, series in ALL_SERIES.items()}


def add(database: Database, samples: Mapping[str, pl.DataFrame], which: pl.Expr) -> None:
    """Store those of the samples as polls do."""
    for name, rows in samples.items():
        with database.frames() as connection:
            add_states(connection, metadata.tables[name], rows.filter(which))


def rows_of(database: Database, tables: list[str]) -> dict[str, pl.DataFrame]:
    """The rows of derived tables by their key, but for when they were written."""
    return {
        name: read(database, f"select * from {name}")  # noqa: S608 - a table of ours
        .drop("id", "created_at", "updated_at", strict=False)
        .sort(DERIVED[name])
        for name in tables
    }


def assert_same(
    found: Mapping[str, pl.DataFrame], wanted: Mapping[str, pl.DataFrame], when: object = ""
) -> None:
    """All tables have the same rows; says which have not, and when."""
    for name, rows in wanted.items():
        assert rows.height, name
        assert found[name].equals(rows), f"{name} {when}"


def mark_all(database: Database) -> None:
    """Mark all samples that are there as new, as those of a battery that tells what it holds."""
    cars = read(database, "select id from vehicles")["id"].to_list()
    with database.frames() as connection:
        spans = sampled_spans(connection, cars)
        ends = spans.unpivot(["first", "last"], index="vehicle_id", value_name="timestamp")
        mark(connection, ends)


def drop(database: Database, series: Series, archive: Archive, *days: date) -> None:
    """Archive and drop days of samples."""
    with database.frames() as connection:
        there = partitions_of(connection, metadata.tables[series.name])
    for partition in there:
        if partition.start in days:
            retire_samples(database, series, partition, archive, "UTC")


def test_whatever_day_samples_begin_at_all_derived_again_is_as_it_was(
    database: Database, archive: Archive
) -> None:
    """Every 15 minutes, of three cars that nobody sees for some days: they go far meanwhile.

    Days of UTC begin at eight in the morning of the cars' clock.
    """
    test_derivation.register(database)
    time = pl.col("timestamp") + timedelta(hours=9)
    is_dark = pl.col("timestamp").dt.date().is_between(FIRST + 5 * DAY, FIRST + 7 * DAY)
    samples = test_derivation.samples().sort("vehicle_id", "timestamp").gather_every(3)
    test_derivation.add(database, samples.with_columns(time).filter(~is_dark))
    test_derivation.derive(database)
    before = rows_of(database, OF_CARS)

    for number in range(20):
        drop(database, VEHICLE_SERIES, archive, FIRST + number * DAY)
        mark_all(database)
        test_derivation.derive(database)
        assert_same(rows_of(database, OF_CARS), before, f"once day {number} is gone")


def test_a_charge_that_begins_as_one_ends_whose_first_samples_are_gone_stays(
    homes: Database, archive: Archive
) -> None:
    """It charges over midnight; then somebody moves it to another plug, where it is full."""
    told = [
        (12, "Disconnected", 5.0, 60, 100.0),
        (20, "Charging", 1.0, 61, 100.0),
        (30, "Complete", 15.0, 80, 100.0),
        (31, "Complete", 15.0, 80, 103.0),
        (32, "Disconnected", 15.0, 80, 103.0),
        (33, "Disconnected", 15.0, 80, 103.0),
    ]
    names = ("charging_state", "charge_energy_added", "battery_level", "odometer")
    rows = [
        dict.fromkeys(VEHICLE_STATES)
        | {"vehicle_id": ADA, "timestamp": MIDNIGHT + timedelta(hours=hour), "raw_data": "{}"}
        | dict(zip(names, values, strict=True))
        for hour, *values in told
    ]
    test_derivation.add(homes, pl.DataFrame(rows, VEHICLE_STATES).drop("is_stale"))
    test_derivation.derive(homes)
    before = rows_of(homes, OF_CARS[:3])
    bounds = before["charging_sessions"].select("started_after", "ended_by").rows()
    hours = [[(time - MIDNIGHT) / timedelta(hours=1) for time in bound] for bound in bounds]
    assert hours == [[12, 31], [30, 32]]

    drop(homes, VEHICLE_SERIES, archive, FIRST)
    mark_all(homes)
    test_derivation.derive(homes)
    assert_same(rows_of(homes, OF_CARS[:3]), before)


def test_a_day_that_stays_for_one_car_does_not_end_what_was_derived_of_another(
    homes: Database, kept: Database, tmp_path: Path, arriving: dict[str, pl.DataFrame]
) -> None:
    """Nobody sees the second car from the evening of 6 March to the 13th; the 6th stays for it."""
    settings = settings_of(Course(HOUSEHOLD, 4, "never", 12), tmp_path)
    samples = {"vehicle_states": arriving["vehicle_states"]}
    last, first = datetime(2026, 3, 6, 17, 30, tzinfo=UTC), datetime(2026, 3, 13, tzinfo=UTC)
    is_its, time = pl.col("vehicle_id") == OTTO, pl.col("timestamp")
    is_awake = is_its & (time > first)
    is_asleep = is_its & time.is_between(last, first)
    add(kept, samples, ~is_asleep)
    test_derivation.derive(kept)

    add(homes, samples, ~is_asleep & ~is_awake)
    test_derivation.derive(homes)
    outcomes = list(carry_out(homes, settings, plan(homes, settings, NIGHT)))
    gone = {one.step.partition.start.day for one in outcomes if one.error is None}
    assert gone == {2, 3, 4, 5, 7, 8, 9}
    mark_all(homes)
    test_derivation.derive(homes)
    add(homes, samples, is_awake)
    test_derivation.derive(homes)
    mark_all(homes)
    test_derivation.derive(homes)

    assert_same(rows_of(homes, OF_CARS), rows_of(kept, OF_CARS))
    unseen = rows_of(homes, ["unseen_distances"])["unseen_distances"].filter(vehicle_id=OTTO)
    # What it drove meanwhile is between its last sample before and its first one after.
    assert unseen.filter(pl.col("after") < last, pl.col("before") > first).height == 1


def test_late_samples_of_a_day_that_is_gone_are_told_and_known_once_it_is_built_again(
    homes: Database, kept: Database, tmp_path: Path, arriving: dict[str, pl.DataFrame]
) -> None:
    settings = settings_of(Course(HOUSEHOLD, 4, "never", 12), tmp_path)
    is_late = (pl.col("timestamp").dt.date() == LATE) & (pl.int_range(pl.len()) % 2 == 0)
    add(kept, arriving, pl.lit(value=True))
    derive(kept, NIGHT)

    def drop_what_is_old() -> list[str]:
        outcomes = list(carry_out(homes, settings, plan(homes, settings, NIGHT)))
        assert outcomes
        assert [one.error for one in outcomes if one.error] == []
        return rebuilds(outcomes)

    add(homes, arriving, ~is_late)
    derive(homes, NIGHT)
    assert drop_what_is_old() == []
    before = rows_of(homes, list(DERIVED))

    add(homes, arriving, is_late)
    derive(homes, NIGHT)
    assert_same(rows_of(homes, list(DERIVED)), before)
    assert drop_what_is_old() == [
        "tessie rebuild sessions --from 2026-03-05",
        "tessie rebuild drives --from 2026-03-05",
        "tessie rebuild energy --from 2026-03-04 --to 2026-03-07",
    ]
    derive(homes, NIGHT)
    assert_same(rows_of(homes, list(DERIVED)), before)

    for series in ALL_SERIES.values():
        assert LATE in set(restore(homes, series, Archive(settings.archive), None, None))
    mark_all(homes)
    with homes.frames() as connection:
        days = day_windows(read_zones(connection), FIRST - DAY, FIRST + 13 * DAY)
        mark_days(connection, days)
    derive(homes, NIGHT)
    assert derived_unlike(kept, homes) == []
    assert drop_what_is_old() == []


def test_what_wall_connectors_said_outlives_their_answers(
    database: Database, archive: Archive
) -> None:
    """A car charges at what its connector says, as long as it is plugged in."""
    test_derivation.register(database)
    car, site = test_derivation.FLEET.cars[0], "c" * 32
    own = test_derivation.NUMBERED[car.vehicle_id]
    with database.rows() as connection:
        home = {"id": site, "tesla_site_id": 1, "time_zone": "UTC"}
        connection.execute(sa.insert(energy_sites).values(home))
    samples = test_derivation.samples()
    answer = {"wall_connectors": [{"din": "1", "vin": car.vin, "wall_connector_power": 12_000}]}
    answers = samples.filter(
        pl.col("vehicle_id") == own, pl.col("charging_state") == "Charging"
    ).select(
        pl.lit(dumps(answer) if name == "raw_data" else None, kind).alias(name)
        if name not in ("site_id", "timestamp")
        else (pl.lit(site) if name == "site_id" else pl.col(name)).alias(name)
        for name, kind in ENERGY_STATES.items()
        if name != "is_stale"
    )
    test_derivation.add(database, samples)
    with database.frames() as connection:
        add_states(connection, energy_states, answers)
    test_derivation.derive(database)
    before = rows_of(database, OF_CARS)
    bases = before["charging_pieces"].filter(vehicle_id=own)["basis"]
    assert (bases == "connector").sum() > 100

    # Some are of the day on which a charge began that goes on after they are gone.
    for number in range(10):
        drop(database, ENERGY_SERIES, archive, FIRST + number * DAY)
        mark_all(database)
        test_derivation.derive(database)
        assert_same(rows_of(database, OF_CARS), before, f"once day {number} is gone")

    late = answers.filter(pl.col("timestamp").dt.date() < FIRST + 10 * DAY).gather_every(3)
    with database.frames() as connection:
        add_states(connection, energy_states, late)
    mark_all(database)
    test_derivation.derive(database)
    assert_same(rows_of(database, OF_CARS), before, "once some answers came late")
