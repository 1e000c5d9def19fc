"""Local days as windows of UTC. The expected instants are worked out from each zone's rules."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessie_pipeline.domain.days import (
    DAY_WINDOWS,
    dates_between,
    day_start,
    day_windows,
    days_between,
    days_with,
    in_their_days,
    rows_by_date,
)
from tessie_pipeline.domain.samples import UTC_TIME

TICK, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
MONDAY = date(2026, 6, 1)

zones = st.sampled_from(sorted(available_timezones()))
dates = st.dates(date(2015, 4, 30), date(2040, 12, 31))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sites(**zone_of: str) -> pl.DataFrame:
    schema = {"site_id": pl.String(), "time_zone": pl.String()}
    return pl.DataFrame(list(zone_of.items()), schema, orient="row")


def samples(*rows: tuple[str, datetime]) -> pl.DataFrame:
    """Samples of sites and times, numbered as given."""
    frame = pl.DataFrame(rows, {"site_id": pl.String(), "timestamp": UTC_TIME}, orient="row")
    return frame.with_row_index("number")


def windows(*rows: tuple[str, date, datetime, datetime]) -> pl.DataFrame:
    return pl.DataFrame(rows, DAY_WINDOWS, orient="row")


# Pacific time is 8 hours behind UTC and 7 in summer; the United States change at 2 o'clock on the
# second Sunday of March and the first of November, the European Union at 1:00 UTC on the last
# Sundays of March and October. Chile changes at 24:00 of a Saturday (3 and 4 hours behind),
# Lebanon at 0:00 of a Sunday (2 and 3 ahead), Cuba at 0:00 and 1:00 (5 and 4 behind), Greenland
# with the Union (2 and 1 behind). Lord Howe is 10:30 ahead and 11:00 in summer.
LOCAL_DAYS = [
    ("UTC", "2026-06-01", "2026-06-01T00:00", 24),
    ("America/Los_Angeles", "2026-03-07", "2026-03-07T08:00", 24),
    ("America/Los_Angeles", "2026-03-08", "2026-03-08T08:00", 23),
    ("America/Los_Angeles", "2026-11-01", "2026-11-01T07:00", 25),
    ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", 23),
    ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", 25),
    ("Asia/Kathmandu", "2026-06-01", "2026-05-31T18:15", 24),
    ("Australia/Adelaide", "2026-10-04", "2026-10-03T14:30", 23),
    ("Australia/Adelaide", "2026-04-05", "2026-04-04T13:30", 25),
    ("Australia/Lord_Howe", "2026-10-04", "2026-10-03T13:30", 23.5),
    ("Australia/Lord_Howe", "2026-04-05", "2026-04-04T13:00", 24.5),
    ("America/Santiago", "2026-09-06", "2026-09-06T04:00", 23),
    ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00", 23),
    ("America/Havana", "2026-11-01", "2026-11-01T04:00", 25),
    ("America/Santiago", "2026-04-04", "2026-04-04T03:00", 25),
    ("America/Nuuk", "2026-03-28", "2026-03-28T02:00", 23),
]


@pytest.mark.parametrize(("zone", "day", "start", "hours"), LOCAL_DAYS)
def test_a_local_day_begins_at_its_first_instant_and_is_as_long_as_its_clocks_make_it(
    zone: str, day: str, start: str, hours: float
) -> None:
    day_after = date.fromisoformat(day) + DAY
    window = day_windows(sites(home=zone), date.fromisoformat(day), day_after)
    assert window.schema == DAY_WINDOWS
    end = utc(start) + hours * HOUR
    assert window.rows() == [("home", date.fromisoformat(day), utc(start), end)]
    assert day_start(day_after, ZoneInfo(zone)) == end


def test_each_site_has_its_own_days_of_the_same_dates() -> None:
    households = sites(west="America/Los_Angeles", north="Europe/Berlin", inn="Europe/Berlin")
    assert day_windows(households, date(2026, 3, 28), date(2026, 3, 30)).rows() == [
        ("inn", date(2026, 3, 28), utc("2026-03-27T23:00"), utc("2026-03-28T23:00")),
        ("inn", date(2026, 3, 29), utc("2026-03-28T23:00"), utc("2026-03-29T22:00")),
        ("north", date(2026, 3, 28), utc("2026-03-27T23:00"), utc("2026-03-28T23:00")),
        ("north", date(2026, 3, 29), utc("2026-03-28T23:00"), utc("2026-03-29T22:00")),
        ("west", date(2026, 3, 28), utc("2026-03-28T07:00"), utc("2026-03-29T07:00")),
        ("west", date(2026, 3, 29), utc("2026-03-29T07:00"), utc("2026-03-30T07:00")),
    ]


def test_no_sites_or_no_dates_have_no_days() -> None:
    for found in (
        day_windows(sites(), MONDAY, MONDAY + DAY),
        day_windows(sites(home="UTC"), MONDAY, MONDAY),
    ):
        assert found.schema == DAY_WINDOWS
        assert found.is_empty()


def test_dates_run_up_to_the_end_and_not_beyond() -> None:
    assert dates_between(date(2024, 2, 28), date(2024, 3, 1)) == [
        date(2024, 2, 28),
        date(2024, 2, 29),
    ]
    assert dates_between(MONDAY, MONDAY) == []


@settings(deadline=None)
@given(zone=zones, first=dates, count=st.integers(1, 400))
def test_consecutive_days_tile_time_and_show_their_date_from_first_to_last_instant(
    zone: str, first: date, count: int
) -> None:
    found = day_windows(sites(home=zone), first, first + count * DAY)
    assert found["date"].to_list() == [first + n * DAY for n in range(count)]
    assert found["start"].to_list()[1:] == found["end"].to_list()[:-1]
    clock = ZoneInfo(zone)
    for _, day, start, end in found.iter_rows():
        assert (start - TICK).astimezone(clock).date() == day - DAY
        assert start.astimezone(clock).date() == day
        assert (end - TICK).astimezone(clock).date() == day


@settings(deadline=None)
@given(
    home=st.sampled_from(LOCAL_DAYS),
    cabin=zones,
    times=st.lists(
        st.tuples(st.sampled_from(["home", "cabin"]), st.integers(-30 * 3600, 130 * 3600))
    ),
)
def test_a_sample_lies_in_the_one_day_that_its_sites_wall_calendar_shows(
    home: tuple[str, str, str, float], cabin: str, times: list[tuple[str, int]]
) -> None:
    zone_of = {"home": home[0], "cabin": cabin}
    first = date.fromisoformat(home[1]) - DAY
    last = first + 3 * DAY
    anchor = datetime(first.year, first.month, first.day, tzinfo=UTC)
    rows = [(site, anchor + timedelta(seconds=after_s)) for site, after_s in times]
    found = in_their_days(samples(*rows), day_windows(sites(**zone_of), first, last + DAY))
    shown = [time.astimezone(ZoneInfo(zone_of[site])).date() for site, time in rows]
    expected = {number: day for number, day in enumerate(shown) if first <= day <= last}
    assert dict(found.select("number", "date").iter_rows()) == expected
    assert found.height == len(expected)


def test_a_day_holds_its_first_instant_and_not_the_next_days() -> None:
    start, end = utc("2026-03-08T08:00"), utc("2026-03-09T07:00")
    day = day_windows(sites(home="America/Los_Angeles"), date(2026, 3, 8), date(2026, 3, 9))
    given_samples = samples(*(("home", time) for time in (end, end - TICK, start, start - TICK)))
    assert in_their_days(given_samples, day).rows() == [
        (2, "home", start, date(2026, 3, 8), start, end),
        (1, "home", end - TICK, date(2026, 3, 8), start, end),
    ]


def test_the_same_instant_is_of_different_days_at_two_sites() -> None:
    days = day_windows(sites(east="Asia/Tokyo", west="America/Los_Angeles"), MONDAY, MONDAY + DAY)
    noon = utc("2026-06-01T12:00")
    rows = [(site, noon + n * 6 * HOUR) for n in (-2, 0, 2) for site in ("east", "west", "south")]
    found = in_their_days(samples(*rows), days.with_columns(note=pl.col("site_id").str.head(1)))
    assert found.select("number", "site_id", "date", "note").rows() == [
        (0, "east", MONDAY, "e"),
        (3, "east", MONDAY, "e"),
        (4, "west", MONDAY, "w"),
        (7, "west", MONDAY, "w"),
    ]


def test_samples_between_two_days_that_do_not_touch_are_left_out() -> None:
    start = utc("2026-06-01T00:00")
    apart = windows(
        ("home", MONDAY + 2 * DAY, start + 2 * DAY, start + 3 * DAY),
        ("home", MONDAY, start, start + DAY),
    )
    given_samples = samples(*(("home", start + n * DAY / 2) for n in range(-1, 8)))
    assert in_their_days(given_samples, apart)["number"].to_list() == [1, 2, 5, 6]


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in order", "backwards"])
def test_a_date_that_a_zone_skipped_takes_nothing_from_the_day_after(is_reversed: bool) -> None:
    """Samoa went from 29 to 31 December 2011, at 10:00 UTC."""
    found = day_windows(sites(home="Pacific/Apia"), date(2011, 12, 29), date(2012, 1, 1))
    change = utc("2011-12-30T10:00")
    assert found.select("start", "end").rows() == [
        (change - DAY, change),
        (change, change),
        (change, change + DAY),
    ]
    rows = [("home", change - TICK), ("home", change), ("home", change + TICK)]
    days = found.reverse() if is_reversed else found
    assert in_their_days(samples(*rows), days)["date"].dt.day().to_list() == [29, 31, 31]


def test_days_without_samples_are_left_out() -> None:
    days = day_windows(sites(a="UTC", b="UTC"), MONDAY, MONDAY + 2 * DAY)
    start = utc("2026-06-01T00:00")
    found = days_with(samples(("a", start), ("a", start + TICK), ("b", start + DAY)), days)
    assert found.rows() == [
        ("a", MONDAY, start, start + DAY),
        ("b", MONDAY + DAY, start + DAY, start + 2 * DAY),
    ]


def test_rows_are_counted_by_date_over_all_sites() -> None:
    days = day_windows(sites(a="Asia/Tokyo", b="UTC"), MONDAY, MONDAY + 2 * DAY)
    start = utc("2026-06-01T00:00")
    times = [("a", start - 9 * HOUR), ("a", start), ("b", start), ("a", start + 15 * HOUR)]
    outside = [("a", start - 10 * HOUR), ("b", start - TICK), ("b", start + 2 * DAY)]
    found = rows_by_date(samples(*times, *outside), days)
    assert found.rows() == [(MONDAY, 3), (MONDAY + DAY, 1)]


def test_no_samples_and_no_windows_are_no_rows() -> None:
    days = day_windows(sites(home="UTC"), MONDAY, MONDAY + DAY)
    some = samples(("home", utc("2026-06-01T12:00")))
    for left, right in ((some.clear(), days), (some, days.clear())):
        found = in_their_days(left, right)
        assert found.is_empty()
        assert found.columns == ["number", "site_id", "timestamp", "date", "start", "end"]
        assert days_with(left, right).is_empty()
        assert rows_by_date(left, right).is_empty()


def test_the_days_of_a_span_are_all_from_its_first_to_its_last_date_on_its_own_clock() -> None:
    june = date(2026, 6, 1)
    spans = pl.DataFrame(
        {
            "site_id": ["home", "hut"],
            "time_zone": ["Europe/Berlin", "Asia/Tokyo"],
            "first": [june, june + timedelta(2)],
            "last": [june + timedelta(1), june + timedelta(2)],
        }
    )
    found = days_between(spans)
    assert found.select("site_id", "date").rows() == [
        ("home", june),
        ("home", june + timedelta(1)),
        ("hut", june + timedelta(2)),
    ]
    assert found["start"].dt.hour().to_list() == [22, 22, 15]
    assert found["time_zone"].to_list() == ["Europe/Berlin", "Europe/Berlin", "Asia/Tokyo"]
    assert days_between(spans.clear()).schema == found.schema
