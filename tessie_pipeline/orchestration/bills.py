"""Assets of Tesla's own records of charges: what it billed, and what wall connectors counted.

The first run fetches all there is, later ones what is new and a margin before it: a charge may be
billed late, and a bill changes when it is paid.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import polars as pl

from tessie_pipeline.domain.budget import has_money
from tessie_pipeline.orchestration.faults import (
    answered_check,
    ask_each,
    decode_each,
    failing_as_dagster_does,
    keep_aside,
    raise_if_nobody_answered,
    retry_if_transient,
)
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.money import Money, money
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.charging.bills import (
    newest_bill_at,
    newest_connector_charges_at,
    save_bills,
    save_connector_charges,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import listed_sites
from tessie_pipeline.store.tables import charging as charging_tables
from tessie_pipeline.tesla.answers import UndecodableAnswer, rejected
from tessie_pipeline.tesla.charging_bills import (
    CHARGING_FEES,
    ChargingBills,
    decode_charging_bills,
)
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TransientApiError
from tessie_pipeline.tesla.wall_connectors import CONNECTOR_CHARGES, decode_charge_history

FIRST_BILLS = datetime(2012, 9, 1, tzinfo=UTC)
"""Nothing was billed before there was a Supercharger."""

FIRST_CONNECTORS = date(2020, 1, 1)
"""Wall connectors know nothing of the time before they had a network."""

LATE = timedelta(days=30)
"""So long after a charge its record may come or change."""

MOST_PAGES = 200
"""More pages than any account has; a server that never ends costs no more than these."""

BILLS_CHECK, CONNECTORS_CHECK = "bills_came", "connectors_answered"


@dg.asset(
    deps=["vehicles"],
    group_name="charging",
    kinds={"tesla", "postgres"},
    metadata=table_metadata(charging_tables.charging_bills),
    pool="tesla_history",
    check_specs=[dg.AssetCheckSpec(BILLS_CHECK, asset="charging_bills")],
)
def charging_bills(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """What Tesla billed for charges, mostly at Superchargers: all fees and how they stand.

    One run reads all pages or stores nothing, since the next one goes on from the newest bill.
    """
    if not fleet_api.has_bills:
        note = "The login did not grant vehicle_charging_cmds: no bills are asked for"
        context.log.warning("%s; tessie login grants it", note)
        return dg.MaterializeResult(
            metadata={"note": note}, check_results=[answered_check(BILLS_CHECK, {})]
        )
    with database.rows() as connection:
        newest = newest_bill_at(connection)

    def account() -> Money:
        with database.rows() as connection:
            return money(connection, Settings.load(), clock())

    with failing_as_dagster_does():
        try:
            pages = _all_pages(
                database,
                fleet_api,
                FIRST_BILLS if newest is None else newest - LATE,
                lambda: _can_pay(account(), 1),
            )
        except TransientApiError as error:
            retry_if_transient([error], context.retry_number)
            raise
    refused = [one for page in pages or [] for one in page.rejected]
    with database.frames() as connection:
        # Page by page: while they are read a new bill may move another one to the next page.
        written = sum(save_bills(connection, page.bills, page.fees) for page in pages or [])
    keep_aside(database, "charging_history", refused)
    return dg.MaterializeResult(
        metadata={
            "written": written,
            "refused": len(refused),
            **_billed(pages or []),
            **account().described(),
        },
        check_results=[answered_check(BILLS_CHECK, {}, not_asked=int(pages is None))],
    )


@dg.asset(
    deps=["energy_sites"],
    group_name="charging",
    kinds={"tesla", "postgres"},
    metadata=table_metadata(charging_tables.wall_connector_charges),
    pool="tesla_history",
    check_specs=[dg.AssetCheckSpec(CONNECTORS_CHECK, asset="wall_connector_charges")],
)
def wall_connector_charges(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """What each site's wall connectors gave to each car, as they counted it [Wh]."""
    now = clock()
    with database.rows() as connection:
        listed = listed_sites(connection).items()
        newest = newest_connector_charges_at(connection)
        account = money(connection, Settings.load(), now)
    sites = {
        site.site_id: (tesla_site_id, ZoneInfo(site.time_zone))
        for tesla_site_id, site in listed
        if site.time_zone is not None
    }
    is_affordable = account.are_sites_free or _can_pay(account, len(sites))

    def ask(site_id: str) -> object:
        tesla_site_id, zone = sites[site_id]
        last_known = newest.get(site_id)
        first = (last_known - LATE).date() if last_known else FIRST_CONNECTORS
        return fleet_api.charge_telemetry(tesla_site_id, first, now.astimezone(zone).date(), zone)

    with failing_as_dagster_does():
        answers, failures = ask_each(sites if is_affordable else [], ask)
        decoded, refused_answers = decode_each(
            answers, lambda site_id, body: decode_charge_history(body, site_id)
        )
        charges = pl.concat([CONNECTOR_CHARGES.to_frame(), *(frame for frame, _ in decoded)])
        refused = [*refused_answers, *(one for _, parts in decoded for one in parts)]
        with database.frames() as connection:
            written = save_connector_charges(connection, charges)
        keep_aside(database, "telemetry_history", refused)
        retry_if_transient(failures.values(), context.retry_number)
        raise_if_nobody_answered(len(answers), failures)
    return dg.MaterializeResult(
        metadata={
            "charges": charges.height,
            "written": written,
            "refused": len(refused),
            "energy_kwh": round(float(charges["energy_wh"].sum()) / 1000, 1),
        },
        check_results=[
            answered_check(CONNECTORS_CHECK, failures, not_asked=0 if is_affordable else len(sites))
        ],
    )


def _can_pay(account: Money, calls: int) -> bool:
    return has_money(account.month, account.budget, calls)


def _all_pages(
    database: Database, fleet_api: FleetApi, since: datetime, can_pay: Callable[[], bool]
) -> list[ChargingBills] | None:
    """All pages of bills since then; None if there is no money for all of them.

    Raises:
        TransientApiError: Tesla or the network failed for now, a page cannot be read, or there is
            no end of them.
        TerminalApiError: a person has to mend something.
    """
    pages: list[ChargingBills] = []
    seen: set[int] = set()
    received = 0
    for number in range(1, MOST_PAGES + 1):
        if not can_pay():
            return None
        body = fleet_api.charging_history(number, since)
        try:
            page = decode_charging_bills(body)
        except UndecodableAnswer as error:
            keep_aside(database, "charging_history", [rejected(body, str(error))])
            raise TransientApiError(f"Page {number} of the bills: {error}") from error
        pages.append(page)
        received += page.record_count
        ids = set(page.bills["session_id"])
        # A server that knows no pages gives the same one again and again.
        if page.is_last(received) or (ids and ids <= seen):
            return pages
        seen |= ids
    raise TransientApiError(f"The bills do not end after {MOST_PAGES} pages")


def _billed(pages: Sequence[ChargingBills]) -> dict[str, float]:
    """How many bills came, and what is due of them in all, by currency."""
    fees = pl.concat([CHARGING_FEES.to_frame(), *(page.fees for page in pages)])
    due = pl.coalesce("net_due", "total_due").sum().round(2)
    totals = (
        fees.unique(["session_id", "position"], keep="last")
        .drop_nulls("currency")
        .group_by("currency")
        .agg(due.alias("due"))
        .sort("currency")
    )
    bills = {number for page in pages for number in page.bills["session_id"]}
    return {"bills": len(bills)} | {f"due {name}": total for name, total in totals.iter_rows()}
