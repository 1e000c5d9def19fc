"""Live samples: asking those that are worth it, and storing what they answer.

Each answer is decoded on its own: one that cannot be is kept aside, and the others are stored. Not
here: whom to ask (`polling`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES
from tessie_pipeline.orchestration.faults import decode_each, keep_aside
from tessie_pipeline.orchestration.money import money
from tessie_pipeline.orchestration.polling import Round, close_round, poll_sites, poll_vehicles
from tessie_pipeline.orchestration.product_list import read_product_list
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import estimate_rows
from tessie_pipeline.store.registries import KnownSite, listed_sites, read_vins, vehicle_ids
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.states import add_states
from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.energy_answers import decode_live_status
from tessie_pipeline.tesla.errors import FleetApiError
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data
from tessie_pipeline.tesla.wall_connectors import decode_wall_connectors

CLOCK_SKEW = timedelta(days=1)
"""A sample further ahead would pass for the newest one until then, and is refused."""


@dataclass(frozen=True)
class Sampled:
    """What came of a poll: how many were asked, the errors by Tesla's id, and figures to show."""

    asked: int
    failures: Mapping[int, FleetApiError]
    figures: Mapping[str, int | float]

    @property
    def answered(self) -> int:
        """How many were asked and did not fail."""
        return self.asked - len(self.failures)


def sample_vehicles(
    database: Database, fleet_api: FleetApi, settings: Settings, now: datetime
) -> Sampled:
    """Ask and store the vehicles that are worth it.

    Raises:
        FleetApiError: the list of products did not come.
    """
    with database.rows() as connection:
        account = money(connection, settings, now)
        ids = vehicle_ids(connection)
    listed = read_product_list(fleet_api, database, account.pace, now)
    done = Round()
    try:
        if listed is not None and listed.is_current(now):
            poll_vehicles(database, fleet_api, listed.products.vehicles, account, now, done)
    finally:  # whatever stopped the round, what was paid for is stored
        figures = _save(
            database,
            tables.vehicle_states,
            VEHICLE_STATES,
            "vehicle_data",
            done,
            lambda tesla_id, body: _vehicle_row(ids, tesla_id, body, now + CLOCK_SKEW),
        )
        close_round(database, done, now)
    unreachable = {"unreachable": len(done.unreachable)}
    return Sampled(done.asked, done.failures, figures | unreachable | account.described())


def sample_sites(
    database: Database, fleet_api: FleetApi, settings: Settings, now: datetime
) -> Sampled:
    """Ask and store the energy sites that are worth it."""
    with database.rows() as connection:
        sites = listed_sites(connection)
        account = money(connection, settings, now)
    done = Round()
    try:
        poll_sites(database, fleet_api, sites, account, now, done)
    finally:
        figures = _save(
            database,
            tables.energy_states,
            ENERGY_STATES,
            "live_status",
            done,
            lambda tesla_id, body: _site_row(sites[tesla_id], body, now + CLOCK_SKEW),
            _mark_charging,
        )
        close_round(database, done, now)
    return Sampled(done.asked, done.failures, figures | account.described())


def _save(
    database: Database,
    table: sa.Table,
    schema: pl.Schema,
    endpoint: str,
    done: Round,
    decode: Callable[[int, object], dict[str, object]],
    tell: Callable[[adbc.Connection, pl.DataFrame], None] = lambda *_: None,
) -> dict[str, int | float]:
    """Store the answers of a round; returns the figures that the UI shows."""
    rows, refused = decode_each(done.answers, decode)
    keep_aside(database, endpoint, refused)
    new = 0
    if rows:
        samples = pl.DataFrame(rows, schema=_without_staleness(schema))
        with database.frames() as connection:
            new = add_states(connection, table, samples)
            tell(connection, samples)
    with database.rows() as connection:
        stored = estimate_rows(connection, table)
    return {
        "asked": done.asked,
        "rejected": len(refused),
        "new": new,
        "dagster/row_count": stored,
    }


def _mark_charging(connection: adbc.Connection, samples: pl.DataFrame) -> None:
    """Mark the vehicles that draw power from a wall connector, which tells how much they drew."""
    seen, _ = decode_wall_connectors(samples)
    charging = seen.filter(pl.col("power_w") > 0).drop_nulls("vin")
    named = charging.join(read_vins(connection), on="vin")
    mark(connection, named.select("vehicle_id", "timestamp"), ["charging_sessions"])


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
