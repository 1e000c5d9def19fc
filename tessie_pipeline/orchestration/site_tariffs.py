"""The asset of the tariffs that Tesla knows of energy sites: a changed plan is a new version."""

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg

from tessie_pipeline.domain.tariffs import Tariff
from tessie_pipeline.orchestration.faults import keep_aside
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.store.charging.tariffs import TariffClash, read_tariffs, save_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import read_site_infos
from tessie_pipeline.store.tables import prices as price_tables
from tessie_pipeline.tesla.answers import Rejected, UndecodableAnswer, rejected
from tessie_pipeline.tesla.tariff_answers import decode_site_tariff

SOURCE = "tesla"


@dg.asset(
    deps=["energy_sites"],
    group_name="charging",
    kinds={"tesla", "postgres"},
    metadata=table_metadata(price_tables.tariffs),
)
def tariffs(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
) -> dg.MaterializeResult:
    """The rate plans of the energy sites, as their descriptions have them (no request).

    The first one counts for all the past; a plan that differs is a new version from its day on.
    """
    refused: list[Rejected] = []
    new = 0
    with database.frames() as connection:
        for site in read_site_infos(connection).iter_rows(named=True):
            try:
                new += _keep(connection, site, clock())
            except UndecodableAnswer as error:
                refused.append(rejected(site["raw_data"], f"tariff: {error}"))
            except TariffClash as error:
                context.log.warning("The plan of %s is left out: %s", site["site_name"], error)
    keep_aside(database, "site_info", refused)
    return dg.MaterializeResult(metadata={"new_versions": new, "refused": len(refused)})


def _keep(connection: adbc.Connection, site: dict[str, str], now: datetime) -> int:
    """Keep the plan of a site if it is news; returns how many versions came."""
    stored = read_tariffs(connection)[0]
    known = [one for one in stored if (one.site_id, one.source) == (site["site_id"], SOURCE)]
    today = now.astimezone(ZoneInfo(site["time_zone"])).date()
    name = site["site_name"]
    if known:
        name = known[0].name  # the site may have been renamed
    elif any(one.name == name for one in stored):
        name = f"{name} ({site['tesla_site_id']})"
    found = _plan(site, name, today if known else None)
    if found is None or (known and found.has_prices_of(known[-1])):
        return 0
    others = [one for one in known if one.tariff_id != found.tariff_id]
    return len(save_tariffs(connection, [*others, found]).new)


def _plan(site: dict[str, str], name: str, valid_from: date | None) -> Tariff | None:
    return decode_site_tariff(
        json.loads(site["raw_data"]),
        name=name,
        time_zone=site["time_zone"],
        valid_from=valid_from,
        site_id=site["site_id"],
    )
