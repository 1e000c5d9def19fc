"""The asset of the battery ledger: what is in the home batteries, day after day.

A day goes on from the one before, so that one that closes otherwise than it did has the days after
it computed again, as far as that changes anything. Not here: the bookkeeping (`domain.battery`).
"""

from dataclasses import dataclass
from datetime import date, timedelta

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.battery import Ledger, changed_closings, ledger
from tessie_pipeline.domain.battery_costs import with_costs
from tessie_pipeline.domain.battery_frames import BATTERIES
from tessie_pipeline.domain.days import DAY_WINDOWS, count_by_date, days_between, days_of
from tessie_pipeline.domain.findings import Finding
from tessie_pipeline.domain.ledger_checks import (
    adjustments,
    contents,
    ledger_sums,
    openings,
    states_of_charge,
)
from tessie_pipeline.domain.prices import NO_PRICES, interval_prices
from tessie_pipeline.orchestration import energy_checks as checks
from tessie_pipeline.orchestration.calendar import CALENDAR_DAYS, date_range
from tessie_pipeline.orchestration.metadata import describe_days, table_metadata
from tessie_pipeline.orchestration.site_days import compute_days
from tessie_pipeline.store.charging.tariffs import read_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.attribution import price_again
from tessie_pipeline.store.energy.batteries import (
    read_first_after,
    read_last_before,
    read_ledger,
    save_ledger,
)
from tessie_pipeline.store.energy.dirty_days import mark_days, read_dirty, take_off
from tessie_pipeline.store.energy.intervals import first_after, read_intervals
from tessie_pipeline.store.energy.site_bases import read_site_facts, tariffs_of_sites
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.registries import read_zones
from tessie_pipeline.store.tables import energy as energy_tables

AHEAD = timedelta(days=7)
"""So many days are computed at a time beyond those asked for, while each changes the next.

A battery that is used has forgotten after a few days what it held.
"""


@dataclass(frozen=True)
class SiteEnergy:
    """What is known of sites on `days`, which follow each other.

    `ENERGY_INTERVALS`, `INTERVAL_PRICES`, the ledger, `BATTERY_LEDGER` of each site's day `before`
    and the `BATTERIES` it is of.
    """

    days: pl.DataFrame
    intervals: pl.DataFrame
    prices: pl.DataFrame
    ledger: Ledger
    before: pl.DataFrame
    batteries: pl.DataFrame


@dataclass(frozen=True)
class DerivedLedger:
    """What came of deriving: `BATTERY_LEDGER`, of how many site-days, and what checks found."""

    days: pl.DataFrame
    site_days: int
    findings: checks.Findings


@dg.asset(
    deps=["energy_intervals", "tariffs"],
    partitions_def=CALENDAR_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="energy",
    kinds={"polars", "postgres"},
    metadata=table_metadata(energy_tables.battery_ledger),
    check_specs=checks.specs("battery_ledger", checks.LEDGER),
)
def battery_ledger(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database]
) -> dg.MaterializeResult:
    """What the home batteries hold, take and give each day, by what had charged them, and its cost.

    Days after these are computed again as far as they open otherwise.
    """
    parts = compute_days(
        context, database, energy_tables.battery_ledger, checks.LEDGER, derive_ledger
    )
    ahead = follow(database, date_range(context)[1])
    describe_days(context, *(count_by_date(part.days) for part in parts))
    findings = [part.findings for part in (*parts, *ahead)]
    return dg.MaterializeResult(
        metadata={"days_after_these": sum(part.site_days for part in ahead)},
        check_results=checks.results(checks.LEDGER, findings, checks.site_names(database)),
    )


def derive_ledger(connection: adbc.Connection, days: pl.DataFrame) -> DerivedLedger:
    """Compute and write the ledger of the days, in the caller's transaction.

    Days that open otherwise are marked for attribution, and charges then are to be priced again;
    the first one that is not among these is marked for the ledger, too.

    Args:
        connection: the transaction.
        days: `DAY_WINDOWS` with `time_zone`.
    """
    energy = read_energy(connection, days)
    days = energy.days
    new = energy.ledger.days
    old = read_ledger(connection, new.select("site_id", "date").unique())
    save_ledger(connection, new, days)
    changed = changed_closings(old, new, read_first_after(connection, days))
    among, beyond = _days_after(connection, changed, new, days)
    opening = pl.concat([among, beyond])
    if not opening.is_empty():
        price_again(connection, opening)
        mark_days(connection, opening, [energy_tables.solar_attribution_daily])
        mark_days(connection, beyond, [energy_tables.battery_ledger])
    return DerivedLedger(new, days.height, _findings(energy))


def follow(database: Database, after: date) -> list[DerivedLedger]:
    """Compute the marked days from `after` on, and what they mark; returns what came of it."""
    followed: list[DerivedLedger] = []
    while True:
        with database.frames() as connection:
            lock_writes(connection, energy_tables.battery_ledger)
            zones = read_zones(connection)
            marks = read_dirty(connection, energy_tables.battery_ledger, after, date.max)
            first = marks.group_by("site_id").agg(first=pl.col("date").min())
            sites = zones.join(first, on="site_id")
            if sites.is_empty():
                return followed
            last = pl.col("first") + AHEAD - timedelta(days=1)
            days = days_between(sites.with_columns(last=last))
            followed.append(derive_ledger(connection, days))
            take_off(
                connection,
                energy_tables.battery_ledger,
                marks.join(days, on=["site_id", "date"], how="semi"),
            )


def read_energy(
    connection: adbc.Connection, days: pl.DataFrame, *, is_priced: bool = True
) -> SiteEnergy:
    """What is stored of the days, with the ledger as it goes on from the day before the first.

    And of the days between them of the same site, through which the ledger goes.

    Args:
        connection: the transaction.
        days: `DAY_WINDOWS` with `time_zone`.
        is_priced: whether prices, and what the energy in the batteries cost, are wanted.
    """
    first, last = pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
    days = days_between(days.group_by("site_id", "time_zone").agg(first, last))
    facts = read_site_facts(connection)
    intervals = read_intervals(connection, days)
    batteries = facts.filter("has_battery").select(BATTERIES.names())
    before = read_last_before(connection, days)
    booked = ledger(intervals, batteries, days, before)
    if not is_priced:
        return SiteEnergy(days, intervals, NO_PRICES, booked, before, batteries)
    tariffs, _ = read_tariffs(connection)
    prices = interval_prices(intervals, tariffs_of_sites(facts, tariffs))
    costed = with_costs(booked, prices, before)
    return SiteEnergy(days, intervals, prices, costed, before, batteries)


def _findings(energy: SiteEnergy) -> dict[str, Finding]:
    """What is to be said of the ledger."""
    days, steps, batteries = energy.ledger.days, energy.ledger.steps, energy.batteries
    return {
        "ledger_adds_up": ledger_sums(days),
        "days_open_as_they_closed": openings(pl.concat([energy.before, days])),
        "content_fits_the_battery": contents(steps, batteries),
        "content_is_state_of_charge": states_of_charge(steps, batteries),
        "bookings_explain_content": adjustments(energy.ledger, batteries),
    }


def _days_after(
    connection: adbc.Connection, changed: pl.DataFrame, new: pl.DataFrame, days: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The days after those that close otherwise: among `days`, and beyond them."""
    order = new.select("site_id", "date").unique().sort("site_id", "date")
    after = changed.join(
        order.with_columns(next=pl.col("date").shift(-1).over("site_id")), on=["site_id", "date"]
    )
    among = after.drop_nulls("next").select("site_id", date="next")
    ends = after.filter(pl.col("next").is_null()).join(days, on=["site_id", "date"])
    beyond = days_of(first_after(connection, ends), ends.select("site_id", "time_zone").unique())
    return among.join(days.select(DAY_WINDOWS.names()), on=["site_id", "date"]), beyond
