"""One Postgres server on a data directory of ours: creates it, starts it, stops it.

Which processes belong to it is known by a lock file that they inherit, not by process ids: while
any of them lives (initdb, the server, an orphaned backend) the lock is held, and when none does
it is free, whatever a stale postmaster.pid says. Who wants the server to run is not known here,
and callers of `start` and `stop` take turns (`store/embedded/postgres.py`).
"""

import logging
import os
import shlex
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tessie_pipeline.store.embedded import config
from tessie_pipeline.store.embedded.config import Access
from tessie_pipeline.store.embedded.programs import (
    MAJOR_VERSION,
    EmbeddedPostgresError,
    installation,
    installed_trees,
    run,
)
from tessie_pipeline.store.embedded.system_user import (
    SystemUser,
    hand_over,
    open_for_reading,
    open_way_to,
    server_user,
)
from tessie_pipeline.store.shared_files import exclusive_if_free, is_free, open_file, rename

logger = logging.getLogger(__name__)

LOG_LIMIT_BYTES = 10 * 1024**2
START_LIMIT_S = 1800.0
"""Recovery after a crash can take minutes on a slow disk; it must not be cut short."""
LAUNCHES = 3
_POLL_S = 0.01


@dataclass(frozen=True)
class Server:
    """The server whose files are in `root`: `data`, `log`, its configuration and its lock.

    Attributes:
        root: the directory of all its files.
        is_durable: whether commits survive a power cut; False is for tests.
    """

    root: Path
    is_durable: bool = True

    @property
    def data(self) -> Path:
        """Postgres's data directory."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """What the server has to say; at 10 MB it becomes `log.1` at the next start."""
        return self.root / "log"

    @property
    def lock(self) -> Path:
        """The lock that every process of the server inherits."""
        return self.root / "server.lock"

    def is_ready(self) -> bool:
        """Whether the server lives and accepts connections."""
        return self._postmaster() is not None and self._pid_file()[7:8] == ["ready"]

    def start(self) -> None:
        """Returns when the server accepts connections, creating and starting it as needed.

        Raises:
            EmbeddedPostgresError: if it cannot; with the end of the server's log.
        """
        self._check_version()
        launches = 0
        started_at = said_at = time.monotonic()
        while not self.is_ready():
            now = time.monotonic()
            if self._postmaster() is None:
                if (lock := exclusive_if_free(self.lock)) is None:
                    self._outlast_strays(patience_s=1 if launches == 0 else 30)
                    continue
                try:
                    if launches == LAUNCHES:
                        raise self._failure("does not start")
                    self._launch(lock)
                finally:
                    os.close(lock)
                launches += 1
            elif now - started_at > START_LIMIT_S:
                raise self._failure(f"is not ready after {START_LIMIT_S:.0f} s")
            elif now - said_at > 10:
                logger.warning("Postgres is still starting, perhaps recovering: see %s", self.log)
                said_at = now
            time.sleep(_POLL_S)

    def stop(self) -> bool:
        """Returns when no process of the server is left, and whether a server was running."""
        was_running = False
        asked_at: float | None = None
        while True:
            if (postmaster := self._postmaster()) is not None:
                was_running = True
                now = time.monotonic()
                asked_at = asked_at or now
                # Fast shutdown; immediate if that takes a minute. Repeating it does no harm.
                _send(postmaster, signal.SIGINT if now - asked_at < 60 else signal.SIGQUIT)
                time.sleep(_POLL_S * 2)
            elif is_free(self.lock):
                return was_running
            else:
                self._outlast_strays(patience_s=1)

    def _launch(self, lock: int) -> None:
        """Starts the server, or fails to; `start` sees which.

        Args:
            lock: the open and locked `self.lock`, which says that no process of it lives.
        """
        user = server_user(self.data)
        if user is not None:
            for tree in installed_trees():
                open_for_reading(tree)
            for place in (installation(), self.root, self.data.resolve().parent):
                open_way_to(place, user)
        config.write(self.root, self.data)
        if not self.data.is_dir() or not any(self.data.iterdir()):
            self._create(user, lock)
        self._check_version()
        if user is not None and self.data.stat().st_uid != user.uid:
            hand_over(self.data.resolve(), user)
        self.data.chmod(0o700)
        self._remove_stale_pid_file()
        access = Access.read(self.root)
        if access is None:
            access = Access.random()
            self._run_sql(self.data, config.set_passwords(access), user, lock)
            access.write(self.root)
        if not config.is_free_port(access.port):
            access = replace(access, port=config.free_port())
            logger.warning("The port was taken: Postgres moves to port %d", access.port)
            access.write(self.root)
        self._prepare_log(user)
        options = config.options(self.root, access.port, self.is_durable)
        # pg_ctl hands these names to a shell: relative ones keep it from reading "$" in a path.
        command = ["start", "-W", "-s", "-D", self.data.name, "-l", self.log.name]
        arguments = [*command, "-o", shlex.join(options)]
        run("pg_ctl", *arguments, user=user, keep_open=[lock], cwd=self.root)

    def _create(self, user: SystemUser | None, lock: int) -> None:
        """Makes the data directory with its roles and database, complete or not at all."""
        draft = self.root / "data.new"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        if user is not None:
            os.chown(draft, user.uid, user.gid)
        options = [*config.INITDB_OPTIONS, *([] if self.is_durable else ["--no-sync"])]
        run("initdb", "-D", draft, *options, user=user, keep_open=[lock])
        access = Access.read(self.root) or Access.random()
        sql = (*config.CREATE_ROLES, *config.set_passwords(access))
        self._run_sql(draft, sql, user, lock)
        access.write(self.root)
        rename(draft, self.data)
        logger.info("Created a Postgres data directory in %s", self.data)

    def _run_sql(
        self, data: Path, statements: Sequence[str], user: SystemUser | None, lock: int
    ) -> None:
        """Runs one-line statements without a server, so that no superuser needs a password."""
        options = config.options(self.root, 0, self.is_durable)
        sql = "".join(f"{statement}\n" for statement in statements)
        arguments = ["--single", "-D", str(data), *options, "postgres"]
        said = run("postgres", *arguments, user=user, keep_open=[lock], stdin=sql)
        if "ERROR:" in said:
            raise EmbeddedPostgresError(f"Creating the database roles failed: {said[-2000:]}")

    def _check_version(self) -> None:
        """Raises unless the data directory is absent, empty, or of the wheel's release."""
        if not self.data.is_dir() or not any(self.data.iterdir()):
            return
        version_file = self.data / "PG_VERSION"
        version = version_file.read_text().strip() if version_file.is_file() else ""
        if not version:
            raise EmbeddedPostgresError(
                f"{self.data} holds files but no PG_VERSION, so it is no Postgres data directory. "
                "Restore it from a backup, or move it away to start with an empty database."
            )
        if version != str(MAJOR_VERSION):
            raise EmbeddedPostgresError(
                f"{self.data} was made by PostgreSQL {version}, and this program brings PostgreSQL "
                f"{MAJOR_VERSION}, which cannot open it. Dump it with the program that made it "
                f"(pg_dump of PostgreSQL {version}), move the directory away, start again, and "
                "restore the dump."
            )

    def _prepare_log(self, user: SystemUser | None) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_name("log.1"))
        descriptor = open_file(self.log, os.O_WRONLY, 0o600)
        if user is not None:
            os.fchown(descriptor, user.uid, user.gid)
        os.close(descriptor)

    def _pid_file(self) -> list[str]:
        """The lines of postmaster.pid, stripped: process id first, status eighth."""
        try:
            text = (self.data / "postmaster.pid").read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [line.strip() for line in text.splitlines()]

    def _postmaster(self) -> psutil.Process | None:
        """The live server process of this data directory, by what it is and not by its id only."""
        try:
            process = psutil.Process(int(self._pid_file()[0]))
            is_ours = process.name() == "postgres" and self.data.samefile(process.cwd())
        except (IndexError, ValueError, OSError, psutil.Error):
            return None
        return process if is_ours else None

    def _remove_stale_pid_file(self) -> None:
        """Removes postmaster.pid where Postgres would not; call only while no process lives."""
        try:
            os.kill(abs(int(self._pid_file()[0])), 0)
        except ProcessLookupError:
            # Left to Postgres, which finds the shared memory of the dead server through it.
            return
        except (IndexError, ValueError, OverflowError, PermissionError):
            pass
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _outlast_strays(self, patience_s: float) -> None:
        """Returns when no process has the lock, or when a server has shown up after all.

        Backends of a killed server leave by themselves if idle; after `patience_s` the others are
        asked to quit, then killed.
        """
        for number, wait_s in ((None, patience_s), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 10.0)):
            for process in self._processes() if number else ():
                logger.warning("Ending a stray Postgres process, %d", process.pid)
                _send(process, number)
            give_up_at = time.monotonic() + wait_s
            while time.monotonic() < give_up_at:
                if self._postmaster() is not None or is_free(self.lock):
                    return
                time.sleep(_POLL_S)
        raise EmbeddedPostgresError(
            f"A process that cannot be seen from here uses {self.data}; is it in another "
            f"container? Find it with `fuser {self.lock}` on the host and end it."
        )

    def _processes(self) -> list[psutil.Process]:
        """Postgres processes that work in these directories or were started for them."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() not in ("postgres", "initdb", "pg_ctl"):
                    continue
                places = [Path(place) for place in (process.cwd(), *process.cmdline())]
            except psutil.Error:
                continue
            if any(p.is_relative_to(self.root) or p == self.data.resolve() for p in places):
                found.append(process)
        return found

    def _failure(self, what: str) -> EmbeddedPostgresError:
        tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        return EmbeddedPostgresError(
            f"The embedded Postgres {what}. Mend what its log {self.log} says and start again, or "
            f"set DATABASE_URL to a server you run. The log ends with:\n{tail}"
        )


def _send(process: psutil.Process, number: signal.Signals | None) -> None:
    try:
        if number is not None:
            process.send_signal(number)
    except psutil.NoSuchProcess:
        return
