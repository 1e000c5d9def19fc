"""A Postgres server for one run of the benchmarks, as durable as in production."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from tessie_pipeline.store import migrations
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.config import OWNER
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline.store.embedded.programs import run
from tessie_pipeline.store.embedded.system_user import server_user


@dataclass(frozen=True)
class Scratch:
    """A migrated database, and a directory whose files its server may read.

    Attributes:
        database: the database.
        home: the directory.
        stack: closed before the server stops.
    """

    database: Database
    home: Path
    stack: ExitStack

    def execute(self, *statements: str) -> None:
        """Run statements outside any transaction."""
        engine = self.database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A new server in a temporary home; its owner may `COPY` from files and `CHECKPOINT`."""
    with TemporaryDirectory(prefix="tessie-bench-") as directory:
        home = Path(directory)
        home.chmod(0o711)  # the server may be another user
        server = EmbeddedPostgres(home, durable=True)
        with server.running():
            pass
        _grant_to_owner(home / "postgres" / "data")
        with server.running() as url:
            database = Database(url)
            migrations.upgrade(database)
            with ExitStack() as stack:
                yield Scratch(database, home, stack)
            database.dispose()


def _grant_to_owner(data: Path) -> None:
    """Grant what only a superuser may, while the server is stopped: no superuser can log in."""
    grant = f"GRANT pg_read_server_files, pg_checkpoint TO {OWNER}\n"
    run("postgres", "--single", "-D", data, "postgres", user=server_user(data), stdin=grant)
