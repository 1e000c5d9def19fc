"""SQL over the archive and Postgres: every sample once, and nothing can be changed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.store.analysis.statements import Analysis, AnalysisError, analysis
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline_tests.store.archive.archived import (
    DAY,
    SITES,
    archive_of,
    archived,
    samples,
    stored,
)

NEXT_DAY = DAY + timedelta(days=1)
SUM_AND_COUNT = "select count(*), sum(solar_power_w)::int from energy_states"

# Per day: 24 hours of sites 1, 2 and 3: 24 x (1000 + 2000 + 3000) + 3 x (0 + 1 + … + 23).
DAY_OF_ALL = ("72", "144828")
TWO_DAYS_OF_ALL = ("144", "289656")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An archive that nothing is in, in a directory with an odd name."""
    return Archive(str(tmp_path / "it's [an] archive*"))


@pytest.fixture
def sql(archive: Archive, database: Database) -> Iterator[Analysis]:
    """SQL over that archive and a database that nothing is in."""
    with analysis(archive, database.url()) as opened:
        yield opened


def rows(sql: Analysis, text: str, limit: int | None = None) -> list[tuple[str | None, ...]]:
    """The rows of the only statement in a text."""
    (statement,) = sql.statements(text)
    with sql.answer(statement, limit) as answer:
        return [row for part in answer.parts for row in part.rows()]


def refusal(sql: Analysis, text: str) -> str:
    """What is said instead of an answer."""
    with pytest.raises(AnalysisError) as error:
        rows(sql, text)
    return str(error.value)


def drop(database: Database, partition: str) -> None:
    with database.rows() as connection:
        connection.execute(sa.text(f"drop table {partition}"))


def test_without_an_archive_samples_are_those_of_postgres(
    sql: Analysis, database: Database
) -> None:
    assert rows(sql, SUM_AND_COUNT) == [("0", None)]
    stored(database, samples())
    assert rows(sql, SUM_AND_COUNT) == [DAY_OF_ALL]
    assert rows(sql, "select count(*) from archive.energy_states where year = 2026") == [("0",)]


@pytest.mark.parametrize(
    ("in_archive", "in_postgres"),
    [
        pytest.param([samples(), samples(NEXT_DAY)], [], id="all archived"),
        pytest.param([samples()], [samples(NEXT_DAY)], id="one day each"),
        pytest.param([samples()], [samples(), samples(NEXT_DAY)], id="archived, not yet dropped"),
        pytest.param(
            [samples(hours=range(20))],
            [samples(hours=range(18, 24)), samples(NEXT_DAY)],
            id="late samples of an archived day",
        ),
        pytest.param(
            [samples(sites=SITES[:2]), samples(NEXT_DAY)],
            [samples(sites=SITES[2:])],
            id="a late site",
        ),
    ],
)
def test_every_sample_is_there_once(
    sql: Analysis,
    archive: Archive,
    database: Database,
    in_archive: list[pl.DataFrame],
    in_postgres: list[pl.DataFrame],
) -> None:
    for frame in in_archive:
        archived(archive, frame)
    stored(database, *in_postgres)
    assert rows(sql, SUM_AND_COUNT) == [TWO_DAYS_OF_ALL]
    by_site = f"{SUM_AND_COUNT} where site_id = '{SITES[1]}' and timestamp >= '2026-01-06'"
    assert rows(sql, by_site) == [("24", "48276")]


def test_what_is_archived_and_dropped_meanwhile_stays_in_the_answers(
    sql: Analysis, archive: Archive, database: Database
) -> None:
    stored(database, samples(), samples(NEXT_DAY))
    assert rows(sql, SUM_AND_COUNT) == [TWO_DAYS_OF_ALL]
    archived(archive, samples())
    assert rows(sql, SUM_AND_COUNT) == [TWO_DAYS_OF_ALL]
    drop(database, "energy_states_2026_01_05")
    assert rows(sql, SUM_AND_COUNT) == [TWO_DAYS_OF_ALL]


def test_a_file_that_was_written_again_is_read_again(sql: Analysis, archive: Archive) -> None:
    archived(archive, samples(hours=range(5)))
    assert rows(sql, "select count(*) from energy_states") == [("15",)]
    archived(archive, samples())
    assert rows(sql, SUM_AND_COUNT) == [DAY_OF_ALL]


def test_the_archive_may_be_in_any_file_system(database: Database, tmp_path: Path) -> None:
    archive = archive_of(f"memory://{tmp_path}", samples())
    stored(database, samples(NEXT_DAY))
    with analysis(archive, database.url()) as sql:
        assert rows(sql, SUM_AND_COUNT) == [TWO_DAYS_OF_ALL]


def test_archived_samples_meet_the_other_tables_by_their_ids(
    sql: Analysis, archive: Archive, database: Database
) -> None:
    archived(archive, samples())
    with database.rows() as connection:
        values = {"id": SITES[0], "tesla_site_id": 7, "site_name": "Home", "time_zone": "UTC"}
        connection.execute(sa.insert(energy_sites).values(values))
    query = (
        "select site_name, count(*), max(s.raw_data->>'$.response.name'), any_value(month) "
        "from archive.energy_states s join energy_sites on site_id = id group by 1"
    )
    assert rows(sql, query) == [("Home", "24", "Jürgen's 🚗", "1")]
    assert rows(sql, "select site_name from bi.energy_sites_now") == [("Home",)]


def test_an_answer_tells_its_columns_and_which_are_numbers_and_stops_at_the_limit(
    sql: Analysis,
) -> None:
    (statement,) = sql.statements("select i, i::varchar as i, null::date d from range(50000) t(i)")
    with sql.answer(statement, 7) as answer:
        assert (answer.columns, answer.are_numbers) == (["i", "i", "d"], [True, False, False])
        assert [row for part in answer.parts for row in part.rows()][-1] == ("6", "6", None)
    with sql.answer(statement) as answer:
        assert sum(part.height for part in answer.parts) == 50_000


def test_values_are_as_duckdb_writes_them_in_utc(sql: Analysis) -> None:
    query = "select timestamptz '2026-01-05 12:00:00+01', 0.10::decimal(9, 4), [1, null], true"
    assert rows(sql, query) == [("2026-01-05 11:00:00+00", "0.1000", "[1, NULL]", "true")]


def test_several_statements_are_told_apart(sql: Analysis) -> None:
    first, second = sql.statements("select ';'; describe vehicles;")
    assert rows(sql, first) == [(";",)]
    assert ("vin", "VARCHAR") in {row[:2] for row in rows(sql, second)}


@pytest.mark.parametrize(
    "text",
    [
        "copy (select 1) to '{archive}/x.csv'",
        "explain analyze copy (select 1) to '{archive}/x.csv'",
        "explain (analyze) copy (select 1) to '{archive}/x.csv'",
        "explain /* */ analyze copy (select 1) to '{archive}/x.csv'",
        "attach '{archive}/x.duckdb'",
        "export database '{archive}/x'",
        "insert into vehicles (vin) values ('x')",
        "update pg.public.vehicles set vin = 'x'",
        "create table pg.public.x (i int)",
        "call postgres_execute('pg', 'create table x (i int)')",
        "from postgres_execute('pg', 'create table x (i int)')",
        "from postgres_execute('pg', 'commit; create table x (i int)')",
        "set lock_configuration = false",
        "install httpfs",
        "from read_text('/etc/hostname')",
        "from glob('/etc/*')",
        "select 1; drop schema bi",
    ],
)
def test_nothing_can_be_written_and_no_other_file_read(
    sql: Analysis, archive: Archive, database: Database, text: str
) -> None:
    archived(archive, samples())
    assert refusal(sql, text.replace("{archive}", archive.files.root.replace("'", "''")))
    assert archive.files.paths("") == ["energy_states/year=2026/month=01/2026-01-05.parquet"]
    with database.rows() as connection:
        assert connection.scalar(sa.text("select to_regclass('public.x')")) is None
    assert rows(sql, SUM_AND_COUNT) == [DAY_OF_ALL]


def test_a_wrong_statement_is_said_in_a_sentence_and_the_next_one_answered(sql: Analysis) -> None:
    assert "syntax error" in refusal(sql, "selec 1")
    assert "nowhere does not exist" in refusal(sql, "from nowhere")
    assert "division" in refusal(sql, "from postgres_query('pg', 'select 1 / 0')")
    assert rows(sql, "select 1") == [("1",)]


def test_no_answer_and_no_error_tells_the_password(
    sql: Analysis, archive: Archive, database: Database
) -> None:
    password = sa.make_url(database.url()).password
    assert password
    for text in ("duckdb_databases()", "duckdb_secrets()", "duckdb_settings()"):
        assert password not in str(rows(sql, f"from {text}"))
    assert "disabled" in refusal(sql, "from duckdb_secrets(redact = false)")
    url = sa.make_url(database.url()).set(port=1, password="pa'ss\\wörd")
    with (
        pytest.raises(AnalysisError, match="onnect") as error,
        analysis(archive, url.render_as_string(hide_password=False)),
    ):
        pass
    assert "wörd" not in str(error.value)
