"""`battery_ledger`: what home batteries held at the end of each day, to go on from there."""

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
    if days.is_empty():
        return BATTERY_LEDGER.to_frame()
    c, before = battery_ledger.c, battery_ledger.alias("before").c
    first = days.group_by("site_id").agg(pl.col("date").min())
    given = as_rows(kinds_of(battery_ledger, ["site_id", "date"]), first)
    last = (
        sa.select(sa.func.max(before.date))
        .where(before.site_id == given.c.site_id, before.date < given.c.date)
        .scalar_subquery()
    )
    query = sa.select(*(c[name] for name in BATTERY_LEDGER)).where(
        c.site_id == given.c.site_id, c.date == last
    )
    return read_frame(connection, query, BATTERY_LEDGER)


def save_ledger(connection: adbc.Connection, ledger: pl.DataFrame, days: pl.DataFrame) -> int:
    """Write the `BATTERY_LEDGER` of `site_id` and `date` of `days`; returns how many rows changed.

    Days of which there is nothing to book have no rows any more.
    """
    delete_days(connection, battery_ledger, days.join(ledger, on=["site_id", "date"], how="anti"))
    if ledger.is_empty():
        return 0
    staged = stage_as(connection, "ledger", kinds_of(battery_ledger, ledger.columns), ledger)
    return upsert(connection, battery_ledger, staged, _KEY)
