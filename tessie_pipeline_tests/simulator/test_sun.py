import math

import pytest

from tessie_pipeline.simulator.sun import (
    SolarArray,
    air_mass,
    clear_sky_powers_w,
    declination_rad,
    equation_of_time_min,
)

FLAT = SolarArray(peak_w=10_000.0, inverter_w=10_000.0, tilt_deg=0.0)


def _day_w(latitude_deg: float, day_of_year: int, array: SolarArray = FLAT) -> list[float]:
    return clear_sky_powers_w(array, latitude_deg, 0.0, day_of_year, 0, 288, 300)


def test_declination_is_that_of_the_solstices_and_equinoxes() -> None:
    assert math.degrees(declination_rad(172)) == pytest.approx(23.45, abs=0.1)
    assert math.degrees(declination_rad(355)) == pytest.approx(-23.45, abs=0.1)
    assert math.degrees(declination_rad(81)) == pytest.approx(0.0, abs=0.5)


def test_the_equation_of_time_has_its_november_extreme() -> None:
    assert equation_of_time_min(307) == pytest.approx(16.4, abs=0.3)


def test_air_mass_is_one_overhead_and_38_at_the_horizon() -> None:
    assert air_mass(math.pi / 2) == pytest.approx(1.0, abs=0.001)
    assert air_mass(0.0) == pytest.approx(38.0, abs=0.5)


def test_the_polar_night_is_dark_and_summer_days_are_long() -> None:
    assert max(_day_w(75.0, 355)) == 0.0
    assert sum(power > 0 for power in _day_w(52.5, 172)) / 12 == pytest.approx(16.5, abs=0.5)
    assert sum(power > 0 for power in _day_w(52.5, 355)) / 12 == pytest.approx(7.6, abs=0.5)


def test_panels_face_the_equator_on_both_hemispheres() -> None:
    tilted = SolarArray(peak_w=10_000.0, inverter_w=10_000.0, tilt_deg=35.0)
    assert sum(_day_w(40.0, 355, tilted)) > 1.4 * sum(_day_w(40.0, 355))
    assert sum(_day_w(-40.0, 172, tilted)) > 1.4 * sum(_day_w(-40.0, 172))


def test_the_inverter_caps_power() -> None:
    capped = SolarArray(peak_w=10_000.0, inverter_w=4_000.0, tilt_deg=0.0)
    assert max(_day_w(20.0, 172, capped)) == 4_000.0
