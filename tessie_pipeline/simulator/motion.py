"""What a car is doing at an instant: where, how fast, how full, plugged in or not.

When it is awake is in `awake.py` and, as far as calls keep it so, in `waking.py`.
"""

from dataclasses import dataclass
from datetime import timedelta

from tessie_pipeline.simulator.charging import Week, car_week, trip_energy_wh
from tessie_pipeline.simulator.plug_in import Piece, PlugIn
from tessie_pipeline.simulator.roads import bearing_deg, between
from tessie_pipeline.simulator.trips import Car, Trip, monday_of, odometer_at_week_mi, week_trips

CAR_MASS_KG = 1900.0
MPH_PER_M_S = 2.23694


@dataclass(frozen=True)
class CarState:
    """A car at an instant. Power is positive when the battery gives it, in W.

    `plug_in` is the cable it is on; `last_plug_in` that or the one before; `piece` the
    charging and `preheating` the preheating under way.
    """

    at_s: float
    trip: Trip | None
    latitude_deg: float
    longitude_deg: float
    heading_deg: int
    speed_mph: float
    power_w: float
    stored_wh: float
    soc_pct: float
    plug_in: PlugIn | None
    last_plug_in: PlugIn | None
    piece: Piece | None
    preheating: Piece | None

    @property
    def plug_w(self) -> float:
        """Power at the plug [W], for whatever."""
        drawn = self.piece or self.preheating
        return drawn.power_w if drawn else 0.0

    @property
    def charging_state(self) -> str:
        """Tesla's word for the state of charging."""
        plug_in = self.plug_in
        if plug_in is None:
            return "Disconnected"
        if self.piece is not None:
            return "Charging"
        if not plug_in.has_power(self.at_s):
            return "NoPower"
        start_s, end_s = plug_in.charge_start_s, plug_in.charge_end_s
        if start_s is not None and 0 < start_s - self.at_s <= 60:
            return "Starting"
        is_over = end_s is None or self.at_s >= end_s
        return "Complete" if plug_in.is_complete and is_over else "Stopped"

    @property
    def is_charge_pending(self) -> bool:
        """Plugged in, with the first charge still to come."""
        start_s = self.plug_in.charge_start_s if self.plug_in else None
        return start_s is not None and self.at_s < start_s


def car_state(car: Car, at_s: float) -> CarState:
    """The car at an instant [unix s]."""
    monday = monday_of(car, at_s)
    week, before = car_week(car, monday), car_week(car, monday - timedelta(days=7))
    begun = [trip for trip in week.trips if trip.start_s <= at_s]
    latest = begun[-1] if begun else None
    trip = latest if latest is not None and at_s < latest.end_s else None
    latitude_deg, longitude_deg, heading_deg = _position(car, latest, at_s)
    last_plug_in = None
    for candidate in (*before.plug_ins[-1:], *week.plug_ins):
        if candidate.start_s <= at_s:
            last_plug_in = candidate
    is_plugged = last_plug_in is not None and at_s < last_plug_in.end_s
    plug_in = last_plug_in if is_plugged else None
    piece = plug_in.piece_at(at_s) if plug_in else None
    power_w = driving_power_w(car, trip, at_s) if trip else 0.0
    if piece is not None and plug_in is not None:
        power_w = -piece.power_w * plug_in.efficiency
    stored_wh = _stored_wh(car, week, len(begun), at_s)
    return CarState(
        at_s=at_s,
        trip=trip,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        heading_deg=heading_deg,
        speed_mph=trip.speed_mph(at_s) if trip else 0.0,
        power_w=power_w,
        stored_wh=stored_wh,
        soc_pct=100 * stored_wh / car.usable_wh,
        plug_in=plug_in,
        last_plug_in=last_plug_in,
        piece=piece,
        preheating=plug_in.preheating_at(at_s) if plug_in else None,
    )


def odometer_mi(car: Car, at_s: float) -> float:
    """Odometer [mi] at an instant [unix s]; the first call for a car adds up all its weeks."""
    monday = monday_of(car, at_s)
    trips = week_trips(car, monday)
    driven_mi = sum(trip.distance_mi * trip.share(at_s) for trip in trips if trip.start_s <= at_s)
    return odometer_at_week_mi(car, monday) + driven_mi


def _position(car: Car, latest: Trip | None, at_s: float) -> tuple[float, float, int]:
    """Latitude, longitude and heading [deg], on or at the end of the week's latest trip."""
    if latest is None:
        return car.home.latitude_deg, car.home.longitude_deg, 0
    latitude_deg, longitude_deg = between(latest.origin, latest.destination, latest.share(at_s))
    return latitude_deg, longitude_deg, bearing_deg(latest.origin, latest.destination)


def _stored_wh(car: Car, week: Week, begun: int, at_s: float) -> float:
    """Energy in the battery [Wh] after the week's first `begun` trips began."""
    if begun == 0:
        return car.usable_wh * car.limit_pct / 100
    trip = week.trips[begun - 1]
    stored_wh = week.stored_at_trip_wh[begun - 1] - trip_energy_wh(car, trip) * trip.share(at_s)
    for plug_in in week.plug_ins:
        if trip.end_s <= plug_in.start_s <= at_s:
            stored_wh = plug_in.stored_start_wh + plug_in.added_wh(at_s)
    return stored_wh


def driving_power_w(car: Car, trip: Trip, at_s: float) -> float:
    """Power [W] the battery gives while driving: the trip's mean per mile, and acceleration.

    Acceleration is the change of kinetic energy m v^2 / 2, which adds up to zero over a trip;
    negative power is regeneration.
    """
    rolling_w = trip_energy_wh(car, trip) / trip.distance_mi * trip.speed_mph(at_s)
    before_m_s, after_m_s = (
        trip.speed_mph(at_s + shift_s) / MPH_PER_M_S for shift_s in (-0.5, 0.5)
    )
    return rolling_w + CAR_MASS_KG * (after_m_s**2 - before_m_s**2) / 2


def home_charging_w(car: Car, start_s: int, steps: int, step_s: int) -> dict[int, float]:
    """Power the car draws at home [W], by step of a window, only the steps that have any."""
    powers: dict[int, float] = {}
    end_s = start_s + steps * step_s
    mondays = {monday_of(car, at_s) for at_s in (start_s - 86400, start_s, end_s)}
    pieces = (
        piece
        for monday in sorted(mondays)
        for plug_in in car_week(car, monday).plug_ins
        if plug_in.place.is_home and plug_in.start_s < end_s and plug_in.end_s > start_s
        for piece in plug_in.drawn
    )
    for piece in pieces:
        for at_s in range(max(piece.start_s, start_s), min(piece.end_s, end_s), step_s):
            powers[(at_s - start_s) // step_s] = piece.power_w
    return powers
