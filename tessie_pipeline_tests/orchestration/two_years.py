"""Years of a household with retention every day, beside the same years with all samples kept.

Both databases are given the same samples day by day; what they say at the end is compared. Usage,
for two years at the ages that hold by default:
python -m tessie_pipeline_tests.orchestration.two_years
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.days import days_between
from tessie_pipeline.domain.flows import daily_totals, hourly_totals
from tessie_pipeline.domain.rollups import ALL_SERIES
from tessie_pipeline.orchestration.attribution import derive_attribution
from tessie_pipeline.orchestration.battery import derive_ledger
from tessie_pipeline.orchestration.charging import derive_sessions, label_sessions
from tessie_pipeline.orchestration.costs import derive_costs
from tessie_pipeline.orchestration.drives import derive_drives, label_drives
from tessie_pipeline.orchestration.intervals import derive_intervals
from tessie_pipeline.orchestration.retention import carry_out, plan
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import migrations
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline.store.energy.days import save_computed_days, save_hours
from tessie_pipeline.store.energy.dirty_days import READERS, SETTLED, read_dirty, take_off
from tessie_pipeline.store.energy.intervals import read_intervals
from tessie_pipeline.store.registries import read_zones
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.writes import write_new
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration.household_years import Household, Late, register
from tessie_pipeline_tests.orchestration.years_compared import (
    DERIVED,
    derived_unlike,
    read,
    rollups_unlike,
    views_unlike,
)

DAY = timedelta(days=1)


def _hours(connection: adbc.Connection, days: pl.DataFrame) -> None:
    save_hours(connection, hourly_totals(read_intervals(connection, days), days), days)


def _totals(connection: adbc.Connection, days: pl.DataFrame) -> None:
    save_computed_days(connection, daily_totals(read_intervals(connection, days), days), days)


CHAIN: tuple[Callable[[adbc.Connection, pl.DataFrame], object], ...] = (
    derive_intervals,
    _hours,
    _totals,
    derive_ledger,
    derive_attribution,
)
"""What computes the days of each of `READERS`."""

ZONE = "Europe/Berlin"
"""Of the cars, since the homes are in different ones."""


@dataclass(frozen=True)
class Course:
    """How the years go.

    Attributes:
        household: what there is to sample.
        hourly_after: age of samples that become hours, days.
        daily_after: the age of hours that become days, as settings say it.
        derived_every: so many days are derived at a time.
    """

    household: Household
    hourly_after: int
    daily_after: str
    derived_every: int


@dataclass
class Seen:
    """What was seen on the way: how often something was dropped, waited, or failed, and why."""

    dropped: Counter[str] = field(default_factory=Counter)
    waited: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


@dataclass
class Years:
    """The two databases, and what they are given.

    Attributes:
        course: how it goes.
        kept: where all samples stay.
        thinned: where old ones become hours, and these days.
        settings: say how long samples are kept, and where the archive is.
    """

    course: Course
    kept: Database
    thinned: Database
    settings: Settings

    def __post_init__(self) -> None:
        household = self.course.household
        arriving = {name: household.samples(series) for name, series in ALL_SERIES.items()}
        age = pl.col("arrives") - pl.col("timestamp").dt.date()
        is_too_late = age > timedelta(days=self.course.hourly_after)
        self.in_time = {name: rows.filter(~is_too_late) for name, rows in arriving.items()}
        self.too_late = {name: rows.filter(is_too_late) for name, rows in arriving.items()}

    def live(self) -> Seen:
        """Let all days go by, and compute at the end what is made of all samples.

        Samples of days that are dropped already change nothing that is derived: they come where
        samples are dropped as any do, and to the other database once all is derived.
        """
        household, seen = self.course.household, Seen()
        for database in (self.kept, self.thinned):
            register(database)
        for number in range(1, household.days + 1):
            day = household.first + (number - 1) * DAY
            for database in (self.kept, self.thinned):
                add(database, self.in_time, day)
            if number % self.course.derived_every == 0:
                derive(self.thinned, _night_after(day))
            add(self.thinned, self.too_late, day)
            self._thin(_night_after(day), seen)
        last = household.first + (household.days - 1) * DAY
        derive(self.thinned, _night_after(last))
        self._thin(_night_after(last), seen)  # what came late and waited for that
        derive(self.kept, _night_after(last))
        for rows in self.too_late.values():
            for day in rows["arrives"].unique().sort():
                add_unmarked(self.kept, self.too_late, day)
        return seen

    def unlike(self) -> list[str]:
        """What one says otherwise than the other."""
        both = (self.kept, self.thinned)
        return [*derived_unlike(*both), *views_unlike(*both), *rollups_unlike(*both, ZONE)]

    def _thin(self, now: datetime, seen: Seen) -> None:
        """Do what retention does every day."""
        steps = plan(self.thinned, self.settings, now)
        for step in steps:
            for reason in step.waits_for:
                seen.waited[reason.split(" of ")[0]] += 1
        for outcome in carry_out(self.thinned, self.settings, steps):
            if outcome.error is None:
                seen.dropped[outcome.step.table] += 1
            else:
                seen.errors.append(outcome.error)


def settings_of(course: Course, archive: Path) -> Settings:
    """The ages of a course for both time series, and an archive in a directory."""
    ages = {
        f"TESSIE_{of}_{name}_AFTER": age
        for of in ("VEHICLE", "ENERGY")
        for name, age in (("HOURLY", f"{course.hourly_after} days"), ("DAILY", course.daily_after))
    }
    return Settings.load(TESSIE_ARCHIVE=str(archive), TESSIE_TIME_ZONE=ZONE, **ages)


def add(database: Database, arriving: Mapping[str, pl.DataFrame], day: date) -> None:
    """Store what arrives on a day as polls do."""
    for name, samples in arriving.items():
        with database.frames() as connection:
            new = samples.filter(arrives=day).drop("arrives")
            add_states(connection, metadata.tables[name], new)


def add_unmarked(database: Database, arriving: Mapping[str, pl.DataFrame], day: date) -> None:
    """Store what arrives on a day, without telling who derives something of it."""
    for name, samples in arriving.items():
        with database.frames() as connection:
            write_new(
                connection, metadata.tables[name], samples.filter(arrives=day).drop("arrives")
            )


def derive(database: Database, now: datetime) -> None:
    """Derive all that is not up to date: charges, drives, days that are over, and costs."""
    derive_sessions(database)
    label_sessions(database)
    derive_drives(database, ZONE)
    label_drives(database, ZONE)
    while any([_compute(database, *one, now) for one in zip(READERS, CHAIN, strict=True)]):
        pass
    with database.frames() as connection:
        derive_costs(connection)


def _compute(
    database: Database,
    table: sa.Table,
    compute: Callable[[adbc.Connection, pl.DataFrame], object],
    now: datetime,
) -> bool:
    """Compute a table's marked days that are over; returns whether there were any."""
    with database.frames() as connection:
        marks = read_dirty(connection, table, date.min, date.max)
        first, last = pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
        spans = marks.group_by("site_id").agg(first, last)
        days = (
            days_between(spans.join(read_zones(connection), on="site_id"))
            .filter(pl.col("end") + SETTLED <= now)
            .join(marks, on=["site_id", "date"], how="semi")
        )
        if days.is_empty():
            return False
        compute(connection, days)
        take_off(connection, table, marks.join(days, on=["site_id", "date"], how="semi"))
        return True


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _night_after(day: date) -> datetime:
    """When a day (UTC) is over, and its samples are there."""
    return _midnight(day + DAY) + timedelta(minutes=30)


TWO_YEARS = Course(
    Household(
        date(2025, 1, 6),
        days=731,
        every=timedelta(minutes=5),
        weeks=26,
        plugged_in=(192, 35),
        lates=[
            Late(3, by=1, part=2, again=11),
            Late(6, by=21, part=3, again=37),
            Late(9, by=45, again=41),
            Late(20, by=60, part=4, again=53),
            Late(30, by=450, part=2, again=150),
            Late(14, by=None, again=29),
        ],
    ),
    hourly_after=30,
    daily_after="1 year",
    derived_every=2,
)


def main() -> None:
    """Let two years go by and print what differs; that nothing does is what is wanted."""
    started = perf_counter()
    with TemporaryDirectory(prefix="tessie-years-") as directory, ExitStack() as stack:
        home = Path(directory)
        home.chmod(0o711)  # the server may be another user
        server = EmbeddedPostgres(home, durable=False)
        url = sa.make_url(stack.enter_context(server.running()))
        kept, thinned = (
            stack.enter_context(contextmanager(new_database)(url, "")) for _ in range(2)
        )
        for database in (kept, thinned):
            migrations.upgrade(database)
        years = Years(TWO_YEARS, kept, thinned, settings_of(TWO_YEARS, home / "archive"))
        seen = years.live()
        found = years.unlike()
        for line in (*seen.errors, *found):
            print(line)
        print(f"dropped {dict(seen.dropped)}, waited {dict(seen.waited)}")
        for name in (*ALL_SERIES, *DERIVED):
            counts = [read(one, f"select count(*) from {name}").item() for one in (kept, thinned)]  # noqa: S608
            print(f"{name}: {counts[0]} rows where all was kept, {counts[1]} where not")
    print(f"{len(found)} differences after {perf_counter() - started:.0f} s")
    sys.exit(bool(found or seen.errors))


if __name__ == "__main__":
    main()
