"""Migrations: from nothing, back, again, at once; and who may read the result."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError

from tessie_pipeline.store import migrations, tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.tables.drives import drivers
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline_tests.store.conftest import wait_until_blocked

VIEWS = {
    "alerts",
    "api_spend",
    "battery_ledger",
    "budget",
    "charging_attribution",
    "charging_bills",
    "charging_costs",
    "charging_reconciliation",
    "charging_segments",
    "charging_sessions",
    "dirty_days",
    "driver_statistics",
    "drives",
    "energy_daily",
    "energy_gaps",
    "energy_history",
    "energy_hourly",
    "energy_intervals",
    "energy_monthly",
    "energy_sites_now",
    "energy_yearly",
    "polling",
    "solar_attribution_daily",
    "unseen_distances",
    "vehicle_availability",
    "vehicle_history",
    "vehicle_months",
    "vehicle_states",
    "vehicles_now",
}
CHARGING_AND_DRIVES = (
    "charging_costs",
    "charging_segments",
    "charging_sessions",
    "driver_statistics",
    "drives",
    "unseen_distances",
    "vehicle_months",
)
NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)

MIGRATE = """import os
from tessie_pipeline.store import migrations
from tessie_pipeline.store.database import Database
print(migrations.upgrade(Database(os.environ["URL"])).is_current)
"""


def select(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.rows() as rows:
        return [tuple(row) for row in rows.execute(sa.text(query))]


def views(database: Database) -> set[object]:
    query = "select table_name from information_schema.views where table_schema = 'bi'"
    return {name for (name,) in select(database, query)}


def check(database: Database, change: str = "") -> None:
    """Run `alembic check` after a change, which it takes back."""
    config = Config()
    config.set_main_option("script_location", str(migrations.SQL_DIRECTORY))
    with database.rows() as connection:
        if change:
            connection.execute(sa.text(change))
        config.attributes["connection"] = connection
        command.check(config)
        connection.rollback()


def add_month(database: Database) -> None:
    with database.frames() as connection:
        ensure_partitions(connection, energy_intervals, [NOON])


def test_the_status_says_what_is_pending(bare_database: Database) -> None:
    before = migrations.status(bare_database)
    assert before.current is None
    assert before.pending[-1] == before.newest
    assert not before.is_current
    after = migrations.upgrade(bare_database)
    assert after.current == before.newest
    assert after.pending == ()
    assert after.is_current
    assert migrations.status(bare_database) == after
    assert views(bare_database) >= VIEWS


def test_migrating_again_changes_nothing_and_keeps_the_data(database: Database) -> None:
    with database.rows() as rows:
        rows.execute(sa.insert(drivers).values(name="Ann"))
    add_month(database)
    relations = (
        "select oid::regclass::text, relfilenode from pg_class "
        "where relnamespace in ('public'::regnamespace, 'private'::regnamespace) order by 1"
    )
    before = select(database, relations)
    assert migrations.upgrade(database).is_current
    assert select(database, relations) == before
    assert select(database, "select name from drivers") == [("Ann",)]


def test_the_tables_are_those_of_the_metadata(database: Database) -> None:
    add_month(database)
    check(database)


@pytest.mark.parametrize(
    "change",
    [
        "alter table drivers add column age int",
        "alter table drivers alter column avatar_url type varchar(5)",
        "alter table drivers alter column name drop not null",
        "comment on column private.user_config.settings is 'something else'",
        "drop index energy_daily_date_idx",
    ],
)
def test_a_table_that_is_not_that_of_the_metadata_is_noticed(
    database: Database, change: str
) -> None:
    with pytest.raises(CommandError, match="New upgrade operations"):
        check(database, change)


def test_the_defaults_are_those_of_the_metadata(database: Database) -> None:
    def is_ours(_: str | None, kind: str, parents: Mapping[str, str | None]) -> bool:
        return kind != "table" or parents["schema_qualified_table_name"] in metadata.tables

    options = {"compare_server_default": True, "include_schemas": True, "include_name": is_ours}
    with database.rows() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_going_back_to_nothing_and_forth_again_works(bare_database: Database) -> None:
    migrations.upgrade(bare_database)
    add_month(bare_database)
    while migrations.status(bare_database).current is not None:
        migrations.downgrade(bare_database)
    left = "select relname from pg_class where relnamespace = 'public'::regnamespace"
    assert select(bare_database, f"{left} and relkind <> 'i'") == [("alembic_version",)]
    schemas = "select nspname from pg_namespace where nspname in ('bi', 'private')"
    assert select(bare_database, schemas) == []
    assert migrations.upgrade(bare_database).is_current
    assert views(bare_database) >= VIEWS
    check(bare_database)


def test_going_back_from_nothing_changes_nothing(bare_database: Database) -> None:
    assert migrations.downgrade(bare_database).current is None


def test_a_migration_that_fails_leaves_everything_as_it_was(bare_database: Database) -> None:
    with bare_database.rows() as rows:
        rows.execute(sa.text("create table energy_daily (kept int)"))
    with pytest.raises(sa.exc.ProgrammingError, match='"energy_daily" already exists'):
        migrations.upgrade(bare_database)
    assert migrations.status(bare_database).current is None
    assert select(bare_database, "select to_regclass('drivers'), to_regnamespace('private')") == [
        (None, None)
    ]


def test_two_programs_that_migrate_at_once_both_end_with_the_newest_schema(
    bare_database: Database,
) -> None:
    command_line = [sys.executable, "-c", MIGRATE]
    environment = os.environ | {"URL": bare_database.url()}
    with ExitStack() as stack:
        with bare_database.rows() as rows:
            rows.execute(sa.select(sa.func.pg_advisory_xact_lock(migrations.MIGRATION_LOCK)))
            programs = [
                stack.enter_context(
                    subprocess.Popen(
                        command_line, env=environment, stdout=subprocess.PIPE, text=True
                    )
                )
                for _ in range(2)
            ]
            wait_until_blocked(bare_database, sessions=2)
        assert [program.communicate()[0] for program in programs] == ["True\n", "True\n"]
    assert migrations.status(bare_database).is_current
    check(bare_database)


def test_views_that_readers_built_on_ours_do_not_stop_a_migration(database: Database) -> None:
    with database.rows() as rows:
        rows.execute(sa.text("create view public.mine as select * from bi.energy_daily"))
        rows.execute(sa.text("create materialized view bi.mine as select * from bi.vehicles_now"))
        rows.execute(sa.text("drop view bi.vehicle_states"))
        rows.exec_driver_sql(
            "comment on schema bi is 'Views for readers; rebuilt by every migration, so keep your "
            "own objects elsewhere.'"
        )  # as the first version wrote it
    migrations.upgrade(database)
    assert views(database) >= VIEWS
    (relations,) = select(database, "select to_regclass('public.mine'), to_regclass('bi.mine')")
    assert relations == (None, None)


def test_views_that_readers_built_on_ours_stay_while_ours_do_not_change(database: Database) -> None:
    with database.rows() as rows:
        rows.execute(sa.text("create view public.mine as select * from bi.energy_daily"))
    migrations.upgrade(database)
    assert select(database, "select to_regclass('public.mine') is not null") == [(True,)]


def test_a_schema_bi_of_somebody_else_is_left_alone(bare_database: Database) -> None:
    with bare_database.rows() as rows:
        rows.execute(sa.text("create schema bi"))
        rows.execute(sa.text("create table bi.reports (id int)"))
    with pytest.raises(migrations.MigrationError, match="schema bi that tessie did not make"):
        migrations.upgrade(bare_database)
    assert select(bare_database, "select count(*) from bi.reports") == [(0,)]


def test_every_table_column_and_view_has_a_comment(database: Database) -> None:
    silent = (
        "select c.oid::regclass::text, attname from pg_class c "
        "left join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped "
        "where relkind in ('r', 'p') and not relispartition and relname <> 'alembic_version' "
        "and relnamespace in ('public'::regnamespace, 'private'::regnamespace) "
        "and (coalesce(col_description(c.oid, attnum), '') = '' "
        "or coalesce(obj_description(c.oid, 'pg_class'), '') = '')"
    )
    assert select(database, silent) == []
    silent = (
        "select relname from pg_class where relkind = 'v' and relnamespace = 'bi'::regnamespace"
    )
    assert select(database, f"{silent} and obj_description(oid, 'pg_class') is null") == []


@pytest.mark.parametrize(
    ("table", "row", "column"),
    [
        pytest.param(tables.user_config, {}, "access_token_iv", id="user_config"),
        pytest.param(tables.vehicles, {"tesla_id": 1, "vin": "X"}, "model", id="vehicles"),
        pytest.param(drivers, {"name": "Ann"}, "avatar_url", id="drivers"),
        pytest.param(tables.energy_sites, {"tesla_site_id": 1}, "site_name", id="energy_sites"),
    ],
)
def test_a_change_is_stamped_and_a_repeat_is_not(
    database: Database, table: sa.Table, row: dict[str, object], column: str
) -> None:
    def set_column(value: object) -> tuple[datetime, datetime]:
        with database.rows() as rows:
            rows.execute(sa.update(table).values({column: value}))
            created_at, updated_at = rows.execute(
                sa.select(table.c.created_at, table.c.updated_at)
            ).one()
        return created_at, updated_at

    with database.rows() as rows:
        rows.execute(sa.insert(table).values(row))
    value = b"x" if column.endswith("_iv") else "x"
    created_at, changed_at = set_column(value)
    assert changed_at > created_at
    assert set_column(value) == (created_at, changed_at)
    assert set_column(None)[1] > changed_at


@pytest.fixture(scope="module")
def reader() -> Iterator[Database]:
    """The reader's connection to a server whose owner has migrated and written."""
    # Not in pytest's directory: each pytest closes that one to other users, such as the server's.
    with TemporaryDirectory() as home:
        server = EmbeddedPostgres(Path(home), durable=False)
        with server.running() as url:
            owner = Database(url)
            migrations.upgrade(owner)
            add_month(owner)
            with owner.rows() as rows:
                rows.execute(sa.insert(tables.energy_sites).values(tesla_site_id=1))
                rows.execute(sa.insert(tables.user_config))
            reader = Database(server.reader_url)
            yield reader
            reader.dispose()
            owner.dispose()


@pytest.mark.parametrize(
    ("relation", "count"),
    [
        ("energy_sites", 1),
        ("energy_intervals", 0),
        ("energy_intervals_2024_05_01", 0),
        ("bi.energy_sites_now", 1),
        ("bi.vehicles_now", 0),
        *((f"bi.{view}", 0) for view in CHARGING_AND_DRIVES),
    ],
)
def test_a_reader_reads_tables_partitions_and_views(
    reader: Database, relation: str, count: int
) -> None:
    assert select(reader, f"select count(*) from {relation}") == [(count,)]  # noqa: S608


@pytest.mark.parametrize(
    "statement",
    [
        "select * from private.user_config",
        "insert into drivers (name) values ('Eve')",
        "update energy_sites set site_name = 'mine'",
        "delete from energy_sites",
        "truncate energy_intervals",
        "drop view bi.vehicles_now",
        "create view bi.mine as select 1",
        "create table mine (a int)",
        "select set_config('role', 'tessie', false)",
    ],
)
def test_a_reader_reads_no_secrets_and_writes_nothing(reader: Database, statement: str) -> None:
    with reader.rows() as rows:
        rows.execute(sa.text("set transaction read write"))
        with pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"):
            rows.execute(sa.text(statement))
        rows.rollback()
    assert select(reader, "select site_name from energy_sites") == [(None,)]
