"""Live samples: each is added once, and flagged if a newer one was there before it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables import energy_states, vehicle_states

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HOME, CABIN = "0a" * 16, "0b" * 16
KINDS = {"energy_states": (energy_states, ENERGY_STATES, "site_id"),
         "vehicle_states": (vehicle_states, VEHICLE_STATES, "vehicle_id")}  # fmt: skip

Sample = tuple[str, datetime]
"""A subject and when it said so."""


def add(database: Database, samples: Sequence[Sample], kind: str = "energy_states") -> int:
    """Add samples in a transaction of their own."""
    table, schema, subject = KINDS[kind]
    rows = [{subject: own, "timestamp": time, "raw_data": "{}"} for own, time in samples]
    frame = pl.DataFrame(rows, {name: schema[name] for name in schema if name != "is_stale"})
    with database.frames() as connection:
        return add_states(connection, table, frame)


def stored(database: Database, kind: str = "energy_states") -> dict[Sample, bool]:
    """Whether each stored sample is stale."""
    table, _, subject = KINDS[kind]
    query = sa.select(table.c[subject], table.c.timestamp, table.c.is_stale)
    with database.rows() as rows:
        return {(own.hex, time): is_stale for own, time, is_stale in rows.execute(query)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_sample_is_current_a_newer_one_too_and_an_older_one_is_stale(
    database: Database, kind: str
) -> None:
    assert add(database, [(HOME, NOON)], kind) == 1
    assert add(database, [(HOME, NOON + MINUTE)], kind) == 1
    assert add(database, [(HOME, NOON - MINUTE)], kind) == 1
    assert add(database, [(HOME, NOON + MINUTE / 2)], kind) == 1
    assert add(database, [(HOME, NOON + HOUR)], kind) == 1
    assert stored(database, kind) == {
        (HOME, NOON - MINUTE): True,
        (HOME, NOON): False,
        (HOME, NOON + MINUTE / 2): True,
        (HOME, NOON + MINUTE): False,
        (HOME, NOON + HOUR): False,
    }


def test_a_repeat_adds_nothing_and_changes_no_flag(database: Database) -> None:
    for time in (NOON, NOON - MINUTE):
        add(database, [(HOME, time)])
    before = stored(database)
    assert add(database, [(HOME, NOON), (HOME, NOON - MINUTE)]) == 0
    assert add(database, [(HOME, NOON)] * 3) == 0
    assert stored(database) == before == {(HOME, NOON): False, (HOME, NOON - MINUTE): True}


def test_each_subject_has_a_newest_sample_of_its_own(database: Database) -> None:
    add(database, [(HOME, NOON), (CABIN, NOON + DAY)])
    new = [(HOME, NOON + HOUR), (CABIN, NOON + HOUR), ("0c" * 16, NOON - DAY)]
    assert add(database, new) == 3
    found = stored(database)
    assert [found[sample] for sample in new] == [False, True, False]


def test_the_newest_sample_counts_however_long_ago_it_was(database: Database) -> None:
    add(database, [(HOME, NOON - 700 * DAY), (CABIN, NOON)])
    assert add(database, [(HOME, NOON - 701 * DAY)]) == 1
    assert add(database, [(HOME, NOON - 699 * DAY)]) == 1
    found = stored(database)
    assert found[HOME, NOON - 701 * DAY]
    assert not found[HOME, NOON - 699 * DAY]


def test_samples_that_come_together_are_judged_by_what_was_there_before_them(
    database: Database,
) -> None:
    together = [(HOME, NOON + n * MINUTE) for n in (3, 1, 2)]
    assert add(database, together) == 3
    assert set(stored(database).values()) == {False}
    later = [(HOME, NOON + n * MINUTE) for n in (5, 0, 3, 4)]
    assert add(database, later) == 3
    found = stored(database)
    assert [found[sample] for sample in later] == [False, True, False, False]


def test_a_sample_is_stored_with_all_that_it_says(database: Database) -> None:
    said: dict[str, Any] = {
        "site_id": HOME, "timestamp": NOON, "solar_power_w": 3120.5, "battery_power_w": -1500.0,
        "grid_power_w": 0.0, "load_power_w": 1620.5, "generator_power_w": None,
        "battery_percentage": 61.25, "energy_left_wh": 16_500.0, "total_pack_energy_wh": 27_000.0,
        "grid_status": "Active", "island_status": "on_grid", "raw_data": '{"wall": []}',
    }  # fmt: skip
    schema = {name: ENERGY_STATES[name] for name in said}
    with database.frames() as connection:
        assert add_states(connection, energy_states, pl.DataFrame([said], schema)) == 1
    with database.rows() as rows:
        found = dict(rows.execute(sa.select(energy_states)).mappings().one())
    assert {name: found[name] for name in said} == said | {
        "site_id": found["site_id"],
        "raw_data": {"wall": []},
    }
    assert (found["site_id"].hex, found["is_stale"]) == (HOME, False)


def test_no_samples_add_nothing(database: Database) -> None:
    assert add(database, []) == 0
    assert stored(database) == {}
