"""The Fleet API's `calendar_history`: energy, power, state of charge and outages of a site.

Only complete buckets before now are given, each under its local start. `period=day` answers
with the local day of `start_date`; longer periods add days or months up.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tessie_pipeline.simulator.energy_rounding import Bucket, day_buckets, total
from tessie_pipeline.simulator.errors import invalid_request
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import STEP_S, local_date, local_iso, local_s
from tessie_pipeline.simulator.powerwall import SiteDay, SiteDays

PERIODS = ("day", "week", "month", "year", "lifetime")
SOE_STEP_S = 900


@dataclass(frozen=True)
class Window:
    """What a call asks for: instants [unix s], both ends in, and the zone to write times in."""

    start_s: float
    end_s: float
    zone: str
    ends_at_midnight: bool


def window(
    site: Site,
    period: str,
    start_date: str | None,
    end_date: str | None,
    zone: str | None,
    now: float,
) -> Window:
    """The window of a call; without dates, the period around now.

    Raises:
        ApiError: 400, a date without offset or an unknown zone or period.
    """
    zone = zone or site.zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise invalid_request(f"unknown time_zone: {zone}") from error
    if period not in PERIODS:
        raise invalid_request(f"unknown period: {period}")
    end = _instant(end_date, "end_date")
    start = _instant(start_date, "start_date")
    anchor_s = start.timestamp() if start else end.timestamp() if end else now
    first, last = _period_days(site, period, local_date(zone, anchor_s), local_date(zone, now))
    start_s = start.timestamp() if start else local_s(zone, first)
    end_s = end.timestamp() if end else local_s(zone, last + timedelta(days=1)) - 1
    if period == "day":
        day_end_s = local_s(zone, local_date(zone, start_s) + timedelta(days=1)) - 1
        end_s = min(end_s, day_end_s)
    is_midnight = end is not None and (end.hour, end.minute, end.second) == (0, 0, 0)
    return Window(start_s, end_s, zone, is_midnight)


def _instant(text: str | None, name: str) -> datetime | None:
    """An RFC 3339 instant; a `+` that a client left unescaped arrives as a space."""
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise invalid_request(f"{name} is not RFC 3339: {text}") from error
    if instant.tzinfo is None:
        raise invalid_request(f"{name} has no UTC offset: {text}")
    return instant


def _period_days(site: Site, period: str, day: date, today: date) -> tuple[date, date]:
    """First and last day of the calendar period that holds a day."""
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    if period == "month":
        return day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
    if period == "year":
        return day.replace(month=1, day=1), day.replace(month=12, day=31)
    if period == "lifetime":
        return site.installed, today
    return day, day


def _days(site_days: SiteDays, site: Site, asked: Window, now_s: float) -> Iterator[SiteDay]:
    """The site's local days that have started and touch the window; none for a midnight end."""
    if asked.ends_at_midnight:
        return
    day = max(site.installed, local_date(site.zone, asked.start_s))
    last = local_date(site.zone, min(asked.end_s, now_s))
    while day <= last:
        yield site_days.day(site, day)
        day += timedelta(days=1)


def _steps(
    site_days: SiteDays, site: Site, asked: Window, now_s: float
) -> Iterator[tuple[SiteDay, int, int]]:
    """Complete steps in the window: the day, the step's index and its start [unix s]."""
    for day in _days(site_days, site, asked, now_s):
        for index in range(day.steps):
            start_s = day.start_s + index * STEP_S
            if asked.start_s <= start_s <= asked.end_s and start_s + STEP_S <= now_s:
                yield day, index, start_s


def energy_series(
    site_days: SiteDays, site: Site, asked: Window, period: str, now_s: float
) -> list[dict[str, Any]]:
    """kind=energy [Wh]: 5-minute buckets of a day; days, months or years of longer periods."""
    rounded: dict[date, list[Bucket]] = {}
    grouped: dict[tuple[int, ...], tuple[int, list[Bucket]]] = {}
    series = []
    for day, index, start_s in _steps(site_days, site, asked, now_s):
        if day.day not in rounded:
            rounded[day.day] = day_buckets(day)
        bucket = rounded[day.day][index]
        if period == "day":
            stamp = local_iso(asked.zone, start_s)
            series.append({"timestamp": stamp, **bucket.answer(), "raw_timestamp": stamp})
        else:
            key = _group(day.day, period)
            grouped.setdefault(key, (start_s, []))[1].append(bucket)
    for start_s, buckets in grouped.values():
        stamp = local_iso(asked.zone, start_s)
        series.append({"timestamp": stamp, **total(buckets).answer(), "raw_timestamp": stamp})
    return series


def _group(day: date, period: str) -> tuple[int, ...]:
    """What a bucket of a long period is added up by: day, month or year."""
    return {
        "week": (day.year, day.month, day.day),
        "month": (day.year, day.month, day.day),
        "year": (day.year, day.month),
        "lifetime": (day.year,),
    }[period]


def power_series(
    site_days: SiteDays, site: Site, asked: Window, now_s: float
) -> list[dict[str, Any]]:
    """kind=power: mean W per 5 minutes; battery > 0 discharges, grid > 0 imports, no load."""
    return [
        {
            "timestamp": local_iso(asked.zone, start_s),
            "solar_power": round(flow.solar_w),
            "battery_power": round(flow.battery_w),
            "grid_power": round(flow.grid_w),
            "grid_services_power": 0,
            "generator_power": round(flow.generator_w),
        }
        for day, index, start_s in _steps(site_days, site, asked, now_s)
        for flow in (day.flows(index),)
    ]


def soe_series(
    site_days: SiteDays, site: Site, asked: Window, now_s: float
) -> list[dict[str, Any]]:
    """kind=soe: state of charge in whole % at the start of each complete quarter of an hour."""
    capacity_wh = site.battery.capacity_wh
    return [
        {
            "timestamp": local_iso(asked.zone, start_s),
            "soe": round(100 * day.stored_wh(start_s) / capacity_wh),
        }
        for day, _, start_s in _steps(site_days, site, asked, now_s)
        if start_s % SOE_STEP_S == 0 and start_s + SOE_STEP_S <= now_s
    ]


def backup_events(
    site_days: SiteDays, site: Site, asked: Window, now_s: float
) -> list[dict[str, Any]]:
    """kind=backup: outages that are over, newest first; `duration` in ms as captured."""
    outages = [day.outage for day in _days(site_days, site, asked, now_s) if day.outage]
    return [
        {
            "timestamp": local_iso(asked.zone, outage.start_s),
            "duration": (outage.end_s - outage.start_s) * 1000,
        }
        for outage in reversed(outages)
        if asked.start_s <= outage.start_s <= asked.end_s and outage.end_s <= now_s
    ]
