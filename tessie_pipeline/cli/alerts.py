"""`tessie alerts`: what a person should know of, and taking note of it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import migrations
from tessie_pipeline.store.alerts import OpenAlert, acknowledge, open_alerts

SHOWN_DIGITS = 8
"""How much of an id is shown; so much of it, or more, names an alert."""


def show(console: Console, environment: Environment, to_acknowledge: str | None) -> None:
    """Print the open alerts, after taking note of one if its number or id is given.

    Raises:
        CliError: there is no such alert, or no table of alerts yet.
    """
    if not migrations.status(environment.database).is_current:
        raise CliError("The database is not at the newest schema: run `tessie migrate`")
    with environment.database.rows() as connection:
        if to_acknowledge is not None:
            chosen = _chosen(open_alerts(connection), to_acknowledge)
            acknowledge(connection, chosen.id, datetime.now(UTC))
        alerts = open_alerts(connection)
    console.print(_table(alerts) if alerts else "There is nothing to alert you to.")


def summary(connection: sa.Connection, settings: Settings, now: datetime) -> dict[str, str]:
    """What `tessie status` says of this month's spending and of open alerts."""
    from tessie_pipeline.orchestration.money import money  # brings Dagster, which takes two seconds

    month = money(connection, settings, now).month
    spent = f"{month.spent_usd:.2f} of {settings.budget_usd:.2f} USD"
    forecast = f"{month.forecast_usd:.2f} expected at its end"
    alerts = open_alerts(connection)
    critical = sum(alert.severity == "critical" for alert in alerts)
    counted = f"{len(alerts)}, {critical} critical: see `tessie alerts`" if alerts else "none"
    return {
        "Spent this month": f"{spent}, {forecast} (prices of {settings.prices_as_of})",
        "Open alerts": counted,
    }


def _chosen(alerts: Sequence[OpenAlert], wanted: str) -> OpenAlert:
    """The alert of that number in the list, or whose id begins so."""
    digits = wanted.lower().replace("-", "")
    if re.fullmatch(r"[0-9]{1,4}", wanted) and 1 <= int(wanted) <= len(alerts):
        return alerts[int(wanted) - 1]
    if len(digits) >= SHOWN_DIGITS:
        found = [alert for alert in alerts if alert.id.hex.startswith(digits)]
        if len(found) == 1:
            return found[0]
    raise CliError(f"There is no open alert {wanted}: see `tessie alerts`")


def _table(alerts: Sequence[OpenAlert]) -> Table:
    table = Table(title="Open alerts", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("no.", "id", "severity", "since (UTC)", "noted", "message"):
        table.add_column(name, no_wrap=name != "message")
    for number, alert in enumerate(alerts, start=1):
        table.add_row(
            str(number),
            alert.id.hex[:SHOWN_DIGITS],
            Text(alert.severity, style="red" if alert.severity == "critical" else "yellow"),
            f"{alert.opened_at.astimezone(UTC):%Y-%m-%d %H:%M}",
            "yes" if alert.status == "acknowledged" else "",
            Text(alert.message),
        )
    return table
