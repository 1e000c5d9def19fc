"""What dashboards ask, of 1,000 sites with 90 days of samples and a year of hours.

26 million samples lie as polling leaves them, all sites of a time together, a partition a day; the
hours lie as retention and the daily job leave them. Each question is asked warm, 50 times of
different sites, and told by its median and its 95th percentile, beside a naive way to ask.
"""

# ruff: noqa: S608 - the queries are put together of our own constants

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from math import ceil
from statistics import median, quantiles

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from polars import selectors

from bench.measure import Figure, Side
from bench.samples import energy_states, site_ids
from bench.scratch import Scratch
from tessie_pipeline.domain.rollups import ENERGY_SERIES, Statistic
from tessie_pipeline.domain.samples import KWH_OF
from tessie_pipeline.orchestration.retention import DAYS_AHEAD
from tessie_pipeline.store import tables
from tessie_pipeline.store.frames import copy_in
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables.energy import energy_daily, energy_hourly
from tessie_pipeline.store.tables.rollups import energy_states_hourly

SITES, ZONE = 1_000, "Europe/Berlin"
END, ONE_DAY = date(2026, 7, 1), timedelta(days=1)
RAW_FROM, YEAR_FROM = END - 90 * ONE_DAY, END - 365 * ONE_DAY
HOURS_FROM = RAW_FROM - 365 * ONE_DAY
SPANS = ((RAW_FROM, END), (HOURS_FROM, RAW_FROM), (YEAR_FROM, END))
"""Of samples, of their hours, and of the hours of energy."""
PART = 10
"""Days that go in at a time."""
RUNS = 50

_FIGURES: dict[Statistic, Callable[[pl.Expr], pl.Expr]] = {
    "min": pl.Expr.min,
    "mean": pl.Expr.mean,
    "max": pl.Expr.max,
    "first": pl.Expr.first,
    "last": pl.Expr.last,
    "above": lambda power: power.clip(0).mean(),
    "below": lambda power: -power.clip(upper_bound=0).mean(),
    "seen": pl.Expr.first,
}


@dataclass(frozen=True)
class Question:
    """What a dashboard asks.

    Attributes:
        name: the benchmark's.
        query: of the views for readers; `{site}` stands for Tesla's id of a site.
        rows: how many rows answer it.
        naive: a query of the tables as people write it first.
        naive_rows: how many rows answer that.
        naive_runs: how often it is asked; where that is once, it is not asked before, either.
    """

    name: str
    query: str
    rows: int
    naive: str
    naive_rows: int
    naive_runs: int


_POWERS = "solar_power{0}_w, battery_power{0}_w, grid_power{0}_w, load_power{0}_w"
_MEAN_POWERS = _POWERS.format("_mean")
_SITE = "tesla_site_id = {site}"
_OF_SITE = f"from energy_states s join energy_sites e on e.id = s.site_id where {_SITE}"

# There is no year of samples: these are 90 days.
_NAIVE_YEAR = (
    "select date_trunc('hour', timestamp), avg(solar_power_w), avg(load_power_w), "
    "avg(greatest(grid_power_w, 0)), avg(greatest(-grid_power_w, 0)), max(battery_percentage) "
    f"{_OF_SITE} group by 1 order by 1"
)

QUESTIONS = (
    Question(
        "query_latest",
        f"select site_name, timestamp, is_stale, {_POWERS.format('')}, battery_percentage "
        "from bi.energy_sites_now",
        SITES,
        f"select distinct on (site_id) site_id, timestamp, {_POWERS.format('')} "
        "from energy_states where not is_stale order by site_id, timestamp desc",
        SITES,
        1,
    ),
    Question(
        "query_site_day",
        f"select timestamp, {_MEAN_POWERS}, battery_percentage_mean_pct from bi.energy_history "
        f"where {_SITE} and timestamp >= '2026-06-15' and timestamp < '2026-06-16' order by 1",
        288,
        f"select timestamp, {_POWERS.format('')}, battery_percentage {_OF_SITE} "
        "and (timestamp at time zone 'UTC')::date = '2026-06-15' order by 1",
        288,
        5,
    ),
    Question(
        "query_all_sites_month",
        "select date, sum(solar_produced_kwh), sum(home_consumed_kwh), sum(grid_imported_kwh), "
        "sum(grid_exported_kwh) from bi.energy_daily "
        "where date >= '2026-06-01' and date < '2026-07-01' group by 1 order by 1",
        30,
        "select (timestamp at time zone 'UTC')::date, sum(solar_power_w) / 12, "
        "sum(load_power_w) / 12, sum(greatest(grid_power_w, 0)) / 12, "
        "sum(greatest(-grid_power_w, 0)) / 12 from energy_states "
        "where timestamp >= '2026-06-01' and timestamp < '2026-07-01' group by 1 order by 1",
        30,
        3,
    ),
    Question(
        "query_site_year",
        "select timestamp, solar_wh, load_wh, grid_imported_wh, grid_exported_wh, "
        f"battery_percentage_last_pct from bi.energy_history where {_SITE} "
        f"and timestamp >= '{HOURS_FROM}' and timestamp < '{RAW_FROM}' order by 1",
        365 * 24,
        _NAIVE_YEAR,
        90 * 24,
        5,
    ),
    Question(
        "query_site_year_flows",
        "select timestamp, solar_to_home_kwh, solar_to_battery_kwh, solar_to_grid_kwh, "
        f"battery_to_home_kwh, grid_to_home_kwh, soc_pct from bi.energy_hourly where {_SITE} "
        f"and timestamp >= '{YEAR_FROM}' and timestamp < '{END}' order by 1",
        365 * 24,
        _NAIVE_YEAR,
        90 * 24,
        5,
    ),
)

STEPS = sum(ceil((end - start).days / PART) for start, end in SPANS) + len(QUESTIONS)


def figures(scratch: Scratch, done: Callable[[], object]) -> list[Figure]:
    """Two figures for each question, the second under its name with `_p95`.

    `done` is called `STEPS` times.
    """
    _fill(scratch, done)
    found = []
    with scratch.database.frames() as connection:
        for question in QUESTIONS:
            found += _asked(connection, question)
            done()
    return found


def _asked(connection: adbc.Connection, question: Question) -> list[Figure]:
    ours = _times_ms(connection, question.query, question.rows, RUNS)
    naive = _times_ms(connection, question.naive, question.naive_rows, question.naive_runs)
    return [
        Figure(name, mine, theirs, "ms", theirs / mine, RUNS)
        for name, mine, theirs in (
            (question.name, median(ours), median(naive)),
            (f"{question.name}_p95", _p95(ours), _p95(naive)),
        )
    ]


def _times_ms(connection: adbc.Connection, query: str, rows: int, runs: int) -> list[float]:
    """How long a query took of different sites, planned each time, until all rows were there."""

    def ask(site: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(query.format(site=site))
            return int(cursor.fetch_arrow_table().num_rows)

    sites = range(0, SITES, SITES // runs)
    sides = [Side(lambda: None, partial(ask, site), counts=rows) for site in sites]
    if runs > 1:
        for side in sides:
            side.time_s()
    return [1000 * side.time_s() for side in sides]


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20, method="inclusive")[-1] if len(times) > 1 else times[0]


def _fill(scratch: Scratch, done: Callable[[], object]) -> None:
    """The sites, and all that is asked for; every day is like the first one."""
    rows = [
        {"id": site, "tesla_site_id": number, "site_name": f"Site {number}", "time_zone": ZONE}
        for number, site in enumerate(site_ids(SITES))
    ]
    with scratch.database.rows() as connection:
        connection.execute(sa.insert(tables.energy_sites), rows)
    samples = energy_states(SITES, RAW_FROM, days=1).with_columns(raw_data=pl.lit(None, pl.String))
    hours = _hours(samples)
    energies = _energies(hours)
    polled = samples.sort("timestamp", "site_id")
    filled = (
        (tables.energy_states, polled),
        (energy_states_hourly, hours),
        (energy_hourly, energies),
    )
    for (table, day), span in zip(filled, SPANS, strict=True):
        for part in _parts(*span):
            with scratch.database.frames() as connection:
                ensure_partitions(connection, table, map(_midnight, part))
                for start in part:
                    copy_in(connection, table, _moved(day, start))
            done()
    with scratch.database.frames() as connection:
        ahead = [_midnight(END + ONE_DAY * number) for number in range(DAYS_AHEAD - 1)]
        ensure_partitions(connection, tables.energy_states, ahead)
        copy_in(connection, energy_daily, _days(energies))
    scratch.execute("vacuum analyze", "checkpoint")


def _hours(samples: pl.DataFrame) -> pl.DataFrame:
    """The hours of samples, near enough: what they weigh is not what they say."""
    hour = pl.col("timestamp").dt.truncate("1h")
    return (
        samples.group_by("site_id", hour.alias("hour"))
        .agg(
            *(
                _FIGURES[measure.statistic](pl.col(measure.column)).alias(measure.name)
                for measure in ENERGY_SERIES.measures
            ),
            sample_count=pl.len(),
            covered_s=pl.lit(3600.0),
            first_at=pl.col("timestamp").min(),
            last_at=pl.col("timestamp").max(),
        )
        .rename({"hour": "timestamp"})
        .select(ENERGY_SERIES.schema.names())
        .cast(ENERGY_SERIES.schema)
        .sort("site_id", "timestamp")
    )


def _energies(hours: pl.DataFrame) -> pl.DataFrame:
    """`ENERGY_HOURLY` with all totals and flows, of the right size at least."""
    return hours.select(
        "site_id",
        "timestamp",
        *((pl.col("solar_wh") + pl.col("load_wh") / 7).alias(name) for name in KWH_OF),
        soc_pct="battery_percentage_last_pct",
        coverage_pct=pl.lit(100.0),
        source=pl.lit("calendar_history_energy"),
    )


def _days(energies: pl.DataFrame) -> pl.DataFrame:
    """`ENERGY_DAILY` of the year, date by date."""
    dates = pl.date_range(YEAR_FROM, END, "1d", closed="left", eager=True).alias("date")
    days = energies.group_by("site_id", maintain_order=True).agg(
        pl.col(*KWH_OF).sum(), pl.col("coverage_pct", "source").first()
    )
    return dates.to_frame().join(days, how="cross")


def _moved(day: pl.DataFrame, start: date) -> pl.DataFrame:
    """The rows of the first raw day, put on another."""
    times = day.select(selectors.datetime()).columns
    return day.with_columns(pl.col(times) + (start - RAW_FROM))


def _parts(start: date, end: date) -> Iterator[list[date]]:
    days = [start + ONE_DAY * number for number in range((end - start).days)]
    for first in range(0, len(days), PART):
        yield days[first : first + PART]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
