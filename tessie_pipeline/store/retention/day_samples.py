"""The samples of a day (UTC) wherever they are: in Postgres, and of dropped days in the archive.

Not here: what is made of them (`retiring`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.days import day_start
from tessie_pipeline.domain.rollups import Series
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.tables.columns import metadata

DAY = timedelta(days=1)
REACH = 2
"""Local days that a day of UTC touches lie within so many days around it."""


def midnight(day: date) -> datetime:
    """The first instant of a day (UTC)."""
    return day_start(day, UTC)


@dataclass(frozen=True)
class DaySamples:
    """Samples of a series around a day.

    Attributes:
        connection: the transaction.
        series: the time series.
        day: the day (UTC).
        archive: where samples of dropped days may be; None where none is kept.
        dropped: the days that were dropped, and whether each is archived in full.
    """

    connection: adbc.Connection
    series: Series
    day: date
    archive: Archive | None
    dropped: Mapping[date, bool]

    @property
    def is_late(self) -> bool:
        """Whether the day was dropped before, so that what Postgres has of it came late."""
        return self.day in self.dropped

    @property
    def is_made_anew(self) -> bool:
        """Whether it is, and all samples that its hours and days were made of are archived."""
        near = self._days_around()
        is_known = self.archive is not None and all(self.dropped.get(day, True) for day in near)
        return self.is_late and is_known

    @property
    def columns(self) -> list[str]:
        """The columns that hours are made of."""
        measured = dict.fromkeys(measure.column for measure in self.series.measures)
        return [self.series.subject, "timestamp", *measured]

    def subjects(self) -> list[str]:
        """Whose samples the day has, in Postgres or in the archive, in order."""
        subject = self._table.c[self.series.subject]
        stored = read_frame(self.connection, sa.select(subject).where(*self._of_day()).distinct())
        found = [stored, *self._archived([self.day], [subject.name])]
        return pl.concat(found)[subject.name].unique().sort().to_list()

    def stored(self, subjects: Sequence[str]) -> pl.DataFrame:
        """All columns of the subjects' samples of the day in Postgres, by subject and time.

        Args:
            subjects: some that follow each other in the order of `subjects`.
        """
        columns = (
            sa.cast(column, sa.Text).label(column.name)
            if isinstance(column.type, pg.JSONB)
            else column
            for column in self._table.c
        )
        query = sa.select(*columns).where(*self._of_day(), self._are_of(subjects))
        return read_frame(self.connection, query).sort(self._key)

    def with_archived(self, stored: pl.DataFrame, subjects: Sequence[str]) -> pl.DataFrame:
        """The stored samples, and those that were archived when the day was dropped."""
        archived = self._archived([self.day], stored.columns, subjects)
        if not archived:
            return stored
        new = stored.join(archived[0], on=self._key, how="anti")
        return pl.concat([*archived, new]).sort(self._key)

    def with_all_around(self, stored: pl.DataFrame) -> pl.DataFrame:
        """The stored samples with all that their subjects had on dropped days around this one."""
        subjects = stored[self.series.subject].unique().to_list()
        whole = self.with_archived(stored.select(self.columns), subjects)
        others = [day for day in self._days_around() if day != self.day]
        return pl.concat([whole, *self._archived(others, self.columns, subjects)])

    def beside(self, subjects: Sequence[str]) -> pl.DataFrame:
        """The samples before and after, as far as lines lead from or to those that are dropped.

        Not those of days that were dropped: with them went the lines.
        """
        first, *_, last = self._days_around() if self.is_made_anew else [self.day, self.day]
        gap = self.series.longest_gap
        spans = (
            (midnight(first) - gap, midnight(self.day)),
            (midnight(self.day + DAY), midnight(last + DAY) + gap),
        )
        near = pl.concat(self._between(*span, subjects) for span in spans)
        return near.filter(~pl.col("timestamp").dt.date().is_in(list(self.dropped)))

    def _days_around(self) -> list[date]:
        return [self.day + offset * DAY for offset in range(-REACH, REACH + 1)]

    def _archived(
        self, days: Sequence[date], columns: Sequence[str], subjects: Sequence[str] | None = None
    ) -> list[pl.DataFrame]:
        """The archived samples of those of the days that were dropped, day by day."""
        return [
            self.archive.read_day(self.series.name, day, columns, subjects)
            for day in days
            if self.archive is not None and self.dropped.get(day)
        ]

    def _between(self, start: datetime, end: datetime, subjects: Sequence[str]) -> pl.DataFrame:
        c = self._table.c
        query = sa.select(*(c[name] for name in self.columns)).where(
            c.timestamp >= start, c.timestamp < end, self._are_of(subjects)
        )
        return read_frame(self.connection, query)

    @property
    def _table(self) -> sa.Table:
        return metadata.tables[self.series.name]

    def _of_day(self) -> tuple[sa.ColumnElement[bool], ...]:
        time_of = self._table.c.timestamp
        return time_of >= midnight(self.day), time_of < midnight(self.day + DAY)

    def _are_of(self, subjects: Sequence[str]) -> sa.ColumnElement[bool]:
        """Whether rows are of the subjects, or of others between the first and the last of them."""
        first, last = (UUID(subject) for subject in (min(subjects), max(subjects)))
        return self._table.c[self.series.subject].between(first, last)

    @property
    def _key(self) -> list[str]:
        return [self.series.subject, "timestamp"]
