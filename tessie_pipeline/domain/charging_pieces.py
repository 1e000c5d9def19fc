"""The energy of charging over time: when a segment began and ended, and what flowed meanwhile.

Takes spans, gives them as pieces of segments. Not here: totals of segments and plug-ins.
"""

import polars as pl

from tessie_pipeline.domain.charging_spans import LONGEST_GAP_H
from tessie_pipeline.domain.samples import UTC_TIME

USUAL_AC_EFFICIENCY, USUAL_DC_EFFICIENCY = 0.9, 0.96
"""Only for when a segment began or ended, where nothing steady was measured of its plug-in."""

USUAL_KW = 7.0
"""Of a plug at home; only for when a charge began that was first seen when it was over."""

PLAUSIBLE_RATIO = (0.3, 1.1)
"""Energy into the battery over energy from the wall that may serve to time a segment."""

STEADY_SHARE = 0.1
"""Power that differs by less between two readings is taken to have changed evenly."""

_HOUR_US = 3_600_000_000


def timed_pieces(spans: pl.DataFrame) -> pl.DataFrame:
    """The spans that charge, each as a piece of a segment.

    Added: `segment` (its number within the plug-in), `start` and `end` (estimated within the span
    where it starts or stops), `hours`, `used_kwh` (null where wall power was not measured) and
    `added_kwh`, which a counter that moves in steps gives to all the time since its last step.

    A segment begins as long before its first reading as the energy so far took at the power
    there, and ends likewise. Without a counter it is the middle of the span.

    Args:
        spans: as `charging_spans.spans` gives them.
    """
    kind, kw = pl.col("kind"), pl.col("kw")
    pieces = (
        _bounded(_with_power(spans.filter(kind != "idle")))
        .with_columns(hours=_hours("start", "end"))
        .with_columns(
            used_kwh=pl.when(kind == "through")
            .then("through_kwh")
            .when((kind != "hidden") & _is_covered("hours"))
            .then(kw * pl.col("hours"))
        )
    )
    return _with_steps_of_power(_spread(pieces))


def _with_power(spans: pl.DataFrame) -> pl.DataFrame:
    """`segment`, `through_kwh` from the wall, and `kw` and `battery_kw` where one starts or stops.

    The power into the battery is that from the wall by what the plug-in's steady spans say; where
    wall power is unknown, it is that of the segment's next or last span.
    """
    kind, kw, rate = pl.col("kind"), pl.col("kw"), pl.col("rate")
    segment, hours = ["plug_in", "segment"], _hours("left", "right")
    is_through = kind == "through"
    trapezoid = (pl.col("left_kw") + pl.col("right_kw")) / 2 * hours
    usual = pl.when("is_dc").then(USUAL_DC_EFFICIENCY).otherwise(USUAL_AC_EFFICIENCY)
    ratio = _ratio(_is_steady() & pl.col("through_kwh").is_not_null(), "through_kwh")
    neighbour_kw = (
        pl.when(kind == "start")
        .then(rate.shift(-1).over(segment))
        .otherwise(rate.shift(1).over(segment))
    )
    return (
        spans.with_columns(
            segment=kind.is_in(["start", "hidden"]).cum_sum().over("plug_in"),
            through_kwh=pl.when(is_through & (hours <= LONGEST_GAP_H)).then(trapezoid),
            rate=pl.when(is_through & (pl.col("added_kwh") > 0)).then(pl.col("added_kwh") / hours),
            kw=pl.when(kind == "start").then("right_kw").when(kind == "stop").then("left_kw"),
        )
        .with_columns(
            battery_kw=pl.coalesce(
                pl.when(kw > 0).then(kw * pl.coalesce(ratio, usual)),
                pl.when(kind.is_in(["start", "stop"])).then(neighbour_kw),
                pl.when(pl.col("left").is_null()).then(USUAL_KW),
            )
        )
        .drop("rate")
    )


def _bounded(spans: pl.DataFrame) -> pl.DataFrame:
    """`start` and `end` of the charging within each span, to whole seconds outwards."""
    kind, added_kwh = pl.col("kind"), pl.col("added_kwh")
    left, right = pl.col("left").cast(pl.Int64), pl.col("right").cast(pl.Int64)
    middle = left + (right - left) // 2
    counted_us = pl.when(added_kwh > 0).then(
        pl.coalesce(added_kwh / pl.col("battery_kw") * _HOUR_US, right - left)
    )
    length_us = pl.when("has_counter").then(counted_us).otherwise((right - left) / 2).fill_null(0)
    is_shared, is_left_in = pl.col("is_shared"), pl.col("is_left_in")
    earliest = pl.when(is_shared & ~is_left_in).then(middle).otherwise(left)
    latest = pl.when(is_shared & is_left_in).then(middle).otherwise(right)
    start_us = (
        pl.when((kind == "start") | left.is_null())
        .then(pl.max_horizontal(earliest, _whole_seconds(right - length_us)))
        .when(kind == "hidden")
        .then(earliest)
        .otherwise(left)
    )
    end_us = (
        pl.when(kind == "stop")
        .then(pl.min_horizontal(latest, _whole_seconds(left + length_us + 999_999)))
        .when(kind == "hidden")
        .then(latest)
        .otherwise(right)
    )
    return spans.with_columns(start=start_us.cast(UTC_TIME), end=end_us.cast(UTC_TIME))


def _is_steady() -> pl.Expr:
    """Whether power changed little between the two readings."""
    low, high = pl.min_horizontal("left_kw", "right_kw"), pl.max_horizontal("left_kw", "right_kw")
    return high - low <= STEADY_SHARE * high


def _ratio(is_measured: pl.Expr, used: str) -> pl.Expr:
    """Energy added over energy used in a plug-in's measured pieces, null if implausible."""
    added, drawn = (
        pl.when(is_measured & pl.col("has_counter")).then(name).sum().over("plug_in")
        for name in ("added_kwh", used)
    )
    return pl.when((added / drawn).is_between(*PLAUSIBLE_RATIO)).then(added / drawn)


def _spread(pieces: pl.DataFrame) -> pl.DataFrame:
    """Each step of the counter over the time since the step before, as the wall power was."""
    is_step = (pl.col("added_kwh") > 0).fill_null(False)
    step = ["plug_in", "segment", "step"]
    is_measured = pl.col("used_kwh").is_not_null().all().over(step) & (
        pl.col("used_kwh").sum().over(step) > 0
    )
    weight = pl.when(is_measured).then("used_kwh").otherwise("hours")
    total = weight.sum().over(step)
    return (
        pieces.with_columns(
            step=is_step.shift(fill_value=False)
            .over("plug_in", "segment")
            .cum_sum()
            .over("plug_in", "segment")
        )
        .with_columns(
            added_kwh=pl.when((total > 0) & pl.col("added_kwh").is_not_null())
            .then(pl.col("added_kwh").sum().over(step) * (weight / total))
            .otherwise("added_kwh"),
            is_estimated=pl.col("is_estimated").any().over(step),
        )
        .drop("step")
    )


def _with_steps_of_power(pieces: pl.DataFrame) -> pl.DataFrame:
    """Where power fell or rose between two readings, the counter tells when.

    Energy from the wall is then the energy added over the efficiency of the plug-in's steady
    pieces, within what the lower and the higher power would give.
    """
    kws = ("left_kw", "right_kw")
    low, high = pl.min_horizontal(kws), pl.max_horizontal(kws)
    is_through = (pl.col("kind") == "through") & pl.col("used_kwh").is_not_null()
    drawn = pl.col("added_kwh") / _ratio(is_through & _is_steady(), "used_kwh")
    corrected = drawn.clip(low * pl.col("hours"), high * pl.col("hours"))
    is_step = is_through & ~_is_steady() & corrected.is_not_null() & ~pl.col("is_estimated")
    return pieces.with_columns(used_kwh=pl.when(is_step).then(corrected).otherwise("used_kwh"))


def _hours(start: str, end: str) -> pl.Expr:
    return (pl.col(end) - pl.col(start)).dt.total_microseconds() / _HOUR_US


def _is_covered(hours: str) -> pl.Expr:
    return pl.col(hours) <= LONGEST_GAP_H


def _whole_seconds(microseconds: pl.Expr) -> pl.Expr:
    return microseconds.floor().cast(pl.Int64) // 1_000_000 * 1_000_000
