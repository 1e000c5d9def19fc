"""Intervals as hours of a site's clock, against hand sums and the days that they add up to."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import daily_totals, hourly_totals
from tessie_pipeline.domain.samples import ENERGY_HOURLY, ENERGY_INTERVALS, KWH_OF

STEP, DAY = timedelta(minutes=5), timedelta(days=1)


def days(zone: str, day: date) -> pl.DataFrame:
    sites = pl.DataFrame({"site_id": ["home"], "time_zone": [zone]})
    return day_windows(sites, day, day + DAY).join(sites, on="site_id")


def whole(windows: pl.DataFrame, site: str = "home") -> pl.DataFrame:
    """A day with every interval: its number in Wh of each energy, its number in % of charge."""
    start, end = windows["start"][0], windows["end"][0]
    rows = [
        {"site_id": site, "timestamp": start + number * STEP, "coverage": 1.0, "source": "test"}
        | dict.fromkeys(KWH_OF.values(), float(number))
        | {"soc_pct": float(number)}
        for number in range((end - start) // STEP)
    ]
    return pl.DataFrame(rows, ENERGY_INTERVALS)


def test_an_hour_is_the_sum_of_its_twelve_intervals_and_ends_with_its_last_charge() -> None:
    windows = days("UTC", date(2026, 6, 1))
    found = hourly_totals(whole(windows), windows)
    assert found.schema == ENERGY_HOURLY
    second = found.row(1, named=True)
    assert second["timestamp"] == datetime(2026, 6, 1, 1, tzinfo=UTC)
    # 12 + 13 + ... + 23 = 210 Wh.
    assert {second[name] for name in KWH_OF} == {0.21}
    assert (second["soc_pct"], second["coverage_pct"], second["source"]) == (23, 100, "test")


@pytest.mark.parametrize(
    ("zone", "day", "hours", "minute"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23, 0),
        ("Europe/Berlin", date(2026, 10, 25), 25, 0),
        ("Asia/Kolkata", date(2026, 6, 1), 24, 30),
        ("Asia/Kathmandu", date(2026, 6, 1), 24, 15),
        ("Australia/Lord_Howe", date(2026, 6, 1), 24, 30),
    ],
)
def test_hours_are_those_of_the_sites_clock(zone: str, day: date, hours: int, minute: int) -> None:
    windows = days(zone, day)
    intervals = whole(windows)
    found = hourly_totals(intervals, windows)
    assert found.height == hours
    assert found["timestamp"].dt.minute().unique().to_list() == [minute]
    assert found["coverage_pct"].unique().to_list() == [100.0]
    of_day = daily_totals(intervals, windows).row(0, named=True)
    assert found.select(pl.col(*KWH_OF).sum()).row(0) == pytest.approx(
        [of_day[name] for name in KWH_OF]
    )


def test_an_hour_that_is_known_in_part_says_so() -> None:
    windows = days("UTC", date(2026, 6, 1))
    some = whole(windows).filter(pl.col("timestamp").dt.minute() < 15).head(3)
    (row,) = hourly_totals(some, windows).rows(named=True)
    assert row["coverage_pct"] == pytest.approx(25)


def test_sites_have_their_own_hours() -> None:
    indian, utc = days("Asia/Kolkata", date(2026, 6, 1)), days("UTC", date(2026, 6, 1))
    both = pl.concat([indian, utc.with_columns(site_id=pl.lit("hut"))])
    intervals = pl.concat([whole(indian), whole(utc, site="hut")])
    found = hourly_totals(intervals, both)
    minutes = found.group_by("site_id").agg(pl.col("timestamp").dt.minute().unique())
    assert dict(minutes.iter_rows()) == {"home": [30], "hut": [0]}
    assert hourly_totals(intervals.clear(), both).schema == ENERGY_HOURLY
