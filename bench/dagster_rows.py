"""A year of Dagster's own rows: how large they become while what is old is deleted every day.

Copies of runs that really ran: a poll every five minutes, a refresh of four days every hour, and
the derivation after it, with a tick of each schedule and sensor. The reference is keeping all.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from statistics import median
from time import perf_counter

import dagster as dg
import sqlalchemy as sa
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from bench.measure import Figure
from bench.scratch import Scratch
from tessie_pipeline.cli.environment import Environment, prepare
from tessie_pipeline.cli.household import Household, simulated
from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.dagster_rows import SUCCEEDED_KEPT, purge
from tessie_pipeline.orchestration.jobs import ENERGY_DAYS, LIVE_POLL, VEHICLE_HISTORY
from tessie_pipeline.orchestration.local_dagster import local_dagster
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.dagster_storage import dagster_bytes
from tessie_pipeline_tests.store.dagster_copies import copy_runs, keep_models

DAYS, MONTH = 365, 30
EVERY = {
    LIVE_POLL: timedelta(minutes=5),
    ENERGY_DAYS: timedelta(hours=1),
    VEHICLE_HISTORY: timedelta(hours=1),
}
TICKS_EVERY = {
    "live_poll_schedule": timedelta(minutes=5),
    "alerts_sensor": timedelta(minutes=1),
    "changed_days_sensor": timedelta(minutes=1),
    "vehicle_history_sensor": timedelta(seconds=30),
}
BACKLOG, COPIED_AT_ONCE, ONE_BY_ONE = 100_000, 5_000, 200
DAY = timedelta(days=1)


def figures(scratch: Scratch, done: Callable[[], object]) -> list[Figure]:
    """Megabytes at the end of each month, and seconds of a day's work and of a backlog's.

    A ratio above 1 means that ours is better; `done` after each day.
    """
    with simulated(household=Household()) as url:
        settings = Settings.load(TESSIE_HOME=scratch.home, DATABASE_URL=scratch.database.url())
        environment = Environment(settings, scratch.database)
        prepare(environment)
        variables = environment.variables(url)
        with local_dagster(variables) as dagster:
            definitions = build_defs(Settings.load())
            today = datetime.now(UTC).date()
            dagster.run(definitions, LIVE_POLL)
            dagster.run(definitions, ENERGY_DAYS, (today - 2 * DAY, today + DAY))
            dagster.run(definitions, VEHICLE_HISTORY)
            year = _year(scratch, dagster.instance, today + DAY, done)
            return [*year, _backlog(scratch, dagster.instance, today + (DAYS + 1) * DAY)]


def _year(
    scratch: Scratch, instance: dg.DagsterInstance, first: date, done: Callable[[], object]
) -> list[Figure]:
    _keep_tick(scratch, instance)
    with scratch.database.rows() as connection:
        keep_models(connection)
        at_first = dagster_bytes(connection)
    measured, durations_s, grows_mb = [], [], 0.0
    for number in range(DAYS):
        start = _midnight(first + number * DAY)
        with scratch.database.rows() as connection:
            for job, every in EVERY.items():
                copy_runs(connection, job, start, every, DAY // every)
            for name, every in TICKS_EVERY.items():
                given = {"name": name, "every": every, "start": start, "end": start + DAY}
                connection.execute(_TICKS, given)
        _purge_ticks(instance, start + DAY)
        start_s = perf_counter()
        purged = purge(scratch.database, scratch.home / "dagster", start + DAY)
        durations_s.append(perf_counter() - start_s)
        if number + 1 == SUCCEEDED_KEPT.days:  # nothing has been deleted so far
            grows_mb = (purged["bytes_before"] - at_first) / SUCCEEDED_KEPT.days / 1e6
        if (number + 1) % MONTH == 0:
            mb, all_mb = purged["bytes_after"] / 1e6, grows_mb * (number + 1)
            name = f"dagster_rows_month_{(number + 1) // MONTH}"
            measured.append(Figure(name, mb, all_mb, "MB", all_mb / mb, runs=1))
        done()
    daily_s, at_first_s = median(durations_s[-MONTH:]), median(durations_s[10:40])
    measured.append(
        Figure("dagster_rows_day", daily_s, at_first_s, "s", at_first_s / daily_s, runs=MONTH)
    )
    return measured


def _backlog(scratch: Scratch, instance: dg.DagsterInstance, first: date) -> Figure:
    """Seconds to delete `BACKLOG` polls, and those of Dagster's own way, from a few of them."""
    start, every = _midnight(first), EVERY[LIVE_POLL]
    for number in range(0, BACKLOG, COPIED_AT_ONCE):
        with scratch.database.rows() as connection:
            copy_runs(connection, LIVE_POLL, start + number * every, every, COPIED_AT_ONCE)
    scratch.execute("vacuum analyze", "checkpoint")
    with scratch.database.rows() as connection:
        query = sa.text("select run_id from dagster.runs where update_timestamp > :start limit :n")
        some = connection.scalars(query, {"start": start, "n": ONE_BY_ONE}).all()
    start_s = perf_counter()
    for run_id in some:
        instance.delete_run(run_id)
    theirs_s = (perf_counter() - start_s) * BACKLOG / ONE_BY_ONE
    start_s = perf_counter()
    purge(scratch.database, scratch.home / "dagster", start + BACKLOG * every + 60 * DAY)
    ours_s = perf_counter() - start_s
    return Figure("dagster_rows_backlog", ours_s, theirs_s, "s", theirs_s / ours_s, runs=1)


def _keep_tick(scratch: Scratch, instance: dg.DagsterInstance) -> None:
    """Keep a tick that asked for nothing, as most do, to copy."""
    at = datetime.now(UTC).timestamp()
    instance.create_tick(
        TickData(
            instigator_origin_id=40 * "0",
            instigator_name="vehicle_history_sensor",
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SKIPPED,
            timestamp=at,
            selector_id=40 * "0",
            skip_reason="Nothing is new.",
            end_timestamp=at,
        )
    )
    scratch.execute("create table tick as select * from dagster.job_ticks")


_TICKS = sa.text("""
    insert into dagster.job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body)
    select :name, :name, status, type, at, tick_body
    from tick, generate_series(
        cast(:start as timestamp), cast(:end as timestamp), cast(:every as interval)
    ) at
    where at < cast(:end as timestamp)
""")


def _purge_ticks(instance: dg.DagsterInstance, now: datetime) -> None:
    """What Dagster's daemon does after each tick, by the settings of dagster.yaml."""
    for status, kept_days in instance.get_tick_retention_settings(InstigatorType.SENSOR).items():
        before = (now - kept_days * DAY).timestamp()
        for name in TICKS_EVERY:
            instance.purge_ticks(name, name, before, [status])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
