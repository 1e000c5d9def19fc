"""The time between readings of a plug-in, told into charging and idling.

A span is the time between two neighbouring readings of which at least one lies in the plug-in, or
between two without a cable between which a charge must have been.
"""

import polars as pl

LONGEST_GAP_H = 0.25
"""Wall power is not known for longer than this between readings: polling is every 5 minutes, the
slowest pace by default, so three polls in a row have failed."""

COUNTER_FLAT_H = 5 / 60
COUNTER_FLAT_KWH = 0.3
"""A counter that stays for so long while so much flows counts nothing: the car is heated."""

LEVEL_FLAT_KWH = 1.5
"""Likewise where the counter is at zero and may be stuck: more than 1 % of any battery, which
would show in the state of charge."""


def without_preheating(readings: pl.DataFrame) -> pl.DataFrame:
    """The readings, with `is_charging` false where power flows and none of it is stored.

    A car may say Charging while it heats its cabin or battery from the wall: neither the counter
    nor the state of charge rises.

    Args:
        readings: with gains and wall power.
    """
    was_charging = pl.col("is_charging").shift().over("plug_in").fill_null(False)
    breaks = ~(pl.col("is_charging") & was_charging) | (pl.col("gain_kwh") > 0).fill_null(False)
    run = ["plug_in", "run"]
    time, level = pl.col("timestamp"), pl.col("battery_level")
    hours = (time.max() - time.min()).dt.total_seconds(fractional=True) / 3600
    is_flat = (
        (hours >= COUNTER_FLAT_H)
        & (level.last() <= level.first())
        & (
            hours * pl.col("wall_kw").mean()
            >= pl.when(pl.col("counter").max() > 0).then(COUNTER_FLAT_KWH).otherwise(LEVEL_FLAT_KWH)
        )
        & pl.col("has_counter").first()
    )
    return (
        readings.with_columns(run=breaks.cum_sum().over("plug_in"))
        .with_columns(is_flat=is_flat.over(run).fill_null(False))
        .with_columns(is_charging=pl.col("is_charging") & ~pl.col("is_flat"))
        .drop("run", "is_flat")
    )


def spans(readings: pl.DataFrame) -> pl.DataFrame:
    """The spans of all plug-ins in order, those that nobody saw with a negative `plug_in`.

    `kind` is through (charging at both ends), start or stop (at one), hidden (at none, and yet
    something was charged) or idle. `left` and `right` are the times, `left` null before a
    vehicle's first reading; `left_kw`, `right_kw` the wall power there; `added_kwh` the energy.
    `is_shared` with another plug-in: in it the car was driven from the one to the other.

    Args:
        readings: with gains and wall power.
    """
    before = {
        f"left{name}": pl.col(column).shift().over("vehicle_id")
        for name, column in {
            "": "timestamp",
            "_kw": "wall_kw",
            "_level": "battery_level",
            "_charging": "is_charging",
            "_plug_in": "plug_in",
            "_has_counter": "has_counter",
            "_is_dc": "is_dc",
        }.items()
    }
    pairs = readings.with_columns(**before)
    shared = ("vehicle_id", "row", "left", "right", "left_level", "right_level", "is_driven")
    pairs = pairs.rename({"timestamp": "right", "battery_level": "right_level"})
    inner = pairs.filter("is_plugged").select(
        *shared,
        plug_in="plug_in",
        is_left_in=~pl.col("opens"),
        is_right_in=True,
        is_left_charging=~pl.col("opens") & pl.col("left_charging"),
        is_right_charging="is_charging",
        left_kw=pl.when(~pl.col("opens")).then("left_kw"),
        right_kw="wall_kw",
        added_kwh="gain_kwh",
        is_charge="is_gain",
        is_dc="is_dc",
        has_counter="has_counter",
        is_estimated="is_estimated",
        is_shared=pl.col("opens") & pl.col("closes"),
    )
    tails = pairs.filter("closes").select(
        *shared,
        plug_in="left_plug_in",
        is_left_in=True,
        is_right_in=False,
        is_left_charging="left_charging",
        is_right_charging=False,
        left_kw="left_kw",
        right_kw=pl.lit(None, pl.Float64),
        added_kwh="tail_kwh",
        is_charge="is_tail",
        is_dc="left_is_dc",
        has_counter="left_has_counter",
        is_estimated=~pl.col("left_has_counter"),
        is_shared=pl.col("is_plugged") | pl.col("is_gain"),
    )
    unseen = pairs.filter(~pl.col("is_plugged") & pl.col("is_gain")).select(
        *shared,
        plug_in=-pl.col("row") - 1,
        is_left_in=False,
        is_right_in=False,
        is_left_charging=False,
        is_right_charging=False,
        left_kw=pl.lit(None, pl.Float64),
        right_kw=pl.lit(None, pl.Float64),
        added_kwh="gain_kwh",
        is_charge=True,
        is_dc=False,
        has_counter=pl.col("rise_pct") == 0,
        is_estimated=pl.col("rise_pct") > 0,
        is_shared="closes",
    )
    left, right = pl.col("is_left_charging"), pl.col("is_right_charging")
    kind = (
        pl.when(left & right)
        .then(pl.lit("through"))
        .when(right)
        .then(pl.lit("start"))
        .when(left)
        .then(pl.lit("stop"))
        .when("is_charge")
        .then(pl.lit("hidden"))
        .otherwise(pl.lit("idle"))
    )
    return pl.concat([inner, tails, unseen]).sort("plug_in", "row").with_columns(kind=kind)
