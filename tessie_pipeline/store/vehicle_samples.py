"""Stored samples of vehicles, by windows of their own."""

from collections.abc import Sequence

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.samples import VEHICLE_STATES
from tessie_pipeline.store.frames import as_rows, read_frame
from tessie_pipeline.store.tables import vehicle_states

_BOUND = sa.DateTime(timezone=True)


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
            c.timestamp >= sa.func.coalesce(given.c.start, sa.text("timestamptz '-infinity'")),
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
    """`vehicle_id`, `first` and `last` (UTC): the times of the vehicles' samples, where any are."""
    c = vehicle_states.c
    given = as_rows(
        {"vehicle_id": c.vehicle_id.type},
        pl.DataFrame({"vehicle_id": vehicles}, {"vehicle_id": pl.String()}),
    )
    ends = [
        sa.select(c.timestamp.label(name))
        .where(c.vehicle_id == given.c.vehicle_id)
        .order_by(order)
        .limit(1)
        .lateral(name)
        for name, order in (("first", c.timestamp.asc()), ("last", c.timestamp.desc()))
    ]
    query = sa.select(given.c.vehicle_id, *(end.c[end.name] for end in ends))
    schema = pl.Schema(
        {"vehicle_id": pl.String(), "first": VEHICLE_STATES["timestamp"],
         "last": VEHICLE_STATES["timestamp"]}
    )  # fmt: skip
    return read_frame(connection, query.select_from(given, *ends), schema)
