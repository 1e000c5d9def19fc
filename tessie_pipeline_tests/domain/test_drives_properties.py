"""Whatever the samples: no mile is lost or counted twice, and a rebuild equals the first build."""

from datetime import datetime
from itertools import groupby
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.drives import drives, parts_drives, unseen_distance
from tessie_pipeline.domain.sample_windows import windows_between
from tessie_pipeline_tests.domain.test_drives import (
    CAPACITIES,
    Row,
    driving,
    minute,
    parked,
    samples,
)

# Odometers in 32nds of a mile, so that their sums are exact.
moves = st.sampled_from([0.0, 0.0, 0.03125, 0.5, 0.5, 2.0, 10.0, 300.0, -4.0])
gaps = st.sampled_from([1.0, 1.0, 1.5, 5.0, 15.0, 16.0, 90.0, 800.0])
kinds: st.SearchStrategy[Row] = st.sampled_from([
    {"shift_state": "D", "speed": 30.0, "power": 12.0},
    {"shift_state": "R", "speed": 0.0, "power": -3.0},
    {"shift_state": None, "speed": 8.0, "power": None},
    {"shift_state": "P"},
    {"shift_state": None, "speed": None},
    {"charging_state": "Charging", "shift_state": "D"},
])  # fmt: skip
levels = st.one_of(st.none(), st.integers(10, 90))

histories = st.lists(st.tuples(gaps, moves, kinds, levels), min_size=1, max_size=30)
without_odometer = kinds.map(lambda kind: {**kind, "odometer": None})
patchy = st.lists(st.tuples(gaps, moves, kinds | without_odometer, levels), min_size=1, max_size=30)
"""Histories of which some samples have no odometer."""

NEVER = minute(10_000_000)

Event = tuple[float, float, Row, int | None]


def history(vehicle: str, told: list[Event]) -> list[Row]:
    """Samples of a vehicle, each some time and miles after the one before."""
    at, odometer, rows = 0.0, 1000.0, []
    for gap, move, kind, level in told:
        at, odometer = at + gap, odometer + move
        rows.append(parked(at, odometer, battery_level=level, vehicle_id=vehicle) | kind)
    return rows


def distance(rows: pl.DataFrame) -> float:
    """Miles of all drives, and unseen."""
    found = drives(rows, CAPACITIES), unseen_distance(rows)
    return float(pl.concat([frame["distance_miles"] for frame in found]).sum())


@given(histories)
def test_drives_and_unseen_distance_add_up_to_the_odometer(told: list[Event]) -> None:
    rows = samples(*history("car", told))
    assert distance(rows) == rows["odometer"][-1] - rows["odometer"][0]


@given(patchy)
def test_they_add_up_where_some_samples_have_no_odometer(told: list[Event]) -> None:
    rows = samples(*history("car", told))
    known = rows["odometer"].drop_nulls().to_list() or [0.0]
    assert distance(rows) == pytest.approx(known[-1] - known[0], abs=1e-6)


@given(histories)
def test_drives_lie_within_their_bounds_and_follow_each_other(told: list[Event]) -> None:
    found = drives(samples(*history("car", told)), CAPACITIES)
    start, end = pl.col("started_at"), pl.coalesce("ended_at", "ended_after")
    after = pl.coalesce("started_after", "started_by")
    bounds = (
        start.is_between(after, "started_by"),
        (end >= pl.col("ended_after")) & (end <= pl.col("ended_by").fill_null(end)),
        (start <= end) & (pl.col("duration_minutes") >= 0),
        start >= end.shift().fill_null(start),
        pl.col("power_coverage_pct").fill_null(0).is_between(0, 100),
    )
    assert found.select(pl.all_horizontal(bounds).all()).item()
    assert found["started_at"].is_unique().all()


@given(histories, histories, st.randoms(use_true_random=False))
def test_shuffled_and_repeated_samples_of_several_vehicles_give_the_same(
    one: list[Event],
    other: list[Event],
    random: Random,
) -> None:
    rows = history("car", one) + history("van", other)
    mixed = rows + rows[::3]
    random.shuffle(mixed)
    capacities = CAPACITIES.vstack(CAPACITIES.with_columns(vehicle_id=pl.lit("van")))
    assert_frame_equal(
        drives(samples(*mixed), capacities), drives(samples(*rows), capacities), check_exact=True
    )
    assert_frame_equal(unseen_distance(samples(*mixed)), unseen_distance(samples(*rows)))


class Kept:
    """Drives and unseen distances that are kept, and built again where samples come in."""

    def __init__(self) -> None:
        self.samples = samples()
        self.drives = drives(self.samples, CAPACITIES)
        self.unseen = unseen_distance(self.samples)

    def take(self, rows: list[Row]) -> None:
        """Store samples, and replace what they may change from the samples of the window."""
        if not rows:
            return
        self.samples = samples(*self.samples.to_dicts(), *rows)
        times = [row["timestamp"] for row in rows]
        changes = pl.DataFrame({"vehicle_id": ["car"], "first": [min(times)], "last": [max(times)]})
        found = windows_between(self.samples, changes, parts_drives())
        start, end = found["start"].item() or minute(0), found["end"].item() or NEVER
        window = self.samples.filter(pl.col("timestamp").is_between(start, end))
        self.drives = _replaced(self.drives, drives(window, CAPACITIES), "started_at", start, end)
        self.unseen = _replaced(self.unseen, unseen_distance(window), "after", start, end)


def _replaced(
    kept: pl.DataFrame, built: pl.DataFrame, time: str, start: datetime, end: datetime
) -> pl.DataFrame:
    is_in = (pl.col(time) >= start) & (pl.col(time) < end)
    return pl.concat([kept.filter(~is_in), built.filter(is_in)]).sort("vehicle_id", time)


def assert_as_in_one_piece(kept: Kept, rows: list[Row]) -> None:
    whole = samples(*rows)
    assert_frame_equal(kept.drives, drives(whole, CAPACITIES), check_exact=True)
    assert_frame_equal(kept.unseen, unseen_distance(whole), check_exact=True)


@settings(max_examples=60, deadline=None)
@given(patchy)
def test_samples_that_come_day_by_day_give_the_same(told: list[Event]) -> None:
    rows, kept = history("car", told), Kept()
    for _, day in groupby(rows, key=lambda row: row["timestamp"].date()):
        kept.take(list(day))
    assert_as_in_one_piece(kept, rows)


@settings(max_examples=40, deadline=None)
@given(patchy, st.randoms(use_true_random=False))
def test_samples_that_come_late_give_the_same(told: list[Event], random: Random) -> None:
    rows, kept = history("car", told), Kept()
    late = [row for row in rows if random.random() < 0.3]
    kept.take([row for row in rows if row not in late])
    random.shuffle(late)
    for row in late:
        kept.take([row])
    assert_as_in_one_piece(kept, rows)


def test_the_window_reaches_from_one_parked_car_with_odometer_to_the_next() -> None:
    rows = samples(
        parked(0, 100), parked(1, 100), parked(2, None), driving(3, 101), driving(4, 101.5),
        parked(5, 102), parked(6, 102), parked(0, 50, vehicle_id="van"),
    )  # fmt: skip
    changes = pl.DataFrame(
        {
            "vehicle_id": ["van", "car", "new"],
            "first": [minute(9), minute(4), minute(5)],
            "last": [minute(9), minute(4), minute(5)],
        }
    )
    assert windows_between(rows, changes, parts_drives()).rows() == [
        ("car", minute(1), minute(5)),
        ("new", None, None),
        ("van", minute(0), None),
    ]
