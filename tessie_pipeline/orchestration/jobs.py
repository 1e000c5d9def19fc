"""Jobs and their schedules: what runs together, and when.

Every job runs in one process, which costs a third of a process per step (`design.md` section 5).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.tags import (
    MAX_RUNTIME_SECONDS_TAG,
    PRIORITY_TAG,
    SCHEDULE_NAME_TAG,
)

from tessie_pipeline.domain.days import stretches
from tessie_pipeline.domain.rollups import ALL_SERIES
from tessie_pipeline.orchestration.calendar import FIRST_DAY, range_tags
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.dirty_days import READERS
from tessie_pipeline.store.energy.gaps import gap_dates

HISTORY_CRON = "30 12 * * *"
"""In UTC: half past noon, when yesterday's local day is over everywhere on earth."""

BILLS_CRON = "45 12 * * *"
"""In UTC: after the history of the days, which has its share of the budget first."""

GAPS_AT_ONCE = 10
"""A run is of days that follow each other; of more stretches the oldest wait for the next tick."""

REFRESH_CRON = "37 * * * *"
"""In UTC: after a day that ended on the hour has settled, and beside the polls."""

LONGEST_POLL = timedelta(minutes=10)
"""A poll that has not ended by then never will: its process died."""

LONGEST_REFRESH = timedelta(hours=6)
"""As much for a refresh, which waits while others ask for history."""

LONGEST_HISTORY = timedelta(days=1)
"""As much for any run; `dagster.yaml` ends it then."""

LIVE_POLL = "live_poll"
ENERGY_DAYS = "energy_days"
CHANGED_DAYS = "changed_days"
VEHICLE_HISTORY = "vehicle_history"
CHARGING_RECORDS = "charging_records"
RETENTION = "retention"

COMPUTED_BY_DAY = [table.name for table in READERS]


def jobs(log_level: str) -> list[UnresolvedAssetJobDefinition]:
    """All jobs; their runs log to the console from `log_level` on."""
    config = logging_from(log_level)
    return [
        dg.define_asset_job(
            LIVE_POLL,
            selection=["vehicles", "energy_sites", "vehicle_states", "energy_states"],
            executor_def=dg.in_process_executor,
            config=config,
            # What can be had only now is not to wait for what can be computed later.
            tags={MAX_RUNTIME_SECONDS_TAG: str(LONGEST_POLL.seconds), PRIORITY_TAG: "1"},
            description="One sample of every vehicle that is awake and of every energy site.",
        ),
        dg.define_asset_job(
            ENERGY_DAYS,
            selection=["energy_history", *COMPUTED_BY_DAY],
            executor_def=dg.in_process_executor,
            config=config,
            description="Tesla's history of each day, its intervals and what is made of them; any "
            "range of days is one run.",
        ),
        dg.define_asset_job(
            CHANGED_DAYS,
            selection=COMPUTED_BY_DAY,
            executor_def=dg.in_process_executor,
            config=config,
            description="What is made of each day's energy once more, where something changed.",
        ),
        dg.define_asset_job(
            VEHICLE_HISTORY,
            selection=["charging_sessions", "charging_attribution", "charging_costs", "drives"],
            executor_def=dg.in_process_executor,
            config=config,
            description="Charges, their origin and cost, and drives: all that is not up to date.",
        ),
        dg.define_asset_job(
            CHARGING_RECORDS,
            selection=["tariffs", "charging_bills", "wall_connector_charges"],
            executor_def=dg.in_process_executor,
            config=config,
            description="Tesla's own records of charges: rate plans, bills, and wall connectors.",
        ),
        dg.define_asset_job(
            RETENTION,
            selection=[
                "time_series_partitions",
                *(name for one in ALL_SERIES.values() for name in (one.hourly, one.daily)),
            ],
            executor_def=dg.in_process_executor,
            config=config,
            description="Old samples become hours, go to the archive and are dropped; old hours "
            "become days.",
        ),
    ]


RUNNING = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def logging_from(level: str) -> dict[str, Any]:
    """The run configuration with which a run logs to the console from `level` on."""
    return {"loggers": {"console": {"config": {"log_level": level}}}}


def live_poll_schedule(cron: str) -> dg.ScheduleDefinition:
    """Run `LIVE_POLL` at `cron` (UTC); a poll that comes while one still runs is left out."""

    @dg.schedule(
        job_name=LIVE_POLL,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def live_poll_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Samples of all vehicles and sites."""
        if still_runs(context, LIVE_POLL, LONGEST_POLL):
            return dg.SkipReason("The poll before this one still runs.")
        return dg.RunRequest()

    return live_poll_schedule


def energy_days_schedule(log_level: str) -> dg.ScheduleDefinition:
    """Run `ENERGY_DAYS` once a day for all that Tesla could still fill."""

    @dg.schedule(
        job_name=ENERGY_DAYS,
        cron_schedule=HISTORY_CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def energy_days_schedule(
        context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Database]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        """Yesterday, which is over everywhere, and gaps however old, the newest first.

        What the budget does not allow today is a gap tomorrow.
        """
        own = {SCHEDULE_NAME_TAG: "energy_days_schedule"}
        if still_runs(context, ENERGY_DAYS, LONGEST_HISTORY, own):
            return dg.SkipReason("The history that was asked for before still comes.")
        now = context.scheduled_execution_time
        yesterday = now.date() - timedelta(days=1)
        with database.rows() as connection:
            gaps = [day for day in gap_dates(connection, now) if day >= FIRST_DAY]
        newest_first = reversed(stretches([*gaps, yesterday]))
        return [
            _history_of(first, last, log_level, run_key=f"{yesterday}: {first} to {last}")
            for first, last in islice(newest_first, GAPS_AT_ONCE)
        ]

    return energy_days_schedule


def energy_refresh_schedule(log_level: str) -> dg.ScheduleDefinition:
    """Run `ENERGY_DAYS` every hour for the days in progress and those that ended last."""

    @dg.schedule(
        job_name=ENERGY_DAYS,
        cron_schedule=REFRESH_CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def energy_refresh_schedule(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        """Days in progress on any clock, and those before them."""
        if still_runs(context, ENERGY_DAYS, LONGEST_REFRESH):
            return dg.SkipReason("Energy of days is being asked for.")
        day, today = timedelta(days=1), context.scheduled_execution_time.date()
        ends = {MAX_RUNTIME_SECONDS_TAG: str(int(LONGEST_REFRESH.total_seconds()))}
        return _history_of(today - 2 * day, today + day, log_level, **ends)

    return energy_refresh_schedule


def _history_of(
    first: date, last: date, log_level: str, run_key: str | None = None, **tags: str
) -> dg.RunRequest:
    """A run of days of which only what is missing is asked for, and what changed is computed."""
    sparingly = {"ops": {"energy_history": {"config": {"sparingly": True}}}}
    return dg.RunRequest(
        run_key=run_key,
        run_config=logging_from(log_level) | sparingly,
        tags=range_tags(first, last) | ONLY_CHANGED | tags,
    )


def still_runs(
    context: dg.ScheduleEvaluationContext,
    job_name: str,
    longest: timedelta,
    tags: Mapping[str, str] | None = None,
) -> bool:
    """Whether a run of the job that may yet end has not; of those with `tags`, if given."""
    unfinished = dg.RunsFilter(
        job_name=job_name,
        statuses=[dg.DagsterRunStatus.QUEUED, *RUNNING],
        tags=tags,
        created_after=context.scheduled_execution_time - longest,
    )
    return context.instance.get_runs_count(unfinished) > 0


charging_records_schedule = dg.ScheduleDefinition(
    job_name=CHARGING_RECORDS,
    cron_schedule=BILLS_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="What Tesla has billed, once a day.",
)


def schedules(poll_cron: str, log_level: str) -> Sequence[dg.ScheduleDefinition]:
    """All schedules, on from the start."""
    return [
        live_poll_schedule(poll_cron),
        energy_days_schedule(log_level),
        energy_refresh_schedule(log_level),
        charging_records_schedule,
    ]
