"""The daily energy of sites from their samples: read, computed and written.

Ours beside the same days in SQL inside Postgres, in DuckDB between a read as arrays, which it takes
apart itself, and the same write, and beside the read alone. All find the same before any is timed.
The sites' days are in five zones, three of them off by half an hour, so that a date lasts 42.5
hours of UTC.
"""

from collections.abc import Mapping
from contextlib import closing
from datetime import date, timedelta

import adbc_driver_postgresql.dbapi as adbc
import duckdb
import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from bench.daily_queries import duckdb_select, postgres_insert
from bench.measure import Contest, Side
from bench.samples import energy_states, site_ids
from bench.scratch import Scratch
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import daily_totals, hourly_totals
from tessie_pipeline.domain.live_intervals import LONGEST_GAP, intervals_from_samples
from tessie_pipeline.domain.samples import ENERGY_DAILY
from tessie_pipeline.orchestration.attribution import derive_attribution
from tessie_pipeline.orchestration.battery import derive_ledger
from tessie_pipeline.orchestration.intervals import SAMPLES, derive_intervals, read_samples
from tessie_pipeline.store import tables
from tessie_pipeline.store.energy.days import save_computed_days, save_hours
from tessie_pipeline.store.energy.dirty_days import READERS
from tessie_pipeline.store.energy.intervals import read_intervals
from tessie_pipeline.store.frames import as_rows, execute, read_frame, sql_text
from tessie_pipeline.store.tables.energy import energy_daily
from tessie_pipeline.store.writes import write_new

FIRST, ONE_DAY = date(2026, 3, 1), timedelta(days=1)
ZONES = (
    "America/Los_Angeles",
    "America/St_Johns",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Adelaide",
)
POWERS = pl.Schema({name: kind for name, kind in SAMPLES.items() if name != "battery_percentage"})
"""What days are made of: they do not tell the state of charge."""
WORK_MEM = "256MB"


def daily_1000x1(scratch: Scratch) -> Contest:
    """A day of 1,000 sites, sampled every 178 s: 493,000 rows with the neighbours of their days."""
    _fill(scratch, sites=1_000, days=1, every=timedelta(seconds=178))
    return _contest(scratch, sites=1_000, days=1)


def daily_1x365(scratch: Scratch) -> Contest:
    """A year of one site at one minute: 525,600 rows."""
    _fill(scratch, sites=1, days=365, every=timedelta(minutes=1))
    return _contest(scratch, sites=1, days=365)


def daily_scaling(scratch: Scratch) -> Contest:
    """What a row costs at 1,000 sites, beside 10 and 100."""
    _fill(scratch, sites=1_000, days=1, every=timedelta(seconds=178))
    at = {sites: _per_row(scratch, sites) for sites in (10, 100, 1_000)}
    return Contest(at[1_000], {"10": at[10], "100": at[100]}, runs=5, unit="µs/row")


def chain_1000x1(scratch: Scratch) -> Contest:
    """The day of 1,000 sites with all that is made of it, beside its daily energy alone."""
    _fill(scratch, sites=1_000, days=1, every=timedelta(seconds=178))
    windows = _windows(1_000, days=1)
    references = {"days_in_sql": _in_postgres(scratch, 1), "days": _ours(scratch, windows)}
    return Contest(_chain(scratch, windows.join(_sites(1_000), on="site_id")), references, runs=5)


def _chain(scratch: Scratch, days: pl.DataFrame) -> Side:
    """What a run of the job computes and stores, in a transaction for each table."""

    def hours(connection: adbc.Connection, days: pl.DataFrame) -> int:
        return save_hours(connection, hourly_totals(read_intervals(connection, days), days), days)

    def totals(connection: adbc.Connection, days: pl.DataFrame) -> int:
        found = daily_totals(read_intervals(connection, days), days)
        return save_computed_days(connection, found, days)

    def work() -> int:
        for derive in (derive_intervals, hours, derive_ledger, derive_attribution):
            with scratch.database.frames() as connection:
                derive(connection, days)
        with scratch.database.frames() as connection:
            return totals(connection, days)

    def empty() -> None:
        scratch.execute(f"truncate {', '.join(table.name for table in READERS)}", "checkpoint")

    return Side(empty, work, counts=days.height)


def _contest(scratch: Scratch, sites: int, days: int) -> Contest:
    windows = _windows(sites, days)
    ours, in_sql = _ours(scratch, windows), _in_postgres(scratch, days)
    in_duckdb = _in_duckdb(scratch, windows)
    _check_same(scratch, {"ours": ours, "sql": in_sql, "duckdb": in_duckdb})
    references = {"sql": in_sql, "duckdb": in_duckdb, "read": _read_alone(scratch, windows)}
    return Contest(ours, references, runs=5)


def _ours(scratch: Scratch, windows: pl.DataFrame) -> Side:
    def work() -> int:
        with scratch.database.frames() as connection:
            with closing(read_samples(connection, windows, POWERS)) as parts:
                days = [
                    daily_totals(intervals_from_samples(samples), own) for own, samples in parts
                ]
            return save_computed_days(connection, pl.concat(days), windows)

    return Side(lambda: _empty(scratch), work, counts=windows.height)


def _per_row(scratch: Scratch, sites: int) -> Side:
    windows = _windows(sites, days=1)
    ours, read = _ours(scratch, windows), _read_alone(scratch, windows)
    return Side(ours.prepare, ours.work, ours.counts, units=read.counts / 1e6)


def _in_postgres(scratch: Scratch, days: int) -> Side:
    insert = postgres_insert(energy_daily.name, FIRST, FIRST + days * ONE_DAY)

    def work() -> int:
        with scratch.database.frames() as connection:
            execute(connection, f"set local work_mem = '{WORK_MEM}'")
            return execute(connection, insert)

    with scratch.database.rows() as connection:
        sites = connection.scalar(sa.select(sa.func.count()).select_from(tables.energy_sites))
    return Side(lambda: _empty(scratch), work, counts=(sites or 0) * days)


def _in_duckdb(scratch: Scratch, windows: pl.DataFrame) -> Side:
    def work() -> int:
        with scratch.database.frames() as connection:
            with connection.cursor() as cursor:
                cursor.execute(_query(windows))
                days = _days_by_duckdb(cursor.fetch_record_batch(), windows)
            return save_computed_days(connection, days, windows)

    return Side(lambda: _empty(scratch), work, counts=windows.height)


def _days_by_duckdb(samples: pa.RecordBatchReader, windows: pl.DataFrame) -> pl.DataFrame:
    ends = ((pl.col(name).dt.epoch("us") / 1e6).alias(f"{name}_s") for name in ("start", "end"))
    days = windows.with_row_index("number").select("number", "site_id", "date", *ends)
    with duckdb.connect(config={"preserve_insertion_order": False}) as connection:
        connection.register("samples", samples)
        connection.register("days", days.to_arrow())
        return pl.DataFrame(connection.sql(duckdb_select()).to_arrow_table()).cast(ENERGY_DAILY)


def _read_alone(scratch: Scratch, windows: pl.DataFrame) -> Side:
    def work() -> int:
        with (
            scratch.database.frames() as connection,
            closing(read_samples(connection, windows, POWERS)) as parts,
        ):
            return sum(samples.height for _, samples in parts)

    return Side(lambda: None, work, counts=work())


def _query(windows: pl.DataFrame) -> str:
    """Arrays of the windows' samples, with the next ones on either side."""
    spans = windows.select("site_id", pl.col("start") - LONGEST_GAP, pl.col("end") + LONGEST_GAP)
    c = tables.energy_states.c
    kinds = {"site_id": c.site_id.type, "start": c.timestamp.type, "end": c.timestamp.type}
    given = as_rows({"number": sa.Integer(), **kinds}, spans.with_row_index("number"))
    found = (
        sa.select(*(sa.func.array_agg(c[name]).label(name) for name in POWERS))
        .where(
            c.site_id == given.c.site_id,
            c.timestamp.between(given.c.start, given.c.end),
            c.timestamp.between(spans["start"].min(), spans["end"].max()),
        )
        .correlate(given)
        .offset(0)
        .lateral("found")
    )
    return sql_text(sa.select(given.c.number, found).select_from(given, found))


def _check_same(scratch: Scratch, sides: Mapping[str, Side]) -> None:
    """Raises AssertionError unless all sides write the same days."""
    written = {}
    for name, side in sides.items():
        side.time_s()
        with scratch.database.frames() as connection:
            query = sa.select(*(energy_daily.c[column] for column in ENERGY_DAILY))
            written[name] = read_frame(connection, query, ENERGY_DAILY).sort("site_id", "date")
    for name in sides:
        assert_frame_equal(written[name], written["ours"], rel_tol=1e-6, abs_tol=1e-9)


def _windows(sites: int, days: int) -> pl.DataFrame:
    return day_windows(_sites(sites), FIRST, FIRST + days * ONE_DAY)


def _sites(sites: int) -> pl.DataFrame:
    zones = [ZONES[number % len(ZONES)] for number in range(sites)]
    return pl.DataFrame({"site_id": site_ids(sites), "time_zone": zones})


def _fill(scratch: Scratch, sites: int, days: int, every: timedelta) -> None:
    """The sites, and their samples on all UTC days that touch the local ones, not quite regular."""
    rows = [
        {"id": site, "time_zone": zone, "tesla_site_id": number}
        for number, (site, zone) in enumerate(_sites(sites).iter_rows())
    ]
    with scratch.database.rows() as connection:
        connection.execute(sa.insert(tables.energy_sites), rows)
    late_s = pl.struct("site_id", "timestamp").hash(seed=2) % (every // timedelta(seconds=2))
    samples = energy_states(sites, FIRST - ONE_DAY, days + 2, every)
    samples = samples.with_columns(
        pl.col("timestamp") + pl.duration(seconds=late_s), raw_data=pl.lit(None, pl.String)
    )
    with scratch.database.frames() as connection:
        write_new(connection, tables.energy_states, samples)
    scratch.execute("vacuum analyze", "checkpoint")


def _empty(scratch: Scratch) -> None:
    scratch.execute(f"truncate {energy_daily.name}", "checkpoint")
