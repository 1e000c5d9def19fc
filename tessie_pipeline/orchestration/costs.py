"""The asset of costs: what plug-ins cost, with the lines that explain it, and their solar part.

A plug-in is costed when it is new or changed, when the energy of its site becomes known, and when
a price, a place or a bill that it depends on changes, however long ago it was.
"""

from dataclasses import dataclass
from typing import Final

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.attribution import attributed
from tessie_pipeline.domain.charging_costs import (
    COSTED_SESSIONS,
    SESSION_KEY,
    cost_signatures,
    session_costs,
    sum_if_known,
)
from tessie_pipeline.domain.cost_lines import cost_lines
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.reconciliation import (
    SESSIONS_RECONCILE,
    Reconciliation,
    reconcile,
    sessions_reconcile,
)
from tessie_pipeline.store import charging_tables
from tessie_pipeline.store.bases import basis_of, keep_basis, last_basis
from tessie_pipeline.store.bills import read_billed
from tessie_pipeline.store.costs import (
    compared_since,
    cost_figures,
    read_due_sessions,
    read_intervals_of,
    read_pieces,
    read_pieces_beside,
    save_costs,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.tariffs import read_tariffs

READER: Final = "charging_costs"


@dataclass(frozen=True)
class Costed:
    """How many plug-ins were costed, why tariffs were left out, and how energies compare."""

    sessions: int
    not_understood: list[str]
    reconciliation: Reconciliation


@dg.asset(
    deps=[
        "charging_sessions",
        "charging_bills",
        "wall_connector_charges",
        "tariffs",
        "energy_intervals",
    ],
    group_name="charging",
    kinds={"polars", "postgres"},
    metadata=table_metadata(charging_tables.charging_costs),
    check_specs=[dg.AssetCheckSpec(SESSIONS_RECONCILE, asset="charging_costs")],
)
def charging_costs(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """What each plug-in cost: by its bill, else by the tariff of its place, line by line."""
    with database.frames() as connection:
        costed = derive_costs(connection)
    with database.rows() as rows:
        figures = cost_figures(rows)
    for reason in costed.not_understood:
        context.log.warning("Left out: %s", reason)
    return dg.MaterializeResult(
        metadata={
            "costed": costed.sessions,
            "tariffs_not_understood": len(costed.not_understood),
            **figures,
        },
        check_results=[sessions_reconcile(costed.reconciliation)],
    )


def derive_costs(connection: adbc.Connection) -> Costed:
    """Match plug-ins with Tesla's own records, and cost those that are due."""
    lock_writes(connection, charging_tables.charging_sessions)
    last = last_basis(connection, READER)
    is_edited = basis_of(connection, READER) != last
    found = reconcile(connection, None if is_edited else compared_since(connection))
    basis = basis_of(connection, READER)  # of which the matches are a part
    are_all = basis != last
    sessions = read_due_sessions(connection, are_all=are_all)
    tariffs, not_understood = read_tariffs(connection)
    bills = read_billed(connection)
    signatures = cost_signatures(sessions.select(COSTED_SESSIONS.names()), tariffs, bills)
    is_same = pl.col("signature").eq_missing(pl.col("cost_basis")) & ~pl.col("is_solar_due")
    due = sessions.join(signatures, on=SESSION_KEY, maintain_order="left").filter(~is_same)
    if not due.is_empty():
        pieces = read_pieces(connection, due).join(
            due.select(*SESSION_KEY, "site_id"), on=SESSION_KEY
        )
        beside = read_pieces_beside(connection, pieces)
        parts = attributed(beside, read_intervals_of(connection, pieces))
        costed = due.select(COSTED_SESSIONS.names())
        parts = parts.join(costed, on=SESSION_KEY, how="semi")
        its_bills = bills.join(costed, on=SESSION_KEY, how="semi")
        lines = cost_lines(costed, parts, tariffs, parts.drop_nulls("solar_kwh"), its_bills)
        save_costs(connection, _totals(due, parts, session_costs(costed, lines)), lines)
    keep_basis(connection, READER, basis)
    return Costed(due.height, not_understood, found)


def _totals(due: pl.DataFrame, parts: pl.DataFrame, costs: pl.DataFrame) -> pl.DataFrame:
    """What sessions are given, by `vehicle_id` and `started_at`.

    With a site whose energy is not known for all of a charge, neither its solar part is nor what it
    costs with that.
    """
    drawn = parts.group_by(SESSION_KEY).agg(
        solar=sum_if_known("solar_kwh"), drawn=pl.col("energy_kwh").sum()
    )
    has_site = pl.col("site_id").is_not_null()
    # Nothing drawn is nothing solar, too.
    solar = pl.when(pl.col("drawn").is_null()).then(0.0).otherwise("solar")
    return (
        due.join(costs, on=SESSION_KEY, how="left")
        .join(drawn, on=SESSION_KEY, how="left")
        .select(
            "vehicle_id",
            started_at="session_started_at",
            cost=pl.col("cost_grid"),
            cost_with_solar=pl.when(~has_site | solar.is_not_null()).then("cost_solar"),
            cost_currency="currency",
            cost_reason="reason",
            cost_basis="signature",
            site_intervals="site_intervals",
            solar_energy_kwh=solar,
            solar_percentage=pl.when(pl.col("drawn") > 0).then(100 * solar / pl.col("drawn")),
        )
    )
