"""Local calendar days as 5-minute steps of unix time.

A local day has 276, 288 or 300 steps. Every zone's offset is a multiple of 5 minutes, so
steps are the same instants in all zones.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

STEP_S = 300


@lru_cache(maxsize=65536)
def local_s(zone: str, day: date, seconds: int = 0) -> int:
    """The instant [unix s] at which a wall clock in `zone` shows `seconds` after 00:00."""
    naive = datetime(day.year, day.month, day.day) + timedelta(seconds=seconds)  # noqa: DTZ001
    return int(naive.replace(tzinfo=ZoneInfo(zone)).timestamp())


def local_date(zone: str, at_s: float) -> date:
    """The calendar date in `zone` at an instant [unix s]."""
    return datetime.fromtimestamp(at_s, ZoneInfo(zone)).date()


def day_bounds_s(zone: str, day: date) -> tuple[int, int]:
    """Half-open bounds [unix s] of a local calendar day, 23 to 25 hours apart."""
    return local_s(zone, day), local_s(zone, day + timedelta(days=1))


def local_iso(zone: str, at_s: float) -> str:
    """ISO 8601 with the local offset, to the second, as energy answers write it."""
    return datetime.fromtimestamp(int(at_s), ZoneInfo(zone)).isoformat()


def utc_iso(at_s: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def floor_step(at_s: float) -> int:
    """Start of the step that holds the instant [unix s]."""
    return int(at_s // STEP_S) * STEP_S


def ceil_step(at_s: float) -> int:
    """The first step's start at or after the instant [unix s]."""
    return -int(-at_s // STEP_S) * STEP_S
