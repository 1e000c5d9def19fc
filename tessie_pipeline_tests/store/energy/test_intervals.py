"""Stored intervals: read by their site's own days, and replaced by better ones only."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import CALENDAR_HISTORY
from tessie_pipeline.domain.live_intervals import LIVE_STATUS
from tessie_pipeline.domain.samples import ENERGY_INTERVALS
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.intervals import first_after, keep_better, read_intervals
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.tables.energy import energy_intervals

TOKYO, BERLIN = "0a" * 16, "0b" * 16
ZONES = pl.DataFrame({"site_id": [TOKYO, BERLIN], "time_zone": ["Asia/Tokyo", "Europe/Berlin"]})
JUNE = date(2026, 6, 1)
DAY, STEP = timedelta(days=1), timedelta(minutes=5)
NOON = datetime(2026, 6, 1, 3, tzinfo=UTC)
"""In Tokyo, where 1 June is from 15:00 to 15:00 UTC; in Berlin from 22:00 to 22:00."""


def rows(
    *times: datetime, site: str = TOKYO, source: str = LIVE_STATUS, **more: Any
) -> pl.DataFrame:
    """Intervals of 5 Wh of solar energy, covered whole unless they say otherwise."""
    common = {"site_id": site, "source": source, "coverage": 1.0, "solar_wh": 5.0} | more
    return pl.DataFrame([common | {"timestamp": time} for time in times], ENERGY_INTERVALS)


def days(count: int = 1) -> pl.DataFrame:
    return day_windows(ZONES, JUNE, JUNE + count * DAY)


def keep(database: Database, found: pl.DataFrame, windows: pl.DataFrame) -> list[tuple[Any, ...]]:
    with database.frames() as connection:
        return keep_better(connection, found, windows).rows()


def stored(database: Database) -> dict[datetime, tuple[str, float, str]]:
    """Source, solar energy and the write of each of Tokyo's intervals."""
    c = energy_intervals.c
    query = sa.select(c.timestamp, c.source, c.solar_wh, sa.literal_column("xmin::text").label("x"))
    with database.frames() as connection:
        found = read_frame(connection, query.where(c.site_id == UUID(TOKYO)))
    return {row[0]: row[1:] for row in found.iter_rows()}


def test_each_site_is_read_by_its_own_days(database: Database) -> None:
    ends = [
        datetime(2026, 5, 31, 14, 55, tzinfo=UTC), datetime(2026, 5, 31, 15, tzinfo=UTC),
        datetime(2026, 6, 1, 14, 55, tzinfo=UTC), datetime(2026, 6, 1, 15, tzinfo=UTC),
    ]  # fmt: skip
    both = pl.concat([rows(*ends), rows(*ends, site=BERLIN)])
    keep(database, both, days().with_columns(pl.col("start") - DAY, pl.col("end") + DAY))
    with database.frames() as connection:
        found = read_intervals(connection, days())
        nothing = read_intervals(connection, days().clear())
    assert found.schema == nothing.schema == ENERGY_INTERVALS
    times = found.sort("site_id", "timestamp").select("site_id", "timestamp").rows()
    assert times == [(TOKYO, ends[1]), (TOKYO, ends[2]), (BERLIN, ends[2]), (BERLIN, ends[3])]


def test_a_better_interval_replaces_and_a_worse_one_does_not(database: Database) -> None:
    keep(database, rows(NOON, NOON + STEP), days())
    keep(database, rows(NOON, source=CALENDAR_HISTORY, solar_wh=6.0), days())
    keep(database, rows(NOON, NOON + STEP, solar_wh=7.0), days())
    found = {time: row[:2] for time, row in stored(database).items()}
    assert found == {NOON: (CALENDAR_HISTORY, 6.0), NOON + STEP: (LIVE_STATUS, 7.0)}


def test_what_changed_is_told_by_day_with_its_first_and_last_interval(database: Database) -> None:
    times = [NOON, NOON + 2 * STEP, NOON + DAY]
    first = keep(database, rows(*times), days(2))
    assert first == [
        (TOKYO, JUNE, NOON, NOON + 2 * STEP),
        (TOKYO, JUNE + DAY, NOON + DAY, NOON + DAY),
    ]
    more = pl.concat([rows(*times), rows(NOON + STEP)])
    assert keep(database, more, days(2)) == [(TOKYO, JUNE, NOON + STEP, NOON + STEP)]


def test_a_day_that_is_the_same_again_is_not_written(database: Database) -> None:
    times = [NOON, NOON + DAY]
    keep(database, rows(*times), days(2))
    before = stored(database)
    assert keep(database, rows(*times), days(2)) == []
    assert stored(database) == before
    keep(database, rows(NOON, solar_wh=8.0), days(2))
    assert stored(database)[NOON + DAY] == before[NOON + DAY]


def test_what_has_no_source_any_more_stays(database: Database) -> None:
    keep(database, rows(NOON, NOON + STEP), days())
    assert keep(database, rows(NOON + STEP, solar_wh=9.0), days()) != []
    assert set(stored(database)) == {NOON, NOON + STEP}


def test_the_first_interval_after_a_time_is_found_across_a_gap(database: Database) -> None:
    keep(database, rows(NOON, NOON + 40 * DAY), days(60))
    ends = pl.DataFrame({"site_id": [TOKYO, BERLIN], "end": [NOON + STEP] * 2})
    with database.frames() as connection:
        assert first_after(connection, ends).rows() == [(TOKYO, NOON + 40 * DAY)]
        assert first_after(connection, ends.clear()).is_empty()
