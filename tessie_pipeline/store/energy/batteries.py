"""`battery_ledger`: what home batteries held at the end of each day, to go on from there."""

import operator
from collections.abc import Callable
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.battery_frames import BATTERY_LEDGER
from tessie_pipeline.store.energy.site_rows import delete_days
from tessie_pipeline.store.frames import as_rows, kinds_of, read_frame, stage_as
from tessie_pipeline.store.tables.energy import battery_ledger
from tessie_pipeline.store.writes import upsert

_KEY = ["site_id", "date", "origin"]


def read_ledger(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """The stored `BATTERY_LEDGER` of `site_id` and `date` of `days`."""
    if days.is_empty():
        return BATTERY_LEDGER.to_frame()
    c = battery_ledger.c
    given = as_rows(kinds_of(battery_ledger, ["site_id", "date"]), days)
    query = sa.select(*(c[name] for name in BATTERY_LEDGER)).where(
        c.site_id == given.c.site_id, c.date == given.c.date
    )
    return read_frame(connection, query, BATTERY_LEDGER)


def read_last_before(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """The `BATTERY_LEDGER` of each site's last day before the first of its `days`."""
    first = days.group_by("site_id").agg(pl.col("date").min())
    return _read_beside(connection, first, operator.lt, sa.func.max)


def read_first_after(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """The `BATTERY_LEDGER` of each site's first day after the last of its `days`."""
    last = days.group_by("site_id").agg(pl.col("date").max())
    return _read_beside(connection, last, operator.gt, sa.func.min)


def save_ledger(connection: adbc.Connection, ledger: pl.DataFrame, days: pl.DataFrame) -> int:
    """Write the `BATTERY_LEDGER` of `site_id` and `date` of `days`; returns how many rows changed.

    Days of which there is nothing to book have no rows any more.
    """
    delete_days(connection, battery_ledger, days.join(ledger, on=["site_id", "date"], how="anti"))
    if ledger.is_empty():
        return 0
    staged = stage_as(connection, "ledger", kinds_of(battery_ledger, ledger.columns), ledger)
    return upsert(connection, battery_ledger, staged, _KEY)


def _read_beside(
    connection: adbc.Connection,
    days: pl.DataFrame,
    is_beside: Callable[[Any, Any], sa.ColumnElement[bool]],
    nearest: Callable[[Any], sa.ColumnElement[Any]],
) -> pl.DataFrame:
    """The `BATTERY_LEDGER` of the nearest of the days that are on one side of each site's one."""
    if days.is_empty():
        return BATTERY_LEDGER.to_frame()
    c, others = battery_ledger.c, battery_ledger.alias("others").c
    given = as_rows(kinds_of(battery_ledger, ["site_id", "date"]), days)
    date = (
        sa.select(nearest(others.date))
        .where(others.site_id == given.c.site_id, is_beside(others.date, given.c.date))
        .scalar_subquery()
    )
    query = sa.select(*(c[name] for name in BATTERY_LEDGER)).where(
        c.site_id == given.c.site_id, c.date == date
    )
    return read_frame(connection, query, BATTERY_LEDGER)
