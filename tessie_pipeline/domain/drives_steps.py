"""From sample to sample: whether a car was driven between two samples, and on which drive.

A step is the way from a vehicle's sample before to this one. Steps decide everything about drives:
where they begin and end, and to whom the odometer's moves belong. Not here: the drives' figures.
"""

from datetime import timedelta

import polars as pl

UNAVAILABLE = timedelta(minutes=15)
"""TeslaMate's limit: a drive ends when the car is not seen for longer (`anchors.md` 2.1)."""

SLOWEST_MPH = 5.0
"""A car that made at least this between two samples was driven throughout, however far apart."""

TOWN_MPH = 25.0
"""How fast a car is taken to have gone where no sample says it."""

_HOUR_US = 3.6e9
_UNAVAILABLE_H = UNAVAILABLE / timedelta(hours=1)
_FASTEST_MPH = 165.0
_JITTER_MILES = 0.1
"""Moves up to this are manoeuvres; an odometer may be this much ahead of the answer's time."""

SAMPLE_COLUMNS = (
    "vehicle_id",
    "timestamp",
    "shift_state",
    "speed",
    "power",
    "odometer",
    "battery_level",
    "charging_state",
    "latitude",
    "longitude",
    "outside_temp",
)
"""The columns of `VEHICLE_STATES` that drives are made of."""

_KEPT_OF_BEFORE = (
    "timestamp",
    "power",
    "odometer",
    "battery_level",
    "latitude",
    "longitude",
    "outside_temp",
)


def is_driving() -> pl.Expr:
    """Whether a sample shows a drive: in D, N or R, or moving in a gear that is not known.

    A car that is plugged in is not driven, whatever the older drive state beside it says.
    """
    gear = pl.col("shift_state").fill_null("")
    is_moving = (pl.col("speed").fill_null(0) > 0) & (gear != "P")
    is_unplugged = pl.col("charging_state").fill_null("Disconnected") == "Disconnected"
    return (gear.is_in(["D", "N", "R"]) | is_moving) & is_unplugged


def in_order(samples: pl.DataFrame) -> pl.DataFrame:
    """The samples by vehicle and time, each instant once."""
    keys = ["vehicle_id", "timestamp"]
    return samples.sort(keys).unique(keys, keep="first", maintain_order=True)


def hours(duration: pl.Expr) -> pl.Expr:
    """A duration in hours, to the last digit the same in frames of any length."""
    # Polars divides a single row exactly but many by the reciprocal, which may be an ulp off.
    return duration.dt.total_microseconds() * (1 / _HOUR_US)


def steps(samples: pl.DataFrame) -> pl.DataFrame:
    """The samples in order, each with the step that led to it.

    Two samples are close if they are at most `UNAVAILABLE` apart, or the car made `SLOWEST_MPH`
    between them. Driving samples that follow each other closely are of one drive. A move between
    two samples of the parked car is a drive of its own if they are close. A move before a drive's
    first driving sample, or after its last, belongs to it if the samples are close, or if the
    drive's pace covers it within `UNAVAILABLE`. All other moves are unseen: between two drives,
    over a long time, backwards, or faster than cars go. Unknown odometers are interpolated.

    Args:
        samples: `SAMPLE_COLUMNS`, in any order, of any vehicles.

    Returns:
        `SAMPLE_COLUMNS` and, for each sample: `is_driving`; `drive`, a number that the samples of
        a drive share, null if parked; `is_inferred`, whether it ends a drive between samples of
        the parked car, and bears that drive's number. For the step to it: values of the sample
        before as `…_before`, null for a vehicle's first; `was_driving`; `gap`, its length, and
        `moved_miles`; `step_drive`, the drive that it belongs to, if any; `driven_from` and
        `driven_until` (UTC), when in it the car was driven.
    """
    is_followed = pl.col("vehicle_id") == pl.col("vehicle_id").shift()
    is_inner = pl.col("is_driving") & pl.col("was_driving") & pl.col("is_close")
    is_inferred = (
        ~(pl.col("is_driving") | pl.col("was_driving"))
        & (pl.col("is_close") & pl.col("is_drivable"))
        & (pl.col("moved_miles") > _JITTER_MILES)
    )
    is_start = pl.col("is_inferred") | (pl.col("is_driving") & ~pl.col("is_inner"))
    return (
        in_order(samples.select(SAMPLE_COLUMNS))
        .with_columns(odometer=_known_odometer(), is_driving=is_driving())
        .with_columns(
            *(
                pl.when(is_followed).then(pl.col(name).shift()).alias(f"{name}_before")
                for name in _KEPT_OF_BEFORE
            ),
            was_driving=(is_followed & pl.col("is_driving").shift()).fill_null(False),
        )
        .with_columns(
            gap=pl.col("timestamp") - pl.col("timestamp_before"),
            moved_miles=(pl.col("odometer") - pl.col("odometer_before")).fill_null(0.0),
        )
        .with_columns(is_close=_is_close(), is_drivable=_is_drivable())
        .with_columns(is_inner=is_inner, is_inferred=is_inferred)
        .with_columns(
            drive=pl.when(pl.col("is_driving") | pl.col("is_inferred")).then(is_start.cum_sum())
        )
        .with_columns(pace_mph=_pace_mph())
        .with_columns(
            pace_mph=pl.when("was_driving").then(pl.col("pace_mph").shift()).otherwise("pace_mph")
        )
        .with_columns(step_drive=_step_drive())
        .with_columns(_driven())
    )


def _known_odometer() -> pl.Expr:
    known = pl.col("odometer").interpolate_by("timestamp").forward_fill().backward_fill()
    return known.over("vehicle_id")


def _is_close() -> pl.Expr:
    is_soon = pl.col("gap") <= UNAVAILABLE
    is_driven_throughout = pl.col("moved_miles") >= SLOWEST_MPH * hours(pl.col("gap"))
    return (is_soon | is_driven_throughout).fill_null(False)


def _is_drivable() -> pl.Expr:
    farthest = _JITTER_MILES + _FASTEST_MPH * hours(pl.col("gap"))
    return pl.col("moved_miles").is_between(0, farthest).fill_null(False)


def _pace_mph() -> pl.Expr:
    """Mean speed of a drive from its first to its last driving sample, of one sample its speed."""
    time, odometer = pl.col("timestamp"), pl.col("odometer")
    seen_h = hours(time.last() - time.first())
    mean_mph = pl.when(seen_h > 0).then((odometer.last() - odometer.first()) / seen_h)
    pace_mph = pl.coalesce(mean_mph, pl.col("speed").first()).over("drive")
    is_known = pl.col("is_driving") & (pace_mph >= SLOWEST_MPH)
    return pl.when(is_known).then(pace_mph).otherwise(TOWN_MPH)


def _step_drive() -> pl.Expr:
    is_short = pl.col("moved_miles") <= pl.col("pace_mph") * _UNAVAILABLE_H
    is_edge = pl.col("is_driving") != pl.col("was_driving")
    belongs = is_edge & pl.col("is_drivable") & (pl.col("is_close") | is_short)
    return (
        pl.when(pl.col("is_inner") | pl.col("is_inferred") | (belongs & pl.col("is_driving")))
        .then("drive")
        .when(belongs)
        .then(pl.col("drive").shift())
    )


def _driven() -> list[pl.Expr]:
    """When in a step the car was driven: next to the driving sample, or else in the middle."""
    start, end = pl.col("timestamp_before"), pl.col("timestamp")
    driven_us = (pl.col("moved_miles") / pl.col("pace_mph") * _HOUR_US).round().cast(pl.Int64)
    idle = pl.max_horizontal(end - start - pl.duration(microseconds=driven_us), pl.duration())
    driven_from = (
        pl.when("was_driving")
        .then(start)
        .when("is_driving")
        .then(start + idle)
        .otherwise(start + idle / 2)
    )
    driven_until = (
        pl.when("is_driving")
        .then(end)
        .when("was_driving")
        .then(end - idle)
        .otherwise(end - idle / 2)
    )
    belongs = pl.col("step_drive").is_not_null()
    return [
        pl.when(belongs).then(driven_from).alias("driven_from"),
        pl.when(belongs).then(driven_until).alias("driven_until"),
    ]
