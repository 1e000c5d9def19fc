"""Rows of energy sites, by windows of time or by days.

Rows come in no order, which costs a third of what an order does (`ORDER BY` in the server). Many
can be read while those that came are worked on. Not here: what is done with them.
"""

from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_postgresql import StatementOptions

from tessie_pipeline.domain.days import merged
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.frames import ahead, as_rows, execute, kinds_of, read_frame, sql_text

BATCH_BYTES = 1_000_000
"""What comes at a time, 20,000 samples: so few that the first ones are soon there."""
BATCHES_AHEAD = 32
"""How many are read at most while the caller works. All that came are worked on together, so that
what a computation costs without any rows (10 ms) counts little."""

_EPOCH_US = 946_684_800_000_000
"""2000-01-01 UTC, from where `timestamptz_send` counts microseconds."""


def delete_days(
    connection: adbc.Connection, table: sa.Table, days: pl.DataFrame, *are: sa.ColumnElement[bool]
) -> int:
    """Delete the rows of `site_id` and `date` of `days` that `are` so; returns how many."""
    if days.is_empty():
        return 0
    given = as_rows(kinds_of(table, ["site_id", "date"]), days)
    is_of_day = (table.c.site_id == given.c.site_id, table.c.date == given.c.date)
    return execute(connection, sa.delete(table).where(*is_of_day, *are))


def read_site_rows(
    connection: adbc.Connection, table: sa.Table, windows: pl.DataFrame, schema: pl.Schema
) -> pl.DataFrame:
    """The rows of `start` <= timestamp < `end` of each `site_id` of the windows (UTC).

    Args:
        connection: the transaction.
        table: a time series keyed on `site_id` and `timestamp`.
        windows: `site_id`, `start` and `end`.
        schema: which columns of `table`, `site_id` among them.
    """
    if windows.is_empty():
        return schema.to_frame()
    spans = merged(windows, "site_id").with_row_index("number")
    names = [name for name in schema if name != "site_id"]
    rows = read_frame(connection, _query(table, spans, (table.c[name] for name in names)))
    # A number for the site spares a sixth of the time: an id is text in frames.
    return (
        rows.with_columns(site_id=pl.lit(spans["site_id"]).gather("number"))
        .select(schema.names())
        .cast(schema)
    )


def read_site_rows_ahead(
    connection: adbc.Connection, table: sa.Table, windows: pl.DataFrame, schema: pl.Schema
) -> Generator[tuple[pl.Series, pl.DataFrame], None, None]:
    """As `read_site_rows`, some whole windows at a time: their numbers, from 0, and their rows.

    The next windows are read while the caller works on the ones it has, all by one statement. Rows
    in several windows come with each of them, windows without any do not come. A NaN that is stored
    comes as null. To be closed before the connection is used otherwise, see `frames.ahead`.

    Args:
        connection: the transaction.
        table: a time series keyed on `site_id` and `timestamp`.
        windows: `site_id`, `start` and `end`.
        schema: which columns of `table`, `site_id` and `timestamp` among them, the others `Double`.
    """
    if windows.is_empty():
        return
    names = [name for name in schema if name != "site_id"]
    # As one row a window is never parted between batches.
    query = _query(
        table, windows.with_row_index("number"), (_sent(table.c[name]) for name in names)
    )
    with closing(_batches(connection, query)) as parts:
        for part in parts:
            found = part.drop_nulls("timestamp")  # a window without rows
            if found.is_empty():
                continue
            rows = pl.DataFrame([_received(found[name]) for name in names])
            sizes = found["timestamp"].bin.size() // 8
            sites = windows["site_id"].gather(found["number"]).repeat_by(sizes).explode()
            rows = rows.with_columns(site_id=sites).select(schema.names()).cast(schema)
            yield found["number"], rows


def _query(
    table: sa.Table, windows: pl.DataFrame, columns: Iterable[sa.ColumnElement[Any]]
) -> sa.Select[Any]:
    """The columns of the rows in each of the windows, with the window's `number`."""
    c = table.c
    bound = sa.DateTime(timezone=True)
    kinds: dict[str, sa.types.TypeEngine[Any]]
    kinds = {"number": sa.Integer(), "site_id": sa.Uuid(), "start": bound, "end": bound}
    given = as_rows(kinds, windows)
    found = (
        sa.select(*columns)
        .where(
            c.site_id == given.c.site_id,
            c.timestamp >= given.c.start,
            c.timestamp < given.c.end,
            # The outer bounds as constants let the planner leave out the other partitions.
            c.timestamp >= windows["start"].min(),
            c.timestamp < windows["end"].max(),
        )
        .correlate(given)
        .offset(0)  # else Postgres tries each row of a site with each of its windows
        .lateral("found")
    )
    return sa.select(given.c.number, found).select_from(given, found)


def _sent(column: sa.Column[Any]) -> sa.Label[bytes]:
    """A group's values of a column as Postgres sends them, 8 bytes each, NaN for null.

    ADBC takes a sixth of the time for it that it takes for arrays or rows.
    """
    if isinstance(column.type, sa.DateTime):
        values = sa.func.timestamptz_send(column)
    else:
        values = sa.func.float8send(sa.func.coalesce(column, sa.literal("NaN")))
    return sa.func.string_agg(values, sa.literal(b"")).label(column.name)


def _received(sent: pl.Series) -> pl.Series:
    """The values of all groups, times in UTC."""
    wire, kind = b"".join(sent), pl.Int64 if sent.name == "timestamp" else pl.Float64
    shape = pl.Array(kind, len(wire) // 8)
    values = pl.Series(sent.name, [wire]).bin.reinterpret(dtype=shape, endianness="big").explode()
    if kind == pl.Float64:
        return values.fill_nan(None)
    return (values + _EPOCH_US).cast(UTC_TIME)


def _batches(
    connection: adbc.Connection, query: sa.Select[Any]
) -> Generator[pl.DataFrame, None, None]:
    """The rows of a query, as they come, while the next ones are being read."""
    with connection.cursor() as cursor:
        size = {StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(BATCH_BYTES)}
        cursor.adbc_statement.set_options(**size)
        cursor.execute(sql_text(query))
        with closing(ahead(cursor.fetch_record_batch(), BATCHES_AHEAD)) as parts:
            for batches in parts:
                yield pl.DataFrame(pa.Table.from_batches(batches))
