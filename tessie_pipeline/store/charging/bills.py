"""Tesla's own records of charges: its bills with their fees, and what wall connectors counted.

A record that comes again replaces the stored one, since a bill changes when it is paid; the plug-in
that it was found to belong to stays. Not here: how that is found (`reconciliation`).
"""

from datetime import datetime

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.charging_matches import BILL_MATCHES
from tessie_pipeline.domain.reconciliation import BILL_FEES, billed_fees
from tessie_pipeline.store.frames import copy_in, execute, kinds_of, read_frame, stage_as
from tessie_pipeline.store.tables.charging import (
    charging_bills,
    charging_fees,
    wall_connector_charges,
)
from tessie_pipeline.store.writes import upsert

NO_DIN = ""
"""Stands for the wall connector where Tesla names none: it is part of the key."""


def save_bills(connection: adbc.Connection, bills: pl.DataFrame, fees: pl.DataFrame) -> int:
    """Add bills or change what is stored of them, with their fees; returns how many were written.

    Args:
        connection: the transaction.
        bills: columns of `charging_bills`, each bill once.
        fees: columns of `charging_fees`: all fees of these bills.
    """
    written = _save(connection, charging_bills, bills)
    if not bills.is_empty():
        of_these = charging_fees.c.session_id.in_(bills["session_id"].to_list())
        execute(connection, sa.delete(charging_fees).where(of_these))
        copy_in(connection, charging_fees, fees)
    return written


def save_connector_charges(connection: adbc.Connection, charges: pl.DataFrame) -> int:
    """Add charges at wall connectors or change what is stored; returns how many were written.

    Args:
        connection: the transaction.
        charges: columns of `wall_connector_charges`; of two with one key the last counts.
    """
    charges = charges.with_columns(pl.col("din").fill_null(NO_DIN)).unique(
        [column.name for column in wall_connector_charges.primary_key],
        keep="last",
        maintain_order=True,
    )
    return _save(connection, wall_connector_charges, charges)


def newest_bill_at(connection: sa.Connection) -> datetime | None:
    """When the newest billed charge began; None if there is none."""
    newest: datetime | None = connection.scalar(sa.select(sa.func.max(charging_bills.c.started_at)))
    return newest


def newest_connector_charges_at(connection: sa.Connection) -> dict[str, datetime]:
    """When the newest charge at a wall connector began, by energy site."""
    c = wall_connector_charges.c
    query = sa.select(c.site_id, sa.func.max(c.started_at)).group_by(c.site_id)
    return {site_id.hex: newest for site_id, newest in connection.execute(query)}


def read_billed(connection: adbc.Connection) -> pl.DataFrame:
    """The fees of all bills that belong to a plug-in, as `BILLS`, those of a bill in its order."""
    bill, fee = charging_bills.c, charging_fees.c
    is_matched = bill.session_started_at.is_not(None)
    matches = sa.select(*(bill[name] for name in BILL_MATCHES)).where(is_matched)
    fees = (
        sa.select(*(fee[name] for name in BILL_FEES))
        .join(charging_bills)
        .where(is_matched)
        .order_by(fee.session_id, fee.position)
    )
    return billed_fees(
        read_frame(connection, matches, BILL_MATCHES), read_frame(connection, fees, BILL_FEES)
    )


def _save(connection: adbc.Connection, table: sa.Table, rows: pl.DataFrame) -> int:
    if rows.is_empty():
        return 0
    staged = stage_as(connection, "given", kinds_of(table, rows.columns), rows)
    return upsert(connection, table, staged, [column.name for column in table.primary_key])
