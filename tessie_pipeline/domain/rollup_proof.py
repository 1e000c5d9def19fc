"""Whether hours and days say what their samples said: totals of either, and where these differ.

The samples' are made another way than `downsample` makes hours: nothing is cut, and areas have
another formula. Not here: what a difference means for the samples.
"""

from collections.abc import Callable

import polars as pl

from tessie_pipeline.domain.rollups import ADDITIVE, Series, Statistic

TOLERANCE = 1e-9
"""Sums may differ by this part of them, or of 1 unit where they are smaller, for rounding."""

_EXTREMES: tuple[Statistic, ...] = ("min", "max")
_HOURS = pl.col("seconds") / 3600


def sample_totals(samples: pl.DataFrame, beside: pl.DataFrame, series: Series) -> pl.DataFrame:
    """What samples come to, one row per subject.

    `sample_count`, `covered_s` [s], `first_at` and `last_at` (UTC), and of the series' measures
    the extremes, energies [unit of the column x h] and times [s]; null where nothing is known.

    Args:
        samples: subject, `timestamp` and the measured columns, in any order.
        beside: the same of other samples, which only begin or end stretches.
        series: what they are samples of.
    """
    subject, time = pl.col(series.subject), pl.col("timestamp")
    flags = series.columns_of("while_true")
    lines = series.columns_of("above", "below")
    numbers = list(dict.fromkeys([*series.columns_of(*_EXTREMES), *lines]))
    step = pl.when(subject.shift(-1) == subject).then(time.shift(-1) - time)
    is_covered = step.is_between(pl.duration(microseconds=1), pl.lit(series.longest_gap))
    of_statistic: dict[Statistic, Callable[[str], pl.Expr]] = {
        "min": lambda name: pl.col(name).filter("is_own").min(),
        "max": lambda name: pl.col(name).filter("is_own").max(),
        "above": lambda name: _total(_above(pl.col(name), pl.col(f"{name}_next")) * _HOURS),
        "below": lambda name: _total(_above(-pl.col(name), -pl.col(f"{name}_next")) * _HOURS),
        "while_true": lambda name: _total(pl.col(name) * pl.col("seconds")),
    }
    return (
        pl.concat(
            part.lazy().select(
                subject,
                time,
                pl.col(numbers).cast(pl.Float64).fill_nan(None),
                *flags,
                is_own=pl.lit(is_own),
            )
            for part, is_own in ((samples, True), (beside, False))
        )
        .sort(series.subject, "timestamp")
        .with_columns(
            pl.col(lines).shift(-1).name.suffix("_next"),
            seconds=pl.when(is_covered).then(step.dt.total_microseconds() / 1e6),
            leads_to_own=is_covered & pl.col("is_own").shift(-1),
        )
        .filter(pl.col("is_own") | pl.col("leads_to_own"))
        .group_by(series.subject)
        .agg(
            pl.col("is_own").sum().cast(pl.Int64).alias("sample_count"),
            pl.col("seconds").sum().alias("covered_s"),
            time.filter("is_own").min().alias("first_at"),
            time.filter("is_own").max().alias("last_at"),
            *(
                of_statistic[measure.statistic](measure.column).alias(measure.name)
                for measure in series.measures_of(*of_statistic)
            ),
        )
        .sort(series.subject)
        .collect()
    )


def rollup_totals(rows: pl.DataFrame, series: Series) -> pl.DataFrame:
    """What hours or days come to, one row per subject with the columns of `sample_totals`.

    Args:
        rows: the series' schema.
        series: what they are hours or days of.
    """
    of_statistic: dict[Statistic, Callable[[pl.Expr], pl.Expr]] = {
        "min": pl.Expr.min,
        "max": pl.Expr.max,
        **dict.fromkeys(ADDITIVE, _total),
    }
    return (
        rows.group_by(series.subject)
        .agg(
            pl.col("sample_count").cast(pl.Int64).sum(),
            pl.col("covered_s").sum(),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            *(
                of_statistic[measure.statistic](pl.col(measure.name))
                for measure in series.measures_of(*of_statistic)
            ),
        )
        .sort(series.subject)
    )


def differences(expected: pl.DataFrame, found: pl.DataFrame, series: Series) -> list[str]:
    """A sentence for each figure of a subject that is not as expected; none where all agree.

    Counts, times and extremes have to be the same, sums up to `TOLERANCE`.

    Args:
        expected: totals of subjects.
        found: the same.
        series: what they are totals of.
    """
    subject = series.subject
    sentences = [
        f"{subject} {one} {is_so}"
        for these, those, is_so in (
            (expected, found, "is missing"),
            (found, expected, "should not be there"),
        )
        for one in these.join(those, on=subject, how="anti")[subject].sort()
    ]
    both = expected.join(found, on=subject, suffix="_found").sort(subject)
    sums = {"covered_s", *(measure.name for measure in series.measures_of(*ADDITIVE))}
    for figure in expected.columns:
        if figure != subject:
            off = both.filter(_is_off(figure, is_sum=figure in sums))
            sentences += (
                f"{figure} of {subject} {one} should be {wanted} and is {given}"
                for one, wanted, given in off.select(subject, figure, f"{figure}_found").iter_rows()
            )
    return sentences


def _above(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The area above zero of a line over a width of 1: a trapezoid, nothing or a triangle."""
    top = pl.when(first > 0).then(first).otherwise(last)
    return (
        pl.when((first >= 0) & (last >= 0))
        .then((first + last) / 2)
        .when((first <= 0) & (last <= 0))
        .then(0.0)
        .otherwise(top * top / (first - last).abs() / 2)
    )


def _total(column: pl.Expr) -> pl.Expr:
    """The sum of what is known, null where nothing is."""
    return pl.when(column.count() > 0).then(column.sum())


def _is_off(figure: str, *, is_sum: bool) -> pl.Expr:
    """Whether a figure is not as expected."""
    wanted, given = pl.col(figure), pl.col(f"{figure}_found")
    if not is_sum:
        return wanted.ne_missing(given)
    scale = pl.max_horizontal(wanted.abs(), given.abs(), 1.0)
    is_close = (wanted - given).abs() <= scale * TOLERANCE
    # One of them unknown is no small difference.
    return is_close.fill_null(wanted.is_null() & given.is_null()).not_()
