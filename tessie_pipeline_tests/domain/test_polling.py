from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.polling import (
    LONGEST_QUIET,
    SETTLING,
    Activity,
    Availability,
    Call,
    Decision,
    Memory,
    Pace,
    Purpose,
    decide_site,
    decide_vehicle,
    remembered,
)

ELEVEN = datetime(2026, 3, 1, 11, tzinfo=UTC)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
USUAL = Pace()
FREE_ONLY = Pace(is_paying=False)
PARKED = Activity(NOON, "Disconnected", "P", False, False, "off", False)
PLUGGED = replace(PARKED, charging_state="Stopped")
CHARGING = replace(PARKED, charging_state="Charging")
DRIVING = replace(PARKED, shift_state="D", is_user_present=True)
SENTRY = replace(PARKED, is_sentry_on=True)

Ticks = st.lists(st.integers(1, 15), min_size=5, max_size=100)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def online(since: datetime = ELEVEN, before: str | None = "asleep") -> Availability:
    return Availability("online", since, NOON, before)


def answered(
    activity: Activity, ago: float = 5, idle_for: float | None = None
) -> tuple[Memory, datetime]:
    """The memory of an answer some minutes before noon, and when it was asked for."""
    at = NOON - minutes(ago)
    idle_since = None if idle_for is None else NOON - minutes(idle_for)
    return Memory(activity, at, idle_since), at


def decided(activity: Activity, ago: float = 5, idle_for: float | None = None) -> Decision:
    """The decision at noon about a car that has been online for an hour."""
    return decide_vehicle(online(), *answered(activity, ago, idle_for), USUAL, NOON)


def paid_calls(activity: Activity, ticks: list[int], pace: Pace = USUAL) -> list[datetime]:
    """When a car is asked that stays online and always says the same."""
    seen, memory, asked_at, now = online(NOON), None, None, NOON
    calls = []
    for tick in ticks:
        if decide_vehicle(seen, memory, asked_at, pace, now).call is Call.VEHICLE_DATA:
            asked_at = now
            memory = remembered(memory, replace(activity, at=now), now)
            calls.append(now)
        now += minutes(tick)
    return calls


@pytest.mark.parametrize("state", ["asleep", "offline", "unknown"])
@pytest.mark.parametrize("activity", [PARKED, CHARGING, DRIVING, SENTRY])
def test_a_car_that_is_not_online_is_never_asked(state: str, activity: Activity) -> None:
    seen = Availability(state, NOON, NOON, "online")
    decision = decide_vehicle(seen, *answered(activity, ago=500), USUAL, NOON)
    assert decision.call is Call.NOTHING


def test_a_car_that_wakes_by_itself_for_a_moment_is_left_alone() -> None:
    slept = answered(PARKED, ago=600, idle_for=900)
    for since_min in (0, 1, 2, 3):
        seen = online(NOON - minutes(since_min))
        decision = decide_vehicle(seen, *slept, USUAL, NOON)
        assert decision.call is Call.LIST
        assert decision.next_look_at == seen.started_at + minutes(4)


@pytest.mark.parametrize("tick_min", [4, 5, 10, 15])
def test_a_car_that_is_still_online_a_tick_later_is_asked(tick_min: int) -> None:
    seen = online(NOON - minutes(tick_min))
    decision = decide_vehicle(seen, *answered(PARKED, 600, 900), USUAL, NOON)
    assert (decision.call, decision.reason) == (Call.VEHICLE_DATA, "it came online")


@pytest.mark.parametrize("before", [None, "asleep"])
def test_a_car_is_asked_at_once_if_it_was_online_before_anybody_looked(before: str | None) -> None:
    decision = decide_vehicle(online(NOON, before), None, None, USUAL, NOON)
    assert decision.call is (Call.VEHICLE_DATA if before is None else Call.LIST)


@pytest.mark.parametrize("activity", [CHARGING, DRIVING])
def test_what_was_under_way_when_contact_broke_is_asked_for_at_first_sight(
    activity: Activity,
) -> None:
    decision = decide_vehicle(online(NOON), *answered(activity, ago=90), USUAL, NOON)
    assert decision.call is Call.VEHICLE_DATA


@pytest.mark.parametrize(
    ("activity", "purpose"),
    [
        (replace(PARKED, charging_state="Starting"), Purpose.CHARGING),
        (replace(CHARGING, is_sentry_on=True, is_user_present=True), Purpose.CHARGING),
        (replace(PARKED, shift_state="R"), Purpose.DRIVING),
        (replace(PARKED, is_user_present=True), Purpose.DRIVING),
        (replace(PARKED, is_preconditioning=True), Purpose.DRIVING),
        (SENTRY, Purpose.KEPT_AWAKE),
        (replace(PARKED, climate_keeper_mode="dog"), Purpose.KEPT_AWAKE),
        (replace(PARKED, update_status="installing"), Purpose.KEPT_AWAKE),
    ],
    ids=[
        "charging starts",
        "charging, whatever else",
        "reversing",
        "somebody inside",
        "preconditioning",
        "sentry",
        "climate keeper",
        "update",
    ],
)
def test_a_car_that_cannot_sleep_is_asked_at_the_pace_of_its_business(
    activity: Activity, purpose: Purpose
) -> None:
    interval_min = USUAL.of(purpose) / minutes(1)
    assert activity.business[0] is purpose
    assert decided(activity, ago=interval_min + 0.1, idle_for=99).call is Call.VEHICLE_DATA
    assert decided(activity, ago=interval_min - 1, idle_for=99).call is Call.LIST


def test_a_tick_may_come_a_little_early() -> None:
    assert decided(CHARGING, ago=4.7).call is Call.VEHICLE_DATA


def test_quiet_is_not_cut_short_by_an_early_tick() -> None:
    assert decided(PLUGGED, ago=15.9, idle_for=15.9).call is Call.LIST
    assert decided(PLUGGED, ago=16, idle_for=16).call is Call.VEHICLE_DATA


def test_a_parked_car_is_asked_once_more_in_case_it_is_plugged_in_then_left_alone() -> None:
    calls = paid_calls(PARKED, [5] * 8)
    assert [(call - NOON) / minutes(1) for call in calls[1:3]] == [10, 30]


def test_a_plugged_in_car_that_does_not_charge_is_left_alone_after_one_answer() -> None:
    calls = paid_calls(PLUGGED, [5] * 8)
    assert calls[1] - calls[0] == minutes(20)


def test_a_car_that_never_sleeps_is_asked_every_half_hour() -> None:
    calls = paid_calls(PARKED, [5] * 100)
    assert {later - call for call, later in pairwise(calls[-5:])} == {LONGEST_QUIET}


def test_a_long_sleep_does_not_lengthen_the_quiet_after_the_next_waking() -> None:
    memory, asked_at = answered(PARKED, ago=17, idle_for=900)
    seen = online(NOON - minutes(22))
    assert decide_vehicle(seen, memory, asked_at, USUAL, NOON).call is Call.VEHICLE_DATA


@given(ticks=Ticks, activity=st.sampled_from([PARKED, PLUGGED, Activity(NOON)]))
def test_an_idle_car_gets_quiet_enough_to_sleep_and_is_never_forgotten(
    ticks: list[int], activity: Activity
) -> None:
    calls = paid_calls(activity, ticks)
    settled = [call for call in calls if call - calls[0] > SETTLING]
    quiets = [later - call for call, later in pairwise(settled)]
    assert all(USUAL.idle <= quiet < LONGEST_QUIET + minutes(15) for quiet in quiets)
    assert len(calls) - len(settled) <= 2


@given(ticks=Ticks, activity=st.sampled_from([CHARGING, DRIVING, SENTRY]))
def test_what_is_under_way_is_asked_for_within_its_interval_and_a_tick(
    ticks: list[int], activity: Activity
) -> None:
    calls = paid_calls(activity, ticks)
    longest = USUAL.of(activity.business[0]) + minutes(15)
    assert all(later - call < longest for call, later in pairwise(calls))


@given(
    ticks=Ticks,
    activity=st.sampled_from([PARKED, PLUGGED, CHARGING, DRIVING, SENTRY]),
    stretch=st.floats(1, 12),
)
def test_a_slower_pace_never_asks_more_often(
    ticks: list[int], activity: Activity, stretch: float
) -> None:
    slower = Pace(
        charging=USUAL.charging * stretch,
        driving=USUAL.driving * stretch,
        kept_awake=USUAL.kept_awake * stretch,
        idle=USUAL.idle * stretch,
    )
    assert len(paid_calls(activity, ticks, slower)) <= len(paid_calls(activity, ticks))


def test_a_call_without_an_answer_counts_as_it_was_billed() -> None:
    memory, _ = answered(CHARGING, ago=60)
    just_now = NOON - minutes(2)
    assert decide_vehicle(online(), memory, just_now, USUAL, NOON).call is Call.LIST
    assert decide_vehicle(online(), None, just_now, USUAL, NOON).call is Call.LIST


@pytest.mark.parametrize("activity", [CHARGING, DRIVING, SENTRY, PARKED])
def test_without_money_only_the_list_is_looked_at(activity: Activity) -> None:
    decision = decide_vehicle(online(), *answered(activity, ago=500), FREE_ONLY, NOON)
    assert decision.call is Call.LIST


@given(
    activity=st.sampled_from([PARKED, PLUGGED, CHARGING, DRIVING, SENTRY]),
    ago=st.floats(0, 100),
    idle_for=st.floats(0, 200),
    online_for=st.floats(0, 200),
)
def test_the_next_look_is_no_later_than_the_call_is_due(
    activity: Activity, ago: float, idle_for: float, online_for: float
) -> None:
    seen = online(NOON - minutes(online_for))
    past = answered(activity, ago, max(ago, idle_for))
    decision = decide_vehicle(seen, *past, USUAL, NOON)
    assert decision.next_look_at > NOON
    if decision.call is Call.LIST:
        then = decide_vehicle(seen, *past, USUAL, decision.next_look_at)
        assert then.call is Call.VEHICLE_DATA or then.next_look_at > decision.next_look_at


def test_idleness_begins_with_the_first_idle_answer() -> None:
    driving = remembered(None, DRIVING, NOON)
    parked = remembered(driving, PARKED, NOON + minutes(5))
    later = remembered(parked, PLUGGED, NOON + minutes(25))
    assert driving.idle_since is None
    assert parked.idle_since == later.idle_since == NOON + minutes(5)
    assert remembered(later, CHARGING, NOON + minutes(30)).idle_since is None


def test_a_stale_answer_changes_only_when_the_car_was_last_heard() -> None:
    charging = remembered(None, CHARGING, NOON)
    stale = replace(PARKED, at=NOON - minutes(30))
    assert remembered(charging, stale, NOON + minutes(5)) == replace(
        charging, received_at=NOON + minutes(5)
    )


@pytest.mark.parametrize(
    ("asked_min_ago", "pace", "call"),
    [
        (None, USUAL, Call.LIVE_STATUS),
        (10, USUAL, Call.NOTHING),
        (14.6, USUAL, Call.LIVE_STATUS),
        (20, replace(USUAL, live_status=minutes(30)), Call.NOTHING),
        (None, FREE_ONLY, Call.NOTHING),
    ],
    ids=["never asked", "asked a while ago", "due", "stretched", "no money"],
)
def test_a_site_is_asked_at_its_pace(asked_min_ago: float | None, pace: Pace, call: Call) -> None:
    asked_at = None if asked_min_ago is None else NOON - minutes(asked_min_ago)
    decision = decide_site(asked_at, pace, NOON)
    assert decision.call is call
    assert decision.next_look_at > NOON
