"""Assets of what the account has: its vehicles and energy sites."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import dagster as dg

from tessie_pipeline.orchestration.faults import (
    answered_check,
    ask_each,
    decode_each,
    failing_as_dagster_does,
    keep_aside,
)
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.money import money
from tessie_pipeline.orchestration.product_list import read_product_list
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import tables
from tessie_pipeline.store.calls.answer_cache import AnswerCache
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import (
    KnownSite,
    listed_sites,
    save_sites,
    save_vehicles,
)
from tessie_pipeline.tesla.answers import text_to_keep
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.energy_answers import EnergySite, decode_site_info
from tessie_pipeline.tesla.errors import TransientApiError
from tessie_pipeline.tesla.product_answers import Products

SITE_INFO_AGE = timedelta(days=1)
"""How old a site's description may become before it is read again."""

CHECK = "tesla_answered"

_VEHICLE_COLUMNS = (
    "tesla_id",
    "vin",
    "display_name",
    "model",
    "year",
    "color",
    "trim",
    "raw_data",
)
_SITE_COLUMNS = (
    "tesla_site_id",
    "site_name",
    "time_zone",
    "battery_count",
    "total_battery_capacity_kwh",
    "solar_capacity_kw",
    "raw_data",
)


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "vehicles",
            description="The account's vehicles: VIN, name, model, year. One free list call.",
            group_name="registries",
            kinds={"tesla", "postgres"},
            metadata=table_metadata(tables.vehicles),
        ),
        dg.AssetSpec(
            "energy_sites",
            description="The account's energy sites: time zone, batteries, solar. Details are "
            "read once a day.",
            group_name="registries",
            kinds={"tesla", "postgres"},
            metadata=table_metadata(tables.energy_sites),
        ),
    ],
    check_specs=[
        dg.AssetCheckSpec(CHECK, asset="vehicles"),
        dg.AssetCheckSpec(CHECK, asset="energy_sites"),
    ],
    pool="tesla_live",
)
def registries(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    fleet_api: dg.ResourceParam[FleetApi],
    clock: dg.ResourceParam[Clock],
) -> Iterator[dg.MaterializeResult]:
    """The account's vehicles and energy sites; while Tesla fails, what is known stands."""
    with failing_as_dagster_does():
        try:
            with database.rows() as connection:
                account = money(connection, Settings.load(), clock())
            listed = read_product_list(fleet_api, database, account.pace, clock())
            if listed is None:
                raise TransientApiError("The budget is spent, and no list has been read before")
        except TransientApiError as error:
            context.log.warning("What is known stands: %s", error)
            yield _as_known("vehicles", error)
            yield _as_known("energy_sites", error)
            return
        products = listed.products
        for note in products.ignored:
            context.log.info("Left out: %s", note)
        yield _save_vehicles(database, products)
        is_paying = account.site_pace.is_paying
        yield _save_sites(context, database, fleet_api, products, clock(), is_paying=is_paying)


def _as_known(asset: str, error: TransientApiError) -> dg.MaterializeResult:
    checked = answered_check(CHECK, {"products": error}, asset)
    return dg.MaterializeResult(asset, check_results=[checked])


def _save_vehicles(database: Database, products: Products) -> dg.MaterializeResult:
    rows = [{name: getattr(vehicle, name) for name in _VEHICLE_COLUMNS}
            for vehicle in products.vehicles]  # fmt: skip
    with database.rows() as connection:
        changed = save_vehicles(connection, rows, are_all=not products.rejected)
    states = ", ".join(sorted(vehicle.state or "unknown" for vehicle in products.vehicles))
    return dg.MaterializeResult(
        "vehicles",
        metadata={"dagster/row_count": len(rows), "changed": changed, "states": states},
        check_results=[answered_check(CHECK, {}, "vehicles")],
    )


def _save_sites(
    context: dg.AssetExecutionContext,
    database: Database,
    fleet_api: FleetApi,
    products: Products,
    now: datetime,
    *,
    is_paying: bool,
) -> dg.MaterializeResult:
    listed = [_site_row(site) for site in products.sites]
    with database.rows() as connection:
        changed = save_sites(connection, listed, are_all=not products.rejected)
        known = listed_sites(connection)
    due = {
        site: known[site.tesla_site_id].site_id
        for site in products.sites
        if is_paying and _is_due(known[site.tesla_site_id], now)
    }
    cache = AnswerCache(database, text_to_keep)
    answers, failures = ask_each(
        due,
        lambda site: cache.energy_data(
            due[site],
            "site_info",
            now,
            partial(fleet_api.site_info, site.tesla_site_id),
            SITE_INFO_AGE,
        ),
    )
    infos, refused = decode_each(
        ((site, answer.body) for site, answer in answers if answer.body is not None), _described
    )
    new = {str(site) for site, answer in answers if answer.received_at == now}
    keep_aside(database, "site_info", [one for one in refused if one.subject in new])
    described = [_in_a_zone(context, info) for info in infos]
    with database.rows() as connection:
        changed += save_sites(connection, [_site_row(site, now) for site in described])
    failed = {f"site_info of {site.tesla_site_id}": error for site, error in failures.items()}
    return dg.MaterializeResult(
        "energy_sites",
        metadata={
            "dagster/row_count": len(listed),
            "changed": changed,
            "described": len(described),
        },
        check_results=[answered_check(CHECK, failed, "energy_sites")],
    )


def _in_a_zone(context: dg.AssetExecutionContext, site: EnergySite) -> EnergySite:
    """The site with the time zone of the settings if Tesla gives it none that there is."""
    if site.time_zone is not None:
        return site
    zone = Settings.load().time_zone
    given = site.time_zone_as_given or "no time zone"
    context.log.warning(
        "Tesla gives %s for site %s: TESSIE_TIME_ZONE (%s) is used", given, site.tesla_site_id, zone
    )
    return replace(site, time_zone=zone)


def _described(site: EnergySite, body: object) -> EnergySite:
    return site.completed_by(decode_site_info(body, site.tesla_site_id))


def _is_due(site: KnownSite, now: datetime) -> bool:
    return site.site_info_at is None or now - site.site_info_at > SITE_INFO_AGE


def _site_row(site: EnergySite, described_at: datetime | None = None) -> dict[str, object]:
    return {name: getattr(site, name) for name in _SITE_COLUMNS} | {"site_info_at": described_at}
