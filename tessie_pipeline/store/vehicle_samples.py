"""Stored samples of vehicles, by windows of their own, and from when on none of them is gone."""

from collections.abc import Sequence
from datetime import timedelta

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import VEHICLE_SERIES
from tessie_pipeline.domain.samples import UTC_TIME, VEHICLE_STATES
from tessie_pipeline.store.frames import as_rows, read_frame
from tessie_pipeline.store.retention.log import gone_days
from tessie_pipeline.store.tables import vehicle_states
from tessie_pipeline.store.tables.rollups import vehicle_states_daily, vehicle_states_hourly

_BOUND = sa.DateTime(timezone=True)
_EVER = "timestamptz '-infinity'"


def read_samples(
    connection: adbc.Connection, windows: pl.DataFrame, columns: Sequence[str]
) -> pl.DataFrame:
    """The samples from `start` to `end` of each vehicle, both included, in no order.

    Args:
        connection: the transaction.
        windows: `vehicle_id`, `start` and `end` (UTC); null is from the first or to the last.
        columns: of `VEHICLE_STATES`.
    """
    schema = pl.Schema({name: VEHICLE_STATES[name] for name in columns})
    if windows.is_empty():
        return schema.to_frame()
    c = vehicle_states.c
    kinds = {"vehicle_id": c.vehicle_id.type, "start": _BOUND, "end": _BOUND}
    given = as_rows(kinds, windows.select(list(kinds)))
    start, end = windows["start"], windows["end"]
    found = (
        sa.select(*(c[name] for name in columns))
        .where(
            c.vehicle_id == given.c.vehicle_id,
            c.timestamp >= sa.func.coalesce(given.c.start, sa.text(_EVER)),
            c.timestamp <= sa.func.coalesce(given.c.end, sa.text("timestamptz 'infinity'")),
            # The outer bounds as constants let the planner leave out the other partitions.
            *([] if start.null_count() else [c.timestamp >= start.min()]),
            *([] if end.null_count() else [c.timestamp <= end.max()]),
        )
        .correlate(given)
        .offset(0)
        .lateral("found")
    )
    return read_frame(connection, sa.select(found).select_from(given, found), schema)


def sampled_spans(connection: adbc.Connection, vehicles: Sequence[str]) -> pl.DataFrame:
    """The times of the first and last sample of vehicles, of those from which on none is gone.

    What is there of the time before came late, or stayed because of another vehicle. Nothing can
    be derived from it as it was from all samples.

    Returns:
        `vehicle_id`, `first`, `last` and `gone_until` (UTC), null where all samples are there. A
        vehicle without samples is not there.
    """
    c = vehicle_states.c
    given = as_rows(
        {"vehicle_id": c.vehicle_id.type, "gone_until": _BOUND}, _gone_until(connection, vehicles)
    )
    is_whole = c.timestamp >= sa.func.coalesce(given.c.gone_until, sa.text(_EVER))
    ends = [
        sa.select(c.timestamp.label(name))
        .where(c.vehicle_id == given.c.vehicle_id, is_whole)
        .order_by(order)
        .limit(1)
        .correlate(given)
        .lateral(name)
        for name, order in (("first", c.timestamp.asc()), ("last", c.timestamp.desc()))
    ]
    bounds = (*(end.c[end.name] for end in ends), given.c.gone_until)
    query = sa.select(given.c.vehicle_id, *bounds).select_from(given, *ends)
    schema = {"vehicle_id": pl.String(), "first": UTC_TIME, "last": UTC_TIME}
    return read_frame(connection, query, pl.Schema({**schema, "gone_until": UTC_TIME}))


def _gone_until(connection: adbc.Connection, vehicles: Sequence[str]) -> pl.DataFrame:
    """`vehicle_id` and `gone_until` (UTC), the end of the last day of which it lost samples."""
    named = pl.DataFrame({"vehicle_id": vehicles}, {"vehicle_id": pl.String()})
    days = pl.DataFrame({"day": gone_days(connection, VEHICLE_SERIES)}, {"day": pl.Date()})
    if days.is_empty():
        return named.with_columns(gone_until=pl.lit(None, UTC_TIME))
    given = as_rows({"vehicle_id": vehicle_states.c.vehicle_id.type}, named)
    lasts = [
        sa.select(rollup.c.last_at)
        .where(rollup.c.vehicle_id == given.c.vehicle_id, rollup.c.last_at.is_not(None))
        .order_by(rollup.c.timestamp.desc())
        .limit(1)
        .correlate(given)
        .scalar_subquery()
        for rollup in (vehicle_states_hourly, vehicle_states_daily)
    ]
    query = sa.select(given.c.vehicle_id, sa.func.greatest(*lasts).label("last_dropped"))
    schema = pl.Schema({"vehicle_id": pl.String(), "last_dropped": UTC_TIME})
    midnight_after = (pl.col("day") + timedelta(days=1)).cast(UTC_TIME)
    return (
        read_frame(connection, query, schema)
        .with_columns(last_day=pl.col("last_dropped").dt.date())
        .sort("last_day")
        .join_asof(days, left_on="last_day", right_on="day")
        .select("vehicle_id", gone_until=midnight_after)
    )
