"""Hours and days of energy: which were computed and which imported, and which one wins.

A computed day replaces an imported one once it is complete, since until then the imported total
knows more; an imported day replaces a computed one only when asked to.
"""

from datetime import date

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_DAILY
from tessie_pipeline.store.energy.site_rows import delete_days
from tessie_pipeline.store.frames import kinds_of, read_frame, stage_as
from tessie_pipeline.store.tables.energy import energy_daily, energy_hourly
from tessie_pipeline.store.writes import replace_windows, upsert

APP_EXPORT = "app_export"
"""`source` of a day imported from the Tesla app's export."""

COMPLETE_PCT = 99.9
"""Coverage from which a computed day counts as complete, without holes."""

_KEY = ["site_id", "date"]
_DAY = pl.Schema({name: ENERGY_DAILY[name] for name in _KEY})


def save_hours(connection: adbc.Connection, hours: pl.DataFrame, days: pl.DataFrame) -> int:
    """Put the hours (`ENERGY_HOURLY`) in the place of those of `days` (`DAY_WINDOWS`)."""
    windows = days.select("site_id", "start", "end")
    return replace_windows(connection, energy_hourly, hours, windows)


def save_computed_days(
    connection: adbc.Connection, computed: pl.DataFrame, days: pl.DataFrame
) -> int:
    """Write computed days (`ENERGY_DAILY`); returns how many rows were written.

    Those of `days` (`site_id`, `date`) without anything in them have no row of their own any more.
    """
    is_computed = energy_daily.c.source != APP_EXPORT
    delete_days(connection, energy_daily, days.join(computed, on=_KEY, how="anti"), is_computed)
    is_complete = _given("coverage_pct") >= COMPLETE_PCT
    return _save(connection, computed, wins=sa.or_(is_computed, is_complete))


def save_imported_days(connection: adbc.Connection, days: pl.DataFrame, *, overwrite: bool) -> int:
    """Write imported days (`ENERGY_DAILY`); returns how many rows changed.

    Args:
        connection: the transaction.
        days: the days.
        overwrite: whether they replace computed days too.
    """
    is_imported = energy_daily.c.source == APP_EXPORT
    return _save(connection, days, wins=sa.true() if overwrite else is_imported)


def stored_days(connection: adbc.Connection, start: date, end: date) -> pl.DataFrame:
    """`site_id` and `date` of the days that have a row, from `start` up to, and without, `end`."""
    c = energy_daily.c
    query = sa.select(c.site_id, c.date).where(c.date >= start, c.date < end)
    return read_frame(connection, query, _DAY)


def _save(connection: adbc.Connection, days: pl.DataFrame, wins: sa.ColumnElement[bool]) -> int:
    if days.is_empty():
        return 0
    staged = stage_as(connection, "days", kinds_of(energy_daily, days.columns), days)
    return upsert(connection, energy_daily, staged, _KEY, wins)


def _given(name: str) -> sa.ColumnElement[object]:
    """The column of the row that meets a stored one."""
    return sa.literal_column(f"excluded.{name}", energy_daily.c[name].type)
