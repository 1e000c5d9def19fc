"""The asset of whose energy was whose: each car's and the home's, by day and by where it came from.

Not here: how it is shared (`domain.attribution`), and single charges (`costs`).
"""

from dataclasses import dataclass

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.attribution import attributed_parts
from tessie_pipeline.domain.attribution_daily import daily_attribution
from tessie_pipeline.domain.days import count_by_date
from tessie_pipeline.domain.ledger_checks import origins, origins_of_flows
from tessie_pipeline.orchestration import energy_checks as checks
from tessie_pipeline.orchestration.battery import battery_ledger, read_energy
from tessie_pipeline.orchestration.calendar import CALENDAR_DAYS
from tessie_pipeline.orchestration.metadata import describe_days, table_metadata
from tessie_pipeline.orchestration.site_days import compute_days
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.attribution import read_pieces_at, replace_days
from tessie_pipeline.store.tables import energy as energy_tables


@dataclass(frozen=True)
class DerivedAttribution:
    """What came of deriving: `rows` by `date`, and what checks found."""

    rows: pl.DataFrame
    findings: checks.Findings


@dg.asset(
    deps=[battery_ledger, "charging_sessions", "tariffs"],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(energy_tables.solar_attribution_daily),
    check_specs=checks.specs("solar_attribution_daily", checks.ATTRIBUTION),
)
def solar_attribution_daily(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """Where the energy [kWh] of each car, and of the home without its cars, came from each day.

    Under each policy, with what it cost and what its solar part was worth.
    """
    table = energy_tables.solar_attribution_daily
    derived = compute_days(context, database, table, checks.ATTRIBUTION, derive_attribution)
    describe_days(context, *(part.rows for part in derived))
    findings = [part.findings for part in derived]
    return dg.MaterializeResult(
        check_results=checks.results(checks.ATTRIBUTION, findings, checks.site_names(database))
    )


def derive_attribution(connection: adbc.Connection, days: pl.DataFrame) -> DerivedAttribution:
    """Compute and write the attribution of the days, in the caller's transaction.

    Args:
        connection: the transaction.
        days: `DAY_WINDOWS` with `time_zone`.
    """
    energy = read_energy(connection, days)
    parts = attributed_parts(read_pieces_at(connection, days), energy.intervals, energy.ledger.mix)
    rows = daily_attribution(parts, energy.intervals, energy.ledger.mix, days, energy.prices)
    replace_days(connection, rows, days)
    findings = {
        "origins_add_up": origins(rows),
        "origins_are_flows": origins_of_flows(rows, energy.intervals, days),
    }
    return DerivedAttribution(count_by_date(rows), findings)
