"""What a person reads at the end of the demo: what is stored, the last week, what to do next."""

from datetime import timedelta

import polars as pl
from rich import box
from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from tessie_pipeline.cli.environment import Environment
from tessie_pipeline.cli.status import age, stored
from tessie_pipeline.domain.attribution_policies import POLICIES, PROPORTIONAL
from tessie_pipeline.store.charging.policy import chosen_policy
from tessie_pipeline.store.frames import read_frame

WEEK = """
    select date, solar_produced_kwh, home_consumed_kwh, grid_imported_kwh, grid_exported_kwh,
           battery_discharged_kwh, self_consumption_pct, coverage_pct
    from bi.energy_daily
    where source <> 'app_export' and tesla_site_id = (
        select tesla_site_id from energy_sites
        where tesla_site_id is not null order by created_at, id limit 1
    )
    order by date desc
    limit 7
"""
"""The newest days of the first site."""

VEHICLES = """
    select display_name, model, battery_level, charging_state, odometer_km,
           extract(epoch from age)::float8 as age_s
    from bi.vehicles_now
    order by display_name
"""
CHARGES = """
    select display_name, local_started_at, location_name, charger_type, energy_added_kwh, solar_pct,
           cost::float8 as cost, cost_currency, status
    from bi.charging_sessions
    order by started_at desc
    limit 6
"""
ORIGINS = """
    select used_by, sum(energy_kwh) as energy_kwh, sum(from_solar_kwh) as solar_kwh,
           sum(from_battery_solar_kwh) as battery_solar_kwh,
           sum(from_battery_grid_kwh + from_battery_generator_kwh + from_battery_unknown_kwh)
               as battery_other_kwh,
           sum(from_grid_kwh + from_generator_kwh) as grid_kwh,
           100 * sum(solar_kwh) / nullif(sum(energy_kwh - unattributed_kwh), 0) as solar_pct
    from bi.solar_attribution_daily
    where policy = '{policy}' and date > (
        select max(date) from bi.solar_attribution_daily
    ) - 7
    group by used_by
    order by used_by <> 'home', used_by
"""
BAR_WIDTH = 18
_WEEK_COLUMNS = {
    "solar_produced_kwh": "solar",
    "home_consumed_kwh": "home",
    "grid_imported_kwh": "import",
    "grid_exported_kwh": "export",
    "battery_discharged_kwh": "battery",
    "self_consumption_pct": "used",
    "coverage_pct": "known",
}


def show(console: Console, environment: Environment) -> None:
    """Print what is stored, the vehicles, and the energy of the last seven days."""
    console.print()
    console.print(stored(environment.database))
    with environment.database.frames() as connection:
        week = read_frame(connection, WEEK).sort("date")
        vehicles = read_frame(connection, VEHICLES)
        charges = read_frame(connection, CHARGES)
        chosen = chosen_policy(connection)
        policy = chosen if chosen in POLICIES else PROPORTIONAL
        origins = read_frame(connection, ORIGINS.format(policy=policy))
    if not vehicles.is_empty():
        console.print(_vehicles(vehicles))
    if not charges.is_empty():
        console.print(_charges(charges))
    if not week.is_empty():
        console.print(_week(week))
    if not origins.is_empty():
        console.print(_origins(origins, policy))


def show_next_steps(console: Console) -> None:
    """Print the commands that go on from here."""
    steps = Table.grid(padding=(0, 3))
    for command, what in (
        ("tessie up", "the Dagster UI on 127.0.0.1:3000, polling"),
        ("tessie status", "the last poll, row counts and freshness"),
        ("tessie url", "the database's address for SQL and BI tools"),
        ("tessie down", "stop Postgres; the data stay"),
    ):
        steps.add_row(f"  [bold].venv/bin/{command}[/bold]", what)
    console.print("\nNext:")
    console.print(steps)


def _week(week: pl.DataFrame) -> Table:
    table = _table("The last seven days of energy, kWh")
    table.add_column("day")
    for name in _WEEK_COLUMNS.values():
        table.add_column(name, justify="right")
    table.add_column("[yellow]solar[/yellow] [blue]home[/blue]", min_width=BAR_WIDTH)
    longest = week.select(pl.max_horizontal("solar_produced_kwh", "home_consumed_kwh").max()).item()
    top = max(longest or 0.0, 1.0)
    for day in week.iter_rows(named=True):
        bars = Table.grid()
        bars.add_row(Bar(top, 0, day["solar_produced_kwh"] or 0, width=BAR_WIDTH, color="yellow"))
        bars.add_row(Bar(top, 0, day["home_consumed_kwh"] or 0, width=BAR_WIDTH, color="blue"))
        numbers = (_number(day[name], name) for name in _WEEK_COLUMNS)
        table.add_row(f"{day['date']:%a %d}", *numbers, bars)
    return table


def _origins(origins: pl.DataFrame, policy: str) -> Table:
    table = _table(f"Where their energy came from in these days, kWh: {policy}")
    table.add_column("used by")
    for name in ("energy", "solar", "stored solar", "stored other", "other", "solar share"):
        table.add_column(name, justify="right")
    for row in origins.iter_rows(named=True):
        numbers = (_number(value, name) for name, value in row.items() if name != "used_by")
        table.add_row(row["used_by"], *numbers)
    return table


def _vehicles(vehicles: pl.DataFrame) -> Table:
    table = _table("The vehicles, as last seen awake")
    for name in ("name", "model", "battery", "charging", "odometer", "seen"):
        table.add_column(name, justify="left" if name in ("name", "model", "charging") else "right")
    for car in vehicles.iter_rows(named=True):
        is_seen = car["age_s"] is not None
        table.add_row(
            car["display_name"],
            car["model"],
            f"{car['battery_level']} %" if is_seen else "",
            car["charging_state"],
            f"{car['odometer_km']:,.0f} km" if is_seen else "",
            f"{age(timedelta(seconds=car['age_s']))} ago" if is_seen else "asleep",
        )
    return table


def _charges(charges: pl.DataFrame) -> Table:
    table = _table("The newest charges")
    for name in ("vehicle", "began", "where", "kWh", "solar", "cost", "status"):
        table.add_column(name, justify="right" if name in ("kWh", "solar", "cost") else "left")
    for charge in charges.iter_rows(named=True):
        cost = charge["cost"]
        table.add_row(
            charge["display_name"],
            f"{charge['local_started_at']:%a %H:%M}",
            charge["location_name"] or charge["charger_type"],
            _number(charge["energy_added_kwh"], "kWh"),
            _number(charge["solar_pct"], "solar_pct"),
            "" if cost is None else f"{cost:.2f} {charge['cost_currency'] or ''}",
            charge["status"].replace("_", " "),
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1, 0, 0))


def _number(value: float | None, column: str) -> str:
    if value is None:
        return ""
    return f"{value:.0f} %" if column.endswith("_pct") else f"{value:.1f}"
