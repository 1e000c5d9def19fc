"""What an embedded server is set up with: its settings, roles, passwords and port.

Our files are written anew at each start. A person's own settings go into `custom.conf` next to
them and win, except for the address: a server listens on 127.0.0.1 only.
"""

import json
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from tessie_pipeline.store.shared_files import write_file

OWNER = "tessie"
READER = "tessie_reader"
DATABASE = "tessie"

INITDB_OPTIONS = (
    "--username=postgres",
    "--auth=reject",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
)

CREATE_ROLES = (
    f"CREATE ROLE {OWNER} LOGIN CREATEDB",
    f"CREATE ROLE {READER} LOGIN",
    f"ALTER ROLE {READER} SET default_transaction_read_only = on",
    f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
)
"""Statements of one line each, for a fresh data directory."""

# Statements and rows can hold tokens and coordinates, so the log shows neither of those of errors.
_SETTINGS = """\
# Written at each start; your own settings go into custom.conf in this directory.
# What initdb found out about this machine comes first.
include_if_exists {found}
hba_file = {hba}
ident_file = {ident}
max_connections = 200
shared_buffers = '256MB'
max_wal_size = '2GB'
wal_level = minimal
max_wal_senders = 0
jit = off
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = off
log_error_verbosity = terse
log_min_error_statement = panic
include {custom}
"""

_CUSTOM = "# Settings of your own, as in postgresql.conf. They count from the next start.\n"

_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"

# Below the ports that systems give to outgoing connections, so that the URL seldom changes.
_FIRST_PORT, _PORTS = 20_000, 10_000


@dataclass(frozen=True)
class Access:
    """How clients reach a server. Kept in a file that only its owner can read."""

    port: int
    owner_password: str = field(repr=False)
    reader_password: str = field(repr=False)

    @classmethod
    def random(cls) -> Self:
        """New passwords and a free port."""
        return cls(free_port(), secrets.token_urlsafe(24), secrets.token_urlsafe(24))

    @classmethod
    def read(cls, root: Path) -> Self | None:
        """What was written last in `root`, or None if there is nothing to be read."""
        try:
            return cls(**json.loads((root / "access.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, root: Path) -> None:
        """Keeps this in `root`."""
        write_file(root / "access.json", json.dumps(asdict(self)), 0o600)

    def url(self, role: str, password: str) -> str:
        """The URL of the database for a role; it holds the password."""
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{DATABASE}"


def set_passwords(access: Access) -> tuple[str, ...]:
    """Statements of one line each that give the roles their passwords."""
    return (
        f"ALTER ROLE {OWNER} PASSWORD '{access.owner_password}'",
        f"ALTER ROLE {READER} PASSWORD '{access.reader_password}'",
    )


def write(root: Path, data: Path) -> None:
    """Writes the server's configuration files into `root`, readable by its system user."""
    settings = _SETTINGS.format(
        hba=_quoted(root / "pg_hba.conf"),
        found=_quoted(data / "postgresql.conf"),
        ident=_quoted(data / "pg_ident.conf"),
        custom=_quoted(root / "custom.conf"),
    )
    if not (root / "custom.conf").exists():
        write_file(root / "custom.conf", _CUSTOM, 0o644)
    write_file(root / "server.conf", settings, 0o644)
    write_file(root / "pg_hba.conf", _HBA, 0o644)


def options(root: Path, port: int, is_durable: bool) -> tuple[str, ...]:
    """Command line options of the server: where its settings are, and those nobody may change."""
    settings = [
        f"config_file={root / 'server.conf'}",
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
    ]
    if port:
        settings.append(f"port={port}")
    if not is_durable:
        settings += ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
    return tuple(argument for setting in settings for argument in ("-c", setting))


def is_free_port(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, at random, so that homes seldom share one."""
    while True:
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        if is_free_port(port):
            return port


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
