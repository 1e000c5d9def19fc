"""Sites as their days follow them: clock, battery and prices, now and when days were last computed.

Not here: comparing the two (`domain.site_bases`).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.domain.site_bases import Basis
from tessie_pipeline.domain.tariffs import Tariff, by_name
from tessie_pipeline.store.frames import as_rows, execute, read_frame
from tessie_pipeline.store.tables import energy_sites, energy_states
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline.store.tables.prices import places, tariffs

POWERWALL_WH = 13_500.0
"""Usable energy of a Powerwall 2 and of a Powerwall 3; source: Tesla's data sheets."""

SITE_FACTS = pl.Schema(
    {
        "site_id": pl.String(),
        "time_zone": pl.String(),
        "capacity_wh": pl.Float64(),
        "has_battery": pl.Boolean(),
        "tariff_name": pl.String(),
        "energy_basis": pl.String(),
    }
)
"""One row per site.

`capacity_wh` is what Tesla calls its nameplate energy, else that of so many Powerwalls, else null.
`energy_basis` is JSON text; null before its days were computed.
"""


def read_site_facts(connection: adbc.Connection) -> pl.DataFrame:
    """All sites as `SITE_FACTS`, by id."""
    c = energy_sites.c
    nameplate_wh = 1000 * c.total_battery_capacity_kwh
    query = sa.select(
        c.id.label("site_id"),
        c.time_zone,
        sa.func.coalesce(
            sa.func.nullif(nameplate_wh, 0), POWERWALL_WH * sa.func.nullif(c.battery_count, 0)
        ).label("capacity_wh"),
        (sa.func.coalesce(c.battery_count, nameplate_wh, 1) > 0).label("has_battery"),
        _tariff_name().label("tariff_name"),
        sa.cast(c.energy_basis, sa.Text).label("energy_basis"),
    )
    return read_frame(connection, query.order_by(c.id), SITE_FACTS)


def tariffs_of_sites(facts: pl.DataFrame, versions: Iterable[Tariff]) -> Mapping[str, list[Tariff]]:
    """The versions of each site's tariff (`SITE_FACTS`), of all that there are."""
    named = by_name(versions)
    pairs = facts.select("site_id", "tariff_name").iter_rows()
    return {site_id: named.get(name, []) for site_id, name in pairs}


def keep_bases(connection: adbc.Connection, bases: Mapping[str, Basis]) -> None:
    """Keep what the days of sites follow from now on."""
    for site_id, basis in bases.items():
        text = sa.cast(sa.literal(json.dumps(basis), sa.Text), energy_sites.c.energy_basis.type)
        update = sa.update(energy_sites).values(energy_basis=text)
        execute(connection, update.where(energy_sites.c.id == UUID(site_id)))


def known_spans(connection: adbc.Connection, site_ids: Sequence[str]) -> pl.DataFrame:
    """`site_id`, `start` and `end` (UTC): the first and last times that are known of sites."""
    sites = pl.DataFrame({"site_id": site_ids}, {"site_id": pl.String()})
    given = as_rows({"site_id": sa.Uuid()}, sites)
    first, last = (
        [
            sa.select(table.c.timestamp)
            .where(table.c.site_id == given.c.site_id)
            .order_by(order(table.c.timestamp))
            .limit(1)
            .scalar_subquery()
            for table in (energy_states, energy_intervals)
        ]
        for order in (sa.asc, sa.desc)
    )
    query = sa.select(
        given.c.site_id,
        sa.func.least(*first).label("start"),
        sa.func.greatest(*last).label("end"),
    ).select_from(given)
    schema = pl.Schema({"site_id": pl.String(), "start": UTC_TIME, "end": UTC_TIME})
    return read_frame(connection, query, schema).drop_nulls()


def _tariff_name() -> sa.ColumnElement[str]:
    """The tariff of a place at the site, as charges there are priced, else the site's own."""
    of_place, own = (
        sa.select(sa.func.min(name)).where(site == energy_sites.c.id).scalar_subquery()
        for name, site in (
            (places.c.tariff_name, places.c.site_id),
            (tariffs.c.name, tariffs.c.site_id),
        )
    )
    return sa.func.coalesce(of_place, own)
