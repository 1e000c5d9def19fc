"""Columns as the tables define them: each with a comment of its meaning, unit and source."""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

PRIVATE = "private"
"""Schema of the tables that hold secrets; readers have no access to it."""


def column(
    name: str, kind: Any, comment: str, *constraints: sa.schema.SchemaItem, **options: Any
) -> sa.Column[Any]:
    """A column with its comment."""
    return sa.Column(name, kind, *constraints, comment=comment, **options)


def identity(what: str) -> sa.Column[Any]:
    """A UUID key that Postgres makes."""
    return column(
        "id", sa.Uuid, f"Identity of the {what}.", primary_key=True,
        server_default=sa.func.gen_random_uuid(),
    )  # fmt: skip


def time(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    """A point in time, in UTC."""
    return column(name, sa.DateTime(timezone=True), comment, **options)


def removed_at() -> sa.Column[Any]:
    """When the account stopped listing a thing."""
    return time(
        "removed_at", "Since when the account no longer lists it (UTC); null while it does."
    )


def created_at() -> sa.Column[Any]:
    """When a row was written."""
    return time(
        "created_at",
        "When this row was written (UTC).",
        nullable=False,
        server_default=sa.func.now(),
    )


def updated_at() -> sa.Column[Any]:
    """When a row last changed."""
    return time(
        "updated_at",
        "When this row last changed (UTC); kept by a trigger.",
        nullable=False,
        server_default=sa.func.now(),
    )


def number(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    """A floating-point number."""
    return column(name, sa.Double, comment, **options)


def whole(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    """A small whole number."""
    return column(name, sa.SmallInteger, comment, **options)


def text(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    """A text."""
    return column(name, sa.Text, comment, **options)


def flag(name: str, comment: str, **options: Any) -> sa.Column[Any]:
    """True or false."""
    return column(name, sa.Boolean, comment, **options)


def vehicle_id(*constraints: sa.ForeignKey, **options: Any) -> sa.Column[Any]:
    """The vehicle that a row is about."""
    return column("vehicle_id", sa.Uuid, "The vehicle: vehicles.id.", *constraints, **options)


def site_id(*constraints: sa.ForeignKey, **options: Any) -> sa.Column[Any]:
    """The energy site that a row is about."""
    return column("site_id", sa.Uuid, "The energy site: energy_sites.id.", *constraints, **options)


def asked_at() -> sa.Column[Any]:
    """When the answer of a row was last asked for."""
    return time("asked_at", "When Tesla was last asked for it and said something, or 408 (UTC).")
