"""Days of sites that tables made of them do not know as they are now.

Marks are written in the transaction that writes what is new, and taken off in the one that writes
what was computed from it: whatever is killed in between is done by the next run. A mark that has
changed since it was read stays.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.frames import as_rows, execute, kinds_of, read_frame
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.store.tables.energy import (
    battery_ledger,
    dirty_days,
    energy_daily,
    energy_hourly,
    energy_intervals,
    solar_attribution_daily,
)

READERS = (energy_intervals, energy_hourly, energy_daily, battery_ledger, solar_attribution_daily)
"""The tables that are computed by days, each after those it is made of."""

OF_INTERVALS = READERS[1:]
OF_BATTERIES = READERS[3:]

SETTLED = timedelta(minutes=15)
"""A day is computed so long after its end: what its last minutes were is told by what follows."""

DIRTY_DAYS = pl.Schema({"site_id": pl.String(), "date": pl.Date(), "changes": pl.Int64()})
"""One row per site and local day, and how often something changed."""

_DAY = sa.text("interval '1 day'")


def marking(days: pl.DataFrame, readers: Iterable[sa.Table]) -> pg.Insert:
    """The statement that marks `site_id` and `date` of `days` for each reader."""
    marks = days.select("site_id", "date").unique().join(_frame(readers), how="cross")
    marks = marks.select("reader", "site_id", "date").sort("reader", "site_id", "date")
    return _marking(sa.select(as_rows(kinds_of(dirty_days, marks.columns), marks)))


def mark_days(
    connection: adbc.Connection, days: pl.DataFrame, readers: Iterable[sa.Table] = READERS
) -> None:
    """Mark `site_id` and `date` of `days` for each reader, in the transaction that changed them."""
    if days.is_empty():
        return
    lock_writes(connection, dirty_days)  # others take marks off in an order of their own
    execute(connection, marking(days, readers))


def mark_spans(
    connection: adbc.Connection, spans: pl.DataFrame, readers: Iterable[sa.Table]
) -> None:
    """Mark the local days that spans of time touch, in the transaction that changed them.

    Args:
        connection: the transaction.
        spans: `site_id`, `start` and `end` (UTC). Sites without a time zone have no days yet.
        readers: whom to mark them for.
    """
    spans = spans.select("site_id", "start", "end").drop_nulls().sort("site_id", "start")
    if spans.is_empty():
        return
    lock_writes(connection, dirty_days)
    moment = sa.DateTime(timezone=True)
    given = as_rows({"site_id": sa.Uuid(), "start": moment, "end": moment}, spans)
    zone = energy_sites.c.time_zone
    first, last = (
        sa.cast(sa.func.timezone(zone, bound), sa.Date) for bound in (given.c.start, given.c.end)
    )
    day = sa.func.generate_series(first, last, _DAY).table_valued("day").render_derived()
    wanted = as_rows({"reader": sa.Text()}, _frame(readers)).alias("wanted")
    marks = (
        sa.select(wanted.c.reader, given.c.site_id, sa.cast(day.c.day, sa.Date).label("date"))
        .select_from(given)
        .join(energy_sites, energy_sites.c.id == given.c.site_id)
        .join(day, sa.true())
        .join(wanted, sa.true())
        .where(zone.is_not(None))
        .distinct()
        .order_by(wanted.c.reader, given.c.site_id, "date")
    )
    execute(connection, _marking(marks))


def mark_samples(connection: adbc.Connection, samples: pl.DataFrame, reach: timedelta) -> None:
    """Mark the days of new samples, in the transaction that writes them.

    Args:
        connection: the transaction.
        samples: `site_id` and `timestamp` at least.
        reach: up to which a sample tells what happened before and after it.
    """
    spans = samples.group_by("site_id", pl.col("timestamp").dt.truncate("1d").alias("day")).agg(
        start=pl.col("timestamp").min() - reach, end=pl.col("timestamp").max() + reach
    )
    mark_spans(connection, spans, READERS[:1])


def read_dirty(
    connection: adbc.Connection, reader: sa.Table, start: date, end: date
) -> pl.DataFrame:
    """The marks of a reader for dates from `start` up to `end`, as `DIRTY_DAYS`."""
    c = dirty_days.c
    query = sa.select(c.site_id, c.date, c.changes).where(
        c.reader == reader.name, c.date >= start, c.date < end
    )
    return read_frame(connection, query, DIRTY_DAYS)


def take_off(connection: adbc.Connection, reader: sa.Table, marks: pl.DataFrame) -> None:
    """Take marks off (`DIRTY_DAYS`) that have not changed since they were read."""
    if marks.is_empty():
        return
    lock_writes(connection, dirty_days)
    seen = as_rows(kinds_of(dirty_days, marks.columns), marks)
    c = dirty_days.c
    execute(
        connection,
        sa.delete(dirty_days).where(
            c.reader == reader.name, *(c[name] == seen.c[name] for name in marks.columns)
        ),
    )


def due_dates(connection: sa.Connection, now: datetime) -> list[date]:
    """The dates of marked days that are over, of any reader, in order."""
    c = dirty_days.c
    over_at = sa.func.timezone(energy_sites.c.time_zone, sa.cast(c.date, sa.DateTime) + _DAY)
    query = (
        sa.select(c.date)
        .join_from(dirty_days, energy_sites, energy_sites.c.id == c.site_id)
        .where(over_at <= now - SETTLED)
        .distinct()
        .order_by(c.date)
    )
    return list(connection.scalars(query))


def _marking(marks: sa.Select[tuple[object, ...]]) -> pg.Insert:
    insert = pg.insert(dirty_days).from_select(["reader", "site_id", "date"], marks)
    return insert.on_conflict_do_update(
        index_elements=["reader", "site_id", "date"],
        set_={"changes": dirty_days.c.changes + 1},
    )


def _frame(readers: Iterable[sa.Table]) -> pl.DataFrame:
    return pl.DataFrame({"reader": [str(table.name) for table in readers]}, {"reader": pl.String()})
