"""Which backups are old enough to go, by their times. Not here: files."""

from collections.abc import Callable, Collection, Hashable
from datetime import datetime, timedelta

DAILY, WEEKLY, MONTHLY = 7, 4, 12
"""How many days, weeks and months keep a good backup: a mistake is found within days, or by a
look at last month or at the same month a year ago."""

RECENT = timedelta(days=2)
"""What was made by hand before and after a mishap of the day is not to push itself out."""


def outdated(good: Collection[datetime], others: Collection[datetime]) -> set[datetime]:
    """The times of the backups that are to be deleted.

    Kept are the newest good one of each of the last `DAILY` days, `WEEKLY` weeks (from Monday) and
    `MONTHLY` months that have one, by UTC, and all that are less than `RECENT` older than the
    newest; a time without backups makes none outdated. Others, which nothing has proved, are kept
    for `DAILY` days in the same way, beside the good ones and never instead of them.

    Args:
        good: times (UTC) of backups that were proved.
        others: times (UTC) of all others; none of them is in `good`.
    """
    kept = {
        *_recent(good),
        *_newest_of_each(good, lambda time: time.date(), DAILY),
        *_newest_of_each(good, lambda time: time.date() - timedelta(time.weekday()), WEEKLY),
        *_newest_of_each(good, lambda time: (time.year, time.month), MONTHLY),
        *_recent(others),
        *_newest_of_each(others, lambda time: time.date(), DAILY),
    }
    return {*good, *others} - kept


def _recent(times: Collection[datetime]) -> list[datetime]:
    """Those that are less than `RECENT` older than the newest."""
    return [time for time in times if time > max(times) - RECENT]


def _newest_of_each(
    times: Collection[datetime], period: Callable[[datetime], Hashable], count: int
) -> list[datetime]:
    """The last time of each of the `count` latest periods that have any."""
    return list({period(time): time for time in sorted(times)}.values())[-count:]
