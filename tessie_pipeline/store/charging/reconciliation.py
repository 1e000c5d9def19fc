"""What the matching of plug-ins with Tesla's own records reads, and where its matches are kept.

Not here: the matching itself (`domain.charging_matches`), and how the records come (`bills`).
"""

from datetime import datetime

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.charging_matches import (
    CHARGE,
    MATCHED_BILLS,
    MATCHED_CHARGES,
    MATCHED_SESSIONS,
    NEAR,
)
from tessie_pipeline.domain.reconciliation import METERED_SESSIONS
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.frames import execute, kinds_of, read_frame, stage_as
from tessie_pipeline.store.tables import vehicles
from tessie_pipeline.store.tables.charging import (
    charging_bills,
    charging_sessions,
    wall_connector_charges,
)

_SESSIONS = pl.Schema({**MATCHED_SESSIONS, **METERED_SESSIONS})

MATCH = ["matched_vehicle_id", "matched_started_at"]
"""The plug-in that is stored as that of a record; both null where none is."""

_MATCH = pl.Schema(dict(zip(MATCH, (pl.String(), UTC_TIME), strict=True)))


def read_sessions(connection: adbc.Connection, since: datetime | None) -> pl.DataFrame:
    """The plug-ins, as `MATCHED_SESSIONS` and `METERED_SESSIONS` in one, that a record may meet.

    Args:
        connection: the transaction.
        since: when the oldest record begins; all of them if None.
    """
    c = charging_sessions.c
    query = sa.select(*(c[name] for name in _SESSIONS))
    if since is not None:
        query = query.where(sa.or_(c.ended_at.is_(None), c.ended_at >= since - NEAR))
    return read_frame(connection, query, _SESSIONS)


def read_bills(connection: adbc.Connection, since: datetime | None) -> pl.DataFrame:
    """The bills of known vehicles that begin at `since` or later, `MATCHED_BILLS` with `MATCH`."""
    c = charging_bills.c
    query = sa.select(
        *(c[name] for name in MATCHED_BILLS if name != "vehicle_id"),
        vehicles.c.id.label("vehicle_id"),
        c.vehicle_id.label(MATCH[0]),
        c.session_started_at.label(MATCH[1]),
    ).join(vehicles, vehicles.c.vin == c.vin)
    if since is not None:
        query = query.where(c.started_at >= since)
    return read_frame(connection, query, pl.Schema({**MATCHED_BILLS, **_MATCH}))


def read_connector_charges(connection: adbc.Connection, since: datetime | None) -> pl.DataFrame:
    """The charges that begin at `since` or later, `MATCHED_CHARGES` with `MATCH`."""
    c = wall_connector_charges.c
    query = sa.select(
        *(c[name] for name in MATCHED_CHARGES if name != "vehicle_id"),
        vehicles.c.id.label("vehicle_id"),
        c.vehicle_id.label(MATCH[0]),
        c.session_started_at.label(MATCH[1]),
    ).join(vehicles, vehicles.c.vin == c.vin, isouter=True)
    if since is not None:
        query = query.where(c.started_at >= since)
    return read_frame(connection, query, pl.Schema({**MATCHED_CHARGES, **_MATCH}))


def save_bill_matches(
    connection: adbc.Connection, bills: pl.DataFrame, matches: pl.DataFrame
) -> int:
    """Keep the plug-in of each bill, or that it has none; returns how many bills changed.

    Args:
        connection: the transaction.
        bills: what `read_bills` gave.
        matches: `BILL_MATCHES` of these.
    """
    return _save(connection, charging_bills, bills, matches, ["session_id"])


def save_charge_matches(
    connection: adbc.Connection, charges: pl.DataFrame, matches: pl.DataFrame
) -> int:
    """Keep the plug-in of each charge, or that it has none; returns how many charges changed.

    Args:
        connection: the transaction.
        charges: what `read_connector_charges` gave.
        matches: `CHARGE_MATCHES` of these.
    """
    return _save(connection, wall_connector_charges, charges, matches, CHARGE)


def _save(
    connection: adbc.Connection,
    table: sa.Table,
    records: pl.DataFrame,
    matches: pl.DataFrame,
    key: list[str],
) -> int:
    found = ["vehicle_id", "session_started_at"]
    changed = (
        records.drop("vehicle_id")
        .join(matches, on=key, how="left")
        .filter(
            pl.any_horizontal(
                pl.col(name).ne_missing(pl.col(stored))
                for name, stored in zip(found, MATCH, strict=True)
            )
        )
        .select(*key, *found)
    )
    if changed.is_empty():
        return 0
    staged = stage_as(connection, "matches", kinds_of(table, changed.columns), changed)
    update = (
        sa.update(table)
        .values({name: staged.c[name] for name in found})
        .where(*(table.c[name] == staged.c[name] for name in key))
    )
    return execute(connection, update)
