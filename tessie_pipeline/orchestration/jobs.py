"""Jobs and their schedules: what runs together, and when.

Every job runs in one process, which costs a third of a process per step (`design.md` section 5).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    MAX_RUNTIME_SECONDS_TAG,
)

HISTORY_CRON = "30 12 * * *"
"""In UTC: half past noon, when yesterday's local day is over everywhere on earth."""

BILLS_CRON = "45 12 * * *"
"""In UTC: after the history of the days, which has its share of the budget first."""

HEALED_DAYS = 7
"""How many days back the daily run looks; days that are complete cost no request."""

LONGEST_POLL = timedelta(minutes=10)
"""A poll that has not ended by then never will: its process died."""

LIVE_POLL = "live_poll"
ENERGY_DAYS = "energy_days"
VEHICLE_HISTORY = "vehicle_history"
CHARGING_RECORDS = "charging_records"


def jobs(log_level: str) -> list[UnresolvedAssetJobDefinition]:
    """All jobs; their runs log to the console from `log_level` on."""
    config = logging_from(log_level)
    return [
        dg.define_asset_job(
            LIVE_POLL,
            selection=["vehicles", "energy_sites", "vehicle_states", "energy_states"],
            executor_def=dg.in_process_executor,
            config=config,
            tags={MAX_RUNTIME_SECONDS_TAG: str(LONGEST_POLL.seconds)},
            description="One sample of every vehicle that is awake and of every energy site.",
        ),
        dg.define_asset_job(
            ENERGY_DAYS,
            selection=["energy_history", "energy_intervals", "energy_daily"],
            executor_def=dg.in_process_executor,
            config=config,
            description="Tesla's history of each day, its intervals and its sums; any range of "
            "days is one run.",
        ),
        dg.define_asset_job(
            VEHICLE_HISTORY,
            selection=["charging_sessions", "charging_costs", "drives"],
            executor_def=dg.in_process_executor,
            config=config,
            description="Charges, what they cost, and drives: all that is not up to date.",
        ),
        dg.define_asset_job(
            CHARGING_RECORDS,
            selection=["tariffs", "charging_bills", "wall_connector_charges"],
            executor_def=dg.in_process_executor,
            config=config,
            description="Tesla's own records of charges: rate plans, bills, and wall connectors.",
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
        unfinished = dg.RunsFilter(
            job_name=LIVE_POLL,
            statuses=[dg.DagsterRunStatus.QUEUED, *RUNNING],
            created_after=context.scheduled_execution_time - LONGEST_POLL,
        )
        if context.instance.get_runs_count(unfinished):
            return dg.SkipReason("The poll before this one still runs.")
        return dg.RunRequest()

    return live_poll_schedule


def energy_days_schedule(log_level: str) -> dg.ScheduleDefinition:
    """Run `ENERGY_DAYS` once a day, with `log_level` for runs of a range, which have no default."""

    @dg.schedule(
        job_name=ENERGY_DAYS,
        cron_schedule=HISTORY_CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def energy_days_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """The days that are over everywhere, back to `HEALED_DAYS` ago, so that outages heal."""
        yesterday = context.scheduled_execution_time.date() - timedelta(days=1)
        first = yesterday - timedelta(days=HEALED_DAYS - 1)
        return dg.RunRequest(
            run_key=yesterday.isoformat(),
            run_config=logging_from(log_level),
            tags={
                ASSET_PARTITION_RANGE_START_TAG: first.isoformat(),
                ASSET_PARTITION_RANGE_END_TAG: yesterday.isoformat(),
            },
        )

    return energy_days_schedule


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
        charging_records_schedule,
    ]
