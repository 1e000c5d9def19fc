"""Programs, kills and queries for the tests of the embedded Postgres."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg2

NOBODY = 65534
IS_ROOT = os.geteuid() == 0

# Becomes the user that it is told, prints when the server that it got was started, and stays
# until its input ends.
PROGRAM = """import os
import sys
from pathlib import Path
import psycopg2
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
if (uid := int(sys.argv[2])) != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
with EmbeddedPostgres(Path(sys.argv[1]), durable=False).running() as url:
    connection = psycopg2.connect(url)
    cursor = connection.cursor()
    cursor.execute("SELECT pg_postmaster_start_time()::text")
    print(cursor.fetchone()[0], flush=True)
    sys.stdin.read()
"""


class Program:
    """A program of its own that uses the server of a home."""

    def __init__(self, home: Path, uid: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(home), str(os.geteuid() if uid is None else uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def server_started_at(self) -> str:
        """Waits until the program has its server."""
        assert self.process.stdout
        return str(self.process.stdout.readline()).strip()

    def leave(self) -> None:
        """Ends the program as it would end by itself."""
        _, errors = self.process.communicate()
        assert self.process.returncode == 0, errors

    def kill(self) -> None:
        """Ends the program without a chance to give anything back."""
        self.process.kill()
        self.process.communicate()


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
        connection.commit()
    return rows


def postmaster(home: Path) -> psutil.Process:
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    return psutil.Process(int(pid_file.read_text().split()[0]))


def kill_postmaster(home: Path) -> None:
    server = postmaster(home)
    server.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        while server.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.001)


def processes_in(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(home.resolve() / "postgres" / "data"):
                found.append(process)
    return found
