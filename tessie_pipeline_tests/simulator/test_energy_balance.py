from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessie_pipeline.simulator.battery import STEP_H, Battery, Demand, dispatch
from tessie_pipeline.simulator.energy_rounding import day_buckets, rounded_cumulatively
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import home_powers_w, outage_on, solar_powers_w
from tessie_pipeline.simulator.powerwall import SiteDay
from tessie_pipeline.simulator.truth import day_truth

some_days = st.builds(
    lambda seed, site, offset: _day(seed, site, date(2023, 1, 1) + timedelta(days=offset)),
    st.integers(0, 50),
    st.integers(0, 3),
    st.integers(0, 1400),
)
few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def _day(seed: int, site: int, day: date) -> SiteDay:
    fleet = Fleet(seed, sites=4, vehicles=8)
    return fleet.site_days.day(fleet.sites[site], day)


@few
@given(some_days)
def test_every_step_conserves_energy(day: SiteDay) -> None:
    battery = day.site.battery
    solar_w = solar_powers_w(day.site, day.day)
    home_w = home_powers_w(day.site, day.day)
    before_wh = day.stored_start_wh
    for step in range(day.steps):
        flow = day.flows(step)
        assert min(flow) >= 0.0
        produced = flow.solar_to_home_w + flow.solar_to_battery_w + flow.solar_to_grid_w
        used = flow.solar_to_home_w + flow.battery_to_home_w + flow.grid_to_home_w
        used += flow.generator_to_home_w
        if day.outage is None:
            assert produced == pytest.approx(solar_w[step], abs=1e-6)
            assert used == pytest.approx(home_w[step] + day.car_w[step], abs=1e-6)
        balance_w = flow.solar_w + flow.generator_w + flow.battery_w + flow.grid_w
        assert balance_w == pytest.approx(used, abs=1e-6)
        assert flow.generator_w <= day.site.generator_w + 1e-6
        charge_w = flow.solar_to_battery_w + flow.grid_to_battery_w + flow.generator_to_battery_w
        discharge_w = flow.battery_to_home_w + flow.battery_to_grid_w
        assert charge_w == 0.0 or discharge_w == 0.0
        assert charge_w <= battery.power_w + 1e-6
        assert discharge_w <= battery.power_w + 1e-6
        stored_wh = (
            before_wh
            + charge_w * battery.charge_efficiency * STEP_H
            - discharge_w / battery.discharge_efficiency * STEP_H
        )
        assert flow.stored_wh == pytest.approx(stored_wh, abs=1e-5)
        assert 0.0 <= flow.stored_wh <= battery.capacity_wh
        before_wh = flow.stored_wh


@few
@given(some_days)
def test_identities_hold_to_the_wh_in_every_bucket(day: SiteDay) -> None:
    for bucket in day_buckets(day):
        wh = bucket.answer()
        assert min(wh.values()) >= 0
        assert wh["solar_energy_exported"] == (
            wh["grid_energy_exported_from_solar"]
            + wh["battery_energy_imported_from_solar"]
            + wh["consumer_energy_imported_from_solar"]
        )
        assert wh["battery_energy_exported"] == (
            wh["consumer_energy_imported_from_battery"] + wh["grid_energy_exported_from_battery"]
        )
        assert wh["grid_energy_imported"] == (
            wh["consumer_energy_imported_from_grid"] + wh["battery_energy_imported_from_grid"]
        )
        assert wh.get("total_home_usage", 0) == (
            wh["consumer_energy_imported_from_grid"]
            + wh["consumer_energy_imported_from_solar"]
            + wh["consumer_energy_imported_from_battery"]
            + wh["consumer_energy_imported_from_generator"]
        )
        assert wh["generator_energy_exported"] == (
            wh["grid_energy_exported_from_generator"]
            + wh["battery_energy_imported_from_generator"]
            + wh["consumer_energy_imported_from_generator"]
        )
        assert not (wh.get("total_battery_charge") and wh.get("total_battery_discharge"))
        assert not (wh["grid_energy_imported"] and wh.get("total_grid_energy_exported"))


@few
@given(some_days)
def test_a_days_whole_wh_differ_from_the_truth_by_rounding_of_the_day_only(day: SiteDay) -> None:
    truth = day_truth(Fleet(0, 0, 0), day)
    answers = [bucket.answer() for bucket in day_buckets(day)]
    for ours, theirs in (
        ("solar_wh", "solar_energy_exported"),
        ("generator_wh", "generator_energy_exported"),
        ("home_wh", "total_home_usage"),
        ("grid_import_wh", "grid_energy_imported"),
        ("battery_charge_wh", "total_battery_charge"),
        ("battery_discharge_wh", "battery_energy_exported"),
    ):
        assert sum(answer.get(theirs, 0) for answer in answers) == pytest.approx(
            truth[ours], abs=1.5
        )


@given(st.lists(st.floats(0.0, 20_000.0), max_size=300))
def test_cumulative_rounding_never_strays_over_half_a_wh(powers_w: list[float]) -> None:
    rounded = rounded_cumulatively(powers_w)
    assert abs(sum(rounded) - sum(powers_w) * STEP_H) <= 0.5 + 1e-6
    assert all(wh == 0 for wh, power_w in zip(rounded, powers_w, strict=True) if power_w == 0.0)


@given(
    solar_w=st.floats(0, 12_000),
    generator_w=st.sampled_from([0.0, 9_000.0]) | st.floats(0, 12_000),
    home_w=st.floats(0, 25_000),
    floor_pct=st.sampled_from([0, 20, 50]),
    export_pct=st.sampled_from([60, 100]),
    is_grid_up=st.booleans(),
    contents=st.tuples(st.floats(0, 27_000), st.floats(0, 27_000)),
)
def test_a_fuller_battery_stays_the_fuller_one(
    solar_w: float,
    generator_w: float,
    home_w: float,
    floor_pct: int,
    export_pct: int,
    is_grid_up: bool,
    contents: tuple[float, float],
) -> None:
    battery = Battery(count=2)
    demand = Demand(
        solar_w, generator_w, home_w, 270.0 * floor_pct, 1700.0, 270.0 * export_pct, is_grid_up
    )
    low_wh, high_wh = sorted(contents)
    low, high = dispatch(battery, demand, low_wh), dispatch(battery, demand, high_wh)
    assert low.stored_wh <= high.stored_wh + 1e-6


def test_an_outage_islands_the_home() -> None:
    fleet = Fleet(3, sites=1, vehicles=0)
    site = fleet.sites[0]
    days = (date(2025, 1, 1) + timedelta(days=offset) for offset in range(365))
    out = next(day for day in days if outage_on(site, day, [0.0] * 276))
    day = fleet.site_days.day(site, out)
    assert day.outage is not None
    for step in range(day.steps):
        if day.outage.start_s <= day.start_s + step * 300 < day.outage.end_s:
            flow = day.flows(step)
            assert flow.grid_to_home_w == flow.solar_to_grid_w == flow.grid_to_battery_w == 0.0


def test_a_household_is_plausible() -> None:
    fleet = Fleet(1, sites=1, vehicles=2)
    site = fleet.sites[0]
    for month, solar_low_kwh, solar_high_kwh in ((1, 10, 35), (6, 30, 62)):
        days = [fleet.site_days.day(site, date(2025, month, d)) for d in range(1, 29)]
        truths = [day_truth(fleet, day) for day in days]
        solar_kwh = sum(truth["solar_wh"] for truth in truths) / 28_000
        cars_kwh = sum(sum(truth["cars_wh"].values()) for truth in truths) / 28_000
        own_kwh = sum(truth["home_wh"] for truth in truths) / 28_000 - cars_kwh
        assert solar_low_kwh < solar_kwh < solar_high_kwh
        assert 15 < own_kwh < 40
        assert 5 < cars_kwh < 30
