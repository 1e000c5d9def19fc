"""Samples as intervals: by hand, for any samples, and against the simulator's truth."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import daily_totals
from tessie_pipeline.domain.live_intervals import LONGEST_GAP, intervals_from_samples
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, ENERGY_STATES, FLOWS_WH, TOTALS_WH
from tessie_pipeline.simulator.site_answers import live_status
from tessie_pipeline.simulator.truth import day_truth
from tessie_pipeline_tests.domain.test_power_flows import FIRST, FLEET, SITES, assert_conserved

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, STEP = timedelta(minutes=1), timedelta(minutes=5)
POWERS = {
    "solar": "solar_power_w",
    "battery": "battery_power_w",
    "grid": "grid_power_w",
    "load": "load_power_w",
    "generator": "generator_power_w",
    "soc": "battery_percentage",
}
NANO_WH = 8e-9
"""Totals are whole nanowatt-hours; a flow is the difference of a few of them."""
ADDITIVE = [*TOTALS_WH, *FLOWS_WH, "coverage"]


def samples(*rows: Mapping[str, Any], site: str = "home") -> pl.DataFrame:
    """Samples at `minute` after noon; powers are 0 unless they say otherwise, load is not said."""
    quiet = {"solar": 0.0, "battery": 0.0, "grid": 0.0, "generator": 0.0}
    full = [
        {"site_id": site, "timestamp": NOON + row["minute"] * MINUTE, "is_stale": False}
        | {POWERS[name]: value for name, value in (quiet | dict(row)).items() if name in POWERS}
        for row in rows
    ]
    return pl.DataFrame(full, ENERGY_STATES)


def found(*rows: Mapping[str, Any], **options: Any) -> list[dict[str, Any]]:
    """The intervals of samples at home."""
    intervals = intervals_from_samples(samples(*rows), **options)
    assert intervals.schema == ENERGY_INTERVALS
    return intervals.rows(named=True)


def column(name: str, *rows: Mapping[str, Any], **options: Any) -> list[Any]:
    return [row[name] for row in found(*rows, **options)]


def test_a_steady_power_is_power_times_time() -> None:
    (row,) = found(*({"minute": n, "solar": 2400, "grid": -600, "load": 1800} for n in range(6)))
    assert (row["site_id"], row["timestamp"]) == ("home", NOON)
    assert (row["source"], row["coverage"]) == ("live_status", 1)
    energies = {name: row[name] for name in (*TOTALS_WH, *FLOWS_WH) if row[name]}
    assert energies == pytest.approx(
        {
            "solar_wh": 200, "grid_exported_wh": 50, "home_wh": 150, "solar_to_home_wh": 150,
            "solar_to_grid_wh": 50,
        }
    )  # fmt: skip


def test_between_samples_power_changes_in_a_straight_line() -> None:
    assert column("solar_wh", {"minute": 0}, {"minute": 5, "solar": 1200}) == pytest.approx([50])


def test_a_stretch_over_an_intervals_end_is_shared_as_the_line_has_it() -> None:
    rows = [{"minute": 3, "grid": 600}, {"minute": 8, "grid": 1600}]
    assert column("grid_imported_wh", *rows) == pytest.approx([800 * 2 / 60, 1300 * 3 / 60])
    assert column("coverage", *rows) == [0.4, 0.6]
    assert column("timestamp", *rows) == [NOON, NOON + STEP]


def test_a_stretch_may_reach_over_several_intervals() -> None:
    rows = [{"minute": 4, "solar": 300}, {"minute": 14, "solar": 1300}]
    means = [(350, 1), (650, 5), (1100, 4)]
    assert column("solar_wh", *rows) == pytest.approx([w * m / 60 for w, m in means])
    assert column("coverage", *rows) == [0.2, 1, 0.8]


def test_what_is_above_and_below_zero_is_measured_apart() -> None:
    (row,) = found({"minute": 0, "grid": -300}, {"minute": 4, "grid": 900})
    assert row["grid_exported_wh"] == pytest.approx(300 * 1 / 2 / 60)
    assert row["grid_imported_wh"] == pytest.approx(900 * 3 / 2 / 60)
    (row,) = found({"minute": 0, "battery": 500}, {"minute": 4, "battery": -1500})
    assert row["battery_discharged_wh"] == pytest.approx(500 * 1 / 2 / 60)
    assert row["battery_charged_wh"] == pytest.approx(1500 * 3 / 2 / 60)


def test_import_and_export_within_an_interval_are_both_kept() -> None:
    powers = [600, -600, 600, -600, 600, -600]
    (row,) = found(*({"minute": n, "solar": 900, "grid": w} for n, w in enumerate(powers)))
    assert (row["grid_imported_wh"], row["grid_exported_wh"]) == pytest.approx((12.5, 12.5))
    assert (row["home_wh"], row["solar_to_home_wh"], row["grid_to_home_wh"]) == pytest.approx(
        (75, 62.5, 12.5)
    )


def test_what_battery_and_grid_give_each_other_is_measured_where_they_change_over() -> None:
    """The battery gives the grid up to 300 W in the first minute, and takes as much in the last."""
    (row,) = found(
        {"minute": 0, "battery": 900, "grid": -300}, {"minute": 4, "battery": -300, "grid": 900}
    )
    assert (row["battery_to_grid_wh"], row["grid_to_battery_wh"]) == pytest.approx((2.5, 2.5))
    assert (row["battery_to_home_wh"], row["grid_to_home_wh"]) == pytest.approx((20, 20))


def test_a_gap_that_is_too_long_has_neither_energy_nor_coverage() -> None:
    rows = [{"minute": m, "solar": 1200} for m in (0, 3, 14, 15)]
    assert column("timestamp", *rows) == [NOON, NOON + 2 * STEP]
    assert column("coverage", *rows) == [0.6, 0.2]
    assert column("solar_wh", *rows) == pytest.approx([60, 20])
    bridged = column("coverage", *rows, longest_gap=11 * MINUTE)
    assert bridged == [1, 1, 1]


def test_samples_a_quarter_of_an_hour_apart_are_joined_only_if_asked_for() -> None:
    rows = [{"minute": 15 * n} for n in range(3)]
    assert column("coverage", *rows) == []
    assert column("coverage", *rows, longest_gap=15 * MINUTE) == [1] * 6
    assert column("coverage", {"minute": 0}, {"minute": 10}) == [1, 1]


@pytest.mark.parametrize("rows", [[], [{"minute": 1}], [{"minute": 1}, {"minute": 99}]])
def test_samples_without_a_neighbour_are_no_energy(rows: list[dict[str, Any]]) -> None:
    assert found(*rows) == []


def test_sites_are_not_joined() -> None:
    both = pl.concat(
        [samples({"minute": 0}, {"minute": 1}), samples({"minute": 2}, {"minute": 4}, site="hut")]
    )
    rows = intervals_from_samples(both).select("site_id", "coverage").rows()
    assert rows == [("home", 0.2), ("hut", 0.4)]


def test_the_home_is_by_balance_where_its_power_is_not_said_all_along() -> None:
    row: dict[str, Any] = {"solar": 1200.0, "battery": -240.0, "grid": 60.0}
    for loads in [(None, None), (5000.0, None)]:
        (interval,) = found(*(row | {"minute": 5 * n, "load": w} for n, w in enumerate(loads)))
        assert interval["home_wh"] == pytest.approx(85)
    (interval,) = found(*(row | {"minute": 5 * n, "load": 1080.0} for n in range(2)))
    assert interval["home_wh"] == pytest.approx(90)
    assert interval["home_wh"] == pytest.approx(sum_to_home(interval) + 5)


def sum_to_home(row: Mapping[str, Any]) -> float:
    return sum(float(row[name]) for name in FLOWS_WH if name.endswith("_to_home_wh"))


@pytest.mark.parametrize(
    ("power", "unknown"),
    [
        ("solar", {"solar_wh"}),
        ("battery", {"battery_charged_wh", "battery_discharged_wh"}),
        ("grid", {"grid_imported_wh", "grid_exported_wh"}),
    ],
)
def test_a_power_that_is_missing_is_not_zero(power: str, unknown: set[str]) -> None:
    rows: list[dict[str, Any]]
    rows = [{"minute": n, "solar": 60, "grid": 60, "load": 120, power: None} for n in range(6)]
    (row,) = found(*rows)
    assert {name for name in TOTALS_WH if row[name] is None} == unknown
    assert {row[name] for name in FLOWS_WH} == {None}
    assert row["coverage"] == 0
    del rows[0]["load"]
    (row,) = found(*rows)
    assert row["home_wh"] is None


@pytest.mark.parametrize("power", ["solar", "battery", "grid"])
def test_time_beside_a_sample_that_lacks_a_power_is_not_covered(power: str) -> None:
    rows: list[dict[str, Any]]
    rows = [{"minute": n, "solar": 60, "grid": 60, "load": 120} for n in range(11)]
    rows[2][power] = None
    first, second = found(*rows)
    # Known are the first minute and the last two.
    assert (first["coverage"], second["coverage"]) == (0.6, 1)
    assert [first[name] for name in ("solar_wh", "grid_imported_wh", "home_wh")] == [3, 3, 6]
    assert first["solar_to_home_wh"] == 3
    assert [second[name] for name in ("solar_wh", "grid_imported_wh", "home_wh")] == [5, 5, 10]


def test_where_a_power_fails_what_is_known_before_counts_and_what_is_known_after_is_kept() -> None:
    rows: list[dict[str, Any]]
    rows = [{"minute": n, "solar": 60 if n < 4 else None, "grid": 60} for n in range(11)]
    first, second = found(*rows)
    assert (first["coverage"], first["solar_wh"], first["grid_imported_wh"]) == (0.6, 3, 3)
    assert (second["coverage"], second["solar_wh"], second["grid_imported_wh"]) == (0, None, 5)


def test_a_site_without_a_generator_need_not_say_so() -> None:
    rows = [{"minute": n, "solar": 120, "grid": -60, "generator": None} for n in range(6)]
    (row,) = found(*rows)
    assert row["generator_wh"] is None
    assert row["generator_to_home_wh"] is None
    assert (row["home_wh"], row["solar_to_grid_wh"]) == pytest.approx((5, 5))


@pytest.mark.parametrize("said", [0.0, None])
def test_what_is_zero_or_unknown_all_the_time_is_so_beside_others_too(said: float | None) -> None:
    rows = [
        {"minute": n, "solar": said, "generator": said, "soc": said, "load": said, "grid": 60.0}
        for n in range(11)
    ]
    home = intervals_from_samples(samples(*rows))
    cabin = samples(
        *({"minute": n, "solar": 9, "generator": 9, "soc": 9, "load": 9} for n in range(11)),
        site="cabin",
    )
    both = intervals_from_samples(pl.concat([samples(*rows), cabin]))
    assert both["site_id"].to_list() == ["cabin", "cabin", "home", "home"]
    assert_frame_equal(both.filter(pl.col("site_id") == "home"), home, check_exact=True)
    told = ["solar_wh", "generator_wh", "soc_pct"]
    assert home.select(told).rows() == [(said, said, said)] * 2


def test_solar_below_zero_counts_as_none() -> None:
    (row,) = found(*({"minute": n, "solar": -12, "grid": 600} for n in range(6)))
    assert (row["solar_wh"], row["home_wh"]) == pytest.approx((0, 50))


def test_the_state_of_charge_is_that_at_the_intervals_end() -> None:
    rows: list[dict[str, Any]]
    rows = [{"minute": 0, "soc": 40}, {"minute": 4, "soc": 42}, {"minute": 6, "soc": 43}]
    assert column("soc_pct", *rows) == pytest.approx([42.5, 43])
    rows += [{"minute": 40, "soc": 90}, {"minute": 41, "soc": None}]
    assert column("soc_pct", *rows) == pytest.approx([42.5, 43, 90])
    assert column("soc_pct", {"minute": 0}, {"minute": 5}) == [None]


def test_without_a_state_of_charge_all_else_is_the_same() -> None:
    rows = samples(*({"minute": n, "solar": 2400, "soc": 50.0 + n} for n in range(11)))
    without = intervals_from_samples(rows.drop("battery_percentage"))
    assert without["soc_pct"].to_list() == [None, None]
    told = intervals_from_samples(rows)
    assert told["soc_pct"].to_list() == [55, 60]
    assert_frame_equal(without.drop("soc_pct"), told.drop("soc_pct"), check_exact=True)


def test_repeats_and_stale_samples_change_nothing() -> None:
    rows = samples({"minute": 0, "grid": -60}, {"minute": 2, "grid": 90}, {"minute": 7, "grid": 9})
    twice = pl.concat([rows, rows.with_columns(is_stale=pl.lit(value=True))])
    assert_frame_equal(
        intervals_from_samples(twice), intervals_from_samples(rows), check_exact=True
    )


watts = st.just(0.0) | st.integers(-9000, 9000).map(float) | st.floats(-9000, 9000)
loads = st.integers(0, 9000).map(float)


@st.composite
def lines(draw: st.DrawFn) -> pl.DataFrame:
    """Samples of two sites at whole seconds, some of them too far apart, whatever they say."""
    gap = st.integers(1, 400) | st.integers(1, 2000)
    frames = []
    for site in ("home", "hut"):
        gaps = draw(st.lists(gap, min_size=1, max_size=12))
        minutes = [sum(gaps[:n]) / 60 for n in range(1, len(gaps) + 1)]
        rows = [
            {name: draw(watts) for name in ("solar", "battery", "grid", "generator")}
            | {"minute": minute, "load": draw(loads), "soc": draw(st.floats(0, 100))}
            for minute in minutes
        ]
        frames.append(samples(*rows, site=site))
    return pl.concat(frames)


@settings(deadline=None)
@given(lines=lines())
def test_energies_are_not_negative_and_coverage_is_a_part(lines: pl.DataFrame) -> None:
    intervals = intervals_from_samples(lines)
    for name in (*TOTALS_WH, *FLOWS_WH):
        assert intervals.filter(pl.col(name) < 0).is_empty()
        assert intervals[name].null_count() == 0
    assert intervals.filter(~pl.col("coverage").is_between(0, 1)).is_empty()
    assert intervals.select("site_id", "timestamp").is_unique().all()
    assert intervals["timestamp"].to_list() == intervals["timestamp"].dt.truncate("5m").to_list()


@st.composite
def balanced_lines(draw: st.DrawFn, generators: st.SearchStrategy[float]) -> pl.DataFrame:
    """Samples of a house that balances at every instant and says no load."""
    count = draw(st.integers(2, 12))
    rows = []
    for number in range(count):
        solar, battery, home = draw(loads), draw(watts), draw(loads)
        generator = draw(generators)
        row = {"minute": number * 1.7, "solar": solar, "battery": battery, "generator": generator}
        rows.append(row | {"grid": home - solar - battery - generator})
    return samples(*rows)


@settings(deadline=None)
@given(lines=balanced_lines(st.just(0.0)) | balanced_lines(loads))
def test_what_balances_at_each_instant_balances_and_is_conserved(lines: pl.DataFrame) -> None:
    intervals = intervals_from_samples(lines)
    assert (intervals["residual_wh"].abs() < NANO_WH).all()
    for row in intervals.iter_rows(named=True):
        assert_conserved(row, NANO_WH)


@settings(deadline=None)
@given(lines=lines(), seed=st.integers(0, 99))
def test_the_order_of_arrival_changes_nothing(lines: pl.DataFrame, seed: int) -> None:
    shuffled = lines.sample(fraction=1, shuffle=True, seed=seed)
    assert_frame_equal(
        intervals_from_samples(shuffled), intervals_from_samples(lines), check_exact=True
    )


@settings(deadline=None)
@given(lines=balanced_lines(st.just(0.0)), at=st.integers(0, 12))
def test_parted_at_any_sample_the_parts_add_up(lines: pl.DataFrame, at: int) -> None:
    """The sample where they are parted belongs to both."""
    number = pl.int_range(pl.len())
    parts = [lines.filter(number <= at), lines.filter(number >= at)]
    summed = (
        pl.concat(intervals_from_samples(part) for part in parts)
        .group_by("site_id", "timestamp")
        .agg(pl.col(ADDITIVE).sum())
        .sort("site_id", "timestamp")
    )
    whole = intervals_from_samples(lines)
    assert_frame_equal(summed, whole.select(summed.columns), rel_tol=0, abs_tol=NANO_WH)


@settings(deadline=None)
@given(lines=lines(), step=st.integers(0, 40))
def test_windows_with_their_neighbouring_samples_give_the_rows_of_the_whole(
    lines: pl.DataFrame, step: int
) -> None:
    edge = NOON + step * STEP
    time = pl.col("timestamp")
    last_before = time.filter(time < edge).max().over("site_id")
    first_after = time.filter(time >= edge).min().over("site_id")
    before = intervals_from_samples(lines.filter((time < edge) | (time == first_after)))
    after = intervals_from_samples(lines.filter((time >= edge) | (time == last_before)))
    windows = [before.filter(time < edge), after.filter(time >= edge)]
    assert_frame_equal(
        pl.concat(windows).sort("site_id", "timestamp"),
        intervals_from_samples(lines),
        rel_tol=0,
        abs_tol=NANO_WH,
    )


@settings(deadline=None)
@given(lines=lines(), power=st.integers(-6, 6))
def test_scaling_power_scales_energy(lines: pl.DataFrame, power: int) -> None:
    powers = [name for name in POWERS.values() if name.endswith("_w")]
    scaled = lines.with_columns(pl.col(powers) * 2.0**power)
    energies = (*TOTALS_WH, *FLOWS_WH, "residual_wh")
    assert_frame_equal(
        intervals_from_samples(scaled),
        intervals_from_samples(lines).with_columns(pl.col(energies) * 2.0**power),
        rel_tol=0,
        abs_tol=NANO_WH * 2.0 ** max(power, 0),
    )


@settings(deadline=None)
@given(lines=lines(), parts=st.sampled_from([2, 4, 5]))
def test_more_samples_on_the_same_lines_change_nothing(lines: pl.DataFrame, parts: int) -> None:
    names = list(POWERS.values())
    added = []
    for site in lines.partition_by("site_id"):
        for one, other in pairwise(site.rows(named=True)):
            gap = other["timestamp"] - one["timestamp"]
            for part in (n / parts for n in range(1, parts) if gap <= LONGEST_GAP):
                between = {name: one[name] + (other[name] - one[name]) * part for name in names}
                added.append(one | between | {"timestamp": one["timestamp"] + gap * part})
    finer = pl.concat([lines, pl.DataFrame(added, ENERGY_STATES)])
    assert_frame_equal(
        intervals_from_samples(finer), intervals_from_samples(lines), rel_tol=0, abs_tol=NANO_WH
    )


WEEKS = timedelta(days=28)
DAY_FLOWS = {name: name.replace("_wh", "_kwh") for name in FLOWS_WH[:7]} | {
    "solar_wh": "solar_produced_kwh",
    "home_wh": "home_consumed_kwh",
    "battery_charge_wh": "battery_charged_kwh",
    "battery_discharge_wh": "battery_discharged_kwh",
    "grid_import_wh": "grid_imported_kwh",
    "grid_export_wh": "grid_exported_kwh",
}
"""What the simulator's truth calls a day's columns."""


ANSWERED = ("solar_power", "battery_power", "grid_power", "load_power", "generator_power")


def answers_of(site: int, times_s: Sequence[float]) -> pl.DataFrame:
    """The samples that `live_status` gives at some instants."""
    answers = [(time_s, live_status(FLEET, FLEET.sites[site], time_s)) for time_s in times_s]
    rows = [
        {
            "site_id": "home",
            "timestamp": datetime.fromtimestamp(time_s, UTC),
            "battery_percentage": answer["percentage_charged"],
        }
        | {f"{name}_w": answer[name] for name in ANSWERED}
        for time_s, answer in answers
    ]
    return pl.DataFrame(rows, ENERGY_STATES)


@pytest.mark.parametrize("site", range(3), ids=SITES)
def test_days_from_samples_a_minute_apart_are_what_happened(site: int) -> None:
    sites = pl.DataFrame({"site_id": ["home"], "time_zone": [FLEET.sites[site].zone]})
    windows = day_windows(sites, FIRST, FIRST + WEEKS)
    start_s, end_s = windows["start"][0].timestamp(), windows["end"][-1].timestamp()
    times_s = [start_s - 43 + 60 * n for n in range(int((end_s - start_s) // 60) + 2)]
    days = daily_totals(intervals_from_samples(answers_of(site, times_s)), windows)
    assert days["coverage_pct"].to_list() == [100.0] * WEEKS.days
    for row in days.iter_rows(named=True):
        happened = day_truth(FLEET, FLEET.site_days.day(FLEET.sites[site], row["date"]))
        for name, kwh in DAY_FLOWS.items():
            wh = pytest.approx(happened[name], rel=0.01, abs=20)
            assert (name, row["date"], 1000 * row[kwh]) == (name, row["date"], wh)
