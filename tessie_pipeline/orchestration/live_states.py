"""Assets of the present: one sample of each reachable vehicle and each energy site."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import dagster as dg
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.orchestration.faults import (
    answered_check,
    decode_each,
    failing_as_dagster_does,
    keep_aside,
    raise_if_nobody_answered,
)
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.money import money
from tessie_pipeline.orchestration.polling import Round, close_round, poll_sites, poll_vehicles
from tessie_pipeline.orchestration.registries import read_products
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
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
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """A sample of each vehicle that is worth asking: position, battery, charging, climate, doors.

    A vehicle that may fall asleep is left alone, and none is ever woken.
    """
    now = clock()
    with failing_as_dagster_does():
        listed = read_products(fleet_api, database).vehicles
        with database.rows() as connection:
            ids = vehicle_ids(connection)
            account = money(connection, Settings.load(), now)
        done = poll_vehicles(database, fleet_api, listed, account, now)
        saved = _save(
            database,
            tables.vehicle_states,
            VEHICLE_STATES,
            "vehicle_data",
            done,
            lambda tesla_id, body: _vehicle_row(ids, tesla_id, body, now + CLOCK_SKEW),
        )
        close_round(database, done, now)
        raise_if_nobody_answered(done.asked - len(done.failures), done.failures)
    return dg.MaterializeResult(
        metadata=saved | {"unreachable": len(done.unreachable), **account.described()},
        check_results=[answered_check("every_vehicle_answered", done.failures)],
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
    now = clock()
    with database.rows() as connection:
        sites = listed_sites(connection)
        account = money(connection, Settings.load(), now)
    with failing_as_dagster_does():
        done = poll_sites(database, fleet_api, sites, account, now)
        saved = _save(
            database,
            tables.energy_states,
            ENERGY_STATES,
            "live_status",
            done,
            lambda tesla_id, body: _site_row(sites[tesla_id], body, now + CLOCK_SKEW),
        )
        close_round(database, done, now)
        raise_if_nobody_answered(done.asked - len(done.failures), done.failures)
    return dg.MaterializeResult(
        metadata=saved | account.described(),
        check_results=[answered_check("every_site_answered", done.failures)],
    )


def _save(
    database: Database,
    table: sa.Table,
    schema: pl.Schema,
    endpoint: str,
    done: Round,
    decode: Callable[[int, object], dict[str, object]],
) -> dict[str, int | float]:
    """Store the answers of a round; returns the figures that the UI shows."""
    rows, refused = decode_each(done.answers, decode)
    keep_aside(database, endpoint, refused)
    with database.frames() as connection:
        new = add_states(connection, table, pl.DataFrame(rows, schema=_without_staleness(schema)))
        stored = estimate_rows(connection, table)
    return {
        "asked": done.asked,
        "rejected": len(refused),
        "new": new,
        "dagster/row_count": stored,
    }


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
