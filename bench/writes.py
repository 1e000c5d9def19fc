"""Writing a day of `energy_states` of 1,000 sites: 288,000 rows with their answers, sorted by key.

The reference is `COPY … FROM` a file of the same rows in the same order, which the server itself
reads, in Postgres's default text format; `docs/decisions/0002-writes.md` has the other formats.
Both have a connection at hand, and write into the partition of the day, which is
there, empty and checkpointed.
"""

from datetime import date
from functools import cache
from pathlib import Path

import polars as pl

from bench.measure import Contest, Side
from bench.samples import energy_states
from bench.scratch import Scratch
from tessie_pipeline.store import tables
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.writes import write_new as write

TABLE = tables.energy_states
SITES, DAY = 1_000, date(2026, 3, 1)


def write_new(scratch: Scratch) -> Contest:
    """New rows: ours beside the server's `COPY`."""
    return Contest(_ours(scratch), _copy(scratch), runs=9)


def write_again(scratch: Scratch) -> Contest:
    """The same rows once more, of which none is new: ours beside the server's `COPY` of new ones.

    `COPY` itself cannot do this, as it fails at the first key that exists.
    """

    def fill() -> None:
        _empty(scratch)
        _write(scratch)
        scratch.execute("checkpoint")

    return Contest(Side(fill, lambda: _write(scratch), counts=0), _copy(scratch), runs=9)


def write_new_vs_rows(scratch: Scratch) -> Contest:
    """New rows: ours beside one `INSERT … ON CONFLICT` per row, as the other systems write."""
    columns = _rows().columns
    insert = (
        f"insert into {TABLE.name} ({', '.join(columns)}) "  # noqa: S608 (names of ours)
        f"values ({', '.join(['%s'] * len(columns))}) on conflict do nothing"
    )
    values = _rows().rows()

    def work() -> int:
        with scratch.database.rows() as connection:
            cursor = connection.connection.cursor()
            cursor.executemany(insert, values)
            return int(cursor.rowcount)

    reference = Side(lambda: _empty(scratch), work, counts=len(values))
    return Contest(_ours(scratch), reference, runs=5)


@cache
def _rows() -> pl.DataFrame:
    return energy_states(SITES, DAY, days=1)


def _ours(scratch: Scratch) -> Side:
    return Side(lambda: _empty(scratch), lambda: _write(scratch), counts=_rows().height)


def _write(scratch: Scratch) -> int:
    with scratch.database.frames() as connection:
        return write(connection, TABLE, _rows())


def _copy(scratch: Scratch) -> Side:
    columns = ", ".join(_rows().columns)
    copy = f"copy {TABLE.name} ({columns}) from '{_file(scratch)}'"

    def work() -> int:
        with scratch.database.rows() as connection:
            return connection.exec_driver_sql(copy).rowcount

    return Side(lambda: _empty(scratch), work, counts=_rows().height)


def _file(scratch: Scratch) -> Path:
    """The rows in Postgres's text format; none of them has a character to escape."""
    file = scratch.home / "energy_states.txt"
    _rows().write_csv(
        file,
        include_header=False,
        separator="\t",
        quote_style="never",
        null_value="\\N",
        datetime_format="%Y-%m-%d %H:%M:%S%.6f+00",
    )
    file.chmod(0o644)
    return file


def _empty(scratch: Scratch) -> None:
    with scratch.database.frames() as connection:
        ensure_partitions(connection, TABLE, _rows()["timestamp"].head(1))
    scratch.execute(f"truncate {TABLE.name}", "checkpoint")
