"""A home's weather, solar production, own consumption, outages and generator on a local day.

Everything is a pure function of the seed, the site and the date. Cars are added by whoever
knows them, through `car_w`; the battery is in `battery.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tessie_pipeline.simulator.battery import Battery, Demand
from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.localdays import STEP_S, day_bounds_s, local_s
from tessie_pipeline.simulator.sun import SolarArray, clear_sky_powers_w

COMFORT_C = 20.0

GENERATOR_STARTS_S = 600
"""How long the grid has been down when the generator starts."""

TEST_WEEKDAY = 5
TEST_S = (17 * 3600, 19 * 3600)
"""The generator is tested on the month's first Saturday, between these seconds of the day."""


@dataclass(frozen=True)
class Site:
    """An energy site: where it is, what is installed and how it is run.

    `night_charge_pct` lets the grid charge the battery up to that level from 01:00 to 05:00;
    `evening_export_pct` lets the battery export down to that level from 18:00 to 20:00.
    `generator_w` is what a standby generator can give at most [W], 0 where there is none.
    """

    seed: int
    index: int
    energy_site_id: int
    name: str
    zone: str
    country: str
    latitude_deg: float
    longitude_deg: float
    mean_temperature_c: float
    installed: date
    array: SolarArray
    battery: Battery
    base_load_w: float
    night_charge_pct: float | None = None
    evening_export_pct: float | None = None
    generator_w: float = 0.0


@dataclass(frozen=True)
class Outage:
    """The grid is down from `start_s` to `end_s` [unix s]."""

    start_s: int
    end_s: int


def outside_temperature_c(site: Site, day: date, seconds_of_day: float) -> float:
    """Air temperature [C]: a yearly and a daily sine around the climate's mean, and weather."""
    season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 200) / 365)
    season = math.copysign(season, season * site.latitude_deg)
    weather = seeded(site.seed, "temperature", site.index, day).gauss(0.0, 2.0)
    hour = math.cos(2 * math.pi * (seconds_of_day / 3600 - 15) / 24)
    return site.mean_temperature_c + 8.0 * season + 5.0 * hour + weather


def cloud_transmission(site: Site, day: date, steps: int) -> list[float]:
    """Share of clear-sky production that clouds let through, per step: 0.08 to 1.

    A day is clear, broken or overcast; within it the sky moves between half-hourly levels,
    and single clouds pass on broken days.
    """
    chance = seeded(site.seed, "clouds", site.index, day)
    kind = chance.random()
    if kind < 0.55:
        mean, spread, passing = 0.97, 0.03, 0.02
    elif kind < 0.85:
        mean, spread, passing = chance.uniform(0.55, 0.85), 0.18, 0.25
    else:
        mean, spread, passing = chance.uniform(0.15, 0.4), 0.1, 0.0
    levels = [chance.gauss(mean, spread) for _ in range(steps // 6 + 2)]
    transmission = []
    for step in range(steps):
        knot, between = divmod(step, 6)
        level = levels[knot] + (levels[knot + 1] - levels[knot]) * between / 6
        if passing and chance.random() < passing:
            level *= 0.55
        transmission.append(min(1.0, max(0.08, level)))
    return transmission


def solar_powers_w(site: Site, day: date) -> list[float]:
    """Solar production [W] in each 5-minute step of the local day."""
    start_s, end_s = day_bounds_s(site.zone, day)
    steps = (end_s - start_s) // STEP_S
    midnight_utc_s = start_s - start_s % 86400
    clear_w = clear_sky_powers_w(
        site.array,
        site.latitude_deg,
        site.longitude_deg,
        day.timetuple().tm_yday,
        start_s - midnight_utc_s,
        steps,
        STEP_S,
    )
    clouds = cloud_transmission(site, day, steps)
    return [power_w * share for power_w, share in zip(clear_w, clouds, strict=True)]


def home_powers_w(site: Site, day: date) -> list[float]:
    """The home's own consumption [W], cars aside, in each 5-minute step of the local day."""
    start_s, end_s = day_bounds_s(site.zone, day)
    steps = (end_s - start_s) // STEP_S
    chance = seeded(site.seed, "home", site.index, day)
    base_w = site.base_load_w
    at_home = 1.0 if day.weekday() >= 5 else 0.55
    powers = []
    fridge_phase = chance.random() * 9
    for step in range(steps):
        hour = step * STEP_S / 3600
        morning = math.exp(-(((hour - 7.3) / 1.1) ** 2))
        daytime = at_home * math.exp(-(((hour - 13.0) / 4.0) ** 2))
        evening = math.exp(-(((hour - 19.3) / 2.0) ** 2))
        fridge_w = 120.0 if (step + fridge_phase) % 9 < 4 else 0.0
        people_w = base_w * (1.1 * morning + 0.8 * daytime + 2.2 * evening)
        powers.append((base_w + people_w) * chance.uniform(0.8, 1.25) + fridge_w)
    _add_climate(site, day, powers)
    for hour, hours, power_w, odds in (
        (chance.uniform(17.5, 19.0), 0.75, 2200.0, 0.8),  # cooking
        (chance.uniform(19.5, 21.5), 1.0, 1500.0, 0.6),  # dishwasher
        (chance.uniform(9.0, 16.0), 1.25, 1300.0, 0.35),  # washing
        (chance.uniform(10.0, 17.0), 1.0, 2600.0, 0.25),  # dryer
        (chance.uniform(6.3, 7.5), 0.25, 1800.0, 0.9),  # kettle, toaster
    ):
        if chance.random() < odds:
            first = int(hour * 12)
            for step in range(first, min(steps, first + int(hours * 12))):
                powers[step] += power_w
    return powers


def _add_climate(site: Site, day: date, powers: list[float]) -> None:
    """Add a heat pump that works against the distance to 20 C, cooling by day, heating more."""
    noon_c = outside_temperature_c(site, day, 43200)
    for step in range(len(powers)):
        hour_c = 5.0 * math.cos(2 * math.pi * (step * STEP_S / 3600 - 15) / 24) - 3.5
        excess_c = noon_c + hour_c - COMFORT_C
        powers[step] += 45.0 * max(0.0, -excess_c - 4.0) + 70.0 * max(0.0, excess_c - 4.0)


def outage_on(site: Site, day: date, car_w: Sequence[float]) -> Outage | None:
    """The grid outage of a local day, if it has one; never while a car charges at home."""
    chance = seeded(site.seed, "outage", site.index, day)
    if chance.random() > 1 / 60:
        return None
    start_s, end_s = day_bounds_s(site.zone, day)
    first = chance.randrange(0, len(car_w) - 24)
    last = first + chance.randrange(3, 24)
    if any(car_w[first:last]):
        return None
    return Outage(start_s + first * STEP_S, min(end_s, start_s + last * STEP_S))


def generator_powers_w(site: Site, day: date, outage: Outage | None) -> list[float]:
    """What the generator could give [W] in each 5-minute step of the local day.

    It runs from some minutes into an outage to its end, and in a monthly test under load, which
    leaves the home connected to the grid.
    """
    start_s, end_s = day_bounds_s(site.zone, day)
    runs_s = []
    if outage is not None:
        runs_s.append((outage.start_s + GENERATOR_STARTS_S, outage.end_s))
    if day.weekday() == TEST_WEEKDAY and day.day <= 7:
        runs_s.append((local_s(site.zone, day, TEST_S[0]), local_s(site.zone, day, TEST_S[1])))
    return [
        site.generator_w if any(first_s <= at_s < last_s for first_s, last_s in runs_s) else 0.0
        for at_s in range(start_s, end_s, STEP_S)
    ]


def demands(site: Site, day: date, car_w: Sequence[float], outage: Outage | None) -> list[Demand]:
    """What the battery meets in each 5-minute step of the local day.

    `car_w` is the cars' charging power at home [W] per step, drawn at the wall.
    """
    start_s, _ = day_bounds_s(site.zone, day)
    solar_w = solar_powers_w(site, day)
    home_w = home_powers_w(site, day)
    generator_w = generator_powers_w(site, day, outage)
    battery = site.battery
    charge_start_s, charge_end_s = local_s(site.zone, day, 3600), local_s(site.zone, day, 5 * 3600)
    export_start_s = local_s(site.zone, day, 18 * 3600)
    export_end_s = local_s(site.zone, day, 20 * 3600)
    steps = []
    powers_w = zip(solar_w, generator_w, home_w, car_w, strict=True)
    for step, (sun_w, standby_w, own_w, plug_w) in enumerate(powers_w):
        at_s = start_s + step * STEP_S
        floor_wh, grid_charge_w = battery.reserve_wh, battery.recovery_w
        export_above_wh = battery.capacity_wh
        is_grid_up = outage is None or not outage.start_s <= at_s < outage.end_s
        if not is_grid_up:
            floor_wh = 0.0
        elif site.night_charge_pct is not None and charge_start_s <= at_s < charge_end_s:
            floor_wh = battery.capacity_wh * site.night_charge_pct / 100
            grid_charge_w = battery.power_w * 0.66
        elif site.evening_export_pct is not None and export_start_s <= at_s < export_end_s:
            export_above_wh = battery.capacity_wh * site.evening_export_pct / 100
        steps.append(
            Demand(
                solar_w=sun_w,
                generator_w=standby_w,
                home_w=own_w + plug_w,
                floor_wh=floor_wh,
                grid_charge_w=grid_charge_w,
                export_above_wh=export_above_wh,
                is_grid_up=is_grid_up,
            )
        )
    return steps
