"""Made-up samples of sites and cars, as many as a benchmark needs and always the same."""

from datetime import UTC, date, datetime, timedelta
from math import pi
from uuid import NAMESPACE_URL, uuid5

import polars as pl

from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.vehicle_answers import vehicle_data
from tessie_pipeline.tesla.client import VEHICLE_DATA_ENDPOINTS
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data

PACK_WH = 27_000.0


def site_ids(sites: int) -> list[str]:
    """The ids of the sites, sorted."""
    return sorted(uuid5(NAMESPACE_URL, str(site)).hex for site in range(sites))


def energy_states(
    sites: int, start: date, days: int, every: timedelta = timedelta(minutes=5)
) -> pl.DataFrame:
    """`ENERGY_STATES` rows of sites throughout UTC days, sorted by site and time."""
    first = datetime(start.year, start.month, start.day, tzinfo=UTC)
    times = pl.datetime_range(
        first, first + timedelta(days=days), every, closed="left", time_unit="us", eager=True
    )
    grid = pl.DataFrame({"site_id": site_ids(sites)}).join(times.to_frame("timestamp"), how="cross")
    return _with_answers(_with_powers(grid)).select(ENERGY_STATES.names()).cast(ENERGY_STATES)


def vehicle_states(vehicles: int, day: date, every: timedelta) -> pl.DataFrame:
    """`VEHICLE_STATES` rows of simulated cars on a UTC day, as if they never slept."""
    fleet = Fleet(sites=vehicles, vehicles=vehicles)
    asked = frozenset(VEHICLE_DATA_ENDPOINTS)
    start_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    rows = [
        {
            "vehicle_id": uuid5(NAMESPACE_URL, car.vin).hex,
            "is_stale": False,
            **decode_vehicle_data(
                vehicle_data(fleet, car, start_s + number * every.total_seconds(), asked, True)
            ).row,
        }
        for car in fleet.cars
        for number in range(timedelta(days=1) // every)
    ]
    return pl.DataFrame(rows, VEHICLE_STATES).filter(pl.col("timestamp").dt.date() == day)


def _with_powers(grid: pl.DataFrame) -> pl.DataFrame:
    """Sun by day, cars and cooking by chance, and a battery that smooths both.

    From midnight to four o'clock (UTC) it charges from the grid, from seven to nine in the evening
    it sells.
    """
    hour = pl.col("timestamp").dt.hour() + pl.col("timestamp").dt.minute() / 60
    chance = pl.struct("site_id", "timestamp").hash(seed=1) % 1000 / 1000
    solar = (8000 * (pi * (hour - 6) / 12).sin() * (0.6 + 0.4 * chance)).clip(0)
    load = 300 + 900 * chance + pl.when(chance > 0.9).then(7200).otherwise(0)
    smoothing = (pl.col("load_power_w") - pl.col("solar_power_w")).clip(-5000, 5000)
    return (
        grid.with_columns(solar_power_w=solar.round(), load_power_w=load.round())
        .with_columns(
            battery_power_w=pl.when(hour < 4)
            .then(-2500.0)
            .when(hour.is_between(19, 21))
            .then(5000.0)
            .otherwise(smoothing),
            battery_percentage=50 + 40 * (pi * (hour - 10) / 12).sin() + chance,
        )
        .with_columns(
            grid_power_w=pl.col("load_power_w")
            - pl.col("solar_power_w")
            - pl.col("battery_power_w"),
            energy_left_wh=pl.col("battery_percentage") * (PACK_WH / 100),
        )
        .with_columns(
            is_stale=pl.lit(False),
            generator_power_w=pl.lit(0.0),
            total_pack_energy_wh=pl.lit(PACK_WH),
            grid_status=pl.lit("Active"),
            island_status=pl.lit("on_grid"),
        )
    )


def _with_answers(states: pl.DataFrame) -> pl.DataFrame:
    """With `raw_data`: the `live_status` answer, some 500 bytes as on the wire."""
    wall_connector = pl.struct(
        din=pl.lit("1457768-02-G--TGW23456789ABCD"),
        vin=pl.lit("5YJ3E1EA7KF000316"),
        wall_connector_state=pl.lit(2),
        wall_connector_fault_state=pl.lit(2),
        wall_connector_power=pl.lit(0),
    )
    answer = pl.struct(
        pl.col("solar_power_w").cast(pl.Int64).alias("solar_power"),
        pl.col("energy_left_wh").alias("energy_left"),
        pl.col("total_pack_energy_wh").cast(pl.Int64).alias("total_pack_energy"),
        pl.col("battery_percentage").alias("percentage_charged"),
        pl.lit(True).alias("backup_capable"),
        pl.col("battery_power_w").cast(pl.Int64).alias("battery_power"),
        pl.col("load_power_w").cast(pl.Int64).alias("load_power"),
        "grid_status",
        pl.lit(False).alias("grid_services_active"),
        pl.col("grid_power_w").cast(pl.Int64).alias("grid_power"),
        pl.lit(0).alias("grid_services_power"),
        pl.lit(0).alias("generator_power"),
        "island_status",
        pl.lit(False).alias("storm_mode_active"),
        pl.col("timestamp").dt.to_string("%Y-%m-%dT%H:%M:%S+00:00").alias("timestamp"),
        pl.concat_list(wall_connector).alias("wall_connectors"),
    )
    return states.with_columns(raw_data=answer.struct.json_encode())
