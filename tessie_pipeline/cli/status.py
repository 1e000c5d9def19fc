"""`tessie status`: the last poll, row counts, and how fresh the data are."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from rich import box
from rich.console import Console
from rich.table import Table

from tessie_pipeline.cli import alerts
from tessie_pipeline.cli.environment import Environment, embedded_postgres
from tessie_pipeline.orchestration.local_dagster import local_dagster
from tessie_pipeline.store import migrations, tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.energy import energy_daily, energy_history, energy_intervals

_SHOWN = {
    tables.vehicles: tables.vehicles.c.updated_at,
    tables.energy_sites: tables.energy_sites.c.updated_at,
    tables.vehicle_states: tables.vehicle_states.c.timestamp,
    tables.energy_states: tables.energy_states.c.timestamp,
    energy_history: energy_history.c.received_at,
    energy_intervals: energy_intervals.c.timestamp,
    energy_daily: energy_daily.c.date,
    tables.rejected_payloads: tables.rejected_payloads.c.received_at,
}
"""Tables, and the column that says how new their newest row is."""


def show(console: Console, environment: Environment) -> None:
    """Print the state of the pipeline; a database without tables is said to be empty."""
    settings = environment.settings
    is_embedded = embedded_postgres(settings) is not None
    where = f"embedded, in {settings.home}" if is_embedded else "as DATABASE_URL says"
    state = migrations.status(environment.database)
    source = "the simulator" if environment.is_simulated else settings.server(None)
    if state.is_current and not environment.is_simulated:
        source = environment.server
    facts = Table.grid(padding=(0, 3))
    facts.add_row("Database", where)
    facts.add_row("Schema", state.current or "none: run `tessie migrate`")
    facts.add_row("Source", source)
    if state.current is not None:
        for what, when in _last_runs(environment).items():
            facts.add_row(what, when)
    if state.is_current:
        with environment.database.rows() as connection:
            now = datetime.now(UTC)
            for what, said in alerts.summary(connection, settings, now).items():
                facts.add_row(what, said)
    console.print(facts)
    if state.is_current:
        console.print()
        console.print(stored(environment.database))


def stored(database: Database) -> Table:
    """Row counts of the tables, the time of their newest rows, and the size on disk."""
    now = datetime.now(UTC)
    table = Table(title="What is stored", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("table")
    table.add_column("rows", justify="right")
    table.add_column("newest (UTC)")
    table.add_column("age", justify="right")
    with database.rows() as connection:
        for stored_table, newest_column in _SHOWN.items():
            query = sa.select(sa.func.count(), sa.func.max(newest_column))
            rows, newest = connection.execute(query.select_from(stored_table)).one()
            is_time = isinstance(newest, datetime)
            table.add_row(
                stored_table.name,
                f"{rows:,}",
                "" if newest is None else f"{newest:%Y-%m-%d %H:%M}" if is_time else str(newest),
                age(now - newest) if is_time else "",
            )
        size = connection.scalar(sa.select(sa.func.pg_database_size(sa.func.current_database())))
    table.caption = f"{(size or 0) / 1e6:.0f} MB on disk, Dagster's own rows included"
    table.caption_justify = "left"
    return table


def age(span: timedelta) -> str:
    """A span of time in its largest fitting unit."""
    seconds = max(0, int(span.total_seconds()))
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def _last_runs(environment: Environment) -> dict[str, str]:
    """When the live samples and the days were last made, and how the last poll ended."""
    with local_dagster(environment.variables()) as dagster:
        poll = dagster.last_poll()
        computed_at = dagster.days_computed_at()
    now = datetime.now(UTC)
    return {
        "Last poll": f"{age(now - poll.began_at)} ago, {poll.status}" if poll else "never",
        "Days computed": f"{age(now - computed_at)} ago" if computed_at else "never",
    }
