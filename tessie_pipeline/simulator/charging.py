"""The charges of a car in a week: at home, at Superchargers and in the garage at work.

A week begins with the battery at the charge limit, because Sunday's plug-in always reaches
it by Monday 05:00. A Supercharger's power falls with the state of charge.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.home_charging import SPARE, charge_at_home
from tessie_pipeline.simulator.localdays import local_date
from tessie_pipeline.simulator.plug_in import AC_EFFICIENCY, DC_EFFICIENCY, Piece, PlugIn
from tessie_pipeline.simulator.trips import Car, Trip, week_start_s, week_trips

DC_PIECE_S = 60
GARAGE_W = 11_000.0
GARAGE_SHARE = 0.5


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
        elif trip.destination.is_underground:
            plug_in = _charge_underground(car, trip, leave_s, stored_wh)
        elif trip.destination.is_home:
            is_low = car.habits.charges_on_solar or stored_wh < limit_wh - SPARE * car.usable_wh
            chance = seeded(car.seed, "plug", car.index, trip.end_s)
            if is_last or (leave_s - trip.end_s > 3600 and (is_low or chance.random() < 0.2)):
                deadline_s = week_start_s(car, next_monday) if is_last else leave_s - 600
                plug_in = charge_at_home(car, trip, leave_s, deadline_s, stored_wh, is_last)
        if plug_in is not None:
            plug_ins.append(plug_in)
            stored_wh = plug_in.stored_start_wh + plug_in.added_wh(leave_s)
            if plug_in.is_complete and plug_in.place.is_home:
                stored_wh = limit_wh
    return Week(trips, tuple(stored_at_trip), tuple(plug_ins), stored_wh)


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


def _charge_underground(car: Car, arrival: Trip, leave_s: int, stored_wh: float) -> PlugIn | None:
    """On some days a charge at once, at constant power, until the limit or departure."""
    chance = seeded(car.seed, "garage", car.index, arrival.end_s)
    plug_s, unplug_s = arrival.end_s + chance.randrange(60, 120), leave_s - 45
    start_s = plug_s + 20
    limit_wh = car.usable_wh * car.limit_pct / 100
    need_s = int((limit_wh - stored_wh) / AC_EFFICIENCY / GARAGE_W * 3600)
    end_s = min(start_s + need_s, unplug_s - 60)
    if chance.random() >= GARAGE_SHARE or end_s <= start_s:
        return None
    return PlugIn(
        start_s=plug_s,
        end_s=unplug_s,
        place=arrival.destination,
        efficiency=AC_EFFICIENCY,
        stored_start_wh=stored_wh,
        segments=((Piece(start_s, end_s, GARAGE_W),),),
        is_complete=end_s == start_s + need_s,
    )
