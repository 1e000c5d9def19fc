"""Killed at any step, a backup does not count and a restore is done or not begun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tessie_pipeline.store.backup.files import backups_in
from tessie_pipeline.store.backup.table_totals import read_totals
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.store.backup.backed_up import backed_up, fill, scratches
from tessie_pipeline_tests.store.backup.process import BACKUP_STEPS, RESTORE_STEPS


@pytest.fixture
def source(database: Database) -> Database:
    """A database with a few rows."""
    fill(database)
    return database


def kill(source: Database, errand: str, place: Path, step: str) -> None:
    """Run an errand in a process that is killed at a step of it."""
    source.dispose()
    module = "tessie_pipeline_tests.store.backup.process"
    killed = subprocess.run(
        [sys.executable, "-m", module, errand, str(place), step],
        env=os.environ | {"DATABASE_URL": source.url()},
        check=False,
        timeout=120,
    )
    assert killed.returncode == -9


def states(place: Path) -> list[str]:
    return [backup.state() for backup in backups_in(place)]


@pytest.mark.parametrize("step", BACKUP_STEPS)
def test_a_killed_backup_does_not_count_and_the_next_one_clears_up(
    source: Database, tmp_path: Path, step: str
) -> None:
    place = tmp_path / "backups"
    kill(source, "backup", place, step)
    left = ["unverified"] if step in BACKUP_STEPS[2:] else []
    assert states(place) == left

    backed_up(source, place, night=1)

    assert states(place) == [*left, "good"]
    assert not list(place.glob("*.incomplete"))
    assert scratches(source) == []


@pytest.mark.parametrize("step", RESTORE_STEPS)
def test_a_killed_restore_leaves_the_old_database_or_the_new_one(
    source: Database, tmp_path: Path, step: str
) -> None:
    backup = backed_up(source, tmp_path / "backups", verifies=False).backup
    then = read_totals(source)
    with source.rows() as connection:
        connection.exec_driver_sql("insert into dagster.runs (body) values ('since then')")
    since = read_totals(source)

    kill(source, "restore", backup.path, step)

    is_new = step == "it has taken the place"
    assert read_totals(source) == (then if is_new else since)
    backed_up(source, tmp_path / "backups", night=1, verifies=False)
    assert scratches(source) == []
