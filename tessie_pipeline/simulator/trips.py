"""The trips of a car in a week: where it goes and when, whatever its battery holds.

A week begins on Monday at 05:00 local, when the car stands at home. Each week has a trip on
Monday and ends at home on Sunday evening. A week is a pure function of seed, car and Monday.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.habits import NO_HABITS, Habits
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import local_date, local_s
from tessie_pipeline.simulator.roads import Place, beyond, distance_share, relative_speed

FIRST_MONDAY = date(2019, 12, 30)
WEEK_START_S = 5 * 3600
ROAD_FACTOR = 1.25


@dataclass(frozen=True)
class Car:
    """A vehicle, its home and its driver's habits; unchanging.

    `has_night_tariff` lets home charging wait until 00:30; otherwise it begins on arrival.
    `solar_site` is the home's, of a driver who charges on its solar.
    """

    seed: int
    index: int
    vin: str
    vehicle_id: int
    name: str
    site_index: int
    zone: str
    home: Place
    commute_mi: float
    home_office_share: float
    model: str
    trim: str
    color: str
    usable_wh: float
    rated_wh_per_mi: float
    limit_pct: int
    volts: int
    amps: int
    phases: int
    has_night_tariff: bool
    sleeps_offline: bool
    habits: Habits = NO_HABITS
    solar_site: Site | None = None

    @property
    def plug_w(self) -> float:
        """Power the car draws from its wall connector [W]."""
        return float(self.volts * self.amps * self.phases)


@dataclass(frozen=True)
class Trip:
    """A drive from place to place, over half-open unix seconds."""

    start_s: int
    end_s: int
    origin: Place
    destination: Place
    distance_mi: float

    @property
    def waves(self) -> int:
        """How often traffic slows the car down: about every 75 s."""
        return max(1, (self.end_s - self.start_s) // 75)

    def share(self, at_s: float) -> float:
        """Share of the distance driven, 0 before and 1 after the trip."""
        return distance_share((at_s - self.start_s) / (self.end_s - self.start_s), self.waves)

    def speed_mph(self, at_s: float) -> float:
        """Speed [mi/h], the derivative of the distance driven."""
        mean_mph = self.distance_mi * 3600 / (self.end_s - self.start_s)
        return mean_mph * relative_speed(
            (at_s - self.start_s) / (self.end_s - self.start_s), self.waves
        )


def monday_of(car: Car, at_s: float) -> date:
    """The Monday whose week holds the instant [unix s]."""
    day = local_date(car.zone, at_s - WEEK_START_S)
    monday = day - timedelta(days=day.weekday())
    if at_s < week_start_s(car, monday):
        monday -= timedelta(days=7)
    elif at_s >= week_start_s(car, monday + timedelta(days=7)):
        monday += timedelta(days=7)
    return monday


def week_start_s(car: Car, monday: date) -> int:
    """Monday 05:00 local [unix s]."""
    return local_s(car.zone, monday, WEEK_START_S)


@lru_cache(maxsize=8192)
def week_trips(car: Car, monday: date) -> tuple[Trip, ...]:
    """The car's trips of a week in order; none before it was delivered."""
    if monday < FIRST_MONDAY:
        return ()
    chance = seeded(car.seed, "trips", car.index, monday)
    work = beyond(car.home, "work", _bearing(car, "work"), car.commute_mi / ROAD_FACTOR)
    work = replace(work, is_underground=car.habits.parks_underground)
    trips: list[Trip] = []
    for weekday in range(5):
        day = monday + timedelta(days=weekday)
        at_office = weekday == 0 or chance.random() >= car.home_office_share
        if at_office:
            leave_s = local_s(car.zone, day, int(chance.uniform(7.1, 8.6) * 3600))
            back_s = local_s(car.zone, day, int(chance.uniform(16.4, 18.2) * 3600))
            trips.append(_trip(leave_s, car.home, work, car.commute_mi, chance.uniform(26, 36)))
            trips.append(_trip(back_s, work, car.home, car.commute_mi, chance.uniform(22, 34)))
        elif chance.random() < 0.7:
            trips += _errand(car, day, chance.uniform(8.5, 10.0), chance.uniform(4, 14))
        if chance.random() < 0.15:
            trips += _errand(car, day, chance.uniform(19.6, 20.4), chance.uniform(2, 6))
    saturday, sunday = monday + timedelta(days=5), monday + timedelta(days=6)
    if chance.random() < 0.3:
        trips += _weekend_away(car, saturday, sunday)
    else:
        if chance.random() < 0.85:
            trips += _errand(car, saturday, chance.uniform(9.5, 12.0), chance.uniform(4, 25))
        if chance.random() < 0.6:
            trips += _errand(car, sunday, chance.uniform(10.0, 14.0), chance.uniform(5, 40))
    return tuple(trips)


@lru_cache(maxsize=2048)
def odometer_at_week_mi(car: Car, monday: date) -> float:
    """Odometer [mi] when the week begins: all weeks before it, on top of delivery mileage."""
    if monday <= FIRST_MONDAY:
        return 12.0 + car.index % 7
    total_mi = 12.0 + car.index % 7
    week = FIRST_MONDAY
    while week < monday:
        total_mi += sum(trip.distance_mi for trip in week_trips(car, week))
        week += timedelta(days=7)
    return total_mi


def _bearing(car: Car, purpose: object) -> float:
    return seeded(car.seed, "bearing", car.index, purpose).uniform(0, 360)


def _trip(start_s: int, origin: Place, destination: Place, distance_mi: float, mph: float) -> Trip:
    duration_s = max(240, int(distance_mi / mph * 3600))
    return Trip(start_s, start_s + duration_s, origin, destination, distance_mi)


def _errand(car: Car, day: date, hour: float, distance_mi: float) -> list[Trip]:
    """Out and back, staying 20 to 70 minutes."""
    chance = seeded(car.seed, "errand", car.index, day, hour)
    shop = beyond(car.home, "errand", chance.uniform(0, 360), distance_mi / ROAD_FACTOR)
    out = _trip(
        local_s(car.zone, day, int(hour * 3600)),
        car.home,
        shop,
        distance_mi,
        chance.uniform(22, 34),
    )
    back_s = out.end_s + int(chance.uniform(20, 70) * 60)
    return [out, _trip(back_s, shop, car.home, distance_mi, chance.uniform(22, 34))]


def _weekend_away(car: Car, saturday: date, sunday: date) -> list[Trip]:
    """To a far place for a night, stopping at a Supercharger on both ways."""
    chance = seeded(car.seed, "weekend", car.index, saturday)
    bearing = _bearing(car, chance.randrange(3))
    first_mi, second_mi = chance.uniform(75, 100), chance.uniform(35, 60)
    name = f"Supercharger {round(bearing)}"
    stop = replace(beyond(car.home, name, bearing, first_mi / ROAD_FACTOR), is_supercharger=True)
    away = beyond(stop, "away", bearing + 20, second_mi / ROAD_FACTOR)
    trips = []
    leave_s = local_s(car.zone, saturday, int(chance.uniform(8.5, 10.5) * 3600))
    for legs in (
        ((car.home, stop, first_mi), (stop, away, second_mi)),
        ((away, stop, second_mi), (stop, car.home, first_mi)),
    ):
        for origin, destination, distance_mi in legs:
            trip = _trip(leave_s, origin, destination, distance_mi, chance.uniform(48, 58))
            trips.append(trip)
            leave_s = trip.end_s + int(chance.uniform(35, 45) * 60)
        leave_s = local_s(car.zone, sunday, int(chance.uniform(12.5, 14.0) * 3600))
    return trips
