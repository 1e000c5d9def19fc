"""Which cars are awake: the one thing in the simulator that depends on the calls it received.

A live call to an online car keeps it awake for 15 minutes, list calls do not; `wake_up` brings
it online after some seconds.
"""

from tessie_pipeline.simulator.motion import IDLE_AWAKE_S, is_naturally_awake
from tessie_pipeline.simulator.trips import Car

WAKE_UP_S = 12.0


class Waking:
    """Windows of simulated time in which calls hold cars awake, by VIN."""

    def __init__(self) -> None:
        self._held_s: dict[str, tuple[float, float]] = {}

    def state(self, car: Car, at_s: float) -> str:
        """`online`, `asleep` or, for firmware that says so, `offline`."""
        start_s, end_s = self._held_s.get(car.vin, (0.0, 0.0))
        if start_s <= at_s < end_s or is_naturally_awake(car, at_s):
            return "online"
        return "offline" if car.sleeps_offline else "asleep"

    def touch(self, car: Car, at_s: float) -> None:
        """A live call reached the online car: its sleep timer starts again."""
        start_s, end_s = self._held_s.get(car.vin, (at_s, at_s))
        if not start_s <= at_s < end_s:
            start_s = at_s
        self._held_s[car.vin] = (start_s, at_s + IDLE_AWAKE_S)

    def wake_up(self, car: Car, at_s: float) -> None:
        """The car was asked to wake: it is online 12 s later, for 15 min."""
        if self.state(car, at_s) != "online":
            online_s = self._held_s.get(car.vin, (0.0, 0.0))[0]
            if not at_s < online_s <= at_s + WAKE_UP_S:
                online_s = at_s + WAKE_UP_S
            self._held_s[car.vin] = (online_s, online_s + IDLE_AWAKE_S)

    def forget(self) -> None:
        """Drop all windows, for a clock that was set."""
        self._held_s.clear()
