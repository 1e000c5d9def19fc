"""Marks of days: by each site's own calendar, for each table, off only if nothing came since."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.dirty_days import (
    READERS,
    SETTLED,
    due_dates,
    mark_days,
    mark_samples,
    mark_spans,
    read_dirty,
    take_off,
)
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.store.tables.energy import energy_daily, energy_intervals

TOKYO, HAWAII, NOWHERE = (digit * 32 for digit in "abc")
JUNE = date(2026, 6, 1)
DAY = timedelta(days=1)
REACH = timedelta(minutes=10)


@pytest.fixture
def sites(database: Database) -> Database:
    """A site 9 hours ahead of UTC, one 10 hours behind, and one without a clock."""
    zones = {TOKYO: "Asia/Tokyo", HAWAII: "Pacific/Honolulu", NOWHERE: None}
    with database.rows() as rows:
        values = [{"id": site, "time_zone": zone} for site, zone in zones.items()]
        rows.execute(sa.insert(energy_sites).values(values))
    return database


def marks(database: Database, table: sa.Table = energy_intervals) -> list[tuple[str, date, int]]:
    with database.frames() as connection:
        found = read_dirty(connection, table, JUNE - 30 * DAY, JUNE + 30 * DAY)
    return found.sort("site_id", "date").rows()


def samples(*rows: tuple[str, str]) -> pl.DataFrame:
    times = [datetime.fromisoformat(time).replace(tzinfo=UTC) for _, time in rows]
    return pl.DataFrame({"site_id": [site for site, _ in rows], "timestamp": times})


def test_a_sample_marks_its_sites_own_day_and_one_near_midnight_both(sites: Database) -> None:
    with sites.frames() as connection:
        rows = [
            (TOKYO, "2026-06-01T14:49"),  # 23:49 of 1 June
            (HAWAII, "2026-06-01T09:55"),  # 23:55 of 31 May
            (NOWHERE, "2026-06-01T12:00"),
        ]
        mark_samples(connection, samples(*rows), REACH)
    assert marks(sites) == [(TOKYO, JUNE, 1), (HAWAII, JUNE - DAY, 1), (HAWAII, JUNE, 1)]
    assert marks(sites, energy_daily) == []


def test_samples_of_several_days_mark_each_of_them_and_none_between(sites: Database) -> None:
    with sites.frames() as connection:
        rows = [
            (TOKYO, "2026-06-01T03:00"),
            (TOKYO, "2026-06-01T18:00"),
            (TOKYO, "2026-06-09T03:00"),
        ]
        mark_samples(connection, samples(*rows), REACH)
    assert [day for _, day, _ in marks(sites)] == [JUNE, JUNE + DAY, JUNE + 8 * DAY]


def test_a_span_marks_all_days_that_it_touches_for_each_reader(sites: Database) -> None:
    start = datetime(2026, 6, 1, 14, tzinfo=UTC)
    spans = pl.DataFrame({"site_id": [TOKYO], "start": [start], "end": [start + 2 * DAY]})
    with sites.frames() as connection:
        mark_spans(connection, spans, READERS[1:3])
    for table in READERS[1:3]:
        assert [day for _, day, _ in marks(sites, table)] == [JUNE, JUNE + DAY, JUNE + 2 * DAY]
    assert marks(sites) == []


def test_a_mark_that_came_since_it_was_read_stays(sites: Database) -> None:
    days = pl.DataFrame({"site_id": [TOKYO, HAWAII], "date": [JUNE, JUNE]})
    with sites.frames() as connection:
        mark_days(connection, days)
        read = read_dirty(connection, energy_intervals, JUNE, JUNE + DAY)
        mark_days(connection, days.head(1))
        take_off(connection, energy_intervals, read)
    assert marks(sites) == [(TOKYO, JUNE, 2)]
    assert len(marks(sites, energy_daily)) == 2


def test_dates_are_due_a_while_after_the_day_is_over_somewhere(sites: Database) -> None:
    both = pl.DataFrame({"site_id": [TOKYO, HAWAII, NOWHERE], "date": [JUNE, JUNE, JUNE - 9 * DAY]})
    over = datetime(2026, 6, 1, 15, tzinfo=UTC)
    later = pl.DataFrame({"site_id": [HAWAII], "date": [JUNE + DAY]})
    with sites.frames() as connection:
        mark_days(connection, pl.concat([both, later]), [energy_daily])
    found = {}
    with sites.rows() as connection:
        for hours in (0, 0.25, 19, 43.25):
            found[hours] = due_dates(connection, over + timedelta(hours=hours))
    assert timedelta(minutes=15) == SETTLED
    assert found == {0: [], 0.25: [JUNE], 19: [JUNE], 43.25: [JUNE, JUNE + DAY]}
