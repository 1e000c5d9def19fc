"""Rotate the key, and be killed at a step of it; started by test_key_rotation."""

import os
import signal
import sys
from contextlib import suppress
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.cli import key_rotation, main
from tessie_pipeline.store import shared_files
from tessie_pipeline.store.accounts import SealedTokens

STEPS = (
    "before the next key is written",
    "while the next key is written",
    "before the tokens are sealed",
    "before the seals are committed",
    "after the seals are committed",
    "while the next key is put in place",
    "at the end",
)


def die(*_: object) -> None:
    """End as by SIGKILL, without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


def rotate_until(step: str) -> None:
    """Run `tessie rotate-key`, which is killed at this step."""
    reseal, write, rename = SealedTokens.reseal, shared_files.write_file, shared_files.rename
    writes: list[str] = []

    def dying_write(*arguments: Any) -> None:
        writes.append(step)
        if (step, len(writes)) == ("before the next key is written", 1):
            die()
        write(*arguments)

    def dying_rename(*arguments: Any) -> None:
        if (step, len(writes)) in (
            ("while the next key is written", 1),
            ("while the next key is put in place", 2),
        ):
            die()
        rename(*arguments)

    def dying_reseal(tokens: SealedTokens, key: str) -> int:
        if step == "before the tokens are sealed":
            die()
        if step == "before the seals are committed":
            sa.event.listen(tokens.database.engine, "commit", die)
        count = reseal(tokens, key)
        if step == "after the seals are committed":
            die()
        return count

    patch = pytest.MonkeyPatch()
    patch.setattr(key_rotation, "write_file", dying_write)
    patch.setattr(shared_files, "rename", dying_rename)
    patch.setattr(SealedTokens, "reseal", dying_reseal)
    patch.setattr(sys, "argv", ["tessie", "rotate-key"])
    with suppress(SystemExit):
        main()
    die()


if __name__ == "__main__":
    rotate_until(sys.argv[1])
