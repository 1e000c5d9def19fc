"""Partitions: calendar dates, each meaning every site's own local day of that date."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

FIRST_DAY = date(2015, 4, 30)
"""When the Powerwall was presented."""

CALENDAR_DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), end_offset=2)
"""Every date since `FIRST_DAY`, up to tomorrow (UTC), which has begun in zones ahead of UTC."""

SITE_DAYS_AT_ONCE = 2_000
"""What is held in memory and written in one transaction: about 200 MB of answers."""


def date_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The dates that a run is for: the first one, and the one after the last."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end) + timedelta(days=1)


def range_tags(first: date, last: date) -> dict[str, str]:
    """The tags of a run for the dates from `first` to `last`, both included."""
    return {
        ASSET_PARTITION_RANGE_START_TAG: first.isoformat(),
        ASSET_PARTITION_RANGE_END_TAG: last.isoformat(),
    }


def in_parts(start: date, end: date, sites: int) -> Iterator[tuple[date, date]]:
    """The range in consecutive ranges of at most `SITE_DAYS_AT_ONCE`, a day at least."""
    step = timedelta(days=max(1, SITE_DAYS_AT_ONCE // max(1, sites)))
    while start < end:
        yield start, min(start + step, end)
        start += step
