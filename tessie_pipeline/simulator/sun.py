"""The sun on a tilted solar array under a clear sky: textbook formulas, no weather.

Sources: Duffie & Beckman, Solar Engineering of Thermal Processes; Kasten & Young 1989;
Meinel & Meinel 1976; Spencer 1971.
"""

import math
from dataclasses import dataclass

SOLAR_CONSTANT_W_M2 = 1353.0


@dataclass(frozen=True)
class SolarArray:
    """Panels that face the equator at a tilt, with an inverter that caps their power."""

    peak_w: float
    inverter_w: float
    tilt_deg: float
    performance_ratio: float = 0.84


def declination_rad(day_of_year: int) -> float:
    """Declination of the sun [rad] (Cooper 1969)."""
    return math.radians(23.45) * math.sin(2 * math.pi * (284 + day_of_year) / 365)


def equation_of_time_min(day_of_year: int) -> float:
    """Solar minus mean time [min] (Spencer 1971)."""
    b = 2 * math.pi * (day_of_year - 1) / 365
    return 229.18 * (
        0.000075
        + 0.001868 * math.cos(b)
        - 0.032077 * math.sin(b)
        - 0.014615 * math.cos(2 * b)
        - 0.040849 * math.sin(2 * b)
    )


def air_mass(elevation_rad: float) -> float:
    """Relative air mass the beam crosses, 1 at the zenith (Kasten & Young 1989)."""
    elevation_deg = math.degrees(elevation_rad)
    return 1 / (math.sin(elevation_rad) + 0.50572 * math.pow(elevation_deg + 6.07995, -1.6364))


def clear_sky_powers_w(
    array: SolarArray,
    latitude_deg: float,
    longitude_deg: float,
    day_of_year: int,
    start_s: int,
    steps: int,
    step_s: int,
) -> list[float]:
    """AC power [W] of the array under a clear sky, at the middle of each step.

    Beam irradiance is 1353 * 0.7^(AM^0.678) W/m2 (Meinel & Meinel 1976), diffuse a tenth of
    it; the incidence on an equator-facing tilt is that on the horizontal at a latitude lower
    by the tilt (Duffie & Beckman 1.6.7).
    """
    declination = declination_rad(day_of_year)
    latitude = math.radians(latitude_deg)
    tilt = math.radians(array.tilt_deg)
    tilted_latitude = latitude - math.copysign(tilt, latitude)
    sin_declination, cos_declination = math.sin(declination), math.cos(declination)
    horizon_sin = math.sin(latitude) * sin_declination
    horizon_cos = math.cos(latitude) * cos_declination
    plane_sin = math.sin(tilted_latitude) * sin_declination
    plane_cos = math.cos(tilted_latitude) * cos_declination
    diffuse_share = 0.1 * (1 + math.cos(tilt)) / 2
    solar_noon_s = 43200 - longitude_deg * 240 - equation_of_time_min(day_of_year) * 60
    powers = []
    for step in range(steps):
        middle_s = start_s + (step + 0.5) * step_s
        hour_angle = 2 * math.pi * ((middle_s - solar_noon_s) / 86400)
        cos_hour = math.cos(hour_angle)
        sin_elevation = horizon_sin + horizon_cos * cos_hour
        if sin_elevation <= 0.0:
            powers.append(0.0)
            continue
        beam_w_m2 = SOLAR_CONSTANT_W_M2 * 0.7 ** (air_mass(math.asin(sin_elevation)) ** 0.678)
        incidence = max(0.0, plane_sin + plane_cos * cos_hour)
        irradiance_w_m2 = beam_w_m2 * (incidence + diffuse_share)
        power_w = array.peak_w * irradiance_w_m2 / 1000 * array.performance_ratio
        powers.append(min(power_w, array.inverter_w))
    return powers
