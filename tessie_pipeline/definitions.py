"""Everything that Dagster loads: a table of contents."""

from typing import Any

import dagster as dg

from tessie_pipeline.orchestration import (
    attribution,
    battery,
    bills,
    charging,
    costs,
    drives,
    energy,
    live_states,
    registries,
    retention,
    site_tariffs,
)
from tessie_pipeline.orchestration.alerts import (
    alert_webhook_resource,
    alerts_sensor,
    post_alerts_job,
)
from tessie_pipeline.orchestration.backup import backup_job, backup_schedule
from tessie_pipeline.orchestration.changed_days import changed_days_sensor
from tessie_pipeline.orchestration.dagster_rows import (
    purge_dagster_rows_job,
    purge_dagster_rows_schedule,
)
from tessie_pipeline.orchestration.jobs import jobs, schedules
from tessie_pipeline.orchestration.resources import (
    clock_resource,
    database_resource,
    fleet_api_resource,
)
from tessie_pipeline.orchestration.retention_schedule import retention_schedule
from tessie_pipeline.orchestration.vehicle_history import vehicle_history_sensor
from tessie_pipeline.orchestration.waking import wake
from tessie_pipeline.settings import Settings


def build_defs(settings: Settings, **resources: Any) -> dg.Definitions:
    """The project's definitions; `resources` replace those of the same names."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules(
            [
                registries,
                live_states,
                energy,
                battery,
                attribution,
                charging,
                costs,
                drives,
                bills,
                retention,
                site_tariffs,
            ]
        ),
        jobs=[
            *jobs(settings.log_level),
            post_alerts_job(settings.log_level),
            purge_dagster_rows_job(settings.log_level),
            backup_job(settings.log_level),
            wake,
        ],
        schedules=[
            *schedules(settings.poll_cron, settings.log_level),
            purge_dagster_rows_schedule,
            retention_schedule(settings),
            backup_schedule,
        ],
        sensors=[
            alerts_sensor(settings),
            vehicle_history_sensor,
            changed_days_sensor(settings.log_level),
        ],
        resources={
            "database": database_resource,
            "fleet_api": fleet_api_resource,
            "clock": clock_resource,
            "alert_webhook": alert_webhook_resource,
            **resources,
        },
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions with the settings of the environment."""
    return build_defs(Settings.load())
