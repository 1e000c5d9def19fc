"""`tessie retention`: what is old enough to be dropped, and dropping it."""

from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.domain.retention import PolicyError
from tessie_pipeline.store import migrations
from tessie_pipeline.store.retention.plan import Step
from tessie_pipeline.store.retention.policies import policies_of

SHOWN = 40
"""The most partitions that are listed."""


def plan(console: Console, environment: Environment) -> None:
    """Print how long samples are kept, and which are old enough to be dropped.

    Raises:
        CliError: the settings contradict themselves.
    """
    migrations.upgrade(environment.database)
    steps = _plan(environment)
    console.print(_policies(environment))
    console.print(f"Archive: {environment.settings.archive}", soft_wrap=True, highlight=False)
    if not steps:
        console.print("Nothing is old enough to be dropped.")
        return
    console.print(_table(steps))
    freed = sum(step.bytes for step in steps if not step.waits_for)
    console.print(f"{decimal(freed)} would be freed: tessie retention run --drop")


def run(console: Console, environment: Environment, *, is_for_real: bool) -> None:
    """Drop what is old enough, or try it: compute and prove all, and take it back.

    Raises:
        CliError: the settings contradict themselves, or a partition could not be dropped.
    """
    from tessie_pipeline.orchestration.retention import carry_out, rebuilds

    database, settings = environment.database, environment.settings
    migrations.upgrade(database)
    outcomes = []
    for is_of_samples in (True, False):  # a month of hours can go once its samples have
        steps = [step for step in _plan(environment) if step.is_of_samples == is_of_samples]
        for outcome in carry_out(database, settings, steps, is_trial=not is_for_real):
            outcomes.append(outcome)
            name, retired = outcome.step.partition.name, outcome.retired
            if retired is None:
                console.print(f"{name}: {outcome.error}", style="red", markup=False)
                continue
            became = f"{retired.rollup_rows:,} {'hours' if is_of_samples else 'days'}"
            archived = f", {decimal(retired.file.bytes)} archived" if retired.file else ""
            console.print(
                f"{name}: {retired.rows:,} rows became {became}, {decimal(retired.bytes)} freed"
                f"{archived}{', came late' if retired.is_news else ''}",
                highlight=False,
            )
        for step in steps:
            if step.waits_for:
                console.print(f"{step.partition.name} waits: {step.waits_for[0]}", markup=False)
    if not is_for_real:
        console.print("This was a trial: nothing has changed. To drop: tessie retention run --drop")
    elif commands := rebuilds(outcomes):
        console.print("Some came late, and nothing that is derived knows of it until this is run:")
        for command in commands:
            console.print(command, soft_wrap=True, highlight=False)
    failed = sum(outcome.retired is None for outcome in outcomes)
    if failed:
        raise CliError(f"{failed} partitions were left as they were")


def _plan(environment: Environment) -> list[Step]:
    from tessie_pipeline.orchestration.retention import plan

    try:
        return plan(environment.database, environment.settings, datetime.now(UTC))
    except PolicyError as error:
        raise CliError(str(error)) from None


def _policies(environment: Environment) -> Table:
    table = Table(title="How long samples are kept", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("time series", "by the hour after", "by the day after", "archived"):
        table.add_column(column)
    for policy in policies_of(environment.settings):
        table.add_row(
            policy.series.name,
            str(policy.hourly_after or "never"),
            str(policy.daily_after or "never"),
            "yes" if policy.is_archived else "no",
        )
    return table


def _table(steps: list[Step]) -> Table:
    table = Table(title="Old enough", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("partition", "becomes", "size", "waits for"):
        table.add_column(column, justify="right" if column == "size" else "left")
    for step in steps[:SHOWN]:
        table.add_row(
            step.partition.name,
            "hours" if step.is_of_samples else "days",
            decimal(step.bytes),
            "; ".join(step.waits_for),
        )
    if len(steps) > SHOWN:
        table.caption = f"and {len(steps) - SHOWN} more"
    return table
