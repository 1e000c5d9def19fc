"""Which plug-in a bill or a charge of a wall connector belongs to, by hand; times of one day."""

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.charging_matches import (
    MATCHED_BILLS,
    MATCHED_CHARGES,
    MATCHED_SESSIONS,
    match_bills,
    match_charges,
)

ANN, BOB = "0a" * 16, "0b" * 16
HOME, CABIN = "0c" * 16, "0d" * 16
MIDNIGHT = datetime(2026, 7, 1, tzinfo=UTC)


def at(clock: str | None) -> datetime | None:
    """The time that a clock shows, such as 17:05."""
    if clock is None:
        return None
    hours, minutes = map(int, clock.split(":"))
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes)


def session(start: str, end: str | None, **other: Any) -> dict[str, Any]:
    """A plug-in of Ann's, of which neither place nor kind is known unless it is said."""
    usual = {"vehicle_id": ANN, "ended_after": at(end), "site_id": None, "is_dc": None}
    return usual | {"started_at": at(start), "ended_at": at(end)} | other


def bill(number: int, start: str, end: str | None = None, **other: Any) -> dict[str, Any]:
    times = {"started_at": at(start), "stopped_at": at(end), "unlatched_at": at(end)}
    return {"session_id": number, "vehicle_id": ANN} | times | other


def charge(start: str, minutes: int, **other: Any) -> dict[str, Any]:
    """A charge at home of Ann's car."""
    usual = {"site_id": HOME, "din": "din", "energy_wh": 1000.0, "vin": "ANN", "vehicle_id": ANN}
    return usual | {"started_at": at(start), "duration_s": 60 * minutes} | other


def billed(sessions: list[dict[str, Any]], *bills: dict[str, Any]) -> dict[int, str]:
    """The clock at the start of the plug-in of each bill that has one."""
    found = match_bills(
        pl.DataFrame(sessions, MATCHED_SESSIONS), pl.DataFrame(bills, MATCHED_BILLS)
    )
    rows = found.select("session_id", "session_started_at").iter_rows()
    return {number: f"{start:%-H:%M}" for number, start in rows}


def charged(sessions: list[dict[str, Any]], *charges: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The clocks at the start of each charge that has a plug-in, whose that is, and its start."""
    found = match_charges(
        pl.DataFrame(sessions, MATCHED_SESSIONS), pl.DataFrame(charges, MATCHED_CHARGES)
    )
    rows = found.select("started_at", "vehicle_id", "session_started_at").iter_rows()
    names = {ANN: "Ann", BOB: "Bob"}
    return [(f"{start:%-H:%M}", names[own], f"{plug_in:%-H:%M}") for start, own, plug_in in rows]


def test_a_bill_belongs_to_the_plug_in_at_its_time() -> None:
    sessions = [session("8:00", "9:00"), session("17:00", "17:40"), session("22:00", "23:00")]
    assert billed(sessions, bill(1, "17:02", "17:38")) == {1: "17:00"}


def test_a_bill_of_another_vehicle_belongs_to_none_of_this_one() -> None:
    assert billed([session("17:00", "17:40")], bill(1, "17:02", "17:38", vehicle_id=BOB)) == {}


def test_the_longest_time_in_common_wins() -> None:
    # The bill lasts from 9:00 to 10:00: 10 minutes of it in the first plug-in, 45 in the second.
    sessions = [session("8:00", "9:10"), session("9:15", "10:30")]
    assert billed(sessions, bill(1, "9:00", "10:00")) == {1: "9:15"}


def test_two_bills_have_a_plug_in_each() -> None:
    # Bill 1 shares 25 minutes with the first plug-in; bill 2 shares 5 with it and 15 with the
    # second, which is seen late.
    sessions = [session("17:00", "17:35"), session("17:40", "18:00")]
    bills = bill(1, "17:01", "17:26"), bill(2, "17:30", "17:55")
    assert billed(sessions, *bills) == {1: "17:00", 2: "17:40"}


def test_bills_one_after_the_other_in_one_plug_in_are_both_of_it() -> None:
    bills = bill(1, "17:02", "17:10"), bill(2, "17:12", "17:38"), bill(3, "17:50", "18:00")
    assert billed([session("17:00", "17:40")], *bills) == {1: "17:00", 2: "17:00"}


def test_of_two_bills_of_the_same_time_the_one_that_shares_more_has_the_plug_in() -> None:
    bills = bill(1, "17:02", "17:15"), bill(2, "17:12", "17:38")
    assert billed([session("17:00", "17:40")], *bills) == {2: "17:00"}


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("16:31", "16:50", {1: "17:00"}),
        ("16:29", "16:50", {}),
        ("17:28", "17:50", {1: "17:00"}),
        ("17:31", "17:50", {}),
    ],
)
def test_a_bill_that_meets_none_belongs_to_one_that_began_within_half_an_hour(
    start: str, end: str, found: dict[int, str]
) -> None:
    # A car seen once in half an hour: the plug-in is taken to lie between two samples.
    assert billed([session("17:00", "17:10")], bill(1, start, end)) == found


def test_a_bill_that_meets_none_is_not_of_a_charge_with_ac() -> None:
    at_home = session("17:00", "17:10", is_dc=False)
    assert billed([at_home], bill(1, "17:20", "17:40")) == {}
    assert billed([at_home | {"is_dc": True}], bill(1, "17:20", "17:40")) == {1: "17:00"}


def test_the_nearest_start_counts_among_those_that_meet_none() -> None:
    sessions = [session("16:40", "16:45"), session("17:10", "17:15")]
    assert billed(sessions, bill(1, "16:50", "17:00")) == {1: "16:40"}


def test_a_plug_in_that_lasts_is_known_as_long_as_it_was_seen() -> None:
    lasting = session("8:00", None, ended_after=at("9:00"))
    assert billed([lasting], bill(1, "8:30", "8:50")) == {1: "8:00"}
    assert billed([lasting], bill(1, "15:00", "15:30")) == {}


def test_a_bill_without_an_end_belongs_to_the_plug_in_around_its_start() -> None:
    assert billed([session("17:00", "17:40")], bill(1, "17:35")) == {1: "17:00"}


def test_all_charges_of_a_wall_connector_in_a_plug_in_belong_to_it() -> None:
    # Plugged in over night: preheating too is given by the wall connector.
    night = session("20:00", "31:00", site_id=HOME, is_dc=False)
    charges = charge("20:01", 90), charge("27:00", 35), charge("30:40", 15)
    assert charged([night], *charges) == [
        ("20:01", "Ann", "20:00"),
        ("3:00", "Ann", "20:00"),
        ("6:40", "Ann", "20:00"),
    ]


def test_a_charge_of_a_named_car_needs_no_place_but_no_other_place_either() -> None:
    unplaced = session("20:00", "22:00")
    assert charged([unplaced], charge("20:05", 30)) == [("20:05", "Ann", "20:00")]
    assert charged([unplaced | {"site_id": CABIN}], charge("20:05", 30)) == []
    assert charged([unplaced | {"vehicle_id": BOB}], charge("20:05", 30)) == []


def test_a_guest_is_none_of_our_cars() -> None:
    home = session("20:00", "22:00", site_id=HOME)
    assert charged([home], charge("20:05", 30, vin="GUEST", vehicle_id=None)) == []


def test_where_tesla_names_no_car_the_site_and_the_time_tell_it() -> None:
    home = session("20:00", "22:00", site_id=HOME)
    unnamed = charge("20:05", 30, vin=None, vehicle_id=None)
    assert charged([home], unnamed) == [("20:05", "Ann", "20:00")]
    assert charged([home | {"site_id": None}], unnamed) == []
    assert charged([home | {"is_dc": True}], unnamed) == []
    # Bob's car came at 20:20: half of the charge is before that.
    late = session("20:20", "23:00", site_id=HOME, vehicle_id=BOB)
    assert charged([home, late], unnamed) == [("20:05", "Ann", "20:00")]


def test_a_charge_without_a_name_is_nobodys_while_two_cars_were_plugged_in_alike() -> None:
    both = [session("20:00", "22:00", site_id=HOME, vehicle_id=car) for car in (ANN, BOB)]
    assert charged(both, charge("20:05", 30, vin=None, vehicle_id=None)) == []


@given(st.randoms(use_true_random=False), st.integers(0, 20))
def test_the_order_of_rows_makes_no_difference(rng: random.Random, count: int) -> None:
    def span() -> tuple[str, str]:
        start = rng.randrange(0, 24 * 60)
        end = start + rng.randrange(1, 120)
        return f"{start // 60}:{start % 60:02}", f"{end // 60}:{end % 60:02}"

    starts: set[str] = set()
    sessions = []
    for _ in range(count):
        start, end = span()
        if start not in starts:
            starts.add(start)
            sessions.append(session(start, end))
    bills = [bill(number, *span()) for number in range(count)]
    found = billed(sessions, *bills)

    rng.shuffle(sessions)
    rng.shuffle(bills)

    assert billed(sessions, *bills) == found
    spans = {one["session_id"]: (one["started_at"], one["stopped_at"]) for one in bills}
    for (one, its), (other, others) in combinations(found.items(), 2):
        if its == others:
            first, second = sorted((spans[one], spans[other]))
            assert first[1] <= second[0], "no time is paid for twice"
