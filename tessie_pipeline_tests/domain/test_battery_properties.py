"""What holds in the ledger of any battery, whatever its intervals say."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.battery import EFFICIENCY, SOC_ERROR_PCT, Ledger, ledger
from tessie_pipeline.domain.battery_frames import BATTERY_LEDGER
from tessie_pipeline_tests.domain.battery_rows import (
    DAY,
    FIRST,
    MIDNIGHT,
    Row,
    batteries,
    intervals,
    windows,
)

CAPACITY_WH = 10_000.0
STEPS_A_DAY = 8
"""Few enough that three days of them are soon made; days need not be full."""

ENERGIES = (
    "solar_to_battery_wh",
    "grid_to_battery_wh",
    "generator_to_battery_wh",
    "battery_to_home_wh",
    "battery_to_grid_wh",
    "battery_charged_wh",
    "battery_discharged_wh",
)

unhurried = settings(deadline=None, max_examples=60)

energies = st.none() | st.just(0.0) | st.floats(0.001, 3000)
steps: st.SearchStrategy[Row] = st.just({}) | st.fixed_dictionaries(
    {
        **dict.fromkeys(ENERGIES, energies),
        "soc_pct": st.none() | st.floats(0, 100) | st.integers(0, 100).map(float),
        "coverage": st.sampled_from([1.0, 0.5]),
    }
)
three_days = st.lists(steps, min_size=1, max_size=3 * STEPS_A_DAY)


def spread(rows: list[Row], scale: float = 1.0) -> pl.DataFrame:
    """The intervals, `STEPS_A_DAY` of them at the start of each day."""
    days = [rows[first : first + STEPS_A_DAY] for first in range(0, len(rows), STEPS_A_DAY)]
    return pl.concat(
        intervals(*day, start=MIDNIGHT + number * DAY) for number, day in enumerate(days)
    ).with_columns(pl.col(ENERGIES) * scale)


def walked(rows: list[Row]) -> Ledger:
    return ledger(spread(rows), batteries(CAPACITY_WH), windows(3))


@unhurried
@given(three_days)
def test_every_origin_balances_every_day(rows: list[Row]) -> None:
    column = pl.col
    residual = (
        column("opening_wh")
        + column("charged_wh")
        - column("discharged_wh")
        - column("lost_wh")
        + column("adjusted_wh")
        - column("closing_wh")
    )
    assert walked(rows).days.filter(residual.abs() > 1e-6).is_empty()


@unhurried
@given(three_days)
def test_contents_are_between_zero_and_capacity_and_follow_the_state_of_charge(
    rows: list[Row],
) -> None:
    steps = walked(rows).steps
    contents = steps.select(pl.col("^after_.*$"))
    assert contents.filter(pl.any_horizontal(pl.all() < 0)).is_empty()
    total = pl.sum_horizontal("^after_.*$")
    assert steps.filter(total > CAPACITY_WH + 1e-6).is_empty()
    error_wh = CAPACITY_WH * SOC_ERROR_PCT / 100 + 1e-6
    assert steps.filter((total - pl.col("measured")).abs() > error_wh).is_empty()


@unhurried
@given(three_days)
def test_what_is_charged_and_discharged_is_what_the_intervals_say(rows: list[Row]) -> None:
    home = spread(rows)
    days = walked(rows).days
    flows = home.select(pl.sum_horizontal(ENERGIES[:3])).to_series()
    given_wh = home.select(pl.max_horizontal(flows, "battery_charged_wh")).sum().item()
    taken = pl.coalesce("battery_discharged_wh", pl.sum_horizontal(ENERGIES[3:5]))
    taken_wh = home.select(taken).sum().item()
    assert abs(days["charged_wh"].sum() - given_wh) < 1e-6
    assert abs(days["discharged_wh"].sum() - taken_wh) < 1e-6
    lost_wh = given_wh * (1 - EFFICIENCY) + taken_wh * (1 / EFFICIENCY - 1)
    assert abs(days["lost_wh"].sum() - lost_wh) < 1e-6


@unhurried
@given(three_days)
def test_shares_add_up_to_one(rows: list[Row]) -> None:
    mix = walked(rows).mix.drop_nulls().select(pl.col("^.*_share$"))
    assert mix.filter((pl.sum_horizontal(pl.all()) - 1).abs() > 1e-9).is_empty()
    assert mix.filter(pl.any_horizontal(pl.all() < 0)).is_empty()


@unhurried
@given(three_days)
def test_each_day_from_the_one_before_is_exactly_all_days_at_once(rows: list[Row]) -> None:
    home = spread(rows)
    at_once = ledger(home, batteries(CAPACITY_WH), windows(3))
    days, mix = pl.DataFrame(schema=BATTERY_LEDGER), []
    for number in range(3):
        day = ledger(home, batteries(CAPACITY_WH), windows(1, FIRST + number * DAY), days)
        days = pl.concat([days, day.days])
        mix.append(day.mix)
    exact = ["site_id", "date", "origin", "opening_wh", "closing_wh"]
    assert_frame_equal(days.select(exact), at_once.days.select(exact), check_exact=True)
    assert_frame_equal(days, at_once.days)
    assert_frame_equal(pl.concat(mix), at_once.mix, check_exact=True)


@unhurried
@given(three_days, st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_home_of_another_size_has_a_ledger_of_that_size(rows: list[Row], scale: float) -> None:
    energies = pl.col("^.*_wh$")
    small = walked(rows)
    large = ledger(spread(rows, scale), batteries(CAPACITY_WH * scale), windows(3))
    assert_frame_equal(small.days.with_columns(energies * scale), large.days)
    assert_frame_equal(small.mix, large.mix)


@unhurried
@given(three_days)
def test_order_of_rows_does_not_matter(rows: list[Row]) -> None:
    home = spread(rows)
    mixed = ledger(home.reverse(), batteries(CAPACITY_WH), windows(3))
    assert_frame_equal(mixed.days, walked(rows).days, check_exact=True)


@unhurried
@given(three_days)
def test_without_solar_into_it_a_battery_gives_no_solar(rows: list[Row]) -> None:
    dark = ledger(
        spread(rows).with_columns(solar_to_battery_wh=0.0), batteries(CAPACITY_WH), windows(3)
    )
    assert dark.mix["solar_share"].sum() == 0
    assert dark.days.filter(origin="solar")["discharged_wh"].sum() == 0
