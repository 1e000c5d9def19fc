"""Charges and drives derived from stored samples: when, how often and how split they come is one.

The samples are those of three simulated cars, of which one has every habit, and so is the truth.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from tessie_pipeline.orchestration.charging import derive_sessions
from tessie_pipeline.orchestration.drives import derive_drives
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.habits import EVERY_HABIT
from tessie_pipeline.simulator.truth import charges_truth
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.registries import save_vehicles, vehicle_ids
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.states import add_states
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.simulator.samples import samples_of, utc

FLEET = Fleet(further=[EVERY_HABIT])
START, END = utc("2026-03-02T00:00"), utc("2026-03-23T00:00")
"""Three weeks with a change of clocks, Superchargers, and charges underground and on solar."""

DAY = timedelta(days=1)
SPACING = timedelta(minutes=5)
ZONE = "America/Los_Angeles"
NUMBERED = {car.vehicle_id: f"{car.index + 1:032x}" for car in FLEET.cars}

DERIVED = {
    "charging_sessions": "select * from charging_sessions",
    "charging_segments": "select * from charging_segments",
    "charging_pieces": "select * from charging_pieces",
    "drives": "select * from drives",
    "unseen_distances": "select * from unseen_distances",
}


@cache
def samples() -> pl.DataFrame:
    """What polling every five minutes brings of all cars, in the order of time."""
    found = samples_of(FLEET, NUMBERED, START, END, SPACING)
    return found.sort("timestamp", "vehicle_id")


def between(start: datetime, end: datetime) -> pl.DataFrame:
    """The samples of a while."""
    return samples().filter(pl.col("timestamp").is_between(start, end, closed="left"))


def register(database: Database) -> None:
    """Let the database know the cars, by the ids that the samples have."""
    with database.rows() as connection:
        save_vehicles(
            connection,
            [
                {"id": NUMBERED[car.vehicle_id], "tesla_id": car.vehicle_id, "vin": car.vin}
                for car in FLEET.cars
            ],
        )
        assert vehicle_ids(connection) == NUMBERED


def add(database: Database, new: pl.DataFrame) -> None:
    """Store samples in a transaction of their own."""
    with database.frames() as connection:
        add_states(connection, tables.vehicle_states, new)


def derive(database: Database) -> None:
    """Derive all that is not up to date."""
    derive_sessions(database)
    derive_drives(database, ZONE)


def read(database: Database, query: str) -> pl.DataFrame:
    """The rows of a query."""
    with database.frames() as connection:
        return read_frame(connection, query)


def stored(database: Database) -> dict[str, pl.DataFrame]:
    """All that is derived, without when it was written."""
    return {
        name: read(database, query).drop("created_at", strict=False).sort(pl.all())
        for name, query in DERIVED.items()
    }


def marks(database: Database) -> int:
    """How many marks of new samples there are."""
    return int(read(database, "select count(*) from sample_changes").item())


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    """All tables are equal; says which is not."""
    for name, frame in expected.items():
        assert frame.height, name
        assert_frame_equal(found[name], frame, check_exact=True)


def versions(database: Database, table: str) -> dict[tuple[str, datetime], str]:
    """Which transaction wrote each row last, by its key."""
    rows = read(
        database,
        f"select vehicle_id, started_at, xmin::text || ctid::text as version from {table}",  # noqa: S608
    )
    return {(vehicle, began): version for vehicle, began, version in rows.iter_rows()}


@pytest.fixture
def garage(database: Database) -> Database:
    """A database that knows the cars and nothing of what they did."""
    register(database)
    return database


@pytest.fixture(scope="module")
def at_once(server_url: sa.URL, template: str) -> Iterator[dict[str, pl.DataFrame]]:
    """What is derived from all samples that came at once."""
    for database in new_database(server_url, f"template {template}"):
        register(database)
        add(database, samples())
        derive(database)
        yield stored(database)


def test_samples_that_come_day_by_day_give_what_all_at_once_give(
    garage: Database, at_once: dict[str, pl.DataFrame]
) -> None:
    add(garage, samples().filter(pl.col("timestamp") < START + 14 * DAY))
    for day in range(14, 21):
        derive(garage)
        add(garage, between(START + day * DAY, START + (day + 1) * DAY))
    derive(garage)

    assert_same(stored(garage), at_once)
    assert marks(garage) == 0


def test_samples_that_come_in_any_order_give_what_all_at_once_give(
    garage: Database, at_once: dict[str, pl.DataFrame]
) -> None:
    """Half of the batches are days, the other half single samples from anywhere."""
    chance = random.Random(1)  # noqa: S311 - no secret depends on it
    days = samples().with_columns(batch=pl.col("timestamp").dt.ordinal_day() % 4)
    scattered = pl.Series([chance.random() < 0.3 for _ in range(days.height)])
    batches = days.with_columns(
        batch=pl.when(scattered)
        .then(pl.Series([chance.randrange(4, 8) for _ in range(days.height)]))
        .otherwise("batch")
    ).partition_by("batch", include_key=False)
    chance.shuffle(batches)

    for batch in batches:
        add(garage, batch.sample(fraction=1, shuffle=True, seed=1))
        derive(garage)

    assert_same(stored(garage), at_once)
    assert marks(garage) == 0


def test_deriving_again_without_new_samples_writes_nothing(garage: Database) -> None:
    add(garage, between(START, START + 4 * DAY))
    derive(garage)
    before = {name: versions(garage, name) for name in ("charging_sessions", "drives")}

    assert derive_sessions(garage).is_empty()
    assert derive_drives(garage, ZONE) == 0
    add(garage, between(START + DAY, START + 2 * DAY))
    derive(garage)

    assert before["drives"]
    assert {name: versions(garage, name) for name in before} == before


def test_deriving_all_again_gives_the_same_and_tells_of_no_change(
    garage: Database,
) -> None:
    add(garage, between(START, START + 4 * DAY))
    derive(garage)
    before, sessions = stored(garage), versions(garage, "charging_sessions")
    with garage.frames() as connection:
        mark(connection, between(START, START + 4 * DAY))

    changed = derive_sessions(garage)
    derive_drives(garage, ZONE)

    assert changed.is_empty()
    assert_same(stored(garage), before)
    assert versions(garage, "charging_sessions") == sessions


def test_late_samples_rebuild_their_window_and_nothing_else(
    garage: Database, at_once: dict[str, pl.DataFrame]
) -> None:
    outage = utc("2026-03-10T00:00"), utc("2026-03-11T00:00")
    is_late = pl.col("timestamp").is_between(*outage)
    add(garage, samples().filter(~is_late))
    derive(garage)
    before = {name: versions(garage, name) for name in ("charging_sessions", "drives")}

    add(garage, samples().filter(is_late))
    derive(garage)

    assert_same(stored(garage), at_once)
    for name, versions_before in before.items():
        after = versions(garage, name)
        touched = {key for key in after.keys() | versions_before.keys()
                   if after.get(key) != versions_before.get(key)}  # fmt: skip
        assert touched, name
        for _, began in touched:
            assert outage[0] - 2 * DAY < began < outage[1] + DAY, name


def test_a_session_in_progress_grows_with_each_sample_and_ends(garage: Database) -> None:
    """The car with every habit charges at a Supercharger from 20:55 to 21:35."""
    car, begin = FLEET.cars[2], utc("2026-03-22T20:50")
    (true,) = charges_truth(car, begin, begin + timedelta(hours=1))
    own = samples().filter(pl.col("vehicle_id") == NUMBERED[car.vehicle_id])
    query = "select started_at, ended_at, status, energy_added_kwh from charging_sessions"
    seen = []
    for minutes in (11, 21, 31, 51):
        add(garage, own.filter(pl.col("timestamp").is_between(
            begin - timedelta(minutes=30), begin + timedelta(minutes=minutes)
        )))  # fmt: skip
        derive(garage)
        seen.append(read(garage, query).rows())

    assert {len(rows) for rows in seen} == {1}
    starts, ends, states, energies = zip(*(rows[0] for rows in seen), strict=True)
    assert len(set(starts)) == 1
    assert states == ("in_progress",) * 3 + ("completed",)
    assert ends[:3] == (None,) * 3
    assert abs(ends[3] - at(true["unplugged"])) <= SPACING
    assert sorted(set(energies)) == list(energies)
    assert energies[3] == pytest.approx(true["added_wh"] / 1000, abs=0.01)


def test_a_car_that_is_first_seen_while_it_charges_has_its_session(garage: Database) -> None:
    """At the first sample the Supercharger has charged for a while: it began before."""
    begin, end = utc("2026-03-22T21:04"), utc("2026-03-22T22:00")

    for upto in (begin + timedelta(minutes=12), end):
        add(garage, between(begin, upto).filter(pl.col("vehicle_id").str.ends_with("3")))
        derive(garage)

    sessions = read(garage, "select started_at, energy_added_kwh, status from charging_sessions")
    ((began, energy_kwh, status),) = sessions.rows()
    assert began < begin
    assert (energy_kwh, status) == (30.62, "completed")


def test_what_was_derived_outlives_its_samples(garage: Database) -> None:
    add(garage, between(START, START + 10 * DAY))
    derive(garage)
    before = stored(garage)
    drop_days(garage, 2, 6)

    add(garage, between(START + 10 * DAY, START + 12 * DAY))
    derive(garage)
    with garage.frames() as connection:
        mark(connection, between(START, START + 12 * DAY))
    derive(garage)

    after = stored(garage)
    for name, began in {"charging_sessions": "started_at", "drives": "started_at",
                        "charging_segments": "session_started_at"}.items():  # fmt: skip
        is_old = pl.col(began) < utc("2026-03-06T00:00")
        assert_frame_equal(after[name].filter(is_old), before[name].filter(is_old))


@pytest.mark.parametrize("last", [8, 14], ids=["complete", "charging on solar"])
def test_a_session_whose_first_samples_are_gone_is_not_there_twice(
    garage: Database, last: int
) -> None:
    """All cars are plugged in as the 8th ends, the one that charges on solar as the 14th does."""
    add(garage, between(START, START + 16 * DAY))
    derive(garage)
    before = stored(garage)
    drop_days(garage, 2, last)

    with garage.frames() as connection:
        mark(connection, between(START, START + 16 * DAY))
    derive(garage)

    assert_same(stored(garage), before)
    assert marks(garage) == 0


def drop_days(database: Database, first: int, last: int) -> None:
    """Drop the samples of some days of March, as retention does."""
    with database.rows() as connection:
        for day in range(first, last + 1):
            connection.execute(sa.text(f"drop table vehicle_states_2026_03_{day:02}"))


def test_every_plug_in_of_three_weeks_is_found_once_with_its_energy(
    at_once: dict[str, pl.DataFrame],
) -> None:
    for car in FLEET.cars:
        found = at_once["charging_sessions"].filter(
            pl.col("vehicle_id") == NUMBERED[car.vehicle_id],
            pl.col("ended_at").is_not_null(),
            pl.col("started_at") > START + timedelta(hours=8),
        ).sort("started_at")  # fmt: skip
        true = [
            plug_in
            for plug_in in charges_truth(car, START + timedelta(hours=8), END)
            if at(plug_in["unplugged"]) < END
        ]
        assert [_near(row["started_at"], true) for row in found.to_dicts()] == true
        for plug_in, row in zip(true, found.to_dicts(), strict=True):
            # Within a garage nobody sees the cable, nor the way to it.
            near = 2 * SPACING if plug_in["is_underground"] else SPACING
            assert abs(row["started_at"] - at(plug_in["plugged"])) <= near
            assert abs(row["ended_at"] - at(plug_in["unplugged"])) <= near
            assert row["is_inferred"] == plug_in["is_underground"]
            assert row["energy_added_kwh"] == pytest.approx(
                plug_in["added_wh"] / 1000, rel=0.03, abs=0.02
            )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _near(moment: datetime, plug_ins: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The plug-in that began within an interval of this moment; None without one."""
    near = [one for one in plug_ins if abs(at(one["plugged"]) - moment) <= 2 * SPACING]
    return near[0] if near else None
