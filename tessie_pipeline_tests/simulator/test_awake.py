from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.simulator.awake import (
    awake_intervals,
    is_naturally_awake,
    merged,
    minutes,
)
from tessie_pipeline.simulator.charging import car_week
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline_tests.simulator.client import SimulatorClient

FLEET = Fleet(1, 4, 10)
JUNE_S = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
NIGHT = "2026-06-10T03:30:00-07:00"

a_car = st.sampled_from(FLEET.cars)
an_instant = st.integers(0, 60 * 86400).map(lambda after_s: JUNE_S + after_s)


@settings(max_examples=40, deadline=None)
@given(a_car, an_instant, st.integers(600, 2 * 86400))
def test_intervals_hold_just_the_instants_at_which_the_car_is_awake(
    car: Any, start_s: float, length_s: int
) -> None:
    found = awake_intervals(car, start_s, start_s + length_s)
    instants = {start_s + length_s * step / 50 for step in range(50)}
    for begin_s, end_s in found:
        instants |= {begin_s - 1, begin_s, end_s - 1, end_s}
    for at_s in instants:
        if start_s <= at_s < start_s + length_s:
            is_inside = any(begin_s <= at_s < end_s for begin_s, end_s in found)
            assert is_inside == is_naturally_awake(car, at_s)


@settings(max_examples=40, deadline=None)
@given(a_car, an_instant, st.integers(0, 86400), st.integers(0, 86400))
def test_a_window_cut_in_two_holds_the_same_minutes(
    car: Any, start_s: float, first_s: int, second_s: int
) -> None:
    middle_s, end_s = start_s + first_s, start_s + first_s + second_s
    halves = awake_intervals(car, start_s, middle_s) + awake_intervals(car, middle_s, end_s)
    assert minutes(halves) == pytest.approx(minutes(awake_intervals(car, start_s, end_s)))


def test_a_car_is_awake_around_its_trips_and_charges_and_a_little_by_itself() -> None:
    car = FLEET.cars[0]
    week = car_week(car, date(2026, 6, 1))
    for trip in week.trips:
        assert is_naturally_awake(car, trip.start_s - 180)
        assert is_naturally_awake(car, trip.end_s + 899)
    for plug_in in week.plug_ins:
        for segment in plug_in.segments:
            (held,) = awake_intervals(car, segment[0].start_s - 60, segment[-1].end_s + 900)
            assert held == (segment[0].start_s - 60, segment[-1].end_s + 900)
    day_min = minutes(awake_intervals(car, JUNE_S, JUNE_S + 28 * 86400)) / 28
    assert 8 * 2.5 < day_min < 600


def test_intervals_merge_and_are_cut_to_a_window() -> None:
    assert merged([(5, 7), (1, 3), (3, 4), (6, 9)]) == [(1, 4), (5, 9)]
    assert merged([(1, 4), (5, 9)], 2, 6) == [(2, 4), (5, 6)]
    assert merged([(1, 4)], 4, 6) == []


class Parked:
    """A household whose first car has come to work and would sleep 15 minutes later."""

    def __init__(self) -> None:
        self.client = SimulatorClient(NIGHT)
        self.car = self.client.fleet.cars[0]
        self.arrival = datetime.fromtimestamp(self._arrival_s(), UTC)
        self.go(0)

    def _arrival_s(self) -> int:
        """An arrival after which nothing wakes the car for two hours but its being idle."""
        for weeks in range(20):
            for trip in car_week(self.car, date(2026, 6, 1) + timedelta(weeks=weeks)).trips:
                if awake_intervals(self.car, trip.end_s, trip.end_s + 7200) == [
                    (trip.end_s, trip.end_s + 900)
                ]:
                    return trip.end_s
        raise AssertionError("the car never rests")

    def go(self, minutes: float) -> None:
        """Set the clock, over HTTP, to some minutes after the arrival."""
        body = {"now": (self.arrival + timedelta(minutes=minutes)).isoformat()}
        assert self.client.call("POST", "/simulator/clock", json=body).status_code == 200

    def ask(self) -> int:
        """The status of a live call."""
        return self.client.call("GET", f"/api/1/vehicles/{self.car.vin}/vehicle_data").status_code

    def awake(self, start_min: float = 0, end_min: float = 120) -> Any:
        """The truth about a window of minutes after the arrival."""
        start, end = (self.arrival + timedelta(minutes=at) for at in (start_min, end_min))
        path = f"/simulator/truth/vehicles/{self.car.vin}/awake"
        return self.client.get(path, start=start.isoformat(), end=end.isoformat())


@pytest.fixture
def parked() -> Parked:
    return Parked()


def _approx(natural: float, actual: float) -> Any:
    return pytest.approx(
        {"natural_min": natural, "actual_min": actual, "held_min": actual - natural}
    )


def test_without_calls_a_car_is_awake_as_long_as_it_would_be(parked: Parked) -> None:
    parked.client.get("/api/1/vehicles")
    assert parked.awake() == _approx(15, 15)


def test_calls_add_the_minutes_in_which_they_held_the_car(parked: Parked) -> None:
    for minute in (0, 10, 20, 30):
        parked.go(minute)
        assert parked.ask() == 200
    assert parked.awake() == _approx(15, 45)
    assert parked.awake(20, 30) == _approx(0, 10)
    parked.go(46)
    assert parked.ask() == 408
    assert parked.awake() == _approx(15, 45)


def test_a_wake_up_holds_the_car_once_it_is_online(parked: Parked) -> None:
    parked.go(60)
    for _ in range(2):
        parked.client.call("POST", f"/api/1/vehicles/{parked.car.vin}/wake_up")
    assert parked.awake() == _approx(15, 30)
    assert parked.awake(60, 60.2) == _approx(0, 0)


def test_a_clock_set_ahead_keeps_cars_awake_and_what_held_them(parked: Parked) -> None:
    parked.go(14)
    parked.ask()
    parked.go(28)
    assert parked.ask() == 200
    parked.go(60)
    assert parked.ask() == 408
    assert parked.awake() == _approx(15, 43)


@pytest.mark.parametrize("minutes", [-10, 14 + 1441])
def test_a_clock_set_back_or_more_than_a_day_ahead_forgets_what_calls_did(
    parked: Parked, minutes: float
) -> None:
    parked.go(14)
    parked.ask()
    assert parked.awake() == _approx(15, 29)
    parked.go(minutes)
    assert parked.awake() == _approx(15, 15)


def test_a_window_that_ends_before_it_starts_is_refused(parked: Parked) -> None:
    path = f"/simulator/truth/vehicles/{parked.car.vin}/awake"
    query = {"start": "2026-06-02T00:00:00Z", "end": "2026-06-01T00:00:00Z"}
    assert parked.client.call("GET", path, params=query).status_code == 400
