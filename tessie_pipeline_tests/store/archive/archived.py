"""Samples of sites, as frames and in Postgres, for tests of what reads both."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import polars as pl

from tessie_pipeline.store.archive.parquet import Archive, ArchivedFile
from tessie_pipeline.store.archive.rows import rows_schema
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import copy_in
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables import energy_states

DAY = date(2026, 1, 5)
MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
SITES = ["0" * 31 + digit for digit in "123"]
SCHEMA = rows_schema(energy_states)


def samples(
    day: date = DAY, hours: Iterable[int] = range(24), sites: Iterable[str] = SITES
) -> pl.DataFrame:
    """A sample per site and hour of a day, all different: solar power is 1000 x site + hour."""
    midnight = MIDNIGHT + (day - DAY)
    rows = [
        {
            "site_id": site,
            "timestamp": midnight + timedelta(hours=hour),
            "is_stale": hour == 7,
            "solar_power_w": 1000.0 * int(site) + hour,
            "grid_power_w": None if hour == 3 else -0.1 * hour,
            "grid_status": "Active",
            "raw_data": f'{{"response": {{"solar_power": {hour}, "name": "Jürgen\'s 🚗"}}}}',
            "created_at": midnight + timedelta(hours=hour, seconds=1),
        }
        for site in sites
        for hour in hours
    ]
    return pl.DataFrame(rows, SCHEMA)


def archive_of(url: str, *frames: pl.DataFrame) -> Archive:
    """An archive with these frames, each of one day."""
    archive = Archive(url)
    for frame in frames:
        archived(archive, frame)
    return archive


def archived(archive: Archive, frame: pl.DataFrame) -> ArchivedFile:
    """The file of the archive with the rows of a frame of one day."""
    with archive.writing("energy_states", frame["timestamp"].dt.date()[0]) as writer:
        writer.add(frame)
        return writer.publish()


def stored(database: Database, *frames: pl.DataFrame) -> None:
    """Put frames into Postgres."""
    with database.frames() as connection:
        for frame in frames:
            ensure_partitions(connection, energy_states, frame["timestamp"].to_list())
            copy_in(connection, energy_states, frame)
