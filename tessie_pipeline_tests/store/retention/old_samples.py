"""Samples of two sites and two vehicles over a few days, to be kept in less detail."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.downsample import hours_of
from tessie_pipeline.domain.retention import Partition
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.partitions import partitions_of
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.writes import write_new

DAY, FIRST, DAYS = timedelta(days=1), date(2026, 3, 27), 5
"""With the night in which Berlin's clocks go forward; Kolkata's hours begin at half past, UTC."""

SITES = {"5e" * 16: "Europe/Berlin", "c0" * 16: "Asia/Kolkata"}
CARS = {"ca" * 16: "5YJ3E1EA7KF000316", "cb" * 16: "5YJ3E1EA7KF000317"}
ZONE = "America/New_York"
"""Of vehicles, since the sites are in different ones."""


def register(database: Database) -> None:
    """Let the database know the sites and vehicles."""
    sites = [
        {"id": site, "tesla_site_id": number, "site_name": zone, "time_zone": zone}
        for number, (site, zone) in enumerate(SITES.items())
    ]
    cars = [
        {"id": car, "tesla_id": number, "vin": vin}
        for number, (car, vin) in enumerate(CARS.items())
    ]
    with database.rows() as connection:
        connection.execute(sa.insert(tables.energy_sites), sites)
        connection.execute(sa.insert(tables.vehicles), cars)


def samples_of(series: Series, first: date = FIRST, days: int = DAYS) -> pl.DataFrame:
    """Samples of some five minutes each, not quite regular, with an hour a day that has none."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    times = pl.datetime_range(
        start, start + days * DAY, "5m", closed="left", time_unit="us", eager=True
    ).to_frame("timestamp")
    subjects = pl.DataFrame({series.subject: list(SITES if series is ENERGY_SERIES else CARS)})
    chance = pl.struct(series.subject, "timestamp").hash(seed=3) % 1000
    grid = (
        subjects.join(times, how="cross")
        .with_columns(chance=chance.cast(pl.Float64))
        .filter(pl.col("timestamp").dt.hour() != 13)
        .with_columns(pl.col("timestamp") + pl.duration(seconds=pl.col("chance") // 5))
    )
    figures = _powers() if series is ENERGY_SERIES else _drives()
    answer = {"raw_data": pl.lit('{"answer": 1}'), "is_stale": pl.lit(False)}
    known = grid.with_columns(**figures, **answer)
    unknown = [pl.lit(None).alias(name) for name in series.samples if name not in known.columns]
    rows = known.with_columns(unknown).select(series.samples.names()).cast(series.samples)
    return rows.sort(series.subject, "timestamp")


def _powers() -> dict[str, Any]:
    chance = pl.col("chance")
    return {
        "solar_power_w": chance * 4,
        "battery_power_w": (chance - 500) * 7,
        "grid_power_w": (chance * 7 % 1000 - 400) * 3,
        "load_power_w": 300 + chance,
        "generator_power_w": pl.lit(0.0),
        "battery_percentage": chance / 10,
        "grid_status": pl.lit("Active"),
    }


def _drives() -> dict[str, Any]:
    chance = pl.col("chance")
    return {
        "odometer": 1000 + (pl.col("timestamp").dt.epoch("s") - 1_774_000_000) / 1000,
        "battery_level": (chance / 10).cast(pl.Int16),
        "speed": chance / 10,
        "power": (chance - 300) / 10,
        "charging_state": pl.lit("Disconnected"),
        "shift_state": pl.when(chance > 500).then(pl.lit("D")).otherwise(pl.lit("P")),
        "is_locked": chance > 300,
        "inside_temp": chance / 40,
    }


def add(database: Database, series: Series, samples: pl.DataFrame) -> None:
    """Store samples as writes do, but without marking anything."""
    with database.frames() as connection:
        write_new(connection, metadata.tables[series.name], samples)


def partitions(database: Database, series: Series) -> list[Partition]:
    """The days of samples that there are."""
    with database.frames() as connection:
        return partitions_of(connection, metadata.tables[series.name])


def stored(database: Database, series: Series, table: str) -> pl.DataFrame:
    """The hours or days that there are."""
    c = metadata.tables[table].c
    with database.frames() as connection:
        rows = read_frame(connection, sa.select(*(c[name] for name in series.schema)))
    return rows.cast(series.schema).sort(series.subject, "timestamp")


def clocks(series: Series) -> pl.DataFrame:
    """Whose clock each subject follows."""
    zones = SITES if series is ENERGY_SERIES else dict.fromkeys(CARS, ZONE)
    return pl.DataFrame({series.subject: list(zones), "time_zone": list(zones.values())})


def hours(series: Series, samples: pl.DataFrame) -> pl.DataFrame:
    """What all samples at once make of their hours."""
    return hours_of(samples, samples.clear(), series, clocks(series))


BOTH = (ENERGY_SERIES, VEHICLE_SERIES)
