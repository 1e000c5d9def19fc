"""Writes that can be repeated: the same rows again change nothing.

Each is part of the caller's transaction and holds the table's write lock until its end. Rows go in
by `COPY`, straight into the keyed table: what is already there is found by reading keys, which
costs less than staging every row (`docs/decisions/0002-writes.md`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.days import merged
from tessie_pipeline.store.frames import as_rows, copy_in, execute, read_frame
from tessie_pipeline.store.partitions import ensure_partitions, lock_writes


def write_new(connection: adbc.Connection, table: sa.Table, samples: pl.DataFrame) -> int:
    """Add the samples whose key is not there yet; returns how many were new.

    Args:
        connection: the transaction.
        table: a time series keyed on a subject and `timestamp`.
        samples: rows of `table`; of two with one key the first counts.
    """
    key = _key(table)
    samples = samples.sort(key, maintain_order=True)  # sorted rows go in faster
    samples = samples.filter(pl.struct(key).ne_missing(pl.struct(key).shift()))
    if samples.is_empty():
        return 0
    lock_writes(connection, table)
    days = samples.group_by(key[0], pl.col("timestamp").dt.date().alias("day")).agg(
        pl.col("timestamp").min().alias("start"),
        (pl.col("timestamp").max() + pl.duration(microseconds=1)).alias("end"),
    )
    ensure_partitions(connection, table, days["start"])
    known = _keys_in(connection, table, days.drop("day"))
    if not known.is_empty():
        samples = samples.join(known, on=key, how="anti", maintain_order="left")
    return copy_in(connection, table, samples)


def replace_windows(
    connection: adbc.Connection, table: sa.Table, rows: pl.DataFrame, windows: pl.DataFrame
) -> int:
    """Put `rows` in the place of all that lies in `windows`; returns how many were written.

    Args:
        connection: the transaction.
        table: a time series keyed on a subject and `timestamp`.
        rows: rows of `table`, all inside the windows.
        windows: the subject's column, `start` and `end` (UTC, half-open), one or more per subject.
    """
    if windows.is_empty():
        return 0
    lock_writes(connection, table)
    ensure_partitions(connection, table, rows["timestamp"].dt.truncate("1d").unique())
    spans = merged(windows, _key(table)[0])  # rows are tried with each window of their subject
    given = as_rows(_window(table), spans)
    execute(connection, sa.delete(table).where(*_lies_in(table, given, spans)))
    return copy_in(connection, table, rows.sort(_key(table)))


def upsert(
    connection: adbc.Connection,
    table: sa.Table,
    staged: sa.Table,
    key: Sequence[str],
    wins: sa.ColumnElement[bool] | None = None,
    made: Mapping[str, sa.ColumnElement[object]] | None = None,
) -> int:
    """Add the staged rows, or let them change those of their key; returns how many were written.

    Args:
        connection: the transaction.
        table: where they go; what is the same there already is not written.
        staged: rows of `table`.
        key: what a row is known by, with a unique index.
        wins: which stored rows may be changed; all of them if None.
        made: columns that only a new row is given, from those of `staged`.
    """
    names, made = staged.columns.keys(), made or {}
    insert = pg.insert(table).from_select([*names, *made], sa.select(*staged.c, *made.values()))
    given = {name: insert.excluded[name] for name in names if name not in key}
    differs = sa.or_(*(table.c[name].is_distinct_from(value) for name, value in given.items()))
    may_change = differs if wins is None else sa.and_(wins, differs)
    return execute(
        connection,
        insert.on_conflict_do_update(index_elements=list(key), set_=given, where=may_change),
    )


def _key(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key]


def _keys_in(connection: adbc.Connection, table: sa.Table, windows: pl.DataFrame) -> pl.DataFrame:
    given = as_rows(_window(table), windows)
    keys = sa.select(*table.primary_key).where(*_lies_in(table, given, windows))
    # The offset makes Postgres look up window by window; joined freely, it tries each row of a
    # subject with each of its windows.
    found = keys.correlate(given).offset(0).lateral("found")
    return read_frame(connection, sa.select(found).select_from(given, found))


def _window(table: sa.Table) -> dict[str, sa.types.TypeEngine[Any]]:
    subject, timestamp = table.primary_key
    return {subject.name: subject.type, "start": timestamp.type, "end": timestamp.type}


def _lies_in(
    table: sa.Table, given: sa.FromClause, windows: pl.DataFrame
) -> tuple[sa.ColumnElement[bool], ...]:
    subject = _key(table)[0]
    return (
        table.c[subject] == given.c[subject],
        table.c.timestamp >= given.c.start,
        table.c.timestamp < given.c.end,
        # The outer bounds as constants let the planner leave out the other partitions.
        table.c.timestamp >= windows["start"].min(),
        table.c.timestamp < windows["end"].max(),
    )
