"""The charges of a car in a week: plug-ins, their segments and the energy of each.

A week begins with the battery at the charge limit, because Sunday's plug-in always reaches
it by Monday 05:00. At home power is constant and begins and ends with 5-minute steps, the
last step carrying the rest; a Supercharger's power falls with the state of charge.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from tessie_pipeline.simulator.battery import STEP_H
from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.localdays import STEP_S, ceil_step, floor_step, local_date, local_s
from tessie_pipeline.simulator.roads import Place
from tessie_pipeline.simulator.trips import Car, Trip, week_start_s, week_trips

AC_EFFICIENCY = 0.92
DC_EFFICIENCY = 0.96
DC_PIECE_S = 60


@dataclass(frozen=True)
class Piece:
    """Constant charging power at the plug [W] over half-open unix seconds."""

    start_s: int
    end_s: int
    power_w: float

    @property
    def energy_wh(self) -> float:
        """Energy drawn at the plug [Wh]."""
        return self.power_w * (self.end_s - self.start_s) / 3600


@dataclass(frozen=True)
class PlugIn:
    """A car on a cable from `start_s` to `end_s`; `segments` are its uninterrupted charges."""

    start_s: int
    end_s: int
    place: Place
    efficiency: float
    stored_start_wh: float
    segments: tuple[tuple[Piece, ...], ...]
    is_complete: bool

    def used_wh(self, at_s: float) -> float:
        """Energy drawn at the plug [Wh] until an instant."""
        return sum(
            piece.power_w * (min(at_s, piece.end_s) - piece.start_s) / 3600
            for segment in self.segments
            for piece in segment
            if piece.start_s < at_s
        )

    def added_wh(self, at_s: float) -> float:
        """Energy put into the car's battery [Wh] until an instant."""
        return self.used_wh(at_s) * self.efficiency

    def piece_at(self, at_s: float) -> Piece | None:
        """The piece of charging at an instant, or None between and after segments."""
        for segment in self.segments:
            if segment[0].start_s <= at_s < segment[-1].end_s:
                return next(piece for piece in segment if piece.start_s <= at_s < piece.end_s)
        return None

    @property
    def charge_start_s(self) -> int | None:
        """Start of the first segment [unix s]."""
        return self.segments[0][0].start_s if self.segments else None

    @property
    def charge_end_s(self) -> int | None:
        """End of the last segment [unix s]."""
        return self.segments[-1][-1].end_s if self.segments else None


@dataclass(frozen=True)
class Week:
    """A car's week: trips with the battery's content at their starts, and plug-ins."""

    trips: tuple[Trip, ...]
    stored_at_trip_wh: tuple[float, ...]
    plug_ins: tuple[PlugIn, ...]
    stored_end_wh: float


def trip_energy_wh(car: Car, trip: Trip) -> float:
    """Energy a trip takes from the battery [Wh]; up to 20 % more in the cold season."""
    year_day = local_date(car.zone, trip.start_s).timetuple().tm_yday
    cold = 0.5 + 0.5 * math.cos(2 * math.pi * (year_day - 17) / 365)
    if car.home.latitude_deg < 0:
        cold = 1 - cold
    return trip.distance_mi * car.rated_wh_per_mi * (1.02 + 0.2 * cold)


@lru_cache(maxsize=8192)
def car_week(car: Car, monday: date) -> Week:
    """The car's week that begins on a Monday at 05:00 local."""
    next_monday = monday + timedelta(days=7)
    trips = week_trips(car, monday)
    following = week_trips(car, next_monday)
    limit_wh = car.usable_wh * car.limit_pct / 100
    stored_wh = limit_wh
    stored_at_trip, plug_ins = [], []
    for index, trip in enumerate(trips):
        stored_at_trip.append(stored_wh)
        stored_wh -= trip_energy_wh(car, trip)
        is_last = index == len(trips) - 1
        leave_s = following[0].start_s if is_last else trips[index + 1].start_s
        plug_in = None
        if trip.destination.is_supercharger:
            plug_in = _supercharge(car, trip, leave_s, stored_wh)
        elif trip.destination.is_home:
            is_low = stored_wh < limit_wh - 0.12 * car.usable_wh
            chance = seeded(car.seed, "plug", car.index, trip.end_s)
            if is_last or (leave_s - trip.end_s > 3600 and (is_low or chance.random() < 0.2)):
                deadline_s = week_start_s(car, next_monday) if is_last else leave_s - 600
                plug_in = _charge_at_home(car, trip, leave_s, deadline_s, stored_wh, is_last)
        if plug_in is not None:
            plug_ins.append(plug_in)
            stored_wh = plug_in.stored_start_wh + plug_in.added_wh(leave_s)
            if plug_in.is_complete and plug_in.place.is_home:
                stored_wh = limit_wh
    return Week(trips, tuple(stored_at_trip), tuple(plug_ins), stored_wh)


def _charge_at_home(
    car: Car, arrival: Trip, leave_s: int, deadline_s: int, stored_wh: float, is_last: bool
) -> PlugIn:
    """A plug-in at home: at once or at night, now and then in two segments."""
    chance = seeded(car.seed, "charge", car.index, arrival.end_s)
    ready_s = ceil_step(arrival.end_s + 90)
    plug_s = ready_s - chance.randrange(20, 50)
    step_wh = car.plug_w * STEP_H
    need_wh = max(0.0, car.usable_wh * car.limit_pct / 100 - stored_wh) / AC_EFFICIENCY
    steps = math.ceil(need_wh / step_wh - 1e-9)
    pause_steps = 0
    if steps >= 12 and not is_last and chance.random() < 0.2:
        pause_steps = chance.randrange(6, 13)
    latest_s = floor_step(deadline_s) - (steps + pause_steps) * STEP_S
    start_s = ready_s
    if car.has_night_tariff:
        start_s = max(ready_s, min(_next_night_s(car, ready_s), latest_s))
    fitting = (floor_step(deadline_s) - start_s) // STEP_S - pause_steps
    is_complete = steps <= fitting
    powers = [car.plug_w] * min(steps, max(0, fitting))
    if is_complete and steps:
        powers[-1] = (need_wh - step_wh * (steps - 1)) / STEP_H
    half = len(powers) // 2 if pause_steps else len(powers)
    first = _pieces(start_s, STEP_S, powers[:half])
    second = _pieces(start_s + (half + pause_steps) * STEP_S, STEP_S, powers[half:])
    segments = tuple(segment for segment in (first, second) if segment)
    unplug_s = leave_s - chance.randrange(25, 90)
    return PlugIn(plug_s, unplug_s, car.home, AC_EFFICIENCY, stored_wh, segments, is_complete)


def _next_night_s(car: Car, at_s: int) -> int:
    """The next 00:30 local at or after an instant [unix s]."""
    day = local_date(car.zone, at_s)
    tonight_s = local_s(car.zone, day, 1800)
    return tonight_s if tonight_s >= at_s else local_s(car.zone, day + timedelta(days=1), 1800)


def _supercharge(car: Car, arrival: Trip, leave_s: int, stored_wh: float) -> PlugIn:
    """A Supercharger stop: power 2.2 C when empty, falling linearly, until 80 % or departure."""
    plug_s = arrival.end_s + 75
    start_s, unplug_s = plug_s + 25, leave_s - 60
    powers: list[float] = []
    now_wh = stored_wh
    while start_s + (len(powers) + 1) * DC_PIECE_S < unplug_s - 120:
        soc = now_wh / car.usable_wh
        if soc >= 0.8:
            break
        power_w = min(250_000.0, car.usable_wh * 2.2 * (1.0 - soc))
        powers.append(power_w)
        now_wh += power_w * DC_EFFICIENCY * DC_PIECE_S / 3600
    pieces = tuple(
        Piece(start_s + i * DC_PIECE_S, start_s + (i + 1) * DC_PIECE_S, power_w)
        for i, power_w in enumerate(powers)
    )
    segments = (pieces,) if pieces else ()
    place = arrival.destination
    return PlugIn(plug_s, unplug_s, place, DC_EFFICIENCY, stored_wh, segments, is_complete=False)


def _pieces(start_s: int, piece_s: int, powers_w: list[float]) -> tuple[Piece, ...]:
    """Pieces one after the other, neighbours of equal power joined."""
    pieces: list[Piece] = []
    for index, power_w in enumerate(powers_w):
        at_s = start_s + index * piece_s
        if pieces and pieces[-1].power_w == power_w:
            pieces[-1] = Piece(pieces[-1].start_s, at_s + piece_s, power_w)
        else:
            pieces.append(Piece(at_s, at_s + piece_s, power_w))
    return tuple(pieces)
