"""Connections to Postgres: SQLAlchemy for rows, ADBC for frames.

Rows are single statements, registries, locks and migrations. Frames are bulk reads and writes,
which go through Arrow (`store/frames.py`). Each context manager is one transaction. Not here:
queries.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import adbc_driver_postgresql.dbapi as adbc
import sqlalchemy as sa

APPLICATION_NAME = "tessie"

LOCK_NOT_AVAILABLE = "55P03"


class Database:
    """One Postgres database (15 or newer), by its URL; the `repr` hides the password."""

    def __init__(self, url: str) -> None:
        """Connect lazily to `url`, in any of the spellings that SQLAlchemy or libpq know."""
        self._url = sa.make_url(url.replace("postgres://", "postgresql://", 1))

    def __repr__(self) -> str:
        # libpq also takes passwords in the query, so that is left out.
        return f"Database({self._url.set(query={}).render_as_string(hide_password=True)})"

    def url(self, driver: str | None = None) -> str:
        """The URL with its password, for libpq, or for SQLAlchemy's `driver`."""
        name = f"postgresql+{driver}" if driver else "postgresql"
        return self._url.set(drivername=name).render_as_string(hide_password=False)

    @cached_property
    def engine(self) -> sa.Engine:
        """SQLAlchemy's engine; connections speak UTC."""
        return sa.create_engine(
            self.url("psycopg2"),
            pool_size=2,
            pool_pre_ping=True,
            hide_parameters=True,  # an error would show them in logs and in Dagster's UI
            connect_args={"application_name": APPLICATION_NAME, "options": "-c timezone=UTC"},
        )

    @contextmanager
    def rows(self) -> Iterator[sa.Connection]:
        """One transaction for statements on rows: committed at the end, rolled back on error."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def locking_rows(self, lock_s: int, holder_s: int, busy: str) -> Iterator[sa.Connection]:
        """As `rows`, neither waiting for a lock nor keeping one for ever.

        Args:
            lock_s: how long it waits for a lock of others.
            holder_s: after so long without a statement Postgres ends the transaction.
            busy: what the error says when others have held a lock for too long.

        Raises:
            TimeoutError: they have.
        """
        limits = {
            "lock_timeout": f"{lock_s}s",
            "idle_in_transaction_session_timeout": f"{holder_s}s",
        }
        try:
            with self.rows() as connection:
                for name, value in limits.items():
                    connection.execute(sa.select(sa.func.set_config(name, value, True)))
                yield connection
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "pgcode", None) != LOCK_NOT_AVAILABLE:
                raise
            raise TimeoutError(f"{busy} for {lock_s} seconds") from None

    @contextmanager
    def frames(self) -> Iterator[adbc.Connection]:
        """One transaction for bulk reads and writes: committed at the end, rolled back on error."""
        pooled = self._bulk.connect()
        try:
            connection = pooled.dbapi_connection
            assert isinstance(connection, adbc.Connection)  # noqa: S101 - made by `_connect`
            yield connection
            connection.commit()
        finally:
            pooled.close()  # which rolls back what was not committed

    def dispose(self) -> None:
        """Close the pooled connections."""
        if "engine" in self.__dict__:
            self.engine.dispose()
        if "_bulk" in self.__dict__:
            self._bulk.dispose()

    @cached_property
    def _bulk(self) -> sa.Pool:
        """Connections for frames: a new one reads the whole catalog of types, partitions' too."""
        pool = sa.QueuePool(self._connect, pool_size=1, max_overflow=8)
        sa.event.listen(pool, "checkout", _ping)
        return pool

    def _connect(self) -> adbc.Connection:
        return adbc.connect(self.url())


def _ping(connection: adbc.Connection, *_: object) -> None:
    """Let the pool open another connection for one that the server has closed."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select")
    except adbc.Error as error:
        raise sa.exc.DisconnectionError from error
