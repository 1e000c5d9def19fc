"""Assets of the present: one sample of each reachable vehicle and each energy site."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import dagster as dg
import polars as pl

from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.orchestration.faults import (
    answered_check,
    ask_each,
    decode_each,
    failing_as_dagster_does,
    keep_aside,
    raise_if_nobody_answered,
)
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.registries import read_products
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import estimate_rows
from tessie_pipeline.store.registries import KnownSite, listed_sites, vehicle_ids
from tessie_pipeline.store.states import add_states
from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.energy_answers import decode_live_status
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data

CLOCK_SKEW = timedelta(days=1)
"""A sample further ahead would pass for the newest one until then, and is refused."""

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
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """A sample of each vehicle that is awake: position, battery, charging, climate, doors."""
    with failing_as_dagster_does(context.retry_number):
        online = [
            vehicle.tesla_id
            for vehicle in read_products(fleet_api, database).vehicles
            if vehicle.state == "online"
        ]
        answers, failures = ask_each(online, fleet_api.vehicle_data)
        raise_if_nobody_answered(len(answers), failures)
    with database.rows() as connection:
        ids = vehicle_ids(connection)
    reached = [(tesla_id, body) for tesla_id, body in answers if body is not None]
    latest = clock() + CLOCK_SKEW
    rows, refused = decode_each(
        reached, lambda tesla_id, body: _vehicle_row(ids, tesla_id, body, latest)
    )
    keep_aside(database, "vehicle_data", refused)
    samples = pl.DataFrame(rows, schema=_without_staleness(VEHICLE_STATES))
    with database.frames() as connection:
        new = add_states(connection, tables.vehicle_states, samples)
        stored = estimate_rows(connection, tables.vehicle_states)
    return dg.MaterializeResult(
        metadata={
            "online": len(online),
            "unreachable": len(answers) - len(reached),
            "rejected": len(refused),
            "new": new,
            "dagster/row_count": stored,
        },
        check_results=[answered_check("every_vehicle_answered", failures)],
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
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """A sample of each energy site: solar, battery, grid and home power [W], state of charge."""
    with database.rows() as connection:
        sites = listed_sites(connection)
    with failing_as_dagster_does(context.retry_number):
        answers, failures = ask_each(sites, fleet_api.live_status)
        raise_if_nobody_answered(len(answers), failures)
    latest = clock() + CLOCK_SKEW
    rows, refused = decode_each(
        answers, lambda tesla_site_id, body: _site_row(sites[tesla_site_id], body, latest)
    )
    keep_aside(database, "live_status", refused)
    samples = pl.DataFrame(rows, schema=_without_staleness(ENERGY_STATES))
    with database.frames() as connection:
        new = add_states(connection, tables.energy_states, samples)
        stored = estimate_rows(connection, tables.energy_states)
    return dg.MaterializeResult(
        metadata={
            "sites": len(sites),
            "rejected": len(refused),
            "new": new,
            "dagster/row_count": stored,
        },
        check_results=[answered_check("every_site_answered", failures)],
    )


def _site_row(site: KnownSite, body: object, latest: datetime) -> dict[str, object]:
    """The sample's row.

    Raises:
        UndecodableAnswer: it cannot be decoded, or is of the future.
    """
    sample = decode_live_status(body)
    _check_time(sample.row, latest)
    return {"site_id": site.site_id, **sample.row}


def _check_time(row: Mapping[str, object], latest: datetime) -> None:
    moment = row["timestamp"]
    if isinstance(moment, datetime) and moment > latest:
        raise UndecodableAnswer(f"its time is yet to come: {moment:%Y-%m-%d %H:%M} UTC")


def _vehicle_row(
    ids: Mapping[int, str], tesla_id: int, body: object, latest: datetime
) -> dict[str, object]:
    """The sample's row.

    Raises:
        UndecodableAnswer: it cannot be decoded, is of the future, or of another vehicle than the
            one asked for.
    """
    sample = decode_vehicle_data(body)
    _check_time(sample.row, latest)
    if sample.tesla_id not in (None, tesla_id):
        raise UndecodableAnswer("the answer is of another vehicle than was asked for")
    if tesla_id not in ids:
        raise UndecodableAnswer("the vehicle is not in the registry yet")
    return {"vehicle_id": ids[tesla_id], **sample.row}


def _without_staleness(schema: pl.Schema) -> dict[str, pl.DataType]:
    return {name: dtype for name, dtype in schema.items() if name != "is_stale"}
