"""Root, plain users, and the directories between them."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline.store.embedded.system_user import open_for_reading
from tessie_pipeline_tests.store.embedded.programs import (
    IS_ROOT,
    NOBODY,
    Program,
    postmaster,
    sql,
)

only_root = pytest.mark.skipif(not IS_ROOT, reason="only root can be someone else")


@only_root
def test_directories_above_are_opened_for_searching_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    home = closed / "home"
    with EmbeddedPostgres(home, durable=False).running() as url:
        assert sql(url, "SELECT 1") == [(1,)]
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    assert str(closed) in caplog.text
    assert (home / "postgres" / "data").stat().st_uid != 0


def test_a_wheel_installed_under_umask_077_becomes_readable(tmp_path: Path) -> None:
    for name, mode in (("postgres", 0o700), ("README", 0o600)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    open_for_reading(tmp_path)
    if IS_ROOT:
        assert stat.S_IMODE((tmp_path / "postgres").stat().st_mode) == 0o705
        assert stat.S_IMODE((tmp_path / "README").stat().st_mode) == 0o604


@pytest.fixture
def nobody_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp())
    os.chown(home, NOBODY, NOBODY)
    yield home
    EmbeddedPostgres(home).stop()
    shutil.rmtree(home)


@only_root
def test_it_works_for_a_plain_user_and_then_for_root_in_that_users_home(nobody_home: Path) -> None:
    for uid in (NOBODY, 0, NOBODY):
        program = Program(nobody_home, uid)
        assert program.server_started_at()
        assert postmaster(nobody_home).uids().real == NOBODY
        program.leave()
        assert not EmbeddedPostgres(nobody_home).is_running()
    assert {path.stat().st_uid for path in nobody_home.rglob("*")} == {NOBODY}


@only_root
def test_a_home_of_someone_else_is_refused(home: Path) -> None:
    for place in (home, *home.parents):
        if place.stat().st_mode & stat.S_IXOTH == 0:
            place.chmod(0o701)
    program = Program(home, NOBODY)
    _, errors = program.process.communicate()
    assert "belongs to another user" in errors
