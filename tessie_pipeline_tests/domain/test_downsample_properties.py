"""What holds of the hours and days of any samples, however they are parted."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.days import day_start
from tessie_pipeline.domain.downsample import days_of_hours, hours_of, merged
from tessie_pipeline.domain.rollup_proof import differences, rollup_totals, sample_totals
from tessie_pipeline.domain.rollups import ENERGY_SERIES as SERIES
from tessie_pipeline.domain.samples import ENERGY_STATES

GAP, SECOND, DAY = SERIES.longest_gap, timedelta(seconds=1), timedelta(days=1)
HOUR_S = 3600.0
MEANS = [measure.name for measure in SERIES.measures_of("mean")]
SITES = ("cabin", "home")
Row = dict[str, Any]

unhurried = settings(deadline=None, max_examples=60)

powers = st.sampled_from([0.0, -0.0, 1e-9, 0.1]) | st.integers(-9000, 9000).map(float)
seconds = st.sampled_from([1, 60, 300, 599, 600, 601, 4000]) | st.integers(1, 700)
# Clocks at whole, half and quarter hours; some of the beginnings are days on which they change.
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Asia/Kathmandu"]
)
beginnings = st.sampled_from(
    [
        datetime(2026, 6, 1, 22, 40, tzinfo=UTC),
        datetime(2026, 3, 28, 23, 10, tzinfo=UTC),
        datetime(2026, 10, 25, 0, 20, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 50, tzinfo=UTC),
    ]
)


def readings(known: st.SearchStrategy[float | None]) -> st.SearchStrategy[list[Row]]:
    """Up to sixty rows of how long [s] after the one before it, which site, and what it says."""
    row = st.fixed_dictionaries(
        {
            "after_s": seconds,
            "site_id": st.sampled_from(SITES),
            "solar_power_w": known,
            "grid_power_w": known,
            "battery_percentage": known,
            "grid_status": st.sampled_from(["Active", "Inactive"]) | st.none(),
        }
    )
    return st.lists(row, min_size=1, max_size=60)


def samples(rows: Sequence[Row], start: datetime) -> pl.DataFrame:
    """The rows as samples of which each site's follow each other."""
    at, found = dict.fromkeys(SITES, start), []
    for row in rows:
        at[row["site_id"]] += row["after_s"] * SECOND
        said = {name: value for name, value in row.items() if name != "after_s"}
        found.append(said | {"timestamp": at[row["site_id"]]})
    return pl.DataFrame(found, ENERGY_STATES)


def clocks(zone: str) -> pl.DataFrame:
    return pl.DataFrame({"site_id": SITES, "time_zone": zone})


def rolled(own: pl.DataFrame, zone: str, following: pl.DataFrame | None = None) -> pl.DataFrame:
    return hours_of(own, own.clear() if following is None else following, SERIES, clocks(zone))


def by_day(all_of_them: pl.DataFrame, zone: str) -> list[pl.DataFrame]:
    """The hours of each day's (UTC) samples, followed by those of the days after it."""
    day_of = pl.col("timestamp").dt.date()
    days = all_of_them.select(day_of.unique().sort()).to_series()
    return [
        rolled(all_of_them.filter(day_of == day), zone, all_of_them.filter(day_of > day))
        for day in days
    ]


def assert_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found, expected, rel_tol=1e-9, abs_tol=1e-9)


@unhurried
@given(readings(st.none() | powers), beginnings, zones)
def test_hours_and_days_say_in_all_what_the_samples_say(
    rows: list[Row], start: datetime, zone: str
) -> None:
    own = samples(rows, start)
    hours = rolled(own, zone)
    totals = sample_totals(own, own.clear(), SERIES)
    assert differences(totals, rollup_totals(hours, SERIES), SERIES) == []
    days = days_of_hours(hours, SERIES, clocks(zone))
    assert differences(totals, rollup_totals(days, SERIES), SERIES) == []


@unhurried
@given(readings(powers), beginnings, zones, st.randoms(use_true_random=False))
def test_days_merged_in_any_order_are_all_at_once(
    rows: list[Row], start: datetime, zone: str, chance: random.Random
) -> None:
    own = samples(rows, start)
    parts = by_day(own, zone)
    chance.shuffle(parts)
    found = reduce(lambda known, more: merged(known, more, SERIES, HOUR_S), parts)
    assert_same(found, rolled(own, zone))


@unhurried
@given(readings(st.none() | powers), beginnings, zones, st.randoms(use_true_random=False))
def test_what_is_not_always_known_merges_in_any_order_but_for_the_weight_of_means(
    rows: list[Row], start: datetime, zone: str, chance: random.Random
) -> None:
    own = samples(rows, start)
    parts = by_day(own, zone)
    chance.shuffle(parts)
    found = reduce(lambda known, more: merged(known, more, SERIES, HOUR_S), parts)
    expected = rolled(own, zone)
    assert_same(found.drop(MEANS), expected.drop(MEANS))
    assert_frame_equal(
        found.select(pl.col(MEANS).is_null()), expected.select(pl.col(MEANS).is_null())
    )


@unhurried
@given(readings(st.none() | powers), beginnings, zones, st.randoms(use_true_random=False))
def test_the_order_of_samples_and_hours_changes_nothing(
    rows: list[Row], start: datetime, zone: str, chance: random.Random
) -> None:
    own = samples(rows, start)
    shuffled = own.sample(fraction=1, shuffle=True, seed=chance.randrange(1000))
    hours = rolled(own, zone)
    assert_frame_equal(rolled(shuffled, zone), hours, check_exact=True)
    mixed = hours.sample(fraction=1, shuffle=True, seed=chance.randrange(1000))
    days = [days_of_hours(rows_of, SERIES, clocks(zone)) for rows_of in (mixed, hours)]
    assert_frame_equal(*days, check_exact=True)


@unhurried
@given(readings(powers), beginnings, zones, st.data())
def test_a_sample_on_the_line_between_two_changes_no_energy_mean_or_coverage(
    rows: list[Row], start: datetime, zone: str, data: st.DataObject
) -> None:
    own = samples(rows, start).sort("site_id", "timestamp")
    number = data.draw(st.integers(0, own.height - 1))
    first, last = own.row(number, named=True), own.row(-1, named=True)
    if number + 1 < own.height:
        last = own.row(number + 1, named=True)
    is_stretch = first["site_id"] == last["site_id"] and first["timestamp"] < last["timestamp"]
    if not is_stretch or last["timestamp"] - first["timestamp"] > GAP:
        return
    part = data.draw(st.floats(0.01, 0.99))
    length = last["timestamp"] - first["timestamp"]
    at = first["timestamp"] + part * length
    part = (at - first["timestamp"]) / length
    between = {
        name: first[name] + (last[name] - first[name]) * part
        for name in ("solar_power_w", "grid_power_w", "battery_percentage")
    }
    more = pl.DataFrame([{"site_id": first["site_id"], "timestamp": at} | between], ENERGY_STATES)
    additive = [measure.name for measure in SERIES.measures_of("above", "below")]
    keys = ["site_id", "timestamp", "covered_s", *additive]
    found, expected = rolled(pl.concat([own, more]), zone), rolled(own, zone)
    covered = pl.col("covered_s") > 0
    assert_same(found.select(keys), expected.select(keys))
    assert_same(found.filter(covered).select(MEANS), expected.filter(covered).select(MEANS))


@unhurried
@given(readings(powers), beginnings, zones)
def test_the_mean_of_a_day_is_that_of_its_lines(
    rows: list[Row], start: datetime, zone: str
) -> None:
    own = samples(rows, start).filter(site_id="home").sort("timestamp")
    days = days_of_hours(rolled(own, zone), SERIES, clocks(zone))
    line = list(own.select("timestamp", "grid_power_w").iter_rows())
    for day in days.iter_rows(named=True):
        local = day["timestamp"].astimezone(ZoneInfo(zone)).date()
        end = day_start(local + DAY, ZoneInfo(zone))
        pieces = [
            piece
            for before, after in pairwise(line)
            if after[0] - before[0] <= GAP
            and (piece := _within(before, after, day["timestamp"], end))
        ]
        covered_s = sum(length_s for length_s, _ in pieces)
        assert day["covered_s"] == pytest.approx(covered_s)
        if covered_s:
            area = sum(length_s * level for length_s, level in pieces)
            assert day["grid_power_mean_w"] == pytest.approx(area / covered_s, abs=1e-6)


def _within(
    before: tuple[datetime, float], after: tuple[datetime, float], start: datetime, end: datetime
) -> tuple[float, float] | None:
    """How long [s] a line is within start and end, and how high in the middle of that."""
    first, last = max(before[0], start), min(after[0], end)
    if first >= last:
        return None
    part = ((first - before[0]) + (last - before[0])) / (2 * (after[0] - before[0]))
    return (last - first).total_seconds(), before[1] + (after[1] - before[1]) * part
