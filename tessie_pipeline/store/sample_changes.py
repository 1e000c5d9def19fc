"""Which vehicles have samples that derived tables do not know yet.

Marks are written in the transaction that writes the samples, and taken off in the one that writes
what was derived from them: whatever is killed in between is done by the next run. A mark that has
changed since it was read stays, and so does one that has come in its place.
"""

from collections.abc import Iterable
from typing import Literal

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.frames import as_rows, execute, kinds_of, read_frame
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.tables.charging import sample_changes

Reader = Literal["charging_sessions", "drives"]
READERS: tuple[Reader, ...] = ("charging_sessions", "drives")

SAMPLE_CHANGES = pl.Schema(
    {"vehicle_id": pl.String(), "first": UTC_TIME, "last": UTC_TIME, "changes": pl.Int64()}
)
"""One row per vehicle: its oldest and newest sample that are new, and how often some came."""


def mark(
    connection: adbc.Connection, samples: pl.DataFrame, readers: Iterable[Reader] = READERS
) -> None:
    """Mark the vehicles of new samples for each reader.

    Args:
        connection: the transaction that writes the samples.
        samples: `vehicle_id` and `timestamp` at least.
        readers: whom they are new to.
    """
    spans = (
        samples.group_by("vehicle_id")
        .agg(
            changed_from=pl.col("timestamp").min(),
            changed_to=pl.col("timestamp").max(),
        )
        .join(pl.DataFrame({"reader": list(readers)}, {"reader": pl.String()}), how="cross")
        .sort("reader", "vehicle_id")
    )
    if spans.is_empty():
        return
    lock_writes(connection, sample_changes)  # who takes marks off does it in an order of its own
    new = pg.insert(sample_changes).from_select(
        spans.columns, sa.select(as_rows(kinds_of(sample_changes, spans.columns), spans))
    )
    given = new.excluded
    c = sample_changes.c
    execute(
        connection,
        new.on_conflict_do_update(
            index_elements=["reader", "vehicle_id"],
            set_={
                "changed_from": sa.func.least(c.changed_from, given.changed_from),
                "changed_to": sa.func.greatest(c.changed_to, given.changed_to),
                "changes": c.changes + 1,
            },
        ),
    )


def read_marks(connection: adbc.Connection, reader: Reader) -> pl.DataFrame:
    """The marks of a reader, as `SAMPLE_CHANGES`, by vehicle."""
    c = sample_changes.c
    query = sa.select(
        c.vehicle_id, c.changed_from.label("first"), c.changed_to.label("last"), c.changes
    ).where(c.reader == reader)
    return read_frame(connection, query.order_by(c.vehicle_id), SAMPLE_CHANGES)


def marked_vehicles(connection: sa.Connection) -> set[str]:
    """The vehicles with a mark of any reader."""
    return {own.hex for own in connection.scalars(sa.select(sample_changes.c.vehicle_id))}


def take_off(connection: adbc.Connection, reader: Reader, marks: pl.DataFrame) -> None:
    """Take marks off that have not changed since they were read (`SAMPLE_CHANGES`)."""
    if marks.is_empty():
        return
    lock_writes(connection, sample_changes)
    counted = marks.rename({"first": "changed_from", "last": "changed_to"})
    seen = as_rows(kinds_of(sample_changes, counted.columns), counted)
    c = sample_changes.c
    execute(
        connection,
        sa.delete(sample_changes).where(
            c.reader == reader,
            *(c[name] == seen.c[name] for name in counted.columns),
        ),
    )
