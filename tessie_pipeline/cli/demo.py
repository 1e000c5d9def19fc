"""`tessie demo`: the main job on a simulated household, and a summary to read.

A database starts, the last day is polled live, 60 days of energy are backfilled as one Dagster run,
charges and drives are derived and priced, energy is attributed to the home and its cars, a real
home's exports are imported, and what came of it is shown.
"""

import time
from datetime import UTC, datetime, timedelta

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tessie_pipeline.cli import app_exports, summary
from tessie_pipeline.cli.environment import PROJECT, CliError, Environment, environment, prepare
from tessie_pipeline.cli.household import simulated
from tessie_pipeline.cli.runner_lock import runner_lock
from tessie_pipeline.definitions import build_defs
from tessie_pipeline.domain.days import stretches
from tessie_pipeline.orchestration.jobs import (
    CHANGED_DAYS,
    CHARGING_RECORDS,
    ENERGY_DAYS,
    LIVE_POLL,
    VEHICLE_HISTORY,
)
from tessie_pipeline.orchestration.local_dagster import (
    LocalDagster,
    RunFailedError,
    local_dagster,
)
from tessie_pipeline.orchestration.resources import connect_fleet_api
from tessie_pipeline.orchestration.sampling import sample_sites, sample_vehicles
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.energy.dirty_days import due_dates
from tessie_pipeline.store.tables.energy import energy_history

LIVED = timedelta(days=1)
POLL_EVERY = timedelta(minutes=10)
EXPORTS = PROJECT / "docs" / "examples" / "app_export"
KINDS_PER_DAY = 3


def run(console: Console, days: int) -> None:
    """Run the demo.

    Raises:
        CliError: credentials of Tesla are set, which a demo must not use, or a run failed.
    """
    started = time.monotonic()
    with _progress(console) as progress:
        step = progress.add_task("Starting Postgres", total=None)
        with environment() as env:
            if not env.is_simulated:
                raise CliError(
                    "TESLA_CLIENT_ID is set: the demo is for a home without credentials. "
                    "Use `tessie up`, or another TESSIE_HOME for the demo"
                )
            progress.update(step, description="Migrating")
            prepare(env)
            progress.update(step, description="Starting the simulator")
            with (
                runner_lock(env.settings.home) as lock,
                simulated() as simulator_url,
                local_dagster(env.variables(simulator_url)) as dagster,
            ):
                progress.remove_task(step)
                if lock:
                    dagster.fail_interrupted_runs()
                try:
                    _poll(progress, dagster, env, simulator_url)
                    _backfill(progress, dagster, env, days)
                    _derive(progress, dagster)
                    _follow(progress, dagster, env)
                except RunFailedError as error:
                    raise CliError(str(error)) from None
            step = progress.add_task("Importing a year of app exports", total=None)
            app_exports.load(
                Console(quiet=True), env, sorted(EXPORTS.glob("*.csv")), None, overwrite=False
            )
            progress.update(step, completed=1, total=1)
            progress.stop()
            summary.show(console, env)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s.", style="green")
    summary.show_next_steps(console)


def _poll(progress: Progress, dagster: LocalDagster, env: Environment, simulator_url: str) -> None:
    """Sample the last day live: the simulator's clock goes through it in steps.

    The first and the last poll are runs of Dagster, those between only do what such runs do.
    """
    moment = now = datetime.now(UTC)
    settings = Settings.load()
    definitions = build_defs(settings, clock=lambda: moment)
    polls = LIVED // POLL_EVERY
    step = progress.add_task("Polling the last day live", total=polls + 1)
    with (
        httpx.Client(base_url=simulator_url) as simulator,
        connect_fleet_api(settings, env.database, lambda: moment) as fleet_api,
    ):
        for poll in range(polls + 1):
            moment = now - (polls - poll) * POLL_EVERY
            to = {"now": moment.isoformat()}
            simulator.post("/simulator/clock", json=to).raise_for_status()
            if poll in (0, polls):
                dagster.run(definitions, LIVE_POLL)
            else:
                sample_vehicles(env.database, fleet_api, settings, moment)
                sample_sites(env.database, fleet_api, settings, moment)
            progress.advance(step)


def _backfill(progress: Progress, dagster: LocalDagster, env: Environment, days: int) -> None:
    """Fetch and compute the last `days` days, and today so far, as one Dagster run."""
    today = datetime.now(UTC).date()
    first = today - timedelta(days=days)
    total = (days + 1) * KINDS_PER_DAY
    step = progress.add_task(f"Backfilling {days} days as one Dagster run", total=total)
    c = energy_history.c
    answers = sa.select(sa.func.count()).where(c.date >= first)

    def count() -> None:
        with env.database.rows() as connection:
            progress.update(step, completed=connection.scalar(answers))

    dagster.run(build_defs(Settings.load()), ENERGY_DAYS, (first, today), meanwhile=count)
    progress.update(step, completed=total)


def _derive(progress: Progress, dagster: LocalDagster) -> None:
    """Charges, what they cost, and drives, beside what Tesla has on record of them."""
    jobs = (CHARGING_RECORDS, VEHICLE_HISTORY)
    step = progress.add_task("Deriving charges, costs and drives", total=len(jobs))
    for job in jobs:
        dagster.run(build_defs(Settings.load()), job)
        progress.advance(step)


def _follow(progress: Progress, dagster: LocalDagster, env: Environment) -> None:
    """The days of which something is news: today from its samples, and those with charges."""
    with env.database.rows() as connection:
        dates = due_dates(connection, datetime.now(UTC) + timedelta(days=2))
    runs = stretches(dates)
    step = progress.add_task("Attributing energy to the home and its cars", total=len(runs) + 1)
    for days in runs:
        dagster.run(build_defs(Settings.load()), CHANGED_DAYS, days, tags=ONLY_CHANGED)
        progress.advance(step)
    dagster.run(build_defs(Settings.load()), VEHICLE_HISTORY)
    progress.advance(step)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<40}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
    )
