"""Assets of the present: one sample of each reachable vehicle and each energy site."""

from datetime import timedelta

import dagster as dg

from tessie_pipeline.orchestration.faults import (
    answered_check,
    failing_as_dagster_does,
    raise_if_nobody_answered,
)
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.orchestration.sampling import sample_sites, sample_vehicles
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.client import FleetApi

FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=1), warn_window=timedelta(minutes=20)
)


@dg.asset(
    deps=["vehicles"],
    group_name="live",
    kinds={"tesla", "polars", "postgres"},
    metadata=table_metadata(tables.vehicle_states),
    freshness_policy=FRESH,
    pool="tesla_live",
    check_specs=[dg.AssetCheckSpec("every_vehicle_answered", asset="vehicle_states")],
)
def vehicle_states(
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """A sample of each vehicle that is worth asking: position, battery, charging, climate, doors.

    A vehicle that may fall asleep is left alone, and none is ever woken.
    """
    with failing_as_dagster_does():
        sampled = sample_vehicles(database, fleet_api, Settings.load(), clock())
        raise_if_nobody_answered(sampled.answered, sampled.failures)
    return dg.MaterializeResult(
        metadata=sampled.figures,
        check_results=[answered_check("every_vehicle_answered", sampled.failures)],
    )


@dg.asset(
    deps=["energy_sites"],
    group_name="live",
    kinds={"tesla", "polars", "postgres"},
    metadata=table_metadata(tables.energy_states),
    freshness_policy=FRESH,
    pool="tesla_live",
    check_specs=[dg.AssetCheckSpec("every_site_answered", asset="energy_states")],
)
def energy_states(
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """A sample of each energy site: solar, battery, grid and home power [W], state of charge.

    A view of the present, taken as often as the budget allows; the record is `energy_history`.
    """
    with failing_as_dagster_does():
        sampled = sample_sites(database, fleet_api, Settings.load(), clock())
        raise_if_nobody_answered(sampled.answered, sampled.failures)
    return dg.MaterializeResult(
        metadata=sampled.figures,
        check_results=[answered_check("every_site_answered", sampled.failures)],
    )
