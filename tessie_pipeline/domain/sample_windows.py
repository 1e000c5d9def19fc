"""How much has to be read to derive anew what changed samples may have changed.

Some samples part what is before them from what is after: nothing that is derived reaches across.
Which ones do is told by whoever derives. Not here: reading them.
"""

import polars as pl

from tessie_pipeline.domain.samples import UTC_TIME

CHANGES = pl.Schema({"vehicle_id": pl.String(), "first": UTC_TIME, "last": UTC_TIME})
"""One row per vehicle: the times of its first and last changed sample."""

WINDOWS = pl.Schema({"vehicle_id": pl.String(), "start": UTC_TIME, "end": UTC_TIME})
"""One row per vehicle: null is from the first sample on, or up to the last."""

READ_WINDOWS = pl.Schema({**WINDOWS, "read_from": UTC_TIME})
"""`WINDOWS`, and from when on samples are read for them.

That is before the start where no sample parts: what begins in a window is told by what was before.
"""


def windows_between(samples: pl.DataFrame, changes: pl.DataFrame, parts: pl.Expr) -> pl.DataFrame:
    """The `WINDOWS` from the last parting sample before the changes to the first one after them.

    Derived from the samples from `start` to `end`, both included, what has its start in
    start <= time < end is what all samples give; what is outside has not changed.

    Args:
        samples: `vehicle_id`, `timestamp` and what `parts` takes, of a while around the changes.
        changes: `CHANGES`.
        parts: whether a sample parts.
    """
    time = pl.col("timestamp")
    parting = samples.filter(parts).select("vehicle_id", "timestamp")
    return (
        changes.join(parting, on="vehicle_id", how="left")
        .group_by("vehicle_id")
        .agg(
            start=time.filter(time < pl.col("first")).max(),
            end=time.filter(time > pl.col("last")).min(),
        )
        .sort("vehicle_id")
        .select(WINDOWS.names())
    )
