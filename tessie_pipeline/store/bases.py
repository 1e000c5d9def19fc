"""What derived tables follow besides samples: what people edit or choose, and Tesla's bills.

A derivation keeps a digest of what it was made from; where it differs from the present one, all of
it is labelled or priced again. Not here: marks of new samples (`sample_changes`).
"""

from typing import Literal

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.charging.policy import CHOSEN
from tessie_pipeline.store.frames import execute, read_frame
from tessie_pipeline.store.tables.charging import charging_bills, charging_fees, derived_from
from tessie_pipeline.store.tables.drives import driver_rules
from tessie_pipeline.store.tables.prices import places, tariff_rates, tariffs

Derivation = Literal["charging_sessions", "charging_costs", "drives"]

_SOURCES: dict[Derivation, tuple[sa.Table, ...]] = {
    "charging_sessions": (places,),
    "charging_costs": (places, tariffs, tariff_rates, charging_bills, charging_fees),
    "drives": (places, driver_rules),
}
_CHOICES: dict[Derivation, tuple[sa.ScalarSelect[str], ...]] = {"charging_costs": (CHOSEN,)}
_VOLATILE = frozenset({"created_at", "updated_at", "raw_data"})


def basis_of(connection: adbc.Connection, derivation: Derivation, zone: str = "") -> str:
    """A digest of what the derivation follows, as it is now; `zone` if its rules have hours."""
    return str(read_frame(connection, sa.select(_digest(derivation, zone).label("basis"))).item())


def last_basis(connection: adbc.Connection, derivation: Derivation) -> str | None:
    """The digest when it was last derived; None before."""
    query = sa.select(derived_from.c.basis).where(derived_from.c.reader == derivation)
    found = read_frame(connection, query, pl.Schema({"basis": pl.String()}))
    return None if found.is_empty() else str(found.item())


def keep_basis(connection: adbc.Connection, derivation: Derivation, basis: str) -> None:
    """Keep the digest that the derivation has followed now."""
    insert = pg.insert(derived_from).values(reader=derivation, basis=basis)
    kept = {"basis": insert.excluded.basis, "derived_at": sa.func.now()}
    execute(connection, insert.on_conflict_do_update(index_elements=["reader"], set_=kept))


def outdated(connection: sa.Connection, zone: str) -> list[Derivation]:
    """The derivations that do not follow what is there now; `zone` is that of drivers' hours."""
    kept = {row.reader: row.basis for row in connection.execute(sa.select(derived_from))}
    zones = {"drives": zone}
    now = {
        name: connection.scalar(sa.select(_digest(name, zones.get(name, "")))) for name in _SOURCES
    }
    return [name for name, basis in now.items() if kept.get(name) != basis]


def _digest(derivation: Derivation, zone: str) -> sa.ColumnElement[str]:
    choices = _CHOICES.get(derivation, ())
    rows = map(_text, _SOURCES[derivation])
    return sa.func.md5(sa.func.concat(sa.literal(zone), *choices, *rows))


def _text(table: sa.Table) -> sa.ScalarSelect[str]:
    """All rows of a table as one text, in the order of its key."""
    kept = (sa.cast(c, sa.Text) for c in table.c if c.name not in _VOLATILE)
    row = sa.func.concat_ws("|", *(sa.func.coalesce(column, "null") for column in kept))
    in_order: sa.ColumnElement[str]
    in_order = pg.aggregate_order_by(sa.literal_column("''"), *table.primary_key)
    return sa.select(sa.func.string_agg(sa.func.md5(row), in_order)).scalar_subquery()
