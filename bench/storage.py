"""What a row takes: a sample in Postgres and in the archive, an hour, a day, and an energy.

Samples are a day of 200 sites and 20 cars, five minutes apart, with answers as the simulator and
the wire have them, in the order in which polling brings them. Bytes are of the tables with their
indexes and what is stored apart, from `pg_total_relation_size`.
"""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import sqlalchemy as sa

from bench.measure import Figure
from bench.samples import energy_states, vehicle_states
from bench.scratch import Scratch
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.downsample import days_of_hours, hours_of
from tessie_pipeline.domain.flows import daily_totals, hourly_totals
from tessie_pipeline.domain.live_intervals import intervals_from_samples
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.archive.rows import rows_schema
from tessie_pipeline.store.frames import copy_in, read_frame
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.tables.energy import energy_daily, energy_hourly, energy_intervals

SITES, CARS = 200, 20
DAY, ONE_DAY = date(2026, 7, 1), timedelta(days=1)
EVERY = timedelta(minutes=5)
ZONE = "UTC"
DAYS = 30
"""How often the one day is stored among the daily rows, so that pages are full."""
STEPS = 2


def figures(scratch: Scratch, done: Callable[[], object]) -> list[Figure]:
    """Bytes per row beside those of a sample with its answer. `done` is called `STEPS` times."""
    of_sites = energy_states(SITES, DAY, days=1, every=EVERY)
    found = []
    for series, samples in (
        (ENERGY_SERIES, of_sites),
        (VEHICLE_SERIES, vehicle_states(CARS, DAY, EVERY)),
    ):
        found += _figures(scratch, series, samples)
        done()
    return found + _energies(scratch, of_sites, found[0])


def _figures(scratch: Scratch, series: Series, samples: pl.DataFrame) -> list[Figure]:
    zones = samples.select(series.subject, time_zone=pl.lit(ZONE)).unique()
    hours = hours_of(samples, samples.clear(), series, zones)
    day = days_of_hours(hours, series, zones)
    days = pl.concat(day.with_columns(_later(number)) for number in range(DAYS))
    bare = samples.with_columns(_later(1), raw_data=pl.lit(None, pl.String))
    sizes = {
        "raw": _stored(scratch, series.name, samples),
        "raw_without_answer": _stored(scratch, series.name, bare),
        "hourly": _stored(scratch, series.hourly, hours),
        "daily": _stored(scratch, series.daily, days),
        "archived": _archived(scratch, series.name),
    }
    raw = sizes["raw"]
    return [
        Figure(f"storage_{series.name}_{what}", size, raw, "B/row", raw / size, runs=1)
        for what, size in sizes.items()
    ]


def _energies(scratch: Scratch, samples: pl.DataFrame, raw: Figure) -> list[Figure]:
    """What is made of the sites' samples, and stays."""
    sites = samples.select("site_id", time_zone=pl.lit(ZONE)).unique()
    with scratch.database.rows() as connection:
        connection.execute(sa.insert(energy_sites), [{"id": site} for site in sites["site_id"]])
    windows = day_windows(sites, DAY, DAY + ONE_DAY).join(sites, on="site_id")
    intervals = intervals_from_samples(samples)
    day = daily_totals(intervals, windows)
    rows = {
        energy_intervals: intervals,
        energy_hourly: hourly_totals(intervals, windows),
        energy_daily: pl.concat(day.with_columns(_later(n, "date")) for n in range(DAYS)),
    }
    sizes = {table.name: _stored(scratch, table.name, frame) for table, frame in rows.items()}
    return [
        Figure(f"storage_{name}", size, raw.ours, "B/row", raw.ours / size, runs=1)
        for name, size in sizes.items()
    ]


def _stored(scratch: Scratch, name: str, rows: pl.DataFrame) -> float:
    """Bytes a row by which a table grows with these rows."""
    table = metadata.tables[name]
    before = _size(scratch, name)
    with scratch.database.frames() as connection:
        if "partition_by" in table.info:
            ensure_partitions(connection, table, rows["timestamp"].dt.truncate("1d").unique())
        when = "date" if "date" in rows.columns else "timestamp"
        copy_in(connection, table, rows.sort(when, *rows.columns[:1]))
    return (_size(scratch, name) - before) / rows.height


def _size(scratch: Scratch, name: str) -> int:
    """Bytes of a table and its partitions."""
    query = sa.text(
        "select sum(pg_total_relation_size(oid))::bigint from pg_class where oid = cast(:name as "
        "regclass) or oid in (select relid from pg_partition_tree(cast(:name as regclass)))"
    )
    with scratch.database.rows() as connection:
        return connection.scalar(query, {"name": name}) or 0


def _archived(scratch: Scratch, name: str) -> float:
    """Bytes a row of the archive's file of the day."""
    table = metadata.tables[name]
    of_day = sa.func.date(table.c.timestamp) == DAY
    with scratch.database.frames() as connection:
        rows = read_frame(connection, sa.select(*table.c).where(of_day), rows_schema(table))
    with Archive(str(scratch.home / "archive")).writing(name, DAY) as writer:
        writer.add(rows)
        return writer.publish().bytes / rows.height


def _later(days: int, column: str = "timestamp") -> pl.Expr:
    return pl.col(column) + pl.duration(days=days)
