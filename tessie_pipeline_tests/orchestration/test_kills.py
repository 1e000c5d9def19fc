"""A run that is killed at any moment and run again ends as if nothing had happened."""

import os
import subprocess
import sys
import time
from datetime import date

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.store.tables.energy import energy_history
from tessie_pipeline_tests.orchestration.conftest import KEY, Pipeline, Simulator

FIRST, LAST = date(2026, 10, 30), date(2026, 11, 2)
ANSWERS = 2 * 3 * 4
MOMENTS = [(1, 0.0), (ANSWERS // 2, 0.0), (ANSWERS, 0.1)]
"""When runs are killed: after so many answers, and so many seconds."""

TABLES = {
    "energy_history": "select site_id, kind, date, answer::text from energy_history",
    "energy_intervals": "select * from energy_intervals",
    "energy_hourly": "select * from energy_hourly",
    "energy_daily": "select * from energy_daily",
    "battery_ledger": "select * from battery_ledger",
    "solar_attribution_daily": "select * from solar_attribution_daily",
    "dirty_days": "select reader, site_id, date from dirty_days "  # noqa: S608
    f"where date between '{FIRST}' and '{LAST}'",
}


def stored(pipeline: Pipeline) -> dict[str, pl.DataFrame]:
    """All that a run writes, without when and under which id it did."""
    return {
        name: pipeline.read(query).drop("id", "created_at", strict=False).sort(pl.all())
        for name, query in TABLES.items()
    }


def start(pipeline: Pipeline, simulator: Simulator) -> "subprocess.Popen[bytes]":
    module = "tessie_pipeline_tests.orchestration.energy_days_process"
    return subprocess.Popen(
        [sys.executable, "-m", module, FIRST.isoformat(), LAST.isoformat()],
        env=os.environ
        | {
            "DATABASE_URL": pipeline.database.url(),
            "ENCRYPTION_KEY": KEY,
            "TESLA_CLIENT_ID": "tests",
            "TESSIE_FLEET_API_URL": simulator.url,
            "TESSIE_TOKEN_URL": f"{simulator.url}/oauth2/v3/token",
            "TESSIE_REQUESTS_PER_MINUTE": "0",
            "TESSIE_REQUESTS_PER_SECOND": "0",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def answers_in(pipeline: Pipeline) -> int:
    with pipeline.database.rows() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(energy_history)) or 0


def kill_when(
    pipeline: Pipeline, process: "subprocess.Popen[bytes]", answers: int, later_s: float
) -> None:
    """Kill once so many answers are stored and `later_s` has passed."""
    deadline = time.monotonic() + 60
    while answers_in(pipeline) < answers:
        assert time.monotonic() < deadline, "the run stores nothing"
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.03)
    time.sleep(later_s)
    process.kill()
    process.communicate()


def test_a_killed_run_that_is_repeated_ends_as_an_undisturbed_one(
    known: Pipeline, simulator: Simulator
) -> None:
    known.run("energy_days", FIRST, LAST)
    undisturbed = stored(known)
    with known.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute(f"truncate {', '.join(TABLES)}")

    for answers, later_s in MOMENTS:
        kill_when(known, start(known, simulator), answers, later_s)
    last = start(known, simulator)
    _, complaints = last.communicate(timeout=120)

    assert last.returncode == 0, complaints.decode()
    for name, frame in stored(known).items():
        assert frame.equals(undisturbed[name]), name
