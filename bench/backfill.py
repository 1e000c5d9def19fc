"""Sixty days of one site through Dagster: fetched from the simulator, as intervals, as days.

Ours is one run over the range; the reference is sixty runs, one a day. All run in this process on
Dagster's own Postgres storage: sixty processes of their own, as a daemon starts them, would cost
the reference about two seconds more each.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa

from bench.measure import Contest, Side
from bench.scratch import Scratch
from tessie_pipeline.cli.environment import Environment, prepare
from tessie_pipeline.cli.household import Household, simulated
from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.jobs import ENERGY_DAYS, LIVE_POLL
from tessie_pipeline.orchestration.local_dagster import local_dagster
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.tables.energy import energy_daily

DAYS, FIRST = 60, date(2026, 3, 1)


def backfill_60_days(scratch: Scratch) -> Contest:
    """One run over the range beside sixty runs of a day."""
    simulator_url = scratch.stack.enter_context(simulated(household=Household()))
    settings = Settings.load(TESSIE_HOME=scratch.home, DATABASE_URL=scratch.database.url())
    environment = Environment(settings, scratch.database)
    prepare(environment)
    dagster = scratch.stack.enter_context(local_dagster(environment.variables(simulator_url)))
    definitions = build_defs(Settings.load())
    dagster.run(definitions, LIVE_POLL)

    def run(ranges: Sequence[tuple[date, date]]) -> int:
        for days in ranges:
            dagster.run(definitions, ENERGY_DAYS, days)
        with scratch.database.rows() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(energy_daily)) or 0

    dates = [FIRST + timedelta(days=day) for day in range(DAYS)]
    return Contest(
        Side(lambda: _empty(scratch), lambda: run([(dates[0], dates[-1])]), counts=DAYS),
        Side(lambda: _empty(scratch), lambda: run([(day, day) for day in dates]), counts=DAYS),
        runs=3,
    )


def _empty(scratch: Scratch) -> None:
    scratch.execute("truncate energy_history, energy_intervals, energy_daily", "checkpoint")
