"""`tessie policy`: whose energy is whose when a car charges at home."""

from rich import box
from rich.console import Console
from rich.table import Table

from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.domain.attribution_policies import (
    EV_LAST,
    POLICIES,
    PROPORTIONAL,
    SOLAR_TO_EV_FIRST,
)
from tessie_pipeline.store.accounts import NoAccountError
from tessie_pipeline.store.charging.policy import choose_policy, chosen_policy

_MEANINGS = {
    PROPORTIONAL: "The car and the home take each source in the same proportion.",
    EV_LAST: "The home takes solar first, then the battery; the car takes what remains.",
    SOLAR_TO_EV_FIRST: "The car takes solar first, then the battery; the home takes what remains.",
}


def show(console: Console, environment: Environment) -> None:
    """Print the policies, and which of them the solar part of charges follows."""
    with environment.database.frames() as connection:
        chosen = chosen_policy(connection)
    followed = chosen if chosen in POLICIES else PROPORTIONAL
    table = Table(title="Policies", box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("", "policy", "whose energy is whose"):
        table.add_column(name)
    for policy in POLICIES:
        table.add_row("*" if policy == followed else "", policy, _MEANINGS[policy])
    console.print(table)
    console.print("* is the one that solar parts and costs of charges follow.")
    if chosen is not None and chosen not in POLICIES:
        console.print(f"What is stored is none of them: {chosen}", markup=False)


def choose(console: Console, environment: Environment, policy: str) -> None:
    """Let the solar part and cost of all charges follow a policy.

    Raises:
        CliError: there is no such policy, or no account to keep it with.
    """
    if policy not in POLICIES:
        raise CliError(f"There is no policy {policy}: choose one of {', '.join(POLICIES)}")
    try:
        with environment.database.rows() as connection:
            choose_policy(connection, policy)
    except NoAccountError as error:
        raise CliError(str(error)) from None
    console.print(f"Charges follow {policy}; those of the past will within a minute.")
