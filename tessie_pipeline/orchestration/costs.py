"""The assets of what plug-ins cost, line by line, and of where their energy came from.

A plug-in is due when it is new or changed, when the energy of its site is news, and when a price, a
place, a bill or the policy that it depends on changes, however long ago it was. Not here: how
energy is shared (`domain.attribution`), and whole days (`attribution`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.attribution import attributed_parts, charging_attribution
from tessie_pipeline.domain.attribution_policies import POLICIES, PROPORTIONAL
from tessie_pipeline.domain.charging_costs import (
    COSTED_SESSIONS,
    SESSION_KEY,
    cost_signatures,
    session_costs,
)
from tessie_pipeline.domain.cost_lines import cost_lines
from tessie_pipeline.domain.days import days_of
from tessie_pipeline.domain.tariffs import Tariff
from tessie_pipeline.orchestration import energy_checks as checks
from tessie_pipeline.orchestration.battery import read_energy
from tessie_pipeline.orchestration.calendar import in_parts
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.reconciliation import (
    SESSIONS_RECONCILE,
    Reconciliation,
    reconcile,
    sessions_reconcile,
)
from tessie_pipeline.store.bases import basis_of, keep_basis, last_basis
from tessie_pipeline.store.charging.bills import read_billed
from tessie_pipeline.store.charging.costs import (
    attribution_figures,
    compared_since,
    cost_figures,
    read_due_sessions,
    read_pieces,
    save_costs,
)
from tessie_pipeline.store.charging.policy import chosen_policy
from tessie_pipeline.store.charging.tariffs import read_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.attribution import PIECES_AT_SITES, read_pieces_at
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.registries import read_zones
from tessie_pipeline.store.tables import charging as charging_tables

READER: Final = "charging_costs"


@dataclass(frozen=True)
class Costed:
    """How many plug-ins were costed, what could not be followed, and how energies compare.

    Attributes:
        sessions: How many were costed.
        not_understood: Why tariffs were left out, and a choice of a policy that there is not.
        reconciliation: Their energies beside those of other meters.
        findings: What their attribution was found to be, part by part.
    """

    sessions: int
    not_understood: list[str]
    reconciliation: Reconciliation
    findings: list[checks.Findings]


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "charging_attribution",
            deps=["charging_sessions", "energy_intervals", "battery_ledger"],
            description="Where the energy [kWh] of each plug-in at a site came from: directly or "
            "through the home battery, under each policy, with its coverage.",
            group_name="charging",
            kinds={"polars", "postgres"},
            metadata=table_metadata(charging_tables.charging_attribution),
        ),
        dg.AssetSpec(
            "charging_costs",
            deps=[
                "charging_sessions",
                "charging_attribution",
                "charging_bills",
                "wall_connector_charges",
                "tariffs",
            ],
            description="What each plug-in cost: by its bill, else by the tariff of its place, "
            "line by line.",
            group_name="charging",
            kinds={"polars", "postgres"},
            metadata=table_metadata(charging_tables.charging_costs),
        ),
    ],
    check_specs=[
        *checks.specs("charging_attribution", checks.SESSIONS),
        dg.AssetCheckSpec(SESSIONS_RECONCILE, asset="charging_costs"),
    ],
)
def charging_costs_and_attribution(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> tuple[dg.MaterializeResult, dg.MaterializeResult]:
    """What each plug-in cost and where its energy came from, in one transaction."""
    with database.frames() as connection:
        costed = derive_costs(connection)
    with database.rows() as rows:
        figures = cost_figures(rows)
        attributed = attribution_figures(rows)
    for reason in costed.not_understood:
        context.log.warning("Left out: %s", reason)
    return (
        dg.MaterializeResult(
            asset_key="charging_attribution",
            metadata=attributed,
            check_results=checks.results(
                checks.SESSIONS,
                costed.findings,
                costed.reconciliation.names,
                "charging_attribution",
            ),
        ),
        dg.MaterializeResult(
            asset_key="charging_costs",
            metadata={
                "costed": costed.sessions,
                "not_understood": len(costed.not_understood),
                **figures,
            },
            check_results=[sessions_reconcile(costed.reconciliation)],
        ),
    )


def derive_costs(connection: adbc.Connection) -> Costed:
    """Match plug-ins with Tesla's own records; cost and attribute those that are due."""
    lock_writes(connection, charging_tables.charging_sessions)
    last = last_basis(connection, READER)
    is_edited = basis_of(connection, READER) != last
    found = reconcile(connection, None if is_edited else compared_since(connection))
    basis = basis_of(connection, READER)  # of which the matches are a part
    sessions = read_due_sessions(connection, are_all=basis != last)
    tariffs, not_understood = read_tariffs(connection)
    bills = read_billed(connection)
    policy, not_a_policy = _policy(chosen_policy(connection))
    signatures = cost_signatures(sessions.select(COSTED_SESSIONS.names()), tariffs, bills)
    due = (
        sessions.join(signatures, on=SESSION_KEY, maintain_order="left")
        .with_columns(
            signature=pl.when(pl.col("site_id").is_null())
            .then("signature")
            .otherwise(pl.format("{} {}", "signature", pl.lit(policy)))
        )
        .filter(pl.col("signature").ne_missing(pl.col("cost_basis")))
    )
    findings = [_cost(connection, part, policy, tariffs, bills) for part in _in_parts(due)]
    keep_basis(connection, READER, basis)
    return Costed(due.height, [*not_understood, *not_a_policy], found, findings)


def _policy(chosen: str | None) -> tuple[str, list[str]]:
    """The policy that solar parts follow, and what is wrong with the one that was chosen."""
    if chosen is None or chosen in POLICIES:
        return chosen or PROPORTIONAL, []
    names = ", ".join(POLICIES)
    wrong = f"the policy {chosen!r}: set one of {names} by `tessie policy`; until then solar parts "
    return PROPORTIONAL, [f"{wrong}are {PROPORTIONAL}"]


def _in_parts(due: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Plug-ins by the dates on which they began, with no more days of sites than fit at once."""
    began = due["session_started_at"].dt.date()
    first, last = began.min(), began.max()
    if not isinstance(first, date) or not isinstance(last, date):
        return
    for start, end in in_parts(first, last + timedelta(days=1), due["site_id"].n_unique()):
        part = due.filter(began.is_between(start, end, closed="left"))
        if not part.is_empty():
            yield part


def _cost(
    connection: adbc.Connection,
    due: pl.DataFrame,
    policy: str,
    tariffs: Sequence[Tariff],
    bills: pl.DataFrame,
) -> checks.Findings:
    """Cost and attribute plug-ins (`DUE_SESSIONS` with `signature`); returns what was found."""
    pieces = read_pieces(connection, due)
    under_all = _attributed(connection, due, pieces)
    attribution = charging_attribution(under_all)
    parts = under_all.filter(policy=policy)
    costed = due.select(COSTED_SESSIONS.names())
    its_bills = bills.join(costed, on=SESSION_KEY, how="semi")
    lines = cost_lines(costed, parts, tariffs, parts.drop_nulls("solar_kwh"), its_bills)
    solar = attribution.filter(policy=policy)
    totals = _totals(due, solar, session_costs(costed, lines))
    save_costs(connection, totals, lines, attribution)
    return checks.of_sessions(attribution, pieces)


def _attributed(
    connection: adbc.Connection, due: pl.DataFrame, pieces: pl.DataFrame
) -> pl.DataFrame:
    """What plug-ins drew in their `pieces`, as `ATTRIBUTED_PARTS` under all policies.

    Other cars at their sites share the energy of their days, also if they are not due.
    """
    sites = due.select(*SESSION_KEY, "site_id")
    own = pieces.join(sites, on=SESSION_KEY)
    zones = read_zones(connection)
    times = pl.concat(own.select("site_id", timestamp=bound) for bound in ("start", "end"))
    days = days_of(times.drop_nulls(), zones).join(zones, on="site_id")
    energy = read_energy(connection, days, is_priced=False)
    others = read_pieces_at(connection, days).join(sites, on=SESSION_KEY, how="anti")
    all_cars = pl.concat([own.select(PIECES_AT_SITES.names()), others])
    parts = attributed_parts(all_cars, energy.intervals, energy.ledger.mix)
    return parts.join(sites, on=SESSION_KEY, how="semi")


def _totals(due: pl.DataFrame, solar: pl.DataFrame, costs: pl.DataFrame) -> pl.DataFrame:
    """What sessions are given, by `vehicle_id` and `started_at`.

    With a site of which nothing is known during a charge, neither its solar part is known nor what
    it costs with that; where something is, the rest counts as energy from the grid.

    Args:
        due: `DUE_SESSIONS` with `signature`.
        solar: their `CHARGING_ATTRIBUTION` under one policy.
        costs: their `SESSION_COSTS`.
    """
    has_site, is_split = pl.col("site_id").is_not_null(), pl.col("policy").is_not_null()
    # Nothing drawn is nothing solar, too.
    solar_kwh = pl.when(is_split).then("solar_kwh").when(has_site).then(0.0)
    return (
        due.join(costs, on=SESSION_KEY, how="left")
        .join(solar, on=SESSION_KEY, how="left")
        .select(
            "vehicle_id",
            started_at="session_started_at",
            cost=pl.col("cost_grid"),
            cost_with_solar=pl.when(~has_site | solar_kwh.is_not_null()).then("cost_solar"),
            cost_currency="currency",
            cost_reason="reason",
            cost_basis="signature",
            solar_energy_kwh=solar_kwh,
            solar_percentage="solar_pct",
        )
    )
