"""When a car is awake by itself, as exact intervals: what it does that needs it awake.

Whether calls keep a car awake is not here but in `waking.py`. A car without signal
cannot be online. Intervals are half-open, in unix seconds.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import pairwise

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.charging import car_week
from tessie_pipeline.simulator.trips import Car, monday_of, week_trips

IDLE_AWAKE_S = 900
BEFORE_TRIP_S = 180
BEFORE_CHARGE_S = 60
SELF_WAKE_EVERY_S = 3 * 3600
SELF_WAKE_S = 150
RAMP_S = 45
"""How long a car drives within an underground garage, where it has no signal."""

Interval = tuple[float, float]


def _reasons(car: Car, start_s: float, end_s: float) -> Iterator[Interval]:
    """Everything that keeps the car awake at some time from `start_s` to `end_s`, and more.

    It is awake from 3 min before a drive until 15 min after drives, plugging and charging,
    and wakes by itself for some minutes every few hours.
    """
    monday = monday_of(car, start_s) - timedelta(days=7)
    last = monday_of(car, end_s) + timedelta(days=7)
    while monday <= last:
        week = car_week(car, monday)
        for trip in week.trips:
            yield trip.start_s - BEFORE_TRIP_S, trip.end_s + IDLE_AWAKE_S
        for plug_in in week.plug_ins:
            yield plug_in.start_s, plug_in.start_s + IDLE_AWAKE_S
            for segment in plug_in.segments:
                yield segment[0].start_s - BEFORE_CHARGE_S, segment[-1].end_s + IDLE_AWAKE_S
            for piece in plug_in.preheating:
                yield piece.start_s, piece.end_s + IDLE_AWAKE_S
            if plug_in.without_power is not None:
                yield plug_in.without_power[1], plug_in.without_power[1] + IDLE_AWAKE_S
        monday += timedelta(days=7)
    for block in range(int(start_s // SELF_WAKE_EVERY_S), int(end_s // SELF_WAKE_EVERY_S) + 1):
        chance = seeded(car.seed, "wakes", car.index, block)
        offset_s = chance.randrange(SELF_WAKE_EVERY_S - SELF_WAKE_S)
        wakes_s = block * SELF_WAKE_EVERY_S + offset_s
        yield wakes_s, wakes_s + SELF_WAKE_S


def is_naturally_awake(car: Car, at_s: float) -> bool:
    """Whether the car would be online at an instant if nobody called it."""
    is_awake = any(start_s <= at_s < end_s for start_s, end_s in _reasons(car, at_s, at_s))
    return is_awake and has_signal(car, at_s)


def awake_intervals(car: Car, start_s: float, end_s: float) -> list[Interval]:
    """When within a window the car would be online if nobody called it."""
    awake = merged(_reasons(car, start_s, end_s), start_s, end_s)
    return outside(awake, without_signal(car, start_s, end_s))


def has_signal(car: Car, at_s: float) -> bool:
    """Whether the car could be reached at an instant, awake or not."""
    return not any(start_s <= at_s < end_s for start_s, end_s in without_signal(car, at_s, at_s))


def without_signal(car: Car, start_s: float, end_s: float) -> list[Interval]:
    """When the car stands or drives underground, in order: all that touches a window."""
    if not car.habits.parks_underground:
        return []
    found: list[Interval] = []
    monday = monday_of(car, start_s)
    while monday <= monday_of(car, end_s):
        found += [
            (arrival.end_s - RAMP_S, departure.start_s + RAMP_S)
            for arrival, departure in pairwise(week_trips(car, monday))
            if arrival.destination.is_underground
        ]
        monday += timedelta(days=7)
    return found


def merged(
    intervals: Iterable[Interval], start_s: float = 0.0, end_s: float = float("inf")
) -> list[Interval]:
    """The same time in as few intervals as possible, in order, within a window."""
    found: list[Interval] = []
    clipped = ((max(start, start_s), min(end, end_s)) for start, end in intervals)
    for start, end in sorted(interval for interval in clipped if interval[0] < interval[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def outside(intervals: Iterable[Interval], cuts: Iterable[Interval]) -> list[Interval]:
    """What of intervals does not lie in any of the cuts."""
    left = list(intervals)
    for cut_start, cut_end in cuts:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, cut_start)), (max(start, cut_end), end))
            if part[0] < part[1]
        ]
    return left


def minutes(intervals: Iterable[Interval]) -> float:
    """How long intervals that do not overlap are [min]."""
    return sum(end_s - start_s for start_s, end_s in intervals) / 60
