"""Polling while one request in three fails, in every way there is."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa

from tessie_pipeline.orchestration.resources import connect_fleet_api
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.tables import user_config
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline_tests.orchestration.conftest import KEY, Pipeline, Simulator, settings

START = datetime.fromisoformat("2026-11-21T20:10:00+00:00")
FIRST, LAST = date(2026, 11, 16), date(2026, 11, 18)
SUBJECTS = 4
SECRET = re.compile(rf"\b(?:NA_simulator|eyJ[\w-]{{16,}}\.eyJ)[\w.-]*|{KEY}")
"""What refresh and access tokens look like, and the key that seals them."""
TRIES = 3


@dataclass(frozen=True)
class Soak:
    """A pipeline under faults, one request in three."""

    pipeline: Pipeline
    simulator: Simulator
    last_answer: int
    results: list[dg.ExecuteInProcessResult] = field(default_factory=list)

    def poll(self, times: int, every: timedelta) -> int:
        """Poll again and again, each time with an access token that is over.

        Returns how often the login was lost, which a person mends at once.
        """
        logins = 0
        for poll in range(times):
            self.simulator.set_now((START + poll * every).isoformat())
            with self.pipeline.database.rows() as connection:
                over = {user_config.c.access_token_expires_at: sa.func.now()}
                connection.execute(sa.update(user_config).values(over))
            self.run("live_poll")
            lost = "select count(*) as n from api_holds where code = 'login_required'"
            if self.pipeline.read(lost).item():
                self._log_in()
                logins += 1
        return logins

    def run(self, job: str, *days: date) -> None:
        """Run a job as a process of its own does, with a client of its own."""
        urls = {
            "TESSIE_FLEET_API_URL": self.simulator.url,
            "TESSIE_TOKEN_URL": f"{self.simulator.url}/oauth2/v3/token",
        }
        database, now = self.pipeline.database, self.simulator.now
        with connect_fleet_api(settings(**urls), database, now) as self.pipeline.fleet_api:
            self.results.append(self.pipeline.run(job, *days))

    def _log_in(self) -> None:
        """Log in, and again if that fails, too."""
        for _ in range(30):
            with suppress(httpx.HTTPError, KeyError):
                tokens = self.simulator.sign_in()
                SealedTokens(self.pipeline.database, KEY).log_in(tokens)
                return

    def answers(self) -> list[dict[str, Any]]:
        """What was answered with 200 since it began."""
        query = {"since": self.last_answer}
        answers: list[dict[str, Any]] = self.simulator.http.get(
            "/simulator/answers", params=query
        ).json()["answers"]
        return answers


@pytest.fixture
def soak(
    known: Pipeline,
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Soak]:
    """Faults of the kinds that the test is parametrized with, and no time to wait."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    kinds = simulator.http.get("/simulator/faults").json()["kinds"]
    chosen = {"kinds": kinds} if request.param else {}
    random = {"seed": 7, "rate": 0.33, "latency_s": 0.01, **chosen}
    simulator.http.post("/simulator/faults", json={"random": random}).raise_for_status()
    yield Soak(known, simulator, simulator.http.get("/simulator/answers").json()["last"])
    simulator.http.delete("/simulator/faults").raise_for_status()


@pytest.mark.parametrize("soak", [False], ids=["faults that pass"], indirect=True)
def test_under_faults_nothing_that_was_answered_is_missing_and_no_secret_shows(
    soak: Soak, capfd: pytest.CaptureFixture[str]
) -> None:
    soak.pipeline.log_level = "DEBUG"
    calls_before = soak.pipeline.count("api_calls")
    soak.poll(30, timedelta(minutes=8))
    calls = soak.pipeline.count("api_calls") - calls_before
    for _ in range(4):
        soak.run("energy_days", FIRST, LAST)

    _check_that_all_is_stored(soak.pipeline, soak.answers())
    assert len(_samples(soak.pipeline)) >= 15
    assert soak.pipeline.count("energy_history") == 2 * 3 * 3
    assert calls <= 30 * TRIES * (2 + SUBJECTS), "no retry storm"
    assert _unforeseen(soak.results) == []
    shown = "".join([*_tables(soak.pipeline), *_events(soak.pipeline), *capfd.readouterr()])
    assert len(shown) > 100_000
    assert SECRET.findall(shown) == []


@pytest.mark.parametrize("soak", [True], ids=["faults of all kinds"], indirect=True)
def test_what_only_a_person_can_mend_goes_on_by_itself_once_mended(soak: Soak) -> None:
    logins = soak.poll(20, timedelta(hours=4))
    soak.simulator.http.delete("/simulator/faults").raise_for_status()
    soak.simulator.set_now((START + timedelta(days=5)).isoformat())

    soak.run("live_poll")
    assert soak.results[-1].success
    _check_that_all_is_stored(soak.pipeline, soak.answers())
    assert _unforeseen(soak.results) == []
    assert logins > 0


def _check_that_all_is_stored(known: Pipeline, answers: list[dict[str, Any]]) -> None:
    samples = _samples(known)
    days = set(
        known.read(
            "select tesla_site_id, kind, date::text from energy_history h "
            "join energy_sites e on e.id = h.site_id"
        ).rows()
    )
    lost: list[dict[str, Any]] = []
    for answer in answers:
        if answer["timestamp"] is not None:
            at = datetime.fromisoformat(answer["timestamp"])
            is_stored = (answer["tesla_id"], at) in samples
        elif answer["date"] is not None:
            is_stored = (answer["tesla_id"], answer["kind"], answer["date"]) in days
        else:
            continue
        if not is_stored:
            lost.append(answer)
    assert [one for one in lost if one["fault"] is None] == []
    assert Counter((one["endpoint"], one["tesla_id"]) for one in lost) <= _kept_aside(known)


def _kept_aside(known: Pipeline) -> Counter[tuple[str, int]]:
    """How often an answer of each endpoint and vehicle or site could not be decoded."""
    rows = known.read(
        """
        select r.endpoint, coalesce(e.tesla_site_id, r.subject::bigint) as tesla_id,
            sum(r.times_seen)::int as times
        from rejected_payloads r
        left join energy_sites e on replace(e.id::text, '-', '') = r.subject
        where r.endpoint in ('vehicle_data', 'live_status', 'calendar_history')
        group by 1, 2
        """
    ).rows()
    return Counter({(endpoint, tesla_id): times for endpoint, tesla_id, times in rows})


def _samples(known: Pipeline) -> set[tuple[int, datetime]]:
    rows = known.read(
        """
        select v.tesla_id, s.timestamp from vehicle_states s join vehicles v on v.id = vehicle_id
        union all
        select e.tesla_site_id, s.timestamp from energy_states s
        join energy_sites e on e.id = site_id
        """
    ).rows()
    assert len(rows) == len(set(rows)), "no sample twice"
    return set(rows)


def _tables(known: Pipeline) -> Iterator[str]:
    """All rows that readers may see."""
    for table in metadata.sorted_tables:
        if table.schema is None:
            rows = known.read(f"select t::text as row from {table.name} t")  # noqa: S608
            yield from rows["row"]


def _events(known: Pipeline) -> Iterator[str]:
    """All that Dagster keeps and shows."""
    for run in known.instance.get_runs():
        for record in known.instance.get_records_for_run(run.run_id).records:
            yield str(record.event_log_entry)


def _unforeseen(results: list[dg.ExecuteInProcessResult]) -> list[str]:
    """What failed without having been foreseen."""
    return [
        f"{event.step_key}: {event.step_failure_data.error}"
        for result in results
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data is None
    ]
