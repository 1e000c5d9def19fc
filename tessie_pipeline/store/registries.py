"""What there is: vehicles and energy sites, kept by what Tesla calls them.

A value that Tesla leaves out this time does not erase what is known. Not here: what they did.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.tables import energy_sites, vehicles

_VOLATILE = ("raw_data", "site_info_at")
"""Columns that differ with every answer, and are no reason to write a row again."""


@dataclass(frozen=True)
class KnownSite:
    """An energy site as it is stored; ids are the 32 hexadecimal digits of the UUID."""

    site_id: str
    tesla_site_id: int | None
    site_name: str | None
    time_zone: str | None
    site_info_at: datetime | None
    removed_at: datetime | None = None


def save_vehicles(
    connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, are_all: bool = False
) -> int:
    """Add vehicles or change what is known of them, by VIN; returns how many were written.

    Args:
        connection: the transaction.
        rows: `tesla_id`, `vin` and other columns of `vehicles`; `raw_data` as JSON text.
        are_all: whether the account has no others, so that those stored are marked as removed.
    """
    return _save(connection, vehicles, "vin", rows, are_all=are_all)


def save_sites(
    connection: sa.Connection, rows: Sequence[Mapping[str, Any]], *, are_all: bool = False
) -> int:
    """Add energy sites or change what is known of them; returns how many were written.

    A site known only from imports becomes the account's site if the account has just one.

    Args:
        connection: the transaction.
        rows: `tesla_site_id` and other columns of `energy_sites`; `raw_data` as JSON text.
        are_all: as `save_vehicles`.
    """
    if len(rows) == 1:
        _adopt_imported_site(connection, rows[0]["tesla_site_id"])
    return _save(connection, energy_sites, "tesla_site_id", rows, are_all=are_all)


def vehicle_ids(connection: sa.Connection) -> dict[int, str]:
    """Our id of each vehicle by Tesla's."""
    query = sa.select(vehicles.c.tesla_id, vehicles.c.id)
    return {tesla_id: own.hex for tesla_id, own in connection.execute(query)}


def find_vehicle(connection: sa.Connection, name: str) -> tuple[int, str] | None:
    """Tesla's id and the name of the vehicle with this name or VIN; None if there is none."""
    c = vehicles.c
    is_it = sa.or_(sa.func.lower(c.display_name) == name.lower(), c.vin == name.upper())
    query = sa.select(c.tesla_id, sa.func.coalesce(c.display_name, c.vin))
    row = connection.execute(query.where(is_it, c.removed_at.is_(None)).order_by(c.id)).first()
    return None if row is None else (row[0], row[1])


def known_sites(connection: sa.Connection) -> list[KnownSite]:
    """All energy sites, in the order in which they became known."""
    c = energy_sites.c
    query = sa.select(c.id, c.tesla_site_id, c.site_name, c.time_zone, c.site_info_at, c.removed_at)
    return [
        KnownSite(own.hex, *facts)
        for own, *facts in connection.execute(query.order_by(c.created_at, c.id))
    ]


def listed_sites(connection: sa.Connection) -> dict[int, KnownSite]:
    """The sites that the account lists, by Tesla's id, in the order in which they became known."""
    return {
        site.tesla_site_id: site
        for site in known_sites(connection)
        if site.tesla_site_id is not None and site.removed_at is None
    }


def create_imported_site(connection: sa.Connection, name: str, time_zone: str) -> KnownSite:
    """Add a site that is known only from imports, until the account's own site takes it over."""
    insert = sa.insert(energy_sites).values(site_name=name, time_zone=time_zone)
    own = connection.execute(insert.returning(energy_sites.c.id)).scalar_one()
    return KnownSite(own.hex, None, name, time_zone, None)


def read_zones(connection: adbc.Connection) -> pl.DataFrame:
    """`site_id` and `time_zone` of the sites whose zone is known."""
    query = sa.select(energy_sites.c.id.label("site_id"), energy_sites.c.time_zone)
    return read_frame(
        connection,
        query.where(energy_sites.c.time_zone.is_not(None)),
        pl.Schema({"site_id": pl.String(), "time_zone": pl.String()}),
    )


def read_site_infos(connection: adbc.Connection) -> pl.DataFrame:
    """`site_id`, `tesla_site_id`, `site_name`, `time_zone` and `raw_data` (site_info) of the sites.

    A site without a name has its number for one; those that were never described are left out.
    """
    c = energy_sites.c
    name = sa.func.coalesce(c.site_name, sa.cast(c.tesla_site_id, sa.Text))
    query = sa.select(
        c.id.label("site_id"),
        sa.cast(c.tesla_site_id, sa.Text).label("tesla_site_id"),
        name.label("site_name"),
        c.time_zone,
        sa.cast(c.raw_data, sa.Text).label("raw_data"),
    ).where(c.site_info_at.is_not(None), c.time_zone.is_not(None), c.removed_at.is_(None))
    columns = ("site_id", "tesla_site_id", "site_name", "time_zone", "raw_data")
    schema = dict.fromkeys(columns, pl.String())
    return read_frame(connection, query.order_by(c.created_at, c.id), pl.Schema(schema))


def vehicle_names(connection: adbc.Connection) -> dict[str, str]:
    """What people call the vehicles, by our ids."""
    name = sa.func.coalesce(vehicles.c.display_name, vehicles.c.vin)
    names = read_frame(connection, sa.select(vehicles.c.id, name.label("name")))
    return dict(names.select("id", "name").iter_rows())


def read_vins(connection: adbc.Connection) -> pl.DataFrame:
    """`vehicle_id` and `vin` of all vehicles."""
    query = sa.select(vehicles.c.id.label("vehicle_id"), vehicles.c.vin)
    schema = pl.Schema({"vehicle_id": pl.String(), "vin": pl.String()})
    return read_frame(connection, query, schema)


def _adopt_imported_site(connection: sa.Connection, tesla_site_id: int) -> None:
    tesla_ids = connection.scalars(sa.select(energy_sites.c.tesla_site_id)).all()
    if tesla_ids == [None]:
        connection.execute(sa.update(energy_sites).values(tesla_site_id=tesla_site_id))


def _save(
    connection: sa.Connection,
    table: sa.Table,
    key: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    are_all: bool,
) -> int:
    changed = sum(_upsert(connection, table, key, row) for row in rows)
    if not are_all:
        return changed
    remove = sa.update(table).where(
        table.c[key].is_not(None),
        table.c[key].not_in([row[key] for row in rows]),
        table.c.removed_at.is_(None),
    )
    remove = remove.values(removed_at=sa.func.now())
    return changed + connection.execute(remove).rowcount


def _upsert(connection: sa.Connection, table: sa.Table, key: str, row: Mapping[str, Any]) -> int:
    values = dict(row)
    if "raw_data" in values:
        text = values["raw_data"]
        # None would be stored as the JSON value null, which is not unknown.
        values["raw_data"] = sa.null() if text is None else json.loads(text)
    insert = pg.insert(table).values(values)
    known = {
        name: sa.func.coalesce(insert.excluded[name], table.c[name])
        for name in values
        if name != key
    }
    is_new = sa.or_(
        *(
            table.c[name].is_distinct_from(value)
            for name, value in known.items()
            if name not in _VOLATILE
        ),
        *([insert.excluded.site_info_at.is_not(None)] if "site_info_at" in values else []),
        table.c.removed_at.is_not(None),
    )
    upsert = insert.on_conflict_do_update(
        index_elements=[key], set_=known | {"removed_at": None}, where=is_new
    )
    return connection.execute(upsert).rowcount
