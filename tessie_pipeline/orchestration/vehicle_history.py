"""The job that derives what vehicles did, and the sensor that asks for it when something is new."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from tessie_pipeline.orchestration.jobs import RUNNING, VEHICLE_HISTORY
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.bases import outdated
from tessie_pipeline.store.costs import are_due
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sample_changes import marked_vehicles

LOOK_EVERY_S = 30

LONGEST_RUN = timedelta(hours=2)
"""A run that has not ended by then never will: its process died."""

AGAIN_AFTER = timedelta(minutes=10)
"""How long a job that failed is left alone."""


@dg.sensor(
    job_name=VEHICLE_HISTORY,
    minimum_interval_seconds=LOOK_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def vehicle_history_sensor(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.RunRequest | dg.SkipReason:
    """New samples, however old; edited places, prices, bills and rules; energy of sites."""
    with database.rows() as connection:
        vehicles = marked_vehicles(connection)
        edited = outdated(connection, Settings.load().time_zone)
        is_cost_due = are_due(connection)
    if not (vehicles or edited or is_cost_due):
        return dg.SkipReason("Nothing is new.")
    now = datetime.now(UTC)
    running = dg.RunsFilter(
        job_name=VEHICLE_HISTORY,
        statuses=[dg.DagsterRunStatus.QUEUED, *RUNNING],
        created_after=now - LONGEST_RUN,
    )
    if context.instance.get_runs_count(running):
        return dg.SkipReason("What is new is being derived.")
    last = context.instance.get_runs(dg.RunsFilter(job_name=VEHICLE_HISTORY), limit=1)
    failed = dg.RunsFilter(
        job_name=VEHICLE_HISTORY,
        statuses=[dg.DagsterRunStatus.FAILURE],
        updated_after=now - AGAIN_AFTER,
    )
    if last and last[0].is_failure and context.instance.get_runs_count(failed):
        return dg.SkipReason("It failed a moment ago.")
    return dg.RunRequest(tags={"new": f"{len(vehicles)} vehicles, {len(edited)} edits"})
