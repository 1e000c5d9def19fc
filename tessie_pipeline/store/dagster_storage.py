"""Where Dagster keeps its own rows: a schema of the same database, so that one backup holds all."""

import sqlalchemy as sa

from tessie_pipeline.store.database import Database

SCHEMA = "dagster"
"""Made by `migrations.upgrade`; Dagster makes its tables in it."""


def dagster_url(database: Database) -> str:
    """The URL, with its password, that dagster.yaml takes.

    The driver is named: dagster-postgres 0.29 does not know psycopg 3, SQLAlchemy 2.1's default.
    """
    url = sa.make_url(database.url("psycopg2"))
    options = {"options": f"-c search_path={SCHEMA}"}
    return url.update_query_dict(options).render_as_string(hide_password=False)
