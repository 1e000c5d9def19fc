"""The pipeline on its real parts: Postgres, the simulator over HTTP, and Dagster's own engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import httpx
import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.orchestration.jobs import logging_from
from tessie_pipeline.orchestration.resources import Clock, connect_fleet_api
from tessie_pipeline.settings import Settings
from tessie_pipeline.simulator import clock as simulated
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.simulator.tokens import SCOPES
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline_tests.conftest import new_database

KEY = "5e" * 32
NOW = "2026-11-21T20:00:00+00:00"
"""A Saturday noon in Sacramento and evening in Berlin, three weeks after both left summer time."""


@dataclass(frozen=True)
class Simulator:
    """A household per site behind a Fleet API, and the truth about it."""

    http: httpx.Client
    times: list[str] = field(default_factory=list)
    """To which its clock was set."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.http.base_url).rstrip("/")

    def set_now(self, now: str) -> None:
        """Move its clock, which stands still."""
        self.http.post("/simulator/clock", json={"now": now, "speed": 0}).raise_for_status()
        self.times.append(now)

    def now(self) -> datetime:
        """What its clock shows."""
        return datetime.fromisoformat(self.times[-1])

    def sign_in(self) -> Tokens:
        """The tokens of a new sign-in, which no other test has spent."""
        redirect_uri = "http://localhost/callback"
        asked = {
            "response_type": "code",
            "client_id": "tests",
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": "tests",
        }
        sent_back = self.http.get("/oauth2/v3/authorize", params=asked)
        form = {
            "grant_type": "authorization_code",
            "client_id": "tests",
            "redirect_uri": redirect_uri,
            "code": httpx.URL(sent_back.headers["Location"]).params["code"],
        }
        given = self.http.post("/oauth2/v3/token", data=form).raise_for_status().json()
        end = datetime.now(UTC) + timedelta(seconds=given["expires_in"])
        return Tokens(given["refresh_token"], given["access_token"], end)

    def truth(self, path: str, **query: str) -> Any:
        """What really happened."""
        return self.http.get(f"/simulator/truth/{path}", params=query).json()


@dataclass
class Pipeline:
    """A database with the simulator's account, and a way to run jobs on it."""

    database: Database
    fleet_api: FleetApi
    clock: Clock
    instance: dg.DagsterInstance
    log_level: str = "ERROR"

    def run(
        self, job: str, first: date | None = None, last: date | None = None, **config: Any
    ) -> dg.ExecuteInProcessResult:
        """Run a job, for the dates from `first` to `last` if it has partitions."""
        tags = {}
        if first is not None:
            tags["dagster/asset_partition_range_start"] = first.isoformat()
            tags["dagster/asset_partition_range_end"] = (last or first).isoformat()
        resources = {"database": self.database, "fleet_api": self.fleet_api, "clock": self.clock}
        defs = build_defs(settings(), **resources)
        return defs.resolve_job_def(job).execute_in_process(
            run_config=logging_from(self.log_level)
            | {"ops": {name: {"config": value} for name, value in config.items()}},
            instance=self.instance,
            tags=tags,
            raise_on_error=False,
        )

    def read(self, query: str) -> pl.DataFrame:
        """The rows of a query."""
        with self.database.frames() as connection:
            return read_frame(connection, query)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.read(f"select count(*) as n from {table}").item())  # noqa: S608


def settings(**variables: str) -> Settings:
    """Settings that come from a test alone."""
    return Settings.load(
        ENCRYPTION_KEY=KEY,
        TESLA_CLIENT_ID="tests",
        TESSIE_REQUESTS_PER_MINUTE=0,
        TESSIE_REQUESTS_PER_SECOND=0,
        **variables,
    )


@pytest.fixture(scope="session")
def polled_once(server_url: sa.URL, template: str, simulator_of_all: Simulator) -> Iterator[str]:
    """Name of a database to copy, whose pipeline has polled once, at `NOW`."""
    simulator_of_all.set_now(NOW)
    for database in new_database(server_url, f"template {template}"):
        with piped(database, simulator_of_all, simulator_of_all.sign_in()) as pipeline:
            assert pipeline.run("live_poll").success
        database.dispose()
        yield str(database.engine.url.database)


@pytest.fixture
def known(server_url: sa.URL, polled_once: str, simulator: Simulator) -> Iterator[Pipeline]:
    """A pipeline whose registries are filled."""
    for database in new_database(server_url, f"template {polled_once}"):
        with piped(database, simulator, simulator.sign_in()) as pipeline:
            yield pipeline


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once."""
    monkeypatch.setattr("tessie_pipeline.orchestration.faults.FIRST_WAIT_S", 0.0)


@pytest.fixture(scope="session")
def simulator_of_all() -> Iterator[Simulator]:
    fleet = Fleet(seed=3, sites=2, vehicles=2)
    with (
        serving(fleet, simulated.Clock(speed=0)) as url,
        httpx.Client(base_url=url, timeout=30) as http,
    ):
        yield Simulator(http)


@pytest.fixture
def simulator(simulator_of_all: Simulator) -> Simulator:
    """Two homes, in Sacramento and Berlin, with a car each; its clock stands at `NOW`."""
    simulator_of_all.set_now(NOW)
    return simulator_of_all


@pytest.fixture
def pipeline(database: Database, simulator: Simulator) -> Iterator[Pipeline]:
    """A pipeline that has not asked for anything yet."""
    with piped(database, simulator, Tokens(simulator.sign_in().refresh_token)) as pipeline:
        yield pipeline


@contextmanager
def piped(database: Database, simulator: Simulator, tokens: Tokens) -> Iterator[Pipeline]:
    """A pipeline on a database, with a login that no other has."""
    SealedTokens(database, KEY).save(tokens, is_simulated=True)
    urls = {
        "TESSIE_FLEET_API_URL": simulator.url,
        "TESSIE_TOKEN_URL": f"{simulator.url}/oauth2/v3/token",
    }
    with (
        connect_fleet_api(settings(**urls), database, simulator.now) as fleet_api,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        yield Pipeline(database, fleet_api, simulator.now, instance)
