"""Drives of vehicles from their samples, and the distance that no sample saw.

A drive lasts from the first sample in gear, or moving, to the last; what the odometer moved before
and after, between samples, belongs to it too. Distances are in miles; power is positive when
driving. Not here: what belongs to which drive (`drives_steps`), places and drivers.
"""

from datetime import timedelta

import polars as pl

from tessie_pipeline.domain.drives_steps import hours, is_driving, steps
from tessie_pipeline.domain.samples import UTC_TIME

DRIVES = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "started_after": UTC_TIME,
        "started_by": UTC_TIME,
        "started_at": UTC_TIME,
        "ended_after": UTC_TIME,
        "ended_by": UTC_TIME,
        "ended_at": UTC_TIME,
        "duration_minutes": pl.Float64(),
        "start_odometer": pl.Float64(),
        "end_odometer": pl.Float64(),
        "distance_miles": pl.Float64(),
        "start_battery_level": pl.Int16(),
        "end_battery_level": pl.Int16(),
        "start_latitude": pl.Float64(),
        "start_longitude": pl.Float64(),
        "end_latitude": pl.Float64(),
        "end_longitude": pl.Float64(),
        "energy_used_kwh": pl.Float64(),
        "energy_source": pl.String(),
        "power_coverage_pct": pl.Float64(),
        "efficiency_wh_per_mile": pl.Float64(),
        "speed_avg_mph": pl.Float64(),
        "speed_max_mph": pl.Float64(),
        "outside_temp_avg": pl.Float64(),
        "is_inferred": pl.Boolean(),
        "samples": pl.Int64(),
    }
)
"""One row per drive; vehicle and `started_at` are its key.

It began after `started_after`, the last sample before it (null: there is none), and by
`started_by`; likewise its end. Null `ended_by` and `ended_at` mean that it is under way, and its
figures are those so far. An inferred drive lies between two samples of the parked car: when in
between is a guess, so it has no speed. `samples` counts those that show the car driving.
"""

UNSEEN_DISTANCE = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "after": UTC_TIME,
        "before": UTC_TIME,
        "from_odometer": pl.Float64(),
        "to_odometer": pl.Float64(),
        "distance_miles": pl.Float64(),
        "from_battery_level": pl.Int16(),
        "to_battery_level": pl.Int16(),
    }
)
"""One row per move of an odometer, between two samples, that belongs to no drive.

Negative where an odometer stepped back. Together with the drives of the same samples the distances
of a vehicle add up to its last odometer less its first.
"""

PARTING_COLUMNS = ("shift_state", "speed", "charging_state", "odometer")

DENSE = timedelta(seconds=90)
"""Power is integrated between samples of one minute, give or take the delay of an answer."""

LEAST_COVERAGE_PCT = 90.0
"""Share of a drive's time that measured power has to cover to give its energy."""

RESTED = timedelta(hours=12)
"""A state of charge older than this has sunk by more than the way to the next sample takes."""

_ENDS = ("odometer", "battery_level", "latitude", "longitude")
_SHORTEST_MILES = 1.0


def drives(samples: pl.DataFrame, capacities: pl.DataFrame) -> pl.DataFrame:
    """The drives in samples, as `DRIVES`, ordered by vehicle and time.

    `energy_used_kwh` is the integral of `power` where that covers `LEAST_COVERAGE_PCT` of the
    drive's time (`energy_source` power), else the fall of the state of charge times the usable
    capacity (soc), null where the level rose or one is unknown. Efficiency is null below a mile.
    Position and state of charge at both ends are those of the parked car, where the way from and
    to it belongs to the drive, the state of charge only if it is not older than `RESTED`.

    Args:
        samples: `SAMPLE_COLUMNS` of `drives_steps`, in any order, of any vehicles.
        capacities: `vehicle_id` and `usable_kwh`.
    """
    taken = steps(samples)
    distance, duration_h = pl.col("distance_miles"), pl.col("driven_h").fill_null(0.0)
    return (
        _seen(taken)
        .join(_ways(taken), on="drive", how="left")
        .join(capacities, on="vehicle_id", how="left", validate="m:1")
        .with_columns(
            pl.coalesce(f"{end}_{name}", f"seen_{end}_{name}").alias(f"{end}_{name}")
            for name in _ENDS
            for end in ("start", "end")
        )
        .with_columns(
            started_at=pl.coalesce("driven_from", "started_by"),
            ended_at=pl.when(pl.col("ended_by").is_not_null()).then(
                pl.coalesce("driven_until", "ended_after")
            ),
            distance_miles=pl.col("end_odometer") - pl.col("start_odometer"),
            duration_minutes=(60 * duration_h).round(9),
            power_coverage_pct=_quotient(100 * pl.col("covered_h"), duration_h),
            outside_temp_avg=pl.coalesce("outside_temp_avg", "seen_outside_temp"),
        )
        .with_columns(_energy())
        .with_columns(
            efficiency_wh_per_mile=pl.when(distance >= _SHORTEST_MILES).then(
                _quotient(1000 * pl.col("energy_used_kwh"), distance)
            ),
            speed_avg_mph=pl.when(~pl.col("is_inferred")).then(_quotient(distance, duration_h)),
        )
        .select(DRIVES.names())
        .cast(DRIVES)
        .sort("vehicle_id", "started_at")
    )


def unseen_distance(samples: pl.DataFrame) -> pl.DataFrame:
    """What odometers moved outside drives, as `UNSEEN_DISTANCE`, ordered by vehicle and time.

    Args:
        samples: `SAMPLE_COLUMNS` of `drives_steps`, in any order, of any vehicles.
    """
    return (
        steps(samples)
        .filter(pl.col("step_drive").is_null() & (pl.col("moved_miles") != 0))
        .select(
            "vehicle_id",
            after="timestamp_before",
            before="timestamp",
            from_odometer="odometer_before",
            to_odometer="odometer",
            distance_miles="moved_miles",
            from_battery_level="battery_level_before",
            to_battery_level="battery_level",
        )
        .cast(UNSEEN_DISTANCE)
    )


def parts_drives() -> pl.Expr:
    """Samples that no drive or unseen distance reaches across: of the parked car, with odometer.

    Takes `PARTING_COLUMNS`.
    """
    return ~is_driving() & pl.col("odometer").is_not_null()


def _seen(taken: pl.DataFrame) -> pl.DataFrame:
    """One row per drive, of its own samples: bounds, highest speed, and values at both ends."""
    same_vehicle = pl.col("vehicle_id") == pl.col("vehicle_id").shift(-1)
    before, first, last = (
        pl.col("timestamp_before").first(),
        pl.col("timestamp").first(),
        pl.col("timestamp").last(),
    )
    is_inferred = pl.col("is_inferred").first()
    return (
        taken.with_columns(next_at=pl.when(same_vehicle).then(pl.col("timestamp").shift(-1)))
        .filter(pl.col("drive").is_not_null())
        .group_by("drive")
        .agg(
            *(pl.col(name).first().alias(f"seen_start_{name}") for name in _ENDS),
            *(pl.col(name).last().alias(f"seen_end_{name}") for name in _ENDS),
            pl.col("vehicle_id").first(),
            is_inferred=is_inferred,
            started_after=before,
            started_by=first,
            ended_after=pl.when(is_inferred).then(before).otherwise(last),
            ended_by=pl.when(is_inferred).then(last).otherwise(pl.col("next_at").last()),
            speed_max_mph=pl.col("speed").filter("is_driving").max(),
            seen_outside_temp=pl.col("outside_temp").mean(),
            samples=pl.col("is_driving").sum(),
        )
    )


def _ways(taken: pl.DataFrame) -> pl.DataFrame:
    """One row per drive that has steps: when it was driven, and what they add up to."""
    level, before = pl.col("battery_level"), pl.col("battery_level_before")
    is_fresh = pl.col("gap") <= RESTED
    is_lead = pl.col("is_driving") & ~pl.col("was_driving")
    is_tail = pl.col("was_driving") & ~pl.col("is_driving")
    # Where it charged between parking and driving, the driving sample is nearer to the truth.
    start_level = (
        pl.when(is_lead)
        .then(pl.max_horizontal(level, pl.when(is_fresh).then(before)))
        .otherwise(before)
    )
    end_level = (
        pl.when(is_tail)
        .then(pl.min_horizontal(before, pl.when(is_fresh).then(level)))
        .otherwise(level)
    )
    driven_h = hours(pl.col("driven_until") - pl.col("driven_from"))
    is_dense = pl.col("gap") <= DENSE
    temp = pl.col("temp")
    temp_h = pl.col("driven_h").filter(temp.is_not_null())
    return (
        taken.filter(pl.col("step_drive").is_not_null())
        .with_columns(
            driven_h=driven_h,
            battery_level_before=start_level,
            battery_level=end_level,
            power_kw=pl.when(is_dense).then(_mean_of_driving("power")),
            temp=_mean_of_driving("outside_temp"),
        )
        .group_by(drive="step_drive")
        .agg(
            pl.col("driven_from").first(),
            pl.col("driven_until").last(),
            *(pl.coalesce(f"{name}_before", name).first().alias(f"start_{name}") for name in _ENDS),
            *(pl.coalesce(name, f"{name}_before").last().alias(f"end_{name}") for name in _ENDS),
            driven_h=pl.col("driven_h").sum(),
            covered_h=pl.col("driven_h").filter(pl.col("power_kw").is_not_null()).sum(),
            integrated_kwh=(pl.col("power_kw") * pl.col("driven_h")).sum().round(9),
            outside_temp_avg=_quotient((temp * pl.col("driven_h")).sum(), temp_h.sum()),
        )
    )


def _mean_of_driving(name: str) -> pl.Expr:
    """A value over a step: the mean of its ends, of which only those that drive count."""
    return pl.mean_horizontal(
        pl.when("was_driving").then(f"{name}_before"), pl.when("is_driving").then(name)
    )


def _energy() -> list[pl.Expr]:
    used_pct = pl.col("start_battery_level") - pl.col("end_battery_level")
    by_soc_kwh = (used_pct * pl.col("usable_kwh") / 100).round(9)
    by_soc_kwh = pl.when(used_pct >= 0).then(by_soc_kwh)
    is_measured = pl.col("power_coverage_pct") >= LEAST_COVERAGE_PCT
    source = (
        pl.when(is_measured)
        .then(pl.lit("power"))
        .when(by_soc_kwh.is_not_null())
        .then(pl.lit("soc"))
    )
    return [
        pl.when(is_measured).then("integrated_kwh").otherwise(by_soc_kwh).alias("energy_used_kwh"),
        source.alias("energy_source"),
    ]


def _quotient(dividend: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    """To nine digits after the point, so that the order of sums does not show; null for over 0."""
    return pl.when(divisor > 0).then((dividend / divisor).round(9))
