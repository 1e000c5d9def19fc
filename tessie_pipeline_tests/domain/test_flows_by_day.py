"""Intervals as days, against hand sums, the energy balance and the simulator's truth."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.flows import (
    daily_totals,
    intervals_from_history,
)
from tessie_pipeline.domain.samples import ENERGY_DAILY, FLOWS_WH, TOTALS_WH, UTC_TIME
from tessie_pipeline.simulator.calendar_history import energy_series, soe_series, window
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.truth import day_truth, interval_truth
from tessie_pipeline.tesla.history import decode_energy_history, decode_soe_history
from tessie_pipeline_tests.domain.test_flows import (
    DAY,
    FIRST,
    HOUR,
    MIDNIGHT,
    STEP,
    TESLAS,
    charge,
    energy,
    intervals,
    the_only,
    windows,
)


def test_a_day_is_the_sum_of_its_intervals_in_kilowatt_hours() -> None:
    names = (*TOTALS_WH, *FLOWS_WH)
    first = {name: 1000.0 * number for number, name in enumerate(names)}
    second = {name: 250.0 for name in names}
    found = daily_totals(intervals(first, second), windows())
    assert found.schema == ENERGY_DAILY
    sums = {name: number + 0.25 for number, name in enumerate(names)}
    day = {
        "solar_produced_kwh": sums["solar_wh"],
        "generator_produced_kwh": sums["generator_wh"],
        "home_consumed_kwh": sums["home_wh"],
    } | {
        f"{name}_kwh": sums[f"{name}_wh"]
        for name in (
            "solar_to_home", "solar_to_battery", "solar_to_grid", "battery_charged",
            "battery_discharged", "battery_to_home", "battery_to_grid", "grid_imported",
            "grid_exported", "grid_to_home", "grid_to_battery", "generator_to_home",
            "generator_to_battery", "generator_to_grid",
        )
    }  # fmt: skip
    row = the_only(found)
    assert {name: row[name] for name in day} == pytest.approx(day)
    assert set(row) - set(day) == {
        "site_id", "date", "self_consumption_pct", "solar_offset_pct", "coverage_pct", "source",
    }  # fmt: skip
    assert (row["site_id"], row["date"]) == ("home", FIRST)
    assert row["source"] == "calendar_history_energy"


def test_what_is_unknown_stays_unknown_and_what_is_zero_stays_zero() -> None:
    found = the_only(daily_totals(intervals({"home_wh": 0.0}, {"solar_wh": 40.0}, {}), windows()))
    energies = {name: found[name] for name in found if name.endswith("_kwh")}
    assert energies == dict.fromkeys(energies) | {
        "home_consumed_kwh": 0.0,
        "solar_produced_kwh": 0.04,
    }


def shares(**wh: float) -> tuple[float | None, float | None]:
    """Self-consumption and solar offset [%] of a day with one interval."""
    day = the_only(daily_totals(intervals(wh), windows()))
    return day["self_consumption_pct"], day["solar_offset_pct"]


def test_self_consumption_is_the_part_of_the_solar_energy_that_was_not_exported() -> None:
    assert shares(solar_wh=4000, solar_to_grid_wh=1000)[0] == 75
    assert shares(solar_wh=4000, solar_to_grid_wh=0)[0] == 100
    assert shares(solar_wh=4000, solar_to_grid_wh=4000)[0] == 0


def test_solar_offset_is_the_part_of_the_homes_energy_that_came_from_the_sun() -> None:
    assert shares(home_wh=8000, solar_to_home_wh=1000)[1] == 12.5
    assert shares(home_wh=8000, solar_to_home_wh=0)[1] == 0
    assert shares(home_wh=8000, solar_to_home_wh=8000)[1] == 100


def test_a_share_of_nothing_or_of_the_unknown_is_unknown() -> None:
    assert shares(solar_wh=0, solar_to_grid_wh=0, home_wh=0, solar_to_home_wh=0) == (None, None)
    assert shares(solar_to_grid_wh=5, solar_to_home_wh=5) == (None, None)
    assert shares(solar_wh=5, home_wh=5) == (None, None)


def test_a_share_stays_within_zero_and_a_hundred_where_teslas_numbers_do_not_agree() -> None:
    assert shares(solar_wh=10, solar_to_grid_wh=12, home_wh=10, solar_to_home_wh=12) == (0, 100)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", date(2026, 6, 1), 24),
        ("America/Los_Angeles", date(2026, 11, 1), 25),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ],
)
def test_coverage_is_measured_time_over_the_length_of_the_day(
    zone: str, day: date, hours: float
) -> None:
    days = windows(1, zone, day)
    count = int(hours * 12)
    full = intervals(*({"timestamp": days["start"][0] + n * STEP} for n in range(count)))
    assert daily_totals(full, days)["coverage_pct"].to_list() == [100.0]
    half_an_hour_less = full.filter(pl.int_range(pl.len()).is_between(100, 105).not_())
    expected = 100 * (hours * 60 - 30) / (hours * 60)
    found = daily_totals(half_an_hour_less, days)["coverage_pct"].item()
    assert found == pytest.approx(expected)


def test_an_interval_that_is_covered_in_part_counts_in_part() -> None:
    found = daily_totals(intervals({"coverage": 0.5}, {"coverage": 0.1}, {}), windows())
    assert found["coverage_pct"].item() == pytest.approx(100 * (2.5 + 0.5 + 5) / 1440)


def test_a_day_of_two_sources_names_both_and_a_day_without_intervals_is_no_row() -> None:
    found = daily_totals(
        intervals({"source": "live"}, {"source": "app"}, {"source": "live"}), windows(days=3)
    )
    assert found.select("date", "source").rows() == [(FIRST, "app+live")]
    nothing = daily_totals(intervals(), windows())
    assert (nothing.height, nothing.schema) == (0, ENERGY_DAILY)


def test_each_site_and_day_is_summed_on_its_own() -> None:
    days = pl.concat([windows(2, "Asia/Tokyo", site="cabin"), windows(2)])
    evening = MIDNIGHT + 20 * HOUR
    rows = [
        {"site_id": site, "timestamp": time, "home_wh": float(wh)}
        for site, time, wh in [
            ("home", evening, 1), ("home", evening + STEP, 2), ("home", evening + DAY, 4),
            ("cabin", evening, 8), ("cabin", evening - DAY, 16), ("cabin", evening - 2 * DAY, 32),
            ("hut", evening, 64),
        ]
    ]  # fmt: skip
    found = daily_totals(intervals(*rows), days).select("site_id", "date", "home_consumed_kwh")
    second = FIRST + DAY
    assert found.rows() == [
        ("cabin", FIRST, 0.016),
        ("cabin", second, 0.008),
        ("home", FIRST, 0.003),
        ("home", second, 0.004),
    ]


flows_wh = st.tuples(*(st.integers(0, 5000) for _ in FLOWS_WH))
"""What flowed in five minutes [whole Wh], in the order of FLOWS_WH."""
slots = st.dictionaries(st.integers(0, 4 * 288 - 1), flows_wh, min_size=1, max_size=25)
"""Flows by the number of the interval within four days."""


def split_history(slots: Mapping[int, Sequence[int]], answers: pl.DataFrame) -> pl.DataFrame:
    """The intervals of buckets that give only the split, with a state of charge at each."""
    rows = [
        {"timestamp": MIDNIGHT + number * STEP} | dict(zip(TESLAS, flows, strict=True))
        for number, flows in slots.items()
    ]
    soe = charge(*((MIDNIGHT + number * STEP, number % 101) for number in range(4 * 288 + 1)))
    return intervals_from_history(energy(*rows), soe, answers)


@settings(deadline=None, max_examples=25)
@given(slots=slots)
def test_days_balance_and_hold_what_flowed_in_them(slots: dict[int, tuple[int, ...]]) -> None:
    later = pl.lit(MIDNIGHT + 10 * DAY, UTC_TIME)
    found = split_history(slots, windows(days=4).with_columns(received_at=later))
    assert found["residual_wh"].unique().to_list() == [0]
    days = daily_totals(found, windows(days=4))
    for day in days.iter_rows(named=True):
        number = (day["date"] - FIRST).days
        flowed = [flows for slot, flows in slots.items() if slot // 288 == number]
        sums = [sum(column) / 1000 for column in zip(*flowed, strict=True)]
        kwh = dict(zip(FLOWS_WH, sums, strict=True))
        # The generator's flows have no columns of their own in a day.
        assert {name: day[name.replace("_wh", "_kwh")] for name in FLOWS_WH[:7]} == {
            name: kwh[name] for name in FLOWS_WH[:7]
        }
        into = day["solar_produced_kwh"] + day["generator_produced_kwh"]
        into += day["battery_discharged_kwh"] + day["grid_imported_kwh"]
        out_of = day["home_consumed_kwh"] + day["battery_charged_kwh"] + day["grid_exported_kwh"]
        assert into == pytest.approx(sum(sums))
        assert out_of == pytest.approx(sum(sums))
    assert days.height == len({slot // 288 for slot in slots})


@settings(deadline=None, max_examples=25)
@given(
    slots=slots,
    running_s=st.integers(0, 86_400),
    seed=st.integers(0, 99),
    cuts=st.sets(st.integers(1, 3)),
)
@example(slots={0: (72,) * 10, 288: (1,) * 10}, running_s=298, seed=0, cuts={1})
def test_the_order_of_intervals_and_their_split_by_days_change_nothing(
    slots: dict[int, tuple[int, ...]], running_s: int, seed: int, cuts: set[int]
) -> None:
    received_at = pl.col("start") + pl.duration(seconds=running_s)
    days = windows(days=4).with_columns(received_at=received_at)
    found = split_history(slots, days)
    marks = [0, *sorted(cuts), 4]
    parts = [days[first:last] for first, last in pairwise(marks)]
    in_parts = pl.concat([split_history(slots, part) for part in parts])
    assert_frame_equal(in_parts, found, check_exact=True)
    whole = daily_totals(found, days)
    shuffled = found.sample(fraction=1, shuffle=True, seed=seed)
    assert_frame_equal(daily_totals(shuffled, days), whole, check_exact=True)
    by_parts = pl.concat([daily_totals(shuffled, part) for part in parts])
    assert_frame_equal(by_parts, whole, check_exact=True)


OF_THE_SIMULATOR = {name: name for name in FLOWS_WH[:7]} | {
    "solar_wh": "solar_wh",
    "home_wh": "home_wh",
    "battery_charged_wh": "battery_charge_wh",
    "battery_discharged_wh": "battery_discharge_wh",
    "grid_imported_wh": "grid_import_wh",
    "grid_exported_wh": "grid_export_wh",
}
"""What the simulator's truth calls our columns."""


@pytest.mark.parametrize(
    ("site", "day", "count"),
    [(0, date(2026, 11, 1), 300), (1, date(2026, 3, 29), 276), (2, date(2026, 6, 1), 288)],
    ids=["Los Angeles, 25 h", "Berlin, 23 h", "Adelaide, 24 h"],
)
def test_intervals_and_days_are_what_happened_to_within_teslas_rounding(
    site: int, day: date, count: int
) -> None:
    """Answers are whole watt-hours: each flow strays by half of one over the day, a bucket by 1."""
    fleet = Fleet(seed=5, sites=3, vehicles=3)
    household = fleet.sites[site]
    days = windows(1, household.zone, day)
    start, now_s = days["start"][0], days["end"][0].timestamp() + 3600
    asked = window(household, "day", start.isoformat(), None, None, now_s)

    def answer(series: list[dict[str, Any]]) -> pl.DataFrame:
        body = json.dumps({"response": {"period": "day", "time_series": series}})
        return pl.DataFrame({"site_id": ["home"], "body": [body]})

    buckets, refused = decode_energy_history(
        answer(energy_series(fleet.site_days, household, asked, "day", now_s))
    )
    soe, refused_soe = decode_soe_history(
        answer(soe_series(fleet.site_days, household, asked, now_s))
    )
    assert (refused, refused_soe) == ([], [])
    received_at = pl.from_epoch(pl.lit(int(now_s))).dt.replace_time_zone("UTC").cast(UTC_TIME)
    found = intervals_from_history(buckets, soe, days.with_columns(received_at=received_at))
    truth = interval_truth(fleet.site_days.day(household, day))
    assert found.height == len(truth) == count
    for row, true in zip(found.iter_rows(named=True), truth, strict=True):
        assert row["timestamp"] == datetime.fromisoformat(true["start"])
        for name, its_name in OF_THE_SIMULATOR.items():
            flows = 1 if name in FLOWS_WH else 3
            assert row[name] == pytest.approx(true[its_name], abs=flows + 1e-6)
    known = [
        (row["soc_pct"], true["soc_pct"])
        for row, true in zip(found.iter_rows(named=True), truth, strict=True)
        if row["soc_pct"] is not None
    ]
    assert len(known) == count / 3 - 1
    assert max(abs(given_pct - true_pct) for given_pct, true_pct in known) <= 0.5
    totals = the_only(daily_totals(found, days))
    happened = day_truth(fleet, fleet.site_days.day(household, day))
    assert totals["coverage_pct"] == 100
    produced = happened["solar_wh"] / 1000
    assert totals["solar_produced_kwh"] == pytest.approx(produced, abs=0.0015)
    assert totals["home_consumed_kwh"] == pytest.approx(happened["home_wh"] / 1000, abs=0.0015)
    for name in FLOWS_WH[:7]:
        kwh = totals[name.replace("_wh", "_kwh")]
        assert kwh == pytest.approx(happened[name] / 1000, abs=0.0005 + 1e-9)
