"""TeslaMate's intervals without streaming (`anchors.md` section 2.1), on simulated cars.

In process: the simulator's functions answer, since a month of these intervals is 137,000 calls.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.motion import car_state
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline.simulator.waking import Waking


class Account:
    """How often an account was asked, and how much each sample says was charged [kWh]."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.waking = Waking()
        self.calls = 0
        self.added_kwh: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    def state(self, car: Car, now: datetime) -> str:
        """What the free list says."""
        return self.waking.state(car, now.timestamp())

    def reach(self, car: Car, now: datetime) -> bool:
        """A live call: billed in any case, answered by a car that is online."""
        self.calls += 1
        is_online = self.state(car, now) == "online"
        if is_online:
            self.waking.touch(car, now.timestamp())
        return is_online

    def store(self, car: Car, at: datetime, added_kwh: float) -> None:
        """Keep what a sample says of the charge."""
        self.added_kwh[car.vin].append((at.timestamp(), added_kwh))


class TeslaMate:
    """TeslaMate's state machine for one car, streaming off, with the simulator's truth as answer.

    No simulated car is unlocked, guarded or updated, so none of these blocks its suspension.
    """

    SUSPEND_AFTER_IDLE, SUSPEND = timedelta(minutes=15), timedelta(minutes=21)
    ASLEEP, ONLINE, DRIVING = timedelta(seconds=30), timedelta(seconds=15), timedelta(seconds=2.5)

    def __init__(self, account: Account, car: Car, start: datetime) -> None:
        self._account, self._car = account, car
        self._state = "asleep"
        self._used_at = start

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


def poll(fleet: Fleet, start: datetime, end: datetime) -> Account:
    """What came of polling all cars from `start` up to `end`."""
    account = Account(fleet)
    for car in fleet.cars:
        process, now = TeslaMate(account, car, start), start
        while now < end:
            now = process.poll(now)
    return account
