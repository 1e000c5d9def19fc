"""Samples of a simulated household for as long as one likes, with what goes wrong in years.

Two homes in two time zones with their batteries, and two cars. Some samples never come, some come
late, and a car stays plugged in for long. Not here: what is done with them (`two_years`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from uuid import NAMESPACE_URL, uuid5

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.rollups import ENERGY_SERIES, Series
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.prices import places
from tessie_pipeline_tests.simulator.energy_frames import samples_of_steps, steps_of
from tessie_pipeline_tests.simulator.samples import samples_of

FLEET = Fleet(seed=5, sites=2, vehicles=2)
SITES = {site.name: uuid5(NAMESPACE_URL, site.name).hex for site in FLEET.sites}
CARS = {car.vehicle_id: uuid5(NAMESPACE_URL, car.vin).hex for car in FLEET.cars}
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True)
class Late:
    """Samples that come late, again and again; days are counted from the first one.

    Attributes:
        day: of the first of them.
        by: how many days late they are; None if they never come.
        part: every how many-th sample of some hours of the day is late, of all subjects.
        again: after how many days it happens once more; None for never.
    """

    day: int
    by: int | None
    part: int = 1
    again: int | None = None


@dataclass(frozen=True)
class Household:
    """What there is to sample.

    Attributes:
        first: the first day (UTC), a Monday.
        days: how many there are.
        every: how long it is from sample to sample.
        weeks: how many weeks the cars' lives repeat after.
        plugged_in: on which day the second car stays plugged in where it is, and for how many.
        lates: what does not come in time.
    """

    first: date
    days: int
    every: timedelta
    weeks: int
    plugged_in: tuple[int, int]
    lates: Sequence[Late]

    def samples(self, series: Series) -> pl.DataFrame:
        """All samples that come, with `arrives`, the day (UTC) on which they do."""
        found = self._of_sites() if series is ENERGY_SERIES else self._of_cars()
        day, hour = pl.col("timestamp").dt.date(), pl.col("timestamp").dt.hour()
        number = (day - self.first).dt.total_days()
        arrives: pl.Expr = day
        for late in self.lates:
            since = number - late.day
            is_day = since == 0 if late.again is None else (since >= 0) & (since % late.again == 0)
            nth = pl.int_range(pl.len()).over(series.subject, day) % late.part == 0
            by = pl.lit(late.by and timedelta(days=late.by), pl.Duration("us"))
            arrives = (
                pl.when(is_day & nth & hour.is_between(9, 20)).then(day + by).otherwise(arrives)
            )
        arriving = found.sort(series.subject, "timestamp").with_columns(arrives=arrives)
        return arriving.filter(pl.col("arrives") < self.first + self.days * DAY)

    def _of_sites(self) -> pl.DataFrame:
        """What each site's `live_status` says, regularly, until the last day (UTC) is over."""
        parts = []
        for site in FLEET.sites:
            zones = pl.DataFrame({"site_id": [site.name], "time_zone": [site.zone]})
            last = self.first + (self.days + 1) * DAY
            windows = day_windows(zones, self.first - DAY, last)
            found = samples_of_steps(site, steps_of(FLEET.site_days, site, windows))
            parts.append(found.filter(_minute() % (self.every // timedelta(minutes=1)) == 0))
        time = pl.col("timestamp")
        return (
            pl.concat(parts)
            .filter(time >= _midnight(self.first), time.dt.date() < self.first + self.days * DAY)
            .with_columns(
                pl.col("site_id").replace_strict(SITES),
                raw_data=pl.struct(load_power="load_power_w").struct.json_encode(),
                grid_status=pl.lit("Active"),
                energy_left_wh=pl.col("battery_percentage") * 135,
            )
            .drop("is_stale")
        )

    def _of_cars(self) -> pl.DataFrame:
        """What each car's `vehicle_data` says while it is awake."""
        start, period = _midnight(self.first), WEEK * self.weeks
        own = samples_of(FLEET, CARS, start, start + period, self.every)
        driven = own.group_by("vehicle_id").agg(
            driven_mi=pl.col("odometer").max() - pl.col("odometer").min() + 1
        )
        own = own.join(driven, on="vehicle_id")
        repeated = pl.concat(
            own.with_columns(
                pl.col("timestamp") + period * number,
                pl.col("odometer") + pl.col("driven_mi") * number,
            )
            for number in range(ceil(self.days / (7 * self.weeks)))
        )
        time = pl.col("timestamp")
        lived = repeated.filter(time < start + self.days * DAY).drop("driven_mi")
        day, days = self.plugged_in
        return _plugged_in(lived, start + DAY * day, start + DAY * (day + days))


def _plugged_in(samples: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """The samples, but the second car is full after `start`, and stands so to `end`."""
    car = list(CARS.values())[1]
    is_its = (pl.col("vehicle_id") == car) & (pl.col("timestamp") >= start)
    charged = samples.filter(is_its, pl.col("charging_state") == "Complete")
    full = charged.sort("timestamp").head(1)
    began = full["timestamp"].item()
    stands = (pl.col("vehicle_id") == car) & pl.col("timestamp").is_between(began, end)
    standing = samples.filter(stands).select("timestamp").join(full.drop("timestamp"), how="cross")
    return pl.concat([samples.filter(~stands), standing.select(samples.columns)])


def register(database: Database) -> None:
    """Let the database know the homes, that they are places, and the cars."""
    with database.rows() as connection:
        connection.execute(
            sa.insert(tables.energy_sites),
            [
                {
                    "id": SITES[site.name],
                    "tesla_site_id": site.energy_site_id,
                    "site_name": site.name,
                    "time_zone": site.zone,
                    "battery_count": site.battery.count,
                    "total_battery_capacity_kwh": site.battery.capacity_wh / 1000,
                }
                for site in FLEET.sites
            ],
        )
        connection.execute(
            sa.insert(tables.vehicles),
            [
                {"id": CARS[car.vehicle_id], "tesla_id": car.vehicle_id, "vin": car.vin}
                for car in FLEET.cars
            ],
        )
        connection.execute(
            sa.insert(places),
            [
                {
                    "id": SITES[site.name],
                    "name": site.name,
                    "latitude": site.latitude_deg,
                    "longitude": site.longitude_deg,
                    "site_id": SITES[site.name],
                }
                for site in FLEET.sites
            ],
        )


def _minute() -> pl.Expr:
    return pl.col("timestamp").dt.epoch("s") // 60


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
