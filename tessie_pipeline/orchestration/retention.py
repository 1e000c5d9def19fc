"""The assets of what is kept of old samples: their hours, and the days of these.

A partition that is still needed waits, and says why; what fails is told, and the others go on. Not
here: how a partition goes (`store/retention/retiring.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import dagster as dg
import sqlalchemy as sa

from tessie_pipeline.domain.retention import Policy, check
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.orchestration.calendar import CALENDAR_DAYS, date_range
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.archive.parquet import Archive, ArchiveError
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import (
    BusyError,
    ensure_partitions,
    rows_in_default_partitions,
)
from tessie_pipeline.store.retention.plan import Step, old_hours, old_samples
from tessie_pipeline.store.retention.policies import policies_of, save_policies
from tessie_pipeline.store.retention.retiring import (
    ProofError,
    Retired,
    retire_hours,
    retire_samples,
)
from tessie_pipeline.store.retention.rollups import RollupError
from tessie_pipeline.store.tables.columns import metadata

DAY = timedelta(days=1)
DAYS_AHEAD = 2
"""No poll has to make its partition then; more of them would slow readers of the newest rows."""

PROVED = "rollups_are_proved"
WAITS = "nothing_waits"
NO_DEFAULT = dg.AssetCheckSpec(
    "no_row_is_astray",
    asset="time_series_partitions",
    description="No table has a default partition with rows: reads would have to look there.",
)


@dataclass(frozen=True)
class Outcome:
    """What came of a step: what was dropped, or why nothing was."""

    step: Step
    retired: Retired | None = None
    error: str | None = None


def rebuilds(outcomes: Sequence[Outcome]) -> list[str]:
    """What lets charges, drives and energy know the samples that came late, as commands.

    Days that were brought back to be derived from again are not among them.
    """
    days: dict[str, list[date]] = {}
    for outcome in outcomes:
        if outcome.retired is not None and outcome.retired.is_news:
            days.setdefault(outcome.step.table, []).append(outcome.step.partition.start)
    commands = []
    if late := days.get(VEHICLE_SERIES.name):
        commands += [f"tessie rebuild {what} --from {min(late)}" for what in ("sessions", "drives")]
    if late := days.get(ENERGY_SERIES.name):
        # Local days begin up to a day before that of UTC, and end up to a day after it.
        start, end = min(late) - DAY, max(late) + 2 * DAY
        commands.append(f"tessie rebuild energy --from {start} --to {end}")
    return commands


def plan(database: Database, settings: Settings, now: datetime) -> list[Step]:
    """All that is old enough, samples before hours.

    Raises:
        PolicyError: the settings contradict themselves.
    """
    policies = checked_policies(database, settings, now)
    with database.frames() as connection:
        return [
            step
            for old in (old_samples, old_hours)
            for policy in policies
            for step in old(connection, policy, now.date())
        ]


def checked_policies(database: Database, settings: Settings, now: datetime) -> list[Policy]:
    """The policies of the settings, which `retention_policies` says from now on.

    Raises:
        PolicyError: they contradict themselves.
    """
    policies = policies_of(settings)
    for policy in policies:
        check(policy, now.date())
    with database.rows() as connection:
        save_policies(connection, policies)
    return policies


def carry_out(
    database: Database, settings: Settings, steps: Sequence[Step], *, is_trial: bool = False
) -> Iterator[Outcome]:
    """Do one step after the other; what waits is left alone, what fails is told.

    Args:
        database: where the partitions are.
        settings: say where the archive is, and the time zone of what has none.
        steps: what is old enough.
        is_trial: whether all is computed and proved, and then taken back.
    """
    for step in steps:
        if step.waits_for:
            continue
        try:
            yield Outcome(step, _retired(database, settings, step, is_trial=is_trial))
        except (ProofError, RollupError, ArchiveError, BusyError) as error:
            yield Outcome(step, error=str(error))


def _retired(database: Database, settings: Settings, step: Step, *, is_trial: bool) -> Retired:
    series, zone = step.policy.series, settings.time_zone
    if not step.is_of_samples:
        return retire_hours(database, series, step.partition, zone, is_trial=is_trial)
    archive = Archive(settings.archive) if step.policy.is_archived else None
    return retire_samples(database, series, step.partition, archive, zone, is_trial=is_trial)


def _hours_of(series: Series, *settled: str) -> dg.AssetsDefinition:
    """The asset of a series' hours; samples go once what is `settled` with them has read them."""
    table = metadata.tables[series.hourly]

    @dg.asset(
        name=table.name,
        deps=[series.name, *settled],
        partitions_def=CALENDAR_DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="retention",
        kinds={"polars", "postgres", "parquet"},
        metadata=table_metadata(table),
        check_specs=_check_specs(table),
        description=f"{table.comment} A date is a day of UTC here, whose samples become hours, go "
        "to the archive and are dropped, unless it is too young or something needs them.",
    )
    def hours(
        context: dg.AssetExecutionContext,
        database: dg.ResourceParam[Database],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        start, end = date_range(context)
        steps = plan(database, Settings.load(), clock())
        own = [step for step in steps if step.table == series.name]
        return _carried_out(
            context, database, [step for step in own if start <= step.partition.start < end]
        )

    return hours


def _days_of(series: Series) -> dg.AssetsDefinition:
    """The asset of a series' days."""
    table = metadata.tables[series.daily]

    @dg.asset(
        name=table.name,
        deps=[series.hourly],
        group_name="retention",
        kinds={"polars", "postgres"},
        metadata=table_metadata(table),
        check_specs=_check_specs(table),
        description=f"{table.comment} The months of hours that are old enough are dropped.",
    )
    def days(
        context: dg.AssetExecutionContext,
        database: dg.ResourceParam[Database],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        steps = plan(database, Settings.load(), clock())
        own = [step for step in steps if step.table == series.hourly]
        return _carried_out(context, database, own)

    return days


def _check_specs(table: sa.Table) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            PROVED, asset=table.name, description="They say what they were made of says."
        ),
        dg.AssetCheckSpec(
            WAITS, asset=table.name, description="What is old enough is not needed any more."
        ),
    ]


def _carried_out(
    context: dg.AssetExecutionContext, database: Database, steps: Sequence[Step]
) -> dg.MaterializeResult:
    outcomes = list(carry_out(database, Settings.load(), steps))
    errors = {o.step.partition.name: o.error for o in outcomes if o.error is not None}
    retired = [o.retired for o in outcomes if o.retired is not None]
    waiting = {s.partition.name: "; ".join(s.waits_for) for s in steps if s.waits_for}
    for name, error in errors.items():
        context.log.error(f"{name}: {error}")
    files = [one.file for one in retired if one.file is not None]
    return dg.MaterializeResult(
        metadata={
            "partitions_dropped": len(retired),
            "rows_dropped": sum(one.rows for one in retired),
            "rows_written": sum(one.rollup_rows for one in retired),
            "bytes_freed": sum(one.bytes for one in retired),
            "bytes_archived": sum(file.bytes for file in files),
            "came_late": [str(one.partition.start) for one in retired if one.is_news],
            "to_be_rebuilt": rebuilds(outcomes),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=PROVED,
                passed=not errors,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata={"proved": len(retired), "failed": len(errors), **errors},
            ),
            dg.AssetCheckResult(
                check_name=WAITS,
                passed=not waiting,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"waiting": len(waiting), **waiting},
            ),
        ],
    )


vehicle_states_hourly = _hours_of(VEHICLE_SERIES, "charging_sessions", "drives")
energy_states_hourly = _hours_of(ENERGY_SERIES, "charging_sessions", "energy_intervals")
vehicle_states_daily = _days_of(VEHICLE_SERIES)
energy_states_daily = _days_of(ENERGY_SERIES)


@dg.asset(group_name="retention", kinds={"postgres"}, check_specs=[NO_DEFAULT])
def time_series_partitions(
    database: dg.ResourceParam[Database], clock: dg.ResourceParam[Clock]
) -> dg.MaterializeResult:
    """The partitions of all time series, some days ahead; writes into the past make their own."""
    ahead = [clock() + timedelta(days=day) for day in range(DAYS_AHEAD)]
    made = []
    for table in metadata.sorted_tables:
        with database.frames() as connection:
            made += ensure_partitions(connection, table, ahead)
    with database.rows() as connection:
        astray = rows_in_default_partitions(connection)
    return dg.MaterializeResult(
        metadata={"made": len(made)},
        check_results=[
            dg.AssetCheckResult(
                check_name=NO_DEFAULT.name, passed=not astray, metadata=dict(astray)
            )
        ],
    )
