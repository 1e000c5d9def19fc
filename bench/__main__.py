"""`python -m bench [--only NAME]`: measure, print a table, and write `bench/results.json`.

A benchmark is a function from a scratch server to a contest; a new one is a line in `BENCHMARKS`.
What is computed and not timed is a line in `FIGURES`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import (
    backfill,
    dagster_rows,
    daily,
    month,
    queries,
    retention,
    sessions,
    storage,
    writes,
)
from bench.measure import Contest, Figure, compare
from bench.scratch import Scratch, scratch

BENCHMARKS: dict[str, Callable[[Scratch], Contest]] = {
    "write_new": writes.write_new,
    "write_again": writes.write_again,
    "write_new_vs_rows": writes.write_new_vs_rows,
    "daily_1000x1": daily.daily_1000x1,
    "daily_1x365": daily.daily_1x365,
    "daily_scaling": daily.daily_scaling,
    "chain_1000x1": daily.chain_1000x1,
    "backfill_60_days": backfill.backfill_60_days,
    "sessions_year": sessions.sessions_year,
    "sessions_one_sample": sessions.sessions_one_sample,
}
FIGURES: dict[str, Callable[[Scratch, Callable[[], object]], list[Figure]]] = {
    "month": month.figures,
    "dagster_rows": dagster_rows.figures,
    "queries": queries.figures,
    "storage": storage.figures,
    "retention_day": retention.figures,
}
STEPS = {
    "month": month.DAYS,
    "dagster_rows": dagster_rows.DAYS,
    "queries": queries.STEPS,
    "storage": storage.STEPS,
    "retention_day": retention.STEPS,
}
RESULTS = Path(__file__).with_name("results.json")


def main(only: Annotated[str, typer.Option(help="Name of the one to run.")] = "") -> None:
    """Measure how fast this project is beside the way it is usually done."""
    names = [*BENCHMARKS, *FIGURES]
    if only and only not in names:
        raise typer.BadParameter(f"{only} is none of {', '.join(names)}")
    console = Console()
    figures = _measure([only] if only else names, console)
    console.print(_table(figures))
    RESULTS.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


def _measure(names: list[str], console: Console) -> list[Figure]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    measured: list[Figure] = []
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for name in names:
            with scratch() as server:
                task = progress.add_task(name, total=STEPS.get(name))
                done = partial(progress.advance, task)
                if name in FIGURES:
                    measured += FIGURES[name](server, done)
                    continue
                contest = BENCHMARKS[name](server)
                progress.update(task, total=contest.runs + 1)
                measured += compare(name, contest, done)
    return measured


def _table(figures: list[Figure]) -> Table:
    table = Table("name", caption="Medians; a ratio above 1 means that ours is better.")
    for heading in ("ours", "reference", "ratio", "runs"):
        table.add_column(heading, justify="right")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.ours:.3f} {figure.unit}",
            f"{figure.reference:.3f} {figure.unit}",
            f"{figure.ratio:.2f}",
            str(figure.runs),
        )
    return table


if __name__ == "__main__":
    typer.run(main)
