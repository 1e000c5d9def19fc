"""Waking a vehicle because a person asks for it; the pipeline never does so by itself."""

from datetime import datetime

import dagster as dg

from tessie_pipeline.orchestration.faults import failing_as_dagster_does
from tessie_pipeline.orchestration.money import money
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import find_vehicle
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TerminalApiError

WAKE = "wake"


class Vehicle(dg.Config):
    """Which vehicle."""

    vehicle: str
    """Its name or VIN."""


def wake_vehicle(
    database: Database, fleet_api: FleetApi, settings: Settings, name: str, now: datetime
) -> str:
    """Ask a vehicle to wake, which costs as much as ten polls; returns its name.

    Raises:
        TerminalApiError: there is no such vehicle, the budget is spent, or Tesla refuses.
        TransientApiError: Tesla or the network failed for now.
    """
    with database.rows() as connection:
        found = find_vehicle(connection, name)
        spent_usd = money(connection, settings, now).month.spent_usd
    if found is None:
        raise TerminalApiError(f"There is no vehicle {name}: bi.vehicles_now lists them")
    if spent_usd + settings.price_wake_usd > settings.budget_usd:
        raise TerminalApiError(
            f"The budget of {settings.budget_usd:g} USD is spent: raise TESSIE_BUDGET_USD"
        )
    tesla_id, known_as = found
    fleet_api.wake_up(tesla_id)
    return known_as


@dg.op(out=dg.Out(dg.Nothing))
def wake_up(
    context: dg.OpExecutionContext,
    config: Vehicle,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> None:
    """Wake one vehicle; the next poll that sees it online asks for its data."""
    with failing_as_dagster_does():
        known_as = wake_vehicle(database, fleet_api, Settings.load(), config.vehicle, clock())
    context.log.info("%s was asked to wake", known_as)


@dg.job(name=WAKE, executor_def=dg.in_process_executor)
def wake() -> None:
    """Wake the vehicle that the configuration names; Tesla bills it as a wake."""
    wake_up()
