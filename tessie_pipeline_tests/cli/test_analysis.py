"""`tessie sql` and `tessie export`: tables, CSV, statements from a file, and what is refused."""

import io
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.cli.conftest import Result, Tessie
from tessie_pipeline_tests.store.archive.archived import DAY, archive_of, samples, stored

SOLAR = "select max(solar_power_w) as most, any_value(grid_status) from energy_states"


def run(tessie: Tessie, database: Database, *arguments: object) -> Result:
    return tessie(*map(str, arguments), DATABASE_URL=database.url())


@pytest.fixture
def home(tessie: Tessie, database: Database) -> None:
    """A day in the archive, and the next in Postgres."""
    archive_of(str(tessie.home / "archive"), samples())
    stored(database, samples(DAY + timedelta(days=1)))


@pytest.mark.usefixtures("home")
def test_a_query_prints_a_table_and_how_many_rows_it_has(
    tessie: Tessie, database: Database
) -> None:
    result = run(tessie, database, "sql", f"{SOLAR}; select null, 'a[b]' as c where false")
    assert result.returncode == 0, result.stderr
    assert "most any_value(grid_status)" in result.stdout
    assert "3023.0 Active" in result.stdout
    assert result.stdout.count("1 row") == 1
    assert "0 rows" in result.stdout


def test_no_more_rows_are_shown_than_said(tessie: Tessie, database: Database) -> None:
    shown = run(tessie, database, "sql", "select 'row ' || i as i from range(100) t(i)").stdout
    assert "row 99 100 rows" in shown
    shown = run(tessie, database, "sql", "select 'row ' || i as i from range(101) t(i)").stdout
    assert "row 99 These are the first 100 rows; --csv gives them all." in shown


@pytest.mark.usefixtures("home")
def test_wide_rows_are_shown_line_by_line(tessie: Tessie, database: Database) -> None:
    shown = run(tessie, database, "sql", "from energy_states order by timestamp limit 1").stdout
    assert "timestamp 2026-01-05 00:00:00+00 is_stale false" in shown
    assert "battery_power_w null" in shown


def test_csv_has_a_heading_and_all_rows(tessie: Tessie, database: Database) -> None:
    query = 'select i as i, null as i, \'a,"b\' as "x,y" from range(3000) t(i)'
    printed = run(tessie, database, "sql", "--csv", query).stdout.split(" ")
    assert printed[:3] == ['i,i,"x,y"', '0,,"a,""b"', '1,,"a,""b"']
    assert len(printed) == 3001


def test_statements_come_from_a_file_too(
    tessie: Tessie, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("select 1 as a,\n 2;\nselect 3\nas b"))
    result = run(tessie, database, "sql", "--csv")
    assert result.stdout == "a,2 1,2 b 3"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("selec 1", "syntax error"),
        ("delete from vehicles", "tessie sql only reads"),
        ("from nothing", "nothing does not exist"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_sentence(
    tessie: Tessie, database: Database, query: str, sentence: str
) -> None:
    result = run(tessie, database, "sql", query)
    assert result.returncode == 1
    assert sentence in result.stderr


def test_the_embedded_server_shows_no_secret(tessie: Tessie) -> None:
    result = tessie("sql", "--csv", "from postgres_query('pg', 'select current_user as u')")
    assert result.stdout == "u tessie_reader", result.stderr
    result = tessie("sql", "from pg.private.user_config")
    assert result.returncode == 1
    assert "permission denied" in result.stderr


@pytest.mark.usefixtures("home")
def test_an_export_tells_what_is_in_it(tessie: Tessie, database: Database, tmp_path: Path) -> None:
    target = tmp_path / "january"
    days = ("--from", DAY, "--to", DAY + timedelta(days=1))
    result = run(tessie, database, "export", *days, "--out", target)
    assert result.returncode == 0, result.stderr
    assert " energy_states 72 " in result.stdout
    assert (target / "energy_daily.parquet").exists()
    result = run(tessie, database, "export", *days, "--out", target)
    assert result.returncode == 1
    assert "is there already" in result.stderr


def test_an_export_of_no_day_is_refused(tessie: Tessie, database: Database, tmp_path: Path) -> None:
    days = ("--from", DAY, "--to", DAY)
    result = run(tessie, database, "export", *days, "--out", tmp_path / "none")
    assert result.returncode == 1
    assert "--to should be a day after --from" in result.stderr
