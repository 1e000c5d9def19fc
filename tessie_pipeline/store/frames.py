"""Bulk reads and writes of Polars frames through Arrow (ADBC), on one transaction's connection.

In frames an id is the 32 hexadecimal digits of its UUID and JSON is text; here they become what
Postgres's binary `COPY` takes. Not here: what is read or written, and in which tables.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

JSONB_VERSION = "\x01"
"""The byte that opens a jsonb value in Postgres's binary format; source: `jsonb_recv`."""

BATCH_ROWS = 10_000
"""Rows that are made ready at a time on their way into Postgres."""

_NUMBERS: dict[type[sa.types.TypeEngine[Any]], type[pl.DataType]] = {
    sa.Double: pl.Float64,
    sa.SmallInteger: pl.Int16,
    sa.Integer: pl.Int32,
    sa.BigInteger: pl.Int64,
}

PartT = TypeVar("PartT")

_dialect = pg.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def execute(connection: adbc.Connection, statement: sa.ClauseElement | str) -> int:
    """Run one statement; returns the number of rows it touched, -1 where Postgres has none."""
    with connection.cursor() as cursor:
        cursor.execute(sql_text(statement))
        return int(cursor.rowcount)


def read_frame(
    connection: adbc.Connection, statement: sa.ClauseElement | str, schema: pl.Schema | None = None
) -> pl.DataFrame:
    """The rows of a query, as a frame with the query's column names, cast to `schema` if given."""
    with connection.cursor() as cursor:
        cursor.execute(sql_text(statement))
        arrow = cursor.fetch_arrow_table()
    columns = [_from_wire(field, arrow.column(field.name)) for field in arrow.schema]
    frame = pl.DataFrame(columns)
    return frame if schema is None else frame.select(schema.names()).cast(schema)


def ahead(parts: Iterator[PartT], most: int = 1) -> Generator[list[PartT], None, None]:
    """The parts, all those at a time that a thread of its own has read meanwhile.

    Nobody else may use what they are read from until all are, or until this is closed: wrap it in
    `contextlib.closing`, since a traceback keeps what failed work was iterating over.

    Args:
        parts: what is read.
        most: how many are read, or being read, while the caller works on those that it has.
    """
    with ThreadPoolExecutor(1) as reader:
        coming = deque(reader.submit(next, parts, None) for _ in range(most))
        try:
            while (part := coming.popleft().result()) is not None:
                found = [part]
                while coming and coming[0].done() and (part := coming[0].result()) is not None:
                    found.append(part)
                    coming.popleft()
                coming.extend(reader.submit(next, parts, None) for _ in found)
                yield found
        finally:
            for following in coming:
                following.cancel()


def copy_in(connection: adbc.Connection, table: sa.Table, frame: pl.DataFrame) -> int:
    """Append `frame` to `table` by binary `COPY`; returns the number of rows.

    Columns that the frame lacks get their defaults. A key that exists fails the transaction: see
    `store/writes.py` for writes that can be repeated.
    """
    return _ingest(connection, table, frame, is_temporary=False)


def stage(connection: adbc.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    """Create the temporary `table` with the rows of `frame`; it ends with the transaction."""
    execute(connection, f"drop table if exists pg_temp.{table.name}")
    temporary = table.to_metadata(sa.MetaData())
    create = str(sa.schema.CreateTable(temporary).compile(dialect=_dialect))
    execute(connection, create.replace("CREATE TABLE", "CREATE TEMPORARY TABLE") + "ON COMMIT DROP")
    _ingest(connection, table, frame, is_temporary=True)
    execute(connection, f"analyze pg_temp.{table.name}")


def stage_as(
    connection: adbc.Connection,
    name: str,
    kinds: Mapping[str, sa.types.TypeEngine[Any]],
    frame: pl.DataFrame,
) -> sa.Table:
    """Stage `frame` as a temporary table of that name, with columns of these kinds; returns it."""
    staged = sa.Table(name, sa.MetaData(), *(sa.Column(*column) for column in kinds.items()))
    stage(connection, staged, frame.select(list(kinds)))
    return staged


def kinds_of(table: sa.Table, names: Iterable[str]) -> dict[str, sa.types.TypeEngine[Any]]:
    """The kinds of columns of `table`, for rows that are staged or given in a query."""
    return {name: table.c[name].type for name in names}


def as_rows(kinds: Mapping[str, sa.types.TypeEngine[Any]], frame: pl.DataFrame) -> sa.FromClause:
    """A few rows inside a query, which spares the round trips of a staging table.

    Args:
        kinds: the columns and their types: times, ids, numbers and plain words only.
        frame: the rows.
    """
    arrays = [
        sa.cast(
            sa.literal("{" + ",".join(frame[name].cast(pl.String).fill_null("null")) + "}"),
            pg.ARRAY(kind),
        )
        for name, kind in kinds.items()
    ]
    columns = [sa.column(name, kind) for name, kind in kinds.items()]
    return sa.func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def _ingest(
    connection: adbc.Connection, table: sa.Table, frame: pl.DataFrame, *, is_temporary: bool
) -> int:
    if frame.is_empty():
        return 0
    batches = _wire_batches(table, frame)
    with connection.cursor() as cursor:
        cursor.adbc_ingest(table.name, batches, mode="append", temporary=is_temporary)
    return frame.height


def _wire_batches(table: sa.Table, frame: pl.DataFrame) -> pa.RecordBatchReader:
    """The frame part by part, so that Postgres takes one in while the next is being made."""
    columns = [_to_wire(table.c[name]) for name in frame.columns]
    schema = frame.clear().select(columns).to_arrow().schema
    parts = (part.select(columns).to_arrow() for part in frame.iter_slices(BATCH_ROWS))
    batches = (batch for part in parts for batch in part.to_batches())
    return pa.RecordBatchReader.from_batches(schema, batches)


def sql_text(statement: sa.ClauseElement | str) -> str:
    """A statement with its values in it, as ADBC takes it."""
    if isinstance(statement, str):
        return statement
    compiled = statement.compile(dialect=_dialect, compile_kwargs={"literal_binds": True})
    return str(compiled)


def _to_wire(column: sa.Column[object]) -> pl.Expr:
    expression = pl.col(column.name)
    if isinstance(column.type, sa.Uuid):
        return expression.str.decode("hex")
    if isinstance(column.type, pg.JSONB):
        return (JSONB_VERSION + expression).alias(column.name)
    # COPY would take the bits of an int64 for a double's, and refuses them for a smaller integer.
    number = _NUMBERS.get(type(column.type))
    return expression if number is None else expression.cast(number)


def _from_wire(field: "pa.Field", column: "pa.ChunkedArray") -> pl.Series:
    extension = getattr(field.type, "extension_name", None)
    if extension is None:
        return pl.Series(field.name, column)
    storage = pa.chunked_array([chunk.storage for chunk in column.chunks], field.type.storage_type)
    series = pl.Series(field.name, storage)
    return series.bin.encode("hex") if extension == "arrow.uuid" else series
