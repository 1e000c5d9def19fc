"""The commands and their options; what they do is in the modules beside this one.

Those that need Dagster import it when they are called: it takes two seconds.
"""

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tessie_pipeline.cli import account, alerts, app_exports, household, key_rotation, login
from tessie_pipeline.cli import policy as policies
from tessie_pipeline.cli.environment import (
    CliError,
    embedded_postgres,
    environment,
    prepare,
)
from tessie_pipeline.cli.place_commands import driver_app, place_app, tariff_app
from tessie_pipeline.cli.storage_commands import storage_app
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import migrations
from tessie_pipeline.store.database import Database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A self-hosted data pipeline for Tesla vehicles, Powerwalls and solar.",
)
import_app = typer.Typer(no_args_is_help=True, help="Load data that others exported.")
app.add_typer(import_app, name="import")
rebuild_app = typer.Typer(
    no_args_is_help=True, help="Derive again from all samples, and say what came out otherwise."
)
app.add_typer(rebuild_app, name="rebuild")
app.add_typer(place_app, name="place")
app.add_typer(tariff_app, name="tariff")
app.add_typer(driver_app, name="driver")
app.add_typer(storage_app)

console = Console()

Port = Annotated[int, typer.Option(min=1, max=65535)]


@app.command("demo")
def run_demo(days: Annotated[int, typer.Option(min=1, max=365)] = 60) -> None:
    """Fill the database from a simulated household, through Dagster, and show what came of it."""
    from tessie_pipeline.cli import demo

    demo.run(console, days)


@app.command("up")
def run_up(
    host: Annotated[str, typer.Option(help="Where the UI listens.")] = "127.0.0.1",
    port: Port = 3000,
    simulator_port: Port = household.DEFAULT_PORT,
) -> None:
    """Serve the Dagster UI with schedules and sensors on, until Ctrl-C."""
    from tessie_pipeline.cli import up

    up.run(console, host, port, simulator_port)


@app.command("down")
def run_down() -> None:
    """Stop the embedded Postgres, whoever uses it; the data stay."""
    postgres = embedded_postgres(Settings.load())
    if postgres is None:
        raise CliError("DATABASE_URL names a server that tessie did not start: nothing to stop")
    was_running = postgres.stop()
    console.print("Postgres is stopped." if was_running else "Postgres was not running.")


@app.command("migrate")
def run_migrate(
    down: Annotated[bool, typer.Option("--down", help="Take the newest revision back.")] = False,
    show_status: Annotated[
        bool, typer.Option("--status", help="Only show what the database is at.")
    ] = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask before --down.")] = False,
    draft: Annotated[
        str | None,
        typer.Option(help="Draft a revision from store/tables; say what it does."),
    ] = None,
) -> None:
    """Bring the database to the newest schema."""
    if down + show_status + (draft is not None) > 1:
        raise CliError("--down, --status and --draft exclude each other")
    with environment() as env:
        if draft is not None:
            print(migrations.draft(env.database, draft))
            return
        if show_status:
            state = migrations.status(env.database)
        elif down:
            _confirm_down(env.database, is_sure)
            state = migrations.downgrade(env.database)
        else:
            state = migrations.upgrade(env.database)
    console.print(
        f"The database is at {state.current or 'nothing'}; the newest revision is {state.newest}."
    )
    if state.pending:
        console.print(f"Pending: {', '.join(state.pending)}. Run `tessie migrate`.")


def _confirm_down(database: Database, is_sure: bool) -> None:
    """Ask the person at the terminal, if there is one, before data are deleted."""
    current = migrations.status(database).current
    if current is not None and not is_sure and sys.stdin.isatty():
        typer.confirm(
            f"Take revision {current} back, with the data that only it holds?", abort=True
        )


@app.command("simulate")
def run_simulate(
    host: str = household.DEFAULT_HOST,
    port: Port = household.DEFAULT_PORT,
    sites: Annotated[int, typer.Option(min=0)] = 1,
    vehicles: Annotated[int, typer.Option(min=0)] = 2,
    seed: int = 1,
    start: Annotated[
        datetime | None, typer.Option(help="First simulated instant in UTC; now if not given.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0, help="Simulated seconds per second.")] = 1.0,
) -> None:
    """Serve a Fleet API with a simulated household behind it, until Ctrl-C."""
    household.run(console, host, port, household.Household(seed, sites, vehicles, start, speed))


@app.callback()
def before_each_command(context: typer.Context) -> None:
    """Finish what a killed `rotate-key` has left."""
    key_rotation.finish_interrupted(context.invoked_subcommand)


@app.command("login")
def run_login(
    opens_browser: Annotated[bool, typer.Option("--browser", help="Open the browser.")] = False,
    is_pasted: Annotated[
        bool,
        typer.Option("--paste", help="Ask for the address that Tesla sends the browser to."),
    ] = False,
    has_refresh_token: Annotated[
        bool, typer.Option("--refresh-token", help="Ask for a refresh token that you have.")
    ] = False,
) -> None:
    """Log in at Tesla's page, and store the account's tokens, sealed."""
    login.log_in(
        console,
        opens_browser=opens_browser,
        is_pasted=is_pasted,
        has_refresh_token=has_refresh_token,
    )


@app.command("logout")
def run_logout() -> None:
    """Forget the account's tokens; the data stay."""
    account.log_out(console)


@app.command("auth")
def run_auth() -> None:
    """Show the account, its scopes, its region, and how old its tokens are."""
    account.show(console)


@app.command("register")
def run_register(
    domain: Annotated[str, typer.Option(help="The domain that hosts the public key.")],
    region: Annotated[
        list[str] | None, typer.Option(help="NA, EU or CN; NA and EU if not given.")
    ] = None,
) -> None:
    """Register the Tesla application in its regions, once."""
    account.register(console, domain, region or [])


@app.command("rotate-key")
def run_rotate_key(
    is_asked: Annotated[
        bool, typer.Option("--ask", help="Ask for the new key instead of making one.")
    ] = False,
    is_shown: Annotated[bool, typer.Option("--show", help="Print the new key.")] = False,
) -> None:
    """Seal the tokens under a new ENCRYPTION_KEY."""
    key_rotation.rotate(console, is_asked=is_asked, is_shown=is_shown)


@app.command("status")
def run_status() -> None:
    """Show the last poll, row counts, and how fresh the data are."""
    from tessie_pipeline.cli import status

    with environment() as env:
        status.show(console, env)


@app.command("policy")
def run_policy(
    policy: Annotated[
        str | None, typer.Argument(help="The one to follow; shows them all if not given.")
    ] = None,
) -> None:
    """Show or choose the policy by which charges at home share the sun with the home."""
    with environment() as env:
        migrations.upgrade(env.database)
        if policy is None:
            policies.show(console, env)
        else:
            policies.choose(console, env, policy)


@app.command("wake")
def run_wake(
    vehicle: Annotated[str, typer.Argument(help="Its name or VIN.")],
    simulator_port: Port = household.DEFAULT_PORT,
) -> None:
    """Wake a vehicle; Tesla bills it as ten requests for data."""
    from tessie_pipeline.cli import waking

    waking.wake(console, vehicle, simulator_port)


@app.command("alerts")
def run_alerts(
    to_acknowledge: Annotated[
        str | None, typer.Option("--acknowledge", help="Take note of one, by its number or id.")
    ] = None,
) -> None:
    """Show the open alerts: budget, login, what Tesla refuses, data that do not come."""
    with environment() as env:
        alerts.show(console, env, to_acknowledge)


@app.command("url")
def run_url() -> None:
    """Print the database URL for BI tools; the embedded server's is of a role that only reads."""
    settings = Settings.load()
    postgres = embedded_postgres(settings)
    if postgres is None:
        Console(stderr=True).print("As DATABASE_URL says; its role may be able to write.")
        print(settings.require("database_url"))
        return
    if not postgres.is_running():
        postgres.start_and_keep()
        Console(stderr=True).print("Postgres was started; `tessie down` stops it.")
    print(postgres.reader_url)


@app.command("env")
def run_env(simulator_port: Port = household.DEFAULT_PORT) -> None:
    """Print the environment for Dagster's own commands: eval "$(tessie env)"."""
    postgres = embedded_postgres(Settings.load())
    if postgres is not None:
        postgres.start_and_keep()
    with environment() as env:
        prepare(env)
        url = household.url(household.DEFAULT_HOST, simulator_port) if env.is_simulated else None
        for name, value in env.variables(url).items():
            print(f"export {name}={shlex.quote(value)}")
        if url:
            Console(stderr=True).print("Run `tessie simulate` in another terminal.")


RebuiltVehicle = Annotated[str | None, typer.Option("--vehicle", help="Only this one, by name.")]
RebuiltFrom = Annotated[
    datetime | None,
    typer.Option("--from", formats=["%Y-%m-%d"], help="From this day on (UTC); else all."),
]


@rebuild_app.command("sessions")
def run_rebuild_sessions(vehicle: RebuiltVehicle = None, since: RebuiltFrom = None) -> None:
    """Derive plug-ins again, with their segments and what they cost."""
    from tessie_pipeline.cli import rebuild

    rebuild.sessions(console, vehicle, since and since.date())


@rebuild_app.command("drives")
def run_rebuild_drives(vehicle: RebuiltVehicle = None, since: RebuiltFrom = None) -> None:
    """Derive drives again, with what was driven unseen."""
    from tessie_pipeline.cli import rebuild

    rebuild.drives(console, vehicle, since and since.date())


@rebuild_app.command("energy")
def run_rebuild_energy(
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")],
    end: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The day after the last one.")
    ],
) -> None:
    """Have energy of days computed again, with all that is made of it, while `tessie up` runs."""
    from tessie_pipeline.cli import rebuild

    rebuild.energy(console, start.date(), end.date())


@import_app.command("app-export")
def run_import_app_export(
    files: Annotated[list[Path], typer.Argument(help="Daily CSV exports of the Tesla app.")],
    site: Annotated[
        str | None, typer.Option(help="Name or Tesla id of the site, if there are several.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace days that were computed, too.")
    ] = False,
) -> None:
    """Load daily CSV exports of the Tesla app into energy_daily."""
    with environment() as env:
        migrations.upgrade(env.database)
        app_exports.load(console, env, files, site, overwrite=overwrite)
