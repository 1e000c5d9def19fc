"""Local calendar days as windows of UTC, 23 to 25 hours long.

A date means each site's own local day of that date. Not here: what happened in a day.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

import polars as pl

from tessie_pipeline.domain.samples import UTC_TIME

DAY_WINDOWS = pl.Schema(
    {"site_id": pl.String(), "date": pl.Date(), "start": UTC_TIME, "end": UTC_TIME}
)
"""One row per site and local day: its first instant and that of the next day."""


def day_start(day: date, zone: tzinfo) -> datetime:
    """The first instant of a local day in UTC, also where clocks skip or repeat midnight."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def dates_between(start: date, end: date) -> list[date]:
    """The dates from `start` up to, and without, `end`."""
    return [start + timedelta(days=offset) for offset in range((end - start).days)]


def stretches(dates: Iterable[date]) -> list[tuple[date, date]]:
    """The first and last of dates that follow each other without a gap, in order."""
    known = set(dates)
    firsts = sorted(day for day in known if day - timedelta(days=1) not in known)
    lasts = sorted(day for day in known if day + timedelta(days=1) not in known)
    return list(zip(firsts, lasts, strict=True))


def day_windows(sites: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """The local days of sites, as `DAY_WINDOWS`.

    Args:
        sites: `site_id` and `time_zone` (an IANA name).
        start: first date.
        end: the date after the last one.
    """
    zones = sites["time_zone"].unique().to_list()
    days = pl.DataFrame(
        [
            (
                zone,
                day,
                day_start(day, ZoneInfo(zone)),
                day_start(day + timedelta(1), ZoneInfo(zone)),
            )
            for zone in zones
            for day in dates_between(start, end)
        ],
        schema={"time_zone": pl.String(), "date": pl.Date(), "start": UTC_TIME, "end": UTC_TIME},
        orient="row",
    )
    return sites.join(days, on="time_zone").select(DAY_WINDOWS.names()).sort("site_id", "date")


def days_between(spans: pl.DataFrame) -> pl.DataFrame:
    """All local days of spans of dates, as `DAY_WINDOWS` with `time_zone`.

    Args:
        spans: `site_id`, `time_zone`, and the `first` and `last` date, one row per site.
    """
    first, last = spans["first"].min(), spans["last"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return DAY_WINDOWS.to_frame().with_columns(time_zone=pl.lit(None, pl.String()))
    return (
        day_windows(spans, first, last + timedelta(days=1))
        .join(spans, on="site_id")
        .filter(pl.col("date").is_between("first", "last"))
        .select(*DAY_WINDOWS, "time_zone")
    )


def in_their_days(samples: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """The samples that lie in one of their site's `windows`, with the columns of that window.

    Args:
        samples: `site_id`, `timestamp` and any others.
        windows: `DAY_WINDOWS` and any others.
    """
    return (
        samples.sort("site_id", "timestamp")
        .join_asof(
            windows.sort("site_id", "start", "end"),
            left_on="timestamp",
            right_on="start",
            by="site_id",
            strategy="backward",
            check_sortedness=False,
        )
        .filter(pl.col("timestamp") < pl.col("end"))
    )


def days_of(times: pl.DataFrame, sites: pl.DataFrame) -> pl.DataFrame:
    """The local days in which times lie, as `DAY_WINDOWS`.

    Args:
        times: `site_id` and `timestamp` (UTC).
        sites: `site_id` and `time_zone` (an IANA name); others have no days.
    """
    first, last = times["timestamp"].min(), times["timestamp"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return DAY_WINDOWS.to_frame()
    around = timedelta(days=2)  # more than any clock is away from UTC
    windows = day_windows(
        sites.join(times, on="site_id", how="semi"), first.date() - around, last.date() + around
    )
    return days_with(times, windows)


def merged(windows: pl.DataFrame, subject: str) -> pl.DataFrame:
    """The windows (`subject`, `start` and `end`), those of one subject that touch as one."""
    is_apart = (pl.col("start") > pl.col("end").shift().cum_max()).over(subject).fill_null(True)
    return (
        windows.sort(subject, "start")
        .group_by(subject, is_apart.cum_sum().alias("number"), maintain_order=True)
        .agg(pl.col("start").min(), pl.col("end").max())
        .drop("number")
    )


def days_with(samples: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """Those of the `windows` in which their site has samples."""
    filled = in_their_days(samples, windows).select("site_id", "date").unique()
    return windows.join(filled, on=["site_id", "date"], how="semi")


def rows_by_date(samples: pl.DataFrame, windows: pl.DataFrame) -> pl.DataFrame:
    """`date` and `rows`: how many samples lie in each date's windows, over all sites."""
    return count_by_date(in_their_days(samples, windows))


def count_by_date(rows: pl.DataFrame) -> pl.DataFrame:
    """`date` and `rows`: how many there are of each date."""
    return rows.group_by("date").agg(pl.len().alias("rows")).sort("date")
