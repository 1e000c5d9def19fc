"""The nightly backup: what its run shows, and that it fails when no good backup came of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.jobs import logging_from
from tessie_pipeline.store.backup import dump_programs
from tessie_pipeline.store.backup.files import Manifest, alone_in, backups_in
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.rollups import retention_log
from tessie_pipeline_tests.orchestration.conftest import settings

NIGHT = datetime(2026, 11, 21, 3, 20, tzinfo=UTC)

Run = Callable[[], dg.ExecuteInProcessResult]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the backups of a home of the test's own."""
    monkeypatch.setenv("TESSIE_HOME", str(tmp_path))
    return tmp_path / "backups"


@pytest.fixture
def run(database: Database, place: Path) -> Iterator[Run]:
    """Runs the job at `NIGHT`."""
    assert not place.exists()
    resources = {"database": database, "clock": lambda: NIGHT}
    job = build_defs(settings(), **resources).resolve_job_def("backup")
    with dg.DagsterInstance.ephemeral() as instance:
        yield lambda: job.execute_in_process(
            run_config=logging_from("CRITICAL"), instance=instance, raise_on_error=False
        )


def failure(result: dg.ExecuteInProcessResult) -> str:
    assert not result.success
    (event,) = [event for event in result.all_events if event.is_step_failure]
    return str(event.step_failure_data.error)


def test_a_run_makes_a_good_backup_and_shows_what_is_in_it(run: Run, place: Path) -> None:
    result = run()

    assert result.success
    (backup,) = backups_in(place)
    assert backup.state() == "good"
    manifest = Manifest.read(backup.path)
    (event,) = result.get_step_success_events()
    (output,) = [each for each in result.all_events if each.is_successful_output]
    shown = {name: value.value for name, value in output.step_output_data.metadata.items()}
    assert event.step_key == "back_up_database"
    assert {name: shown[name] for name in shown if not name.endswith("_s")} == {
        "backup": str(backup.path),
        "bytes": manifest.dump_bytes,
        "tables": len(manifest.tables),
        "rows": manifest.rows,
        "archive_files": 0,
        "verified": True,
        "deleted": "none",
    }


def test_a_backup_that_differs_fails_the_run_and_is_named(
    run: Run, place: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = dump_programs.restore

    def lossy_restore(scratch: Database, file: Path) -> None:
        restore(scratch, file)
        with scratch.rows() as connection:
            connection.execute(sa.text("delete from alembic_version"))

    monkeypatch.setattr(dump_programs, "restore", lossy_restore)

    said = failure(run())

    assert "public.alembic_version has 0 rows instead of 1" in said
    assert f"{place}/2026-11-21T03-20-00Z.bad" in said
    assert [backup.state() for backup in backups_in(place)] == ["bad"]
    assert str(database.engine.url.password) not in said


def test_a_file_that_the_archive_lacks_fails_the_run_and_the_backup_is_good(
    run: Run, place: Path, database: Database
) -> None:
    row = {
        "series": "energy_states",
        **{"start": NIGHT.date(), "end": NIGHT.date(), "rows": 3, "bytes": 9, "rollup_rows": 1},
        **{"checksum": "00", "duration_s": 0.1, "archive_file": "a.parquet", "archive_bytes": 1},
    }
    with database.rows() as connection:
        connection.execute(sa.insert(retention_log).values(row))

    assert "a.parquet is missing in the archive" in failure(run())
    assert [backup.state() for backup in backups_in(place)] == ["good"]


def test_a_second_run_at_the_same_time_fails_in_a_sentence(run: Run, place: Path) -> None:
    with alone_in(place):
        assert "is under way" in failure(run())


def test_it_runs_every_night_from_the_start() -> None:
    schedule = build_defs(settings()).resolve_schedule_def("backup_schedule")
    assert schedule.cron_schedule == "20 3 * * *"
    assert schedule.execution_timezone == "UTC"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
