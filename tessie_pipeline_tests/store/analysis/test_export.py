"""Exports: the rows of the days that were asked for, in a file that is whole or not there."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from tessie_pipeline.store.analysis.export import ExportError, export
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline_tests.store.archive.archived import DAY, SITES, archive_of, samples, stored

NEXT_DAY = DAY + timedelta(days=1)


@pytest.fixture
def archive(tmp_path: Path, database: Database) -> Archive:
    """Three days of samples, of which Postgres has the last, and a site."""
    stored(database, samples(NEXT_DAY))
    with database.rows() as connection:
        values = {"id": SITES[0], "site_name": "Home", "raw_data": {"response": {}}}
        connection.execute(sa.insert(energy_sites).values(values))
    return archive_of(str(tmp_path / "archive"), samples(DAY - timedelta(days=5)), samples())


def run(
    archive: Archive,
    database: Database,
    target: Path,
    start: date = DAY,
    end: date = DAY + timedelta(days=2),
    *,
    has_raw: bool = False,
) -> dict[str, int]:
    """Export; returns the rows of each table."""
    exported = export(archive, database.url(), target, start, end, has_raw=has_raw)
    return {one.table: one.rows for one in exported}


def test_a_directory_has_a_file_per_table_and_folders_of_samples(
    archive: Archive, database: Database, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "home"
    counts = run(archive, database, target)
    assert (counts["energy_states"], counts["energy_sites"], counts["drives"]) == (144, 1, 0)
    found = duckdb.execute(
        "select count(*), sum(solar_power_w)::int, min(month) from read_parquet(?)",
        [f"{target}/energy_states/year=2026/*/*.parquet"],
    ).fetchone()
    # Two days of 24 x (1000 + 2000 + 3000) + 3 x (0 + 1 + … + 23).
    assert found == (144, 289656, "01")
    assert duckdb.read_parquet(f"{target}/energy_sites.parquet").project(
        "site_name"
    ).fetchall() == [("Home",)]
    assert duckdb.read_parquet(f"{target}/drives.parquet").fetchall() == []


def test_a_database_has_the_tables_and_tells_their_units(
    archive: Archive, database: Database, tmp_path: Path
) -> None:
    target = tmp_path / "home.duckdb"
    assert run(archive, database, target)["energy_states"] == 144
    with duckdb.connect(target, read_only=True) as duck:
        query = "select count(*) from energy_states join energy_sites on id = site_id"
        assert duck.execute(query).fetchone() == (48,)
        comment = "select comment from duckdb_columns() where column_name = 'grid_power_w'"
        assert duck.execute(comment).fetchone() == ("Grid power, W; > 0 imports, < 0 exports.",)


def test_the_last_day_is_left_out(archive: Archive, database: Database, tmp_path: Path) -> None:
    assert run(archive, database, tmp_path / "a", DAY, NEXT_DAY)["energy_states"] == 72
    counts = run(archive, database, tmp_path / "b", DAY - timedelta(days=4), DAY)
    assert counts["energy_states"] == 0


@pytest.mark.parametrize("has_raw", [True, False])
def test_answers_come_along_only_if_asked_for_and_secrets_never(
    archive: Archive, database: Database, tmp_path: Path, has_raw: bool
) -> None:
    target = tmp_path / "home.duckdb"
    counts = run(archive, database, target, has_raw=has_raw)
    assert not counts.keys() & {"user_config", "list_cache", "vehicle_data_cache"}
    with duckdb.connect(target, read_only=True) as duck:
        query = "select distinct table_name from duckdb_columns() where column_name = 'raw_data'"
        tables = {name for (name,) in duck.execute(query).fetchall()}
    expected = {"vehicles", "vehicle_states", "energy_sites", "energy_states"}
    assert tables == (expected if has_raw else set())


def test_what_is_there_already_stays_as_it_is(
    archive: Archive, database: Database, tmp_path: Path
) -> None:
    target = tmp_path / "home.duckdb"
    target.write_text("mine")
    with pytest.raises(ExportError, match="is there already"):
        run(archive, database, target)
    assert target.read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(
    archive: Archive, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "home.new").mkdir()
    (tmp_path / "home.new" / "left by a crash.parquet").touch()
    file = tmp_path / "archive" / archive.path_of("energy_states", DAY)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ExportError, match=r"2026-01-05\.parquet"):
        run(archive, database, tmp_path / "home")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_file_of_another_kind_is_refused(
    archive: Archive, database: Database, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=r"a directory, or a file that ends in \.duckdb"):
        run(archive, database, tmp_path / "home.csv")
