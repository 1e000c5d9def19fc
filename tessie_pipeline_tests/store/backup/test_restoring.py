"""A backup takes the place of a database: whole and migrated, or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.backup import dump_programs
from tessie_pipeline.store.backup.files import Backup, BackupError, Manifest
from tessie_pipeline.store.backup.restoring import restore
from tessie_pipeline.store.backup.table_totals import read_totals
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.migrations import READER_ROLE, downgrade, status
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.store.backup.backed_up import KEY, TOKENS, backed_up, fill, scratches

ADD_ROW = "insert into dagster.runs (body) values ('since the backup')"


@pytest.fixture
def source(database: Database) -> Database:
    """A database with a few rows."""
    fill(database)
    return database


@pytest.fixture
def backup(source: Database, tmp_path: Path) -> Backup:
    """A backup of it that nothing has proved yet."""
    return backed_up(source, tmp_path / "backups", verifies=False).backup


@pytest.fixture
def target(server_url: sa.URL) -> Iterator[Database]:
    """A new, empty database."""
    yield from new_database(server_url, "")


def execute(database: Database, statement: str) -> None:
    with database.rows() as connection:
        connection.exec_driver_sql(statement)


def test_a_restored_database_equals_the_source_in_every_table(
    source: Database, backup: Backup, target: Database
) -> None:
    manifest = restore(target, backup, replaces=False)

    assert manifest.rows > 0
    assert read_totals(target) == read_totals(source) == manifest.tables
    assert status(target).is_current
    assert SealedTokens(target, KEY).read() == TOKENS
    assert scratches(target) == []


def test_readers_may_read_what_was_restored_and_nothing_sealed(
    backup: Backup, target: Database
) -> None:
    restore(target, backup, replaces=False)

    may = "select has_schema_privilege(:role, 'private', 'usage'), bool_and(has_table_privilege("
    query = f"{may}:role, c.oid, 'select')) from pg_class c where relnamespace = any(:schemas)"
    schemas = "array['public'::regnamespace, 'bi'::regnamespace]::oid[]"
    query = query.replace(":schemas", schemas) + " and relkind in ('r', 'p', 'v')"
    with target.rows() as connection:
        reads = connection.execute(sa.text(query), {"role": READER_ROLE}).one()
        rows = connection.scalar(sa.text("select count(*) from bi.energy_sites_now"))
    assert tuple(reads) == (False, True)
    assert rows == 0


def test_sequences_go_on_after_the_last_number(backup: Backup, target: Database) -> None:
    restore(target, backup, replaces=False)
    with target.rows() as connection:
        new = connection.scalar(sa.text(f"{ADD_ROW} returning id"))
        others = connection.scalars(sa.text("select id from dagster.runs")).all()
    assert new == max(others) > 3


def test_a_migrated_database_without_rows_is_empty(
    source: Database, backup: Backup, server_url: sa.URL, template: str
) -> None:
    for target in new_database(server_url, f"template {template}"):
        restore(target, backup, replaces=False)
        assert read_totals(target) == read_totals(source)


def test_a_database_with_rows_is_refused_and_stays(source: Database, backup: Backup) -> None:
    execute(source, ADD_ROW)
    before = read_totals(source)
    with pytest.raises(BackupError, match=r"holds data in 2 tables, private.user_config among"):
        restore(source, backup, replaces=False)
    assert read_totals(source) == before


def test_a_database_with_rows_is_replaced_if_that_is_asked_for(
    source: Database, backup: Backup
) -> None:
    execute(source, ADD_ROW)
    execute(source, "create table public.of_mine as select 1 as one")
    manifest = restore(source, backup, replaces=True)
    assert read_totals(source) == manifest.tables
    assert scratches(source) == []


def test_a_database_that_others_use_is_not_replaced(source: Database, backup: Backup) -> None:
    execute(source, ADD_ROW)
    before = read_totals(source)
    other = sa.create_engine(source.url("psycopg2"), connect_args={"application_name": "A BI tool"})
    with other.connect(), pytest.raises(BackupError, match=r"A BI tool \(tessie\)"):
        restore(source, backup, replaces=True)
    other.dispose()
    assert read_totals(source) == before
    assert scratches(source) == []


def test_what_differs_does_not_take_the_place(
    source: Database, backup: Backup, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = dump_programs.restore

    def lossy_read(database: Database, file: Path) -> None:
        read(database, file)
        execute(database, "delete from dagster.runs")

    monkeypatch.setattr(dump_programs, "restore", lossy_read)
    with pytest.raises(BackupError, match=r"dagster.runs has 0 rows instead of 3"):
        restore(target, backup, replaces=False)
    assert read_totals(target) == {}
    assert scratches(source) == []


def test_an_older_backup_is_brought_to_the_newest_schema(
    server_url: sa.URL, template: str, tmp_path: Path, target: Database
) -> None:
    for source in new_database(server_url, f"template {template}"):
        fill(source)
        older = downgrade(source).current
        backup = backed_up(source, tmp_path / "older", verifies=False).backup

        manifest = restore(target, backup, replaces=False)

        assert manifest.schema_revision == older
    assert status(target).is_current
    assert SealedTokens(target, KEY).read() == TOKENS


def test_a_newer_backup_is_left_to_a_newer_version(backup: Backup, target: Database) -> None:
    manifest = Manifest.read(backup.path)
    manifest.model_copy(update={"schema_revision": "9999"}).write(backup.path)
    with pytest.raises(BackupError, match="schema 9999"):
        restore(target, backup, replaces=False)


def test_what_is_no_backup_is_said_to_be_none(target: Database, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"is no backup: it has no manifest.json"):
        restore(target, Backup(tmp_path), replaces=False)
