"""Who starts the server, and who stops it."""

import signal
import time
from pathlib import Path

from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline_tests.store.embedded.programs import (
    Program,
    processes_in,
    sql,
)


def test_data_survives_a_restart(restored_home: Path) -> None:
    postgres = EmbeddedPostgres(restored_home)
    with postgres.running() as url:
        sql(url, "CREATE TABLE survivor AS SELECT 42 AS answer")
    assert not postgres.is_running()
    with postgres.running() as again:
        assert sql(again, "SELECT answer FROM survivor") == [(42,)]
        assert again == url


def test_a_first_start_takes_seconds_and_the_next_a_fraction_of_one(new_home: Path) -> None:
    durations_s = []
    for _ in range(2):
        begun_at = time.monotonic()
        with EmbeddedPostgres(new_home).running() as url:
            durations_s.append(time.monotonic() - begun_at)
            assert sql(url, "SHOW data_checksums") == [("on",)]
    # Measured 0.6 and 0.05; a busy machine gets leeway.
    assert durations_s[0] < 6
    assert durations_s[1] < 2


def test_the_last_program_out_stops_the_server(home: Path) -> None:
    first, second = Program(home), Program(home)
    assert first.server_started_at() == second.server_started_at()
    first.leave()
    assert EmbeddedPostgres(home).is_running()
    second.leave()
    assert not EmbeddedPostgres(home).is_running()
    assert processes_in(home) == []


def test_two_uses_in_one_program_count_as_two(home: Path) -> None:
    postgres = EmbeddedPostgres(home, durable=False)
    with postgres.running() as url:
        with postgres.running():
            pass
        assert sql(url, "SELECT 1") == [(1,)]
    assert not postgres.is_running()


def test_a_killed_program_does_not_keep_the_server(home: Path) -> None:
    killed = Program(home)
    killed.server_started_at()
    killed.kill()
    assert EmbeddedPostgres(home).is_running()
    with EmbeddedPostgres(home).running():
        pass
    assert not EmbeddedPostgres(home).is_running()


def test_a_program_that_is_interrupted_stops_its_server(home: Path) -> None:
    program = Program(home)
    program.server_started_at()
    program.process.send_signal(signal.SIGINT)
    program.process.communicate()
    assert not EmbeddedPostgres(home).is_running()


def test_a_kept_server_runs_until_it_is_stopped(home: Path) -> None:
    postgres = EmbeddedPostgres(home, durable=False)
    url = postgres.start_and_keep()
    with postgres.running():
        pass
    assert sql(url, "SELECT 1") == [(1,)]
    assert postgres.stop()
    assert not postgres.is_running()
    assert not postgres.stop()
    with postgres.running():
        pass
    assert not postgres.is_running()


def test_stopping_does_not_wait_for_users(home: Path) -> None:
    user = Program(home)
    user.server_started_at()
    assert EmbeddedPostgres(home).stop()
    assert processes_in(home) == []
    user.leave()


def test_ten_programs_that_start_at_once_share_one_server(new_home: Path) -> None:
    programs = [Program(new_home) for _ in range(10)]
    started_at = {program.server_started_at() for program in programs}
    for program in programs:
        program.leave()
    assert len(started_at) == 1
    assert "" not in started_at
    assert not EmbeddedPostgres(new_home).is_running()
