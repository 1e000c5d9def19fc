"""`tessie up`: Postgres, the simulator unless there are credentials, and Dagster, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

import httpx
from rich.console import Console

from tessie_pipeline.cli.environment import PROJECT, CliError, environment, prepare
from tessie_pipeline.cli.household import simulated
from tessie_pipeline.cli.runner_lock import RunnerLock, runner_lock
from tessie_pipeline.orchestration.local_dagster import local_dagster

LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
    locationOrLoadError { ... on PythonError { message } }
} } } }"""
START_S = 120
STOP_S = 30


def run(console: Console, host: str, port: int, simulator_port: int) -> None:
    """Serve until Ctrl-C or SIGTERM; everything that was started is stopped.

    Raises:
        CliError: the port is taken, another command runs Dagster in this home, or Dagster did not
            start or stopped by itself.
    """
    _check_free(host, port)
    with environment() as env:
        prepare(env)
        with (
            _only_runner(env.settings.home) as lock,
            simulated(simulator_port) if env.is_simulated else nullcontext() as simulator_url,
        ):
            variables = env.variables(simulator_url)
            with local_dagster(variables) as instance:
                instance.fail_interrupted_runs()
            log = env.settings.home / "dagster" / "dagster.log"
            log_level = env.settings.log_level.lower()
            command = [
                *(sys.executable, "-m", "dagster", "dev", "--workspace", "workspace.yaml"),
                *("--host", host, "--port", str(port), "--log-level", log_level),
            ]
            with (
                log.open("ab") as output,
                _process(command, variables, output, lock.descriptor) as dagster,
            ):
                lock.name_dagster(dagster.pid)
                _wait_until_ready(dagster, f"http://{host}:{port}", str(log))
                _check_loaded(f"http://{host}:{port}/graphql", str(log))
                console.print(f"Dagster UI   http://{host}:{port}")
                console.print(f"Source       {simulator_url or env.server}")
                console.print(f"Log          {log}", soft_wrap=True)
                console.print("Polling on schedule. Ctrl-C stops everything.")
                try:
                    dagster.wait()
                except KeyboardInterrupt:
                    console.print("Stopping …")
                    return
                raise CliError(f"Dagster stopped by itself; its log is {log}")


@contextmanager
def _only_runner(home: Path) -> Iterator[RunnerLock]:
    with runner_lock(home) as lock:
        if lock is None:
            raise CliError(
                "Dagster already runs in this home (`tessie up` or `tessie demo`): stop that "
                "first, or set TESSIE_HOME to another directory"
            )
        yield lock


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CliError(
                f"The UI cannot listen on {host}:{port} ({error.strerror}): choose with --port"
            ) from None


@contextmanager
def _process(
    command: list[str], variables: dict[str, str], output: IO[bytes], inherited: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a group of its own for the block; then the whole group is stopped.

    It inherits the file descriptor `inherited`.
    """
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=os.environ | variables,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[inherited],
    )
    try:
        yield process
    finally:
        _stop(process)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CliError(f"Dagster did not start; its log is {log}")
        try:
            httpx.get(f"{url}/server_info", timeout=5).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.3)
        else:
            return
    raise CliError(f"Dagster did not answer on {url} within {START_S} s; its log is {log}")


def _check_loaded(graphql: str, log: str) -> None:
    """See that the definitions have been loaded, without which nothing would be polled."""
    answer = httpx.post(graphql, json={"query": LOCATIONS}, timeout=60).raise_for_status().json()
    entries = answer["data"]["workspaceOrError"].get("locationEntries", [])
    faults = [(entry["locationOrLoadError"] or {}).get("message", "") for entry in entries]
    if not entries or any(faults):
        said = f"Dagster cannot load the pipeline; its log is {log}"
        raise CliError("\n".join([said, *filter(None, faults)]))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the group to end, then end what is left of it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
