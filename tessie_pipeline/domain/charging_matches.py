"""Which plug-in a record of Tesla's own belongs to: bills, and charges of wall connectors.

Records are matched by vehicle and time, charges of wall connectors by their site too. The same
frames in any order give the same matches. Not here: what the matched records say
(`reconciliation`).
"""

from datetime import datetime, timedelta

import polars as pl

from tessie_pipeline.domain.samples import UTC_TIME

MATCHED_SESSIONS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "started_at": UTC_TIME,
        "ended_at": UTC_TIME,
        "ended_after": UTC_TIME,
        "site_id": pl.String(),
        "is_dc": pl.Boolean(),
    }
)
"""What matching takes from a plug-in; while it is in progress (`ended_at` null), it is known to
last until `ended_after`. The energy site and whether it is DC are null where not known."""

MATCHED_BILLS = pl.Schema(
    {
        "session_id": pl.Int64(),
        "vehicle_id": pl.String(),
        "started_at": UTC_TIME,
        "stopped_at": UTC_TIME,
        "unlatched_at": UTC_TIME,
    }
)
"""One row per bill: charging began and stopped, the cable came out; both ends may be null."""

MATCHED_CHARGES = pl.Schema(
    {
        "site_id": pl.String(),
        "din": pl.String(),
        "started_at": UTC_TIME,
        "duration_s": pl.Int64(),
        "energy_wh": pl.Float64(),
        "vin": pl.String(),
        "vehicle_id": pl.String(),
    }
)
"""One row per charge at a wall connector; both VIN and vehicle are null where Tesla does not name
the car, the vehicle alone where it is none of ours."""

BILL_MATCHES = pl.Schema(
    {"session_id": pl.Int64(), "vehicle_id": pl.String(), "session_started_at": UTC_TIME}
)
"""The plug-in of each bill that has one."""

CHARGE = ["site_id", "din", "started_at"]

CHARGE_MATCHES = pl.Schema(
    {
        **{name: MATCHED_CHARGES[name] for name in CHARGE},
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
    }
)
"""The plug-in of each charge at a wall connector that has one."""

NEAR = timedelta(minutes=30)
"""A bill that meets no plug-in belongs to one that began within this time of it: the plug-in of a
car that was rarely seen lies somewhere between two samples."""

_NOTHING = pl.duration()


def match_bills(sessions: pl.DataFrame, bills: pl.DataFrame) -> pl.DataFrame:
    """The plug-in of each bill, as `BILL_MATCHES`: one plug-in for a bill.

    The pair that shares the longest time goes first. A plug-in has a second bill only if both share
    time with it and none with each other: the car went to the next stall between two samples. A
    bill that shares no time goes to the plug-in that began nearest to it, within `NEAR`, unless
    that has one or is known to be AC.

    Args:
        sessions: `MATCHED_SESSIONS`.
        bills: `MATCHED_BILLS`.
    """
    spans = bills.with_columns(
        start="started_at",
        end=pl.max_horizontal("started_at", pl.coalesce("unlatched_at", "stopped_at")),
    )
    pairs = _pairs(spans.drop("started_at"), sessions, NEAR).filter(
        (pl.col("shared") >= _NOTHING)
        | ((pl.col("apart") <= NEAR) & pl.col("is_dc").ne_missing(other=False))
    )
    best_first = pairs.with_columns(pl.col("shared").clip(0)).sort(
        ["shared", "apart", "session_started_at", "session_id"],
        descending=[True, False, False, False],
    )
    rows = []
    billed: set[int] = set()
    taken: dict[tuple[object, ...], list[tuple[datetime, datetime]]] = {}
    told = best_first.select("shared", "start", "end", *BILL_MATCHES)
    for shared, start, end, session_id, *session in told.iter_rows():
        others = taken.setdefault(tuple(session), [])
        is_apart = all(end <= first or last <= start for first, last in others)
        if session_id not in billed and (not others or (shared and is_apart)):
            billed.add(session_id)
            others.append((start, end))
            rows.append((session_id, *session))
    return pl.DataFrame(rows, schema=BILL_MATCHES, orient="row").sort("session_id")


def match_charges(sessions: pl.DataFrame, charges: pl.DataFrame) -> pl.DataFrame:
    """The plug-in of each charge at a wall connector, as `CHARGE_MATCHES`; a plug-in has any.

    It is the one that shares the longest time with it, of the vehicle that Tesla names, and of the
    charge's site where the plug-in's is known. Where Tesla names no vehicle, the plug-in must be
    known to be at the site. A charge that several plug-ins share alike stays without one.

    Args:
        sessions: `MATCHED_SESSIONS`.
        charges: `MATCHED_CHARGES`.
    """
    spans = charges.with_columns(
        start="started_at",
        end=pl.col("started_at") + pl.duration(seconds="duration_s"),
    ).rename({"started_at": "charge_started_at", "site_id": "charge_site_id"})
    is_named = pl.col("vin").is_not_null()
    by_vehicle = _pairs(spans.filter(is_named), sessions, timedelta()).filter(
        pl.col("site_id").is_null() | (pl.col("site_id") == pl.col("charge_site_id"))
    )
    by_site = _pairs(
        spans.filter(~is_named).drop("vehicle_id").with_columns(site_id="charge_site_id"),
        sessions,
        timedelta(),
        "site_id",
    )
    pairs = pl.concat([by_vehicle, by_site], how="diagonal").filter(
        pl.col("shared") >= _NOTHING, pl.col("is_dc").ne_missing(other=True)
    )
    charge = ["charge_site_id", "din", "charge_started_at"]
    is_best = pl.col("shared") == pl.col("shared").max()
    return (
        pairs.filter(is_best.over(charge))
        .filter(pl.len().over(charge) == 1)
        .select(
            *(pl.col(given).alias(name) for given, name in zip(charge, CHARGE, strict=True)),
            "vehicle_id",
            "session_started_at",
        )
        .cast(CHARGE_MATCHES)
        .sort(CHARGE)
    )


def _by_day(spans: pl.DataFrame, start: pl.Expr, end: pl.Expr) -> pl.DataFrame:
    """Each span once for every UTC `day` that it touches."""
    return spans.with_columns(day=pl.date_ranges(start.dt.date(), end.dt.date())).explode("day")


def _pairs(
    records: pl.DataFrame, sessions: pl.DataFrame, near: timedelta, by: str = "vehicle_id"
) -> pl.DataFrame:
    """Each record with the plug-ins of the same vehicle or site that it may meet.

    Args:
        records: `by`, and `start` and `end` of each.
        sessions: `MATCHED_SESSIONS`.
        near: a plug-in may lie so far from the record.
        by: what both have in common.

    Returns:
        The columns of both, of the plug-in's time `session_started_at`; `shared`, the time that
        both have in common, below zero where there is some between them; and `apart`, the time
        between their starts.
    """
    spans = sessions.select(
        "vehicle_id",
        "site_id",
        "is_dc",
        session_started_at="started_at",
        session_end=pl.max_horizontal("started_at", pl.coalesce("ended_at", "ended_after")),
    )
    starts, ends = pl.col("session_started_at"), pl.col("session_end")
    # By days, so that the pairs to look at grow with the days and not with their square.
    pairs = _by_day(records.with_row_index("record"), pl.col("start"), pl.col("end")).join(
        _by_day(spans, starts - near, ends + near), on=[by, "day"]
    )
    return (
        pairs.drop("day")
        .unique(["record", "vehicle_id", "session_started_at"])
        .drop("record")
        .with_columns(
            shared=pl.min_horizontal("end", ends) - pl.max_horizontal("start", starts),
            apart=(pl.col("start") - starts).abs(),
        )
    )
