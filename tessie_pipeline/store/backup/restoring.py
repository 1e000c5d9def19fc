"""Restoring a backup for good: beside the database, proved and migrated, and then in its place.

The last step exchanges the names of two databases in one transaction. Whatever ends the program
before leaves the old database as it was, and after it the new one is complete.
"""

import sqlalchemy as sa

from tessie_pipeline.store import migrations
from tessie_pipeline.store.backup.files import Backup, BackupError, Manifest
from tessie_pipeline.store.backup.making import restored
from tessie_pipeline.store.backup.scratch import check_owner, scratch
from tessie_pipeline.store.backup.table_totals import tables_of
from tessie_pipeline.store.dagster_storage import SCHEMA as DAGSTER_SCHEMA
from tessie_pipeline.store.database import Database

WITHOUT_DATA = ("public.alembic_version", f"{DAGSTER_SCHEMA}.")
"""Tables, or how their names begin, that a first start fills by itself."""


def restore(database: Database, backup: Backup, *, replaces: bool) -> Manifest:
    """Put what a backup holds in the place of `database`; the roles stay those of the server.

    It is at the newest schema then, with the views and grants of this version.

    Args:
        database: nobody else may be connected to it.
        backup: it need not be verified, since it is compared with its manifest before it counts.
        replaces: whether rows that the database has are to be lost.

    Raises:
        BackupError: the database holds rows or is in use, or the backup is damaged or newer than
            this program; the database is as it was.
    """
    manifest = Manifest.read(backup.path)
    newest = migrations.status(database).newest
    if manifest.schema_revision > newest:
        raise BackupError(
            f"The backup is of schema {manifest.schema_revision}, and this version of "
            f"tessie_pipeline knows {newest}: restore it with the version that made it, or newer"
        )
    check_owner(database)
    if not replaces and (held := tables_with_rows(database)):
        raise BackupError(
            f"The database holds data in {len(held)} tables, {held[0]} among them: give --replace "
            "to lose them, or restore into another TESSIE_HOME"
        )
    with scratch(database) as place:
        restored(place.database, backup)
        # Rebuilt by the migrations, with the grants to the readers of this server.
        with place.database.rows() as connection:
            connection.execute(sa.text("drop schema if exists bi cascade"))
        migrations.upgrade(place.database)
        place.swap()
    return manifest


def tables_with_rows(database: Database) -> list[str]:
    """The tables with anything that a new database would not have by itself."""
    with database.rows() as connection:
        return [
            table.removeprefix("only ")
            for table in tables_of(connection)
            if not table.removeprefix("only ").startswith(WITHOUT_DATA)
            and connection.scalar(sa.text(f"select exists (select from {table})"))  # noqa: S608
        ]
