"""Mean powers as intervals, and the choice between sources."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import CALENDAR_HISTORY, daily_totals
from tessie_pipeline.domain.interval_sources import (
    CALENDAR_HISTORY_POWER,
    best_intervals,
    intervals_from_power,
    is_better,
)
from tessie_pipeline.domain.live_intervals import LIVE_STATUS
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, FLOWS_WH, TOTALS_WH, UTC_TIME
from tessie_pipeline.simulator.calendar_history import power_series, soe_series, window
from tessie_pipeline.simulator.truth import day_truth
from tessie_pipeline.tesla.history import (
    POWER_FIELDS,
    decode_power_history,
    decode_soe_history,
)
from tessie_pipeline_tests.domain.test_live_intervals import DAY_FLOWS
from tessie_pipeline_tests.domain.test_power_flows import FIRST, FLEET, SITES, assert_conserved

MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
STEP, DAY = timedelta(minutes=5), timedelta(days=1)


def of_powers(
    *rows: Mapping[str, float | None],
    received_at: datetime = MIDNIGHT + 2 * DAY,
    soe: Mapping[datetime, float] | None = None,
) -> pl.DataFrame:
    """The intervals of buckets at home, at UTC, from midnight on; powers are 0 unless given."""
    schema = {"site_id": pl.String(), "timestamp": UTC_TIME}
    buckets = [
        {"site_id": "home", "timestamp": MIDNIGHT + number * STEP}
        | dict.fromkeys(POWER_FIELDS, 0.0)
        | {f"{name}_power": value for name, value in row.items()}
        for number, row in enumerate(rows)
    ]
    charge = [("home", *row) for row in (soe or {}).items()]
    sites = pl.DataFrame({"site_id": ["home"], "time_zone": ["UTC"]})
    days = day_windows(sites, MIDNIGHT.date(), MIDNIGHT.date() + DAY)
    found = intervals_from_power(
        pl.DataFrame(buckets, schema | dict.fromkeys(POWER_FIELDS, pl.Float64())),
        pl.DataFrame(charge, schema | {"soe": pl.Float64()}, orient="row"),
        days.with_columns(received_at=pl.lit(received_at, UTC_TIME)),
    )
    assert found.schema == ENERGY_INTERVALS
    return found


def test_mean_powers_are_energies_with_the_home_by_balance() -> None:
    (row,) = of_powers(
        {"solar": 3600, "battery": -1200, "grid": -600}, soe={MIDNIGHT + STEP: 55}
    ).rows(named=True)
    energies = {name: row[name] for name in (*TOTALS_WH, *FLOWS_WH) if row[name]}
    assert energies == pytest.approx(
        {
            "solar_wh": 300, "battery_charged_wh": 100, "grid_exported_wh": 50, "home_wh": 150,
            "solar_to_home_wh": 150, "solar_to_battery_wh": 100, "solar_to_grid_wh": 50,
        }
    )  # fmt: skip
    assert (row["timestamp"], row["source"]) == (MIDNIGHT, "calendar_history_power")
    assert (row["coverage"], row["soc_pct"]) == (1, 55)


def test_a_mean_power_has_one_direction() -> None:
    rows = of_powers({"battery": 120, "grid": 60}, {"battery": -120, "grid": 180})
    assert rows["battery_discharged_wh"].to_list() == pytest.approx([10, 0])
    assert rows["battery_charged_wh"].to_list() == pytest.approx([0, 10])
    assert rows["grid_imported_wh"].to_list() == pytest.approx([5, 15])
    assert rows["home_wh"].to_list() == pytest.approx([15, 5])


def test_solar_below_zero_counts_as_none_and_a_generator_counts() -> None:
    (row,) = of_powers({"solar": -12, "grid": 60, "generator": 120}).rows(named=True)
    assert (row["solar_wh"], row["generator_to_home_wh"]) == (0, pytest.approx(10))
    assert row["home_wh"] == pytest.approx(15)


@pytest.mark.parametrize("name", ["solar", "battery", "grid"])
def test_a_power_that_is_missing_leaves_the_home_and_the_flows_unknown(name: str) -> None:
    (row,) = of_powers({"solar": 60, "battery": 60, "grid": 60} | {name: None}).rows(named=True)
    assert row["home_wh"] is None
    assert {row[flow] for flow in FLOWS_WH} == {None}
    assert sum(row[total] is not None for total in TOTALS_WH) >= 4
    assert row["coverage"] == 0


def test_a_bucket_that_still_ran_is_energy_as_far_as_it_had_run() -> None:
    found = of_powers(*[{"grid": 600}] * 3, received_at=MIDNIGHT + 1.4 * STEP)
    assert found["coverage"].to_list() == [1, 0.4]
    assert found["grid_imported_wh"].to_list() == pytest.approx([50, 20])


@pytest.mark.parametrize("site", range(3), ids=SITES)
def test_days_from_mean_powers_are_what_happened(site: int) -> None:
    """Mean powers are whole watts; the days with a change of clocks are among them."""
    household = FLEET.sites[site]
    sites = pl.DataFrame({"site_id": ["home"], "time_zone": [household.zone]})
    windows = day_windows(sites, FIRST, FIRST + 29 * DAY)
    now_s = windows["end"][-1].timestamp() + 3600
    answers: dict[str, list[str]] = {"power": [], "soe": []}
    for start in windows["start"]:
        asked = window(household, "day", start.isoformat(), None, None, now_s)
        for kind, series in (("power", power_series), ("soe", soe_series)):
            rows = series(FLEET.site_days, household, asked, now_s)
            answers[kind].append(json.dumps({"response": {"time_series": rows}}))
    power, soe = (pl.DataFrame({"site_id": "home", "body": answers[kind]}) for kind in answers)
    (powers, refused), (charge, refused_soe) = decode_power_history(power), decode_soe_history(soe)
    assert refused == refused_soe == []
    received_at = pl.lit(datetime.fromtimestamp(now_s, UTC), UTC_TIME)
    found = intervals_from_power(powers, charge, windows.with_columns(received_at=received_at))
    assert (found["residual_wh"].abs() < 1e-9).all()
    days = daily_totals(found, windows)
    assert days["coverage_pct"].to_list() == [100.0] * 29
    for row in days.iter_rows(named=True):
        happened = day_truth(FLEET, FLEET.site_days.day(household, row["date"]))
        for name, kwh in DAY_FLOWS.items():
            wh = pytest.approx(happened[name], rel=0.002, abs=5)
            assert (name, row["date"], 1000 * row[kwh]) == (name, row["date"], wh)


powers = st.integers(-9000, 9000).map(float) | st.floats(-9000, 9000)


@settings(deadline=None)
@given(solar=st.floats(0, 9000), battery=powers, home=st.floats(0, 9000))
def test_mean_powers_that_balance_are_conserved(solar: float, battery: float, home: float) -> None:
    grid = home - solar - battery
    (row,) = of_powers({"solar": solar, "battery": battery, "grid": grid}).rows(named=True)
    assert_conserved(row, 1e-9)
    assert min(row[name] for name in (*TOTALS_WH, *FLOWS_WH)) >= 0


def interval(source: str, coverage: float, home_wh: float | None = 5.0) -> dict[str, Any]:
    return {
        "site_id": "home",
        "timestamp": MIDNIGHT,
        "source": source,
        "coverage": coverage,
        "home_wh": home_wh,
    }


FROM_BEST_TO_WORST = [
    (CALENDAR_HISTORY, 1.0),
    (CALENDAR_HISTORY, 0.9),
    (CALENDAR_HISTORY_POWER, 1.0),
    (LIVE_STATUS, 1.0),
    (LIVE_STATUS, 0.95),
    ("a file", 1.0),
    (CALENDAR_HISTORY_POWER, 0.8),
    (CALENDAR_HISTORY, 0.6),
    (CALENDAR_HISTORY_POWER, 0.6),
    (LIVE_STATUS, 0.6),
    ("a file", 0.6),
    (CALENDAR_HISTORY, 0.1),
]


def best(*rows: dict[str, Any]) -> dict[str, Any]:
    found = best_intervals(pl.DataFrame(rows, ENERGY_INTERVALS))
    assert found.schema == ENERGY_INTERVALS
    return {"rows": found.height} | found.row(0, named=True)


@pytest.mark.parametrize("place", range(len(FROM_BEST_TO_WORST)))
def test_the_best_source_is_taken_if_it_covers_nearly_all_else_the_best_coverage(
    place: int,
) -> None:
    candidates = [interval(*row) for row in FROM_BEST_TO_WORST[place:]]
    taken = best(*candidates[1:], candidates[0])
    assert (taken["rows"], taken["source"], taken["coverage"]) == (1, *FROM_BEST_TO_WORST[place])


def replaces(new: tuple[str, float], old: tuple[str | None, float | None]) -> bool:
    frame = pl.DataFrame({"a": new[0], "b": new[1], "c": old[0], "d": old[1]})
    frame = frame.cast({"c": pl.String(), "d": pl.Float64()})
    return bool(frame.select(is_better(*map(pl.col, "abcd"))).item())


def test_a_worse_row_never_replaces_a_better_one_and_a_better_one_always_does() -> None:
    numbered = list(enumerate(FROM_BEST_TO_WORST))
    for (new_place, new), (old_place, old) in product(numbered, numbered):
        assert replaces(new, old) == (new_place <= old_place)


def test_what_is_not_stored_is_replaced_by_anything() -> None:
    assert replaces((LIVE_STATUS, 0.01), (None, None))


def test_rows_that_say_nothing_are_no_candidates() -> None:
    empty = interval(CALENDAR_HISTORY, 1, home_wh=None)
    assert best(empty, interval(LIVE_STATUS, 0.2))["source"] == LIVE_STATUS
    assert best_intervals(pl.DataFrame([empty], ENERGY_INTERVALS)).is_empty()


def test_a_better_source_that_lacks_a_power_does_not_replace_one_with_flows() -> None:
    (lacking,) = of_powers({"solar": 60, "battery": None, "grid": 60}).rows(named=True)
    live = interval(LIVE_STATUS, 0.2) | {"timestamp": lacking["timestamp"]}
    assert best(live, lacking | {"site_id": "home"})["source"] == LIVE_STATUS


def test_the_row_is_taken_whole_but_for_a_state_of_charge_that_it_lacks() -> None:
    live = interval(LIVE_STATUS, 1.0) | {"solar_wh": 3.0, "soc_pct": 50.0}
    energy = interval(CALENDAR_HISTORY, 1.0, home_wh=9.0)
    taken = best(live, energy)
    assert (taken["home_wh"], taken["solar_wh"], taken["soc_pct"]) == (9, None, 50)


def test_each_site_and_interval_has_its_own_best() -> None:
    rows = [
        interval(source, 1.0) | {"site_id": site, "timestamp": MIDNIGHT + number * STEP}
        for site, number, source in [
            ("hut", 1, LIVE_STATUS), ("home", 1, LIVE_STATUS), ("home", 0, CALENDAR_HISTORY),
            ("home", 0, LIVE_STATUS), ("hut", 0, CALENDAR_HISTORY_POWER), ("hut", 0, LIVE_STATUS),
        ]
    ]  # fmt: skip
    found = best_intervals(pl.DataFrame(rows, ENERGY_INTERVALS))
    assert found.select("site_id", "timestamp", "source").rows() == [
        ("home", MIDNIGHT, CALENDAR_HISTORY),
        ("home", MIDNIGHT + STEP, LIVE_STATUS),
        ("hut", MIDNIGHT, CALENDAR_HISTORY_POWER),
        ("hut", MIDNIGHT + STEP, LIVE_STATUS),
    ]


ranks = st.tuples(
    st.sampled_from([LIVE_STATUS, CALENDAR_HISTORY_POWER, CALENDAR_HISTORY, "a file"]),
    st.sampled_from([0.2, 0.5, 0.9, 1.0]),
    st.sampled_from([1.0, 2.0]),
)


@settings(deadline=None)
@given(rows=st.lists(ranks, min_size=1, max_size=4))
def test_the_order_of_candidates_changes_nothing(rows: list[tuple[str, float, float]]) -> None:
    frames = [
        best_intervals(pl.DataFrame([interval(*row) for row in order], ENERGY_INTERVALS))
        for order in permutations(rows)
    ]
    for frame in frames[1:]:
        assert_frame_equal(frame, frames[0], check_exact=True)


@settings(deadline=None)
@given(rows=st.lists(ranks, min_size=1, max_size=6))
def test_replacing_one_by_one_ends_at_the_best(rows: list[tuple[str, float, float]]) -> None:
    stored: tuple[str | None, float | None] = (None, None)
    for source, coverage, _ in rows:
        if replaces((source, coverage), stored):
            stored = (source, coverage)
    taken = best(*(interval(*row) for row in rows))
    assert stored == (taken["source"], taken["coverage"])
