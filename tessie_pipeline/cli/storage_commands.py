"""The commands about what is kept: retention, backups, and what SQL sees of it; see `commands`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tessie_pipeline.cli import retention
from tessie_pipeline.cli.environment import environment
from tessie_pipeline.store import migrations

storage_app = typer.Typer()
retention_app = typer.Typer(
    no_args_is_help=True, help="Keep old samples by the hour, then by the day."
)
storage_app.add_typer(retention_app, name="retention")

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


@storage_app.command("backup")
def run_backup(
    is_unverified: Annotated[
        bool, typer.Option("--no-verify", help="Do not restore it to see that it is good.")
    ] = False,
    is_listed: Annotated[bool, typer.Option("--list", help="Only list what there is.")] = False,
) -> None:
    """Back the database up, see that it can be restored, and delete outdated backups."""
    from tessie_pipeline.cli import backup

    if is_listed:
        backup.show(console)
    else:
        backup.run(console, verifies=not is_unverified)


@storage_app.command("restore")
def run_restore(
    name: Annotated[str, typer.Argument(help="A backup that is listed, or its directory.")],
    replaces: Annotated[
        bool, typer.Option("--replace", help="Lose the data that the database has.")
    ] = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask before --replace.")] = False,
) -> None:
    """Put a backup in the place of an empty database, or of one that is to be replaced."""
    from tessie_pipeline.cli import backup

    backup.restore(console, name, replaces=replaces, is_sure=is_sure)


@storage_app.command("sql")
def run_sql(
    query: Annotated[
        str | None, typer.Argument(help="What to ask; a prompt or standard input if not given.")
    ] = None,
    is_csv: Annotated[bool, typer.Option("--csv", help="Print all rows as CSV.")] = False,
) -> None:
    """Ask the archive and the database by SQL, side by side in a DuckDB that only reads."""
    from tessie_pipeline.cli import analysis

    with environment() as env:
        migrations.upgrade(env.database)
        if query is None:
            analysis.ask(console, env, is_csv=is_csv)
        else:
            analysis.answer(console, env, query, is_csv=is_csv)


@storage_app.command("export")
def run_export(
    start: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day (UTC).")
    ],
    end: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The first day left out (UTC).")
    ],
    out: Annotated[
        Path,
        typer.Option(help="A new directory of Parquet files, or a new file ending in .duckdb."),
    ],
    has_raw: Annotated[
        bool, typer.Option("--raw", help="With the answers as Tesla gave them.")
    ] = False,
) -> None:
    """Write the tables of some days for analysts, samples of the archive among them."""
    from tessie_pipeline.cli import analysis

    with environment() as env:
        migrations.upgrade(env.database)
        analysis.write(console, env, start.date(), end.date(), out, has_raw=has_raw)
