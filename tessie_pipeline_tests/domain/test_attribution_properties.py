"""What holds in the attribution of any charges, whatever their site measured."""

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.attribution import attributed_parts, charging_attribution
from tessie_pipeline.domain.attribution_daily import daily_attribution
from tessie_pipeline.domain.attribution_policies import EV_LAST, POLICIES, SHARES
from tessie_pipeline.domain.battery import ledger
from tessie_pipeline.domain.charging_frames import CHARGING_PIECES
from tessie_pipeline_tests.domain.battery_rows import (
    MIDNIGHT,
    STEP,
    Row,
    batteries,
    intervals,
    windows,
)

TO_HOME = ("solar_to_home_wh", "battery_to_home_wh", "generator_to_home_wh", "grid_to_home_wh")
FLOWS = (*TO_HOME, "solar_to_battery_wh", "grid_to_battery_wh", "generator_to_battery_wh")
SPLIT = [*(f"{share}_kwh" for share in SHARES), "unattributed_kwh"]
STEPS = 6

unhurried = settings(deadline=None, max_examples=60)

energies = st.none() | st.just(0.0) | st.floats(0.001, 3000)
steps: st.SearchStrategy[Row] = st.just({}) | st.fixed_dictionaries(
    {
        **dict.fromkeys(FLOWS, energies),
        "home_wh": energies,
        "soc_pct": st.none() | st.floats(0, 100),
        "coverage": st.sampled_from([1.0, 0.5]),
    }
)
homes = st.lists(steps, min_size=1, max_size=STEPS).map(lambda rows: intervals(*rows))


@st.composite
def charges(draw: st.DrawFn) -> pl.DataFrame:
    """Pieces of two cars, which do not overlap within a car."""
    seconds = st.integers(0, STEPS * 300)
    rows = []
    for car in ("large", "small"):
        marks = sorted(draw(st.lists(seconds, max_size=6, unique=True)))
        for first, last in zip(marks[::2], marks[1::2], strict=False):
            energy = draw(st.none() | st.just(0.0) | st.floats(0.001, 3))
            rows.append((car, MIDNIGHT, at(first), at(last), None, None, energy, "wall", "home"))
    return pl.DataFrame(rows, {**CHARGING_PIECES, "site_id": pl.String()}, orient="row")


def at(second: int) -> datetime:
    return MIDNIGHT + second / 300 * STEP


def mix_of(home: pl.DataFrame) -> pl.DataFrame:
    return ledger(home, batteries(), windows()).mix


@unhurried
@given(charges(), homes)
def test_origins_add_up_to_the_energy_of_every_charge(
    pieces: pl.DataFrame, home: pl.DataFrame
) -> None:
    parts = attributed_parts(pieces, home, mix_of(home))
    known = parts.drop_nulls("energy_kwh")
    residual = pl.sum_horizontal(SPLIT) - pl.col("energy_kwh")
    assert known.filter(residual.abs() > 1e-8).is_empty()
    assert known.filter(pl.any_horizontal(pl.col(SPLIT) < -1e-9)).is_empty()
    for policy in POLICIES:
        energy = parts.filter(policy=policy)["energy_kwh"].sum()
        assert energy == pytest.approx(pieces["energy_kwh"].sum())
    sessions = charging_attribution(known)
    assert sessions.filter(residual.abs() > 1e-7).is_empty()


@unhurried
@given(charges(), homes)
def test_home_and_cars_take_what_the_sources_gave(pieces: pl.DataFrame, home: pl.DataFrame) -> None:
    mix = mix_of(home)
    days = daily_attribution(attributed_parts(pieces, home, mix), home, mix, windows())
    through_battery = pl.sum_horizontal("^from_battery_.*_kwh$").alias("from_battery_kwh")
    taken = (
        days.filter(pl.col("policy") != EV_LAST)
        .with_columns(through_battery)
        .group_by("policy")
        .agg(pl.col("^from_(solar|battery|generator|grid)_kwh$").sum())
    )
    for row in taken.iter_rows(named=True):
        for flow in TO_HOME:
            source = flow.removesuffix("_to_home_wh")
            assert row[f"from_{source}_kwh"] * 1000 == pytest.approx(home[flow].sum(), abs=1e-5)


@unhurried
@given(charges(), homes)
def test_the_first_to_take_solar_has_at_least_as_much_of_it(
    pieces: pl.DataFrame, home: pl.DataFrame
) -> None:
    sums = (
        attributed_parts(pieces, home, mix_of(home))
        .group_by("policy")
        .agg(pl.col("from_solar_kwh").sum())
    )
    solar = dict(sums.iter_rows())
    if solar:
        assert solar["ev_last"] <= solar["proportional"] + 1e-9
        assert solar["proportional"] <= solar["solar_to_ev_first"] + 1e-9


@unhurried
@given(charges(), homes)
def test_splitting_pieces_changes_no_session(pieces: pl.DataFrame, home: pl.DataFrame) -> None:
    middle = pl.col("start") + (pl.col("end") - pl.col("start")) / 2
    half = pl.col("energy_kwh") / 2
    halves = pl.concat(
        [
            pieces.with_columns(half, end=middle),
            pieces.with_columns(half, start=middle),
        ]
    )
    mix = mix_of(home)
    whole, split = (
        charging_attribution(attributed_parts(rows, home, mix)) for rows in (pieces, halves)
    )
    assert_frame_equal(whole, split, abs_tol=1e-6)


@unhurried
@given(charges(), homes, st.sampled_from([0.25, 2.0, 1024.0]))
def test_more_energy_everywhere_is_split_alike(
    pieces: pl.DataFrame, home: pl.DataFrame, scale: float
) -> None:
    mix = mix_of(home)
    small = charging_attribution(attributed_parts(pieces, home, mix))
    large = charging_attribution(
        attributed_parts(
            pieces.with_columns(pl.col("energy_kwh") * scale),
            home.with_columns(pl.col("^.*_wh$") * scale),
            mix,
        )
    )
    assert_frame_equal(small.with_columns(pl.col("^.*_kwh$") * scale), large, abs_tol=1e-5)
