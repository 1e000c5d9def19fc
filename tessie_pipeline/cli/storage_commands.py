"""The commands about what is kept, and where: retention, and what it does.

What they do is in the modules beside this one.
"""

from typing import Annotated

import typer
from rich.console import Console

from tessie_pipeline.cli import retention
from tessie_pipeline.cli.environment import environment

retention_app = typer.Typer(
    no_args_is_help=True, help="Keep old samples by the hour, then by the day."
)
console = Console()


@retention_app.command("plan")
def run_plan() -> None:
    """Show how long samples are kept, and what is old enough to be dropped."""
    with environment() as env:
        retention.plan(console, env)


@retention_app.command("run")
def run_retention(
    is_for_real: Annotated[
        bool, typer.Option("--drop", help="Archive and drop it; else all is only tried.")
    ] = False,
) -> None:
    """Make hours and days of what is old enough, and drop it."""
    with environment() as env:
        retention.run(console, env, is_for_real=is_for_real)
