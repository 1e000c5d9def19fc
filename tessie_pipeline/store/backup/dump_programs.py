"""A whole database into a file and back, by PostgreSQL's own pg_dump and pg_restore.

They are the embedded server's and serve any server up to their release. Passwords reach them
through their environment, which only their own user can see.
"""

import os
import re
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from tessie_pipeline.store.backup.files import BackupError
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.programs import MAJOR_VERSION, EmbeddedPostgresError, run
from tessie_pipeline.store.shared_files import open_file

LOCK_WAIT_S = 30
"""A migration that waits for the locks of the snapshot would let pg_dump wait for ever."""

_FIRST_WITH_TRANSACTION_TIMEOUT = 17
"""pg_restore sets it always; older servers do not know it, which is the one error they may have."""


def program_version() -> str:
    """The version of pg_dump and pg_restore."""
    return run("pg_dump", "--version").split()[-1]


def server_release(database: Database) -> int:
    """The release of the server, such as 18."""
    with database.rows() as connection:
        return int((connection.dialect.server_version_info or (0,))[0])


def check_server(database: Database) -> None:
    """See that the server is not newer than the programs.

    Raises:
        BackupError: it is, and they refuse such a one.
    """
    release = server_release(database)
    if release > MAJOR_VERSION:
        raise BackupError(
            f"The server is PostgreSQL {release}, and the programs here are of {MAJOR_VERSION}, "
            "which cannot dump a newer one. Back up with the server's own pg_dump until a newer "
            "release of tessie_pipeline brings them."
        )


def dump(database: Database, file: Path, snapshot: str) -> None:
    """Write all of the database, as `snapshot` sees it, into `file`, which only its owner reads.

    Raises:
        BackupError: pg_dump failed.
    """
    os.close(open_file(file, os.O_WRONLY, 0o600))
    options = [
        "--format=custom",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT_S}s",
        f"--file={file.resolve()}",
    ]
    try:
        _run("pg_dump", database, *options)
    except EmbeddedPostgresError as error:
        raise BackupError(f"The database could not be dumped: {error}") from error


def restore(database: Database, file: Path) -> None:
    """Read a dump into an empty database; all of it belongs to the role that connects.

    Raises:
        BackupError: pg_restore failed.
    """
    is_old = server_release(database) < _FIRST_WITH_TRANSACTION_TIMEOUT
    options = ["--no-owner", "--no-acl", *([] if is_old else ["--exit-on-error"])]
    try:
        _run("pg_restore", database, *options, str(file.resolve()))
    except EmbeddedPostgresError as error:
        said = str(error)
        is_only_error = re.search(r"errors ignored on restore: 1\b", said) is not None
        if is_old and "transaction_timeout" in said and is_only_error:
            return
        raise BackupError(f"{file} could not be restored: {error}") from error


def _run(program: str, database: Database, *options: str) -> None:
    """Run a program with the database's address as an argument, without its passwords."""
    address = parse_dsn(database.url())
    password = address.pop("password", None)
    address.pop("sslpassword", None)  # which no variable could hold
    # libpq heeds PG* variables in our own connections, so in these as well.
    variables = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    if password is not None:
        variables["PGPASSWORD"] = password
    run(program, f"--dbname={make_dsn(**address)}", "--no-password", *options, variables=variables)
