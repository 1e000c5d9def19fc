"""The simulator's clock: simulated time that can start anywhere, run fast and be set.

Simulated now = start + (wall now - wall start) * speed. Access tokens do not use it: they
live in wall time, so that a fast clock does not expire them.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Simulated time, moving `speed` simulated seconds per wall second."""

    def __init__(
        self,
        start: datetime | None = None,
        speed: float = 1.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Start the clock.

        Args:
            start: first simulated instant, with a time zone; wall time when None.
            speed: simulated seconds per wall second, 0 stands still.
            wall: unix seconds of the real world; tests hand in their own.

        Raises:
            ValueError: `start` has no time zone or `speed` is negative.
        """
        self._lock = threading.Lock()
        self._wall = wall
        self._speed = 1.0
        self._start_s = self._wall_start_s = wall()
        self.set(start=start, speed=speed)

    @property
    def speed(self) -> float:
        """Simulated seconds per wall second."""
        return self._speed

    def set(self, start: datetime | None = None, speed: float | None = None) -> None:
        """Move to the instant `start` and run at `speed` from there; None keeps what is.

        Raises:
            ValueError: `start` has no time zone or `speed` is negative.
        """
        if start is not None and start.tzinfo is None:
            raise ValueError("the simulator's clock needs an instant with a time zone")
        if speed is not None and not 0.0 <= speed < float("inf"):
            raise ValueError("the simulator's clock does not run backwards")
        with self._lock:
            wall_s = self._wall()
            now_s = self._start_s + (wall_s - self._wall_start_s) * self._speed
            self._start_s = now_s if start is None else start.timestamp()
            self._wall_start_s = wall_s
            self._speed = self._speed if speed is None else speed

    def now_s(self) -> float:
        """Simulated now [unix s]."""
        with self._lock:
            return self._start_s + (self._wall() - self._wall_start_s) * self._speed

    def now(self) -> datetime:
        """Simulated now in UTC."""
        return datetime.fromtimestamp(self.now_s(), UTC)

    def wall_s(self) -> float:
        """The real world's now [unix s], in which tokens live."""
        return self._wall()
