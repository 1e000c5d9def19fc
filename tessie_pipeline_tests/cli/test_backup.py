"""`tessie backup` and `tessie restore` as a person runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tessie_pipeline.cli.runner_lock import runner_lock
from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.backup.files import backups_in
from tessie_pipeline.store.backup.table_totals import read_totals
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.rollups import retention_log
from tessie_pipeline_tests.cli.conftest import Result, Tessie
from tessie_pipeline_tests.conftest import new_database

KEY = "0123456789abcdef" * 4
TOKENS = Tokens("the-refresh-token", "the-access-token")


@pytest.fixture
def tessie(tmp_path: Path, database: Database) -> Tessie:
    """The command in a home with an account."""
    SealedTokens(database, KEY).save(TOKENS)
    return home(tmp_path / "home", database, f"ENCRYPTION_KEY={KEY}")


@pytest.fixture
def backup(tessie: Tessie) -> Path:
    """A backup of that home that nothing has proved yet."""
    assert tessie("backup", "--no-verify").returncode == 0
    (made,) = backups_in(tessie.home / "backups")
    return made.path


@pytest.fixture
def empty(tmp_path: Path, server_url: sa.URL) -> Iterator[tuple[Tessie, Database]]:
    """A new home with an empty database, and no key."""
    for database in new_database(server_url, ""):
        yield home(tmp_path / "other", database), database


def home(place: Path, database: Database, *lines: str) -> Tessie:
    place.mkdir()
    (place / ".env").write_text("\n".join([f"DATABASE_URL={database.url()}", *lines, ""]))
    return Tessie(place)


def assert_hidden(result: Result, database: Database) -> None:
    password = str(database.engine.url.password)
    for secret in (KEY, TOKENS.refresh_token, str(TOKENS.access_token), password):
        assert secret not in f"{result}"


def test_a_backup_says_what_it_is_and_that_the_key_is_not_in_it(
    tessie: Tessie, database: Database
) -> None:
    result = tessie("backup")

    assert result.returncode == 0, result.stderr
    (made,) = backups_in(tessie.home / "backups")
    assert f"{made.path}: " in result.stdout
    assert "all tables were equal: it is good" in result.stdout
    assert "ENCRYPTION_KEY, which opens them, is not in it: keep a copy of .env" in result.stdout
    assert_hidden(result, database)


def test_backups_are_listed_with_their_state(tessie: Tessie, backup: Path) -> None:
    listed = tessie("backup", "--list").stdout
    assert f"{backup.name} unverified" in listed


def test_without_backups_it_says_so(tmp_path: Path) -> None:
    assert "There is no backup in" in Tessie(tmp_path)("backup", "--list").stdout


def test_what_the_archive_lacks_is_an_error(tessie: Tessie, database: Database) -> None:
    row = {
        "series": "energy_states",
        **{"start": "2026-01-05", "end": "2026-01-06", "rows": 3, "bytes": 9, "rollup_rows": 1},
        **{"checksum": "00", "duration_s": 0.1, "archive_file": "a.parquet", "archive_bytes": 1},
    }
    with database.rows() as connection:
        connection.execute(sa.insert(retention_log).values(row))
    result = tessie("backup", "--no-verify")
    assert result.returncode == 1
    assert "The backup is made, but: a.parquet is missing in the archive" in result.stderr


def test_a_backup_is_restored_in_another_home_by_its_path(
    database: Database, backup: Path, empty: tuple[Tessie, Database]
) -> None:
    other, restored = empty
    result = other("restore", str(backup))

    assert result.returncode == 0, result.stderr
    assert "all as in the backup of" in result.stdout
    assert "ENCRYPTION_KEY is not set here: put the ENCRYPTION_KEY of the home" in result.stdout
    assert "ENCRYPTION_KEY" not in (other.home / ".env").read_text(), "no new key is made"
    assert read_totals(restored) == read_totals(database)
    assert_hidden(result, database)


@pytest.mark.parametrize(
    ("key", "said"),
    [(KEY, "opens the stored login"), ("5e" * 32, "does not open the stored login: put the")],
)
def test_a_restore_says_whether_the_key_fits(
    backup: Path, empty: tuple[Tessie, Database], key: str, said: str
) -> None:
    assert (
        f"ENCRYPTION_KEY here {said}" in empty[0]("restore", str(backup), ENCRYPTION_KEY=key).stdout
    )


def test_data_are_replaced_only_if_that_is_asked_for_and_confirmed(
    tessie: Tessie, database: Database, backup: Path
) -> None:
    then = read_totals(database)
    SealedTokens(database, KEY).save(Tokens("another"))
    since = read_totals(database)

    refused = tessie("restore", backup.name)
    unconfirmed = tessie("restore", backup.name, "--replace")
    assert read_totals(database) == since
    database.dispose()
    replaced = tessie("restore", backup.name, "--replace", "--yes")

    assert (refused.returncode, unconfirmed.returncode, replaced.returncode) == (1, 1, 0)
    assert "private.user_config among them: give --replace to lose them" in refused.stderr
    assert "give --yes if you mean it" in unconfirmed.stderr
    assert read_totals(database) == then
    assert SealedTokens(database, KEY).read() == TOKENS


def test_nothing_is_restored_while_dagster_runs_in_the_home(tessie: Tessie, backup: Path) -> None:
    (tessie.home / "dagster").mkdir()
    with runner_lock(tessie.home):
        result = tessie("restore", backup.name, "--replace", "--yes")
    assert result.returncode == 1
    assert "Dagster runs in this home: stop `tessie up` first" in result.stderr


def test_a_backup_that_is_not_there_is_said_to_be_missing(tessie: Tessie) -> None:
    result = tessie("restore", "2026-01-01T00-00-00Z")
    assert result.returncode == 1
    assert "There is no backup 2026-01-01T00-00-00Z in" in result.stderr
