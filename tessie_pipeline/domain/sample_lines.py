"""Samples on lines: their order, the hours they lie in, and areas under the lines between them.

From a sample to its subject's next one values change in a straight line, unless they are too far
apart. Such a stretch counts if a sample at either end does, and is cut where the hour ends.
Not here: figures of hours and days (`downsample`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import get_args

import polars as pl

from tessie_pipeline.domain.rollups import ADDITIVE, Series, Statistic
from tessie_pipeline.domain.samples import UTC_TIME

US = timedelta(microseconds=1)
_HOUR_US = timedelta(hours=1) // US
_QUARTER_US = _HOUR_US // 4
"""Clocks are whole quarters of an hour from UTC, and change on them."""
_LEAST = 1e-300
LINES: tuple[Statistic, ...] = ("mean", "above", "below")
"""The statistics of a line."""


@dataclass(frozen=True)
class Line:
    """All subjects' times as one integer [us]: each subject's behind those of the one before it.

    Attributes:
        subjects: in order.
        origin_us: the time at which each begins, a whole hour of UTC before its samples.
        apart_us: between their beginnings; the hours around the samples have room in it.
    """

    subjects: pl.Series
    origin_us: int
    apart_us: int

    def subject(self, point: pl.Expr) -> pl.Expr:
        """Whose point it is."""
        return pl.lit(self.subjects).gather(point // self.apart_us)

    def time(self, point: pl.Expr) -> pl.Expr:
        """The time of a point."""
        return (point % self.apart_us + self.origin_us).cast(UTC_TIME)


def line_of(samples: pl.DataFrame, series: Series) -> Line:
    """The line on which samples lie."""
    time = pl.col("timestamp").to_physical()
    first, last = samples.select(first=time.min(), last=time.max()).row(0)
    origin = (first // _HOUR_US - 2) * _HOUR_US
    return Line(samples[series.subject].unique().sort(), origin, last - origin + 3 * _HOUR_US)


def in_line(
    samples: pl.DataFrame,
    beside: pl.DataFrame,
    series: Series,
    line: Line,
    zones: pl.Series,
) -> pl.DataFrame:
    """The rows of both in the order of the line.

    `at` is the point of a row's time and `hour` that of the start of its hour; `is_own` tells the
    samples. Measured columns are floats, flags, and texts as an `Enum` of those of the samples.

    Args:
        samples: subject, `timestamp` and the measured columns, in any order.
        beside: the same of other samples, of which those near the samples are taken.
        series: what they are samples of.
        line: that of the samples.
        zones: the time zones of its subjects.
    """
    clocks = zones.unique().sort()
    clock = pl.lit(zones.cast(pl.Enum(clocks)).to_physical().cast(pl.Int64))
    quarters = line.apart_us // _QUARTER_US + 1
    starts = pl.lit(_hour_starts(clocks, line.origin_us, quarters))

    number, time = pl.col("number"), pl.col("time")
    subject = pl.col(series.subject).cast(pl.Enum(line.subjects), strict=False)
    columns = _narrow(samples, series)
    times = samples["timestamp"]
    first, last = pl.lit(times.min()) - series.longest_gap, pl.lit(times.max()) + series.longest_gap
    near = pl.col("timestamp").is_between(first, last)
    parts = [
        samples.lazy().with_columns(is_own=True),
        beside.lazy().filter(near).with_columns(is_own=False),
    ]
    return (
        pl.concat(
            part.select(
                "is_own",
                *columns,
                number=subject.to_physical().cast(pl.Int64),
                time=pl.col("timestamp").to_physical() - line.origin_us,
            )
            for part in parts
        )
        .filter(number.is_not_null())
        .with_columns(
            at=number * line.apart_us + time,
            hour=number * line.apart_us
            + starts.gather(clock.gather(number) * quarters + time // _QUARTER_US),
        )
        .drop("number", "time")
        .sort("at")
        .with_columns(pl.col("hour").set_sorted())
        .collect()
    )


def _hour_starts(clocks: pl.Series, origin_us: int, quarters: int) -> pl.Series:
    """When the hour began in which each quarter of an hour lies [us from `origin_us`].

    The quarters from `origin_us` on by the first clock, then by the second, and so on.
    """
    times = (pl.int_range(quarters, eager=True) * _QUARTER_US + origin_us).cast(UTC_TIME)
    return pl.concat(
        times.dt.convert_time_zone(clock).dt.truncate("1h").to_physical() - origin_us
        for clock in clocks
    )


def _narrow(samples: pl.DataFrame, series: Series) -> list[pl.Expr]:
    """The measured columns as `in_line` has them."""
    found = []
    for name in series.columns_of(*get_args(Statistic)):
        kind, column = samples.schema[name], pl.col(name)
        if kind == pl.String():
            texts = samples[name].drop_nulls().unique().sort()
            column = column.cast(pl.Enum(texts), strict=False)
        elif kind != pl.Boolean():
            column = column.cast(pl.Float64).fill_nan(None)
        found.append(column)
    return found


def sums_by_hour(rows: pl.DataFrame, series: Series) -> pl.DataFrame:
    """What the lines between rows come to in each `hour`, in the unit of their column x us.

    `covered_us`, for each column how long it is known (`_known`) and what is under its line
    (`_area`), and the measures that add up.

    Args:
        rows: what `in_line` gave.
        series: what they are samples of.
    """
    names, at, to, to_hour = series.columns_of(*LINES), *map(pl.col, ("at", "to", "to_hour"))
    stretches = (
        rows.lazy()
        .with_columns(
            pl.col(names).shift(-1).name.suffix("_to"),
            to=at.shift(-1),
            to_hour=pl.col("hour").shift(-1),
            counts=pl.col("is_own") | pl.col("is_own").shift(-1),
        )
        .filter("counts", (to - at).is_between(1, series.longest_gap // US))
        .collect()
    )
    # No stretch is as long as an hour, so that none is cut twice.
    is_cut, part = pl.col("hour") != to_hour, (to_hour - at) / (to - at)
    cut = {name: pl.col(name) + (pl.col(f"{name}_to") - pl.col(name)) * part for name in names}
    heads = stretches.with_columns(
        *(
            pl.when(is_cut).then(level).otherwise(f"{name}_to").alias(f"{name}_to")
            for name, level in cut.items()
        ),
        to=pl.when(is_cut).then(to_hour).otherwise(to),
    )
    tails = stretches.filter(is_cut, to > to_hour).with_columns(**cut, at=to_hour, hour=to_hour)
    # An hour has one tail at most. Groups of rows in order give the same sum each time.
    sums = _areas(heads, series).group_by("hour").agg(pl.all().sum())
    both = sums.join(_areas(tails, series), on="hour", how="full", coalesce=True, suffix="_tail")
    return both.select(
        "hour",
        *(pl.sum_horizontal(name, f"{name}_tail") for name in sums.columns if name != "hour"),
    )


def _areas(pieces: pl.DataFrame, series: Series) -> pl.DataFrame:
    """The columns of `sums_by_hour` of each piece of a line."""
    length = pl.col("to") - pl.col("at")
    found = [length.alias("covered_us")]
    for name in series.columns_of(*LINES):
        both = pl.col(name) + pl.col(f"{name}_to")
        found.append((length * both.is_not_null()).alias(f"{name}_known"))
        found.append((both * length / 2).alias(f"{name}_area"))
    for name in series.columns_of("while_true"):
        found.append((length * pl.col(name).is_not_null()).alias(f"{name}_known"))
    for measure in series.measures_of(*ADDITIVE):
        first, last = pl.col(measure.column), pl.col(f"{measure.column}_to")
        held = {
            "above": twice_above_zero(first, last) / 2,
            "below": twice_above_zero(-first, -last) / 2,
            "while_true": first,
        }
        found.append((held[measure.statistic] * length).alias(measure.name))
    return pieces.select("hour", *found)


def twice_above_zero(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """Twice the area of a line's part above zero over a width of 1; null if an end is.

    From a to -b, that is a triangle a high and a / (a + b) wide.
    """
    # `max_horizontal` costs a third of `clip`.
    height = pl.max_horizontal(first, 0.0) + pl.max_horizontal(last, 0.0)
    return height * height / (first.abs() + last.abs() + _LEAST)
