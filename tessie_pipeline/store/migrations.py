"""Bring a database to a revision of the schema, and rebuild the views for readers.

A migration is one transaction under an advisory lock, so that any number of processes may migrate
at once. The `bi` schema is dropped before and created after, so that no view can block a change;
where nothing is to change, it is left alone.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory

from tessie_pipeline.store.dagster_storage import SCHEMA as DAGSTER_SCHEMA
from tessie_pipeline.store.database import Database

SQL_DIRECTORY = Path(__file__).parents[2] / "sql"
READER_ROLE = "tessie_reader"
MIGRATION_LOCK = 0x7E551E
"""Key of the advisory lock that migrations hold."""

OLDEST_POSTGRES = (15,)
VIEWS_MARK = "Views for readers; rebuilt "
"""How the comment of a schema `bi` begins that any version of ours has made."""
VIEWS_COMMENT = (
    f"{VIEWS_MARK}when they change, with all that hangs on them, so keep your own objects "
    "elsewhere."
)

logger = logging.getLogger(__name__)


class MigrationError(Exception):
    """The database cannot be migrated; the message says what to do."""


@dataclass(frozen=True)
class MigrationStatus:
    """The revision that a database is at, the newest there is, and what lies between."""

    current: str | None
    newest: str
    pending: tuple[str, ...]

    @property
    def is_current(self) -> bool:
        """Whether nothing is pending."""
        return not self.pending


def upgrade(database: Database) -> MigrationStatus:
    """Migrate to the newest revision and rebuild the views; doing it again changes nothing.

    Raises:
        MigrationError: Postgres is too old, or a schema `bi` is there that is not ours.
    """
    with _locked(database) as connection:
        connection.execute(sa.text(f"create schema if not exists {DAGSTER_SCHEMA}"))
        before = _status(connection)
        if before.is_current and _views_comment(connection) == _wanted_comment():
            return before
        return _migrate(connection, lambda config: command.upgrade(config, "head"))


def downgrade(database: Database) -> MigrationStatus:
    """Take the newest applied revision back, with the data that only it had a place for."""
    with _locked(database) as connection:
        before = _status(connection)
        if before.current is None:
            return before
        return _migrate(connection, lambda config: command.downgrade(config, "-1"))


def draft(database: Database, what: str) -> Path:
    """Write a revision that makes a current database that of `store/tables`; returns its file.

    It is a draft: Alembic does not see triggers, partitions and comments on schemas.

    Raises:
        MigrationError: the database is not at the newest revision.
    """
    with _locked(database) as connection:
        before = _status(connection)
        if not before.is_current:
            raise MigrationError("Only a current database can be compared: run `tessie migrate`")
        script = command.revision(
            _config(connection),
            what,
            autogenerate=True,
            rev_id=f"{int(before.newest) + 1:04}",
        )
    if not isinstance(script, Script):
        raise MigrationError("Alembic drafted no single revision")
    return Path(script.path)


def status(database: Database) -> MigrationStatus:
    """What `database` is at."""
    with database.rows() as connection:
        return _status(connection)


@contextmanager
def _locked(database: Database) -> Iterator[sa.Connection]:
    with database.rows() as connection:
        version = connection.dialect.server_version_info or ()
        if version < OLDEST_POSTGRES:
            raise MigrationError(
                f"Postgres {OLDEST_POSTGRES[0]} or newer is needed, this server is "
                f"{'.'.join(map(str, version))}"
            )
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        yield connection


def _migrate(connection: sa.Connection, run: Callable[[Config], None]) -> MigrationStatus:
    before = _status(connection)
    _drop_views(connection)
    run(_config(connection))
    after = _status(connection)
    if after.is_current:
        _create_views(connection)
    logger.info("Migrated from %s to %s", before.current or "nothing", after.current)
    return after


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SQL_DIRECTORY))
    config.attributes["connection"] = connection
    return config


def _status(connection: sa.Connection) -> MigrationStatus:
    scripts = ScriptDirectory.from_config(_config(connection))
    current = MigrationContext.configure(connection).get_current_revision()
    newest = scripts.get_current_head()
    assert newest is not None, "there is always a first revision"  # noqa: S101
    pending = [script.revision for script in scripts.iterate_revisions(newest, current or "base")]
    return MigrationStatus(current, newest, tuple(reversed(pending)))


def _drop_views(connection: sa.Connection) -> None:
    comment = _views_comment(connection)
    if comment is not None and not comment.startswith(VIEWS_MARK):
        raise MigrationError(
            "There is a schema bi that tessie did not make: rename it, its name is needed"
        )
    connection.execute(sa.text("drop schema if exists bi cascade"))


def _create_views(connection: sa.Connection) -> None:
    connection.execute(sa.text("create schema bi"))
    connection.exec_driver_sql(f"comment on schema bi is '{_wanted_comment()}'")
    for file in _view_files():
        connection.exec_driver_sql(file.read_text())
    _grant_to_readers(connection)


def _view_files() -> list[Path]:
    return sorted((SQL_DIRECTORY / "bi").glob("*.sql"))


def _wanted_comment() -> str:
    """The comment of a schema `bi` that holds the views of these files."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in _view_files()))
    return f"{VIEWS_COMMENT} Version {digest.hexdigest()[:12]}."


def _views_comment(connection: sa.Connection) -> str | None:
    """The comment of the schema `bi`, empty if it has none; None if there is no such schema."""
    query = "select coalesce(obj_description(oid), '') from pg_namespace where nspname = 'bi'"
    comment: str | None = connection.scalar(sa.text(query))
    return comment


def _grant_to_readers(connection: sa.Connection) -> None:
    role_exists = sa.text("select 1 from pg_roles where rolname = :role")
    if connection.execute(role_exists, {"role": READER_ROLE}).first() is None:
        return
    for schema in ("public", "bi"):
        for grant in (
            f"grant usage on schema {schema} to {READER_ROLE}",
            f"grant select on all tables in schema {schema} to {READER_ROLE}",
            f"alter default privileges in schema {schema} grant select on tables to {READER_ROLE}",
        ):
            connection.execute(sa.text(grant))
