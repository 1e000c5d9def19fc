"""Which cars are awake: the one thing in the simulator that depends on the calls it received.

A live call to an online car keeps it awake for 15 minutes, list calls do not; `wake_up` brings
it online after some seconds. What calls did is kept, to be told apart from what the car did.
"""

from bisect import bisect_right

from tessie_pipeline.simulator.awake import (
    IDLE_AWAKE_S,
    Interval,
    has_signal,
    is_naturally_awake,
    merged,
)
from tessie_pipeline.simulator.trips import Car

WAKE_UP_S = 12.0


class Waking:
    """Intervals of simulated time in which calls hold cars awake, by VIN."""

    def __init__(self) -> None:
        self._held_s: dict[str, list[Interval]] = {}

    def state(self, car: Car, at_s: float) -> str:
        """`online`, `asleep` or, without signal and for firmware that says so, `offline`."""
        if not has_signal(car, at_s):
            return "offline"
        held_s = self._held_s.get(car.vin, [])
        index = bisect_right(held_s, (at_s, float("inf"))) - 1
        is_held = index >= 0 and at_s < held_s[index][1]
        if is_held or is_naturally_awake(car, at_s):
            return "online"
        return "offline" if car.sleeps_offline else "asleep"

    def touch(self, car: Car, at_s: float) -> None:
        """A live call reached the online car: its sleep timer starts again."""
        self._hold(car, at_s)

    def wake_up(self, car: Car, at_s: float) -> None:
        """The car was asked to wake: it is online 12 s later, for 15 min."""
        is_waking = any(
            at_s < start_s <= at_s + WAKE_UP_S for start_s, _ in self._held_s.get(car.vin, [])[-1:]
        )
        if not is_waking and self.state(car, at_s) != "online":
            self._hold(car, at_s + WAKE_UP_S)

    def held_s(self, car: Car) -> list[Interval]:
        """When calls held the car awake, in order; the last interval may not be over yet."""
        return list(self._held_s.get(car.vin, []))

    def forget(self) -> None:
        """Drop all intervals, for a clock that went back or far ahead."""
        self._held_s.clear()

    def _hold(self, car: Car, start_s: float) -> None:
        held_s = self._held_s.setdefault(car.vin, [])
        new = (start_s, start_s + IDLE_AWAKE_S)
        if held_s and start_s < held_s[-1][0]:
            held_s[:] = merged([*held_s, new])
        else:
            held_s[-1:] = merged([*held_s[-1:], new])
