"""Where the energy of charges at home came from, five minutes at a time.

A charge takes what the whole home takes in the same proportions: so much of it is solar as of the
home's energy is solar as it is produced. Not here: what it is worth (`cost_lines`).
"""

import polars as pl

from tessie_pipeline.domain.samples import UTC_TIME

INTERVAL = "5m"

PARTS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "site_id": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,
        "energy_kwh": pl.Float64(),
        "solar_kwh": pl.Float64(),
    }
)
"""Pieces of charging cut at the marks of five minutes, with how much of each was solar [kWh].

Null where the site's energy is not known in these five minutes, or there is no site.
"""


def attributed(pieces: pl.DataFrame, intervals: pl.DataFrame) -> pl.DataFrame:
    """The pieces as `PARTS`; their energies add up to those of the pieces.

    Args:
        pieces: `CHARGING_PIECES` with `site_id`, the energy site of the charge, or null.
        intervals: `ENERGY_INTERVALS` of those sites.
    """
    share = (
        pl.when(pl.col("home_wh") > 0)
        .then(pl.col("solar_to_home_wh") / pl.col("home_wh"))
        .otherwise(0.0)
    )
    shares = intervals.select("site_id", interval="timestamp", share=share.clip(0, 1))
    return (
        _cut(pieces)
        .join(shares, on=["site_id", "interval"], how="left")
        .with_columns(solar_kwh=pl.col("energy_kwh") * pl.col("share"))
        .select(PARTS.names())
        .cast(PARTS)
        .sort("vehicle_id", "start")
    )


def _cut(pieces: pl.DataFrame) -> pl.DataFrame:
    """Pieces cut at each five minutes, their energy shared out by time; with `interval`."""
    first = pl.col("start").dt.truncate(INTERVAL)
    length = pl.col("end") - pl.col("start")
    marks = pl.datetime_ranges(first, "end", interval=INTERVAL, time_zone="UTC", closed="left")
    whole = pl.col("whole_start"), pl.col("whole_end")
    cut = (
        pieces.filter(length > pl.duration())
        .with_columns(interval=marks, whole_start="start", whole_end="end")
        .explode("interval")
        .with_columns(
            start=pl.max_horizontal("start", "interval"),
            end=pl.min_horizontal("end", pl.col("interval") + pl.duration(minutes=5)),
        )
        .with_columns(
            energy_kwh=pl.col("energy_kwh")
            * ((pl.col("end") - pl.col("start")) / (whole[1] - whole[0]))
        )
        .drop("whole_start", "whole_end")
    )
    at_once = pieces.filter(length <= pl.duration()).with_columns(interval=first)
    return pl.concat([cut, at_once.select(cut.columns)])
