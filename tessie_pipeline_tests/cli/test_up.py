"""`tessie up`: everything starts, and Ctrl-C stops everything."""

import shlex
import signal
import socket
import subprocess
import sys
import time

import httpx
import psutil
import pytest

from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline_tests.cli.conftest import Tessie

GRAPH = "{ assetNodes { assetKey { path } groupName description } }"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read_until(process: "subprocess.Popen[str]", text: str) -> str:
    assert process.stdout is not None
    lines = ""
    for line in process.stdout:
        lines += line
        if text in line:
            return lines
    raise AssertionError(lines)


@pytest.fixture
def left(tessie: Tessie) -> list[psutil.Process]:
    """Dagster's processes after the command that started them was killed."""
    killed = tessie.start("up", "--port", str(free_port()), "--simulator-port", str(free_port()))
    try:
        read_until(killed, "Ctrl-C stops everything")
        children = psutil.Process(killed.pid).children(recursive=True)
    finally:
        killed.kill()
        killed.communicate(timeout=10)
    return [child for child in children if "dagster" in " ".join(child.cmdline())]


def test_up_ends_what_a_killed_one_left_serves_the_graph_and_stops_everything_at_ctrl_c(
    tessie: Tessie, left: list[psutil.Process]
) -> None:
    assert left
    assert all(process.is_running() for process in left), "they do not end by themselves"
    port = free_port()
    process = tessie.start("up", "--port", str(port), "--simulator-port", str(free_port()))
    try:
        read_until(process, "Ctrl-C stops everything")
        children = psutil.Process(process.pid).children(recursive=True)
        answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": GRAPH}, timeout=60)
        listening = {
            connection.laddr.ip
            for child in [psutil.Process(process.pid), *children]
            for connection in child.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        _, still_left = psutil.wait_procs(left, timeout=1)
        second = tessie("up", "--port", str(free_port()))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()

    assert not still_left
    assert second.returncode == 1
    assert "Dagster already runs in this home" in second.stderr
    nodes = answer.json()["data"]["assetNodes"]
    assert {node["assetKey"]["path"][0] for node in nodes} >= {"vehicles", "energy_daily"}
    assert all(node["description"] for node in nodes)
    assert listening == {"127.0.0.1"}
    assert process.returncode == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not EmbeddedPostgres(tessie.home).is_running()


def test_a_start_that_is_terminated_leaves_no_server_behind(tessie: Tessie) -> None:
    process = tessie.start("up", "--port", str(free_port()), "--simulator-port", str(free_port()))
    try:
        deadline = time.monotonic() + 60
        while not EmbeddedPostgres(tessie.home).is_running():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.terminate()
        process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 128 + signal.SIGTERM
    assert not EmbeddedPostgres(tessie.home).is_running()


def test_a_taken_port_is_said_in_a_sentence(tessie: Tessie) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = tessie("up", "--port", str(taken.getsockname()[1]))

    assert result.returncode == 1
    assert "choose with --port" in result.stderr


def test_plain_dagster_works_with_the_printed_environment(tessie: Tessie) -> None:
    exports = tessie("env").stdout.removeprefix("export ").split(" export ")
    printed = dict(shlex.split(export)[0].split("=", 1) for export in exports)

    listed = subprocess.run(
        [sys.executable, "-m", "dagster", "schedule", "list", "-w", "workspace.yaml"],
        env=tessie.environment(**printed),
        cwd=printed["DAGSTER_HOME"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "live_poll_schedule" in listed.stdout, listed.stderr
    assert "energy_days_schedule" in listed.stdout
