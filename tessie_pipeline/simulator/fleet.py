"""The population: energy sites and cars, made from a seed and a number of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from tessie_pipeline.simulator.battery import Battery
from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.habits import Habits
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import STEP_S, day_bounds_s
from tessie_pipeline.simulator.motion import home_charging_w
from tessie_pipeline.simulator.powerwall import SiteDays
from tessie_pipeline.simulator.roads import Place
from tessie_pipeline.simulator.sun import SolarArray
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline.simulator.vin import make_vin


@dataclass(frozen=True)
class Region:
    """A kind of place to live: zone, sun, climate, and how homes run batteries and generators."""

    town: str
    zone: str
    country: str
    latitude_deg: float
    longitude_deg: float
    mean_temperature_c: float
    tilt_deg: float
    volts: int
    amps: int
    phases: int
    night_charge_pct: float | None = None
    evening_export_pct: float | None = None
    generator_w: float = 0.0


REGIONS = (
    Region("Sacramento", "America/Los_Angeles", "US", 38.58, -121.49, 16.5, 22.0, 240, 48, 1),
    Region("Berlin", "Europe/Berlin", "DE", 52.52, 13.40, 10.0, 35.0, 230, 16, 3, 50.0),
    Region(
        "Adelaide",
        "Australia/Adelaide",
        "AU",
        -34.93,
        138.60,
        17.0,
        22.0,
        230,
        32,
        1,
        evening_export_pct=60.0,
    ),
    Region(
        "Boston",
        "America/New_York",
        "US",
        42.36,
        -71.06,
        11.0,
        30.0,
        240,
        32,
        1,
        generator_w=9_000.0,
    ),
)


@dataclass(frozen=True)
class Model:
    """A car model with the battery's usable energy and rated consumption."""

    car_type: str
    letter: str
    trim: str
    usable_wh: float
    rated_wh_per_mi: float


MODELS = (
    Model("model3", "3", "74d", 75_000.0, 242.0),
    Model("modely", "Y", "74d", 75_500.0, 262.0),
    Model("model3", "3", "50", 57_500.0, 228.0),
    Model("models", "S", "100d", 95_000.0, 275.0),
    Model("modelx", "X", "100d", 95_000.0, 318.0),
)
COLORS = ("MidnightSilver", "DeepBlue", "PearlWhite", "SolidBlack", "RedMulticoat")
NAMES = ("Ada", "Otto", "Marie", "Nikola", "Lise", "Emmy", "Volta", "Joule", "Noor", "Hedy")


class Fleet:
    """Energy sites and cars of one account; a pure function of its arguments.

    Car i lives at site i modulo the number of sites and has a wall connector there.
    """

    def __init__(
        self, seed: int = 1, sites: int = 1, vehicles: int = 2, further: Sequence[Habits] = ()
    ) -> None:
        """Make `sites` homes, `vehicles` cars, and a further car for each of some habits.

        Raises:
            ValueError: a number is negative.
        """
        if sites < 0 or vehicles < 0:
            raise ValueError("a fleet has no negative number of sites or vehicles")
        self.seed = seed
        self.sites = [_site(seed, index) for index in range(sites)]
        self.cars = [_car(seed, index, max(1, sites)) for index in range(vehicles)]
        self.cars += [
            _with_habits(_car(seed, index, max(1, sites)), habits)
            for index, habits in enumerate(further, vehicles)
        ]
        self.site_days = SiteDays(self.car_powers_w)

    @cached_property
    def cars_at_site(self) -> dict[int, list[Car]]:
        """Cars by the index of the site they live at."""
        homes: dict[int, list[Car]] = {}
        for car in self.cars:
            homes.setdefault(car.site_index, []).append(car)
        return homes

    def site_by_id(self, energy_site_id: str) -> Site | None:
        """The site with an id, or None."""
        return self._sites_by_id.get(energy_site_id)

    def car_by_tag(self, tag: str) -> Car | None:
        """The car with an id or VIN, or None."""
        return self._cars_by_tag.get(tag)

    def car_powers_w(self, site: Site, day: date) -> list[float]:
        """Charging power of all cars at a site [W], in each 5-minute step of its local day."""
        start_s, end_s = day_bounds_s(site.zone, day)
        steps = (end_s - start_s) // STEP_S
        powers = [0.0] * steps
        for car in self.cars_at_site.get(site.index, ()):
            for step, power_w in home_charging_w(car, start_s, steps, STEP_S).items():
                powers[step] += power_w
        return powers

    @cached_property
    def _sites_by_id(self) -> dict[str, Site]:
        return {str(site.energy_site_id): site for site in self.sites}

    @cached_property
    def _cars_by_tag(self) -> dict[str, Car]:
        by_vin = {car.vin: car for car in self.cars}
        return by_vin | {str(car.vehicle_id): car for car in self.cars}


def _site(seed: int, index: int) -> Site:
    chance = seeded(seed, "site", index)
    region = REGIONS[index % len(REGIONS)]
    peak_w = 100.0 * round(chance.uniform(68, 98))
    return Site(
        seed=seed,
        index=index,
        energy_site_id=2_252_000_000_000 + 1009 * index + seed % 1000,
        name=f"{region.town} {index + 1}",
        zone=region.zone,
        country=region.country,
        latitude_deg=round(region.latitude_deg + chance.uniform(-0.05, 0.05), 5),
        longitude_deg=round(region.longitude_deg + chance.uniform(-0.05, 0.05), 5),
        mean_temperature_c=region.mean_temperature_c,
        installed=date(2020, 1, 6),
        array=SolarArray(peak_w, 0.85 * peak_w, region.tilt_deg),
        battery=Battery(count=1 if chance.random() < 0.35 else 2),
        base_load_w=chance.uniform(260, 420),
        night_charge_pct=region.night_charge_pct,
        evening_export_pct=region.evening_export_pct,
        generator_w=region.generator_w,
    )


def _car(seed: int, index: int, homes: int) -> Car:
    chance = seeded(seed, "car", index)
    site = _site(seed, index % homes)
    region = REGIONS[site.index % len(REGIONS)]
    model = MODELS[(index + seed) % len(MODELS)]
    home = Place(site.name, site.latitude_deg, site.longitude_deg, is_home=True)
    return Car(
        seed=seed,
        index=index,
        vin=make_vin(
            model.letter, region.country, serial=100_000 + (seed * 7919 + index) % 900_000
        ),
        vehicle_id=1_492_931_000_000_000 + 65_537 * index + seed % 60_000,
        name=NAMES[index % len(NAMES)],
        site_index=site.index,
        zone=region.zone,
        home=home,
        commute_mi=chance.uniform(6, 20),
        home_office_share=0.15 if index % 2 == 0 else 0.5,
        model=model.car_type,
        trim=model.trim,
        color=COLORS[chance.randrange(len(COLORS))],
        usable_wh=model.usable_wh,
        rated_wh_per_mi=model.rated_wh_per_mi,
        limit_pct=80 if chance.random() < 0.7 else 90,
        volts=region.volts,
        amps=region.amps,
        phases=region.phases,
        has_night_tariff=index % 2 == 0,
        sleeps_offline=index % 5 == 4,
    )


def _with_habits(car: Car, habits: Habits) -> Car:
    site = _site(car.seed, car.site_index) if habits.charges_on_solar else None
    return replace(car, habits=habits, solar_site=site)
