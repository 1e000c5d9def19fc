"""Old samples become hours and are archived, old hours become days; then their partition goes.

Each partition is one transaction, whose last statement drops it: what is killed on the way has not
happened, but for a file of the archive, which is written again. Not here: which partitions are old
(`domain/retention.py`), or needed (`store/retention/policies.py`).
"""

from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.downsample import days_of_hours, hours_of, merged, with_length
from tessie_pipeline.domain.retention import Partition
from tessie_pipeline.domain.rollup_proof import differences, rollup_totals, sample_totals
from tessie_pipeline.domain.rollups import Series
from tessie_pipeline.store.archive.parquet import Archive, ArchivedFile, checksum
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import ahead, execute, read_frame
from tessie_pipeline.store.partitions import drop_partition, lock_writes
from tessie_pipeline.store.retention.day_samples import DAY, DaySamples, midnight
from tessie_pipeline.store.retention.log import dropped_partitions, gone_days
from tessie_pipeline.store.retention.rollups import read_clocks, rewrite_rollup
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.tables.rollups import retention_log

HOUR = timedelta(hours=1)
SAID = 5
"""So many differences are told of a partition."""

SUBJECTS_AT_ONCE = 50
"""Whose samples of a day are held in memory: at one a minute of 4 KB about 300 MB."""


class ProofError(Exception):
    """Hours or days do not say what they were made of says; nothing was dropped."""


@dataclass(frozen=True)
class Retired:
    """What became of a partition.

    Attributes:
        partition: the one that was dropped.
        rows: how many it had.
        bytes: its size with its indexes.
        rollup_rows: how many hours or days were written.
        file: where its rows are in the archive; None if they are not.
        is_news: whether its samples came late, so that what is derived does not know them, and
            could be derived again from the archive.
    """

    partition: Partition
    rows: int
    bytes: int
    rollup_rows: int
    file: ArchivedFile | None = None
    is_news: bool = False


def retire_samples(
    database: Database,
    series: Series,
    partition: Partition,
    archive: Archive | None,
    zone: str,
    *,
    is_trial: bool = False,
) -> Retired:
    """Let hours stand for a day's samples, archive and drop them, or nothing of it.

    Samples of a day that was dropped before came late. Where all around it is archived, its hours
    are made anew of all samples, else those of the late ones are added as far as they fit.

    Args:
        database: where they are.
        series: the time series.
        partition: the day of its samples.
        archive: where they go; None if they are not to be kept.
        zone: whose clock subjects without one of their own follow.
        is_trial: whether all is computed and proved, then taken back, and nothing archived.

    Raises:
        ProofError: the hours do not say what the samples said.
        RollupError: what was stored is not what was computed.
        ArchiveError: the archive does not hold what was written to it.
    """

    def retire(connection: adbc.Connection) -> Retired:
        table = metadata.tables[series.name]
        for name in (series.name, series.hourly, series.daily):
            lock_writes(connection, metadata.tables[name])
        clocks = read_clocks(connection, series, zone)
        samples = DaySamples(
            connection, series, partition.start, archive, dropped_partitions(connection, table.name)
        )
        gathered = _gather(samples, clocks, None if is_trial else archive)
        rows, size = _measure(connection, partition, gathered.rows)
        store = _replace_hours if samples.is_made_anew else _add_hours
        written = store(samples, gathered.hours, clocks)
        is_late = partition.start in gone_days(connection, series)
        is_news = is_late and archive is not None and samples.dropped[partition.start]
        retired = Retired(partition, rows, size, written, gathered.file, is_news)
        _log(connection, table.name, retired, gathered.checksum)
        drop_partition(connection, table, partition)
        return retired

    return _at_once(database, retire, is_trial=is_trial)


def retire_hours(
    database: Database, series: Series, partition: Partition, zone: str, *, is_trial: bool = False
) -> Retired:
    """Let days stand for a month's hours and drop these, or nothing of it.

    Args and errors are those of `retire_samples`.
    """

    def retire(connection: adbc.Connection) -> Retired:
        table = metadata.tables[series.hourly]
        for name in (series.hourly, series.daily):
            lock_writes(connection, metadata.tables[name])
        hours = _hours_in(connection, series, partition)
        rows, size = _measure(connection, partition, hours.height)
        clocks = read_clocks(connection, series, zone)
        days = days_of_hours(hours, series, clocks)
        _prove(rollup_totals(hours, series), rollup_totals(days, series), series)
        _add(connection, series, series.daily, days, clocks)
        retired = Retired(partition, rows, size, days.height)
        _log(connection, table.name, retired, checksum(hours))
        drop_partition(connection, table, partition)
        return retired

    return _at_once(database, retire, is_trial=is_trial)


@dataclass
class _Gathered:
    """What came of a day's samples: how many, their checksum, their hours, and the file."""

    hours: pl.DataFrame
    rows: int = 0
    checksum: int = 0
    file: ArchivedFile | None = None


def _gather(samples: DaySamples, clocks: pl.DataFrame, archive: Archive | None) -> _Gathered:
    """Make hours of the day's samples and a file of the archive, some subjects at a time."""
    gathered = _Gathered(samples.series.schema.to_frame())
    subjects = samples.subjects()
    groups = [
        subjects[first : first + SUBJECTS_AT_ONCE]
        for first in range(0, len(subjects), SUBJECTS_AT_ONCE)
    ]
    beside = samples.beside(subjects)
    writing = archive.writing(samples.series.name, samples.day) if archive else nullcontext()
    # While hours are made of some, Postgres sends the next ones.
    with writing as writer, closing(ahead(map(samples.stored, groups))) as parts:
        for stored, some in zip(chain.from_iterable(parts), groups, strict=True):
            gathered.rows += stored.height
            gathered.checksum += checksum(stored)
            if not stored.is_empty():
                own = samples.with_all_around(stored) if samples.is_made_anew else stored
                gathered.hours.extend(_proved_hours(samples.series, own, beside, clocks))
            if writer is not None:
                writer.add(samples.with_archived(stored, some))
        if writer is not None:
            gathered.file = writer.publish()
    return gathered


def _proved_hours(
    series: Series, own: pl.DataFrame, beside: pl.DataFrame, clocks: pl.DataFrame
) -> pl.DataFrame:
    hours = hours_of(own, beside, series, clocks)
    _prove(sample_totals(own, beside, series), rollup_totals(hours, series), series)
    return hours


def _add_hours(samples: DaySamples, hours: pl.DataFrame, clocks: pl.DataFrame) -> int:
    """Add to the hours that are stored, or to days in their place; returns how many it made."""
    is_gone, series = _is_gone(samples), samples.series
    here, days = hours.filter(~is_gone), days_of_hours(hours.filter(is_gone), series, clocks)
    _add(samples.connection, series, series.hourly, here, clocks)
    _add(samples.connection, series, series.daily, days, clocks)
    return here.height + days.height


def _replace_hours(samples: DaySamples, hours: pl.DataFrame, clocks: pl.DataFrame) -> int:
    """Put hours that the day reaches into in the place of those stored, as `_add_hours`.

    Args:
        samples: of the day.
        hours: those of all samples around, so that the days that they are in are whole.
        clocks: the subjects' time zones.
    """
    is_gone, series, time = _is_gone(samples), samples.series, pl.col("timestamp")
    reached = hours.filter(
        time > midnight(samples.day) - HOUR - series.longest_gap,
        time < midnight(samples.day + DAY) + series.longest_gap,
    )
    here = reached.filter(~is_gone)
    in_days = days_of_hours(reached.filter(is_gone), series, clocks)
    days = days_of_hours(hours.filter(is_gone), series, clocks)
    days = days.join(in_days, on=[series.subject, "timestamp"], how="semi")
    for name, rows in ((series.hourly, here), (series.daily, days)):
        rewrite_rollup(samples.connection, metadata.tables[name], series, rows, _replaced)
    return here.height + days.height


def _is_gone(samples: DaySamples) -> pl.Expr:
    """Whether the hours of that time have become days."""
    months = dropped_partitions(samples.connection, samples.series.hourly)
    return pl.col("timestamp").dt.date().dt.truncate("1mo").is_in(list(months))


def _add(
    connection: adbc.Connection,
    series: Series,
    table: str,
    rows: pl.DataFrame,
    clocks: pl.DataFrame,
) -> None:
    """Merge hours or days into those that are stored."""

    def added(known: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
        if table == series.hourly:
            return merged(known, more, series, HOUR.total_seconds())
        return merged(known, with_length(more, series, clocks), series, pl.col("length_s"))

    rewrite_rollup(connection, metadata.tables[table], series, rows, added)


def _replaced(known: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    key = more.columns[:2]
    return pl.concat([known.join(more, on=key, how="anti"), more])


def _hours_in(connection: adbc.Connection, series: Series, month: Partition) -> pl.DataFrame:
    c = metadata.tables[series.hourly].c
    query = sa.select(*(c[name] for name in series.schema)).where(
        c.timestamp >= midnight(month.start), c.timestamp < midnight(month.end)
    )
    return read_frame(connection, query, series.schema)


def _prove(expected: pl.DataFrame, found: pl.DataFrame, series: Series) -> None:
    differing = differences(expected, found, series)
    if differing:
        raise ProofError("; ".join(differing[:SAID]) + "; nothing was dropped")


def _measure(connection: adbc.Connection, partition: Partition, read: int) -> tuple[int, int]:
    """How many rows a partition has, and its size with its indexes.

    Raises:
        ProofError: it is not as many as were read.
    """
    query = f"select count(*), pg_total_relation_size('{partition.name}') from {partition.name}"  # noqa: S608
    rows, size = read_frame(connection, query).row(0)
    if rows != read:
        raise ProofError(f"{partition.name} has {rows} rows, but {read} were read")
    return rows, size


def _log(connection: adbc.Connection, table: str, retired: Retired, checksum: int) -> None:
    file = retired.file
    execute(
        connection,
        sa.insert(retention_log).values(
            series=table,
            start=retired.partition.start,
            end=retired.partition.end,
            rows=retired.rows,
            bytes=retired.bytes,
            rollup_rows=retired.rollup_rows,
            checksum=f"{checksum % 2**64:016x}",
            archive_file=file and file.path,
            archive_rows=file and file.rows,
            archive_bytes=file and file.bytes,
            archive_sha256=file and file.sha256,
            duration_s=sa.text("extract(epoch from clock_timestamp() - now())"),
        ),
    )


def _at_once(
    database: Database, retire: Callable[[adbc.Connection], Retired], *, is_trial: bool
) -> Retired:
    """What came of it, in one transaction that is taken back if it is a trial."""
    try:
        with database.frames() as connection:
            retired = retire(connection)
            if is_trial:
                raise _Trial
    except _Trial:
        pass
    return retired


class _Trial(Exception):
    """Takes back what was only tried."""
