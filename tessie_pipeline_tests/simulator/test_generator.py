"""The generator of the homes in Boston: when it runs, and what becomes of its energy."""

from datetime import UTC, date, datetime, timedelta

import pytest

from tessie_pipeline.simulator.battery import Battery, Demand, Flows, dispatch
from tessie_pipeline.simulator.calendar_history import energy_series, power_series, window
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import generator_powers_w
from tessie_pipeline.simulator.powerwall import SiteDay
from tessie_pipeline.simulator.site_answers import live_status
from tessie_pipeline.simulator.truth import day_truth, interval_truth

FLEET = Fleet(seed=5, sites=4, vehicles=8)
BOSTON = FLEET.sites[3]
YEAR = [date(2025, 3, 1) + timedelta(days=offset) for offset in range(365)]
TESTED = date(2026, 2, 7)
"""The first Saturday of that February."""


def running(day: SiteDay) -> list[int]:
    """The instants [unix s] at which the generator could give power."""
    powers_w = generator_powers_w(day.site, day.day, day.outage)
    return [day.start_s + 300 * step for step, power_w in enumerate(powers_w) if power_w]


def met(stored_wh: float, **demand: float) -> Flows:
    """The flows of a step in which two Powerwalls meet a home of 1 kW and a generator of 9 kW."""
    whole = {"solar_w": 0.0, "generator_w": 9000.0, "home_w": 1000.0, "floor_wh": 5400.0}
    levels = {"grid_charge_w": 1700.0, "export_above_wh": 27_000.0}
    return dispatch(
        Battery(count=2), Demand(**(whole | levels | demand), is_grid_up=True), stored_wh
    )


def flowing(flows: Flows) -> dict[str, float]:
    """The flows that are not 0, without their unit."""
    return {name[:-2]: power for name, power in flows._asdict().items() if power and "_to_" in name}


def test_it_runs_from_ten_minutes_into_an_outage_to_its_end() -> None:
    outages = [day for day in (FLEET.site_days.day(BOSTON, d) for d in YEAR) if day.outage]
    assert outages
    for day in outages:
        assert day.outage is not None
        assert running(day) == list(range(day.outage.start_s + 600, day.outage.end_s, 300))


def test_it_is_tested_for_two_hours_on_the_first_saturday_of_a_month() -> None:
    days = [d for d in YEAR if any(generator_powers_w(BOSTON, d, None))]
    assert len(days) == 12
    assert TESTED in days
    assert all(d.isoweekday() == 6 and d.day <= 7 for d in days)
    at_s = running(FLEET.site_days.day(BOSTON, TESTED))
    # 17:00 in Boston is 22:00 in UTC in winter.
    five = datetime(2026, 2, 7, 22, tzinfo=UTC).timestamp()
    assert at_s == [five + 300 * step for step in range(24)]


def test_homes_elsewhere_have_none() -> None:
    for site in FLEET.sites[:3]:
        assert not any(generator_powers_w(site, TESTED, None))


@pytest.mark.parametrize(
    ("flows", "expected"),
    [
        pytest.param(
            met(10_000),
            {"generator_to_home": 1000, "generator_to_battery": 8000},
            id="the home, then the battery",
        ),
        pytest.param(
            met(27_000 - 190),  # 200 Wh of room, at 95 %, are 2400 W for five minutes
            {"generator_to_home": 1000, "generator_to_battery": 2400},
            id="no more than the battery takes",
        ),
        pytest.param(met(27_000), {"generator_to_home": 1000}, id="no more than the home takes"),
        pytest.param(
            met(10_000, solar_w=6000),
            {"solar_to_home": 1000, "solar_to_battery": 5000, "generator_to_battery": 5000},
            id="after solar, up to the power of the battery",
        ),
        pytest.param(
            met(27_000, solar_w=6000),
            {"solar_to_home": 1000, "solar_to_grid": 5000},
            id="never to the grid",
        ),
        pytest.param(
            met(10_000, home_w=12_000),
            {"generator_to_home": 9000, "battery_to_home": 3000},
            id="the battery adds what is missing",
        ),
        pytest.param(
            met(5000, home_w=12_000),
            {"generator_to_home": 9000, "grid_to_home": 3000, "grid_to_battery": 1700},
            id="an empty battery leaves it to the grid",
        ),
        pytest.param(
            met(20_000, export_above_wh=10_000),
            {"generator_to_home": 1000, "generator_to_battery": 8000},
            id="a battery that is charged exports nothing",
        ),
    ],
)
def test_it_gives_what_solar_leaves_to_home_and_battery(
    flows: Flows, expected: dict[str, float]
) -> None:
    assert flowing(flows) == pytest.approx(expected)


def test_the_truth_of_a_day_with_it_balances() -> None:
    day = FLEET.site_days.day(BOSTON, TESTED)
    truth, intervals = day_truth(FLEET, day), interval_truth(day)
    assert truth["generator_to_battery_wh"] > 1000
    for one in (truth, *intervals):
        into_wh = one["solar_wh"] + one["generator_wh"]
        into_wh += one["battery_discharge_wh"] + one["grid_import_wh"]
        out_wh = one["home_wh"] + one["battery_charge_wh"] + one["grid_export_wh"]
        assert into_wh == pytest.approx(out_wh)
    for name in ("generator_wh", "generator_to_home_wh", "generator_to_battery_wh"):
        assert sum(one[name] for one in intervals) == pytest.approx(truth[name])


def test_teslas_answers_tell_of_it() -> None:
    day = FLEET.site_days.day(BOSTON, TESTED)
    truth = day_truth(FLEET, day)
    start = datetime.fromtimestamp(day.start_s, UTC).isoformat()
    asked = window(BOSTON, "day", start, None, BOSTON.zone, day.end_s)
    energy = energy_series(FLEET.site_days, BOSTON, asked, "day", day.end_s)
    for theirs, ours in (
        ("generator_energy_exported", "generator_wh"),
        ("consumer_energy_imported_from_generator", "generator_to_home_wh"),
        ("battery_energy_imported_from_generator", "generator_to_battery_wh"),
    ):
        assert sum(bucket[theirs] for bucket in energy) == pytest.approx(truth[ours], abs=1)
    assert {bucket["grid_energy_exported_from_generator"] for bucket in energy} == {0}
    powers = [
        bucket["generator_power"]
        for bucket in power_series(FLEET.site_days, BOSTON, asked, day.end_s)
    ]
    assert sum(powers) / 12 == pytest.approx(truth["generator_wh"], abs=12)
    for at_s in running(day):
        live = live_status(FLEET, BOSTON, at_s + 60)
        assert live["generator_power"] == powers[(at_s - day.start_s) // 300] > 0
        assert live["load_power"] == (
            live["solar_power"]
            + live["battery_power"]
            + live["grid_power"]
            + live["generator_power"]
        )
