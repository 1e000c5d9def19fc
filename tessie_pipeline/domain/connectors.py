"""What a home's wall connectors say of plug-ins: at which site they were, and what they drew when.

Where a connector was seen all the time, its power is what a car drew; else it is what the car told.
"""

from datetime import timedelta

import polars as pl

from tessie_pipeline.domain.attribution import INTERVAL, KWH_DIGITS
from tessie_pipeline.domain.charging import Charging
from tessie_pipeline.domain.samples import UTC_TIME

LONGEST_GAP = timedelta(minutes=20)
"""Sites are asked every 15 minutes; what lies between answers further apart is not known."""

DENSE_GAP = timedelta(minutes=10)
"""Answers further apart tell less than a car that tells its own power every five minutes."""

LARGEST_EFFICIENCY_PCT = 105.0
"""More than what goes in cannot come out, but for rounding."""

SEEN = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "timestamp": UTC_TIME,
        "site_id": pl.String(),
        "power_w": pl.Float64(),
    }
)
"""One row per vehicle and answer of a site whose wall connector named it; its power there."""

_KEY = ["vehicle_id", "started_at"]
_PLUG_IN = ["vehicle_id", "session_started_at"]
_SEGMENT = ["vehicle_id", "segment"]


def connected(sessions: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """`connector_site_id` and `connector_live_kwh` of plug-ins, in their order; null where unseen.

    The site is the one that named the vehicle most often; the energy is the integral of the power
    between answers that are not further apart than `LONGEST_GAP`.

    Args:
        sessions: `vehicle_id`, `started_at` and `ended_at` of plug-ins.
        seen: `SEEN`.
    """
    spans = sessions.select(*_KEY, "ended_at").sort("started_at")
    step = pl.col("timestamp") - pl.col("timestamp").shift().over(_KEY)
    mean_w = (pl.col("power_w") + pl.col("power_w").shift().over(_KEY)) / 2
    step_kwh = mean_w * step.dt.total_seconds(fractional=True) / 3600 / 1000
    steps_kwh = pl.when(step <= LONGEST_GAP).then(step_kwh)
    found = (
        seen.sort("timestamp")
        .join_asof(
            spans,
            left_on="timestamp",
            right_on="started_at",
            by="vehicle_id",
            check_sortedness=False,
        )
        .filter(
            pl.col("started_at").is_not_null(),
            pl.col("ended_at").is_null() | (pl.col("timestamp") <= pl.col("ended_at")),
        )
        .with_columns(kwh=steps_kwh)
        .group_by(_KEY)
        .agg(
            connector_site_id=pl.col("site_id").mode().sort().first(),
            connector_live_kwh=pl.when(pl.col("kwh").is_not_null().any()).then(pl.col("kwh").sum()),
        )
    )
    return sessions.join(found, on=_KEY, how="left", maintain_order="left").select(
        "connector_site_id", "connector_live_kwh"
    )


def measured_by_connectors(
    charging: Charging, connectors: pl.DataFrame, seen: pl.DataFrame
) -> Charging:
    """The plug-ins with what their pieces drew as the wall connector measured it, where it did.

    It did if it was seen all the time: in each segment there are answers, no two in succession
    further apart than `DENSE_GAP`, or `LONGEST_GAP` where the car told no power of its own, nor the
    first and last with power from its start and end; and no more went into the battery than
    `LARGEST_EFFICIENCY_PCT` of what it gave. Of a segment that nobody saw the first and last answer
    may be anywhere: before and after them nothing flowed.

    Then power changes evenly between two answers, and is that of the first and last with power of a
    segment before and after them: a car does not begin or end gradually. Its integral is what a
    piece drew; one longer than an interval of sites is cut at their marks. Where the car told no
    energy from the wall, this is the plug-in's, and tells its efficiency. All other plug-ins are as
    before.

    Args:
        charging: all plug-ins with their segments and pieces.
        connectors: `connected` of these plug-ins.
        seen: `SEEN`.
    """
    sessions = pl.concat([charging.sessions, connectors], how="horizontal").rename(
        {"started_at": "session_started_at"}
    )
    own = charging.pieces.sort("start").join_asof(
        charging.segments.select("vehicle_id", "is_inferred", segment="started_at").sort("segment"),
        left_on="start",
        right_on="segment",
        by="vehicle_id",
        check_sortedness=False,
    )
    stretches = (
        own.group_by(*_SEGMENT, "session_started_at", "is_inferred")
        .agg(first=pl.col("start").min(), last=pl.col("end").max())
        .join(
            sessions.select(
                *_PLUG_IN,
                site_id="connector_site_id",
                is_dark=pl.col("energy_used_kwh").is_null(),
            ),
            on=_PLUG_IN,
        )
    )
    curve = _curve(stretches, seen)
    pieces = _drawn(_cut(_seen_always(own, stretches, curve)), curve)
    measured = (
        pieces.group_by(_PLUG_IN)
        .agg(drawn_kwh=pl.col("energy_kwh").sum().round(KWH_DIGITS))
        .join(sessions.select(*_PLUG_IN, "energy_added_kwh"), on=_PLUG_IN)
        .with_columns(connector_pct=100 * pl.col("energy_added_kwh") / pl.col("drawn_kwh"))
        .filter(
            pl.col("drawn_kwh") > 0,
            (pl.col("connector_pct") <= LARGEST_EFFICIENCY_PCT).fill_null(True),
        )
        .drop("energy_added_kwh")
    )
    is_dark = pl.col("energy_used_kwh").is_null() & pl.col("drawn_kwh").is_not_null()
    told = sessions.join(measured, on=_PLUG_IN, how="left", maintain_order="left").with_columns(
        energy_used_kwh=pl.coalesce("energy_used_kwh", "drawn_kwh"),
        efficiency_pct=pl.when(is_dark & (pl.col("connector_pct") > 0))
        .then("connector_pct")
        .otherwise("efficiency_pct"),
    )
    names = charging.pieces.columns
    by_connector = pieces.join(measured, on=_PLUG_IN, how="semi").select(names)
    others = charging.pieces.join(measured, on=_PLUG_IN, how="anti")
    return Charging(
        told.rename({"session_started_at": "started_at"}).select(charging.sessions.columns),
        charging.segments,
        pl.concat([others, by_connector]).sort(*_PLUG_IN, "start"),
    )


def _curve(stretches: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """The answers of each segment: `kw`, and `kwh` since the first; and those of the `next`.

    Those without power at the edges of one that was seen are before its start and after its end.

    Args:
        stretches: segments with `first` and `last` moment, `site_id` and `is_inferred`.
        seen: `SEEN`.
    """
    at, kw = pl.col("at"), pl.col("kw")
    step_kwh = (kw + kw.shift()) / 2 * _hours(at - at.shift())
    return (
        seen.drop_nulls("power_w")
        .select("vehicle_id", "site_id", at="timestamp", kw=pl.col("power_w").clip(0) / 1000)
        .sort("at")
        .join_asof(
            stretches.sort("first"),
            left_on="at",
            right_on="first",
            by=["vehicle_id", "site_id"],
            check_sortedness=False,
        )
        .filter(at <= pl.col("last"))
        .sort(*_SEGMENT, "at")
        .filter(pl.col("is_inferred") | _is_between(kw > 0).over(_SEGMENT))
        .with_columns(
            kwh=step_kwh.fill_null(0).cum_sum().over(_SEGMENT),
            next_at=at.shift(-1).over(_SEGMENT),
            next_kw=kw.shift(-1).over(_SEGMENT),
        )
        .select(*_SEGMENT, "at", "kw", "kwh", "next_at", "next_kw")
    )


def _seen_always(
    pieces: pl.DataFrame, stretches: pl.DataFrame, curve: pl.DataFrame
) -> pl.DataFrame:
    """The pieces of plug-ins whose connector was seen all the time, with what bounds its answers.

    Added: of the segment's first and last answer `from_at`, `from_kw`, `until_at` and `until_kw`.
    """
    answers = curve.group_by(_SEGMENT).agg(
        from_at=pl.col("at").first(),
        from_kw=pl.col("kw").first(),
        until_at=pl.col("at").last(),
        until_kw=pl.col("kw").last(),
        gap=(pl.col("next_at") - pl.col("at")).max().fill_null(pl.duration()),
    )
    lead, lag = pl.col("from_at") - pl.col("first"), pl.col("last") - pl.col("until_at")
    longest = pl.when("is_dark").then(LONGEST_GAP).otherwise(DENSE_GAP)
    is_seen = (pl.col("gap") <= longest) & (
        pl.col("is_inferred") | (pl.max_horizontal(lead, lag) <= longest)
    )
    always = (
        stretches.join(answers, on=_SEGMENT, how="left")
        .filter(is_seen.fill_null(False).all().over(_PLUG_IN))
        .drop("first", "last", "site_id", "is_inferred", "is_dark", "gap")
    )
    return pieces.join(always, on=[*_PLUG_IN, "segment"])


def _cut(pieces: pl.DataFrame) -> pl.DataFrame:
    """The pieces in parts from `cut` to `cut_end`: longer ones by the marks of sites' intervals."""
    start, end = pl.col("start"), pl.col("end")
    is_long = end > start.dt.offset_by(INTERVAL)
    marks = pl.datetime_ranges(
        start.dt.truncate(INTERVAL), end, interval=INTERVAL, time_zone="UTC", closed="left"
    )
    long = (
        pieces.filter(is_long)
        .with_columns(mark=marks)
        .explode("mark")
        .with_columns(
            cut=pl.max_horizontal("start", "mark"),
            cut_end=pl.min_horizontal("end", pl.col("mark").dt.offset_by(INTERVAL)),
        )
    )
    short = pieces.filter(~is_long).with_columns(cut="start", cut_end="end")
    return pl.concat([long.drop("mark"), short])


def _drawn(parts: pl.DataFrame, curve: pl.DataFrame) -> pl.DataFrame:
    """The parts of pieces as pieces, with what the connector gave meanwhile as `energy_kwh`.

    The energies of a piece that the car told are shared out likewise, or by time if it gave none.
    """
    piece = [*_SEGMENT, "start"]
    counted = (
        parts.with_row_index("part")
        .pipe(_with_kwh_until, curve, "cut")
        .pipe(_with_kwh_until, curve, "cut_end")
    )
    energy_kwh = (pl.col("kwh_until_cut_end") - pl.col("kwh_until_cut")).clip(0)
    length = _hours(pl.col("cut_end") - pl.col("cut"))
    whole_kwh, whole_h = pl.col("energy_kwh").sum().over(piece), length.sum().over(piece)
    share = (
        pl.when(whole_kwh > 0)
        .then(pl.col("energy_kwh") / whole_kwh)
        .when(whole_h > 0)
        .then(length / whole_h)
        .otherwise(1.0)
    )
    return (
        counted.sort("part")
        .with_columns(energy_kwh=energy_kwh, basis=pl.lit("connector"))
        .with_columns(pl.col("energy_added_kwh", "energy_used_kwh") * share)
        .with_columns(start="cut", end="cut_end")
    )


def _with_kwh_until(parts: pl.DataFrame, curve: pl.DataFrame, name: str) -> pl.DataFrame:
    """The parts with the energy from the segment's first answer to the time `name`; < 0 before."""
    at, within = pl.col(name), pl.col(name).clip("from_at", "until_at")
    before_h, after_h = _hours(at - pl.col("from_at")), _hours(at - pl.col("until_at"))
    since_h = _hours(pl.col("within") - pl.col("at"))
    rise = (pl.col("next_kw") - pl.col("kw")) / _hours(pl.col("next_at") - pl.col("at"))
    kwh = pl.col("kwh") + (pl.col("kw") + rise.fill_null(0) * since_h / 2) * since_h
    beside = pl.col("from_kw") * before_h.clip(None, 0) + pl.col("until_kw") * after_h.clip(0)
    beside = pl.when("is_inferred").then(0.0).otherwise(beside)
    return (
        parts.with_columns(within=within)
        .sort("within")
        .join_asof(
            curve.sort("at"),
            left_on="within",
            right_on="at",
            by=_SEGMENT,
            check_sortedness=False,
        )
        .with_columns((kwh + beside).alias(f"kwh_until_{name}"))
        .drop("within", "at", "kw", "kwh", "next_at", "next_kw")
    )


def _is_between(holds: pl.Expr) -> pl.Expr:
    """Whether a row is not before the first nor after the last for which it holds."""
    return holds.cum_max() & holds.cum_max(reverse=True)


def _hours(duration: pl.Expr) -> pl.Expr:
    return duration.dt.total_microseconds() / 3.6e9
