"""A client of the simulator in the same process, for tests: no port, no threads."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from tessie_pipeline.simulator.app import create_app
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.habits import Habits
from tessie_pipeline.simulator.tokens import SCOPES, Tokens
from tessie_pipeline.simulator.world import World

CAPTURED = Path(__file__).parents[1] / "data"


class WallTime:
    """The real world's clock, held in a test's hand [unix s]."""

    def __init__(self, at_s: float = 1_790_000_000.0) -> None:
        self.at_s = at_s

    def __call__(self) -> float:
        """Wall time now [unix s]."""
        return self.at_s


class SimulatorClient:
    """Calls a simulator whose clock stands still at an instant, with a full access token."""

    def __init__(
        self,
        now: str,
        sites: int = 1,
        vehicles: int = 2,
        seed: int = 1,
        scopes: str = SCOPES,
        further: Sequence[Habits] = (),
    ) -> None:
        self.wall = WallTime()
        self.clock = Clock(datetime.fromisoformat(now), speed=0.0, wall=self.wall)
        self.fleet = Fleet(seed, sites, vehicles, further)
        self.app = create_app(self.fleet, self.clock)
        token = Tokens().partner("tests", scopes, self.wall.at_s)["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    @property
    def world(self) -> World:
        """The running simulator."""
        world = self.app.state.world
        assert isinstance(world, World)
        return world

    def call(
        self, method: str, path: str, authorised: bool = True, **options: Any
    ) -> httpx.Response:
        """The answer to a request, with the access token unless it is to be left out."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
                headers = self.headers if authorised else {}
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def set_now(self, now: str) -> None:
        """Move the clock to an ISO instant."""
        self.clock.set(start=datetime.fromisoformat(now))

    @property
    def site_path(self) -> str:
        """Path of the first energy site."""
        return f"/api/1/energy_sites/{self.fleet.sites[0].energy_site_id}"

    def history(self, kind: str, date: str, offset: str, site: int = 0, **query: Any) -> Any:
        """`calendar_history` of a local day, from 00:00:00 to 23:59:59."""
        site_id = self.fleet.sites[site].energy_site_id
        return self.get(
            f"/api/1/energy_sites/{site_id}/calendar_history",
            kind=kind,
            start_date=f"{date}T00:00:00{offset}",
            end_date=f"{date}T23:59:59{offset}",
            **{"period": "day", **query},
        )["response"]


def captured(name: str) -> Any:
    """A captured answer; where it comes from is in `data/README.md`."""
    return json.loads((CAPTURED / name).read_text())
