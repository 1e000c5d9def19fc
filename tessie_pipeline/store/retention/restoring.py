"""Archived samples back in Postgres for a while, so that something can be derived from them anew.

They are dropped again like samples that came late, by whoever restored them or by the next run of
retention; until then views do not show them twice. Not here: dropping (`retiring`).
"""

from collections.abc import Iterator
from datetime import date

from tessie_pipeline.domain.rollups import Series
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.retention.log import dropped_partitions, note_restored
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.writes import write_new


def restore(
    database: Database, series: Series, archive: Archive, start: date | None, end: date | None
) -> Iterator[date]:
    """Bring the dropped days in start <= day < end back, one after the other; gives each.

    Args:
        database: where they were.
        series: the time series.
        archive: where they are.
        start: the first day (UTC); from the first one that was dropped if None.
        end: the day after the last one; up to the last one if None.

    Raises:
        ArchiveError: a file cannot be read.
    """
    with database.frames() as connection:
        dropped = dropped_partitions(connection, series.name)
    for day in sorted(day for day, is_archived in dropped.items() if is_archived):
        if (start is None or start <= day) and (end is None or day < end):
            samples = archive.read_day(series.name, day)
            with database.frames() as connection:
                write_new(connection, metadata.tables[series.name], samples)
                note_restored(connection, series, day)
            yield day
