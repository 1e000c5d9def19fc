"""Range partitions of the time series: named by their first day, made when a write needs them.

A table's `info["partition_by"]` says how wide they are: a day or a month, in UTC. There is no
default partition: it would make each read look there, and slow the newest row of a subject by the
number of partitions (`docs/decisions/0006-no-default-partition.md`).
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

import adbc_driver_postgresql.dbapi as adbc
import sqlalchemy as sa

from tessie_pipeline.domain.retention import Partition
from tessie_pipeline.store.database import LOCK_NOT_AVAILABLE
from tessie_pipeline.store.frames import execute, read_frame

PATIENCE_S = 20
"""A partition is dropped another time if somebody reads the table for so long; others wait too."""


class BusyError(Exception):
    """A partition is in use, and stays."""


def ensure_partitions(
    connection: adbc.Connection, table: sa.Table, timestamps: Iterable[datetime]
) -> list[str]:
    """Make the partitions of `table` that `timestamps` fall into; returns the names of new ones.

    Holds the table's write lock. A table without partitions stays so.
    """
    lock_writes(connection, table)
    if "partition_by" not in table.info:
        return []
    starts = sorted({_first_day(table, timestamp) for timestamp in timestamps})
    wanted = {f"{table.name}_{start:%Y_%m_%d}": start for start in starts}
    existing = _existing(connection, table)
    made = [name for name in wanted if name not in existing]
    for name in made:
        _make(connection, table, name, wanted[name])
    return made


def partitions_of(connection: adbc.Connection, table: sa.Table) -> list[Partition]:
    """The partitions of `table` that there are, the oldest first."""
    found = []
    for name in sorted(_existing(connection, table)):
        start = datetime.strptime(name.removeprefix(f"{table.name}_"), "%Y_%m_%d").date()  # noqa: DTZ007
        found.append(Partition(name, start, _end(table, start)))
    return found


def partition_sizes(connection: adbc.Connection, table: sa.Table) -> dict[str, int]:
    """The size of each partition of `table` with its indexes, bytes, by its name."""
    query = (
        "select relid::regclass::text as name, pg_total_relation_size(relid) as size "  # noqa: S608
        f"from pg_partition_tree('{table.name}'::regclass) where isleaf"
    )
    return dict(read_frame(connection, query).iter_rows())


def drop_partition(connection: adbc.Connection, table: sa.Table, partition: Partition) -> None:
    """Drop a partition with its rows, as the last thing that the transaction does.

    From then on readers of the table wait until it ends.

    Raises:
        BusyError: others have read the table for `PATIENCE_S`.
    """
    execute(connection, f"set local lock_timeout = '{PATIENCE_S}s'")
    try:
        execute(connection, f"alter table {table.name} detach partition {partition.name}")
    except adbc.Error as error:
        if error.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        raise BusyError(
            f"{partition.name} stays for now: somebody has read {table.name} for {PATIENCE_S} s"
        ) from None
    execute(connection, f"drop table {partition.name}")


def rows_in_default_partitions(connection: sa.Connection) -> dict[str, int]:
    """How many rows are in default partitions, by the name of each that has some.

    There are none unless somebody made one.
    """
    names = connection.scalars(
        sa.text("select partdefid::regclass::text from pg_partitioned_table where partdefid <> 0")
    )
    counts = {
        name: connection.scalar(sa.text(f"select count(*) from {name}")) or 0  # noqa: S608
        for name in names.all()
    }
    return {name: rows for name, rows in counts.items() if rows}


def estimate_rows(connection: sa.Connection, table: sa.Table) -> int:
    """About how many rows `table` has: Postgres's estimates, and counts where it has none yet."""
    query = sa.text(
        "select relid::regclass::text, reltuples from pg_partition_tree(cast(:name as regclass)) "
        "join pg_class on oid = relid where isleaf"
    )
    rows = 0.0
    for name, estimate in connection.execute(query, {"name": table.name}).all():
        counting = f"select count(*) from {name}"  # noqa: S608 - Postgres quoted the name
        rows += estimate if estimate >= 0 else connection.scalar(sa.text(counting)) or 0
    return round(rows)


def lock_writes(connection: adbc.Connection, table: sa.Table) -> None:
    """Let one writer at a time into `table` until the transaction ends; readers go on."""
    execute(connection, f"select pg_advisory_xact_lock(hashtext('{table.fullname}'))::text")


def _first_day(table: sa.Table, timestamp: datetime) -> date:
    day = timestamp.astimezone(UTC).date()
    return day if table.info["partition_by"] == "day" else day.replace(day=1)


def _end(table: sa.Table, start: date) -> date:
    if table.info["partition_by"] == "day":
        return start + timedelta(days=1)
    return (start + timedelta(days=31)).replace(day=1)


def _existing(connection: adbc.Connection, table: sa.Table) -> set[str]:
    names = read_frame(
        connection,
        "select relid::regclass::text as name "  # noqa: S608 (a table's name of ours)
        f"from pg_partition_tree('{table.name}'::regclass) where isleaf",
    )
    return set(names["name"])


def _make(connection: adbc.Connection, table: sa.Table, name: str, start: date) -> None:
    low, high = (
        datetime.combine(day, time(), UTC).isoformat() for day in (start, _end(table, start))
    )
    for statement in (
        f"create table {name} (like {table.name} including all)",
        f"alter table {table.name} attach partition {name} for values from ('{low}') to ('{high}')",
    ):
        execute(connection, statement)
