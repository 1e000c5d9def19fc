from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.simulator.charging import Week, car_week, trip_energy_wh
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.motion import car_state, driving_power_w, odometer_mi
from tessie_pipeline.simulator.trips import Car, week_start_s
from tessie_pipeline.simulator.vin import check_digit

some_weeks = st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(0, 300))


def _week(seed: int, index: int, weeks: int) -> tuple[Car, date, Week]:
    car = Fleet(seed, 4, 10).cars[index]
    monday = date(2020, 1, 6) + timedelta(weeks=weeks)
    return car, monday, car_week(car, monday)


@settings(max_examples=60, deadline=None)
@given(some_weeks)
def test_a_week_ends_at_the_charge_limit_with_which_the_next_begins(
    which: tuple[int, int, int],
) -> None:
    car, monday, week = _week(*which)
    limit_wh = car.usable_wh * car.limit_pct / 100
    last = week.plug_ins[-1]
    assert last.is_complete
    assert last.stored_start_wh + last.added_wh(last.end_s) == pytest.approx(limit_wh)
    assert (last.charge_end_s or 0) <= week_start_s(car, monday + timedelta(weeks=1)) < last.end_s


@settings(max_examples=60, deadline=None)
@given(some_weeks)
def test_trips_and_plug_ins_never_overlap_and_the_battery_never_empties(
    which: tuple[int, int, int],
) -> None:
    car, _, week = _week(*which)
    spans = sorted(
        [(trip.start_s, trip.end_s) for trip in week.trips]
        + [(plug_in.start_s, plug_in.end_s) for plug_in in week.plug_ins]
    )
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    for trip, stored_wh in zip(week.trips, week.stored_at_trip_wh, strict=True):
        left_wh = stored_wh - trip_energy_wh(car, trip)
        assert 0.04 * car.usable_wh < left_wh < stored_wh <= car.usable_wh
    for before, after in pairwise(week.trips):
        assert before.destination == after.origin
    for plug_in in week.plug_ins:
        for segment in plug_in.segments:
            assert plug_in.start_s < segment[0].start_s < segment[-1].end_s < plug_in.end_s


def test_state_of_charge_and_odometer_move_without_jumps() -> None:
    car = Fleet(1).cars[0]
    at_s = week_start_s(car, date(2026, 3, 2)) - 86400
    before_wh, before_mi = car_state(car, at_s).stored_wh, odometer_mi(car, at_s)
    for minute in range(1, 9 * 1440):
        now = car_state(car, at_s + 60 * minute)
        mi = odometer_mi(car, at_s + 60 * minute)
        assert abs(now.stored_wh - before_wh) < 4200
        assert 0 <= mi - before_mi < 2.5
        before_wh, before_mi = now.stored_wh, mi


def test_power_while_driving_adds_up_to_the_energy_of_the_trip() -> None:
    car, _, week = _week(1, 0, 200)
    trip = week.trips[0]
    seconds = range(trip.start_s, trip.end_s)
    energy_wh = sum(driving_power_w(car, trip, at_s + 0.5) for at_s in seconds) / 3600
    assert energy_wh == pytest.approx(trip_energy_wh(car, trip), rel=1e-4)
    assert any(driving_power_w(car, trip, at_s) < 0 for at_s in seconds)


def test_some_plug_ins_have_two_segments_and_some_are_superchargers() -> None:
    car = Fleet(1).cars[0]
    weeks = [car_week(car, date(2025, 1, 6) + timedelta(weeks=n)) for n in range(52)]
    plug_ins = [plug_in for week in weeks for plug_in in week.plug_ins]
    assert any(len(plug_in.segments) == 2 for plug_in in plug_ins)
    fast = [plug_in for plug_in in plug_ins if plug_in.place.is_supercharger and plug_in.segments]
    assert fast
    for plug_in in fast:
        powers = [piece.power_w for piece in plug_in.segments[0]]
        assert powers == sorted(powers, reverse=True)
        assert 60_000 < powers[0] <= 250_000


def test_home_charging_is_in_the_homes_load() -> None:
    fleet = Fleet(1, 1, 2)
    site = fleet.sites[0]
    monday = date(2026, 3, 2)
    days = [fleet.site_days.day(site, monday + timedelta(days=n)) for n in range(-1, 9)]
    start_s, end_s = days[0].start_s, days[-1].end_s
    at_site_wh = sum(sum(day.car_w) for day in days) / 12
    plugged_wh = sum(
        piece.energy_wh
        for car in fleet.cars
        for n in (-1, 0, 1)
        for plug_in in car_week(car, monday + timedelta(weeks=n)).plug_ins
        if plug_in.place.is_home
        for segment in plug_in.segments
        for piece in segment
        if start_s <= piece.start_s < end_s
    )
    assert at_site_wh == pytest.approx(plugged_wh)


def test_vins_are_valid_and_differ() -> None:
    vins = [car.vin for car in Fleet(1, 3, 300).cars]
    assert len(set(vins)) == 300
    assert all(len(vin) == 17 and vin[8] == check_digit(vin) for vin in vins)
    assert check_digit("1M8GDM9AXKP042788") == "X"
