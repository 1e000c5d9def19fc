"""Where the energy of charges at home came from, five minutes at a time.

Charges are cut at the marks of five minutes, and what all cars took then is split by where the
home's energy came from, under each policy (`attribution_policies`). What the site did not measure,
or the cars drew beyond what the home took, stays unattributed. Not here: what it cost
(`cost_lines`).
"""

import polars as pl

from tessie_pipeline.domain.attribution_frames import (
    ATTRIBUTED_PARTS,
    CHARGING_ATTRIBUTION,
    NO_MIX,
    SPLIT_KWH,
)
from tessie_pipeline.domain.attribution_policies import (
    POLICIES,
    SHARES,
    SOURCES,
    shared_out,
)

INTERVAL = "5m"

KWH_DIGITS = 9
"""Digits after the point of sums: what is less depends on the order of rows."""

_ROUNDING = 1e-9
_SPLIT = [f"{share}_kwh" for share in SHARES]


def attributed_parts(
    pieces: pl.DataFrame, intervals: pl.DataFrame, mix: pl.DataFrame = NO_MIX
) -> pl.DataFrame:
    """The pieces under each of `POLICIES`, as `ATTRIBUTED_PARTS`.

    All cars that charge at a site in the same five minutes must be among the pieces: they share in
    proportion to what they draw. Without a mix, what came through the battery is of unknown origin.

    Args:
        pieces: `CHARGING_PIECES` with `site_id`, the energy site of the charge, or null.
        intervals: `ENERGY_INTERVALS` of those sites.
        mix: `BATTERY_MIX` of those sites.
    """
    parts = _cut(pieces)
    homes = homes_with_cars(intervals, mix, parts)
    part_of_cars = (pl.col("energy_kwh") / pl.col("drawn_wh")).fill_nan(0)
    split = [(part_of_cars * pl.col(f"car_{share}")).alias(f"{share}_kwh") for share in SHARES]
    by_policy = [
        parts.join(shared_out(homes, policy), on=["site_id", "interval"], how="left")
        .with_columns(split)
        .with_columns(policy=pl.lit(policy))
        for policy in POLICIES
    ]
    return (
        pl.concat(by_policy)
        .with_columns(rest_and_solar())
        .select(ATTRIBUTED_PARTS.names())
        .cast(ATTRIBUTED_PARTS)
        .sort("vehicle_id", "start", "policy")
    )


def charging_attribution(parts: pl.DataFrame) -> pl.DataFrame:
    """The sum of each session at a site under each policy, as `CHARGING_ATTRIBUTION`.

    Args:
        parts: `ATTRIBUTED_PARTS`.
    """
    key = ["vehicle_id", "session_started_at", "policy"]
    energy, known = pl.col("energy_kwh"), pl.sum_horizontal(_SPLIT)
    return (
        parts.drop_nulls("site_id")
        .group_by(key)
        .agg(sums())
        .with_columns(
            pl.col(SPLIT_KWH.keys()).round(KWH_DIGITS),
            solar_pct=pl.when(known > 0).then((100 * pl.col("solar_kwh") / known).clip(0, 100)),
            coverage_pct=pl.when(energy > 0).then((100 * known / energy).clip(0, 100)),
        )
        .select(CHARGING_ATTRIBUTION.names())
        .sort(key)
    )


def homes_with_cars(
    intervals: pl.DataFrame, mix: pl.DataFrame, parts: pl.DataFrame
) -> pl.DataFrame:
    """What `shared_out` takes of each `interval`, with `drawn_wh` of all cars, and `home_wh`.

    Of what they drew, `car_wh` is what they took in the time that was measured, and at most what
    the sources gave to the home.
    """
    given = {f"{source}_wh": f"{source}_to_home_wh" for source in SOURCES}
    is_known = pl.any_horizontal(pl.col(name).is_not_null() for name in given.values())
    drawn = parts.group_by("site_id", "interval").agg(drawn_wh=1000 * pl.col("energy_kwh").sum())
    total = pl.sum_horizontal(given.keys())
    return (
        intervals.filter(is_known)
        .select(
            "site_id",
            "coverage",
            pl.col("grid_to_battery_wh", "home_wh").fill_null(0),
            *(pl.col(flow).fill_null(0).alias(name) for name, flow in given.items()),
            interval="timestamp",
        )
        .join(mix.rename({"timestamp": "interval"}), on=["site_id", "interval"], how="left")
        .join(drawn, on=["site_id", "interval"], how="left")
        .with_columns(
            car_wh=pl.min_horizontal(pl.col("drawn_wh").fill_null(0) * pl.col("coverage"), total),
            home_wh=pl.max_horizontal("home_wh", total),
        )
    )


def rest_and_solar() -> list[pl.Expr]:
    """`unattributed_kwh` and `solar_kwh` of rows with an energy and its split."""
    energy = pl.col("energy_kwh")
    rest = energy - pl.sum_horizontal(_SPLIT)
    solar = pl.col("from_solar_kwh") + pl.col("from_battery_solar_kwh")
    return [
        # What rounding leaves of a part is nothing that nobody measured.
        pl.when(rest > _ROUNDING * energy).then(rest).otherwise(0 * rest).alias("unattributed_kwh"),
        solar.alias("solar_kwh"),
    ]


def sums() -> list[pl.Expr]:
    """The sum of each part of a split, null where nothing is known of it."""
    return [
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)
        for name in SPLIT_KWH
    ]


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
