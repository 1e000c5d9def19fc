"""A Postgres server that nobody has to install, kept in the project's home.

Programs share it: the first one starts it and the last one out stops it, or `tessie down`. Each
holds a lock while it needs the server; the kernel drops the locks of killed programs. How a
server is made, started and stopped is in `store/embedded/server.py`.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tessie_pipeline.store import shared_files
from tessie_pipeline.store.embedded.config import OWNER, READER, Access
from tessie_pipeline.store.embedded.programs import EmbeddedPostgresError
from tessie_pipeline.store.embedded.server import Server

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]


@dataclass(frozen=True)
class EmbeddedPostgres:
    """The Postgres server of one home directory.

    Attributes:
        home: the project's home; the server's files are in `postgres/` in it.
        durable: whether commits survive a power cut; False is for tests.
    """

    home: Path
    durable: bool = True

    @property
    def url(self) -> str:
        """The URL of the database for its owner, with the password: never log it.

        Raises:
            EmbeddedPostgresError: if the server was never started.
        """
        access = self._access()
        return access.url(OWNER, access.owner_password)

    @property
    def reader_url(self) -> str:
        """The URL for the role that can only read, with its password.

        Raises:
            EmbeddedPostgresError: if the server was never started.
        """
        access = self._access()
        return access.url(READER, access.reader_password)

    @contextmanager
    def running(self) -> Iterator[str]:
        """The owner's URL, with the server running for the block at least.

        Raises:
            EmbeddedPostgresError: if the server does not start or stop.
        """
        self._prepare()
        place = shared_files.shared(self._users)
        try:
            with self._turn():
                self._server.start()
            yield self.url
        finally:
            with self._turn():
                shared_files.release(place)
                if shared_files.is_free(self._users) and not self._keep.exists():
                    self._server.stop()

    def start_and_keep(self) -> str:
        """The owner's URL, with the server running until `stop` is called.

        Raises:
            EmbeddedPostgresError: if the server does not start.
        """
        self._prepare()
        with self._turn():
            self._server.start()
            self._keep.touch()
        return self.url

    def stop(self) -> bool:
        """Stops the server, whoever uses it, and says whether it was running.

        Raises:
            EmbeddedPostgresError: if it cannot be stopped from here.
        """
        if not self._root.exists():
            return False
        self._prepare()
        with self._turn():
            self._keep.unlink(missing_ok=True)
            return self._server.stop()

    def is_running(self) -> bool:
        """Whether the server accepts connections now."""
        return self._server.is_ready()

    @property
    def _root(self) -> Path:
        return self.home.resolve() / "postgres"

    @property
    def _server(self) -> Server:
        return Server(self._root, self.durable)

    @property
    def _users(self) -> Path:
        return self._root / "users.lock"

    @property
    def _keep(self) -> Path:
        return self._root / "keep"

    def _turn(self) -> AbstractContextManager[None]:
        """Starting and stopping are done by one program at a time."""
        return shared_files.exclusive(self._root / "start.lock")

    def _access(self) -> Access:
        access = Access.read(self._root)
        if access is None:
            raise EmbeddedPostgresError(
                f"{self._root} has no readable access.json. Starting the server makes one with new "
                "passwords; if it runs, stop it first with `tessie down`."
            )
        return access

    def _prepare(self) -> None:
        """Makes the directory of the server's files.

        Raises:
            EmbeddedPostgresError: if this system or this user cannot run a server there.
        """
        if sys.platform == "win32":
            raise EmbeddedPostgresError(
                "The embedded Postgres runs on Linux and macOS. Set DATABASE_URL to a server."
            )
        # Not `make_directory`: the server's own user has to search it.
        self.home.mkdir(parents=True, exist_ok=True)
        if not self._root.exists():
            is_root = os.geteuid() == 0
            self._root.mkdir(mode=0o711 if is_root else 0o700, exist_ok=True)
            if is_root:
                owner = self.home.stat()
                os.chown(self._root, owner.st_uid, owner.st_gid)
        if os.geteuid() not in (0, self._root.stat().st_uid):
            raise EmbeddedPostgresError(
                f"{self._root} belongs to another user. Run as that user, or set TESSIE_HOME to a "
                "directory of your own."
            )
