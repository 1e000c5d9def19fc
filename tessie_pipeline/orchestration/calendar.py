"""Partitions: calendar dates, each meaning every site's own local day of that date."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg

CALENDAR_DAYS = dg.DailyPartitionsDefinition(start_date="2015-04-30", end_offset=1)
"""Every date since the Powerwall was presented, up to today (UTC), the day in progress included."""

SITE_DAYS_AT_ONCE = 2_000
"""What is held in memory and written in one transaction: about 200 MB of answers."""


def date_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """The dates that a run is for: the first one, and the one after the last."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end) + timedelta(days=1)


def in_parts(start: date, end: date, sites: int) -> Iterator[tuple[date, date]]:
    """The range in consecutive ranges of at most `SITE_DAYS_AT_ONCE`, a day at least."""
    step = timedelta(days=max(1, SITE_DAYS_AT_ONCE // max(1, sites)))
    while start < end:
        yield start, min(start + step, end)
        start += step
