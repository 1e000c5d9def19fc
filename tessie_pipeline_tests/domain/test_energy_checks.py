"""Checks of intervals, hours and days find what is broken, by hand numbers."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.energy_checks import (
    coverages,
    day_balances,
    day_splits,
    disagreements,
    interval_balances,
    missing_days,
    negative_energies,
    overlaps,
    own_splits,
    repeated_days,
    sums_of_hours,
    tesla_splits,
)
from tessie_pipeline.domain.flows import CALENDAR_HISTORY, hourly_totals
from tessie_pipeline.domain.interval_sources import CALENDAR_HISTORY_POWER
from tessie_pipeline.domain.live_intervals import LIVE_STATUS
from tessie_pipeline.domain.power_flows import EXCHANGES_WH, split_flows
from tessie_pipeline.domain.samples import ENERGY_DAILY, ENERGY_HOURLY, TOTALS_WH, UTC_TIME
from tessie_pipeline_tests.domain.battery_rows import DAY, FIRST, MIDNIGHT, windows
from tessie_pipeline_tests.domain.checked_rows import about, found, of_source, ours, worst

BALANCED: dict[str, float | None] = {
    "solar_wh": 100.0,
    "battery_discharged_wh": 0.0,
    "battery_charged_wh": 30.0,
    "grid_imported_wh": 0.0,
    "grid_exported_wh": 10.0,
    "home_wh": 60.0,
    "solar_to_home_wh": 60.0,
    "solar_to_battery_wh": 30.0,
    "solar_to_grid_wh": 10.0,
    "battery_to_home_wh": 0.0,
    "battery_to_grid_wh": 0.0,
    "grid_to_home_wh": 0.0,
    "grid_to_battery_wh": 0.0,
    "residual_wh": 0.0,
}
"""Five minutes of 100 Wh solar for a home of 60 Wh, the battery and the grid."""


def times(*minutes: float, site: str = "home") -> pl.DataFrame:
    rows = [(site, MIDNIGHT + timedelta(minutes=minute)) for minute in minutes]
    return pl.DataFrame(rows, {"site_id": pl.String(), "timestamp": UTC_TIME}, orient="row")


def test_intervals_on_the_five_minutes_do_not_overlap_even_with_holes_between() -> None:
    assert overlaps(times(0, 5, 10, 60)).odd == 0


def test_an_interval_that_begins_within_another_overlaps_it() -> None:
    # 00:10 to 00:15 and 00:12 to 00:17 have three minutes in common, the next two.
    finding = overlaps(times(15, 0, 12, 10))
    assert found(finding) == (4, 2, "begins before the last ends", 3, 0)
    assert finding.worst["at"].to_list()[:2] == ["2026-06-01 00:12 UTC", "2026-06-01 00:15 UTC"]


def test_five_minutes_that_are_there_twice_overlap_whole() -> None:
    assert found(overlaps(times(0, 5, 5))) == (3, 1, "begins before the last ends", 5, 0)


def test_intervals_of_two_sites_do_not_overlap() -> None:
    assert overlaps(pl.concat([times(0, 5), times(5, 10, site="other")])).odd == 0


def test_an_interval_off_the_five_minutes_is_found() -> None:
    assert found(overlaps(times(0, 61))) == (2, 1, "begins off the five minutes", 1, 0)


def test_an_energy_below_zero_is_found() -> None:
    finding = negative_energies(ours(BALANCED, BALANCED | {"grid_to_home_wh": -2.5}))
    assert found(finding)[:4] == (2, 1, f"grid to home ({CALENDAR_HISTORY_POWER})", -2.5)
    assert worst(finding)["at"] == "2026-06-01 00:05 UTC"
    assert worst(finding)["subject_id"] == "home"


def test_no_energy_at_all_is_no_energy_below_zero() -> None:
    nothing = dict.fromkeys(TOTALS_WH, 0.0)
    assert negative_energies(ours(nothing, BALANCED)).odd == 0


def test_an_energy_that_is_no_number_is_odd() -> None:
    assert negative_energies(ours(BALANCED | {"solar_wh": float("nan")})).odd == 1


@pytest.mark.parametrize(
    ("broken", "what", "wh"),
    [
        ({"solar_to_home_wh": 63.0}, "home", 3),
        ({"solar_to_home_wh": 50.0, "battery_to_home_wh": 10.0}, "battery discharged", 10),
        ({"solar_to_battery_wh": 29.0}, "battery charged", 1),
        ({"residual_wh": 4.0}, "residual", 4),
        ({"home_wh": 61.0, "residual_wh": -1.0, "solar_to_grid_wh": 8.5}, "grid exported", 0.5),
    ],
    ids=["more", "another source", "less", "a wrong residual", "less than the residual says"],
)
def test_our_flows_that_do_not_add_up_are_found(
    broken: dict[str, float], what: str, wh: float
) -> None:
    finding = own_splits(ours(BALANCED, BALANCED | broken))
    of_it = f"{what} ({CALENDAR_HISTORY_POWER})"
    assert found(finding) == (2, 1, of_it, about(wh), about(0))


def test_what_nothing_explains_may_be_as_much_as_the_residual() -> None:
    short = {"home_wh": 70.0, "residual_wh": -10.0}
    assert own_splits(ours(BALANCED | short)).odd == 0


def test_a_generator_that_there_is_not_is_no_gap() -> None:
    assert own_splits(ours(BALANCED | {"generator_wh": None})).odd == 0


energies = st.just(0.0) | st.floats(0, 1000)


@given(
    totals=st.tuples(*[energies] * len(TOTALS_WH)),
    exchanges=st.none() | st.tuples(energies, energies),
    has_generator=st.booleans(),
)
def test_no_split_of_ours_is_odd_whatever_the_totals(
    totals: tuple[float, ...], exchanges: tuple[float, float] | None, has_generator: bool
) -> None:
    row: dict[str, Any] = dict(zip(TOTALS_WH, totals, strict=True))
    row |= {} if has_generator else {"generator_wh": None}
    row |= {} if exchanges is None else dict(zip(EXCHANGES_WH, exchanges, strict=True))
    split = split_flows(ours(row), has_exchanges=exchanges is not None)
    assert own_splits(split).odd == negative_energies(split).odd == 0


def test_teslas_flows_may_be_off_by_little() -> None:
    rows = [BALANCED | {"solar_wh": 105.0}, BALANCED | {"solar_wh": 106.0}]
    assert found(tesla_splits(of_source(CALENDAR_HISTORY, *rows))) == (2, 1, "solar", 6, 5)


def test_totals_of_tesla_without_any_flow_are_not_judged() -> None:
    assert tesla_splits(of_source(CALENDAR_HISTORY, {"solar_wh": 500.0})).checked == 0


def test_a_residual_of_either_sign_is_found() -> None:
    rows = [{"residual_wh": residual} for residual in (50.0, -50.5, 49.0)]
    finding = interval_balances(of_source(LIVE_STATUS, *rows))
    assert found(finding) == (3, 1, "in less out (live_status)", 50.5, 50)


def test_a_source_that_is_far_from_teslas_day_is_found() -> None:
    # 20 of 100 Wh are missing in each of 100 intervals: 2 of 10 kWh, where 1 + 0.5 are allowed.
    teslas = of_source(CALENDAR_HISTORY, *[BALANCED] * 100)
    samples = of_source(LIVE_STATUS, *[BALANCED | {"solar_wh": 80.0}] * 100)
    finding = disagreements(teslas, samples, windows())
    assert found(finding) == (1, 1, "solar (live_status)", about(2), about(1.5))
    assert worst(finding)["at"] == "2026-06-01"


def test_only_what_both_cover_nearly_whole_is_compared() -> None:
    teslas = of_source(CALENDAR_HISTORY, *[BALANCED] * 100)
    part = {"solar_wh": 0.0, "coverage": 0.5}
    samples = of_source(LIVE_STATUS, *[BALANCED | part] * 99, BALANCED)
    assert disagreements(teslas, samples, windows()).odd == 0


def test_a_total_that_one_of_both_does_not_know_is_not_compared() -> None:
    teslas = of_source(CALENDAR_HISTORY, *[BALANCED] * 100)
    samples = of_source(LIVE_STATUS, *[BALANCED | {"solar_wh": None}] * 100)
    assert disagreements(teslas, samples, windows()).odd == 0


def test_hours_that_lost_an_interval_are_found() -> None:
    whole, days = ours(*[BALANCED] * 24), windows().with_columns(time_zone=pl.lit("UTC"))
    assert sums_of_hours(hourly_totals(whole, days), whole, days).odd == 0
    # Each energy is 1/24 less, of which solar is the most: 100 of 2,400 Wh.
    lost = sums_of_hours(hourly_totals(whole[:-1], days), whole, days)
    assert found(lost) == (1, 1, "solar", about(0.1), about(0))
    none = sums_of_hours(ENERGY_HOURLY.to_frame(), whole, days)
    assert found(none) == (1, 1, "solar", about(2.4), about(0))


def days(**columns: Any) -> pl.DataFrame:
    """`ENERGY_DAILY` of one day."""
    return pl.DataFrame([{"site_id": "home", "date": FIRST} | columns], ENERGY_DAILY)


def test_a_day_with_two_rows_is_found() -> None:
    assert repeated_days(pl.concat([days(), days(date=FIRST + DAY)])).odd == 0
    assert found(repeated_days(pl.concat([days(), days()]))) == (1, 1, "rows", 2, 1)


DAY_KWH = {
    "solar_produced_kwh": 20.0,
    "battery_discharged_kwh": 5.0,
    "grid_imported_kwh": 5.0,
    "home_consumed_kwh": 18.0,
    "battery_charged_kwh": 6.0,
    "grid_exported_kwh": 6.0,
}
"""30 kWh in and 30 out."""


def test_a_day_out_of_balance_is_found() -> None:
    # Of 30 kWh 1 % and 0.1 are allowed: 0.4.
    assert day_balances(days(**DAY_KWH | {"home_consumed_kwh": 17.7})).odd == 0
    assert found(day_balances(days(**DAY_KWH | {"home_consumed_kwh": 17.5}))) == (
        1, 1, "in less out", about(0.5), about(0.4),
    )  # fmt: skip


def test_a_day_whose_solar_is_not_its_three_uses_is_found() -> None:
    uses = {"solar_to_home_kwh": 9.0, "solar_to_battery_kwh": 6.0, "solar_to_grid_kwh": 4.8}
    assert day_splits(days(solar_produced_kwh=20.0, **uses)).odd == 0
    finding = day_splits(days(solar_produced_kwh=20.0, **uses | {"solar_to_grid_kwh": 4.5}))
    assert found(finding) == (1, 1, "solar", about(0.5), about(0.3))


def test_coverage_tells_the_worst_day_and_the_mean() -> None:
    pair = pl.concat([days(coverage_pct=100.0), days(date=FIRST + DAY, coverage_pct=93.0)])
    finding = coverages(pair)
    assert found(finding) == (2, 1, "coverage", 93, 95)
    assert (worst(finding)["at"], finding.mean) == ("2026-06-02", 96.5)


def test_missing_days_are_told_by_stretches() -> None:
    expected = windows(9)
    finding = missing_days(expected, expected[[0, 1, 5, 6, 8]])
    assert (finding.checked, finding.odd) == (9, 4)
    assert finding.worst.select("at", "found").rows() == [
        ("2026-06-03 to 2026-06-05", 3),
        ("2026-06-08", 1),
    ]
    assert missing_days(expected, expected).worst.is_empty()
