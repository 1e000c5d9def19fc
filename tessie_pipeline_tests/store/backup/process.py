"""Back up or restore, and be killed at a step of it; started by test_kills."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tessie_pipeline.store.backup import dump_programs, restoring
from tessie_pipeline.store.backup import making as backup
from tessie_pipeline.store.backup.files import Backup, Manifest
from tessie_pipeline.store.backup.scratch import Scratch
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.store.backup.backed_up import backed_up

BACKUP_STEPS = (
    "half of the dump is written",
    "the dump is written",
    "it is complete",
    "it is being restored",
    "it is restored",
)
RESTORE_STEPS = ("it is being restored", "before it takes the place", "it has taken the place")


def die(*_: object) -> None:
    """End as by SIGKILL, without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


def prepare(step: str) -> None:
    """Let the process die at this step."""
    dump, read, write = dump_programs.dump, dump_programs.restore, Manifest.write
    swap = Scratch.swap

    def dying_dump(database: Database, file: Path, snapshot: str) -> None:
        dump(database, file, snapshot)
        os.truncate(file, file.stat().st_size // 2)
        die()

    def dying_read(database: Database, file: Path) -> None:
        read(database, file)
        die()

    def dying_write(manifest: Manifest, directory: Path) -> None:
        if (manifest.verified_at is None) == (step == "the dump is written"):
            die()
        write(manifest, directory)

    def dying_swap(place: Scratch) -> None:
        if step == "it has taken the place":
            swap(place)
        die()

    patch = pytest.MonkeyPatch()
    deaths: dict[str, tuple[Any, str, Any]] = {
        "half of the dump is written": (dump_programs, "dump", dying_dump),
        "the dump is written": (Manifest, "write", dying_write),
        "it is complete": (backup, "verify", die),
        "it is being restored": (dump_programs, "restore", dying_read),
        "it is restored": (Manifest, "write", dying_write),
        "before it takes the place": (Scratch, "swap", dying_swap),
        "it has taken the place": (Scratch, "swap", dying_swap),
    }
    patch.setattr(*deaths[step])


if __name__ == "__main__":
    errand, place, step = sys.argv[1:]
    prepare(step)
    ours = Database(os.environ["DATABASE_URL"])
    if errand == "backup":
        backed_up(ours, Path(place))
    else:
        restoring.restore(ours, Backup(Path(place)), replaces=True)
