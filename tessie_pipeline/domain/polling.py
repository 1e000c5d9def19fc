"""When to ask a car or an energy site for its data, which costs money and may keep a car awake.

The free list is looked at on every tick, of 1 to 15 minutes; whether a paid call follows is
decided from it, from the last answers, the clock and the pace that the budget allows (`budget`).
No call is ever made to wake a car. Not here: prices, the calls themselves, and daily history.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

SELF_WAKE = timedelta(minutes=4)
"""Cars wake by themselves for 2 to 3 minutes, about hourly; source: `fleet_api.md` section 3.3."""

SETTLING = timedelta(minutes=7)
"""So long after it parked or woke, a car may yet be plugged in or driven away."""

LONGEST_QUIET = timedelta(minutes=30)
"""A car that does not fall asleep is left alone for longer each time, up to this."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)
"""A car that is in service, or says nothing, is asked at longer and longer intervals."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

SOON = timedelta(minutes=1)
"""The shortest tick."""

TICK_JITTER = timedelta(seconds=30)
"""How much sooner than due a tick may come and still be the one that was meant."""

_CHARGING = frozenset({"Starting", "Charging"})
_DRIVING = frozenset({"D", "N", "R"})


class Call(StrEnum):
    """What to do about a car or site; only the last two cost money."""

    NOTHING = "nothing"
    LIST = "list"
    VEHICLE_DATA = "vehicle_data"
    LIVE_STATUS = "live_status"


class Purpose(StrEnum):
    """Why a car that is online is asked."""

    CHARGING = "charging"
    DRIVING = "driving"
    KEPT_AWAKE = "kept_awake"
    IDLE = "idle"


@dataclass(frozen=True)
class Decision:
    """What to call now, why in a few words, and when (UTC) to look again."""

    call: Call
    reason: str
    next_look_at: datetime


@dataclass(frozen=True)
class Pace:
    """The least time between paid calls to one car or site, by purpose.

    Attributes:
        listing: between readings of the list; zero where it is free, which is on every tick.
        is_paying: false once nothing but free calls may be made.
        is_listing: false once the list may not be read, either, because it is paid for.
    """

    charging: timedelta = timedelta(minutes=5)
    driving: timedelta = timedelta(minutes=5)
    kept_awake: timedelta = timedelta(minutes=15)
    idle: timedelta = timedelta(minutes=16)
    live_status: timedelta = timedelta(minutes=15)
    listing: timedelta = timedelta(0)
    is_paying: bool = True
    is_listing: bool = True

    def of(self, purpose: Purpose) -> timedelta:
        """The least time between two calls for a purpose."""
        return {
            Purpose.CHARGING: self.charging,
            Purpose.DRIVING: self.driving,
            Purpose.KEPT_AWAKE: self.kept_awake,
            Purpose.IDLE: self.idle,
        }[purpose]


@dataclass(frozen=True)
class Availability:
    """What the list says of a car now, and since which poll without another answer between (UTC).

    `state_before` is the state of the stretch before, None where there was none: a car that was
    already online when it was first seen did not just wake. Tesla's `offline` counts as asleep.
    """

    state: str
    started_at: datetime
    last_seen_at: datetime
    state_before: str | None = None


@dataclass(frozen=True)
class Activity:
    """What a `vehicle_data` answer says the car is doing; None is unknown.

    `at` is the answer's newest sub-state time (UTC). The other fields are Tesla's, in its words.
    """

    at: datetime
    charging_state: str | None = None
    shift_state: str | None = None
    is_user_present: bool | None = None
    is_sentry_on: bool | None = None
    climate_keeper_mode: str | None = None
    is_preconditioning: bool | None = None
    update_status: str | None = None
    update_download_pct: float | None = None

    @property
    def is_plugged_in(self) -> bool:
        """Whether a cable is known to be in the car."""
        return self.charging_state not in (None, "Disconnected")

    @property
    def is_updating(self) -> bool:
        """Whether software is being downloaded or installed; waiting for Wi-Fi is neither."""
        is_loading = self.update_status == "downloading" and (self.update_download_pct or 0) < 100
        return is_loading or self.update_status == "installing"

    @property
    def business(self) -> tuple[Purpose, str]:
        """What the car is to be asked for, and the same in a few words.

        Whoever sits in the car or heats it is about to drive. The blockers of sleep are
        TeslaMate's `can_fall_asleep`.
        """
        has_climate_keeper = self.climate_keeper_mode not in (None, "off")
        found = (
            (self.charging_state in _CHARGING, Purpose.CHARGING, "charging"),
            (self.shift_state in _DRIVING, Purpose.DRIVING, "driving"),
            (self.is_user_present, Purpose.DRIVING, "somebody is in the car"),
            (self.is_preconditioning, Purpose.DRIVING, "preconditioning"),
            (self.is_sentry_on, Purpose.KEPT_AWAKE, "kept awake by sentry mode"),
            (has_climate_keeper, Purpose.KEPT_AWAKE, "kept awake by the climate keeper"),
            (self.is_updating, Purpose.KEPT_AWAKE, "kept awake by an update"),
        )
        for is_so, purpose, words in found:
            if is_so:
                return purpose, words
        return Purpose.IDLE, "idle"


@dataclass(frozen=True)
class Memory:
    """The last answer of a car, when it came, and since when answers say that it is idle (UTC)."""

    activity: Activity
    received_at: datetime
    idle_since: datetime | None


def remembered(before: Memory | None, activity: Activity, received_at: datetime) -> Memory:
    """The memory after one more answer; one older than the last changes only when it came."""
    if before is not None and activity.at < before.activity.at:
        return Memory(before.activity, received_at, before.idle_since)
    if activity.business[0] is not Purpose.IDLE:
        return Memory(activity, received_at, None)
    was_idle_since = None if before is None else before.idle_since
    return Memory(activity, received_at, was_idle_since or received_at)


def decide_vehicle(
    seen: Availability,
    memory: Memory | None,
    asked_at: datetime | None,
    pace: Pace,
    now: datetime,
    unanswered: int = 0,
) -> Decision:
    """Whether to ask a car for its data.

    Args:
        seen: what the list says at `now`.
        memory: what the answers so far say, None before the first.
        asked_at: when the car was last asked, answered or not; that was billed in any case.
        pace: what the budget allows.
        now: the tick (UTC).
        unanswered: how often in a row it was asked in vain.
    """
    if seen.state != "online":
        return Decision(Call.NOTHING, f"it is {seen.state}", now + SOON)
    if not pace.is_paying:
        return Decision(Call.LIST, "the budget is spent", now + SOON)
    again_at = _again_at(asked_at, unanswered)
    if now < again_at:
        return Decision(Call.LIST, "it did not answer when last asked", again_at)
    if memory is None or memory.received_at < seen.started_at:
        return _decide_new(seen, memory, asked_at, pace, now)
    last_at = max(memory.received_at, asked_at or memory.received_at)
    purpose, words = memory.activity.business
    if purpose is Purpose.IDLE:
        return _decide_idle(seen, memory, last_at, pace, now)
    return _when_due(last_at, pace.of(purpose), words, now)


def decide_site(
    asked_at: datetime | None, pace: Pace, now: datetime, unanswered: int = 0
) -> Decision:
    """Whether to ask an energy site for its live status; its history is fetched by the day.

    Args:
        asked_at: when the site was last asked, answered or not.
        pace: what the budget allows.
        now: the tick (UTC).
        unanswered: how often in a row it was asked in vain.
    """
    if not pace.is_paying:
        return Decision(Call.NOTHING, "the budget is spent", now + SOON)
    again_at = _again_at(asked_at, unanswered)
    if now < again_at:
        return Decision(Call.NOTHING, "it did not answer when last asked", again_at)
    due_at = now if asked_at is None else asked_at + pace.live_status - TICK_JITTER
    if now < due_at:
        return Decision(Call.NOTHING, "it was asked a while ago", due_at)
    return Decision(Call.LIVE_STATUS, "a fresh view is due", now + pace.live_status)


def _again_at(asked_at: datetime | None, unanswered: int) -> datetime:
    """When to ask again what did not answer: each time twice as late, since that is billed too."""
    if asked_at is None or unanswered == 0:
        return _LONG_AGO
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(unanswered, 10), LONGEST_PAUSE)
    return asked_at + pause - TICK_JITTER


def _decide_new(
    seen: Availability, memory: Memory | None, asked_at: datetime | None, pace: Pace, now: datetime
) -> Decision:
    """A car that has not answered since it came online.

    What was under way is asked for at once, for its last figures; else the car has to be online
    for longer than it would be by itself.
    """
    purpose, words = (Purpose.IDLE, "") if memory is None else memory.activity.business
    if purpose in (Purpose.CHARGING, Purpose.DRIVING):
        words = f"{words} when last asked"
    else:
        purpose, words = Purpose.DRIVING, "it came online"
        if seen.state_before is not None and now < seen.started_at + SELF_WAKE:
            words = "it may have woken by itself for a moment"
            return Decision(Call.LIST, words, seen.started_at + SELF_WAKE)
    return _when_due(asked_at, pace.of(purpose), words, now)


def _decide_idle(
    seen: Availability, memory: Memory, last_at: datetime, pace: Pace, now: datetime
) -> Decision:
    """A car that parked or woke is watched for a moment, then left alone to fall asleep."""
    idle_since = max(memory.idle_since or memory.received_at, seen.started_at)
    if now - idle_since <= SETTLING and not memory.activity.is_plugged_in:
        return _when_due(last_at, pace.driving, "it may be plugged in or leave", now)
    quiet = max(pace.idle, min(last_at - idle_since, LONGEST_QUIET))
    return _when_due(last_at, quiet, "idle", now, early=timedelta(0))


def _when_due(
    last_at: datetime | None,
    interval: timedelta,
    words: str,
    now: datetime,
    early: timedelta = TICK_JITTER,
) -> Decision:
    due_at = now if last_at is None else last_at + interval - early
    if now < due_at:
        return Decision(Call.LIST, f"{words}, asked a while ago", due_at)
    return Decision(Call.VEHICLE_DATA, words, now + interval)
