"""Segments and plug-ins as the totals of their pieces and readings."""

import polars as pl

from tessie_pipeline.domain.charging_frames import CHARGING_SESSIONS
from tessie_pipeline.domain.charging_spans import LONGEST_GAP_H

LEAST_MEASURED_KWH = 0.5
"""Less energy from the wall tells nothing of efficiency: the counter has steps of 0.01 to 0.1."""

MOST_EFFICIENT_PCT = 105.0
"""More is no efficiency; up to this may be the rounding of power to a kW."""

_TOTALS = (
    "energy_added_kwh",
    "energy_used_kwh",
    "energy_used_coverage_pct",
    "charge_rate_kw_avg",
    "charge_rate_kw_max",
)


def segment_totals(pieces: pl.DataFrame) -> pl.DataFrame:
    """One row per segment: `plug_in` and the columns of `CHARGING_SEGMENTS` but for the key.

    Args:
        pieces: as `timed_pieces` gives them.
    """
    last_kind = pl.col("kind").last()
    is_over = last_kind.is_in(["stop", "hidden"])
    is_charged = (pl.col("added_kwh") > 0).fill_null(True)
    is_outside = pl.col("is_driven") | ~is_charged
    left_level = pl.when(~is_outside | pl.col("is_left_in")).then("left_level")
    right_level = pl.when(~is_outside | pl.col("is_right_in")).then("right_level")
    return (
        pieces.group_by("plug_in", "segment", maintain_order=True)
        .agg(
            pl.col("vehicle_id").first(),
            started_after=pl.col("left").first(),
            started_by=pl.col("right").first(),
            started_at=pl.col("start").first(),
            ended_after=pl.when(is_over)
            .then(pl.col("left").last())
            .otherwise(pl.col("right").last()),
            ended_by=pl.when(is_over).then(pl.col("right").last()),
            ended_at=pl.when(is_over).then(pl.col("end").last()),
            start_battery_level=pl.min_horizontal(left_level, "right_level").first(),
            end_battery_level=pl.max_horizontal("left_level", right_level).last(),
            is_inferred=(pl.col("kind") == "hidden").any(),
            samples=pl.col("is_right_charging").sum().cast(pl.Int64),
            **_totals(),
        )
        .sort("plug_in", "segment")
    )


def session_totals(
    readings: pl.DataFrame, spans: pl.DataFrame, pieces: pl.DataFrame, segments: pl.DataFrame
) -> pl.DataFrame:
    """One row per plug-in: `plug_in` and the columns of `CHARGING_SESSIONS`.

    A plug-in starts with the first reading that shows a cable, or with its first segment if that
    began before; it ends with the first reading that shows none, since nobody unplugs a sleeping
    car. Where a ride to another plug hides that, it ends with the last reading or segment.

    Status is in_progress as long as no reading shows the cable out, and interrupted if the power
    was lost: the car said NoPower after it last charged, and the state of charge stayed more than
    1 % below the limit. Whoever pulls the cable of a charging car, stops it or lets a schedule do
    so, chose to: Charging, Starting or Stopped before the end is completed, as is Complete.

    Args:
        readings: with gains and wall power.
        spans: their spans.
        pieces: as `timed_pieces` gives them.
        segments: their `segment_totals`.
    """
    idle = _idle_energy(spans)
    totals = pieces.group_by("plug_in").agg(
        efficiency_pct=_efficiency_pct(), is_estimated=pl.col("is_estimated").any(), **_totals()
    )
    of_segments = segments.group_by("plug_in", maintain_order=True).agg(
        segments=pl.len().cast(pl.Int64),
        first_after=pl.col("started_after").first(),
        first_at=pl.col("started_at").first(),
        first_level=pl.col("start_battery_level").first(),
        last_by=pl.col("ended_by").last(),
        last_at=pl.col("ended_at").last(),
        last_level=pl.col("end_battery_level").last(),
    )
    has_charged = pl.col("segments").is_not_null()
    starts_with = has_charged & pl.col("first_after").eq_missing(pl.col("started_after"))
    ends_with = pl.col("last_by") == pl.col("ended_by")
    is_below = pl.col("end_battery_level") < pl.col("charge_limit_soc") - 1
    return (
        pl.concat([_seen(readings), _unseen(readings)], how="diagonal")
        .join(totals, on="plug_in", how="left")
        .join(idle, on="plug_in", how="left")
        .join(of_segments, on="plug_in", how="left")
        .with_columns(
            started_at=pl.min_horizontal("started_by", "first_at"),
            ended_at=pl.when("is_end_seen")
            .then("ended_by")
            .when(pl.col("ended_by").is_not_null())
            .then(pl.max_horizontal("ended_after", "last_at")),
            start_battery_level=pl.when(starts_with)
            .then("first_level")
            .otherwise("start_battery_level"),
            end_battery_level=pl.when(ends_with).then("last_level").otherwise("end_battery_level"),
            energy_added_kwh=pl.when(has_charged).then("energy_added_kwh").otherwise(0.0),
            energy_used_kwh=pl.when(has_charged).then("energy_used_kwh").otherwise(0.0),
            segments=pl.col("segments").fill_null(0),
            is_estimated=pl.col("is_estimated").fill_null(False),
        )
        .with_columns(
            duration_minutes=(pl.col("ended_at") - pl.col("started_at")).dt.total_microseconds()
            / 60e6,
            status=pl.when(pl.col("ended_by").is_null())
            .then(pl.lit("in_progress"))
            .when(pl.col("is_power_lost") & is_below.fill_null(False))
            .then(pl.lit("interrupted"))
            .otherwise(pl.lit("completed")),
        )
        .sort("vehicle_id", "started_at")
        .select("plug_in", *CHARGING_SESSIONS.names())
        .cast({name: dtype for name, dtype in CHARGING_SESSIONS.items()})
    )


def _totals() -> dict[str, pl.Expr]:
    """Energies, coverage and powers of pieces in a group."""
    added, used, hours = pl.col("added_kwh"), pl.col("used_kwh"), pl.col("hours")
    covered = pl.when(used.is_not_null()).then(hours).sum()
    used_kwh = pl.when(used.is_not_null().any()).then(used.sum())
    added_kwh = pl.when(added.is_not_null().any()).then(added.sum())
    kws = pl.max_horizontal(
        pl.when("is_left_charging").then("left_kw"), pl.when("is_right_charging").then("right_kw")
    )
    return {
        "energy_added_kwh": added_kwh,
        "energy_used_kwh": used_kwh,
        "energy_used_coverage_pct": pl.when(hours.sum() > 0).then(100 * covered / hours.sum()),
        "charge_rate_kw_avg": pl.when(covered > 0)
        .then(used_kwh / covered)
        .when(hours.sum() > 0)
        .then(added_kwh / hours.sum()),
        "charge_rate_kw_max": kws.max(),
    }


def _efficiency_pct() -> pl.Expr:
    """Energy into the battery over energy from the wall where both were measured [%]."""
    is_measured = pl.col("used_kwh").is_not_null() & ~pl.col("is_estimated")
    added, used = (pl.when(is_measured).then(name).sum() for name in ("added_kwh", "used_kwh"))
    efficiency_pct = 100 * added / used
    is_plausible = (used >= LEAST_MEASURED_KWH) & efficiency_pct.is_between(
        0, MOST_EFFICIENT_PCT, closed="right"
    )
    return pl.when(is_plausible).then(efficiency_pct)


def _idle_energy(spans: pl.DataFrame) -> pl.DataFrame:
    """`plug_in` and `idle_energy_used_kwh`, as far as wall power was measured."""
    hours = (pl.col("right") - pl.col("left")).dt.total_microseconds() / 3.6e9
    idle_kwh = (pl.col("left_kw") + pl.col("right_kw")) / 2 * hours
    return (
        spans.filter((pl.col("kind") == "idle") & (hours <= LONGEST_GAP_H))
        .group_by("plug_in")
        .agg(idle_energy_used_kwh=pl.when(idle_kwh.is_not_null().any()).then(idle_kwh.sum()))
    )


def _seen(readings: pl.DataFrame) -> pl.DataFrame:
    """What the readings with a cable say of each plug-in."""
    after = {
        name: pl.col(name).shift(-1).over("vehicle_id")
        for name in ("timestamp", "is_plugged", "is_gain")
    }
    power_lost = pl.col("charging_state") == "NoPower"
    last_charging = pl.when(pl.col("charging_state") == "Charging").then("row").max()
    is_lost_for_good = power_lost & (pl.col("row") > last_charging.fill_null(-1))
    return (
        readings.with_columns(
            started_after=pl.col("timestamp").shift().over("vehicle_id"),
            next_at=after["timestamp"],
            is_end_seen=~after["is_plugged"] & ~after["is_gain"],
        )
        .filter("is_plugged")
        .group_by("plug_in", maintain_order=True)
        .agg(
            pl.col("vehicle_id").first(),
            pl.col("started_after").first(),
            started_by=pl.col("timestamp").first(),
            ended_after=pl.col("timestamp").last(),
            ended_by=pl.col("next_at").last(),
            start_battery_level=pl.col("battery_level").drop_nulls().first(),
            end_battery_level=pl.col("battery_level").drop_nulls().last(),
            phases=pl.col("phases").max(),
            is_dc=pl.col("is_dc").any(),
            is_inferred=pl.lit(False),
            charge_limit_soc=pl.col("charge_limit_soc").drop_nulls().last(),
            odometer=pl.col("odometer").first(),
            latitude=pl.col("latitude").drop_nulls().first(),
            longitude=pl.col("longitude").drop_nulls().first(),
            outside_temp=pl.col("outside_temp").mean(),
            fast_charger_type=pl.col("fast_charger_type").drop_nulls().last(),
            fast_charger_brand=pl.col("fast_charger_brand").drop_nulls().last(),
            conn_charge_cable=pl.col("conn_charge_cable").drop_nulls().last(),
            samples=pl.len().cast(pl.Int64),
            is_end_seen=pl.col("is_end_seen").last(),
            is_power_lost=is_lost_for_good.any(),
        )
    )


def _unseen(readings: pl.DataFrame) -> pl.DataFrame:
    """The same of the plug-ins between two readings without a cable, in the same columns."""
    is_here = ~pl.col("is_driven")
    elsewhere = ("odometer", "latitude", "longitude", "outside_temp")
    before = {
        "before_at": pl.col("timestamp").shift().over("vehicle_id"),
        "before_level": pl.col("battery_level").shift().over("vehicle_id"),
    }
    return (
        readings.with_columns(**before)
        .filter(~pl.col("is_plugged") & pl.col("is_gain"))
        .select(
            plug_in=-pl.col("row") - 1,
            vehicle_id="vehicle_id",
            started_after="before_at",
            started_by="timestamp",
            ended_after="before_at",
            ended_by="timestamp",
            start_battery_level=pl.when(is_here).then("before_level"),
            end_battery_level=pl.when(is_here).then("battery_level"),
            is_inferred=pl.lit(True),
            **{name: pl.when(is_here).then(name) for name in elsewhere},
            samples=pl.lit(0, pl.Int64),
            is_end_seen=pl.lit(True),
            is_power_lost=pl.lit(False),
        )
    )
