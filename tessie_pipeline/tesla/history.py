"""Decoding of stored `calendar_history` answers, many at once (`fleet_api.md` section 4.3).

Here: JSON texts of kind energy [Wh], power [W] and soe [%] to one frame each, with a bucket a row.
Answers that are not 5-minute days are refused one by one. Not here: intervals, gaps, days' totals.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from pydantic import create_model

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.tesla.answers import (
    EARLIEST,
    LARGEST,
    LATEST,
    Answer,
    Number,
    Rejected,
    Text,
    UndecodableAnswer,
    read,
)

ENERGY_FIELDS = (
    "solar_energy_exported",
    "generator_energy_exported",
    "grid_energy_imported",
    "grid_services_energy_imported",
    "grid_services_energy_exported",
    "grid_energy_exported_from_solar",
    "grid_energy_exported_from_generator",
    "grid_energy_exported_from_battery",
    "battery_energy_exported",
    "battery_energy_imported_from_grid",
    "battery_energy_imported_from_solar",
    "battery_energy_imported_from_generator",
    "consumer_energy_imported_from_grid",
    "consumer_energy_imported_from_solar",
    "consumer_energy_imported_from_battery",
    "consumer_energy_imported_from_generator",
    "total_home_usage",
    "total_solar_generation",
    "total_battery_charge",
    "total_battery_discharge",
    "total_grid_energy_exported",
)
POWER_FIELDS = (
    "solar_power",
    "battery_power",
    "grid_power",
    "grid_services_power",
    "generator_power",
)
SOE_FIELDS = ("soe",)

BUCKET = pl.duration(minutes=5)
_BATCH = 16
_EVEN_SERIES = 12


def decode_energy_history(answers: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """The 5-minute energies of `kind=energy&period=day` answers.

    Args:
        answers: `site_id` and `body` (String): JSON texts as received, with or without envelope.

    Returns:
        A frame of `site_id`, `timestamp` (the bucket's start in UTC) and `ENERGY_FIELDS` (Float64,
        Wh, null where absent), sorted, one row per bucket, the last of repeated ones; and the
        refused answers, `subject` being the site. A series of null is no rows and no refusal.
        Refused are other periods than "day", a lone bucket at 01:00 (the form of a whole day's
        total until 2023) and buckets off the 5-minute grid or nowhere as close as 5 minutes.
    """
    return _decoded(answers, ENERGY_FIELDS, needs_period=True, needs_five_minutes=True)


def decode_power_history(answers: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """The 5-minute mean powers of `kind=power` answers.

    As `decode_energy_history`, with `POWER_FIELDS` (Float64, W; battery > 0 discharges, grid > 0
    imports); the period may be absent.
    """
    return _decoded(answers, POWER_FIELDS, needs_period=False, needs_five_minutes=True)


def decode_soe_history(answers: pl.DataFrame) -> tuple[pl.DataFrame, list[Rejected]]:
    """The states of charge of `kind=soe` answers, one per 15 minutes.

    As `decode_energy_history`, with `soe` (Float64, %); the period may be absent.
    """
    return _decoded(answers, SOE_FIELDS, needs_period=False, needs_five_minutes=False)


def _decoded(
    answers: pl.DataFrame, fields: Sequence[str], *, needs_period: bool, needs_five_minutes: bool
) -> tuple[pl.DataFrame, list[Rejected]]:
    answers = answers.select("site_id", "body").with_row_index("answer")
    refusals: dict[int, str] = {}
    parts = list(_parsed_batches(answers, fields, refusals))
    if not parts:
        return _frame_of(fields), _refused(answers, refusals)
    series = pl.concat(parts)
    refusals |= _reasons(_answer_faults(answers, series, needs_period=needs_period))
    buckets = _buckets(series.filter(~pl.col("answer").is_in(list(refusals))), fields)
    refusals |= _reasons(_bucket_faults(buckets, fields, needs_five_minutes=needs_five_minutes))
    frame = (
        buckets.filter(~pl.col("answer").is_in(list(refusals)))
        .select("site_id", "timestamp", *fields)
        .unique(["site_id", "timestamp"], keep="last", maintain_order=True)
        .sort("site_id", "timestamp")
    )
    return frame, _refused(answers, refusals)


def _parsed_batches(
    answers: pl.DataFrame, fields: Sequence[str], refusals: dict[int, str]
) -> Iterator[pl.DataFrame]:
    """Frames of answer, site_id, period and time_series; what cannot be read goes to `refusals`.

    Polars refuses a whole column for one bad text, so a batch that fails is read text by text, and
    a text that fails is read field by field, which mends it ("36" for 36) or says what is wrong.
    """
    bucket = pl.Struct({"timestamp": pl.String(), **dict.fromkeys(fields, pl.Float64())})
    answer = {"period": pl.String(), "time_series": pl.List(bucket)}
    dtype = pl.Struct({"response": pl.Struct(answer), **answer})
    model = _series_model(fields)
    for batch in answers.iter_slices(_BATCH):
        series = _parsed(batch, dtype)
        if series is not None:
            yield series
            continue
        for single in batch.iter_slices(1):
            try:
                yield _parsed_single(single, dtype, model)
            except UndecodableAnswer as error:
                refusals[single["answer"][0]] = str(error)


def _parsed_single(single: pl.DataFrame, dtype: pl.Struct, model: type[Answer]) -> pl.DataFrame:
    series = _parsed(single, dtype)
    if series is None:
        series = _parsed(_mended(single, model), dtype)
    if series is None:
        raise UndecodableAnswer("the answer is no history")
    return series


def _parsed(answers: pl.DataFrame, dtype: pl.Struct) -> pl.DataFrame | None:
    """The period and series of every answer, None if any cannot be read as it stands."""
    bodies = answers["body"]
    is_blank = bodies.str.strip_chars().fill_null("") == ""
    # Polars reads true as 1 and leaves out blank texts; neither is to pass unseen.
    if is_blank.any() or bodies.str.contains("true|false").any():
        return None
    try:
        decoded = bodies.str.json_decode(dtype)
    except pl.exceptions.PolarsError:
        return None
    inner = decoded.struct.field("response")
    return answers.select("answer", "site_id").with_columns(
        decoded.struct.field(name).fill_null(inner.struct.field(name)).alias(name)
        for name in ("period", "time_series")
    )


def _series_model(fields: Sequence[str]) -> type[Answer]:
    numbers: dict[str, Any] = dict.fromkeys(fields, (Number | None, None))
    bucket = create_model("Bucket", __base__=Answer, timestamp=(Text, ...), **numbers)
    history: dict[str, Any] = {
        "period": (Text | None, None),
        "time_series": (list[bucket] | None, None),
    }
    series = create_model("History", __base__=Answer, **history)
    return create_model("Body", __base__=series, response=(series | None, None))


def _mended(single: pl.DataFrame, model: type[Answer]) -> pl.DataFrame:
    body = single["body"][0]
    if body is None or not body.strip():
        raise UndecodableAnswer("the answer is empty")
    text = read(model, body.removeprefix("\ufeff")).model_dump_json(exclude_none=True)
    return single.with_columns(body=pl.lit(text))


def _answer_faults(
    answers: pl.DataFrame, series: pl.DataFrame, *, needs_period: bool
) -> pl.DataFrame:
    """Answer and reason of each that is no history or one of other periods."""
    period = pl.col("period")
    is_other = (period != "day").fill_null(needs_period)
    is_absent = pl.col("time_series").is_null() & ~pl.col("body").str.contains(
        '"time_series"', literal=True
    )
    return (
        series.join(answers.select("answer", "body"), on="answer")
        .select(
            "answer",
            reason=pl.when(is_absent)
            .then(pl.lit("time_series is missing"))
            .when(is_other)
            .then(pl.format("period is {}, expected day", period.fill_null("missing"))),
        )
        .drop_nulls()
    )


def _buckets(series: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    return (
        series.select("answer", "site_id", "time_series")
        .filter(pl.col("time_series").list.len() > 0)
        .explode("time_series")
        .unnest("time_series")
        .rename({"timestamp": "stamp"})
        .with_columns(
            timestamp=pl.col("stamp").str.to_datetime(
                "%+", time_unit="us", time_zone="UTC", strict=False
            )
        )
        .select("answer", "site_id", "stamp", "timestamp", *fields)
    )


def _bucket_faults(
    buckets: pl.DataFrame, fields: Sequence[str], *, needs_five_minutes: bool
) -> pl.DataFrame:
    """Answer and reason of each with a bucket that is out of place."""
    time = pl.col("timestamp")
    is_time = time.is_between(EARLIEST, LATEST, closed="left").fill_null(value=False)
    is_on_grid = time == time.dt.truncate("5m")
    is_huge = pl.max_horizontal(pl.col(name).abs() for name in fields) > LARGEST
    stamp = pl.col("stamp").str.slice(0, 40).replace("", None).fill_null("missing")
    facts = buckets.group_by("answer").agg(
        pl.len().alias("count"),
        stamp.first().alias("first"),
        stamp.filter(~is_time).first().alias("no_time"),
        stamp.filter(~is_on_grid).first().alias("off_grid"),
        stamp.filter(is_huge).first().alias("huge"),
        time.unique().sort().diff().min().alias("step"),
    )
    step = pl.col("step")
    is_wide = (step > BUCKET) & (
        (pl.col("count") >= _EVEN_SERIES) | (step >= pl.duration(hours=23))
    )
    is_day_total = (pl.col("count") == 1) & pl.col("first").str.contains("T01:00:00", literal=True)
    wide = pl.format("buckets are {} minutes apart, expected 5", step.dt.total_minutes())
    reason = (
        pl.when(pl.col("no_time").is_not_null())
        .then(pl.format("a timestamp is {}, expected a time with an offset", "no_time"))
        .when(pl.col("off_grid").is_not_null())
        .then(pl.format("a bucket starts at {}, expected a multiple of 5 minutes", "off_grid"))
        .when(pl.col("huge").is_not_null())
        .then(pl.format("the bucket at {} holds an impossible number", "huge"))
    )
    if needs_five_minutes:
        reason = reason.when(is_wide).then(wide)
        lone = "the only bucket starts at {}, as a whole day's total does"
        reason = reason.when(is_day_total).then(pl.format(lone, "first"))
    return facts.select("answer", reason=reason).drop_nulls()


def _reasons(faults: pl.DataFrame) -> dict[int, str]:
    return dict(faults.select("answer", "reason").iter_rows())


def _refused(answers: pl.DataFrame, refusals: dict[int, str]) -> list[Rejected]:
    return [
        Rejected(refusals[answer], body or "", site_id)
        for answer, site_id, body in answers.filter(
            pl.col("answer").is_in(list(refusals))
        ).iter_rows()
    ]


def _frame_of(fields: Sequence[str]) -> pl.DataFrame:
    numbers = dict.fromkeys(fields, pl.Float64())
    return pl.DataFrame(schema={"site_id": pl.String(), "timestamp": UTC_TIME, **numbers})
