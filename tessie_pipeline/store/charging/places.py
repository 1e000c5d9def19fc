"""Places as people keep them: circles with a name. Not here: what lies in them (`domain.places`).

Coordinates leave the database for the domain and for the person who asked, nothing else.
"""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.places import PLACES
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.tables import vehicle_states
from tessie_pipeline.store.tables.drives import driver_rules
from tessie_pipeline.store.tables.prices import places


@dataclass(frozen=True)
class Place:
    """A circle with a name; degrees of WGS 84, metres, ids as 32 hexadecimal digits.

    `kind` is home, work or other.
    """

    name: str
    latitude: float
    longitude: float
    radius_m: float = 100.0
    kind: str = "other"
    site_id: str | None = None
    tariff_name: str | None = None


@dataclass(frozen=True)
class Position:
    """Where a vehicle was, degrees of WGS 84, and when (UTC)."""

    latitude: float
    longitude: float
    at: datetime


def read_places(connection: adbc.Connection) -> pl.DataFrame:
    """All places, as `PLACES`."""
    own_id = places.c.id.label("place_id")
    others = (places.c[name] for name in PLACES if name != own_id.name)
    return read_frame(connection, sa.select(own_id, *others), PLACES)


def known_places(connection: sa.Connection) -> dict[str, Place]:
    """All places by name, in its order."""
    columns = (places.c[one.name] for one in fields(Place) if one.name != "site_id")
    query = sa.select(places.c.site_id, *columns).order_by(places.c.name)
    return {
        row["name"]: Place(**{**row, "site_id": row["site_id"] and row["site_id"].hex})
        for row in connection.execute(query).mappings()
    }


def place_ids(connection: sa.Connection) -> dict[str, str]:
    """Our id of each place by its name."""
    query = sa.select(places.c.name, places.c.id).order_by(places.c.name)
    return {name: own.hex for name, own in connection.execute(query)}


def save_place(connection: sa.Connection, place: Place) -> None:
    """Add a place, or change the one of that name, which keeps its id."""
    values = vars(place) | {"site_id": place.site_id and UUID(place.site_id)}
    insert = pg.insert(places).values(values)
    changed = {name: insert.excluded[name] for name in values if name != "name"}
    connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=changed))


def remove_place(connection: sa.Connection, name: str) -> int:
    """Remove a place, and the rules of drivers that ask for it; returns how many of them."""
    own = sa.select(places.c.id).where(places.c.name == name).scalar_subquery()
    asks_for_it = sa.or_(driver_rules.c.start_place_id == own, driver_rules.c.end_place_id == own)
    rules = connection.execute(sa.delete(driver_rules).where(asks_for_it)).rowcount
    connection.execute(sa.delete(places).where(places.c.name == name))
    return rules


def newest_position(connection: sa.Connection, vehicle_id: str) -> Position | None:
    """The newest stored position of a vehicle; None without any."""
    c = vehicle_states.c
    query = sa.select(c.latitude, c.longitude, c.timestamp).where(
        c.vehicle_id == UUID(vehicle_id), c.latitude.is_not(None), c.longitude.is_not(None)
    )
    row = connection.execute(query.order_by(c.timestamp.desc()).limit(1)).first()
    return None if row is None else Position(*row)
