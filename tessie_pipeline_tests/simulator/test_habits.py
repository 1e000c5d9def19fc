from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.simulator.awake import awake_intervals, has_signal, is_naturally_awake
from tessie_pipeline.simulator.charging import Week, car_week, trip_energy_wh
from tessie_pipeline.simulator.charging_history import connector_charges
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.habits import EVERY_HABIT, NO_HABITS, Habits
from tessie_pipeline.simulator.household import home_powers_w, solar_powers_w
from tessie_pipeline.simulator.motion import car_state
from tessie_pipeline.simulator.plug_in import PlugIn, energy_wh
from tessie_pipeline.simulator.trips import Car, week_start_s

YEAR = [date(2025, 1, 6) + timedelta(weeks=week) for week in range(52)]
STEP_S = 300

some_weeks = st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(0, 300))
few = settings(max_examples=40, deadline=None)


def _week(seed: int, index: int, weeks: int) -> tuple[Car, date, Week]:
    car = Fleet(seed, 4, 0, further=[EVERY_HABIT] * 4).cars[index]
    monday = date(2020, 1, 6) + timedelta(weeks=weeks)
    return car, monday, car_week(car, monday)


def _year_of(habits: Habits, seed: int = 1) -> tuple[Fleet, Car, list[PlugIn]]:
    """A fleet of one car with habits, and its plug-ins of 52 weeks."""
    fleet = Fleet(seed, 1, 0, further=[habits])
    (car,) = fleet.cars
    return fleet, car, [plug_in for monday in YEAR for plug_in in car_week(car, monday).plug_ins]


@few
@given(some_weeks)
def test_a_week_with_every_habit_ends_at_the_charge_limit(which: tuple[int, int, int]) -> None:
    car, monday, week = _week(*which)
    last = week.plug_ins[-1]
    assert last.is_complete
    assert last.stored_start_wh + last.added_wh(last.end_s) == pytest.approx(
        car.usable_wh * car.limit_pct / 100
    )
    assert (last.charge_end_s or 0) <= week_start_s(car, monday + timedelta(weeks=1)) < last.end_s


@few
@given(some_weeks)
def test_what_the_plug_gives_times_the_efficiency_is_what_the_battery_gets(
    which: tuple[int, int, int],
) -> None:
    car, _, week = _week(*which)
    limit_wh = car.usable_wh * car.limit_pct / 100
    for plug_in in week.plug_ins:
        used_wh = energy_wh(plug_in.segments)
        assert plug_in.used_wh(plug_in.end_s) == pytest.approx(used_wh)
        added_wh = plug_in.added_wh(plug_in.end_s)
        assert added_wh == pytest.approx(used_wh * plug_in.efficiency)
        before, after = (car_state(car, at_s) for at_s in (plug_in.start_s, plug_in.end_s))
        assert after.stored_wh - before.stored_wh == pytest.approx(added_wh, abs=1e-3)
        if not plug_in.place.is_supercharger:
            assert after.stored_wh <= limit_wh + 1e-6
    stored_wh = limit_wh
    for trip, at_start_wh in zip(week.trips, week.stored_at_trip_wh, strict=True):
        assert at_start_wh == pytest.approx(stored_wh)
        stored_wh = at_start_wh - trip_energy_wh(car, trip)
        assert stored_wh > 0.04 * car.usable_wh
        stored_wh += sum(
            plug_in.added_wh(plug_in.end_s)
            for plug_in in week.plug_ins
            if 0 < plug_in.start_s - trip.end_s < 400
        )


@few
@given(some_weeks)
def test_all_that_happens_on_a_cable_happens_one_after_the_other(
    which: tuple[int, int, int],
) -> None:
    car, _, week = _week(*which)
    spans = sorted(
        [(trip.start_s, trip.end_s) for trip in week.trips]
        + [(plug_in.start_s, plug_in.end_s) for plug_in in week.plug_ins]
    )
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    for plug_in in week.plug_ins:
        pieces = list(plug_in.drawn)
        bounds = [(plug_in.start_s, plug_in.start_s)]
        bounds += [(piece.start_s, piece.end_s) for piece in pieces]
        bounds += [(plug_in.end_s, plug_in.end_s)]
        assert all(end <= start for (_, end), (start, _) in pairwise(bounds))
        assert all(piece.power_w > 0 for piece in pieces)
        for before, after in pairwise(plug_in.segments):
            assert before[-1].end_s < after[0].start_s
        if plug_in.place.is_home:
            assert all(piece.start_s % STEP_S == piece.end_s % STEP_S == 0 for piece in pieces)
            assert all(piece.power_w <= car.plug_w for piece in pieces)
        if plug_in.without_power is not None:
            lost_s, back_s = plug_in.without_power
            assert plug_in.start_s < lost_s < back_s <= plug_in.end_s
            assert all(piece.end_s <= lost_s or piece.start_s >= back_s for piece in pieces)


def test_the_homes_load_holds_all_that_cars_draw() -> None:
    fleet = Fleet(1, 1, 2, further=[EVERY_HABIT])
    site = fleet.sites[0]
    days = [fleet.site_days.day(site, date(2026, 3, 2) + timedelta(days=n)) for n in range(-1, 20)]
    start_s, end_s = days[0].start_s, days[-1].end_s
    drawn_wh = sum(
        piece.energy_wh
        for car in fleet.cars
        for week in range(-1, 4)
        for plug_in in car_week(car, date(2026, 3, 2) + timedelta(weeks=week)).plug_ins
        if plug_in.place.is_home
        for piece in plug_in.drawn
        if start_s <= piece.start_s and piece.end_s <= end_s
    )
    assert sum(sum(day.car_w) for day in days) / 12 == pytest.approx(drawn_wh)


def test_charging_on_solar_takes_what_the_sun_leaves_in_whole_amperes() -> None:
    fleet, car, plug_ins = _year_of(Habits(charges_on_solar=True))
    (site,) = fleet.sites
    ampere_w = car.volts * car.phases
    seen = 0
    for day in (date(2025, 5, 1) + timedelta(days=n) for n in range(60)):
        sun_w, home_w = solar_powers_w(site, day), home_powers_w(site, day)
        car_w = fleet.car_powers_w(site, day)
        # In the night there is no sun: what it draws then is the rest that it wants.
        daylight = [step for step in range(288) if car_w[step] and 8 * 12 <= step < 18 * 12]
        for step in daylight:
            surplus_w = sun_w[step] - home_w[step]
            assert car_w[step] <= surplus_w
            if car_w[step] % ampere_w == 0 and car_w[step] < car.plug_w:
                assert car_w[step] > surplus_w - ampere_w
        seen += len(daylight)
    assert seen > 500
    assert max(len(plug_in.segments) for plug_in in plug_ins) > 6
    assert len({piece.power_w for plug_in in plug_ins for piece in plug_in.drawn}) > 20


def test_the_sun_alone_fills_the_battery_on_some_days() -> None:
    _, car, plug_ins = _year_of(Habits(charges_on_solar=True))
    sunny = [
        plug_in
        for plug_in in plug_ins
        if plug_in.segments and max(piece.power_w for piece in plug_in.drawn) < car.plug_w
    ]
    limit_wh = car.usable_wh * car.limit_pct / 100
    filled = [plug_in for plug_in in sunny if plug_in.is_complete]
    assert len(filled) > 20
    for plug_in in filled:
        ends_wh = plug_in.stored_start_wh + plug_in.added_wh(plug_in.end_s)
        assert ends_wh == pytest.approx(limit_wh)


def test_in_the_garage_at_work_a_car_charges_unseen() -> None:
    _, car, plug_ins = _year_of(Habits(parks_underground=True))
    garage = [plug_in for plug_in in plug_ins if plug_in.place.is_underground]
    assert 40 < len(garage) < 200
    for plug_in in garage:
        (segment,) = plug_in.segments
        assert {piece.power_w for piece in segment} == {11_000.0}
        assert plug_in.efficiency == 0.92
        assert not any(
            has_signal(car, at_s) for at_s in range(plug_in.start_s, plug_in.end_s + 1, 30)
        )
        assert not is_naturally_awake(car, segment[0].start_s)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40 * 86400))
def test_awake_intervals_leave_out_the_garage(after_s: int) -> None:
    (car,) = Fleet(1, 1, 0, further=[EVERY_HABIT]).cars
    start_s = 1_780_000_000.0 + after_s
    found = awake_intervals(car, start_s, start_s + 86400)
    for at_s in (start_s + 1800 * n for n in range(48)):
        is_inside = any(begin_s <= at_s < end_s for begin_s, end_s in found)
        assert is_inside == is_naturally_awake(car, at_s)


def test_a_tripped_charger_has_no_power_until_somebody_resets_it() -> None:
    _, car, plug_ins = _year_of(Habits(charger_trips=True))
    tripped = [plug_in for plug_in in plug_ins if plug_in.without_power is not None]
    ends = set()
    for plug_in in tripped:
        assert plug_in.without_power is not None
        lost_s, back_s = plug_in.without_power
        assert car_state(car, lost_s - 1).charging_state == "Charging"
        dark = car_state(car, (lost_s + back_s) // 2)
        assert (dark.charging_state, dark.plug_w, dark.power_w) == ("NoPower", 0.0, 0.0)
        assert dark.plug_in == plug_in
        if back_s == plug_in.end_s:
            ends.add("never reset")
            assert not plug_in.is_complete
        else:
            ends.add(car_state(car, back_s).charging_state)
    assert ends == {"never reset", "Charging", "Stopped"}
    assert 5 < len(tripped) < 60


def test_preheating_draws_from_the_wall_and_gives_the_battery_nothing() -> None:
    _, car, plug_ins = _year_of(Habits(preheats=True))
    preheated = [plug_in for plug_in in plug_ins if plug_in.preheating]
    assert len(preheated) > 30
    for plug_in in preheated:
        (piece,) = plug_in.preheating
        now, after = car_state(car, piece.start_s), car_state(car, piece.end_s)
        # 12 A at 240 V are 2880 W.
        assert now.plug_w == 2880.0
        assert now.power_w == 0.0
        assert now.charging_state in ("Complete", "Stopped")
        assert now.stored_wh == after.stored_wh
        assert plug_in.added_wh(piece.start_s) == plug_in.added_wh(piece.end_s)
        assert 300 <= piece.end_s - piece.start_s <= 900
        assert 0 <= plug_in.end_s - piece.end_s < STEP_S


def test_wall_connector_charges_are_the_same_day_by_day_and_in_one_piece() -> None:
    fleet = Fleet(1, 1, 2, further=[EVERY_HABIT])
    (site,) = fleet.sites
    start_s, days = 1_767_225_600, 120
    end_s = start_s + days * 86400
    whole = connector_charges(fleet, site, start_s, end_s, end_s)
    daily = [
        charge
        for at_s in range(start_s, end_s, 86400)
        for charge in connector_charges(fleet, site, at_s, at_s + 86400, end_s)
    ]
    assert daily == whole
    assert len(whole) > 200


def test_a_further_car_leaves_the_others_and_itself_as_they_are() -> None:
    plain, habitual = Fleet(3), Fleet(3, further=[EVERY_HABIT, NO_HABITS])
    assert habitual.cars[:2] == plain.cars
    assert habitual.cars[2:] == Fleet(3, further=[EVERY_HABIT, NO_HABITS]).cars[2:]
    assert habitual.cars[3] == Fleet(3, vehicles=4).cars[3]
    at_s = 1_790_000_000.0
    assert car_state(plain.cars[0], at_s) == car_state(habitual.cars[0], at_s)
    car_week.cache_clear()
    again = Fleet(3, further=[EVERY_HABIT])
    monday = date(2026, 3, 2)
    assert car_week(again.cars[2], monday) == car_week(habitual.cars[2], monday)
