"""Intervals of a home with a battery, written as what flows, for tests by hand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl

from tessie_pipeline.domain.battery_frames import BATTERIES
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.samples import ENERGY_INTERVALS

MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
FIRST = MIDNIGHT.date()
Row = Mapping[str, float | None]

STEP, DAY = timedelta(minutes=5), timedelta(days=1)


def intervals(*rows: Row, site: str = "home", start: datetime = MIDNIGHT) -> pl.DataFrame:
    """`ENERGY_INTERVALS` one after the other; an empty row is one that is missing."""
    full = [
        {"site_id": site, "timestamp": start + number * STEP, "coverage": 1.0} | dict(row)
        for number, row in enumerate(rows)
        if row
    ]
    return pl.DataFrame(full, ENERGY_INTERVALS)


def batteries(
    capacity_wh: float | None = 10_000.0, sites: Sequence[str] = ("home",)
) -> pl.DataFrame:
    return pl.DataFrame([(site, capacity_wh) for site in sites], BATTERIES, orient="row")


def windows(days: int = 1, first: date = FIRST, sites: Sequence[str] = ("home",)) -> pl.DataFrame:
    zones = pl.DataFrame({"site_id": sites, "time_zone": ["UTC"] * len(sites)})
    return day_windows(zones, first, first + days * DAY)
