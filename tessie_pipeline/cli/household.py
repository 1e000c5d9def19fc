"""The simulated household, as a server of its own or beside another command."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console

from tessie_pipeline.cli.environment import CliError
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import DEFAULT_HOST, DEFAULT_PORT, serve, serving

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "Household", "run", "simulated", "url"]


@dataclass(frozen=True)
class Household:
    """What is simulated, and from when on, at how many simulated seconds per second."""

    seed: int = 1
    sites: int = 1
    vehicles: int = 2
    start: datetime | None = None
    speed: float = 1.0

    def fleet(self) -> Fleet:
        """Its sites and vehicles."""
        return Fleet(self.seed, self.sites, self.vehicles)

    def clock(self) -> Clock:
        """Its clock; a start without a time zone is UTC."""
        start = self.start
        if start is not None and start.tzinfo is None:
            start = start.replace(tzinfo=UTC)
        return Clock(start, self.speed)


def url(host: str, port: int) -> str:
    """Where the simulator answers."""
    return f"http://{host}:{port}"


def run(console: Console, host: str, port: int, household: Household) -> None:
    """Serve until stopped."""
    console.print(
        f"A Fleet API with {household.sites} site(s) and {household.vehicles} vehicle(s) "
        f"on {url(host, port)}. Ctrl-C stops it."
    )
    try:
        serve(host, port, household.fleet(), household.clock())
    except KeyboardInterrupt:
        console.print("Stopped.")


@contextmanager
def simulated(port: int = 0, household: Household | None = None) -> Iterator[str]:
    """Serve beside the block; gives the base URL. Port 0 takes a free one.

    Raises:
        CliError: the port is taken.
    """
    household = household or Household()
    try:
        with serving(household.fleet(), household.clock(), port=port) as base_url:
            yield base_url
    except RuntimeError as error:
        raise CliError(f"{error}: choose another with --simulator-port") from None
