"""When a car is awake by itself, as exact intervals: what it does that needs it awake.

Whether calls keep a car awake is not here but in `waking.py`. Intervals are half-open, in
unix seconds.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.charging import car_week
from tessie_pipeline.simulator.trips import Car, monday_of

IDLE_AWAKE_S = 900
BEFORE_TRIP_S = 180
BEFORE_CHARGE_S = 60
SELF_WAKE_EVERY_S = 3 * 3600
SELF_WAKE_S = 150

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
        monday += timedelta(days=7)
    for block in range(int(start_s // SELF_WAKE_EVERY_S), int(end_s // SELF_WAKE_EVERY_S) + 1):
        chance = seeded(car.seed, "wakes", car.index, block)
        offset_s = chance.randrange(SELF_WAKE_EVERY_S - SELF_WAKE_S)
        wakes_s = block * SELF_WAKE_EVERY_S + offset_s
        yield wakes_s, wakes_s + SELF_WAKE_S


def is_naturally_awake(car: Car, at_s: float) -> bool:
    """Whether the car would be online at an instant if nobody called it."""
    return any(start_s <= at_s < end_s for start_s, end_s in _reasons(car, at_s, at_s))


def awake_intervals(car: Car, start_s: float, end_s: float) -> list[Interval]:
    """When within a window the car would be online if nobody called it."""
    return merged(_reasons(car, start_s, end_s), start_s, end_s)


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


def minutes(intervals: Iterable[Interval]) -> float:
    """How long intervals that do not overlap are [min]."""
    return sum(end_s - start_s for start_s, end_s in intervals) / 60
