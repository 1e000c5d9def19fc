"""A simulator behind a real server, and a client of it with an access token, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN, SCOPES

NOON = "2026-06-10T12:00:00-07:00"


@dataclass
class LiveSimulator:
    """A simulator at an address, whose clock stands still."""

    http: httpx.Client
    fleet: Fleet

    def refresh(self, token: str = INITIAL_REFRESH_TOKEN) -> httpx.Response:
        """The token endpoint's answer to a refresh token."""
        fields = {"grant_type": "refresh_token", "client_id": "me", "refresh_token": token}
        return self.http.post("/oauth2/v3/token", data=fields)

    def authorize(self, **changes: str) -> httpx.Response:
        """The answer of the consent page to a sound question, with some fields changed."""
        query = {
            "response_type": "code",
            "client_id": "me",
            "redirect_uri": "http://localhost:8765/callback",
            "scope": SCOPES,
            "state": "s-1",
        }
        return self.http.get("/oauth2/v3/authorize", params={**query, **changes})

    def exchange(self, code: str, **changes: str) -> httpx.Response:
        """The token endpoint's answer to a code."""
        fields = {
            "grant_type": "authorization_code",
            "client_id": "me",
            "client_secret": "secret",
            "code": code,
            "redirect_uri": "http://localhost:8765/callback",
            "audience": "https://fleet-api.prd.na.vn.cloud.tesla.com",
        }
        return self.http.post("/oauth2/v3/token", data={**fields, **changes})

    def partner_token(self) -> str:
        """A new partner token."""
        fields = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "secret"}
        return str(self.http.post("/oauth2/v3/token", data=fields).json()["access_token"])

    def use(self, access_token: str) -> None:
        """Send an access token from now on."""
        self.http.headers["Authorization"] = f"Bearer {access_token}"

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of an answer that must be 200."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, name: str, **body: Any) -> Any:
        """The answer of `POST /simulator/{name}`."""
        answer = self.http.post(f"/simulator/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def plan(self, fault: str, match: str = "", **options: Any) -> None:
        """Let the next matching request go wrong."""
        self.switch("faults", plan=[{"match": match, "fault": fault, **options}])

    def pass_time(self, **duration: float) -> datetime:
        """Set the clock ahead and give the instant it shows then."""
        now = datetime.fromisoformat(self.get("/simulator/clock")["now"])
        later = now + timedelta(**duration)
        self.switch("clock", now=later.isoformat())
        return later

    @property
    def site_path(self) -> str:
        """Path of the first site."""
        return f"/api/1/energy_sites/{self.fleet.sites[0].energy_site_id}"

    @property
    def car_path(self) -> str:
        """Path of the first car."""
        return f"/api/1/vehicles/{self.fleet.cars[0].vin}"

    def go_to_first_trip(self) -> datetime:
        """Set the clock into the first car's first trip of June, when it is surely awake."""
        self.switch("clock", now=self._first_trip()["start"])
        return self.pass_time(minutes=3)

    def park_first_car(self, minutes: float) -> dict[str, str]:
        """Set the clock to some time after that trip, and give the hour after it as a window."""
        parked = datetime.fromisoformat(self._first_trip()["end"])
        self.switch("clock", now=(parked + timedelta(minutes=minutes)).isoformat())
        return {"start": parked.isoformat(), "end": (parked + timedelta(hours=1)).isoformat()}

    def _first_trip(self) -> Any:
        june = {"start": "2026-06-01T00:00:00-07:00", "end": "2026-06-08T00:00:00-07:00"}
        return self.get(f"/simulator/truth/vehicles/{self.fleet.cars[0].vin}/trips", **june)[0]


@contextmanager
def live_simulator(now: str = NOON, vehicles: int = 2) -> Iterator[LiveSimulator]:
    """Serve a household while the block runs."""
    fleet = Fleet(1, 1, vehicles)
    clock = Clock(datetime.fromisoformat(now), speed=0.0)
    with serving(fleet, clock) as url, httpx.Client(base_url=url, timeout=10) as http:
        simulator = LiveSimulator(http, fleet)
        simulator.use(simulator.partner_token())
        yield simulator
