"""Processes that drop old samples, and are killed while they do, or whose Postgres is.

It is run as a program, since only a process without threads may fork: the first one never touches
a frame. Usage: python -m tessie_pipeline_tests.orchestration.retention_process HOME KILLS CRASHES
"""

import hashlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.orchestration import retention
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import migrations
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.embedded.postgres import EmbeddedPostgres
from tessie_pipeline.store.retention import retiring
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline_tests.orchestration.vehicle_history_process import end_of, forked
from tessie_pipeline_tests.store.embedded.programs import kill_postmaster
from tessie_pipeline_tests.store.retention.old_samples import BOTH, add, register, samples_of

FIRST, DAYS = date(2026, 2, 20), 24
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
"""When all samples are old, and the hours of February, too."""

STEPS: dict[str, tuple[object, str]] = {
    "before hours are stored": (retiring, "_add_hours"),
    "before the partition is dropped": (retiring, "drop_partition"),
    "before days are stored": (retiring, "days_of_hours"),
    "after a partition was dropped": (retention, "Outcome"),
}
"""The function at whose call a process dies, by where that is."""

ROLLUPS = [name for one in BOTH for name in (one.hourly, one.daily)]
NOT_COMPARED = ("id", "created_at", "dropped_at", "duration_s", "bytes")


def settings(archive: Path) -> Settings:
    """Settings of the tests' own."""
    return Settings.load(
        TESSIE_ARCHIVE=str(archive),
        TESSIE_VEHICLE_DAILY_AFTER="2 months",
        TESSIE_ENERGY_DAILY_AFTER="2 months",
    )


def fill(url: str) -> None:
    """Store the samples of a few weeks, of things that the account no longer lists."""
    database = Database(url)
    written_at = pl.lit(NOW).cast(pl.Datetime("us", "UTC"))
    for series in BOTH:
        samples = samples_of(series, FIRST, DAYS).gather_every(6)
        add(database, series, samples.with_columns(created_at=written_at))


def retire(url: str, archive: Path) -> None:
    """Drop all that is old, samples and then hours, as the job does."""
    database = Database(url)
    for is_of_samples in (True, False):
        steps = retention.plan(database, settings(archive), NOW)
        own = [step for step in steps if step.is_of_samples == is_of_samples]
        for outcome in retention.carry_out(database, settings(archive), own):
            if outcome.error is not None:
                sys.exit(outcome.error)


def digest(database: Database, archive: Path) -> str:
    """Of all that is kept, in Postgres and in the archive, without when it was written."""
    dropped = ", ".join(f"'{name}'" for name in NOT_COMPARED)
    rows = [
        f"select md5(string_agg(row, '' order by row)) from "  # noqa: S608
        f"(select (to_jsonb({name}) - array[{dropped}])::text as row from {name}) as rows"
        for name in (*ROLLUPS, *(one.name for one in BOTH), "retention_log")
    ]
    with database.rows() as connection:
        found = [str(connection.scalar(sa.text(query))) for query in rows]
    files = sorted(path for path in archive.rglob("*") if path.is_file())
    return " ".join(
        [
            *found,
            *(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files),
        ]
    )


def are_left(database: Database) -> bool:
    """Whether there are samples that were not dropped."""
    leaves = "select count(*) from pg_partition_tree('{}') where isleaf and level = 1"
    with database.rows() as connection:
        return any(connection.scalar(sa.text(leaves.format(one.name))) for one in BOTH)


class Trial:
    """A database of old samples that are dropped again and again, each time from the beginning."""

    def __init__(self, database: Database, archive: Path) -> None:
        self.database, self.archive = database, archive
        with database.rows() as connection:
            connection.execute(sa.text("update energy_sites set removed_at = now()"))
            connection.execute(sa.text("update vehicles set removed_at = now()"))
        self.begin_anew()
        self.undisturbed = self.finished()

    def begin_anew(self) -> None:
        """As if nothing had been dropped."""
        leaves = "select relid::regclass::text from pg_partition_tree('{}') where level = 1"
        with self.database.rows() as connection:
            for name in (*(one.name for one in BOTH), *ROLLUPS):
                for leaf in connection.scalars(sa.text(leaves.format(name))).all():
                    connection.execute(sa.text(f"drop table {leaf}"))
            for name in (*ROLLUPS, "retention_log"):
                connection.execute(sa.delete(metadata.tables[name]))
        shutil.rmtree(self.archive, ignore_errors=True)
        if end_of(lambda: fill(self.database.url())):
            sys.exit("samples could not be stored")

    def retire(self) -> None:
        """Drop what is left."""
        retire(self.database.url(), self.archive)

    def retire_silently(self) -> None:
        """As `retire`, without a word of what Postgres did meanwhile."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        self.retire()

    def finished(self) -> str:
        """The digest after a process that nobody kills."""
        if end_of(self.retire):
            sys.exit("a process failed")
        return digest(self.database, self.archive)

    def check(self, when: str) -> None:
        """See that it ends as if nothing had happened."""
        if self.finished() != self.undisturbed:
            sys.exit(f"it ends otherwise {when}")

    def kill_at_steps(self) -> None:
        """Be killed at each step in turn, which the one before left to do; then go on."""

        def retire_until(step: str) -> None:
            module, name = STEPS[step]
            setattr(module, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
            self.retire()

        self.begin_anew()
        for step in STEPS:
            if end_of(partial(retire_until, step)) != signal.SIGKILL:
                sys.exit(f"not killed {step}")
        self.check("when killed at steps")

    def disturb(self, times: int, longest_s: float, strike: Callable[[int], None]) -> None:
        """Let something strike while samples are dropped, again and again."""
        chance = random.Random(times)  # noqa: S311 - no secret depends on it
        self.begin_anew()
        for number in range(times):
            if not are_left(self.database):
                self.check(f"after {number} strikes")
                self.begin_anew()
            child = forked(self.retire_silently)
            time.sleep(chance.uniform(0, longest_s))
            strike(child)
            os.waitpid(child, 0)
        self.check(f"after {times} strikes")


def main(home: Path, kills: int, crashes: int) -> None:
    """Kill at each step, at random moments, and Postgres at random moments."""
    server = EmbeddedPostgres(home)
    archive = home / "archive"

    def kill(child: int) -> None:
        os.kill(child, signal.SIGKILL)

    def crash(_: int) -> None:
        kill_postmaster(home)
        server.start_and_keep()

    server.start_and_keep()
    database = Database(server.url)
    migrations.upgrade(database)
    register(database)
    try:
        trial = Trial(database, archive)
        trial.kill_at_steps()
        trial.disturb(kills, 0.4, kill)
        trial.disturb(crashes, 0.8, crash)
    finally:
        database.dispose()
        server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
