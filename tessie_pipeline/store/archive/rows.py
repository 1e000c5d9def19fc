"""How rows of a table stand in a Parquet file of the archive: types, order, and back again.

Ids are UUIDs and times are in UTC, so that they meet those of Postgres in DuckDB as they are; JSON
is text. A column that a file lacks, since it is newer than the file, is null in what is read.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.tables import energy_states, vehicle_states

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

ARCHIVED = {table.name: table for table in (vehicle_states, energy_states)}
"""The tables whose rows are archived; their key is a subject and a time."""

TIME = "timestamp"

_KINDS: dict[type[sa.types.TypeEngine[Any]], tuple[pl.DataType, Any]] = {
    sa.Uuid: (pl.String(), pa.uuid()),
    sa.DateTime: (UTC_TIME, pa.timestamp("us", "UTC")),
    sa.Boolean: (pl.Boolean(), pa.bool_()),
    sa.SmallInteger: (pl.Int16(), pa.int16()),
    sa.Double: (pl.Float64(), pa.float64()),
    sa.Text: (pl.String(), pa.string()),
    pg.JSONB: (pl.String(), pa.string()),
}


def subject_of(table: sa.Table) -> str:
    """The column that tells whose the rows of an archived table are."""
    return next(column.name for column in table.primary_key if column.name != TIME)


def rows_schema(table: sa.Table) -> pl.Schema:
    """All columns of a table, with the types that `store/frames.py` reads them with."""
    return pl.Schema({column.name: _KINDS[type(column.type)][0] for column in table.c})


def parquet_writer(table: sa.Table, sink: "SupportsWrite[bytes]") -> pq.ParquetWriter:
    """What writes rows of a table to a file; the same rows give the same bytes."""
    return pq.ParquetWriter(
        sink,
        _file_schema(table),
        compression="zstd",
        use_dictionary=[c.name for c in table.c if not isinstance(c.type, pg.JSONB)],
        write_page_checksum=True,
        store_schema=False,  # the types say it all, to every reader alike
    )


def to_file(table: sa.Table, rows: pl.DataFrame) -> pa.Table:
    """Rows (`rows_schema`) as they are written."""
    decoded = rows.with_columns(pl.col(*_ids(table)).str.decode("hex")).to_arrow()
    schema = _file_schema(table)
    # Bytes become a UUID only if their length is part of their type.
    storage = [pa.binary(16) if kind == pa.uuid() else kind for kind in schema.types]
    named = zip(schema.names, storage, strict=True)
    return decoded.cast(pa.schema(list(named))).cast(schema)


def parts_of(
    table: sa.Table,
    file: BinaryIO,
    columns: Sequence[str],
    subjects: Collection[str] | None = None,
) -> Iterator[pl.DataFrame]:
    """The columns of a file's rows, some thousand rows at a time.

    Args:
        table: whose rows they are.
        file: a file of the archive.
        columns: which columns, in this order.
        subjects: whose rows; all if None.

    Raises:
        pa.ArrowException: it is no Parquet file, or not as it was written.
        OSError: it cannot be read.
    """
    subject = subject_of(table)
    schema = rows_schema(table)
    parquet = pq.ParquetFile(file, page_checksum_verification=True, arrow_extensions_enabled=False)
    present = [name for name in schema if name in parquet.schema_arrow.names]
    read = [name for name in present if name in {subject, *columns}]
    ids = [name for name in _ids(table) if name in read]
    position = parquet.schema_arrow.get_field_index(subject)
    for number in range(parquet.num_row_groups):
        group = parquet.metadata.row_group(number)
        if subjects is not None and not _may_hold(group, position, subjects):
            continue
        rows = pl.DataFrame(parquet.read_row_group(number, columns=read))
        rows = rows.with_columns(pl.col(*ids).bin.encode("hex"))
        if subjects is not None:
            rows = rows.filter(pl.col(subject).is_in(list(subjects)))
        absent = {name: pl.lit(None, schema[name]) for name in columns if name not in read}
        yield rows.with_columns(**absent).select(columns)


def _may_hold(group: Any, column: int, subjects: Collection[str]) -> bool:
    """Whether rows of one of the subjects may be in a row group, by its limits of that column."""
    limits = group.column(column).statistics
    low, high = limits.min.hex(), limits.max.hex()
    return any(low <= one <= high for one in subjects)


def _ids(table: sa.Table) -> list[str]:
    return [column.name for column in table.c if isinstance(column.type, sa.Uuid)]


def _file_schema(table: sa.Table) -> pa.Schema:
    return pa.schema(
        [
            pa.field(column.name, _KINDS[type(column.type)][1], nullable=column.nullable is True)
            for column in table.c
        ]
    )
