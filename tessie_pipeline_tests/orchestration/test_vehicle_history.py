"""The job that derives what vehicles did, killed, beside others, and asked for by its sensor.

TESSIE_TEST_KILLS says how many processes are killed at random moments.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration import costs, waiting
from tessie_pipeline.simulator.truth import charges_truth
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration import vehicle_history_process
from tessie_pipeline_tests.orchestration.conftest import settings
from tessie_pipeline_tests.orchestration.test_derivation import (
    FLEET,
    START,
    add,
    assert_same,
    between,
    derive,
    marks,
    read,
    register,
    stored,
    versions,
)

KILLS = int(os.environ.get("TESSIE_TEST_KILLS", "8"))
PIECES = 6
BEGIN, END = START + timedelta(days=8), START + timedelta(days=12)
"""Four days of all cars, with charges on solar and in a garage without signal."""

HOME = FLEET.cars[0].home
JOB = "vehicle_history"
UNCOSTED = "select count(*) from charging_sessions where cost_basis is null"
LABELLED = "select vehicle_id, started_at, location_name, charger_type from charging_sessions"


@dataclass(frozen=True)
class History:
    """A database with samples of some days, and what Dagster does on it."""

    database: Database
    instance: dg.DagsterInstance

    def defs(self, **resources: object) -> dg.Definitions:
        """The project's definitions on this database."""
        return build_defs(settings(), **{"database": self.database, **resources})

    def run(self) -> dg.ExecuteInProcessResult:
        """Run the job."""
        return self.run_with(self.defs())

    def run_with(self, defs: dg.Definitions) -> dg.ExecuteInProcessResult:
        """Run the job as some definitions have it."""
        job = defs.resolve_job_def(JOB)
        return job.execute_in_process(instance=self.instance, raise_on_error=False)

    def look(self) -> str | None:
        """The sentence with which the sensor skips; None if it asks for a run."""
        defs = self.defs()
        with dg.build_sensor_context(
            self.instance, definitions=defs, resources={"database": self.database}
        ) as context:
            found = defs.resolve_sensor_def("vehicle_history_sensor")(context)
        if isinstance(found, dg.RunRequest):
            return None
        assert isinstance(found, dg.SkipReason)
        return found.skip_message

    def execute(self, statement: str, **values: object) -> None:
        """Run SQL as a person would."""
        with self.database.rows() as connection:
            connection.execute(sa.text(statement), values)


@pytest.fixture(scope="module")
def undisturbed(server_url: sa.URL, template: str) -> Iterator[dict[str, pl.DataFrame]]:
    """What is derived from the samples by one process that nobody kills."""
    for database in new_database(server_url, f"template {template}"):
        register(database)
        add(database, between(BEGIN, END))
        derive(database)
        with database.frames() as connection:
            costs.derive_costs(connection)
        yield stored(database)


@pytest.fixture
def history(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """Samples of which nothing is derived yet."""
    register(database)
    monkeypatch.setenv("TESSIE_TIME_ZONE", vehicle_history_process.ZONE)
    add(database, between(BEGIN, END))
    with dg.DagsterInstance.ephemeral() as instance:
        yield History(database, instance)


def process(command: str, database: Database, *rest: str) -> "subprocess.CompletedProcess[bytes]":
    """The end of the program that derives."""
    program = [sys.executable, "-m", vehicle_history_process.__name__, command, database.url()]
    return subprocess.run([*program, *rest], check=False, timeout=300, capture_output=True)


def test_a_run_that_is_killed_at_any_step_is_completed_by_the_next(
    history: History, undisturbed: dict[str, pl.DataFrame]
) -> None:
    ended = process("steps", history.database)

    assert ended.returncode == 0, ended.stderr.decode()
    assert_same(stored(history.database), undisturbed)
    assert history.look() == "Nothing is new."


def test_runs_that_are_killed_at_any_moment_end_as_an_undisturbed_one(
    history: History, undisturbed: dict[str, pl.DataFrame]
) -> None:
    ended = process("random", history.database, str(KILLS))

    assert ended.returncode == 0, ended.stderr.decode()
    assert_same(stored(history.database), undisturbed)
    assert history.look() == "Nothing is new."


def test_two_processes_that_derive_while_samples_come_end_as_one_does(
    database: Database, undisturbed: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    register(database)
    file = tmp_path / "samples.parquet"
    between(BEGIN, END).write_parquet(file)

    ended = process("together", database, str(file), str(PIECES))

    assert ended.returncode == 0, ended.stderr.decode()
    assert_same(stored(database), undisturbed)
    assert marks(database) == 0


def test_the_sensor_asks_for_one_run_when_samples_are_new(history: History) -> None:
    assert history.look() is None
    waiting = history.instance.create_run_for_job(
        history.defs().resolve_job_def(JOB), status=dg.DagsterRunStatus.STARTING
    )
    assert history.look() == "What is new is being derived."
    history.instance.delete_run(waiting.run_id)

    assert history.run().success
    assert history.look() == "Nothing is new."
    add(history.database, between(END, END + timedelta(days=1)))
    assert history.look() is None


def test_a_run_that_died_holds_nothing_up_for_ever(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.instance.create_run_for_job(
        history.defs().resolve_job_def(JOB), status=dg.DagsterRunStatus.STARTED
    )
    assert history.look() == "What is new is being derived."

    monkeypatch.setattr(waiting, "LONGEST_RUN", timedelta())

    assert history.look() is None


def test_after_a_run_that_failed_the_sensor_waits_a_while(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = Database(history.database.url().rsplit("/", 1)[0] + "/nowhere")
    assert not history.run_with(history.defs(database=nowhere)).success

    assert history.look() == "It failed a moment ago."

    monkeypatch.setattr(waiting, "AGAIN_AFTER", timedelta())
    assert history.look() is None
    assert history.run().success
    assert history.look() == "Nothing is new."


def test_what_could_not_be_costed_is_asked_for_again(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert history.run().success
    add(history.database, between(END, END + timedelta(days=1)))
    with monkeypatch.context() as patch:
        patch.setattr(costs, "derive_costs", lambda _: 1 / 0)
        assert not history.run().success
    assert marks(history.database) == 0

    monkeypatch.setattr(waiting, "AGAIN_AFTER", timedelta())
    assert history.look() is None
    assert history.run().success

    assert read(history.database, UNCOSTED).item() == 0
    assert history.look() == "Nothing is new."


def test_a_place_edited_by_sql_labels_history_again_and_leaves_the_rest(history: History) -> None:
    history.run()
    at_home = read(history.database, LABELLED)
    before = versions(history.database, "charging_segments")
    assert at_home.filter(pl.col("location_name").is_not_null()).is_empty()

    history.execute(
        "insert into places (name, kind, latitude, longitude) values ('Home', 'home', :n, :e)",
        n=HOME.latitude_deg,
        e=HOME.longitude_deg,
    )
    assert history.look() is None
    assert history.run().success

    true = [
        plug_in["is_home"]
        for car in FLEET.cars
        for plug_in in charges_truth(car, BEGIN + timedelta(hours=16), END)
    ]
    labelled = read(history.database, LABELLED)
    is_named = labelled["location_name"] == "Home"
    assert labelled.filter(is_named)["charger_type"].unique().to_list() == ["home"]
    assert is_named.sum() >= sum(true) - 3
    assert versions(history.database, "charging_segments") == before
    assert history.look() == "Nothing is new."

    history.execute("update places set name = 'Hut', kind = 'other'")
    assert history.look() is None
    history.run()
    renamed = read(history.database, LABELLED).filter(pl.col("location_name") == "Hut")
    assert renamed.height == is_named.sum()
    assert "home" not in renamed["charger_type"].to_list()


def test_a_rule_of_drivers_edited_by_sql_labels_drives_again(history: History) -> None:
    history.run()
    history.execute("insert into drivers (name) values ('Ada'), ('Otto')")
    for name, vehicle in (("Ada", "1"), ("Otto", "2")):
        history.execute(
            "insert into driver_rules (driver_id, vehicle_id) "
            "select id, :vehicle from drivers where name = :name",
            name=name,
            vehicle=f"{vehicle:0>32}",
        )
    assert history.look() is None
    assert history.run().success

    assert drivers(history) == {("1", "Ada"), ("2", "Otto"), ("3", None)}
    assert history.look() == "Nothing is new."

    history.execute(
        "update driver_rules set driver_id = (select id from drivers where name = 'Otto')"
    )
    assert history.look() is None
    history.run()
    assert drivers(history) == {("1", "Otto"), ("2", "Otto"), ("3", None)}


def drivers(history: History) -> set[tuple[str, str | None]]:
    """Who drives which car."""
    query = (
        "select distinct right(d.vehicle_id::text, 1) as car, p.name "
        "from drives d left join drivers p on p.id = d.driver_id"
    )
    return set(read(history.database, query).iter_rows())
