"""Processes that derive what vehicles did, at once with others, or to be killed while they do.

It is run as a program, since only a process without threads may fork: the first one never touches
a frame. Usage: python -m tessie_pipeline_tests.orchestration.vehicle_history_process COMMAND URL …
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.orchestration import charging, costs, derivation, drives
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.states import add_states

ZONE = "America/Los_Angeles"

STEPS = {
    "after reading samples": (charging, "detect"),
    "before plug-ins are committed": (charging, "_differing"),
    "after plug-ins were committed": (charging, "label_sessions"),
    "before costs are committed": (costs, "keep_basis"),
    "before drives are committed": (drives, "replace_drives"),
    "after drives were committed": (drives, "label_drives"),
}
"""The function at whose call a process dies, by where that is."""

FORGET = (
    "truncate charging_sessions, charging_segments, charging_pieces, charging_costs, "
    "charging_attribution, drives, unseen_distances, sample_changes, derived_from",
    "update vehicles set usable_capacity_kwh = null",
    "insert into sample_changes (reader, vehicle_id, changed_from, changed_to) "
    "select reader, vehicle_id, min(timestamp), max(timestamp) from vehicle_states, "
    "(values ('charging_sessions'), ('drives')) as readers (reader) group by 1, 2",
)
"""Statements after which nothing is derived, and all samples are new."""

DERIVED = ("charging_sessions", "charging_segments", "charging_pieces", "charging_costs",
           "charging_attribution", "drives", "unseen_distances", "sample_changes")  # fmt: skip


def derive(database_url: str) -> None:
    """Derive all that is not up to date, as the job does, in a transaction per vehicle."""
    derivation.VEHICLE_DAYS_AT_ONCE = 1
    database = Database(database_url)
    charging.derive_sessions(database)
    charging.label_sessions(database)
    with database.frames() as connection:
        costs.derive_costs(connection)
    drives.derive_drives(database, ZONE)
    drives.label_drives(database, ZONE)


def digest(database: Database) -> str:
    """Of all that is derived, without when it was written."""
    rows = (
        f"select md5(string_agg(row, '' order by row)) from "  # noqa: S608
        f"(select (to_jsonb({name}) - 'created_at')::text as row from {name}) as rows"
        for name in DERIVED
    )
    with database.rows() as connection:
        return " ".join(str(connection.scalar(sa.text(query))) for query in rows)


def forget(database: Database) -> None:
    """As if nothing had been derived."""
    with database.rows() as connection:
        for statement in FORGET:
            connection.execute(sa.text(statement))


def forked(work: Callable[[], None]) -> int:
    """The process id of a child that does the work; it ends with 0 if nothing was raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def end_of(work: Callable[[], None]) -> int:
    """The status with which a process ends that does the work: 0, or the signal that killed it."""
    return os.waitpid(forked(work), 0)[1]


def derive_undisturbed(database: Database) -> str:
    """The digest after a process that nobody kills has derived."""
    if end_of(lambda: derive(database.url())):
        sys.exit("a process failed")
    return digest(database)


def kill_at_random(database: Database, kills: int) -> None:
    """Derive, be killed, derive on; what comes out must be what an undisturbed process derives."""
    chance = random.Random(kills)  # noqa: S311 - no secret depends on it
    begin = time.monotonic()
    undisturbed = derive_undisturbed(database)
    longest_s = time.monotonic() - begin
    forget(database)
    for number in range(kills):
        child = forked(lambda: derive(database.url()))
        time.sleep(chance.uniform(0, longest_s))
        os.kill(child, signal.SIGKILL)
        is_done = os.waitpid(child, 0)[1] == 0
        if is_done:
            if derive_undisturbed(database) != undisturbed:
                sys.exit(f"it ends otherwise after {number + 1} kills")
            forget(database)
    if derive_undisturbed(database) != undisturbed:
        sys.exit("it ends otherwise")


def kill_at_steps(database: Database) -> None:
    """Derive, and be killed at a step of it; then derive undisturbed. Each step in turn."""
    undisturbed = derive_undisturbed(database)

    def derive_until(step: str) -> None:
        module, name = STEPS[step]
        setattr(module, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        derive(database.url())

    for step in STEPS:
        forget(database)
        if end_of(partial(derive_until, step)) != signal.SIGKILL:
            sys.exit(f"not killed {step}")
        if derive_undisturbed(database) != undisturbed:
            sys.exit(f"it ends otherwise when killed {step}")


def derive_together(database_url: str, samples: Path, pieces: int) -> None:
    """Two processes derive again and again while a third adds samples, and once more at the end."""

    def add() -> None:
        database, frame = Database(database_url), pl.read_parquet(samples)
        size = -(-frame.height // pieces)
        for piece in frame.iter_slices(size):
            with database.frames() as connection:
                add_states(connection, tables.vehicle_states, piece)

    def derive_often() -> None:
        for _ in range(pieces):
            derive(database_url)

    children = [forked(work) for work in (add, derive_often, derive_often)]
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    if failed or end_of(lambda: derive(database_url)):
        sys.exit("a process failed")


if __name__ == "__main__":
    command, url, *rest = sys.argv[1:]
    if command == "together":
        derive_together(url, Path(rest[0]), int(rest[1]))
    elif command == "random":
        kill_at_random(Database(url), int(rest[0]))
    else:
        kill_at_steps(Database(url))
