"""Alerts as Dagster makes them: opened and resolved by a sensor, posted by a job."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.domain.calls import ApiCall, Category, Hold
from tessie_pipeline.orchestration.alerts import alert_webhook_resource, longest_interval
from tessie_pipeline.orchestration.resources import clock_resource, database_resource
from tessie_pipeline.orchestration.webhook import Webhook
from tessie_pipeline.store.alerts import OpenAlert, open_alerts, unposted_alerts
from tessie_pipeline.store.calls.holds import lift_holds, put_hold
from tessie_pipeline.store.calls.log import record
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.orchestration.conftest import settings

NOW = datetime(2026, 5, 21, 12, tzinfo=UTC)
LOGIN = Hold("", 0, None, "login_required", "log in again: tessie login")
SECRET = "T0KEN-of-the-webhook"


@dataclass
class Receiver:
    """A webhook that answers with the statuses it is given, then with 200, and keeps what came."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = kept.answers.pop(0) if kept.answers else 200
            if status == 200:
                kept.received.append(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        kept.url = f"http://127.0.0.1:{server.server_port}/hooks/{SECRET}"
        yield kept
        server.shutdown()
        thread.join()


@dataclass
class Watch:
    """The sensor and the job on a database, at a time that stands still."""

    database: Database
    instance: dg.DagsterInstance
    webhook: str | None = None
    now: datetime = NOW

    def defs(self) -> dg.Definitions:
        """The project's definitions with these resources."""
        given = {} if self.webhook is None else {"TESSIE_ALERT_WEBHOOK": self.webhook}
        return build_defs(
            settings(**given),
            database=self.database,
            clock=lambda: self.now,
            alert_webhook=self.webhook and Webhook(SecretStr(self.webhook)),
        )

    def look(self) -> dg.RunRequest | str:
        """What the sensor requests, or the sentence with which it skips."""
        defs = self.defs()
        with dg.build_sensor_context(
            self.instance, definitions=defs, resources={"database": self.database,
                                                        "clock": lambda: self.now}
        ) as context:  # fmt: skip
            found = defs.resolve_sensor_def("alerts_sensor")(context)
        if isinstance(found, dg.RunRequest):
            return found
        assert isinstance(found, dg.SkipReason)
        return found.skip_message or ""

    def post(self) -> dg.ExecuteInProcessResult:
        """Run the job."""
        job = self.defs().resolve_job_def("post_alerts")
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def open(self) -> list[OpenAlert]:
        """The open alerts."""
        with self.database.rows() as connection:
            return open_alerts(connection)

    def unposted(self) -> int:
        """How many alerts are yet to be posted."""
        with self.database.rows() as connection:
            return len(unposted_alerts(connection))


@pytest.fixture
def watch(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setattr("tessie_pipeline.orchestration.alerts.FIRST_WAIT_S", 0.0)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watch(database, instance)


@pytest.fixture
def held(watch: Watch, receiver: Receiver) -> Watch:
    """A watch with a webhook, on an account that has to log in again."""
    watch.webhook = receiver.url
    with watch.database.rows() as connection:
        put_hold(connection, LOGIN)
    return watch


def test_the_sensor_is_on_from_the_start_and_looks_every_minute(watch: Watch) -> None:
    sensor = watch.defs().resolve_sensor_def("alerts_sensor")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 60
    assert sensor.job_name == "post_alerts"
    assert watch.defs().resolve_job_def("post_alerts").executor_def is dg.in_process_executor


def test_nothing_is_requested_when_all_is_well(watch: Watch) -> None:
    assert watch.look() == "Alerts: 0 new, 0 old, 0 resolved."


def test_an_alert_opens_and_is_resolved_with_its_cause(watch: Watch) -> None:
    with watch.database.rows() as connection:
        put_hold(connection, LOGIN)
    assert watch.look() == (
        "Alerts: 1 new, 0 old, 0 resolved; TESSIE_ALERT_WEBHOOK is not set, nothing is posted."
    )
    (alert,) = watch.open()
    assert (alert.severity, alert.code, alert.opened_at) == ("critical", "login_required", NOW)
    with watch.database.rows() as connection:
        lift_holds(connection)
    assert watch.look() == "Alerts: 0 new, 0 old, 1 resolved."
    assert watch.open() == []


def test_the_budget_is_that_of_the_settings(watch: Watch) -> None:
    with watch.database.rows() as connection:
        earlier = NOW - timedelta(hours=1)
        record(connection, ApiCall(earlier, "GET /x", 1, 200, 9, Category.DATA, 8.0))
    watch.look()
    assert [alert.code for alert in watch.open()] == ["budget"]
    assert "8.00 of 10.00 USD" in watch.open()[0].message


def test_what_is_new_is_posted_once(held: Watch, receiver: Receiver) -> None:
    assert isinstance(held.look(), dg.RunRequest)
    assert held.post().success
    (message,) = receiver.received
    assert message["text"].startswith("CRITICAL: No request is sent to Tesla for now: log in")
    (alert,) = message["alerts"]
    assert (alert["code"], alert["opened_at"]) == ("login_required", "2026-05-21T12:00:00+00:00")
    assert alert["id"] == str(held.open()[0].id)
    held.now += timedelta(minutes=1)
    assert held.look() == "Alerts: 0 new, 1 old, 0 resolved."
    assert held.post().success
    assert len(receiver.received) == 1


@pytest.mark.parametrize("answers", [[503], [429, 500, 408]])
def test_a_webhook_that_fails_for_now_is_tried_again(
    held: Watch, receiver: Receiver, answers: list[int]
) -> None:
    receiver.answers = answers
    held.look()
    assert held.post().success
    assert len(receiver.received) == 1
    assert held.unposted() == 0


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([404, 200], "The alert webhook answered 404: see whether TESSIE_ALERT_WEBHOOK is right"),
        ([302, 200], "The alert webhook answered 302: see whether TESSIE_ALERT_WEBHOOK is right"),
        ([503] * 5, "The alert webhook answered 503"),
    ],
    ids=["refused", "moved", "down"],
)
def test_a_webhook_that_does_not_take_alerts_fails_the_run_and_is_left_alone(
    held: Watch, receiver: Receiver, answers: list[int], says: str
) -> None:
    receiver.answers = answers
    held.look()
    result = held.post()
    assert not result.success
    assert says in str(result.failure_data_for_node("post_to_webhook"))
    assert receiver.received == []
    assert held.unposted() == 1
    waiting = held.look()
    assert isinstance(waiting, str)
    assert waiting.endswith("posting is under way or failed a moment ago.")


def test_nobody_at_the_webhook_is_said_without_its_address(held: Watch) -> None:
    held.webhook = f"http://127.0.0.1:1/{SECRET}"
    held.look()
    result = held.post()
    assert not result.success
    assert "did not answer: ConnectError" in str(result.failure_data_for_node("post_to_webhook"))


def test_posting_is_not_requested_again_while_it_is_under_way(held: Watch) -> None:
    job = held.defs().resolve_job_def("post_alerts")
    held.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert isinstance(held.look(), str)


@pytest.mark.parametrize("answers", [[], [404], [503] * 5])
def test_the_address_of_the_webhook_shows_nowhere(
    held: Watch,
    receiver: Receiver,
    answers: list[int],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    receiver.answers = answers
    with caplog.at_level(logging.DEBUG):
        request = held.look()
        held.post()
    events = [
        str(record.event_log_entry)
        for run in held.instance.get_runs()
        for record in held.instance.get_records_for_run(run.run_id).records
    ]
    assert events
    printed = capfd.readouterr()
    shown = [*events, caplog.text, printed.out, printed.err, str(request), repr(held.defs())]
    assert not any(SECRET in text for text in shown)


@pytest.mark.parametrize(
    ("cron", "hours"),
    [
        ("*/5 * * * *", 1 / 12),
        ("0 * * * *", 1),
        ("0,30 6-22 * * 1-5", 55.5),
        ("0 0 1 * *", 28 * 24),
    ],
)
def test_the_longest_time_between_polls_follows_from_their_cron_line(
    cron: str, hours: float
) -> None:
    assert longest_interval(cron) == timedelta(hours=hours)


def test_the_sensor_works_with_the_resources_of_the_settings(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", watch.database.url())
    resources = {"database": database_resource, "clock": clock_resource}
    sensor = build_defs(settings()).resolve_sensor_def("alerts_sensor")
    with dg.build_sensor_context(watch.instance, resources=resources) as context:
        data = sensor.evaluate_tick(context)
    assert data.skip_message == "Alerts: 0 new, 0 old, 0 resolved."


@pytest.mark.parametrize("is_set", [True, False])
def test_the_webhook_is_that_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver, is_set: bool
) -> None:
    monkeypatch.setenv("TESSIE_ALERT_WEBHOOK", receiver.url if is_set else "")
    with dg.build_resources({"webhook": alert_webhook_resource}) as resources:
        webhook = resources.webhook
    assert webhook == (Webhook(SecretStr(receiver.url)) if is_set else None)
