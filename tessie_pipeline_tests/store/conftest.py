"""Databases for the tests of the store: one a module, emptied for each test, which is faster."""

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline_tests.conftest import new_database


@pytest.fixture(scope="module")
def shared(server_url: sa.URL, template: str) -> Iterator[Database]:
    """A migrated database of the module's own."""
    yield from new_database(server_url, f"template {template}")


@pytest.fixture
def database(shared: Database) -> Database:
    """A migrated, empty database."""
    return emptied(shared)


def wait_until_blocked(database: Database, sessions: int = 1) -> None:
    """Returns once so many sessions of the database wait for a lock."""
    waiting = sa.text(
        "select count(*) from pg_stat_activity "
        "where datname = current_database() and wait_event_type = 'Lock'"
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with database.rows() as connection:
            if connection.scalar(waiting) == sessions:
                return
        time.sleep(0.01)
    raise AssertionError(f"{sessions} sessions should wait for a lock")


def emptied(database: Database) -> Database:
    """The migrated database, without any row or partition."""
    partitions = (
        "select relid::regclass::text from pg_class c, pg_partition_tree(c.oid) "
        "where relkind = 'p' and level = 1"
    )
    with database.rows() as connection:
        for partition in connection.scalars(sa.text(partitions)).all():
            connection.execute(sa.text(f"drop table {partition}"))
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))
    return database


def count_rows(database: Database, table: sa.Table) -> int:
    """How many rows a table has."""
    with database.rows() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
