"""`tessie retention`, and `tessie rebuild` of what it has dropped."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import ALL_SERIES, VEHICLE_SERIES
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.partitions import partitions_of
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline_tests.cli.conftest import Result, Tessie
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration.household_years import Household, register
from tessie_pipeline_tests.orchestration.two_years import derive

FIRST, DAYS = date(2026, 3, 2), 9
HOUSEHOLD = Household(FIRST, DAYS, timedelta(minutes=10), weeks=1, plugged_in=(3, 1), lates=[])
LATER = datetime(2026, 4, 1, tzinfo=UTC)
SOON = {"TESSIE_VEHICLE_HOURLY_AFTER": "1 day", "TESSIE_ENERGY_HOURLY_AFTER": "1 day"}

OF_CARS = {
    "charging_sessions": ["vehicle_id", "started_at"],
    "charging_segments": ["vehicle_id", "started_at"],
    "charging_pieces": ["vehicle_id", "start"],
    "drives": ["vehicle_id", "started_at"],
    "unseen_distances": ["vehicle_id", "after"],
}
OF_SITES = {
    "energy_intervals": ["site_id", "timestamp"],
    "energy_hourly": ["site_id", "timestamp"],
    "energy_daily": ["site_id", "date"],
    "battery_ledger": ["site_id", "date", "origin"],
}


@pytest.fixture(scope="module")
def derived(server_url: sa.URL, template: str) -> Iterator[str]:
    """Name of a database of two homes, with all that is derived of some days of theirs."""
    for database in new_database(server_url, f"template {template}"):
        register(database)
        for series in ALL_SERIES.values():
            with database.frames() as connection:
                samples = HOUSEHOLD.samples(series).drop("arrives")
                add_states(connection, metadata.tables[series.name], samples)
        derive(database, LATER)
        database.dispose()
        yield str(database.engine.url.database)


@pytest.fixture
def homes(server_url: sa.URL, derived: str) -> Iterator[Database]:
    """A copy of that database."""
    yield from new_database(server_url, f"template {derived}")


def run(tessie: Tessie, database: Database, *arguments: str, **variables: str) -> Result:
    return tessie(*arguments, DATABASE_URL=database.url(), **SOON | variables)


def rows_of(database: Database, tables: dict[str, list[str]]) -> dict[str, pl.DataFrame]:
    """The rows of tables, but for ids and when they were written."""
    found = {}
    for name, key in tables.items():
        with database.frames() as connection:
            rows = read_frame(connection, f"select * from {name}")  # noqa: S608
        found[name] = rows.drop("id", "created_at", "updated_at", strict=False).sort(key)
    return found


def days_there(database: Database) -> dict[str, int]:
    """How many days of samples there are."""
    with database.frames() as connection:
        return {name: len(partitions_of(connection, metadata.tables[name])) for name in ALL_SERIES}


def execute(database: Database, *statements: str) -> None:
    with database.rows() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, rows in expected.items():
        assert rows.height
        assert found[name].equals(rows), name


def test_a_plan_says_what_would_go_and_what_waits_and_why(tessie: Tessie, homes: Database) -> None:
    shown = run(tessie, homes, "retention", "plan").stdout
    assert "vehicle_states 1 day 1 year yes" in shown
    assert "energy_states_2026_03_02 hours" in shown
    assert "it has the newest sample of" in shown
    assert "would be freed: tessie retention run --drop" in shown
    assert str(tessie.home / "archive") in shown
    assert days_there(homes) == {"vehicle_states": DAYS, "energy_states": DAYS}


def test_nothing_goes_unless_it_is_asked_for(tessie: Tessie, homes: Database) -> None:
    tried = run(tessie, homes, "retention", "run")
    assert tried.returncode == 0
    # Two homes' hours, and the one after midnight, into which the line to the next sample reaches.
    assert "energy_states_2026_03_02: 288 rows became 50 hours" in tried.stdout
    assert "This was a trial: nothing has changed" in tried.stdout
    assert days_there(homes) == {"vehicle_states": DAYS, "energy_states": DAYS}

    dropped = run(tessie, homes, "retention", "run", "--drop")
    assert "trial" not in dropped.stdout
    assert "archived" in dropped.stdout
    assert f"energy_states_{FIRST + timedelta(days=DAYS - 1):%Y_%m_%d} waits" in dropped.stdout
    assert days_there(homes) == {"vehicle_states": 1, "energy_states": 1}


def test_settings_that_contradict_themselves_are_named(tessie: Tessie, homes: Database) -> None:
    refused = run(tessie, homes, "retention", "plan", TESSIE_ENERGY_DAILY_AFTER="1 day",
                  TESSIE_ENERGY_HOURLY_AFTER="1 month")  # fmt: skip
    assert refused.returncode == 1
    assert "let the hours come first" in refused.stderr


def test_charges_and_drives_are_built_again_from_the_archive(
    tessie: Tessie, homes: Database
) -> None:
    before = rows_of(homes, OF_CARS)
    run(tessie, homes, "retention", "run", "--drop")
    left = days_there(homes)
    execute(homes, "truncate charging_sessions, drives, unseen_distances cascade")
    assert run(tessie, homes, "rebuild", "sessions").returncode == 0
    assert run(tessie, homes, "rebuild", "drives").returncode == 0

    assert_same(rows_of(homes, OF_CARS), before)
    assert days_there(homes) == left


def test_a_part_that_is_built_again_is_as_it_was(tessie: Tessie, homes: Database) -> None:
    before = rows_of(homes, OF_CARS)
    run(tessie, homes, "retention", "run", "--drop")
    execute(homes, "delete from charging_sessions where started_at >= '2026-03-06'")
    again = run(tessie, homes, "rebuild", "sessions", "--from", "2026-03-06")
    assert "new" in again.stdout

    assert_same(rows_of(homes, OF_CARS), before)


def test_samples_that_come_late_are_told_with_what_lets_charges_know_of_them(
    tessie: Tessie, homes: Database
) -> None:
    """Of each car the first sample of 4 March, and of the homes none, comes late."""
    day = pl.col("timestamp").dt.date() == FIRST + timedelta(days=2)
    samples = HOUSEHOLD.samples(VEHICLE_SERIES).drop("arrives").filter(day)
    late = samples.sort("timestamp").unique("vehicle_id", keep="first")
    execute(
        homes,
        *(
            f"delete from vehicle_states where vehicle_id = '{car}' and timestamp = '{time}'"  # noqa: S608
            for car, time in late.select("vehicle_id", "timestamp").rows()
        ),
    )
    in_time = run(tessie, homes, "retention", "run", "--drop").stdout
    assert "came late" not in in_time
    with homes.frames() as connection:
        add_states(connection, metadata.tables["vehicle_states"], late)
    assert "waits: samples of" in run(tessie, homes, "retention", "run", "--drop").stdout
    derive(homes, LATER)

    said = run(tessie, homes, "retention", "run", "--drop").stdout
    assert "vehicle_states_2026_03_04: 2 rows became" in said
    assert "came late" in said
    assert "tessie rebuild sessions --from 2026-03-04" in said
    assert "tessie rebuild drives --from 2026-03-04" in said
    assert "tessie rebuild energy" not in said
    assert run(tessie, homes, "rebuild", "sessions", "--from", "2026-03-04").returncode == 0
    assert "came late" not in run(tessie, homes, "retention", "run", "--drop").stdout


def test_energy_is_computed_again_from_the_archive(tessie: Tessie, homes: Database) -> None:
    before = rows_of(homes, OF_SITES)
    run(tessie, homes, "retention", "run", "--drop")
    execute(homes, "truncate energy_intervals, energy_hourly, energy_daily, battery_ledger")
    asked = run(tessie, homes, "rebuild", "energy", "--from", "2026-03-01", "--to", "2026-03-12")
    assert "22 days of sites will be computed anew" in asked.stdout
    assert f"{DAYS - 1} days of samples came back" in asked.stdout
    waiting = run(tessie, homes, "retention", "run", "--drop").stdout
    assert "is to be computed anew" in waiting
    derive(homes, LATER)

    assert_same(rows_of(homes, OF_SITES), before)
    run(tessie, homes, "retention", "run", "--drop")
    assert days_there(homes)["energy_states"] == 1
