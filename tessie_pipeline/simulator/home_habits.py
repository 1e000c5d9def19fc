"""What befalls a plug-in at home beside charging: the breaker trips, the cabin is preheated.

Both take a plug-in and give it as it then went; all instants stay on 5-minute steps.
"""

from dataclasses import replace

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.localdays import STEP_S, ceil_step, floor_step, local_date, local_s
from tessie_pipeline.simulator.plug_in import Piece, PlugIn, Segment
from tessie_pipeline.simulator.trips import Car

TRIPS_SHARE = 0.2
NEVER_RESET_SHARE = 0.2
RESUMES_SHARE = 0.7
"""Of the breakers that were reset; otherwise the car waits to be plugged in anew."""

PREHEATING_W = 3000.0
"""At most, in whole amperes."""
PREHEATING_S = 900
MORNING_S = (5 * 3600, 10 * 3600)


def tripped(car: Car, plug_in: PlugIn, ends_s: int, enough_wh: float) -> PlugIn:
    """The plug-in with its last segment broken off, in some nights, and resumed or not.

    Only when the battery holds `enough_wh` already, so that nobody is stranded; a resumed charge
    goes on until `ends_s` [unix s] at the latest.
    """
    chance = seeded(car.seed, "breaker", car.index, plug_in.start_s)
    *before, last = plug_in.segments
    first_s, last_s = last[0].start_s, last[-1].end_s
    if last_s - first_s < 2 * STEP_S or chance.random() >= TRIPS_SHARE:
        return plug_in
    lost_s = chance.randrange(first_s + STEP_S, last_s, STEP_S)
    if plug_in.stored_start_wh + plug_in.added_wh(lost_s) < enough_wh:
        return plug_in
    later_s = chance.randrange(12, 37) * STEP_S
    is_reset = chance.random() >= NEVER_RESET_SHARE and lost_s + later_s < plug_in.end_s
    is_resumed = is_reset and chance.random() < RESUMES_SHARE
    rest = _moved(last, lost_s, ends_s - later_s, later_s) if is_resumed else ()
    return replace(
        plug_in,
        segments=tuple(filter(None, (*before, _moved(last, first_s, lost_s), rest))),
        is_complete=plug_in.is_complete and is_resumed and last_s + later_s <= ends_s,
        without_power=(lost_s, lost_s + later_s if is_reset else plug_in.end_s),
    )


def preheated(car: Car, plug_in: PlugIn) -> PlugIn:
    """The plug-in with the cabin heated from the wall before a departure in the morning."""
    day = local_date(car.zone, plug_in.end_s)
    morning_s, noon_s = (local_s(car.zone, day, second) for second in MORNING_S)
    if not morning_s <= plug_in.end_s < noon_s or not plug_in.has_power(plug_in.end_s - 1):
        return plug_in
    end_s = floor_step(plug_in.end_s)
    free_s = max(plug_in.start_s, plug_in.charge_end_s or 0, (plug_in.without_power or (0, 0))[1])
    start_s = max(end_s - PREHEATING_S, ceil_step(free_s))
    if start_s >= end_s:
        return plug_in
    ampere_w = car.volts * car.phases
    power_w = float(ampere_w * (PREHEATING_W // ampere_w))
    return replace(plug_in, preheating=(Piece(start_s, end_s, power_w),))


def _moved(segment: Segment, start_s: int, end_s: int, by_s: int = 0) -> Segment:
    """What of a segment lies in a window [unix s], later by some seconds."""
    return tuple(
        Piece(max(piece.start_s, start_s) + by_s, min(piece.end_s, end_s) + by_s, piece.power_w)
        for piece in segment
        if max(piece.start_s, start_s) < min(piece.end_s, end_s)
    )
