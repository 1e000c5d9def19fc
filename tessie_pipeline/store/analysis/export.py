"""Files for analysts: the tables of some days as Parquet, or as one DuckDB database.

Samples come from the archive and Postgres alike. What only the pipeline needs, and everything of
the schema `private`, is in no export. Not here: reading both (`connection`).
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import sqlalchemy as sa

from tessie_pipeline.store.analysis.connection import (
    AnalysisConnection,
    analysis_connection,
    quoted,
)
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.archive.rows import ARCHIVED, TIME
from tessie_pipeline.store.shared_files import rename
from tessie_pipeline.store.tables import energy_sites, energy_states, vehicle_states, vehicles
from tessie_pipeline.store.tables.charging import (
    charging_attribution,
    charging_costs,
    charging_segments,
    charging_sessions,
)
from tessie_pipeline.store.tables.drives import drives
from tessie_pipeline.store.tables.energy import (
    battery_ledger,
    energy_daily,
    energy_hourly,
    energy_intervals,
    solar_attribution_daily,
)
from tessie_pipeline.store.tables.rollups import (
    energy_states_daily,
    energy_states_hourly,
    vehicle_states_daily,
    vehicle_states_hourly,
)

DATABASE_SUFFIX = ".duckdb"
RAW = "raw_data"

_FILE = f"export{DATABASE_SUFFIX}"
"""The name of a database while it is written."""

_TIMES: dict[sa.Table, str | None] = {
    vehicles: None,
    energy_sites: None,
    vehicle_states: TIME,
    vehicle_states_hourly: TIME,
    vehicle_states_daily: TIME,
    energy_states: TIME,
    energy_states_hourly: TIME,
    energy_states_daily: TIME,
    energy_intervals: TIME,
    energy_hourly: TIME,
    energy_daily: "date",
    battery_ledger: "date",
    solar_attribution_daily: "date",
    charging_sessions: "started_at",
    charging_segments: "session_started_at",
    charging_costs: "session_started_at",
    charging_attribution: "session_started_at",
    drives: "started_at",
}
"""The tables of an export, and the column that says of which day a row is; None for all rows."""


class ExportError(Exception):
    """Nothing was exported; the message says why."""


@dataclass(frozen=True)
class Exported:
    """A table of an export.

    Attributes:
        table: its name.
        rows: how many it has there.
        bytes: what they take there, compressed.
    """

    table: str
    rows: int
    bytes: int


def export(
    archive: Archive, url: str, target: Path, start: date, end: date, *, has_raw: bool
) -> list[Exported]:
    """Write the rows of the days in start <= day < end to `target`; returns its tables.

    Rows are of the day (UTC) of their time, or of their own date; parts of a charge are of the
    day on which it began. All are of one instant. `target` appears when it is complete.

    Args:
        archive: where old samples are.
        url: of Postgres.
        target: a new directory, or a new file that ends in .duckdb.
        start: the first day.
        end: the day after the last one.
        has_raw: whether answers as they were received come along.

    Raises:
        ExportError: `target` is there already, or cannot be written, or what should be in it
            cannot be read.
    """
    if target.suffix not in ("", DATABASE_SUFFIX):
        raise ExportError(f"--out should be a directory, or a file that ends in {DATABASE_SUFFIX}")
    if target.exists():
        raise ExportError(f"{target} is there already: give another --out, or remove it")
    draft = target.absolute().with_name(f"{target.name}.new")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        with analysis_connection(archive, url, draft) as connection:
            write = _to_database if target.suffix else _to_parquet
            exported = write(
                connection, draft, {t: _query(t, start, end, has_raw=has_raw) for t in _TIMES}
            )
        rename(draft / _FILE if target.suffix else draft, target)
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror}") from None
    except duckdb.Error as error:
        raise ExportError(str(error).strip()) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return exported


def _query(table: sa.Table, start: date, end: date, *, has_raw: bool) -> str:
    """The rows of a table that belong to the days."""
    columns = ", ".join(f'"{c.name}"' for c in table.c if has_raw or c.name != RAW)
    query = f"select {columns} from {table.name}"  # noqa: S608 - names of ours
    time = _TIMES[table]
    return query if time is None else f"{query} where {time} >= '{start}' and {time} < '{end}'"


def _to_parquet(
    connection: AnalysisConnection, directory: Path, queries: Mapping[sa.Table, str]
) -> list[Exported]:
    """A file per table; samples have a folder per month, as in the archive."""
    exported = []
    with connection.transaction() as duck:
        for table, query in queries.items():
            path, options = directory / f"{table.name}.parquet", "format parquet, compression zstd"
            if table.name in ARCHIVED:
                path = directory / table.name
                month = f"strftime({TIME}, '%Y') as year, strftime({TIME}, '%m') as month"
                query = f"select *, {month} from ({query})"  # noqa: S608
                options += ", partition_by (year, month)"
            copied = duck.execute(f"copy ({query}) to {quoted(str(path))} ({options})").fetchall()
            files = path.rglob("*.parquet") if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files)
            exported.append(Exported(table.name, copied[0][0], size))
    return exported


def _to_database(
    connection: AnalysisConnection, directory: Path, queries: Mapping[sa.Table, str]
) -> list[Exported]:
    """A DuckDB database, in which every column says what it is, as it does in Postgres."""
    connection.duck.execute(f"attach {quoted(str(directory / _FILE))} as export")
    with connection.transaction() as duck:
        for table, query in queries.items():
            duck.execute(f"create table export.{table.name} as {query}")
            for name, *_ in duck.execute(f"from export.{table.name}").description:
                comment = quoted(str(table.c[name].comment))
                duck.execute(f'comment on column export.{table.name}."{name}" is {comment}')
            duck.execute(f"comment on table export.{table.name} is {quoted(str(table.comment))}")
    connection.duck.execute("checkpoint export")
    return [_in_database(connection.duck, table.name) for table in queries]


def _in_database(duck: duckdb.DuckDBPyConnection, table: str) -> Exported:
    """The table as it is in the database; what is in no block of its own counts as nothing."""
    blocks = f"select distinct block_id from pragma_storage_info('export.{table}')"  # noqa: S608
    size = "(select block_size from pragma_database_size() where database_name = 'export')"
    query = (
        f"select (select count(*) from export.{table}), "  # noqa: S608
        f"(select count(*) from ({blocks}) where block_id >= 0) * {size}"
    )
    rows, bytes_ = duck.execute(query).fetchall()[0]
    return Exported(table, rows, bytes_)
