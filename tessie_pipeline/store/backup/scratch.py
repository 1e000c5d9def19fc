"""Databases beside ours that exist for a moment, to restore a backup into.

Each is dropped at its end, and those of killed programs by the next one that makes one: a session
in it, which dies with its program, says that it is in use.
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from tessie_pipeline.store.backup.files import BackupError
from tessie_pipeline.store.database import Database

PREFIX = "tessie_scratch_"
KEEPER = "tessie keeps its scratch"
"""Name of the application of that session."""

MAINTENANCE = "postgres"
"""A database that every server has; a database is renamed from another one only."""

_IN_USE = "55006"
"""SQLSTATE of a database that others are connected to."""

logger = logging.getLogger(__name__)

_LEFT = sa.text("""
    select datname from pg_database d
    where starts_with(datname, :prefix) and pg_has_role(datdba, 'usage')
        and not exists (
            select from pg_stat_activity a
            where a.datid = d.oid and a.application_name = :keeper
        )
""")
_MAY_CREATE = sa.text("""
    select rolname, rolcreatedb or rolsuper from pg_roles where rolname = current_user
""")
_IS_OWNER = sa.text("""
    select pg_has_role(datdba, 'usage') from pg_database where datname = current_database()
""")
_OTHERS = sa.text("""
    select coalesce(nullif(application_name, ''), 'unnamed') || ' (' || usename || ')'
    from pg_stat_activity where datname = :name and usesysid is not null
""")
_END_SESSIONS = sa.text("""
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = :name and pg_has_role(usesysid, 'usage')
""")


@dataclass(frozen=True)
class Scratch:
    """A new, empty database, and the one beside which it was made."""

    database: Database
    beside: Database
    keeper: sa.Connection

    def swap(self) -> None:
        """Exchange the names of the two databases, at once or not at all.

        Raises:
            BackupError: others are connected to ours.
        """
        self.keeper.close()
        self.database.dispose()
        self.beside.dispose()
        ours, new = _name(self.beside), _name(self.database)
        between = f"{new}_swap"
        server = _named(self.beside, MAINTENANCE)
        try:
            with server.rows() as connection:
                for old, name in ((ours, between), (new, ours), (between, new)):
                    connection.exec_driver_sql(f'alter database "{old}" rename to "{name}"')
        except sa.exc.OperationalError as error:
            with server.rows() as connection:
                others = sorted(set(connection.scalars(_OTHERS, {"name": ours})))
            if not others:
                raise
            raise BackupError(
                f"Others are connected to the database {ours}: {', '.join(others)}. Close them "
                "and restore again; nothing has changed."
            ) from error
        finally:
            server.dispose()


@contextmanager
def scratch(database: Database) -> Iterator[Scratch]:
    """A new database beside `database` for the block; dropped at its end.

    Raises:
        BackupError: the role may not create databases.
    """
    remove_left(database)
    with database.rows() as connection:
        role, may_create = connection.execute(_MAY_CREATE).one()
    if not may_create:
        raise BackupError(
            f"The role {role} may not create databases, and a backup is proved and restored in a "
            f'new one: let an administrator do `ALTER ROLE "{role}" CREATEDB`'
        )
    name = f"{PREFIX}{secrets.token_hex(6)}"
    with _autocommit(database) as connection:
        connection.exec_driver_sql(f'create database "{name}" template template0')
    new = _named(database, name)
    keeping = sa.create_engine(
        new.url("psycopg2"), poolclass=sa.NullPool, connect_args={"application_name": KEEPER}
    )
    try:
        with keeping.connect() as keeper:
            yield Scratch(new, database, keeper)
    finally:
        new.dispose()
        with _autocommit(database) as connection:
            _drop(connection, name)


def remove_left(database: Database) -> None:
    """Drop the scratch databases of programs that were killed."""
    with _autocommit(database) as connection:
        left = connection.scalars(_LEFT, {"prefix": PREFIX, "keeper": KEEPER}).all()
        for name in left:
            _drop(connection, name)


def check_owner(database: Database) -> None:
    """See that our role may give the database another name.

    Raises:
        BackupError: it is not its owner.
    """
    with database.rows() as connection:
        if not connection.scalar(_IS_OWNER):
            raise BackupError(
                f"The role that connects does not own the database {_name(database)}, which a "
                "restored one is to replace: connect as its owner"
            )


@contextmanager
def _autocommit(database: Database) -> Iterator[sa.Connection]:
    """A connection for what cannot be part of a transaction."""
    with database.engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def _drop(connection: sa.Connection, name: str) -> None:
    """Drop a database that nobody but what a killed program has started may use.

    `with (force)` would fail while autovacuum is at it, which a plain drop sends away. One that
    somebody else looks at stays until the next program tries.
    """
    connection.execute(_END_SESSIONS, {"name": name})
    try:
        connection.exec_driver_sql(f'drop database if exists "{name}"')
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _IN_USE:
            raise
        logger.warning("The database %s is in use and stays for now", name)


def _name(database: Database) -> str:
    return str(sa.make_url(database.url()).database)


def _named(database: Database, name: str) -> Database:
    """Another database of the same server."""
    url = sa.make_url(database.url()).set(database=name)
    return Database(url.render_as_string(hide_password=False))
