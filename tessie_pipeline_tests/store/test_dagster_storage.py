"""A schema for Dagster in the same database."""

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.dagster_storage import dagster_bytes, dagster_url
from tessie_pipeline.store.database import Database


def test_tables_that_dagster_makes_are_in_a_schema_of_their_own(database: Database) -> None:
    engine = sa.create_engine(dagster_url(database))
    with engine.begin() as connection:
        connection.execute(sa.text("create table runs (id int)"))
    engine.dispose()
    with database.rows() as rows:
        query = sa.text("select schemaname from pg_tables where tablename = 'runs'")
        assert rows.scalars(query).all() == ["dagster"]


def test_the_bytes_of_dagster_are_those_of_its_tables_and_their_indexes(
    database: Database,
) -> None:
    page = 8192
    with database.rows() as connection:
        before = dagster_bytes(connection)
        for schema in ("dagster", "public"):
            connection.execute(sa.text(f"create table {schema}.kept (id) as values (1)"))
            connection.execute(sa.text(f"alter table {schema}.kept add primary key (id)"))
        after = dagster_bytes(connection)
        connection.rollback()
    # A page of the table, one of its index, and one that describes the index.
    assert after - before == 3 * page


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:p%40ss%2Fw%3A%25rd@db.example:5433/tessie?sslmode=require",
        "postgres://ann:p%40ss%2Fw%3A%25rd@db.example:5433/tessie?sslmode=require",
        "postgresql+psycopg://ann:p%40ss%2Fw%3A%25rd@db.example:5433/tessie?sslmode=require",
    ],
)
def test_the_url_names_the_driver_and_keeps_the_password_and_the_options(url: str) -> None:
    found = sa.make_url(dagster_url(Database(url)))
    assert found.drivername == "postgresql+psycopg2"
    assert (found.username, found.password) == ("ann", "p@ss/w:%rd")
    assert (found.host, found.port, found.database) == ("db.example", 5433, "tessie")
    assert found.query == {"sslmode": "require", "options": "-c search_path=dagster"}
