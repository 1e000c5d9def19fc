"""Ports, passwords and roles."""

import contextlib
import socket
import stat
import time
from pathlib import Path

import psutil
import psycopg2
import pytest

from tessie_pipeline.store.embedded.config import Access
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline_tests.store.embedded.programs import (
    Program,
    postmaster,
    sql,
)


def test_a_taken_port_is_left_to_its_owner(home: Path) -> None:
    access = Access.read(home / "postgres")
    assert access
    postgres = EmbeddedPostgres(home, durable=False)
    with socket.create_server(("127.0.0.1", access.port)), postgres.running() as url:
        assert f":{access.port}/" not in url
        assert sql(url, "SELECT 1") == [(1,)]
    with postgres.running() as again:
        assert again == url


def test_the_server_listens_on_the_loopback_address_only(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False).running():
        sockets = postmaster(home).net_connections(kind="all")
    assert [s.laddr[0] for s in sockets if s.status == psutil.CONN_LISTEN] == ["127.0.0.1"]
    assert not [s for s in sockets if s.family == socket.AF_UNIX and s.laddr]


def test_lost_passwords_are_replaced(home: Path) -> None:
    postgres = EmbeddedPostgres(home, durable=False)
    (home / "postgres" / "access.json").write_text("")
    with postgres.running() as url:
        assert sql(url, "SELECT 1") == [(1,)]
        assert sql(postgres.reader_url, "SELECT 1") == [(1,)]


def test_passwords_show_in_no_process_and_no_file_but_their_own(new_home: Path) -> None:
    seen = set()
    program = Program(new_home)
    access_file = new_home / "postgres" / "access.json"
    until = time.monotonic() + 20
    while not EmbeddedPostgres(new_home).is_running() and time.monotonic() < until:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                seen.add(" ".join([*process.cmdline(), *process.environ().values()]))
    program.server_started_at()
    program.leave()
    access = Access.read(new_home / "postgres")
    assert access
    assert any("initdb" in line for line in seen)
    for password in (access.owner_password, access.reader_password):
        assert not [line for line in seen if password in line]
        assert password not in repr(access)
        found_in = [
            path
            for path in (new_home / "postgres").rglob("*")
            if path.is_file() and password.encode() in path.read_bytes()
        ]
        assert found_in == [access_file]
    assert stat.S_IMODE(access_file.stat().st_mode) == 0o600


def test_only_the_two_roles_with_passwords_can_log_in(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False).running() as url:
        password = url.split(":")[2].split("@")[0]
        for stranger in (
            url.replace("tessie:", "postgres:"),
            url.replace(password, "wrong"),
            url.replace(f":{password}", ""),
        ):
            with pytest.raises(psycopg2.OperationalError):
                sql(stranger, "SELECT 1")
        assert sql(url, "SELECT rolsuper FROM pg_roles WHERE rolname = 'tessie'") == [(False,)]


def test_the_owner_can_make_databases(home: Path) -> None:
    with EmbeddedPostgres(home, durable=False).running() as url:
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            connection.cursor().execute("CREATE DATABASE scratch")
        assert sql(f"{url.removesuffix('tessie')}scratch", "CREATE TABLE a (b int)") == []


def test_the_reader_cannot_write(home: Path) -> None:
    postgres = EmbeddedPostgres(home, durable=False)
    with postgres.running() as url:
        sql(url, "CREATE TABLE t AS SELECT 1 AS a; GRANT SELECT ON t TO tessie_reader")
        assert sql(postgres.reader_url, "SELECT a FROM t") == [(1,)]
        for statement in ("INSERT INTO t VALUES (2)", "CREATE TABLE u (a int)"):
            with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
                sql(postgres.reader_url, statement)
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                sql(postgres.reader_url, f"SET transaction_read_only = off; {statement}")
