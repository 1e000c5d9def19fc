"""Polling while one request in three fails, in every way there is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from tessie_pipeline.store.columns import metadata
from tessie_pipeline_tests.orchestration.conftest import KEY, Pipeline, Simulator

START = datetime.fromisoformat("2026-11-21T20:10:00+00:00")
FIRST, LAST = date(2026, 11, 16), date(2026, 11, 18)
LEFT_OUT = {
    "401_login_required",  # stops everything until the next login
    "421_wrong_region",  # names a real server of Tesla's
}
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

    def poll(self, times: int, every: timedelta) -> None:
        """Poll again and again."""
        for poll in range(times):
            self.simulator.set_now((START + poll * every).isoformat())
            self.results.append(self.pipeline.run("live_poll"))

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
    chosen = {"kinds": [kind for kind in kinds if kind not in LEFT_OUT]} if request.param else {}
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
        soak.results.append(soak.pipeline.run("energy_days", FIRST, LAST))

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
    soak.poll(20, timedelta(hours=4))
    soak.simulator.http.delete("/simulator/faults").raise_for_status()
    soak.simulator.set_now((START + timedelta(days=5)).isoformat())

    assert soak.pipeline.run("live_poll").success
    _check_that_all_is_stored(soak.pipeline, soak.answers())
    assert _unforeseen(soak.results) == []


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
    kept_aside = known.read(
        "select coalesce(sum(times_seen), 0)::int from rejected_payloads"
    ).item()
    assert len(lost) <= kept_aside


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
