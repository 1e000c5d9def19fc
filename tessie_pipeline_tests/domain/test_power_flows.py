"""The split of totals into flows: by hand, against Tesla's own, and for any numbers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import intervals_from_history
from tessie_pipeline.domain.power_flows import home_by_balance, split_flows
from tessie_pipeline.domain.samples import FLOWS_WH, TOTALS_WH, UTC_TIME
from tessie_pipeline.simulator.energy_rounding import Bucket, day_buckets
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.truth import FLOWS as TRUE_FLOWS
from tessie_pipeline.simulator.truth import day_truth
from tessie_pipeline.tesla.history import decode_energy_history
from tessie_pipeline_tests.tesla.captured import captured_text

TO_HOME = [name for name in FLOWS_WH if name.endswith("_to_home_wh")]
SIDES = {
    "solar_wh": [name for name in FLOWS_WH if name.startswith("solar_to_")],
    "generator_wh": [name for name in FLOWS_WH if name.startswith("generator_to_")],
    "battery_discharged_wh": [name for name in FLOWS_WH if name.startswith("battery_to_")],
    "grid_imported_wh": [name for name in FLOWS_WH if name.startswith("grid_to_")],
    "battery_charged_wh": [name for name in FLOWS_WH if name.endswith("_to_battery_wh")],
    "grid_exported_wh": [name for name in FLOWS_WH if name.endswith("_to_grid_wh")],
    "home_wh": TO_HOME,
}
"""The flows that make up each total."""
SOURCES = ("solar_wh", "generator_wh", "battery_discharged_wh", "grid_imported_wh")


def totals(*rows: Mapping[str, float | None]) -> pl.DataFrame:
    """Rows of totals, 0 unless they say otherwise."""
    full = [{**dict.fromkeys(TOTALS_WH, 0.0), **row} for row in rows]
    return pl.DataFrame(full, dict.fromkeys(TOTALS_WH, pl.Float64()))


def wh(**named: float | None) -> dict[str, float | None]:
    return {f"{name}_wh": value for name, value in named.items()}


def flows_of(row: Mapping[str, float | None]) -> dict[str, float]:
    """The flows of one row that are not 0."""
    found = split_flows(totals(row)).row(0, named=True)
    return {name.removesuffix("_wh"): found[name] for name in FLOWS_WH if found[name] != 0}


CASES = {
    "at night the battery serves the home": (
        wh(battery_discharged=36, home=36),
        {"battery_to_home": 36},
    ),
    "what the battery cannot give comes from the grid": (
        wh(battery_discharged=400, grid_imported=50, home=450),
        {"battery_to_home": 400, "grid_to_home": 50},
    ),
    "solar serves the home, then the battery, then the grid": (
        wh(solar=724, home=38, battery_charged=684, grid_exported=2),
        {"solar_to_home": 38, "solar_to_battery": 684, "solar_to_grid": 2},
    ),
    "solar that does not suffice is added to": (
        wh(solar=100, battery_discharged=60, grid_imported=10, home=170),
        {"solar_to_home": 100, "battery_to_home": 60, "grid_to_home": 10},
    ),
    "the grid charges what solar leaves over": (
        wh(solar=100, grid_imported=250, home=80, battery_charged=270),
        {"solar_to_home": 80, "solar_to_battery": 20, "grid_to_battery": 250},
    ),
    "the grid charges and helps the home": (
        wh(solar=100, grid_imported=400, home=150, battery_charged=350),
        {"solar_to_home": 100, "grid_to_home": 50, "grid_to_battery": 350},
    ),
    "the battery is exported once the home has its part": (
        wh(solar=20, battery_discharged=300, home=70, grid_exported=250),
        {"solar_to_home": 20, "battery_to_home": 50, "battery_to_grid": 250},
    ),
    "solar and the battery are exported together": (
        wh(solar=100, battery_discharged=300, home=70, grid_exported=330),
        {"solar_to_home": 70, "solar_to_grid": 30, "battery_to_grid": 300},
    ),
    "a generator fills in before the battery": (
        wh(solar=10, generator=200, battery_discharged=5, home=215),
        {"solar_to_home": 10, "generator_to_home": 200, "battery_to_home": 5},
    ),
    "a generator charges the battery, solar goes home first": (
        wh(solar=30, generator=200, home=90, battery_charged=140),
        {"solar_to_home": 30, "generator_to_home": 60, "generator_to_battery": 140},
    ),
    "a generator is exported after solar": (
        wh(solar=30, generator=20, home=10, battery_charged=5, grid_exported=35),
        {
            "solar_to_home": 10, "solar_to_battery": 5, "solar_to_grid": 15,
            "generator_to_grid": 20,
        },
    ),
    "what is imported and exported in turn is both": (
        wh(solar=250, grid_imported=100, grid_exported=100, home=250),
        {"solar_to_home": 150, "grid_to_home": 100, "solar_to_grid": 100},
    ),
    "what is charged and discharged in turn is both": (
        wh(solar=250, battery_charged=100, battery_discharged=90, home=240),
        {"solar_to_home": 150, "battery_to_home": 90, "solar_to_battery": 100},
    ),
    "a house without any power has no flows": (wh(), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_by_teslas_priority(case: str) -> None:
    given_wh, expected = CASES[case]
    assert flows_of(given_wh) == expected
    assert split_flows(totals(given_wh))["residual_wh"].item() == 0


@pytest.mark.parametrize(
    ("given_wh", "expected", "residual_wh"),
    [
        (
            wh(grid_imported=100, home=93),
            {"grid_to_home": 93},
            7,
        ),
        (
            wh(solar=50, battery_discharged=40, home=100),
            {"solar_to_home": 50, "battery_to_home": 40},
            -10,
        ),
        (
            wh(solar=60, home=20, battery_charged=50),
            {"solar_to_home": 10, "solar_to_battery": 50},
            -10,
        ),
        (
            wh(solar=60, battery_charged=75),
            {"solar_to_battery": 60},
            -15,
        ),
        (wh(battery_discharged=30, battery_charged=30), {}, 0),
        (wh(grid_imported=30, grid_exported=30), {}, 0),
    ],
    ids=[
        "more than the home says", "less than the home says", "the home goes short",
        "solar cannot give what it has not", "a battery into itself", "the grid into itself",
    ],
)  # fmt: skip
def test_what_does_not_balance_stays_unassigned(
    given_wh: dict[str, float | None], expected: dict[str, float], residual_wh: float
) -> None:
    assert flows_of(given_wh) == expected
    assert split_flows(totals(given_wh))["residual_wh"].item() == residual_wh


def test_what_is_known_to_have_passed_between_battery_and_grid_is_not_guessed() -> None:
    row = wh(solar=100, grid_imported=60, home=80, battery_charged=80)
    assert flows_of(row) == {"solar_to_home": 80, "solar_to_battery": 20, "grid_to_battery": 60}
    measured = totals(row).with_columns(
        grid_to_battery_wh=pl.lit(25.0), battery_to_grid_wh=pl.lit(0.0)
    )
    found = split_flows(measured, has_exchanges=True).row(0, named=True)
    assert {name: found[name] for name in FLOWS_WH if found[name]} == wh(
        solar_to_home=45, solar_to_battery=55, grid_to_home=35, grid_to_battery=25
    )


@pytest.mark.parametrize("passed_wh", [0.0, 7.0, 500.0])
def test_no_more_passes_between_battery_and_grid_than_both_say(passed_wh: float) -> None:
    row = wh(battery_discharged=10, grid_exported=30, solar=40, home=20)
    measured = totals(row).with_columns(
        grid_to_battery_wh=pl.lit(passed_wh), battery_to_grid_wh=pl.lit(passed_wh)
    )
    found = split_flows(measured, has_exchanges=True).row(0, named=True)
    assert found["grid_to_battery_wh"] == 0
    assert found["battery_to_grid_wh"] == min(passed_wh, 10)
    assert_conserved(found, 0)


@pytest.mark.parametrize("name", [name for name in TOTALS_WH if name != "generator_wh"])
def test_flows_are_unknown_where_a_total_is(name: str) -> None:
    row = dict.fromkeys(TOTALS_WH, 5.0) | {name: None}
    found = split_flows(totals(row)).row(0, named=True)
    assert {found[flow] for flow in (*FLOWS_WH, "residual_wh")} == {None}
    assert {total: found[total] for total in TOTALS_WH} == row


def test_a_site_that_says_nothing_of_a_generator_has_none() -> None:
    row = wh(solar=100, generator=None, home=60, grid_exported=40)
    found = split_flows(totals(row)).row(0, named=True)
    assert (found["solar_to_home_wh"], found["solar_to_grid_wh"]) == (60, 40)
    assert {found[flow] for flow in SIDES["generator_wh"]} == {None}
    assert found["residual_wh"] == 0


def test_the_home_is_what_balances_the_rest() -> None:
    rows = [
        wh(solar=100, generator=7, battery_charged=20, grid_exported=30),
        wh(battery_discharged=40, generator=None, grid_imported=2),
        wh(solar=10, grid_exported=12),
        wh(solar=None),
    ]
    assert totals(*rows).select(home_by_balance()).to_series().to_list() == [57, 42, 0, None]


def test_teslas_own_split_is_found_from_its_totals_to_the_watt_hour() -> None:
    text = captured_text("calendar_history/energy_two_buckets")
    buckets, _ = decode_energy_history(pl.DataFrame({"site_id": ["home"], "body": [text]}))
    sites = pl.DataFrame({"site_id": ["home"], "time_zone": ["Australia/Brisbane"]})
    days = day_windows(sites, date(2024, 9, 18), date(2024, 9, 19))
    received_at = pl.lit(datetime(2024, 9, 20, tzinfo=UTC), UTC_TIME)
    no_charge = pl.DataFrame(
        schema={"site_id": pl.String(), "timestamp": UTC_TIME, "soe": pl.Float64()}
    )
    found = intervals_from_history(buckets, no_charge, days.with_columns(received_at=received_at))
    assert found.height == 2
    ours = split_flows(found.drop(FLOWS_WH)).select(found.columns)
    assert_frame_equal(ours, found, check_exact=True)


def by_priority(row: Mapping[str, float]) -> dict[str, float]:
    """Tesla's rule word by word: each source in turn serves its uses in turn."""
    left = dict(row)
    uses = {"home": "home_wh", "battery": "battery_charged_wh", "grid": "grid_exported_wh"}
    sources = dict(zip(("solar", "generator", "battery", "grid"), SOURCES, strict=True))
    flows = {}
    for source, given_name in sources.items():
        for use, taken_name in uses.items():
            if source != use:
                flow = min(left[given_name], left[taken_name])
                left[given_name] -= flow
                left[taken_name] -= flow
                flows[f"{source}_to_{use}_wh"] = flow
    return flows


@st.composite
def instants(draw: st.DrawFn) -> dict[str, float]:
    """Totals of an instant that balance: battery and grid keep to one direction [whole Wh]."""
    energy = st.integers(0, 2000)
    row = dict.fromkeys(TOTALS_WH, 0.0) | {"solar_wh": draw(energy)}
    row["generator_wh"] = draw(st.just(0) | energy)
    row[draw(st.sampled_from(["battery_discharged_wh", "battery_charged_wh"]))] = draw(energy)
    spent = draw(energy)
    over = sum(row[name] for name in SOURCES) - row["battery_charged_wh"] - spent
    row["grid_exported_wh"], row["grid_imported_wh"] = max(0, over), max(0, -over)
    return row | {"home_wh": spent}


def assert_conserved(row: Mapping[str, float], tolerance: float) -> None:
    """Each total is the sum of its flows."""
    for total, flows in SIDES.items():
        assert sum(row[flow] for flow in flows) == pytest.approx(row[total], abs=tolerance)


@settings(deadline=None)
@given(rows=st.lists(instants(), min_size=1, max_size=8))
def test_an_instant_is_split_by_teslas_rule(rows: list[dict[str, float]]) -> None:
    found = split_flows(totals(*rows))
    for row, split in zip(rows, found.iter_rows(named=True), strict=True):
        assert {name: split[name] for name in FLOWS_WH} == by_priority(row)
        assert_conserved(split, 0)


@settings(deadline=None)
@given(rows=st.lists(instants(), min_size=1, max_size=8))
def test_what_is_summed_over_both_directions_is_conserved(rows: list[dict[str, float]]) -> None:
    found = split_flows(totals(*rows).sum()).row(0, named=True)
    assert min(found[name] for name in FLOWS_WH) >= 0
    assert found["residual_wh"] == 0
    assert_conserved(found, 0)


any_totals = st.fixed_dictionaries(
    {name: st.just(0.0) | st.floats(0, 1e5) | st.integers(0, 50).map(float) for name in TOTALS_WH}
)


@settings(deadline=None)
@given(rows=st.lists(any_totals, min_size=1, max_size=8))
def test_no_energy_is_made_whatever_the_totals(rows: list[dict[str, float]]) -> None:
    for row in split_flows(totals(*rows)).iter_rows(named=True):
        assert min(row[name] for name in FLOWS_WH) >= 0
        over = {
            total: row[total] - sum(row[flow] for flow in flows) for total, flows in SIDES.items()
        }
        assert min(over.values()) >= -1e-9
        unassigned = sum(-wh if total not in SOURCES else wh for total, wh in over.items())
        assert unassigned == pytest.approx(row["residual_wh"], abs=1e-6)


@settings(deadline=None)
@given(rows=st.lists(any_totals, min_size=1, max_size=8), power=st.integers(-8, 8))
def test_scaling_totals_scales_flows(rows: list[dict[str, float]], power: int) -> None:
    factor = 2.0**power
    names = [*TOTALS_WH, *FLOWS_WH, "residual_wh"]
    assert_frame_equal(
        split_flows(totals(*rows) * factor), split_flows(totals(*rows)).select(names) * factor
    )


FLEET = Fleet(seed=19, sites=3, vehicles=3)
FIRST, DAYS = date(2026, 3, 8), 29
"""With a change of clocks and an outage at each site."""
SITES = ["Los Angeles", "Berlin, charged at night", "Adelaide, exporting in the evening"]


@pytest.mark.parametrize("site", range(3), ids=SITES)
def test_flows_from_totals_are_what_happened(site: int) -> None:
    """As near as whole watt-hours are: a flow strays by half of one a day, a bucket by 1."""
    outages = 0
    for number in range(DAYS):
        day = FLEET.site_days.day(FLEET.sites[site], FIRST + timedelta(days=number))
        outages += day.outage is not None
        buckets = pl.DataFrame([bucket_totals(bucket) for bucket in day_buckets(day)])
        found = split_flows(buckets)
        assert found["residual_wh"].abs().max() == 0
        sums = found.select(TRUE_FLOWS).sum().row(0, named=True)
        happened = day_truth(FLEET, day)
        for name in TRUE_FLOWS:
            assert sums[name] == pytest.approx(happened[name], rel=0.0005, abs=2)
    assert outages > 0


def bucket_totals(bucket: Bucket) -> dict[str, float]:
    """The totals that Tesla gives of a bucket, without its split."""
    flows = dict.fromkeys(FLOWS_WH, 0.0) | bucket._asdict()
    return {total: float(sum(flows[name] for name in names)) for total, names in SIDES.items()}
