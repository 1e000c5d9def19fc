"""When old samples go: once a day, those that are old enough and that nothing needs any more."""

from itertools import islice

import dagster as dg

from tessie_pipeline.domain.days import stretches
from tessie_pipeline.orchestration.calendar import range_tags
from tessie_pipeline.orchestration.jobs import LONGEST_HISTORY, RETENTION, logging_from, still_runs
from tessie_pipeline.orchestration.retention import plan
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.database import Database

RETENTION_CRON = "20 5 * * *"
"""In UTC: beside the polls, and long after the days that charges and energy are computed for."""

STRETCHES_AT_ONCE = 10
"""A run is of days that follow each other; of more stretches the newest wait for the next day."""


def retention_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Run `RETENTION` once a day for all days that can go, and for months of hours."""

    @dg.schedule(
        job_name=RETENTION,
        cron_schedule=RETENTION_CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def retention_schedule(
        context: dg.ScheduleEvaluationContext, database: dg.ResourceParam[Database]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        """Days whose samples can go, each stretch of them a run; without any, yesterday's."""
        if still_runs(context, RETENTION, LONGEST_HISTORY):
            return dg.SkipReason("Old samples are still being dropped.")
        now = context.scheduled_execution_time
        steps = plan(database, settings, now)
        days = {s.partition.start for s in steps if s.is_of_samples and not s.waits_for}
        found = stretches(days) or [(now.date(), now.date())]
        return [
            dg.RunRequest(
                run_key=f"{now.date()}: {first} to {last}",
                run_config=logging_from(settings.log_level),
                tags=range_tags(first, last),
            )
            for first, last in islice(found, STRETCHES_AT_ONCE)
        ]

    return retention_schedule
