"""Assets of energy by day: Tesla's history as received, intervals of all sources, hours and days.

All have the same partitions and run a range of dates as one run. Each part of the range is one
transaction, which leaves alone the site-days it has nothing for.
"""

from dataclasses import dataclass
from datetime import timedelta

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.days import rows_by_date
from tessie_pipeline.domain.energy_checks import sums_of_hours
from tessie_pipeline.domain.flows import daily_totals, hourly_totals
from tessie_pipeline.orchestration import energy_checks as checks
from tessie_pipeline.orchestration.calendar import CALENDAR_DAYS, date_range
from tessie_pipeline.orchestration.faults import (
    answered_check,
    failing_as_dagster_does,
    keep_aside,
    raise_if_nobody_answered,
    retry_if_transient,
)
from tessie_pipeline.orchestration.history_download import (
    download,
    leaving_the_cars_theirs,
    missing_answers,
    note_failures,
    within,
)
from tessie_pipeline.orchestration.intervals import derive_intervals
from tessie_pipeline.orchestration.metadata import (
    NO_TOTALS,
    describe_days,
    picture,
    table_metadata,
    totals_by_date,
)
from tessie_pipeline.orchestration.money import Money, money
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.orchestration.site_days import compute_days
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.days import save_computed_days, save_hours
from tessie_pipeline.store.energy.history import answers_by_date
from tessie_pipeline.store.energy.intervals import read_intervals
from tessie_pipeline.store.tables import energy as energy_tables
from tessie_pipeline.tesla.client import FleetApi

FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)


@dataclass(frozen=True)
class ComputedDays:
    """What came of computing hours or days: figures `by_date`, and what checks found."""

    by_date: pl.DataFrame
    findings: checks.Findings


class Asking(dg.Config):
    """How `energy_history` asks Tesla."""

    refetch: bool = False
    """Ask again for days whose answers are complete."""

    sparingly: bool = False
    """Ask as the schedules do: for a day in progress only for its energy and with money to spare,
    and not soon again for what was asked for in vain."""


@dg.asset(
    deps=["energy_sites"],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"tesla", "postgres"},
    metadata=table_metadata(energy_tables.energy_history),
    freshness_policy=FRESH,
    pool="tesla_history",
    check_specs=[dg.AssetCheckSpec("every_answer_came", asset="energy_history")],
)
def energy_history(
    context: dg.AssetExecutionContext,
    config: Asking,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Tesla's `calendar_history` of each site's local day as received: energy, power and soe.

    Days whose answers came after their end are not asked for again, unless `refetch` says so.
    """
    start, end = date_range(context)
    missing = missing_answers(
        database, start, end, clock(), refetch=config.refetch, sparingly=config.sparingly
    )

    def account() -> Money:
        with database.rows() as connection:
            return money(connection, Settings.load(), clock())

    if config.sparingly:
        missing = within(account().spare_calls, missing)
    allowed = leaving_the_cars_theirs(account().past_calls, missing, clock())
    with failing_as_dagster_does():
        result = download(
            database,
            fleet_api,
            allowed,
            clock,
            context.log,
            affordable=lambda: account().history_calls,
        )
        result.not_asked += len(missing) - len(allowed)
        keep_aside(database, "calendar_history", result.refused)
        retry_if_transient(result.failures.values(), context.retry_number)
        note_failures(database, result.failures, clock())
        with database.frames() as connection:
            stored = answers_by_date(connection, start, end)
        raise_if_nobody_answered(stored.height, result.failures)
    describe_days(context, stored)
    return dg.MaterializeResult(
        metadata={
            "asked": len(missing) - result.not_asked,
            "kept": result.kept,
            "shorter_than_stored": result.shorter,
            "refused": len(result.refused),
            **account().described(),
        },
        check_results=[
            answered_check(
                "every_answer_came",
                result.failures,
                not_asked=result.not_asked,
                severity=dg.AssetCheckSeverity.WARN
                if result.answered
                else dg.AssetCheckSeverity.ERROR,
            )
        ],
    )


@dg.asset(
    deps=[energy_history, "energy_states"],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(energy_tables.energy_intervals),
    check_specs=checks.specs("energy_intervals", checks.INTERVALS),
)
def energy_intervals(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """Energy [Wh] of each site by five minutes, with where it came from and went to.

    Of Tesla's energies, Tesla's powers and our own samples the best is taken, interval by interval.
    """
    derived = compute_days(
        context, database, energy_tables.energy_intervals, checks.INTERVALS, derive_intervals
    )
    refused = [one for part in derived for one in part.refused]
    keep_aside(database, "calendar_history", refused)
    describe_days(context, *(part.rows for part in derived))
    findings = [part.findings for part in derived]
    return dg.MaterializeResult(
        metadata={
            "refused": len(refused),
            "days_changed": sum(part.changed.height for part in derived),
        },
        check_results=checks.results(checks.INTERVALS, findings, checks.site_names(database)),
    )


@dg.asset(
    deps=[energy_intervals],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(energy_tables.energy_hourly),
    check_specs=checks.specs("energy_hourly", checks.HOURS),
)
def energy_hourly(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """Energy [kWh] of each site and hour of its clock."""

    def compute(connection: adbc.Connection, days: pl.DataFrame) -> ComputedDays:
        intervals = read_intervals(connection, days)
        hours = hourly_totals(intervals, days)
        save_hours(connection, hours, days)
        findings = {"hours_add_up": sums_of_hours(hours, intervals, days)}
        return ComputedDays(rows_by_date(hours, days), findings)

    parts = compute_days(context, database, energy_tables.energy_hourly, checks.HOURS, compute)
    describe_days(context, *(part.by_date for part in parts))
    findings = [part.findings for part in parts]
    return dg.MaterializeResult(
        check_results=checks.results(checks.HOURS, findings, checks.site_names(database))
    )


@dg.asset(
    deps=[energy_intervals],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(energy_tables.energy_daily),
    check_specs=checks.specs("energy_daily", checks.DAYS),
    freshness_policy=FRESH,
)
def energy_daily(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Energy [kWh] of each site and local day: produced, used, stored, imported and exported."""

    def compute(connection: adbc.Connection, days: pl.DataFrame) -> ComputedDays:
        computed = daily_totals(read_intervals(connection, days), days)
        save_computed_days(connection, computed, days)
        return ComputedDays(totals_by_date(computed), checks.of_days(computed, days, clock()))

    parts = compute_days(context, database, energy_tables.energy_daily, checks.DAYS, compute)
    findings = [part.findings for part in parts]
    totals = pl.concat([NO_TOTALS, *(part.by_date for part in parts)])
    describe_days(context, totals)
    if not totals.is_empty():
        newest = totals["date"][-1].isoformat()
        context.add_asset_metadata({"picture": picture(totals)}, partition_key=newest)
    if findings:
        findings.append(checks.of_missing_days(database, *date_range(context), clock()))
    return dg.MaterializeResult(
        check_results=checks.results(checks.DAYS, findings, checks.site_names(database))
    )
