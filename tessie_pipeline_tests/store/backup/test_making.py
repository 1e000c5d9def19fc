"""Backups on a real server: proved by restoring, and not good if anything differs."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.backup import dump_programs, scratch
from tessie_pipeline.store.backup.files import (
    Backup,
    BackupError,
    Manifest,
    alone_in,
    backups_in,
)
from tessie_pipeline.store.backup.making import verify
from tessie_pipeline.store.backup.table_totals import TableTotals, read_totals
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded import programs as postgres_programs
from tessie_pipeline.store.migrations import status
from tessie_pipeline.store.tables.rollups import retention_log
from tessie_pipeline_tests.store.backup.backed_up import NIGHT, TOKENS, backed_up, fill, scratches

FILE = "energy_states/year=2026/month=01/2026-01-05.parquet"


@pytest.fixture
def source(database: Database) -> Database:
    """A database with a few rows."""
    fill(database)
    return database


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory for backups that is not there yet."""
    return tmp_path / "backups"


def states(place: Path) -> list[tuple[str, str]]:
    return [(backup.name, backup.state()) for backup in backups_in(place)]


def test_a_backup_is_a_private_directory_with_the_dump_and_what_it_holds(
    source: Database, place: Path
) -> None:
    done = backed_up(source, place)

    assert states(place) == [("2026-11-21T03-20-00Z", "good")]
    files = {file.name: stat.S_IMODE(file.stat().st_mode) for file in done.backup.path.iterdir()}
    assert files == {"tessie.dump": 0o600, "manifest.json": 0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(done.backup.path.stat().st_mode) == 0o700
    held = done.manifest
    assert held.tables == read_totals(source)
    assert held.tables["public.energy_states"].rows == 3, "partitions count with their table"
    assert held.tables["dagster.runs"].rows == 3
    assert held.tables["private.user_config"].rows == 1
    assert held.rows == sum(table.rows for table in held.tables.values())
    assert held.schema_revision == status(source).current
    assert held.pg_dump.startswith("18.")
    assert (held.made_at, held.verified_at) == (NIGHT, NIGHT)
    assert held.dump_bytes == done.backup.dump.stat().st_size > 0
    assert scratches(source) == []


@pytest.mark.parametrize(
    "change",
    [
        "update energy_states set solar_power_w = 0.30000000000000010 where grid_power_w = 1e-300",
        "update energy_states set timestamp = timestamp + interval '1 us'",
        "update energy_states set raw_data = '{\"a\": [1.1]}' where raw_data <> '{}'",
        "update dagster.runs set body = '' where body is null",
        "delete from private.user_config",
        "insert into dagster.runs (body) values ('')",
    ],
)
def test_any_change_of_a_row_shows_in_the_totals(source: Database, change: str) -> None:
    before = read_totals(source)
    with source.rows() as connection:
        connection.exec_driver_sql(change)
    assert read_totals(source) != before


def test_totals_do_not_hang_on_the_order_of_rows_or_on_settings(source: Database) -> None:
    before = read_totals(source)
    name = source.engine.url.database
    with source.rows() as connection:
        rows = "select * from dagster.runs order by id desc"
        connection.exec_driver_sql(f"create temp table reversed as {rows}")
        connection.exec_driver_sql("truncate dagster.runs")
        connection.exec_driver_sql("insert into dagster.runs select * from reversed")
        for setting in ("timezone = 'Asia/Tokyo'", "datestyle = 'SQL, DMY'",
                        "extra_float_digits = -10", "intervalstyle = 'iso_8601'"):  # fmt: skip
            connection.exec_driver_sql(f"alter database {name} set {setting}")
    source.dispose()
    try:
        assert read_totals(source) == before
    finally:
        with source.rows() as connection:
            connection.exec_driver_sql(f"alter database {name} reset all")


def test_what_is_written_meanwhile_is_neither_in_the_dump_nor_in_the_totals(
    source: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_totals(source)

    dump = dump_programs.dump

    def add_row() -> None:
        with source.rows() as connection:
            connection.exec_driver_sql("insert into dagster.runs (body) values ('late')")

    def busy_dump(*given: Any) -> None:
        add_row()
        dump(*given)
        add_row()

    monkeypatch.setattr(dump_programs, "dump", busy_dump)

    assert backed_up(source, place).manifest.tables == before
    assert read_totals(source)["dagster.runs"].rows == 5


def test_without_proof_it_does_not_count_as_good(source: Database, place: Path) -> None:
    done = backed_up(source, place, verifies=False)
    assert (done.verify_s, done.manifest.verified_at) == (None, None)
    assert states(place) == [("2026-11-21T03-20-00Z", "unverified")]


def cut_dump(backup: Backup) -> None:
    os.truncate(backup.dump, backup.dump.stat().st_size - 1)


def change_dump(backup: Backup) -> None:
    content = bytearray(backup.dump.read_bytes())
    content[len(content) // 2] ^= 1
    backup.dump.write_bytes(content)


def change_manifest(backup: Backup) -> None:
    file = backup.path / "manifest.json"
    facts = json.loads(file.read_text())
    facts["tables"]["public.energy_states"]["rows"] = 2
    file.write_text(json.dumps(facts))


def rewrite_manifest(backup: Backup) -> None:
    manifest = Manifest.read(backup.path)
    runs = TableTotals(rows=3, checksum="1")
    tables = {**manifest.tables, "dagster.runs": runs}
    manifest.model_copy(update={"tables": tables}).write(backup.path)


def forget_table(backup: Backup) -> None:
    manifest = Manifest.read(backup.path)
    tables = {name: held for name, held in manifest.tables.items() if name != "dagster.runs"}
    manifest.model_copy(update={"tables": tables}).write(backup.path)


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (cut_dump, "tessie.dump is damaged or was changed"),
        (change_dump, "tessie.dump is damaged or was changed"),
        (change_manifest, "manifest.json is damaged or was changed"),
        (rewrite_manifest, "dagster.runs has as many rows (3), but others"),
        (forget_table, "dagster.runs is not in the manifest"),
    ],
)
def test_what_was_tampered_with_is_found_and_put_aside(
    source: Database, place: Path, tamper: Callable[[Backup], None], said: str
) -> None:
    backup = backed_up(source, place, verifies=False).backup
    tamper(backup)

    with pytest.raises(BackupError) as raised:
        verify(source, backup, lambda: NIGHT)

    assert said in str(raised.value)
    assert f"{backup.name}.bad" in str(raised.value)
    assert states(place) == [(f"{backup.name}.bad", "bad")]
    assert scratches(source) == []


def test_a_dump_that_lacks_rows_is_not_good_and_the_one_before_stays(
    source: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up(source, place)
    restore = dump_programs.restore

    def lossy_restore(database: Database, file: Path) -> None:
        restore(database, file)
        with database.rows() as connection:
            connection.exec_driver_sql("delete from energy_states_2026_06_02")

    monkeypatch.setattr(dump_programs, "restore", lossy_restore)
    with pytest.raises(BackupError, match=r"public.energy_states has 2 rows instead of 3"):
        backed_up(source, place, night=1)

    assert states(place) == [
        ("2026-11-21T03-20-00Z", "good"),
        ("2026-11-22T03-20-00Z.bad", "bad"),
    ]


def test_a_damaged_good_one_is_not_called_good(source: Database, place: Path) -> None:
    cut_dump(backed_up(source, place).backup)
    assert states(place) == [("2026-11-21T03-20-00Z", "damaged")]


def test_outdated_ones_are_deleted_once_a_new_one_is_good(source: Database, place: Path) -> None:
    made = backed_up(source, place)
    for day in range(1, 21):
        shutil.copytree(made.backup.path, place / f"2026-11-{day:02}T03-20-00Z")
    shutil.rmtree(made.backup.path)

    done = backed_up(source, place)

    # Sundays are the 1st, 8th and 15th; seven days are the 15th to the 21st.
    assert [int(backup.name[8:10]) for backup in backups_in(place)] == [1, 8, *range(15, 22)]
    assert [int(name[8:10]) for name in done.deleted] == [*range(2, 8), *range(9, 15)]


def test_files_of_the_archive_are_listed_and_those_that_are_not_there_are_named(
    source: Database, place: Path
) -> None:
    logged = {
        "series": "energy_states",
        **{"start": NIGHT.date(), "end": NIGHT.date(), "rows": 3, "bytes": 9, "rollup_rows": 1},
        **{"checksum": "00", "duration_s": 0.1, "archive_sha256": "ab" * 32},
    }
    missing, short = FILE.replace("05.parquet", "06.parquet"), FILE.replace("05.p", "07.p")
    with source.rows() as connection:
        for path, size in ((FILE, 4), (missing, 5), (short, 6)):
            row = logged | {"archive_file": path, "archive_bytes": size}
            connection.execute(sa.insert(retention_log).values(row))
    unlogged = FILE.replace("energy", "vehicle")
    for path in (FILE, short, unlogged):
        file = place.parent / "archive" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"four")

    done = backed_up(source, place)

    assert [(file.path, file.bytes, file.sha256) for file in done.manifest.archive] == [
        (FILE, 4, "ab" * 32),
        (missing, 5, "ab" * 32),
        (short, 6, "ab" * 32),
        (unlogged, 4, None),
    ]
    assert done.archive_problems == [
        f"{missing} is missing in the archive",
        f"{short} in the archive has 4 bytes instead of 6",
    ]
    assert done.backup.state() == "good", "the database is whole"


def test_a_backup_waits_for_nobody_who_backs_up_already(source: Database, place: Path) -> None:
    with alone_in(place), pytest.raises(BackupError, match="under way"):
        backed_up(source, place)
    assert backed_up(source, place).backup.state() == "good"


def test_an_empty_database_is_not_backed_up(bare_database: Database, place: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        backed_up(bare_database, place)
    assert [path.name for path in place.iterdir()] == ["lock"]


def test_a_role_that_may_not_create_databases_is_told_so_and_keeps_the_backup(
    source: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_MAY_CREATE", sa.text("select 'guest', false"))
    with pytest.raises(BackupError, match='ALTER ROLE "guest" CREATEDB'):
        backed_up(source, place)
    assert states(place) == [("2026-11-21T03-20-00Z", "unverified")]


def test_a_newer_server_is_told_of(
    source: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_programs, "server_release", lambda _: 19)
    with pytest.raises(BackupError, match=r"server is PostgreSQL 19, .* own pg_dump"):
        backed_up(source, place)


def test_tokens_stay_sealed_and_no_password_shows(
    source: Database, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    run = postgres_programs.run

    def watched(*arguments: str, variables: dict[str, str] | None = None) -> str:
        shown.extend(arguments)
        said = run(*arguments, variables=variables)
        shown.append(said)
        return said

    monkeypatch.setattr(dump_programs, "run", watched)
    backup = backed_up(source, place).backup

    password = source.engine.url.password
    text = " ".join([*shown, (backup.path / "manifest.json").read_text()])
    assert "--dbname=" in text
    assert password
    assert password not in text
    for token in (TOKENS.refresh_token, str(TOKENS.access_token)):
        assert token not in text
        assert token.encode() not in backup.dump.read_bytes()
