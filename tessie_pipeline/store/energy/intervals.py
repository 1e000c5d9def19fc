"""`energy_intervals`: of what several sources say of the same five minutes the best stays."""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.days import in_their_days
from tessie_pipeline.domain.interval_sources import is_better
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, UTC_TIME
from tessie_pipeline.store.energy.site_rows import read_site_rows
from tessie_pipeline.store.frames import as_rows, read_frame
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline.store.writes import replace_windows

CHANGED_DAYS = pl.Schema(
    {"site_id": pl.String(), "date": pl.Date(), "first": UTC_TIME, "last": UTC_TIME}
)
"""Days with intervals that changed, and the first and last of these."""

_KEY = ["site_id", "timestamp"]


def read_intervals(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """The stored `ENERGY_INTERVALS` of `days` (`DAY_WINDOWS`), and perhaps of days between them."""
    return read_site_rows(connection, energy_intervals, days, ENERGY_INTERVALS)


def keep_better(
    connection: adbc.Connection, found: pl.DataFrame, days: pl.DataFrame
) -> pl.DataFrame:
    """Let the intervals replace those of `days` that are worse; returns `CHANGED_DAYS`.

    A day of which none differs is not written.

    Args:
        connection: the transaction.
        found: `ENERGY_INTERVALS` within the days, one row per interval.
        days: `DAY_WINDOWS`.
    """
    stored = in_their_days(read_intervals(connection, days), days).select(ENERGY_INTERVALS.names())
    beside = found.join(
        stored.select(*_KEY, "source", "coverage", "soc_pct"),
        on=_KEY,
        how="left",
        suffix="_stored",
    )
    better = (
        beside.filter(
            is_better(*map(pl.col, ("source", "coverage", "source_stored", "coverage_stored")))
        )
        .with_columns(pl.coalesce("soc_pct", "soc_pct_stored"))
        .select(ENERGY_INTERVALS.names())
    )
    differing = better.join(stored, on=ENERGY_INTERVALS.names(), how="anti", nulls_equal=True)
    changed = (
        in_their_days(differing, days)
        .group_by("site_id", "date")
        .agg(first=pl.col("timestamp").min(), last=pl.col("timestamp").max())
        .select(CHANGED_DAYS.names())
        .sort("site_id", "date")
    )
    windows = days.join(changed, on=["site_id", "date"], how="semi")
    whole = pl.concat([better, stored.join(better, on=_KEY, how="anti")])
    replaced = in_their_days(whole, windows).select(ENERGY_INTERVALS.names())
    replace_windows(
        connection, energy_intervals, replaced, windows.select("site_id", "start", "end")
    )
    return changed


def first_after(connection: adbc.Connection, ends: pl.DataFrame) -> pl.DataFrame:
    """`site_id`, `timestamp` (UTC) of the first interval at or after `end` of each `site_id`."""
    schema = pl.Schema({"site_id": pl.String(), "timestamp": UTC_TIME})
    if ends.is_empty():
        return schema.to_frame()
    c = energy_intervals.c
    kinds = {"site_id": c.site_id.type, "end": c.timestamp.type}
    given = as_rows(kinds, ends.select(list(kinds)))
    following = (
        sa.select(c.timestamp)
        .where(c.site_id == given.c.site_id, c.timestamp >= given.c.end)
        .order_by(c.timestamp)
        .limit(1)
        .lateral("following")
    )
    query = sa.select(given.c.site_id, following.c.timestamp).select_from(given, following)
    return read_frame(connection, query, schema)
