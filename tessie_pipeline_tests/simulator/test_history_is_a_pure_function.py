from datetime import date, timedelta

import pytest

from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.motion import car_state, odometer_mi
from tessie_pipeline.simulator.powerwall import SiteDays


@pytest.mark.parametrize("site_index", range(4))
def test_a_day_is_the_same_alone_and_after_the_days_before_it(site_index: int) -> None:
    alone, in_order = Fleet(5, 4, 4), Fleet(5, 4, 4)
    first = date(2025, 9, 28)
    for offset in range(12):
        in_order.site_days.day(in_order.sites[site_index], first + timedelta(days=offset))
    last = first + timedelta(days=11)
    one = alone.site_days.day(alone.sites[site_index], last)
    other = in_order.site_days.day(in_order.sites[site_index], last)
    assert one.stored_start_wh == other.stored_start_wh
    assert one.columns == other.columns


def test_a_day_goes_on_where_the_day_before_ended() -> None:
    fleet = Fleet(2, 3, 3)
    for site in fleet.sites:
        later = SiteDays(fleet.car_powers_w).day(site, date(2026, 2, 11))
        earlier = SiteDays(fleet.car_powers_w).day(site, date(2026, 2, 10))
        assert earlier.stored_end_wh == later.stored_start_wh


def test_other_seeds_make_other_households() -> None:
    days = [
        fleet.site_days.day(fleet.sites[0], date(2026, 2, 10)).columns
        for fleet in (Fleet(1), Fleet(2))
    ]
    assert days[0] != days[1]


def test_a_larger_fleet_leaves_a_car_at_the_same_site_as_it_was() -> None:
    small, large = Fleet(1, 1, 1), Fleet(1, 1, 3)
    at_s = 1_790_000_000.0
    assert car_state(small.cars[0], at_s) == car_state(large.cars[0], at_s)
    assert odometer_mi(small.cars[0], at_s) == odometer_mi(large.cars[0], at_s)


def test_nothing_happens_before_the_site_was_installed() -> None:
    fleet = Fleet(1)
    day = fleet.site_days.day(fleet.sites[0], fleet.sites[0].installed)
    assert day.stored_start_wh == fleet.sites[0].battery.reserve_wh
