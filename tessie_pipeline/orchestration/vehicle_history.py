"""The job that derives what vehicles did, and the sensor that asks for it when something is new."""

import dagster as dg

from tessie_pipeline.orchestration.jobs import VEHICLE_HISTORY
from tessie_pipeline.orchestration.waiting import reason_to_wait
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.bases import outdated
from tessie_pipeline.store.charging.costs import are_due
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sample_changes import marked_vehicles

LOOK_EVERY_S = 30


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
    waits = reason_to_wait(context.instance, VEHICLE_HISTORY)
    if waits:
        return dg.SkipReason(waits)
    return dg.RunRequest(tags={"new": f"{len(vehicles)} vehicles, {len(edited)} edits"})
