"""The plug-ins of a car at home: on arrival, at night, or on the sun with the rest at night.

Power is constant over 5-minute steps, as in the rest of the home; the last step of a charge
carries the rest. What else befalls a plug-in is in `home_habits.py`.
"""

import math
from datetime import timedelta

from tessie_pipeline.simulator.battery import STEP_H
from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.home_habits import preheated, tripped
from tessie_pipeline.simulator.localdays import (
    STEP_S,
    ceil_step,
    floor_step,
    local_date,
    local_s,
)
from tessie_pipeline.simulator.plug_in import AC_EFFICIENCY, PlugIn, Segment, energy_wh, pieces
from tessie_pipeline.simulator.solar_charging import solar_segments
from tessie_pipeline.simulator.trips import Car, Trip

SPARE, SOLAR_SPARE = 0.12, 0.05
"""Shares of the battery that may be missing to the limit without the driver minding; the second
once the sun has given what it had."""


def charge_at_home(
    car: Car, arrival: Trip, leave_s: int, deadline_s: int, stored_wh: float, is_last: bool
) -> PlugIn:
    """A plug-in at home, now and then in two segments; the week's last reaches the limit."""
    chance = seeded(car.seed, "charge", car.index, arrival.end_s)
    ready_s, ends_s = ceil_step(arrival.end_s + 90), floor_step(deadline_s)
    plug_s = ready_s - chance.randrange(20, 50)
    limit_wh = car.usable_wh * car.limit_pct / 100
    need_wh = max(0.0, limit_wh - stored_wh) / AC_EFFICIENCY
    sunny: tuple[Segment, ...] = ()
    if car.solar_site is not None:
        sunny = solar_segments(car, car.solar_site, ready_s, ends_s, need_wh)
        need_wh -= energy_wh(sunny)
        ready_s = sunny[-1][-1].end_s + STEP_S if sunny else ready_s
    step_wh = car.plug_w * STEP_H
    steps = math.ceil(need_wh / step_wh - 1e-9)
    pause_steps = 0
    if steps >= 12 and not is_last and chance.random() < 0.2:
        pause_steps = chance.randrange(6, 13)
    latest_s = ends_s - (steps + pause_steps) * STEP_S
    start_s = ready_s
    if car.has_night_tariff or car.solar_site is not None:
        start_s = max(ready_s, min(_next_night_s(car, ready_s), latest_s))
    fitting = (ends_s - start_s) // STEP_S - pause_steps
    is_enough = need_wh * AC_EFFICIENCY < SOLAR_SPARE * car.usable_wh
    if car.solar_site is not None and is_enough and not is_last:
        fitting = 0
    powers = [car.plug_w] * min(steps, fitting)
    if powers and steps <= fitting:
        powers[-1] = (need_wh - step_wh * (steps - 1)) / STEP_H
    half = len(powers) // 2 if pause_steps else len(powers)
    first = pieces(start_s, STEP_S, powers[:half])
    second = pieces(start_s + (half + pause_steps) * STEP_S, STEP_S, powers[half:])
    plug_in = PlugIn(
        start_s=plug_s,
        end_s=leave_s - chance.randrange(25, 90),
        place=car.home,
        efficiency=AC_EFFICIENCY,
        stored_start_wh=stored_wh,
        segments=(*sunny, *(segment for segment in (first, second) if segment)),
        is_complete=steps <= fitting,
    )
    if car.habits.charger_trips and not is_last and powers:
        plug_in = tripped(car, plug_in, ends_s, limit_wh - SPARE * car.usable_wh)
    return preheated(car, plug_in) if car.habits.preheats else plug_in


def _next_night_s(car: Car, at_s: int) -> int:
    """The next 00:30 local at or after an instant [unix s]."""
    day = local_date(car.zone, at_s)
    tonight_s = local_s(car.zone, day, 1800)
    return tonight_s if tonight_s >= at_s else local_s(car.zone, day + timedelta(days=1), 1800)
