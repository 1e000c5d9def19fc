"""A month of two simulated cars and their site: what it costs, what is found, how the cars sleep.

Ours polls every five minutes as `domain.polling` decides, within the default budget. The reference
is TeslaMate's intervals without streaming (`anchors.md` section 2.1), for the cars only, at equal
prices. No HTTP and no Postgres: the simulator's functions answer, the real decoders read.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Protocol

from bench.measure import Figure
from tessie_pipeline.domain.budget import (
    HISTORY,
    HISTORY_CALLS_PER_DAY,
    LIVE_STATUS,
    Budget,
    Spent,
    month_of,
    outlook,
    paced,
)
from tessie_pipeline.domain.polling import (
    Availability,
    Call,
    Memory,
    decide_site,
    decide_vehicle,
    remembered,
)
from tessie_pipeline.settings import Settings
from tessie_pipeline.simulator.awake import awake_intervals, merged, minutes
from tessie_pipeline.simulator.charging_history import plug_ins
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.motion import car_state
from tessie_pipeline.simulator.site_answers import live_status
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline.simulator.vehicle_answers import vehicle_data, vehicle_object
from tessie_pipeline.simulator.waking import Waking
from tessie_pipeline.tesla.activity import decode_activity
from tessie_pipeline.tesla.client import VEHICLE_DATA_ENDPOINTS
from tessie_pipeline.tesla.energy_answers import decode_live_status
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle, decode_vehicle_data

MONTH = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET_USD = 10.0
PRICE_USD = float(Settings.model_fields["price_data_usd"].default)
TICK = timedelta(minutes=5)
VEHICLE_DATA = "vehicle_data"


class Poller(Protocol):
    """A way of polling an account."""

    def poll(self, now: datetime) -> datetime:
        """Make the calls of this instant; when to be called again."""
        ...


class Account:
    """What an account was asked, as it is billed, and how much each sample says was charged."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.waking = Waking()
        self.calls: Counter[tuple[datetime, str]] = Counter()
        self.added_kwh: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    def bill(self, endpoint: str, now: datetime, calls: int = 1) -> None:
        """Count calls under their day."""
        self.calls[now.replace(hour=0, minute=0, second=0, microsecond=0), endpoint] += calls

    def state(self, car: Car, now: datetime) -> str:
        """What the free list says."""
        return self.waking.state(car, now.timestamp())

    def reach(self, car: Car, now: datetime) -> bool:
        """A live call: billed in any case, answered by a car that is online."""
        self.bill(VEHICLE_DATA, now)
        is_online = self.state(car, now) == "online"
        if is_online:
            self.waking.touch(car, now.timestamp())
        return is_online

    def store(self, car: Car, at: datetime, added_kwh: float) -> None:
        """Keep what a sample says of the charge."""
        self.added_kwh[car.vin].append((at.timestamp(), added_kwh))


class Governed:
    """This project's policy, in the order in which its poll goes."""

    def __init__(self, account: Account, budget: Budget, since: datetime) -> None:
        self._account, self._budget, self._since = account, budget, since
        self._seen: dict[str, Availability] = {}
        self._memory: dict[str, Memory] = {}
        self._asked_at: dict[str, datetime] = {}

    def poll(self, now: datetime) -> datetime:
        """One tick."""
        account = self._account
        if now.time() == datetime.min.time():
            account.bill(HISTORY, now, HISTORY_CALLS_PER_DAY * self._budget.sites)
        spent = [
            Spent(day, endpoint, calls * self._budget.price_usd)
            for (day, endpoint), calls in account.calls.items()
        ]
        pace = paced(outlook(spent, self._budget, now, self._since), self._budget, now)
        for car in account.fleet.cars:
            seen = self._seen[car.vin] = self._look(car, now)
            asked_at = self._asked_at.get(car.vin)
            decision = decide_vehicle(seen, self._memory.get(car.vin), asked_at, pace, now)
            if decision.call is Call.VEHICLE_DATA:
                self._ask(car, now)
        for site in account.fleet.sites:
            decision = decide_site(self._asked_at.get(site.name), pace, now)
            if decision.call is Call.LIVE_STATUS:
                self._asked_at[site.name] = now
                account.bill(LIVE_STATUS, now)
                decode_live_status(live_status(account.fleet, site, now.timestamp()))
        return now + TICK

    def _look(self, car: Car, now: datetime) -> Availability:
        state = decode_vehicle(vehicle_object(car, self._account.state(car, now))).state or ""
        before = self._seen.get(car.vin)
        if before is not None and before.state == state:
            return replace(before, last_seen_at=now)
        return Availability(state, now, now, before.state if before else None)

    def _ask(self, car: Car, now: datetime) -> None:
        self._asked_at[car.vin] = now
        if not self._account.reach(car, now):
            return
        endpoints = frozenset(VEHICLE_DATA_ENDPOINTS)
        body = vehicle_data(self._account.fleet, car, now.timestamp(), endpoints, True)
        row, activity = decode_vehicle_data(body).row, decode_activity(body)
        self._memory[car.vin] = remembered(self._memory.get(car.vin), activity, now)
        added_kwh = row["charge_energy_added"]
        if isinstance(added_kwh, float):
            self._account.store(car, activity.at, added_kwh)


class TeslaMate:
    """TeslaMate's state machine for one car, streaming off, with the simulator's truth as answer.

    No simulated car is unlocked, guarded or updated, so none of these blocks its suspension.
    """

    SUSPEND_AFTER_IDLE, SUSPEND = timedelta(minutes=15), timedelta(minutes=21)
    ASLEEP, ONLINE, DRIVING = timedelta(seconds=30), timedelta(seconds=15), timedelta(seconds=2.5)

    def __init__(self, account: Account, car: Car) -> None:
        self._account, self._car = account, car
        self._state = "asleep"
        self._used_at = MONTH

    def poll(self, now: datetime) -> datetime:
        """One fetch: the free list first where the car was not awake, then its data."""
        is_assumed_online = self._state not in ("asleep", "suspended")
        if not is_assumed_online and self._account.state(self._car, now) != "online":
            self._state = "asleep"
            return now + self.ASLEEP
        if not self._account.reach(self._car, now):
            self._state = "asleep"
            return now + self.ASLEEP
        car = car_state(self._car, now.timestamp())
        added_wh = car.last_plug_in.added_wh(car.at_s) if car.last_plug_in else 0.0
        self._account.store(self._car, now, round(added_wh / 1000, 2))
        before = self._state
        self._state = "driving" if car.trip else "charging" if car.piece else "online"
        if self._state != "online" or before not in ("online", "suspended"):
            self._used_at = now
        if car.trip is not None:
            return now + self.DRIVING
        if car.piece is not None:
            power_kw = max(1, round(car.piece.power_w / 1000))
            return now + timedelta(seconds=max(5, min(20, round(250 / power_kw))))
        if now - self._used_at >= self.SUSPEND_AFTER_IDLE:
            self._state = "suspended"
            return now + self.SUSPEND
        return now + self.ONLINE


@dataclass(frozen=True)
class Outcome:
    """What a month came to.

    Attributes:
        cost_usd: of all calls.
        charges: how many were there.
        found: how many of them a sample shows.
        energy_error_pct: of the worst charge, by the highest sample; 100 for one not found.
        asleep_pct: time asleep over the time asleep with no calls at all.
        calls: by endpoint.
    """

    cost_usd: float
    charges: int
    found: int
    energy_error_pct: float
    asleep_pct: float
    calls: dict[str, int]


def governed(account: Account, start: datetime) -> list[Poller]:
    """This project's poller with its default settings."""
    fleet = account.fleet
    budget = Budget(BUDGET_USD, PRICE_USD, len(fleet.cars), len(fleet.sites))
    return [Governed(account, budget, start)]


def teslamate(account: Account, _: datetime) -> list[Poller]:
    """A TeslaMate process for each car."""
    return [TeslaMate(account, car) for car in account.fleet.cars]


def simulated_month(
    fleet: Fleet, start: datetime, pollers_of: Callable[[Account, datetime], list[Poller]]
) -> Outcome:
    """A UTC calendar month under pollers; charges count that end within it."""
    account = Account(fleet)
    pollers = pollers_of(account, start)
    due = [start] * len(pollers)
    end = month_of(start)[1]
    while (now := min(due)) < end:
        for index, poller in enumerate(pollers):
            if due[index] == now:
                due[index] = poller.poll(now)
    errors_pct = [
        error_pct for car in fleet.cars for error_pct in _energy_errors_pct(account, car, start)
    ]
    by_endpoint: Counter[str] = Counter()
    for (_, endpoint), calls in account.calls.items():
        by_endpoint[endpoint] += calls
    return Outcome(
        cost_usd=by_endpoint.total() * PRICE_USD,
        charges=len(errors_pct),
        found=sum(error_pct < 100 for error_pct in errors_pct),
        energy_error_pct=max(errors_pct, default=0.0),
        asleep_pct=_asleep_pct(account, start, end),
        calls=dict(by_endpoint),
    )


def _asleep_pct(account: Account, start: datetime, end: datetime) -> float:
    start_s, end_s = start.timestamp(), end.timestamp()
    asleep_min = undisturbed_min = 0.0
    for car in account.fleet.cars:
        awake_s = awake_intervals(car, start_s, end_s)
        held_s = merged([*awake_s, *account.waking.held_s(car)], start_s, end_s)
        undisturbed_min += (end_s - start_s) / 60 - minutes(awake_s)
        asleep_min += (end_s - start_s) / 60 - minutes(held_s)
    return 100 * asleep_min / undisturbed_min


def _energy_errors_pct(account: Account, car: Car, start: datetime) -> list[float]:
    """The error of each charge by its highest sample before the next plug-in."""
    end_s = month_of(start)[1].timestamp()
    found = [plug_in for plug_in in plug_ins(car, start.timestamp(), end_s + 86400 * 7)]
    errors_pct = []
    for plug_in, following in pairwise(found):
        if plug_in.charge_end_s is None or plug_in.charge_end_s + 3600 > end_s:
            continue
        added_kwh = [
            added
            for at_s, added in account.added_kwh[car.vin]
            if plug_in.start_s <= at_s < following.start_s
        ]
        true_kwh = plug_in.added_wh(plug_in.end_s) / 1000
        errors_pct.append(100 * abs(max(added_kwh, default=0.0) - true_kwh) / true_kwh)
    return errors_pct


def figures() -> list[Figure]:
    """The month's figures; a ratio above 1 means that ours is better."""
    ours = simulated_month(Fleet(), MONTH, governed)
    reference = simulated_month(Fleet(), MONTH, teslamate)
    less = ("cost_usd", "USD"), ("energy_error_pct", "%")
    more = ("asleep_pct", "%"), ("found", "charges")
    return [_figure(ours, reference, name, unit, True) for name, unit in less] + [
        _figure(ours, reference, name, unit, False) for name, unit in more
    ]


def _figure(
    ours: Outcome, reference: Outcome, name: str, unit: str, is_less_better: bool
) -> Figure:
    mine, theirs = float(getattr(ours, name)), float(getattr(reference, name))
    better, worse = (theirs, mine) if is_less_better else (mine, theirs)
    return Figure(f"month_{name}", mine, theirs, unit, better / worse if worse else 1.0, runs=1)
