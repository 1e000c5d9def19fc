"""Hours and days of samples as they are stored, and whose clock they follow.

Not here: how they are made of partitions that go (`retiring`).
"""

from collections.abc import Callable

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import VEHICLE_SERIES, Series
from tessie_pipeline.store.frames import as_rows, read_frame
from tessie_pipeline.store.tables import energy_sites, vehicles
from tessie_pipeline.store.writes import replace_windows

INSTANT = pl.duration(microseconds=1)


class RollupError(Exception):
    """What was stored is not what was computed; nothing has changed."""


def read_clocks(connection: adbc.Connection, series: Series, zone: str) -> pl.DataFrame:
    """The subject and `time_zone` of all that the series may be of.

    A site has its own, a vehicle that of all sites if they share one.

    Args:
        connection: the transaction.
        series: of vehicles or sites.
        zone: of those that have none.
    """
    own = energy_sites.c.time_zone
    shared = sa.select(sa.func.min(own)).having(sa.func.min(own) == sa.func.max(own))
    is_of_vehicles = series is VEHICLE_SERIES
    subjects = vehicles if is_of_vehicles else energy_sites
    known = shared.scalar_subquery() if is_of_vehicles else own
    query = sa.select(
        subjects.c.id.label(series.subject), sa.func.coalesce(known, zone).label("time_zone")
    )
    return read_frame(
        connection, query, pl.Schema({series.subject: pl.String(), "time_zone": pl.String()})
    )


def rewrite_rollup(
    connection: adbc.Connection,
    table: sa.Table,
    series: Series,
    rows: pl.DataFrame,
    rewritten: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame],
) -> None:
    """Let hours or days follow from what is stored and what is new, in the caller's transaction.

    Args:
        connection: the transaction.
        table: of hours or days of the series.
        series: whose they are.
        rows: what is new, as the series' schema.
        rewritten: given what is stored around `rows`, and `rows`, all that is to be stored there.

    Raises:
        RollupError: what is read back is something else.
    """
    if rows.is_empty():
        return
    time = pl.col("timestamp")
    windows = rows.group_by(series.subject).agg(start=time.min(), end=time.max() + INSTANT)
    wanted = rewritten(_read(connection, table, series, windows), rows).sort(_key(series))
    replace_windows(connection, table, wanted, windows)
    if not _read(connection, table, series, windows).equals(wanted):
        raise RollupError(f"{table.name} does not hold what was written to it; nothing is dropped")


def _read(
    connection: adbc.Connection, table: sa.Table, series: Series, windows: pl.DataFrame
) -> pl.DataFrame:
    """The rows in start <= timestamp < end of each subject's window, in order."""
    c, schema = table.c, series.schema
    bound = c.timestamp.type
    given = as_rows({series.subject: sa.Uuid(), "start": bound, "end": bound}, windows)
    query = sa.select(*(c[name] for name in schema)).where(
        c[series.subject] == given.c[series.subject],
        c.timestamp >= given.c.start,
        c.timestamp < given.c.end,
        # The outer bounds as constants let the planner leave out the other partitions.
        c.timestamp >= windows["start"].min(),
        c.timestamp < windows["end"].max(),
    )
    return read_frame(connection, query, schema).sort(_key(series))


def _key(series: Series) -> list[str]:
    return [series.subject, "timestamp"]
