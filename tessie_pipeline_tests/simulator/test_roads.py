import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.simulator.roads import (
    PEAK,
    Place,
    bearing_deg,
    between,
    beyond,
    distance_share,
    relative_speed,
)


@given(st.floats(0.001, 0.999), st.integers(1, 80))
def test_speed_is_the_derivative_of_the_share(u: float, waves: int) -> None:
    step = 1e-6
    slope = (distance_share(u + step, waves) - distance_share(u - step, waves)) / (2 * step)
    assert relative_speed(u, waves) == pytest.approx(slope, abs=1e-3)
    assert 0.0 <= relative_speed(u, waves) <= PEAK + 1e-12


def test_a_trip_begins_and_ends_standing_with_all_of_its_distance() -> None:
    assert (
        distance_share(0.0, 9),
        distance_share(1.0, 9),
        relative_speed(0.0, 9),
        relative_speed(1.0, 9),
    ) == (0.0, 1.0, 0.0, 0.0)
    assert distance_share(0.5, 9) == pytest.approx(0.5)


def test_a_place_lies_where_bearing_and_distance_say() -> None:
    home = Place("home", 45.0, 10.0)
    north, east = beyond(home, "north", 0.0, 69.0), beyond(home, "east", 90.0, 69.0)
    assert north.latitude_deg - home.latitude_deg == pytest.approx(1.0, abs=0.01)
    assert east.longitude_deg - home.longitude_deg == pytest.approx(1.41, abs=0.02)
    assert (bearing_deg(home, north), bearing_deg(home, east)) == (0, 90)
    assert between(home, north, 0.5) == pytest.approx((45.5, 10.0), abs=0.01)
