"""A DuckDB in memory with the archive and Postgres side by side, which can change neither.

`archive.vehicle_states` is what is archived, `pg` is Postgres, `bi` its views for readers, and
`vehicle_states` all samples, archived or not; likewise of energy. Not here: people's statements
(`statements`), and files for analysts (`export`).
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from importlib.resources import files
from pathlib import Path

import duckdb
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo

from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.archive.rows import ARCHIVED, TIME, rows_schema, subject_of
from tessie_pipeline.store.database import APPLICATION_NAME

_CONFIG = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
}
_SESSION = "-c default_transaction_read_only=on -c TimeZone=UTC"

_BI_VIEWS = "select viewname from pg_views where schemaname = 'bi'"

# Naming the table locks it until the transaction ends, so that no partition of it is dropped.
_PARTITIONS = (
    "select relname from pg_inherits join pg_class on oid = inhrelid "
    "where inhparent = to_regclass('public.{table}') "
    "and not exists (select from public.{table} where false)"
)


class AnalysisConnection:
    """The connection, on which the samples are those of each transaction's beginning."""

    def __init__(self, duck: duckdb.DuckDBPyConnection, archive: Archive) -> None:
        """Take a connection on which `pg` is attached."""
        self.duck = duck
        self._archive = archive
        self._defined: dict[str, tuple[set[date], set[date]]] = {}

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One snapshot of Postgres, with all that was archived and dropped before it."""
        try:
            self._begin()
            yield self.duck
        except BaseException:
            self.duck.interrupt()  # what still runs would be waited for
            with suppress(duckdb.Error):  # there is none if it could not begin
                self.duck.execute("rollback")
            raise
        self.duck.execute("commit")

    def _begin(self) -> None:
        """Begin a transaction, which has no write in it, so that any database can be written."""
        while True:
            self.duck.execute("begin")
            # Postgres first: what is archived afterwards is still in this snapshot of it.
            days = {table: self._days_of(table) for table in ARCHIVED}
            if days == self._defined:
                return
            for table, (archived, both) in days.items():
                self._define(table, archived, both)
            self.duck.execute("commit")
            self._defined = days

    def _days_of(self, table: str) -> tuple[set[date], set[date]]:
        """The days that are archived, and those of them that Postgres has rows of, too."""
        partitions = set(_query_postgres(self.duck, _PARTITIONS.format(table=table)))
        archived = self._archive.days(table)
        return archived, {day for day in archived if f"{table}_{day:%Y_%m_%d}" in partitions}

    def _define(self, table: str, archived: set[date], both: set[date]) -> None:
        """Make the views of a table's samples: those that are archived, and all."""
        columns = ", ".join(rows_schema(ARCHIVED[table]))
        empty = f"(select {columns} from pg.public.{table} where false)"  # noqa: S608 - names of ours
        if archived:
            old = f"from {empty} union all by name from {self._files(table, archived)}"
        else:
            old = f"select *, null::int as year, null::int as month from {empty}"  # noqa: S608
        new = f"select {columns} from pg.public.{table}"  # noqa: S608
        if both:
            key = f"({subject_of(ARCHIVED[table])}, {TIME})"
            new += f" anti join {self._files(table, both)} using {key}"
        every = f"select {columns} from archive.{table} union all {new}"  # noqa: S608
        self.duck.execute(f"create or replace view memory.archive.{table} as {old}")
        self.duck.execute(f"create or replace view memory.main.{table} as {every}")

    def _files(self, table: str, days: set[date]) -> str:
        """A table of what is in the files of these days; not all may have all columns."""
        paths = (self._archive.path_of(table, day) for day in sorted(days))
        files = ", ".join(quoted(self._archive.files.address(path)) for path in paths)
        return (
            f"read_parquet([{files}], union_by_name = true, hive_partitioning = true, "
            "hive_types = {'year': int, 'month': int})"
        )


@contextmanager
def analysis_connection(
    archive: Archive, url: str, writes_to: Path | None = None
) -> Iterator[AnalysisConnection]:
    """A connection that reads the archive and a Postgres, and opens no other file.

    Statements of others have to be looked at (`statements`): COPY could write into the archive.

    Args:
        archive: the archive; it may be empty.
        url: of Postgres; its role says what can be read.
        writes_to: a directory that may be written, too.

    Raises:
        duckdb.Error: Postgres does not answer; the message does not tell its password.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tessie-sql-") as spill,
        duckdb.connect(config={**_CONFIG, "temp_directory": spill}) as duck,
    ):
        if not archive.files.is_local:
            duck.register_filesystem(archive.files.files)
            # Another thread that reads through Python, and one that waits for it in Python, block.
            duck.execute("set threads = 1")
        duck.load_extension(_packaged_extension())
        _attach_postgres(duck, url)
        duck.execute("set TimeZone = 'UTC'")
        duck.execute("set parquet_metadata_cache = true")
        duck.execute("create schema archive")
        duck.execute("create schema bi")
        for name in _query_postgres(duck, _BI_VIEWS):
            duck.execute(f'create view memory.bi."{name}" as from pg.bi."{name}"')
        duck.execute("set search_path = 'memory.main,pg.public'")
        readable = [archive.files.address(""), *([f"{writes_to}/"] if writes_to else [])]
        duck.execute(f"set allowed_directories = [{', '.join(map(quoted, readable))}]")
        duck.execute("set enable_external_access = false")
        duck.execute("set lock_configuration = true")
        yield AnalysisConnection(duck, archive)


def _query_postgres(duck: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The only column of a query that Postgres itself runs."""
    rows = duck.execute(f"from postgres_query('pg', {quoted(query)})").fetchall()
    return [row[0] for row in rows]


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _attach_postgres(duck: duckdb.DuckDBPyConnection, url: str) -> None:
    """Attach Postgres as `pg`, with the password where no statement and no error shows it."""
    at = sa.make_url(url)
    facts = {
        "host": at.host,
        "port": at.port,
        "dbname": at.database,
        "user": at.username,
        "password": at.password,
        "application_name": APPLICATION_NAME,
        "options": "",
    }
    facts |= {name: ",".join(values) for name, values in at.normalized_query.items()}
    password = facts.pop("password")
    address = make_conninfo("", **facts | {"options": f"{facts['options']} {_SESSION}"})
    given = f", password {quoted(str(password))}" if password is not None else ""
    duck.execute(f"create secret postgres (type postgres{given})")
    duck.execute(f"attach {quoted(address)} as pg (type postgres, secret postgres, read_only)")


def _packaged_extension() -> str:
    """DuckDB's extension for Postgres, as its package brings it; DuckDB checks its signature."""
    directory = files("duckdb_extension_postgres_scanner") / "extensions"
    return str(directory / f"v{duckdb.__version__}" / "postgres_scanner.duckdb_extension")
