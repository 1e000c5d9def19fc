"""Live samples of vehicles and sites: added once, flagged when a newer one was there before."""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.live_intervals import LONGEST_GAP
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.energy.dirty_days import mark_samples
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.tables import vehicle_states
from tessie_pipeline.store.writes import write_new


def add_states(connection: adbc.Connection, table: sa.Table, samples: pl.DataFrame) -> int:
    """Add the samples that are new; returns how many were.

    Vehicles, and days of sites, are marked for those who derive something from their samples. A
    sample older than the newest stored one of its subject is flagged as stale.

    Args:
        connection: the transaction.
        table: `vehicle_states` or `energy_states`.
        samples: its rows, without `is_stale`.
    """
    if samples.is_empty():
        return 0
    lock_writes(connection, table)
    subject = next(iter(table.primary_key)).name
    newest = _newest(connection, table, samples[subject].unique().to_list())
    is_stale = (pl.col("timestamp") < pl.col("newest")).fill_null(value=False)
    flagged = samples.join(newest, on=subject, how="left").with_columns(is_stale=is_stale)
    new = write_new(connection, table, flagged.drop("newest"))
    if new and table is vehicle_states:
        mark(connection, samples)
    elif new:
        mark_samples(connection, samples, LONGEST_GAP)
    return new


def _newest(connection: adbc.Connection, table: sa.Table, subjects: list[str]) -> pl.DataFrame:
    """The newest stored time of each subject that has one: `newest`."""
    subject = next(iter(table.primary_key)).name
    texts = sa.values(sa.column("digits", sa.Text), name="texts").data([(id,) for id in subjects])
    ids = sa.select(sa.cast(texts.c.digits, sa.Uuid).label(subject)).subquery("subjects")
    last = (
        sa.select(table.c.timestamp.label("newest"))
        .where(table.c[subject] == ids.c[subject])
        .order_by(table.c.timestamp.desc())
        .limit(1)
        .lateral("last")
    )
    query = sa.select(ids.c[subject], last.c.newest).select_from(ids.join(last, sa.true()))
    return read_frame(connection, query, pl.Schema({subject: pl.String(), "newest": UTC_TIME}))
