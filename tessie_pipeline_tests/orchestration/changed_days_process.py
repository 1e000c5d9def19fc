"""Processes that compute marked days, and are killed while they do.

It is run as a program, since only a process without threads may fork: the first one never touches
a frame. Usage: python -m tessie_pipeline_tests.orchestration.changed_days_process URL KILLS
"""

import os
import random
import signal
import sys
import time
from functools import partial
from unittest.mock import patch

import dagster as dg
import sqlalchemy as sa

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration import attribution, battery, energy, intervals
from tessie_pipeline.orchestration.calendar import range_tags
from tessie_pipeline.orchestration.jobs import CHANGED_DAYS, logging_from
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.orchestration.conftest import settings
from tessie_pipeline_tests.orchestration.two_homes import AFTER, COMPUTED, DAY, FIRST, NOW
from tessie_pipeline_tests.orchestration.vehicle_history_process import end_of, forked

STEPS = {
    "before intervals are committed": (intervals, "mark_days"),
    "after intervals were committed": (battery, "read_energy"),
    "before the ledger is committed": (battery, "mark_days"),
    "before days after these are computed": (battery, "follow"),
    "before days are committed": (energy, "save_computed_days"),
    "after days were committed": (energy, "hourly_totals"),
    "before hours are committed": (energy, "save_hours"),
    "before attribution is committed": (attribution, "replace_days"),
}
"""The function at whose call a process dies, by where that is, in their order."""

FORGET = (
    f"truncate {', '.join(COMPUTED)}, dirty_days",
    "insert into dirty_days (reader, site_id, date) "  # noqa: S608
    "select 'energy_intervals', id, day::date from energy_sites, "
    f"generate_series(date '{FIRST}', date '{AFTER - DAY}', '1 day') as day",
)
"""Statements after which nothing is computed, and all days are marked."""

NOT_COMPARED = {"id", "created_at", "since"}


def compute(database_url: str) -> None:
    """Run the job for the marked days."""
    defs = build_defs(settings(), database=Database(database_url), clock=lambda: NOW)
    job = defs.resolve_job_def(CHANGED_DAYS)
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(
            instance=instance,
            run_config=logging_from("CRITICAL"),
            tags=range_tags(FIRST, AFTER - DAY) | ONLY_CHANGED,
        )


def digest(database: Database) -> str:
    """Of all that is computed, and of the marks, without when they were written."""
    dropped = ", ".join(f"'{name}'" for name in NOT_COMPARED)
    rows = (
        f"select md5(string_agg(row, '' order by row)) from "  # noqa: S608
        f"(select (to_jsonb({name}) - array[{dropped}])::text as row from {name}) as rows"
        for name in (*COMPUTED, "dirty_days")
    )
    with database.rows() as connection:
        return " ".join(str(connection.scalar(sa.text(query))) for query in rows)


def forget(database: Database) -> None:
    """As if nothing had been computed."""
    with database.rows() as connection:
        for statement in FORGET:
            connection.execute(sa.text(statement))


def compute_undisturbed(database: Database) -> str:
    """The digest after a process that nobody kills."""
    if end_of(lambda: compute(database.url())):
        sys.exit("a process failed")
    return digest(database)


def kill_at_steps(database: Database, undisturbed: str) -> None:
    """Compute, and be killed at each step in turn, which the one before left to do; go on then."""

    def compute_until(step: str) -> None:
        module, name = STEPS[step]
        setattr(module, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        compute(database.url())

    forget(database)
    for step in STEPS:
        if end_of(partial(compute_until, step)) != signal.SIGKILL:
            sys.exit(f"not killed {step}")
    if compute_undisturbed(database) != undisturbed:
        sys.exit("it ends otherwise when killed at steps")


def kill_at_random(database: Database, undisturbed: str, longest_s: float, kills: int) -> None:
    """Compute and be killed, again and again; then compute undisturbed."""
    chance = random.Random(kills)  # noqa: S311 - no secret depends on it
    forget(database)
    for _ in range(kills):
        child = forked(lambda: compute(database.url()))
        time.sleep(chance.uniform(0, longest_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if compute_undisturbed(database) != undisturbed:
        sys.exit("it ends otherwise")


def main(url: str, kills: int) -> None:
    """Kill at each step, and at random moments."""
    database = Database(url)
    with dg.DagsterInstance.ephemeral():
        pass  # what this imports, children need not
    # A process that draws its first picture takes longer for it than for all days.
    with patch.object(energy, "picture", return_value="not drawn"):
        forget(database)
        begin = time.monotonic()
        undisturbed = compute_undisturbed(database)
        longest_s = time.monotonic() - begin
        kill_at_steps(database, undisturbed)
        kill_at_random(database, undisturbed, longest_s, kills)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
