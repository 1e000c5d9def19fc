"""One command at a time runs Dagster in a home, and ends what a killed one has left running.

The lock file names the processes: the command, and Dagster's, which inherits the lock. A lock that
is held while its command is gone is held by what that command has left.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tessie_pipeline.store.shared_files import exclusive_if_free

END_S = 10


@dataclass(frozen=True)
class RunnerLock:
    """The lock that this command holds; processes that it starts may inherit `descriptor`."""

    descriptor: int

    def name_dagster(self, pid: int) -> None:
        """Say which process group is to be ended if this command cannot."""
        self._write(os.getpid(), pid)

    def _write(self, *pids: int) -> None:
        text = json.dumps([_identity(pid) for pid in pids])
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)


@contextmanager
def runner_lock(home: Path) -> Iterator[RunnerLock | None]:
    """The lock of this home for the block, None if another command has it.

    What a killed command has left running there is ended first.
    """
    path = home / "dagster" / "runner.lock"
    descriptor = exclusive_if_free(path)
    if descriptor is None:
        _end_leftovers(path)
        descriptor = exclusive_if_free(path)
    if descriptor is None:
        yield None
        return
    try:
        lock = RunnerLock(descriptor)
        lock._write(os.getpid())
        yield lock
    finally:
        os.close(descriptor)


def _end_leftovers(path: Path) -> None:
    try:
        command, *dagster = json.loads(path.read_text())
    except (ValueError, TypeError):
        return
    if _is_alive(command):
        return
    for leader in filter(_is_alive, dagster):
        for number in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(leader[0], number)
            with suppress(psutil.TimeoutExpired, psutil.NoSuchProcess):
                psutil.Process(leader[0]).wait(END_S)


def _identity(pid: int) -> tuple[int, float]:
    """What tells a process from a later one with its number."""
    return pid, psutil.Process(pid).create_time()


def _is_alive(identity: tuple[int, float]) -> bool:
    with suppress(psutil.NoSuchProcess):
        return _identity(identity[0]) == tuple(identity)
    return False
