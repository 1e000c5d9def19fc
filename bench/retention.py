"""A day of 1,000 sites and 1,000 vehicles that is kept by the hour from then on: 576,000 samples.

Ours computes hours, proves them, archives the samples with their answers, reads the archive back
and drops the partitions. Beside it what people write in SQL: hours by `INSERT … SELECT`, and that
followed by a `DELETE` of the samples, which archives and proves nothing.
"""

# ruff: noqa: S608 - the queries are put together of our own names

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter
from uuid import NAMESPACE_URL, uuid5

import polars as pl
import sqlalchemy as sa

from bench.measure import Figure
from bench.samples import energy_states, site_ids, vehicle_states
from bench.scratch import Scratch
from tessie_pipeline.domain.rollups import ALL_SERIES, ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.frames import copy_in
from tessie_pipeline.store.partitions import ensure_partitions, partitions_of
from tessie_pipeline.store.retention.retiring import retire_samples
from tessie_pipeline.store.tables import energy_sites, vehicles
from tessie_pipeline.store.tables.columns import metadata

SUBJECTS, MADE = 1_000, 20
"""So many sites and as many cars; so many cars' answers are made, the others have theirs."""

DELETED, RETIRED = date(2026, 3, 2), date(2026, 3, 3)
"""The same samples on two days, one for each way."""

EVERY, ONE_DAY = timedelta(minutes=5), timedelta(days=1)
ZONE = "Europe/Berlin"
MB = 1e6
PAGE_BYTES = 8192
"""The least that is counted for a table's size in a ratio."""

STEPS = 24 + 3


@dataclass(frozen=True)
class Cost:
    """What a way of doing it took: seconds, bytes of WAL, and bytes of the samples' table after."""

    time_s: float
    wal_bytes: float
    size_bytes: float


def figures(scratch: Scratch, done: Callable[[], object]) -> list[Figure]:
    """Ours beside the others; `done` is called `STEPS` times."""
    _fill(scratch, done)
    statements = [_hours(series) for series in ALL_SERIES.values()]
    scratch.execute(*(statement for create, _ in statements for statement in create))
    inserts = [insert for _, insert in statements]
    deletes = [
        f"delete from {name} where timestamp >= '{DELETED}' and timestamp < '{RETIRED}'"
        for name in ALL_SERIES
    ]
    ours = _cost(scratch, RETIRED, lambda: _retire(scratch))
    done()
    inserted = _cost(scratch, DELETED, lambda: _in_one(scratch, inserts))
    done()
    scratch.execute(f"truncate {', '.join(map(_hourly, ALL_SERIES.values()))}")
    # The last one, since Postgres cleans up behind it, which is not to be counted.
    deleted = _cost(scratch, DELETED, lambda: _in_one(scratch, inserts + deletes))
    done()
    return [
        figure
        for name, other in (("delete", deleted), ("insert", inserted))
        for figure in _figures(name, ours, other)
    ]


def _figures(name: str, ours: Cost, other: Cost) -> Iterator[Figure]:
    for what, unit, mine, its, least in (
        ("", "s", ours.time_s, other.time_s, 0.0),
        ("_wal", "MB", ours.wal_bytes / MB, other.wal_bytes / MB, 0.0),
        ("_size", "MB", ours.size_bytes / MB, other.size_bytes / MB, PAGE_BYTES / MB),
    ):
        yield Figure(
            f"retention_day{what}_vs_{name}", mine, its, unit, its / max(mine, least), runs=1
        )


def _cost(scratch: Scratch, day: date, work: Callable[[], None]) -> Cost:
    """What work on a day's samples took."""
    scratch.execute("checkpoint")
    before, start_s = _wal_bytes(scratch), perf_counter()
    work()
    time_s = perf_counter() - start_s
    return Cost(time_s, _wal_bytes(scratch) - before, _size_bytes(scratch, day))


def _retire(scratch: Scratch) -> None:
    archive = Archive(str(scratch.home / "archive"))
    for series in ALL_SERIES.values():
        with scratch.database.frames() as connection:
            there = partitions_of(connection, metadata.tables[series.name])
        [partition] = (one for one in there if one.start == RETIRED)
        retire_samples(scratch.database, series, partition, archive, ZONE)


def _in_one(scratch: Scratch, statements: list[str]) -> None:
    """Run statements in one transaction."""
    with scratch.database.rows() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def _hours(series: Series) -> tuple[list[str], str]:
    """What makes a table for hours of UTC with usual aggregates, and what fills it."""
    numbers = [
        name
        for name in dict.fromkeys(measure.column for measure in series.measures)
        if series.samples[name].is_numeric()
    ]
    made = ", ".join(
        f"{how}({name}) as {name}_{how}" for name in numbers for how in ("min", "avg", "max", "sum")
    )
    select = (
        f"select {series.subject}, date_trunc('hour', timestamp, 'UTC') as hour, "
        f"count(*) as samples, {made} from {series.name} "
        f"where timestamp >= '{DELETED}' and timestamp < '{RETIRED}' group by 1, 2"
    )
    table = _hourly(series)
    create = f"create table {table} as {select} with no data"
    key = f"alter table {table} add primary key ({series.subject}, hour)"
    return [create, key], f"insert into {table} {select}"


def _hourly(series: Series) -> str:
    return f"{series.name}_by_hour"


def _wal_bytes(scratch: Scratch) -> float:
    """How much has been written to the log since the server was made."""
    query = sa.text("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8")
    with scratch.database.rows() as connection:
        return float(connection.scalar(query) or 0)


def _size_bytes(scratch: Scratch, day: date) -> float:
    """The size of the partitions of a day with their indexes; 0 for what is gone."""
    names = [f"{name}_{day:%Y_%m_%d}" for name in ALL_SERIES]
    sizes = ", ".join(
        f"coalesce(pg_total_relation_size(to_regclass('{name}')), 0)" for name in names
    )
    with scratch.database.rows() as connection:
        row = connection.execute(sa.text(f"select {sizes}")).one()
    return float(sum(row))


def _fill(scratch: Scratch, done: Callable[[], object]) -> None:
    """Store the days of all sites and cars as polling does, all of an hour after the other."""
    cars = [uuid5(NAMESPACE_URL, f"car {number}").hex for number in range(SUBJECTS)]
    with scratch.database.rows() as connection:
        connection.execute(
            sa.insert(energy_sites),
            [{"id": site, "time_zone": ZONE} for site in site_ids(SUBJECTS)],
        )
        connection.execute(
            sa.insert(vehicles),
            [
                {"id": car, "tesla_id": number, "vin": f"5YJ3E1EA7KF{number:06}"}
                for number, car in enumerate(cars)
            ],
        )
    of_sites = energy_states(SUBJECTS, DELETED, days=1, every=EVERY)
    made = vehicle_states(MADE, DELETED, EVERY).rename({"vehicle_id": "made"})
    alike = pl.DataFrame(
        {"vehicle_id": cars, "made": made["made"].unique().sort().to_list() * (SUBJECTS // MADE)}
    )
    for hour in range(24):
        is_then = pl.col("timestamp").dt.hour() == hour
        _store(scratch, ENERGY_SERIES, of_sites.filter(is_then))
        some = made.filter(is_then).join(alike, on="made").drop("made")
        _store(scratch, VEHICLE_SERIES, some)
        done()
    scratch.execute("vacuum analyze")


def _store(scratch: Scratch, series: Series, samples: pl.DataFrame) -> None:
    """Store samples on both days."""
    table = metadata.tables[series.name]
    polled = samples.sort("timestamp", series.subject)
    for day in (DELETED, RETIRED):
        with scratch.database.frames() as connection:
            ensure_partitions(connection, table, [datetime.combine(day, time(), UTC)])
            copy_in(connection, table, polled.with_columns(pl.col("timestamp") + (day - DELETED)))
