"""Connections and transactions."""

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import copy_in, execute, read_frame
from tessie_pipeline_tests.store.conftest import count_rows

SITE = pl.DataFrame({"tesla_site_id": [1]})


def test_what_one_kind_of_transaction_commits_the_other_reads(database: Database) -> None:
    with database.frames() as connection:
        copy_in(connection, tables.energy_sites, SITE)
    assert count_rows(database, tables.energy_sites) == 1
    with database.rows() as rows:
        rows.execute(sa.insert(tables.energy_sites).values(tesla_site_id=2))
    with database.frames() as connection:
        stored = read_frame(connection, "select tesla_site_id from energy_sites order by 1")
    assert stored["tesla_site_id"].to_list() == [1, 2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_transaction_that_is_left_by_an_error_changes_nothing(
    database: Database, error: type[BaseException]
) -> None:
    def fail_with_frames() -> None:
        with database.frames() as connection:
            copy_in(connection, tables.energy_sites, SITE)
            raise error

    def fail_with_rows() -> None:
        with database.rows() as rows:
            rows.execute(sa.insert(tables.energy_sites).values(tesla_site_id=2))
            raise error

    for fail in (fail_with_frames, fail_with_rows):
        with pytest.raises(error):
            fail()
    assert count_rows(database, tables.energy_sites) == 0


def test_nothing_is_seen_by_others_before_the_commit(database: Database) -> None:
    with database.frames() as connection:
        copy_in(connection, tables.energy_sites, SITE)
        assert count_rows(database, tables.energy_sites) == 0
    assert count_rows(database, tables.energy_sites) == 1


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"]
)
def test_every_common_spelling_of_a_url_connects(database: Database, scheme: str) -> None:
    spelled = Database(database.url().replace("postgresql", scheme, 1))
    with spelled.rows() as rows:
        assert rows.scalar(sa.text("select 1")) == 1
    with spelled.frames() as frames:
        assert read_frame(frames, "select 1 as one")["one"].to_list() == [1]
    spelled.dispose()


def test_rows_speak_utc_whatever_the_database_speaks(bare_database: Database) -> None:
    with bare_database.rows() as rows:
        name = rows.scalar(sa.text("select current_database()"))
        rows.execute(sa.text(f"alter database {name} set timezone = 'Asia/Kathmandu'"))
    bare_database.dispose()
    noon = "timestamptz '2024-07-01 12:00:00+02'"
    with bare_database.rows() as rows:
        assert rows.scalar(sa.text(f"select ({noon})::text")) == "2024-07-01 10:00:00+00"


def test_an_administrator_sees_whose_connection_it_is(database: Database) -> None:
    with database.rows() as rows:
        assert rows.scalar(sa.text("show application_name")) == "tessie"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hush-hush@db.example/tessie",
        "postgres://ann:hush-hush@db.example/tessie?sslmode=require",
        "postgresql://db.example/tessie?user=ann&password=hush-hush",
    ],
)
def test_the_repr_says_which_database_and_hides_the_password(url: str) -> None:
    for text in (repr(Database(url)), str(Database(url))):
        assert "db.example" in text
        assert "/tessie" in text
        assert "hush-hush" not in text


def test_a_refused_connection_does_not_show_the_password(server_url: sa.URL) -> None:
    url = server_url.set(password="hush-hush")
    database = Database(url.render_as_string(hide_password=False))
    with pytest.raises(sa.exc.OperationalError, match="password authentication failed") as rows:
        database.rows().__enter__()
    with pytest.raises(Exception, match="password authentication failed") as frames:
        database.frames().__enter__()
    assert "hush-hush" not in f"{rows.value} {frames.value}"


def test_a_url_that_cannot_be_read_does_not_show_in_the_error() -> None:
    with pytest.raises(sa.exc.ArgumentError) as error:
        Database("host=db.example password=hush-hush")
    assert "hush-hush" not in str(error.value)


def test_disposing_closes_the_sessions_and_a_later_use_opens_new_ones(database: Database) -> None:
    def sessions() -> int:
        query = "select count(*) as n from pg_stat_activity where datname = current_database()"
        with database.frames() as connection:
            execute(connection, "select pg_sleep(0.05)")
            return int(read_frame(connection, query)["n"].item())

    with database.rows(), database.rows():
        assert sessions() == 3
    database.dispose()
    assert sessions() == 1
    with database.rows() as rows:
        assert rows.scalar(sa.text("select 1")) == 1
