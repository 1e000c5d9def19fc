"""Bring a database to a revision of the schema, and rebuild the views for readers.

A migration is one transaction under an advisory lock, so that any number of processes may migrate
at once. The `bi` schema is dropped before and created after, so that no view can block a change.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tessie_pipeline.store.database import Database

SQL_DIRECTORY = Path(__file__).parents[2] / "sql"
READER_ROLE = "tessie_reader"
MIGRATION_LOCK = 0x7E551E
"""Key of the advisory lock that migrations hold."""

logger = logging.getLogger(__name__)


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
    """Migrate to the newest revision and rebuild the views; doing it again changes nothing."""
    return _migrate(database, lambda config: command.upgrade(config, "head"))


def downgrade(database: Database) -> MigrationStatus:
    """Take the newest applied revision back, with the data that only it had a place for."""
    if status(database).current is None:
        return status(database)
    return _migrate(database, lambda config: command.downgrade(config, "-1"))


def status(database: Database) -> MigrationStatus:
    """What `database` is at."""
    with database.rows() as connection:
        return _status(connection)


def _migrate(database: Database, run: Callable[[Config], None]) -> MigrationStatus:
    with database.rows() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
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
    connection.execute(sa.text("drop schema if exists bi cascade"))


def _create_views(connection: sa.Connection) -> None:
    connection.execute(sa.text("create schema bi"))
    connection.execute(sa.text("comment on schema bi is 'Views for readers; rebuilt by every "
                               "migration, so keep your own objects elsewhere.'"))  # fmt: skip
    for file in sorted((SQL_DIRECTORY / "bi").glob("*.sql")):
        connection.exec_driver_sql(file.read_text())
    _grant_to_readers(connection)


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
