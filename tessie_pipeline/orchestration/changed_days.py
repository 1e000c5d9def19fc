"""The sensor that asks for the days of sites whose inputs changed after they were computed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.days import stretches
from tessie_pipeline.domain.site_bases import Basis, changed_since, site_basis
from tessie_pipeline.domain.tariffs import Tariff
from tessie_pipeline.orchestration.calendar import FIRST_DAY, range_tags
from tessie_pipeline.orchestration.jobs import CHANGED_DAYS, ENERGY_DAYS, logging_from
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.orchestration.waiting import reason_to_wait
from tessie_pipeline.store.charging.tariffs import read_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.attribution import price_again
from tessie_pipeline.store.energy.dirty_days import OF_BATTERIES, READERS, due_dates, mark_spans
from tessie_pipeline.store.energy.site_bases import (
    keep_bases,
    known_spans,
    read_site_facts,
    tariffs_of_sites,
)

LOOK_EVERY_S = 60

RUNS_AT_ONCE = 20
"""A run is of days that follow each other; more than so many stretches wait for the next look."""

SITES_AT_ONCE = 50

READERS_OF = {"new": READERS[:1], "clock": READERS, "battery or prices": OF_BATTERIES}
"""Who follows a change of each kind; of a new site what changes marks the others."""

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
        dates = [day for day in due if FIRST_DAY <= day <= now.date() + timedelta(days=1)]
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

    Charges then are to be priced and attributed again. `SITES_AT_ONCE` sites at most, the others
    when next looked, since all that write days wait meanwhile.
    """
    facts = read_site_facts(connection).drop_nulls("time_zone")
    tariffs, _ = read_tariffs(connection)
    versions = tariffs_of_sites(facts, tariffs)
    changes = islice(_changes(facts, versions), SITES_AT_ONCE)
    bases: dict[str, Basis] = {}
    since: list[tuple[str, date, str]] = []
    for site, basis, first_day, what in changes:
        bases[site] = basis
        since.append((site, first_day, what))
    if not bases:
        return
    schema = {"site_id": pl.String(), "since": pl.Date(), "what": pl.String()}
    spans = _spans_since(
        known_spans(connection, list(bases)), pl.DataFrame(since, schema, orient="row")
    )
    price_again(connection, spans)
    for what, readers in READERS_OF.items():
        mark_spans(connection, spans.filter(what=what), readers)
    keep_bases(connection, bases)


def _changes(
    facts: pl.DataFrame, versions: Mapping[str, Sequence[Tariff]]
) -> Iterator[tuple[str, Basis, date, str]]:
    """The sites of which something is other: its basis, from which day on, and of what kind."""
    for row in facts.iter_rows(named=True):
        site = row["site_id"]
        new = site_basis(
            row["time_zone"], row["capacity_wh"], versions[site], has_battery=row["has_battery"]
        )
        old = None if row["energy_basis"] is None else json.loads(row["energy_basis"])
        first_day = changed_since(old, new)
        if first_day is None:
            continue
        if old is None:
            yield site, new, first_day, "new"
        else:
            is_clock = old["time_zone"] != new["time_zone"]
            yield site, new, first_day, "clock" if is_clock else "battery or prices"


def _spans_since(spans: pl.DataFrame, since: pl.DataFrame) -> pl.DataFrame:
    """The spans from the first day that is concerned on, with `what` it is.

    With another clock, days that there were by the one before may be beside those that there are.
    """
    first = pl.col("since").cast(pl.Datetime("us")).dt.replace_time_zone("UTC") - _ZONES_APART
    beside = pl.when(pl.col("what") == "clock").then(_ZONES_APART).otherwise(timedelta())
    return (
        spans.join(since, on="site_id")
        .with_columns(
            start=pl.when(pl.col("since") > date.min)
            .then(pl.max_horizontal("start", first))
            .otherwise(pl.col("start") - beside),
            end=pl.col("end") + beside,
        )
        .filter(pl.col("start") <= pl.col("end"))
    )
