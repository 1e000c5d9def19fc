"""The battery ledger against hand sums: a battery of 10 kWh, one step of five minutes at a time."""

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.battery import changed_closings, ledger
from tessie_pipeline.domain.battery_frames import NO_LEDGER
from tessie_pipeline_tests.domain.battery_rows import (
    DAY,
    FIRST,
    MIDNIGHT,
    Row,
    batteries,
    intervals,
    windows,
)

IDLE: Row = {"home_wh": 0.0}
EMPTY: Row = {"soc_pct": 0.0}


def days_of(*rows: Row, capacity_wh: float | None = 10_000.0) -> pl.DataFrame:
    return ledger(intervals(*rows), batteries(capacity_wh), windows()).days


def by_origin(days: pl.DataFrame, column: str) -> dict[str, float]:
    """What a column says of each origin that it says anything of."""
    return {origin: value for origin, value in days.select("origin", column).iter_rows() if value}


def shares(*rows: Row) -> list[dict[str, Any]]:
    mix = ledger(intervals(*rows), batteries(), windows()).mix
    return mix.select("^.*_share$").to_dicts()


def test_what_is_charged_is_booked_by_origin_less_what_charging_loses() -> None:
    days = days_of(
        EMPTY,
        {"solar_to_battery_wh": 300, "grid_to_battery_wh": 100, "generator_to_battery_wh": 20},
    )
    # Of 300, 100 and 20 Wh 5 % are lost on the way in.
    assert by_origin(days, "charged_wh") == {"solar": 300, "grid": 100, "generator": 20}
    assert by_origin(days, "lost_wh") == pytest.approx({"solar": 15, "grid": 5, "generator": 1})
    assert by_origin(days, "closing_wh") == pytest.approx(
        {"solar": 285, "grid": 95, "generator": 19}
    )


def test_what_comes_out_is_of_every_origin_in_proportion_to_the_content() -> None:
    rows = (
        EMPTY,
        {"solar_to_battery_wh": 300.0, "grid_to_battery_wh": 100.0},
        {"battery_to_home_wh": 95.0, "battery_to_grid_wh": 95.0},
    )
    days = days_of(*rows)
    # 285 of solar and 95 of the grid are inside; 190 outside are 190 / 0.95 = 200 inside, 150 of
    # them solar and 50 of the grid. 142.5 and 47.5 arrive, 7.5 and 2.5 are lost on the way out.
    assert shares(*rows)[2] == pytest.approx(
        {"solar_share": 0.75, "grid_share": 0.25, "generator_share": 0, "unknown_share": 0}
    )
    assert by_origin(days, "discharged_wh") == pytest.approx({"solar": 142.5, "grid": 47.5})
    assert by_origin(days, "lost_wh") == pytest.approx({"solar": 22.5, "grid": 7.5})
    assert by_origin(days, "closing_wh") == pytest.approx({"solar": 135, "grid": 45})


def test_a_battery_charged_at_night_gives_no_solar_in_the_evening() -> None:
    rows = (EMPTY, {"grid_to_battery_wh": 400.0}, IDLE, {"battery_to_home_wh": 300.0})
    assert shares(*rows)[3]["solar_share"] == 0
    assert shares(*rows)[3]["grid_share"] == 1


def test_it_opens_with_what_the_first_state_of_charge_says_of_unknown_origin() -> None:
    days = days_of(
        {"solar_to_battery_wh": 100.0},
        {"battery_to_home_wh": 190.0, "soc_pct": 50.0},
    )
    # 5000 at the end of the second step, to which 95 came in and 200 went out: 5105 at first.
    assert by_origin(days, "opening_wh") == pytest.approx({"unknown": 5105})
    assert days["adjusted_wh"].abs().max() == pytest.approx(0, abs=1e-9)


def test_it_opens_with_the_closing_of_the_day_before() -> None:
    first = ledger(intervals(EMPTY, {"grid_to_battery_wh": 400.0}), batteries(), windows())
    second = ledger(
        intervals({"solar_to_battery_wh": 400.0}, start=MIDNIGHT + DAY),
        batteries(),
        windows(first=FIRST + DAY),
        first.days,
    )
    assert by_origin(second.days, "opening_wh") == by_origin(first.days, "closing_wh")
    assert by_origin(second.days, "closing_wh") == pytest.approx({"grid": 380, "solar": 380})


def test_it_continues_the_last_of_several_days_before() -> None:
    rows = intervals(EMPTY, {"grid_to_battery_wh": 400.0}, *[IDLE] * 300)
    two = ledger(rows, batteries(), windows(2)).days
    third = ledger(
        intervals(IDLE, start=MIDNIGHT + 2 * DAY), batteries(), windows(first=FIRST + 2 * DAY), two
    )
    assert by_origin(third.days, "opening_wh") == pytest.approx({"grid": 380})


def test_less_in_the_battery_than_booked_is_taken_from_all_in_proportion() -> None:
    days = days_of(
        {"soc_pct": 0.0},
        {"solar_to_battery_wh": 3000.0, "grid_to_battery_wh": 1000.0},
        {"soc_pct": 18.0},
    )
    # Booked 3800, measured 1800 give or take 100: 1900 stay, half of everything.
    assert by_origin(days, "adjusted_wh") == pytest.approx({"solar": -1425, "grid": -475})
    assert by_origin(days, "closing_wh") == pytest.approx({"solar": 1425, "grid": 475})


def test_a_little_more_than_booked_is_added_to_all_in_proportion() -> None:
    days = days_of(
        {"soc_pct": 0.0},
        {"solar_to_battery_wh": 3000.0, "grid_to_battery_wh": 1000.0},
        {"soc_pct": 40.9},
    )
    # Booked 3800, measured 4090 give or take 100: 3990, which is 190 or 5 % more.
    assert by_origin(days, "adjusted_wh") == pytest.approx({"solar": 142.5, "grid": 47.5})


@pytest.mark.parametrize(
    ("last", "gained"),
    [
        # Booked 3800, measured 6000 give or take 100: 5900.
        pytest.param({"soc_pct": 60.0}, 2100, id="a jump"),
        pytest.param({"soc_pct": 40.0, "coverage": 0.6}, 100, id="while measured in part"),
    ],
)
def test_charging_that_was_not_seen_is_of_unknown_origin(last: Row, gained: float) -> None:
    days = days_of(
        {"soc_pct": 0.0}, {"solar_to_battery_wh": 3000.0, "grid_to_battery_wh": 1000.0}, last
    )
    assert by_origin(days, "adjusted_wh") == pytest.approx({"unknown": gained})


def test_whole_percents_that_go_up_and_down_adjust_nothing() -> None:
    rows: list[Row] = [{"soc_pct": 50.0 + step % 2} for step in range(100)]
    assert days_of(*rows)["adjusted_wh"].abs().max() == 0


def test_what_comes_out_of_an_empty_battery_is_of_unknown_origin() -> None:
    rows = (EMPTY, {"solar_to_battery_wh": 100.0}, {"battery_to_home_wh": 190.0})
    days = days_of(*rows)
    # 190 outside are 200 inside, of which 95 are booked: 105 were there of unknown origin.
    assert shares(*rows)[2] == pytest.approx(
        {"solar_share": 0.475, "grid_share": 0, "generator_share": 0, "unknown_share": 0.525}
    )
    assert by_origin(days, "adjusted_wh") == pytest.approx({"unknown": 105})
    assert by_origin(days, "closing_wh") == {}


def test_charging_that_no_flow_explains_is_of_unknown_origin() -> None:
    days = days_of(EMPTY, {"battery_charged_wh": 300.0, "solar_to_battery_wh": 200.0})
    assert by_origin(days, "charged_wh") == {"solar": 200, "unknown": 100}


def test_a_missing_interval_changes_nothing_but_what_the_state_of_charge_tells() -> None:
    days = days_of(EMPTY, {"solar_to_battery_wh": 1000.0}, {}, {}, IDLE)
    assert by_origin(days, "closing_wh") == {"solar": 950}


def test_without_a_capacity_only_flows_count() -> None:
    days = days_of({"soc_pct": 50.0}, {"solar_to_battery_wh": 300.0}, capacity_wh=None)
    assert by_origin(days, "closing_wh") == {"solar": 285}


def test_an_empty_battery_has_no_mix() -> None:
    assert set(shares(EMPTY)[0].values()) == {None}


def test_sites_without_a_battery_have_no_ledger() -> None:
    rows = intervals({"home_wh": 10.0, "grid_to_home_wh": 10.0}, site="cabin")
    assert ledger(rows, batteries(), windows(sites=("cabin",))).days.is_empty()


def test_sites_are_kept_apart() -> None:
    sites = ("away", "home")
    sunny = intervals(EMPTY, {"solar_to_battery_wh": 400.0}, site="away")
    nightly = intervals(EMPTY, {"grid_to_battery_wh": 200.0})
    both = ledger(pl.concat([nightly, sunny]), batteries(sites=sites), windows(sites=sites)).days
    alone = [
        ledger(rows, batteries(sites=sites), windows(sites=sites)).days for rows in (sunny, nightly)
    ]
    assert_frame_equal(both, pl.concat(alone))


def test_a_day_that_closes_as_before_changes_nothing_after_it() -> None:
    days = days_of(EMPTY, {"solar_to_battery_wh": 400.0})
    assert changed_closings(days, days).is_empty()
    nearly = days.with_columns(pl.col("closing_wh") + 0.009)
    assert changed_closings(days, nearly).is_empty()


def test_a_day_that_closes_otherwise_or_is_new_is_told() -> None:
    days = days_of(EMPTY, {"solar_to_battery_wh": 400.0})
    other = days_of(EMPTY, {"solar_to_battery_wh": 401.0})
    assert changed_closings(days, other).rows() == [("home", FIRST)]
    assert changed_closings(NO_LEDGER, days).rows() == [("home", FIRST)]


@pytest.mark.parametrize(("off", "told"), [(0.009, []), (-0.011, [("home", FIRST)])])
def test_changes_too_small_to_be_told_are_told_once_they_add_up(
    off: float, told: list[tuple[str, date]]
) -> None:
    days = days_of(EMPTY, {"solar_to_battery_wh": 400.0})
    following = days.with_columns(
        date=pl.lit(FIRST + 2 * DAY), opening_wh=pl.col("closing_wh") + off, closing_wh=0.0
    )
    assert changed_closings(days, days, following).rows() == told


def test_a_change_is_forgotten_once_the_battery_was_empty() -> None:
    # All of 380 Wh come out and more, in the first step of the second day.
    tomorrow = int(DAY / timedelta(minutes=5))
    later: list[Row] = [IDLE] * (tomorrow - 2) + [{"battery_to_home_wh": 500.0}]
    full = ledger(
        intervals({"grid_to_battery_wh": 400.0}, IDLE, *later, IDLE), batteries(), windows(2)
    )
    none = ledger(intervals(IDLE, IDLE, *later, IDLE), batteries(), windows(2))
    assert changed_closings(none.days, full.days).rows() == [("home", FIRST)]
