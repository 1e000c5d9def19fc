"""Plug-ins side by side with Tesla's own records of them: matched, compared, and checked.

For the asset that says what charging cost. Not here: how the records come (`bills`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.charging_matches import match_bills, match_charges
from tessie_pipeline.domain.reconciliation import reconciled
from tessie_pipeline.store.charging.bills import read_billed
from tessie_pipeline.store.charging.reconciliation import (
    read_bills,
    read_connector_charges,
    read_sessions,
    save_bill_matches,
    save_charge_matches,
)
from tessie_pipeline.store.registries import vehicle_names

SESSIONS_RECONCILE = "sessions_reconcile"

MATCHED_BEFORE = timedelta(days=7)
"""Records are matched again from so long before the plug-ins that are asked for: one that began
before its plug-in was seen is found, and none is left to a plug-in that is not read."""

NAMED_SESSIONS = 10
"""At most so many odd plug-ins are named, the oddest first; the number of all is said."""


@dataclass(frozen=True)
class Reconciliation:
    """Plug-ins and Tesla's own records of them.

    Attributes:
        sessions: `RECONCILIATION`, a row per plug-in.
        names: what people call the vehicles, by our ids.
    """

    sessions: pl.DataFrame
    names: Mapping[str, str]


def reconcile(connection: adbc.Connection, start: datetime | None = None) -> Reconciliation:
    """Match Tesla's records with the plug-ins of all vehicles, keep the matches, and compare.

    Doing it again changes nothing; what is billed is read after it (`read_billed`).

    Args:
        connection: the transaction.
        start: plug-ins from here on are matched and given; all of them if None.
    """
    since = None if start is None else start - MATCHED_BEFORE
    sessions = read_sessions(connection, since)
    bills, charges = read_bills(connection, since), read_connector_charges(connection, since)
    charge_matches = match_charges(sessions, charges)
    save_bill_matches(connection, bills, match_bills(sessions, bills))
    save_charge_matches(connection, charges, charge_matches)
    compared = reconciled(sessions, read_billed(connection), charges, charge_matches)
    if start is not None:
        compared = compared.filter(pl.col("session_started_at") >= start)
    return Reconciliation(compared, vehicle_names(connection))


def sessions_reconcile(found: Reconciliation) -> dg.AssetCheckResult:
    """A check that fails if the energies of any plug-in do not fit, and names the oddest."""
    sessions = found.sessions
    odd = sessions.filter(pl.col("oddity").is_not_null()).sort(
        ["odd_kwh", "session_started_at", "vehicle_id"], descending=[True, True, False]
    )
    metadata: dict[str, str | int] = {
        "plug-ins": sessions.height,
        "with a bill": sessions["billed_kwh"].count(),
        "with a wall connector": sessions["connector_kwh"].count(),
        "odd": odd.height,
    }
    shown = odd.head(NAMED_SESSIONS).select("vehicle_id", "session_started_at", "oddity")
    for vehicle_id, started_at, oddity in shown.iter_rows():
        metadata[f"{found.names[vehicle_id]} {started_at:%Y-%m-%d %H:%M} UTC"] = oddity
    return dg.AssetCheckResult(
        asset_key="charging_costs",
        check_name=SESSIONS_RECONCILE,
        passed=odd.is_empty(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )
