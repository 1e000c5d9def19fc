"""What a kill leaves behind does not hinder the next start."""

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline_tests.store.embedded.programs import (
    IS_ROOT,
    Program,
    kill_postmaster,
    postmaster,
    sql,
)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(None, id="idle"),
        pytest.param("SELECT pg_sleep(60)", id="sleeping"),
        pytest.param("SELECT count(*) FROM (SELECT generate_series(1, 1e8)) s", id="computing"),
    ],
)
def test_committed_data_is_there_after_the_server_was_killed(home: Path, query: str | None) -> None:
    def be_busy() -> None:
        with contextlib.suppress(psycopg2.OperationalError):
            sql(url, query or "SELECT 1")

    postgres = EmbeddedPostgres(home)
    url = postgres.start_and_keep()
    sql(url, "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer")
    busy = threading.Thread(target=be_busy)
    busy.start()
    time.sleep(0.1)
    kill_postmaster(home)
    with postgres.running() as again:
        assert sql(again, "SELECT answer FROM kept") == [(42,)]
        assert sql(again, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'") == [(1,)]
    busy.join()


@pytest.fixture
def foreigner(home: Path) -> Iterator[int]:
    """A live process of the server's own user that has nothing to do with it."""
    owner = {"user": (home / "postgres" / "data").stat().st_uid} if IS_ROOT else {}
    with subprocess.Popen(["/bin/sleep", "60"], **owner) as process:  # type: ignore[call-overload]
        yield process.pid
        process.kill()


@pytest.mark.parametrize("content", ["{pid}", "-{pid}", "", "nonsense\n", "1{pid}000000000000"])
def test_a_stale_pid_file_does_not_hinder_a_start(home: Path, content: str, foreigner: int) -> None:
    postgres = EmbeddedPostgres(home)
    postgres.start_and_keep()
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    _, rest = pid_file.read_text().split("\n", maxsplit=1)
    kill_postmaster(home)
    pid_file.write_text(f"{content.format(pid=foreigner)}\n{rest}" if content else "")
    with postgres.running() as url:
        assert sql(url, "SELECT 1") == [(1,)]
    assert psutil.pid_exists(foreigner)


def test_a_server_started_by_hand_is_used_and_not_harmed(home: Path) -> None:
    postgres = EmbeddedPostgres(home)
    postgres.start_and_keep()
    (home / "postgres" / "server.lock").unlink()
    process = postmaster(home)
    with postgres.running() as url:
        assert sql(url, "SELECT 1") == [(1,)]
        assert postmaster(home) == process


def test_a_start_works_after_kills_at_any_moment_of_the_first_one(new_home: Path) -> None:
    for delay_s in (0.15, 0.25, 0.35, 0.45, 0.6, 0.75):
        program = Program(new_home)
        time.sleep(delay_s)
        program.kill()
    postgres = EmbeddedPostgres(new_home, durable=False)
    with postgres.running() as url:
        sql(url, "CREATE TABLE mine (a int)")
        assert sql(postgres.reader_url, "SELECT current_user") == [("tessie_reader",)]
    assert not postgres.is_running()
    assert not (new_home / "postgres" / "data.new").exists()
