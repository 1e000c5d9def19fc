"""`energy_daily`: days that were computed and days that were imported, and which one wins.

A computed day replaces an imported one once it is complete, since until then the imported total
knows more; an imported day replaces a computed one only when asked to.
"""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_INTERVALS
from tessie_pipeline.store.frames import kinds_of, read_frame, stage_as
from tessie_pipeline.store.tables import energy_daily, energy_intervals
from tessie_pipeline.store.writes import upsert

APP_EXPORT = "app_export"
"""`source` of a day imported from the Tesla app's export."""

COMPLETE_PCT = 99.9
"""Coverage from which a computed day counts as complete."""


def read_intervals(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """The stored intervals from the first to the last instant of `days` (`DAY_WINDOWS`)."""
    schema = ENERGY_INTERVALS
    if days.is_empty():
        return schema.to_frame()
    columns = [energy_intervals.c[name] for name in schema]
    timestamp = energy_intervals.c.timestamp
    query = sa.select(*columns).where(
        timestamp >= days["start"].min(), timestamp < days["end"].max()
    )
    return read_frame(connection, query, schema)


def save_computed_days(connection: adbc.Connection, days: pl.DataFrame) -> int:
    """Write computed days (`ENERGY_DAILY`); returns how many rows changed."""
    is_computed = energy_daily.c.source != APP_EXPORT
    is_complete = _given("coverage_pct") >= COMPLETE_PCT
    return _save(connection, days, wins=sa.or_(is_computed, is_complete))


def save_imported_days(connection: adbc.Connection, days: pl.DataFrame, *, overwrite: bool) -> int:
    """Write imported days (`ENERGY_DAILY`); returns how many rows changed.

    Args:
        connection: the transaction.
        days: the days.
        overwrite: whether they replace computed days too.
    """
    is_imported = energy_daily.c.source == APP_EXPORT
    return _save(connection, days, wins=sa.true() if overwrite else is_imported)


def _save(connection: adbc.Connection, days: pl.DataFrame, wins: sa.ColumnElement[bool]) -> int:
    if days.is_empty():
        return 0
    staged = stage_as(connection, "days", kinds_of(energy_daily, days.columns), days)
    return upsert(connection, energy_daily, staged, ["site_id", "date"], wins)


def _given(name: str) -> sa.ColumnElement[object]:
    """The column of the row that meets a stored one."""
    return sa.literal_column(f"excluded.{name}", energy_daily.c[name].type)
