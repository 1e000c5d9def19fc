"""Samples as hours of a clock, hours as local days, and rows of either merged with later ones.

What is kept says `rollups`. Not here: lines between samples (`sample_lines`), the proof
(`rollup_proof`), reading and writing.
"""

from collections.abc import Callable, Sequence

import polars as pl

from tessie_pipeline.domain.days import days_of, in_their_days
from tessie_pipeline.domain.rollups import ADDITIVE, Measure, Series, Statistic
from tessie_pipeline.domain.sample_lines import in_line, line_of, sums_by_hour

_SECOND_US = 1_000_000
_HOUR_US = 3600 * _SECOND_US
_SAMPLE_S = 1e-12
"""What a sample weighs in a mean: nothing beside a time, but all where no time is covered."""


def hours_of(
    samples: pl.DataFrame, beside: pl.DataFrame, series: Series, zones: pl.DataFrame
) -> pl.DataFrame:
    """The hours of samples as the series' schema, in the order of subject and time.

    A stretch from one of the samples or to one is covered if it is no longer than the series'
    `longest_gap`. Energies are the exact areas of the lines [unit of the column x h], null where no
    stretch in the hour is known at both ends. A mean is over the stretches that are, weighted with
    time; if there are none it is that of the values, so that no reading is lost. A flag holds from
    its sample to the next. What is null or NaN is not known. An hour that the clock repeats is two.

    Args:
        samples: subject, `timestamp` and the measured columns, in any order.
        beside: the same of other samples, which only begin or end stretches.
        series: what they are samples of.
        zones: subject and `time_zone` (an IANA name).

    Raises:
        ValueError: a subject has no time zone.
    """
    if samples.is_empty():
        return series.schema.to_frame()
    line = line_of(samples, series)
    subjects = _with_zones(line.subjects.to_frame(series.subject), series, zones)
    rows = in_line(samples, beside, series, line, subjects["time_zone"])
    own = rows.filter("is_own")
    hours = (
        _values(own, series)
        .join(sums_by_hour(rows, series), on="hour", how="full", coalesce=True)
        .sort("hour")
    )
    for measure in series.measures_of("seen"):
        texts = own.select("hour", pl.col(measure.column).alias(measure.name)).unique()
        hours = hours.join(_seen(texts, ["hour"], measure.name), on="hour", how="left")
    return hours.select(
        line.subject(pl.col("hour")).alias(series.subject),
        line.time(pl.col("hour")).alias("timestamp"),
        pl.col("sample_count").fill_null(0),
        (pl.col("covered_us").fill_null(0) / _SECOND_US).round(6).alias("covered_s"),
        line.time(pl.col("first_at", "last_at")),
        *(_figure(measure) for measure in series.measures),
    ).cast(series.schema)


def days_of_hours(hours: pl.DataFrame, series: Series, zones: pl.DataFrame) -> pl.DataFrame:
    """The local days of hours as the series' schema, stamped with their first instant (UTC).

    Means are joined as in `merged`.

    Args:
        hours: the series' schema.
        series: what they are hours of.
        zones: subject and `time_zone` (an IANA name).

    Raises:
        ValueError: a subject has no time zone.
    """
    # In the order of time they add up to the same each time.
    days = _in_local_days(hours.sort("timestamp"), series, zones)
    return _as_one(days.with_columns(timestamp="start"), series)


def with_length(days: pl.DataFrame, series: Series, zones: pl.DataFrame) -> pl.DataFrame:
    """The days with `length_s`, how long they last on their clock [s].

    Args:
        days: the series' schema, stamped with the first instant of local days (UTC).
        series: what they are days of.
        zones: subject and `time_zone` (an IANA name).

    Raises:
        ValueError: a subject has no time zone.
    """
    length = (pl.col("end") - pl.col("start")).dt.total_seconds().cast(pl.Float64)
    return _in_local_days(days, series, zones).select(*days.columns, length_s=length)


def merged(
    known: pl.DataFrame, more: pl.DataFrame, series: Series, length_s: pl.Expr | float
) -> pl.DataFrame:
    """The rows of both as the series' schema, those of one subject and time as one.

    Counts, covered times and energies add up, but no more is covered than the length: of the time
    and energies of `more` only the part counts that there is room for. A mean weighs as much as
    its row covers; where no row covers anything, as many samples as it has. That is exact as long
    as a value is known whenever its row is covered.

    Args:
        known: the series' schema, one row per subject and time.
        more: the same, with the columns that `length_s` takes.
        series: what they are hours or days of.
        length_s: how long the hour or day lasts [s].
    """
    key, names = [series.subject, "timestamp"], series.schema.names()
    covered, room = pl.col("covered_s"), pl.col("room_s")
    additive = [measure.name for measure in series.measures_of(*ADDITIVE)]
    fitting = (
        more.with_columns(length_s=length_s)
        .join(known.select(*key, known_s="covered_s"), on=key)
        .with_columns(room_s=(pl.col("length_s") - pl.col("known_s")).clip(0))
        # Added up, times may be off by a rounding, for which no energy is to be scaled.
        .with_columns(part=pl.when(covered > room + 1e-6).then(room / covered).otherwise(1.0))
        .with_columns(pl.col("covered_s", *additive) * pl.col("part"))
    )
    both = pl.concat([known.join(more, on=key, how="semi"), fitting], how="diagonal")
    alone = [known.join(more, on=key, how="anti"), more.join(known, on=key, how="anti")]
    return pl.concat(rows.select(names) for rows in (*alone, _as_one(both, series))).sort(key)


def _values(own: pl.DataFrame, series: Series) -> pl.DataFrame:
    """What hours have of their samples one by one: `first_at` and `last_at` are points."""
    made: dict[Statistic, Callable[[pl.Expr], pl.Expr]] = {
        "min": pl.Expr.min,
        "max": pl.Expr.max,
        "first": lambda column: column.first(ignore_nulls=True),
        "last": lambda column: column.last(ignore_nulls=True),
        "mean": pl.Expr.mean,
    }
    return own.group_by("hour").agg(
        pl.len().alias("sample_count"),
        pl.col("at").first().alias("first_at"),
        pl.col("at").last().alias("last_at"),
        *(
            made[measure.statistic](pl.col(measure.column)).alias(measure.name)
            for measure in series.measures_of(*made)
        ),
    )


def _figure(measure: Measure) -> pl.Expr:
    """A figure of an hour, of its values and sums."""
    found = pl.col(measure.name)
    known, area = pl.col(f"{measure.column}_known"), pl.col(f"{measure.column}_area")
    if measure.statistic == "mean":
        found = pl.when(known > 0).then(area / known).otherwise(found)
    elif measure.statistic in ADDITIVE:
        unit_us = _SECOND_US if measure.statistic == "while_true" else _HOUR_US
        found = pl.when(known > 0).then(found / unit_us)
    return found.alias(measure.name)


def _as_one(rows: pl.DataFrame, series: Series) -> pl.DataFrame:
    """The rows with those of one subject and time as one, as the series' schema."""
    key = [series.subject, "timestamp"]
    means = [measure.name for measure in series.measures_of("mean")]
    made: dict[Statistic, Callable[[pl.Expr], pl.Expr]] = {
        "min": pl.Expr.min,
        "max": pl.Expr.max,
        "mean": pl.Expr.sum,
        "first": lambda column: column.sort_by("first_at").first(ignore_nulls=True),
        "last": lambda column: column.sort_by("last_at").last(ignore_nulls=True),
        **dict.fromkeys(ADDITIVE, lambda column: pl.when(column.count() > 0).then(column.sum())),
    }
    weight = pl.col("covered_s") + pl.col("sample_count") * _SAMPLE_S
    weights = [f"{name}_weight" for name in means]
    one = (
        rows.with_columns(
            pl.col(means) * weight,
            *(
                pl.when(pl.col(name).is_not_null()).then(weight).alias(f"{name}_weight")
                for name in means
            ),
        )
        .group_by(key)
        .agg(
            pl.col("sample_count", *weights).sum(),
            pl.col("covered_s").sum().round(6),
            pl.col("first_at").min(),
            pl.col("last_at").max(),
            *(made[m.statistic](pl.col(m.name)).alias(m.name) for m in series.measures_of(*made)),
        )
        .with_columns((pl.col(name) / pl.col(f"{name}_weight")).fill_nan(None) for name in means)
        .sort(key)
    )
    for measure in series.measures_of("seen"):
        texts = rows.select(*key, pl.col(measure.name).str.split("+")).explode(measure.name)
        one = one.join(_seen(texts.unique(), key, measure.name), on=key, how="left")
    return one.select(series.schema.names()).cast(series.schema)


def _seen(texts: pl.DataFrame, key: Sequence[str], name: str) -> pl.DataFrame:
    """The different texts of each key, in order, joined by +."""
    return (
        texts.drop_nulls(name)
        .with_columns(pl.col(name).cast(pl.String))
        .sort(name)
        .group_by(key)
        .agg(name)
        .with_columns(pl.col(name).list.join("+"))
    )


def _in_local_days(rows: pl.DataFrame, series: Series, zones: pl.DataFrame) -> pl.DataFrame:
    """The rows with `start` and `end` of the local day in which they are stamped."""
    placed = _with_zones(rows, series, zones)
    times = placed.select("timestamp", site_id="time_zone").unique()
    clocks = times.select("site_id", time_zone="site_id").unique()
    days = in_their_days(times, days_of(times, clocks))
    return placed.join(
        days,
        left_on=["time_zone", "timestamp"],
        right_on=["site_id", "timestamp"],
        maintain_order="left",
    )


def _with_zones(rows: pl.DataFrame, series: Series, zones: pl.DataFrame) -> pl.DataFrame:
    """The rows, in their order, with the `time_zone` of their subject.

    Raises:
        ValueError: one has none.
    """
    subject = series.subject
    placed = rows.join(
        zones.select(subject, "time_zone"), on=subject, how="left", maintain_order="left"
    )
    without = placed.filter(pl.col("time_zone").is_null())
    if without.height:
        raise ValueError(f"{subject} {without[subject][0]} has no time zone")
    return placed
