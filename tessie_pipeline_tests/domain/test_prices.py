"""The price of a moment and of a window, against what a person reads off the clock."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.domain.prices import (
    INTERVAL_PRICES,
    PRICES,
    interval_prices,
    prices_over,
    version_at,
    version_changes,
)
from tessie_pipeline.domain.tariffs import Rate, Season, Tariff
from tessie_pipeline_tests.domain.priced import BERLIN, NIGHT, buy, local, tariff, utc


def price(version: Tariff, at: str) -> str:
    return str(version.price("buy", local(at, version.time_zone)))


def stretches(
    versions: Sequence[Tariff], start: datetime, end: datetime
) -> list[tuple[datetime, str | None]]:
    """Start and price of each stretch, which are checked to cover the window."""
    found = prices_over(versions, start, end)
    assert found.schema == PRICES
    assert found["start"].to_list() == [start, *found["end"].to_list()[:-1]]
    assert found["end"].to_list()[-1] == end
    return [
        (since, None if cost is None else f"{cost.normalize():f}")
        for since, cost in found.select("start", "buy_price").iter_rows()
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-06-01T21:59:59", "0.35"), ("2026-06-01T22:00", "0.22"),
        ("2026-06-02T00:00", "0.22"), ("2026-06-02T05:59", "0.22"), ("2026-06-02T06:00", "0.35"),
    ],
)  # fmt: skip
def test_hours_go_on_over_midnight_and_end_before_their_end(at: str, expected: str) -> None:
    assert price(NIGHT, at) == expected


def test_hours_after_midnight_belong_to_the_day_on_which_they_began() -> None:
    # 5 June 2026 is a Friday.
    friday_night = tariff(buy("0.1", "22:00", "06:00", weekdays=frozenset({5})), buy("0.3"))
    assert price(friday_night, "2026-06-05T03:00") == "0.3"
    assert price(friday_night, "2026-06-05T23:00") == "0.1"
    assert price(friday_night, "2026-06-06T03:00") == "0.1"
    assert price(friday_night, "2026-06-06T23:00") == "0.3"


def test_the_first_rate_that_holds_counts() -> None:
    assert price(tariff(buy("0.1", "12:00", "13:00"), buy("0.3")), "2026-06-01T12:30") == "0.1"
    assert price(tariff(buy("0.3"), buy("0.1", "12:00", "13:00")), "2026-06-01T12:30") == "0.3"


def test_a_season_ends_at_midnight_also_within_the_hours_of_a_night() -> None:
    summer = Season((4, 1), (9, 30))
    seasonal = tariff(buy("0.2", "22:00", "06:00", season=summer), buy("0.4"))
    assert price(seasonal, "2026-09-30T23:59") == "0.2"
    assert price(seasonal, "2026-10-01T00:00") == "0.4"


def test_export_earns_nothing_where_a_tariff_has_no_price_for_it() -> None:
    assert tariff(buy("0.3")).price("sell", local("2026-06-01T12:00")) == 0
    assert NIGHT.price("sell", local("2026-06-01T12:00")) == Decimal("0.08")


def test_a_window_without_prices_shows_them_as_stretches_without_one() -> None:
    office_hours = tariff(buy("0", "08:00", "18:00"), valid_to=date(2026, 6, 2))
    found = prices_over([office_hours], local("2026-06-01T12:00"), local("2026-06-03T00:00"))
    assert found.select("start", "tariff_id", "buy_price").rows() == [
        (local("2026-06-01T12:00"), office_hours.tariff_id, 0),
        (local("2026-06-01T18:00"), office_hours.tariff_id, None),
        (local("2026-06-02T00:00"), None, None),
    ]


def test_the_spring_night_is_an_hour_shorter() -> None:
    # Berlin's clock goes from 2:00 to 3:00 on 29 March 2026: 22:00 is 21:00 UTC, 6:00 is 4:00 UTC.
    assert stretches([NIGHT], utc("2026-03-28T12:00"), utc("2026-03-29T12:00")) == [
        (utc("2026-03-28T12:00"), "0.35"),
        (utc("2026-03-28T21:00"), "0.22"),
        (utc("2026-03-29T04:00"), "0.35"),
    ]


def test_the_autumn_night_is_an_hour_longer() -> None:
    # It goes from 3:00 back to 2:00 on 25 October: 22:00 is 20:00 UTC, 6:00 is 5:00 UTC.
    assert stretches([NIGHT], utc("2026-10-24T12:00"), utc("2026-10-25T12:00")) == [
        (utc("2026-10-24T12:00"), "0.35"),
        (utc("2026-10-24T20:00"), "0.22"),
        (utc("2026-10-25T05:00"), "0.35"),
    ]


def test_hours_within_the_skipped_hour_do_not_take_place() -> None:
    skipped = tariff(buy("0.1", "02:15", "02:45"), buy("0.3"))
    assert stretches([skipped], utc("2026-03-29T00:00"), utc("2026-03-29T12:00")) == [
        (utc("2026-03-29T00:00"), "0.3")
    ]


def test_hours_that_begin_in_the_skipped_hour_begin_when_the_clock_has_passed_it() -> None:
    begun = tariff(buy("0.1", "02:30", "04:00"), buy("0.3"))
    assert stretches([begun], utc("2026-03-29T00:00"), utc("2026-03-29T12:00")) == [
        (utc("2026-03-29T00:00"), "0.3"),
        (utc("2026-03-29T01:00"), "0.1"),
        (utc("2026-03-29T02:00"), "0.3"),
    ]


def test_hours_within_the_repeated_hour_take_place_twice() -> None:
    # 2:15 to 2:45 in summer time is 0:15 to 0:45 UTC, in winter time 1:15 to 1:45.
    repeated = tariff(buy("0.1", "02:15", "02:45"), buy("0.3"))
    assert stretches([repeated], utc("2026-10-25T00:00"), utc("2026-10-25T12:00")) == [
        (utc("2026-10-25T00:00"), "0.3"),
        (utc("2026-10-25T00:15"), "0.1"),
        (utc("2026-10-25T00:45"), "0.3"),
        (utc("2026-10-25T01:15"), "0.1"),
        (utc("2026-10-25T01:45"), "0.3"),
    ]


def test_hours_of_a_zone_at_half_an_hour_begin_at_half_an_hour_of_utc() -> None:
    # Adelaide is 9:30 ahead of UTC in winter: 22:00 is 12:30, 6:00 is 20:30.
    night = replace(NIGHT, time_zone="Australia/Adelaide")
    assert stretches([night], utc("2026-07-01T12:00"), utc("2026-07-01T21:00")) == [
        (utc("2026-07-01T12:00"), "0.35"),
        (utc("2026-07-01T12:30"), "0.22"),
        (utc("2026-07-01T20:30"), "0.35"),
    ]


OLD = tariff(buy("0.30"))
NEW = tariff(buy("0.32"), valid_from=date(2026, 1, 1))


def test_a_new_version_takes_over_from_its_local_midnight() -> None:
    assert stretches([NEW, OLD], utc("2025-12-31T12:00"), utc("2026-01-01T12:00")) == [
        (utc("2025-12-31T12:00"), "0.3"),
        (utc("2025-12-31T23:00"), "0.32"),
    ]
    day = (utc("2025-12-31T12:00"), utc("2026-01-01T12:00"))
    assert version_changes([NEW, OLD], *day) == [utc("2025-12-31T23:00")]


def test_an_older_version_counts_again_when_the_newer_one_has_ended() -> None:
    offer = tariff(buy("0.1"), valid_from=date(2026, 3, 1), valid_to=date(2026, 4, 1))
    versions = [offer, NEW, OLD]
    assert version_at(versions, local("2026-02-28T23:59")) == NEW
    assert version_at(versions, local("2026-03-31T23:59")) == offer
    assert version_at(versions, local("2026-04-01T00:00")) == NEW


clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
days_of_year = st.dates(date(2028, 1, 1), date(2028, 12, 31)).map(lambda d: (d.month, d.day))
rates = st.builds(
    Rate,
    st.sampled_from(["buy", "sell"]),
    st.decimals(-1, 1, places=2),
    season=st.none() | st.builds(Season, days_of_year, days_of_year),
    weekdays=st.frozensets(st.integers(1, 7), min_size=1),
    start=clocks,
    end=clocks,
)
changing_zones = st.sampled_from(
    [BERLIN, "Australia/Lord_Howe", "America/Havana", "America/Santiago", "Asia/Kathmandu"]
)


@st.composite
def versions_of_one(draw: st.DrawFn) -> list[Tariff]:
    zone = draw(changing_zones)
    froms = draw(st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=2, unique=True))
    return [
        tariff(buy("0.5", "06:00", "05:00"), *draw(st.lists(rates, max_size=3)), zone=zone,
               valid_from=since)
        for since in [None, *froms]
    ]  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(versions_of_one(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 28)),  # noqa: DTZ001
       st.integers(1, 4 * 24 * 60), st.data())  # fmt: skip
def test_stretches_cover_a_window_and_have_the_price_of_each_of_their_moments(
    versions: list[Tariff], begin: datetime, minutes: int, data: st.DataObject
) -> None:
    start = begin.replace(tzinfo=UTC)
    end = start + minutes * timedelta(minutes=1)
    found = prices_over(versions, start, end)
    assert [start, *found["end"]] == [*found["start"], end]
    assert (found["start"] < found["end"]).all()
    moment = start + (end - start) * data.draw(st.floats(0, 0.999))
    row = found.filter(pl.col("start") <= moment, pl.col("end") > moment).row(0, named=True)
    version = version_at(versions, moment)
    assert version is not None
    assert row["tariff_id"] == version.tariff_id
    assert row["buy_price"] == version.price("buy", moment)
    assert row["sell_price"] == version.price("sell", moment)


def test_intervals_have_the_prices_of_their_sites_tariff() -> None:
    midnight = local("2026-06-01T00:00")
    times = [midnight + hour * timedelta(hours=1) for hour in (5, 6, 21, 22)]
    at = pl.DataFrame({"site_id": ["home"] * 4 + ["hut"], "timestamp": [*times, times[0]]})
    minutes = tariff(buy("0.1", unit="minute"), name="Minutes")
    found = interval_prices(at, {"home": [NIGHT], "hut": [minutes], "else": [NIGHT]})
    assert found.schema == INTERVAL_PRICES
    prices = found.sort("timestamp").drop("site_id").rows()
    bought = [0.22, 0.35, 0.35, 0.22]
    expected = [(time, price, 0.08, "EUR") for time, price in zip(times, bought, strict=True)]
    assert prices == expected


def test_intervals_before_a_tariff_holds_have_no_price() -> None:
    june = tariff(buy("0.3"), valid_from=date(2026, 6, 1))
    times = [local("2026-05-31T23:55"), local("2026-06-01T00:00")]
    at = pl.DataFrame({"site_id": ["home"] * 2, "timestamp": times})
    found = interval_prices(at, {"home": [june]}).sort("timestamp")
    assert found.select("buy_price", "sell_price", "currency").rows() == [
        (None, None, None),
        (0.3, 0.0, "EUR"),
    ]
    assert interval_prices(at, {}).is_empty()
