"""Deriving from samples what new samples may have changed, vehicle by vehicle.

Here: how far back and ahead has to be read, in batches that fit into memory, and following what
people edit. Not here: what is derived (`charging`, `drives`).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.sample_windows import (
    CHANGES,
    READ_WINDOWS,
    WINDOWS,
    windows_between,
)
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.bases import basis_of, keep_basis, last_basis
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.derived import kept_spans, relabel
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.sample_changes import Reader, read_marks, take_off
from tessie_pipeline.store.vehicle_samples import read_samples, sampled_spans

FIRST_LOOK = timedelta(days=7)
"""So much around the changes is looked at first, then ever more until samples are found that part.

A car that is driven every week has them in this time.
"""

VEHICLE_DAYS_AT_ONCE = 400
"""What is held in memory and written in one transaction: at a sample a minute some 600,000."""


DerivedT = TypeVar("DerivedT")


def derive_marked(
    database: Database,
    reader: Reader,
    table: sa.Table,
    columns: Sequence[str],
    parts: pl.Expr,
    derive: Callable[[adbc.Connection, pl.DataFrame], DerivedT],
) -> list[DerivedT]:
    """Derive for the vehicles with new samples; returns what `derive` gives, batch by batch.

    Args:
        database: where the samples are.
        reader: whose marks are taken off, each with the batch that was derived.
        table: what is derived; it has the bounds of its starts and ends.
        columns: of `VEHICLE_STATES`, what `parts` takes.
        parts: which samples part what is before them from what is after.
        derive: replaces what begins in the `READ_WINDOWS` of a batch, in the transaction it is
            given, while no other run writes to the table.
    """
    with database.frames() as connection:
        marks = read_marks(connection, reader)
        windows = changed_windows(connection, table, marks, columns, parts)
        take_off(connection, reader, marks.join(windows, on="vehicle_id", how="anti"))
    derived: list[DerivedT] = []
    for batch in in_batches(windows):
        with database.frames() as connection:
            # Before reading, so that of two runs none writes what was read before the other wrote.
            lock_writes(connection, table)
            derived.append(derive(connection, batch))
            take_off(connection, reader, marks.join(batch, on="vehicle_id", how="semi"))
    return derived


def label_edited(
    database: Database,
    reader: Reader,
    table: sa.Table,
    known: pl.Schema,
    labeller: Callable[[adbc.Connection], Callable[[pl.DataFrame], pl.DataFrame]],
    zone: str = "",
    **also: object,
) -> None:
    """Label all rows again if somebody has edited what their labels follow.

    Args:
        database: where the rows are.
        reader: whose digest tells of edits.
        table: the rows.
        known: the columns that labels are given from, as `relabel`.
        labeller: reads what people edit; gives the labels of rows, in their order.
        zone: of the rules' hours, where there are any.
        also: what is set besides in rows of which a label changed.
    """
    with database.frames() as connection:
        # Before reading, so that no run adds rows with labels of before.
        lock_writes(connection, table)
        basis = basis_of(connection, reader, zone)
        if basis != last_basis(connection, reader):
            relabel(connection, table, known, labeller(connection), **also)
            keep_basis(connection, reader, basis)


def changed_windows(
    connection: adbc.Connection,
    table: sa.Table,
    changes: pl.DataFrame,
    columns: Sequence[str],
    parts: pl.Expr,
) -> pl.DataFrame:
    """The `READ_WINDOWS` in which has to be derived anew what the changes may have changed.

    A window without an end lasts to the last sample, which is `newest`, one without a start is from
    the first, `oldest`. What came from samples that are gone stays: a window begins after it and
    with a sample that is left, and there is none while it goes on. Samples that came late for days
    that are gone change nothing.

    Args:
        connection: the transaction.
        table: what is derived; it has the bounds of its starts and ends.
        changes: `CHANGES`.
        columns: of `VEHICLE_STATES`, what `parts` takes.
        parts: which samples part what is before them from what is after.
    """
    spans = sampled_spans(connection, changes["vehicle_id"].to_list()).rename(
        {"first": "oldest", "last": "newest"}
    )
    known = changes.join(spans, on="vehicle_id").filter(pl.col("last") >= pl.col("oldest"))
    open_ones, reach = known.select(CHANGES.names()), FIRST_LOOK
    done = [pl.DataFrame(schema={**WINDOWS, **{name: UTC_TIME for name in spans.columns[1:]}})]
    while not open_ones.is_empty():
        around = open_ones.join(spans, on="vehicle_id").select(
            "vehicle_id",
            start=pl.max_horizontal(pl.col("first") - reach, "oldest"),
            end=pl.col("last") + reach,
        )
        samples = read_samples(connection, around, ["vehicle_id", "timestamp", *columns])
        found = (
            windows_between(samples, open_ones, parts)
            .join(around, on="vehicle_id", suffix="_looked")
            .join(spans, on="vehicle_id")
        )
        is_open = (pl.col("start").is_null() & (pl.col("oldest") < pl.col("start_looked"))) | (
            pl.col("end").is_null() & (pl.col("newest") > pl.col("end_looked"))
        )
        done.append(found.filter(~is_open).select(done[0].columns))
        open_ones = open_ones.join(found.filter(is_open), on="vehicle_id", how="semi")
        reach *= 4
    windows = pl.concat(done)
    kept = kept_spans(connection, table, windows.filter(pl.col("start").is_null()))
    is_cut = pl.any_horizontal(pl.col("kept_until", "gone_until").is_not_null())
    after_kept = pl.when(is_cut).then(pl.max_horizontal("kept_until", "oldest"))
    return (
        windows.join(kept, on="vehicle_id", how="left")
        .filter(~pl.col("goes_on").fill_null(False))
        .select(
            "vehicle_id",
            pl.coalesce("start", after_kept),
            "end",
            "newest",
            read_from=pl.coalesce("start", "oldest"),
        )
    )


def in_batches(windows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Changed windows in batches of at most `VEHICLE_DAYS_AT_ONCE`, a vehicle at least."""
    days = (pl.coalesce("end", "newest") - pl.col("read_from")).dt.total_days() + 1
    batch = (days.cum_sum() - 1) // VEHICLE_DAYS_AT_ONCE
    batched = windows.sort("vehicle_id").with_columns(batch=batch)
    for _, part in batched.group_by("batch", maintain_order=True):
        yield part.select(READ_WINDOWS.names())


def begun_in(windows: pl.DataFrame, rows: pl.DataFrame, start: str) -> pl.DataFrame:
    """The rows of vehicles whose time `start` lies in the window, its end not included."""
    bounds = windows.select("vehicle_id", window_start="start", window_end="end")
    began = pl.col(start)
    is_in = (began >= pl.col("window_start")).fill_null(True) & (
        began < pl.col("window_end")
    ).fill_null(True)
    return (
        rows.join(bounds, on="vehicle_id", maintain_order="left").filter(is_in).select(rows.columns)
    )
