"""Places, the straight roads between them, and how speed varies along the way.

The pace of a trip is in units of the trip: u from 0 to 1 is time, 1 is the mean speed. A car
pulls away, cruises with the traffic's wavering, and comes to a stop.
"""

import math
from dataclasses import dataclass

EARTH_RADIUS_MI = 3958.8
RAMP = 0.04
WAVER = 0.25
_CRUISE = 1 - 2 * RAMP
PEAK = 1 / (RAMP + _CRUISE * (1 - WAVER))


@dataclass(frozen=True)
class Place:
    """A named point; its flags say what can be plugged in there, and whether a car has signal."""

    name: str
    latitude_deg: float
    longitude_deg: float
    is_home: bool = False
    is_supercharger: bool = False
    is_underground: bool = False


def beyond(origin: Place, name: str, bearing_deg: float, distance_mi: float) -> Place:
    """The place at a bearing and distance from another, on a locally flat earth."""
    bearing = math.radians(bearing_deg)
    north_deg = math.degrees(distance_mi / EARTH_RADIUS_MI) * math.cos(bearing)
    east_deg = math.degrees(distance_mi / EARTH_RADIUS_MI) * math.sin(bearing)
    return Place(
        name,
        origin.latitude_deg + north_deg,
        origin.longitude_deg + east_deg / math.cos(math.radians(origin.latitude_deg)),
    )


def between(start: Place, end: Place, share: float) -> tuple[float, float]:
    """Latitude and longitude [deg] at a share of the way."""
    return (
        start.latitude_deg + (end.latitude_deg - start.latitude_deg) * share,
        start.longitude_deg + (end.longitude_deg - start.longitude_deg) * share,
    )


def bearing_deg(start: Place, end: Place) -> int:
    """Compass bearing of the way [deg], 0 to 359."""
    north = end.latitude_deg - start.latitude_deg
    east = (end.longitude_deg - start.longitude_deg) * math.cos(math.radians(start.latitude_deg))
    return round(math.degrees(math.atan2(east, north))) % 360


def relative_speed(u: float, waves: int) -> float:
    """Speed over mean speed at time u; 0 at both ends, at most 1.37, with mean 1.

    Args:
        u: time, 0 to 1.
        waves: how often traffic slows the cruise.
    """
    if u <= 0.0 or u >= 1.0:
        return 0.0
    edge = min(u, 1 - u)
    if edge < RAMP:
        return PEAK * (1 - math.cos(math.pi * edge / RAMP)) / 2
    phase = 2 * math.pi * waves * (u - RAMP) / _CRUISE
    return PEAK * (1 - WAVER + WAVER * math.cos(phase))


def distance_share(u: float, waves: int) -> float:
    """Share of the distance driven by time u: the integral of `relative_speed`, from 0 to 1."""
    if u <= 0.0:
        return 0.0
    if u > 0.5:
        return 1.0 - distance_share(1 - u, waves)
    if u < RAMP:
        return PEAK * (u / 2 - RAMP * math.sin(math.pi * u / RAMP) / (2 * math.pi))
    phase = 2 * math.pi * waves * (u - RAMP) / _CRUISE
    wavering = WAVER * math.sin(phase) * _CRUISE / (2 * math.pi * waves)
    return PEAK * (RAMP / 2 + (1 - WAVER) * (u - RAMP) + wavering)
