"""Derived tables in windows of their vehicles: what lies in a window is replaced as a whole.

Rows that are the same again keep what others have added to them. Not here: which tables, and how
rows are derived.
"""

from collections.abc import Callable
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.frames import (
    as_rows,
    copy_in,
    execute,
    kinds_of,
    read_frame,
    stage_as,
)
from tessie_pipeline.store.writes import upsert

_TIME = sa.DateTime(timezone=True)
_KEPT_SPANS = pl.Schema(
    {"vehicle_id": pl.String(), "kept_until": UTC_TIME, "goes_on": pl.Boolean()}
)


def in_windows(
    windows: pl.DataFrame, subject: sa.ColumnElement[Any], at: sa.ColumnElement[Any]
) -> sa.ColumnElement[bool]:
    """Whether a row's time lies in start <= time < end of its vehicle's window (`WINDOWS`)."""
    kinds: dict[str, sa.types.TypeEngine[Any]]
    kinds = {"vehicle_id": sa.Uuid(), "start": _TIME, "end": _TIME}
    given = as_rows(kinds, windows.select(list(kinds))).alias("windows")
    return (
        sa.exists()
        .where(
            subject == given.c.vehicle_id,
            sa.or_(given.c.start.is_(None), at >= given.c.start),
            sa.or_(given.c.end.is_(None), at < given.c.end),
        )
        .select_from(given)
    )


def kept_spans(connection: adbc.Connection, table: sa.Table, sampled: pl.DataFrame) -> pl.DataFrame:
    """Which vehicles have rows that come from samples that are gone, and until when these last.

    Args:
        connection: the transaction.
        table: derived rows with the bounds of their starts and ends.
        sampled: `vehicle_id` and its `oldest` sample that is left.

    Returns:
        `vehicle_id`, `kept_until` (UTC), and `goes_on`, whether one of them has not ended.
    """
    c = table.c
    kinds: dict[str, sa.types.TypeEngine[Any]] = {"vehicle_id": sa.Uuid(), "oldest": _TIME}
    given = as_rows(kinds, sampled.select(list(kinds)))
    query = (
        sa.select(
            c.vehicle_id,
            sa.func.max(c.ended_by).label("kept_until"),
            sa.func.bool_or(c.ended_by.is_(None)).label("goes_on"),
        )
        .where(
            c.vehicle_id == given.c.vehicle_id,
            sa.func.coalesce(c.started_after, c.started_by) < given.c.oldest,
        )
        .group_by(c.vehicle_id)
    )
    return read_frame(connection, query, _KEPT_SPANS)


def replace_rows(
    connection: adbc.Connection, table: sa.Table, rows: pl.DataFrame, is_in: sa.ColumnElement[bool]
) -> None:
    """Put `rows` in the place of those of `table` that `is_in` holds for."""
    execute(connection, sa.delete(table).where(is_in))
    copy_in(connection, table, rows)


def merge_rows(
    connection: adbc.Connection,
    table: sa.Table,
    rows: pl.DataFrame,
    key: list[str],
    is_in: sa.ColumnElement[bool],
    **made: sa.ColumnElement[object],
) -> None:
    """As `replace_rows`, but a row whose key stays keeps the columns that `rows` does not have.

    Args:
        connection: the transaction.
        table: a table whose rows others refer to, or add columns to.
        rows: columns of `table`.
        key: what a row is known by, with a unique index.
        is_in: which stored rows are replaced.
        made: columns that only a new row is given, from those of `table`.
    """
    staged = stage_as(connection, f"new_{table.name}", kinds_of(table, rows.columns), rows)
    goes_on = sa.exists().where(*(table.c[name] == staged.c[name] for name in key))
    execute(connection, sa.delete(table).where(is_in, ~goes_on))
    upsert(connection, table, staged, key, made=made)


def relabel(
    connection: adbc.Connection,
    table: sa.Table,
    known: pl.Schema,
    labelled: Callable[[pl.DataFrame], pl.DataFrame],
    **also: object,
) -> None:
    """Give all rows the labels that `labelled` gives them.

    Args:
        connection: the transaction.
        table: rows with a `vehicle_id` and `started_at` of their own.
        known: the columns that `labelled` takes, the key among them.
        labelled: labels, which are columns of `table`, of rows in their order.
        also: what is set besides in rows of which a label changed.
    """
    key = ["vehicle_id", "started_at"]
    stored = read_frame(connection, sa.select(*(table.c[name] for name in known)), known)
    labels = labelled(stored)
    keyed = pl.concat([stored.select(key), labels], how="horizontal")
    name = f"labels_of_{table.name}"
    staged = stage_as(connection, name, kinds_of(table, keyed.columns), keyed)
    given = {name: staged.c[name] for name in labels.columns}
    differs = sa.or_(*(table.c[name].is_distinct_from(value) for name, value in given.items()))
    is_it = sa.and_(*(table.c[name] == staged.c[name] for name in key))
    execute(connection, sa.update(table).values(**given, **also).where(is_it, differs))
