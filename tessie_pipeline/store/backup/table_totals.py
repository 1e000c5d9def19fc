"""How many rows each table of a database has, and a checksum of them in any order.

Two databases with the same totals hold the same rows. The checksum of a row is PostgreSQL's 64-bit
hash of its text, that of a table their sum; floats are written so that they read back as they
were, and nothing hangs on the settings of server or session. Partitions count with their table.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict

from tessie_pipeline.store.database import LOCK_NOT_AVAILABLE, Database

LOCK_WAIT_S = 600
"""A migration or the end of a retention may hold a table for a while."""

_SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "search_path": "pg_catalog",
    "lock_timeout": f"{LOCK_WAIT_S}s",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""The first ones make the text of a row the same everywhere, the last ones leave it the time."""

# What an extension brings along is not in a dump, nor is what a foreign table shows.
_TABLES = sa.text("""
    select format(
        case c.relkind when 'r' then 'only %I.%I' else '%I.%I' end, n.nspname, c.relname
    )
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition
        and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
        and not exists (
            select from pg_depend d
            where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
    order by n.nspname, c.relname
""")

_GONE = ("42P01", "3F000")
"""SQLSTATEs of a table and of a schema that is not there."""


class TableChangedError(Exception):
    """Tables were made or dropped in the moment when they were to be locked."""


class TableTotals(BaseModel):
    """The rows of a table: how many, and the sum of their hashes as a decimal number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    checksum: str


def tables_of(connection: sa.Connection) -> list[str]:
    """The tables with rows of their own, as SQL names them: `schema.table`, or `only` one."""
    return list(connection.scalars(_TABLES))


@contextmanager
def snapshot(database: Database) -> Iterator[tuple[sa.Connection, list[str]]]:
    """A transaction that reads one state of all tables, and these, as `tables_of` has them.

    They cannot be dropped meanwhile, nor any of their partitions.

    Raises:
        TableChangedError: tables were made or dropped meanwhile.
        TimeoutError: somebody locks a table for `LOCK_WAIT_S`.
    """
    with database.rows() as connection:
        tables = tables_of(connection)
    isolated = database.engine.execution_options(isolation_level="REPEATABLE READ")
    with isolated.begin() as connection:
        # The first query decides which state is read: locks come before it, and no function.
        for name, value in _SETTINGS.items():
            connection.exec_driver_sql(f"set local {name} = '{value}'")
        try:
            if tables:
                connection.exec_driver_sql(f"lock table {', '.join(tables)} in access share mode")
        except sa.exc.DBAPIError as error:
            raise _reason(error) from error
        if tables_of(connection) != tables:
            raise TableChangedError("Tables were made or dropped just now: do it again")
        yield connection, tables


def totals(connection: sa.Connection, tables: Sequence[str]) -> dict[str, TableTotals]:
    """The totals of tables, by `schema.table`; of a `snapshot`, all of the same moment."""
    found = {}
    for table in tables:
        row_hash = "hashtextextended(_row::text, 0)"
        query = f"select count(*), coalesce(sum({row_hash}), 0)::text from {table} as _row"  # noqa: S608
        rows, checksum = connection.exec_driver_sql(query).one()
        found[table.removeprefix("only ")] = TableTotals(rows=rows, checksum=checksum)
    return found


def read_totals(database: Database) -> dict[str, TableTotals]:
    """The totals of all tables at one moment, by `schema.table`."""
    with snapshot(database) as (connection, tables):
        return totals(connection, tables)


def differences(expected: Mapping[str, TableTotals], found: Mapping[str, TableTotals]) -> list[str]:
    """A sentence per table that is not as expected; empty when all are."""
    said = []
    for table in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(table), found.get(table)
        if wanted is None or there is None:
            said.append(f"{table} is {'missing' if there is None else 'not in the manifest'}")
        elif wanted.rows != there.rows:
            said.append(f"{table} has {there.rows} rows instead of {wanted.rows}")
        elif wanted.checksum != there.checksum:
            said.append(f"{table} has as many rows ({wanted.rows}), but others")
    return said


def _tables(connection: sa.Connection) -> list[str]:
    return list(connection.scalars(_TABLES))


def _reason(error: sa.exc.DBAPIError) -> Exception:
    """What a failed lock means."""
    code = getattr(error.orig, "pgcode", None)
    if code == LOCK_NOT_AVAILABLE:
        return TimeoutError(f"A table has been locked by others for {LOCK_WAIT_S} seconds")
    if code in _GONE:
        return TableChangedError("Tables were dropped just now: do it again")
    return error
