"""The sensor that asks for the days of sites whose inputs changed after they were computed."""

import json
from datetime import UTC, date, datetime, time, timedelta

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.days import stretches
from tessie_pipeline.domain.site_bases import Basis, changed_since, site_basis
from tessie_pipeline.orchestration.calendar import FIRST_DAY, range_tags
from tessie_pipeline.orchestration.jobs import CHANGED_DAYS, ENERGY_DAYS, logging_from
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.orchestration.waiting import reason_to_wait
from tessie_pipeline.store.attribution import price_again
from tessie_pipeline.store.charging_tables import charging_sessions
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.dirty_days import OF_BATTERIES, READERS, due_dates, mark_spans
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.site_bases import (
    keep_bases,
    known_spans,
    read_site_facts,
    tariffs_of_sites,
)
from tessie_pipeline.store.tariffs import read_tariffs

LOOK_EVERY_S = 60

RUNS_AT_ONCE = 20
"""A run is of days that follow each other; more than so many stretches wait for the next look."""

_ZONES_APART = timedelta(days=1)


def changed_days_sensor(log_level: str) -> dg.SensorDefinition:
    """The sensor; its runs log to the console from `log_level` on."""

    @dg.sensor(
        name="changed_days_sensor",
        job_name=CHANGED_DAYS,
        minimum_interval_seconds=LOOK_EVERY_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def changed_days_sensor(
        context: dg.SensorEvaluationContext,
        database: dg.ResourceParam[Database],
        clock: dg.ResourceParam[Clock],
    ) -> dg.SkipReason | list[dg.RunRequest]:
        """Days that are over, of which samples, answers, charges, prices or clocks are news."""
        now = clock()
        with database.frames() as connection:
            follow_sites(connection)
        with database.rows() as connection:
            due = due_dates(connection, now)
        dates = [day for day in due if FIRST_DAY <= day <= now.date()]
        if not dates:
            return dg.SkipReason("Nothing has changed.")
        # A download brings the kinds of a day's history one by one.
        waits = reason_to_wait(context.instance, ENERGY_DAYS, CHANGED_DAYS)
        if waits:
            return dg.SkipReason(waits)
        return [
            dg.RunRequest(
                run_config=logging_from(log_level), tags=range_tags(first, last) | ONLY_CHANGED
            )
            for first, last in stretches(dates)[:RUNS_AT_ONCE]
        ]

    return changed_days_sensor


def follow_sites(connection: adbc.Connection) -> None:
    """Mark the days of sites whose clock, battery or prices are others than when last looked.

    Charges then are to be priced and attributed again.
    """
    facts = read_site_facts(connection).drop_nulls("time_zone")
    tariffs, _ = read_tariffs(connection)
    versions = tariffs_of_sites(facts, tariffs)
    bases: dict[str, Basis] = {}
    for row in facts.iter_rows(named=True):
        site = row["site_id"]
        new = site_basis(row["time_zone"], row["capacity_wh"], versions[site])
        old = None if row["energy_basis"] is None else json.loads(row["energy_basis"])
        since = changed_since(old, new)
        if since is None:
            continue
        bases[site] = new
        is_same_clock = old is not None and old["time_zone"] == new["time_zone"]
        spans = _since(known_spans(connection, [site]), since)
        lock_writes(connection, charging_sessions)
        price_again(connection, spans)
        mark_spans(connection, spans, OF_BATTERIES if is_same_clock else READERS)
    keep_bases(connection, bases)


def _since(spans: pl.DataFrame, day: date) -> pl.DataFrame:
    """The part of the spans that is not before a local day."""
    if day == date.min:
        return spans
    start = datetime.combine(day, time(), UTC) - _ZONES_APART
    return spans.with_columns(pl.max_horizontal("start", start)).filter(
        pl.col("start") <= pl.col("end")
    )
