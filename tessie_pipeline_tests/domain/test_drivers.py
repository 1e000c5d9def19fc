"""Who drove, by rules written by hand. 1 June 2026 is a Monday."""

from datetime import UTC, datetime, time
from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.drivers import DRIVER_RULES, driver_of
from tessie_pipeline.domain.samples import UTC_TIME

DRIVE = {
    "vehicle_id": pl.String(),
    "started_at": UTC_TIME,
    "start_place_id": pl.String(),
    "end_place_id": pl.String(),
}
DEFAULT = {"driver_id": "Ada", "vehicle_id": "red", "priority": 100}
"""Ada drives the red car unless another rule says so."""
MONDAY, TUESDAY, FRIDAY, SATURDAY, SUNDAY = 1, 2, 16, 32, 64


def at(day: int, hour: int, minute: int = 0) -> dict[str, Any]:
    """A drive of the red car in June 2026 (UTC)."""
    started_at = datetime(2026, 6, day, hour, minute, tzinfo=UTC)
    return {"vehicle_id": "red", "started_at": started_at}


def rule(driver_id: str, **asked: Any) -> dict[str, Any]:
    return {"driver_id": driver_id, "priority": 10} | asked


def who(
    drives: list[dict[str, Any]], *rules: dict[str, Any], zone: str = "UTC"
) -> list[str | None]:
    frame = pl.DataFrame(drives, DRIVE)
    return driver_of(frame, pl.DataFrame([DEFAULT, *rules], DRIVER_RULES), zone).to_list()


def test_without_a_rule_the_default_driver_of_the_vehicle_drives_or_nobody() -> None:
    assert who([at(1, 8), at(1, 9) | {"vehicle_id": "blue"}]) == ["Ada", None]
    assert who([]) == []
    assert who([], rule("Otto")) == []


def test_without_any_rule_nobody_is_known_to_drive() -> None:
    drives = pl.DataFrame([at(1, 8), at(1, 9)], DRIVE)
    assert driver_of(drives, DRIVER_RULES.to_frame(), "UTC").to_list() == [None, None]


def test_a_rule_that_asks_for_nothing_is_for_every_drive() -> None:
    assert who([at(1, 8), at(2, 9) | {"vehicle_id": "blue"}], rule("Otto")) == ["Otto", "Otto"]


@pytest.mark.parametrize("name", ["vehicle_id", "start_place_id", "end_place_id"])
def test_a_rule_counts_for_its_vehicle_and_its_places_only(name: str) -> None:
    drives = [at(1, 8) | {name: value} for value in ("here", "there", None)]
    found = who(drives, rule("Otto", **{name: "here"}))
    assert found[0] == "Otto"
    assert "Otto" not in found[1:]


def test_a_rule_asks_for_all_that_it_names_together() -> None:
    way = {"start_place_id": "home", "end_place_id": "work"}
    drives = [at(1, 8) | way, at(1, 8) | way | {"end_place_id": "shop"}, at(1, 12) | way]
    asked = rule("Otto", **way, start_time=time(7), end_time=time(9))
    assert who(drives, asked) == ["Otto", "Ada", "Ada"]


def test_a_time_begins_with_its_start_and_ends_before_its_end() -> None:
    drives = [at(1, 6, 59), at(1, 7), at(1, 8, 59), at(1, 9)]
    morning = rule("Otto", start_time=time(7), end_time=time(9))
    assert who(drives, morning) == ["Ada", "Otto", "Otto", "Ada"]


def test_a_time_without_an_end_lasts_until_midnight_and_one_without_a_start_begins_there() -> None:
    drives = [at(1, 0), at(1, 11), at(1, 12), at(1, 23, 59)]
    assert who(drives, rule("Otto", start_time=time(12))) == ["Ada", "Ada", "Otto", "Otto"]
    assert who(drives, rule("Otto", end_time=time(12))) == ["Otto", "Otto", "Ada", "Ada"]


def test_a_time_may_go_on_past_midnight_and_is_of_the_day_on_which_it_began() -> None:
    # Friday is the 5th; Sunday the 7th, and its night ends on Monday the 8th.
    drives = [at(5, 21), at(5, 23), at(6, 1), at(6, 3), at(6, 23), at(7, 1)]
    night = {"start_time": time(22), "end_time": time(2)}
    assert who(drives, rule("Otto", **night)) == ["Ada", "Otto", "Otto", "Ada", "Otto", "Otto"]
    friday = rule("Otto", **night, weekdays=FRIDAY)
    assert who(drives, friday) == ["Ada", "Otto", "Otto", "Ada", "Ada", "Ada"]
    sunday = rule("Otto", **night, weekdays=SUNDAY)
    assert who([at(7, 23), at(8, 1), at(7, 1)], sunday) == ["Otto", "Otto", "Ada"]


def test_weekdays_add_up() -> None:
    week = [at(day, 12) for day in range(1, 8)]
    found = who(week, rule("Otto", weekdays=MONDAY + TUESDAY + SUNDAY))
    assert found == ["Otto", "Otto", "Ada", "Ada", "Ada", "Ada", "Otto"]


def test_times_and_weekdays_are_local() -> None:
    # 22:30 UTC on Sunday the 31st of May is 00:30 of Monday in Berlin, which is on summer time.
    drives = [{"vehicle_id": "red", "started_at": datetime(2026, 5, 31, 22, 30, tzinfo=UTC)}]
    asked = rule("Otto", weekdays=MONDAY, start_time=time(0), end_time=time(1))
    assert who(drives, asked, zone="Europe/Berlin") == ["Otto"]
    assert who(drives, asked) == ["Ada"]


def test_the_lowest_priority_counts_then_the_rule_that_asks_for_more() -> None:
    drives = [at(1, 8) | {"start_place_id": "home"}]
    wide = rule("Otto", start_place_id="home")
    narrow = rule("Marie", start_place_id="home", weekdays=MONDAY)
    first = rule("Lise", priority=1)
    assert who(drives, wide, narrow) == who(drives, narrow, wide) == ["Marie"]
    assert who(drives, wide, narrow, first) == ["Lise"]
