"""Assets of energy by day: Tesla's history as received, its 5-minute intervals, their daily sums.

All have the same partitions and run a range of dates as one run. Each part of the range is one
transaction, which leaves alone the site-days it has nothing for.
"""

from datetime import timedelta

import dagster as dg
import polars as pl

from tessie_pipeline.domain.days import day_windows, days_with, rows_by_date
from tessie_pipeline.domain.flows import (
    daily_totals,
    intervals_from_history,
    largest_residual_wh,
)
from tessie_pipeline.orchestration.calendar import CALENDAR_DAYS, date_range, in_parts
from tessie_pipeline.orchestration.faults import (
    answered_check,
    failing_as_dagster_does,
    keep_aside,
    raise_if_nobody_answered,
    retry_if_transient,
)
from tessie_pipeline.orchestration.history_download import download, missing_answers
from tessie_pipeline.orchestration.metadata import (
    describe_days,
    picture,
    table_metadata,
    totals_by_date,
)
from tessie_pipeline.orchestration.money import Money, money
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy_days import read_intervals, save_computed_days
from tessie_pipeline.store.history import answers_by_date, read_answers
from tessie_pipeline.store.registries import read_zones
from tessie_pipeline.store.writes import replace_windows
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.history import decode_energy_history, decode_soe_history

BALANCED_WH = 50.0
"""An interval further from balance than this is worth a look; Tesla's own are within a few Wh."""

FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
)


class Refetch(dg.Config):
    """How `energy_history` is to be fetched."""

    refetch: bool = False
    """Ask Tesla again for days whose answers are complete."""


@dg.asset(
    deps=["energy_sites"],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"tesla", "postgres"},
    metadata=table_metadata(tables.energy_history),
    freshness_policy=FRESH,
    pool="tesla_history",
    check_specs=[dg.AssetCheckSpec("every_answer_came", asset="energy_history")],
)
def energy_history(
    context: dg.AssetExecutionContext,
    config: Refetch,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """Tesla's `calendar_history` of each site's local day as received: energy, power and soe.

    Days whose answers came after their end are not asked for again, unless `refetch` says so.
    """
    start, end = date_range(context)
    missing = missing_answers(database, start, end, clock(), refetch=config.refetch)

    def account() -> Money:
        with database.rows() as connection:
            return money(connection, Settings.load(), clock())

    with failing_as_dagster_does():
        result = download(
            database,
            fleet_api,
            missing,
            clock,
            context.log,
            affordable=lambda: account().history_calls,
        )
        keep_aside(database, "calendar_history", result.refused)
        retry_if_transient(result.failures.values(), context.retry_number)
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
    deps=[energy_history],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(tables.energy_intervals),
    check_specs=[dg.AssetCheckSpec("energy_balances", asset="energy_intervals")],
)
def energy_intervals(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """Energy [Wh] of each site by five minutes, with where it came from and went to."""
    worst_wh, refused_answers = 0.0, 0
    with database.frames() as connection:
        zones = read_zones(connection)
    for start, end in in_parts(*date_range(context), sites=zones.height):
        with database.frames() as connection:
            answers = read_answers(connection, "energy", start, end)
            buckets, refused = decode_energy_history(answers)
            soe, refused_soe = decode_soe_history(read_answers(connection, "soe", start, end))
            days = day_windows(zones, start, end).join(
                answers.select("site_id", "date", "received_at"), on=["site_id", "date"]
            )
            intervals = intervals_from_history(buckets, soe, days)
            replace_windows(
                connection,
                tables.energy_intervals,
                intervals,
                days_with(intervals, days).select("site_id", "start", "end"),
            )
        keep_aside(database, "calendar_history", [*refused, *refused_soe])
        describe_days(context, rows_by_date(intervals, days))
        refused_answers += len(refused) + len(refused_soe)
        worst_wh = max(worst_wh, largest_residual_wh(intervals))
    return dg.MaterializeResult(
        metadata={"refused": refused_answers},
        check_results=[
            dg.AssetCheckResult(
                check_name="energy_balances",
                passed=worst_wh <= BALANCED_WH,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"largest_residual_wh": worst_wh, "allowed_wh": BALANCED_WH},
            )
        ],
    )


@dg.asset(
    deps=[energy_intervals],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(tables.energy_daily),
    freshness_policy=FRESH,
)
def energy_daily(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """Energy [kWh] of each site and local day: produced, used, stored, imported and exported."""
    parts: list[pl.DataFrame] = []
    with database.frames() as connection:
        zones = read_zones(connection)
    for start, end in in_parts(*date_range(context), sites=zones.height):
        days = day_windows(zones, start, end)
        with database.frames() as connection:
            computed = daily_totals(read_intervals(connection, days), days)
            save_computed_days(connection, computed)
        parts.append(totals_by_date(computed))
    totals = pl.concat(parts)
    describe_days(context, totals)
    if not totals.is_empty():
        last = context.partition_key_range.end
        context.add_asset_metadata({"picture": picture(totals)}, partition_key=last)
    return dg.MaterializeResult()
