"""The Tesla account at the command line: its state, logging out, and the application.

No token, code or secret is ever printed. Not here: logging in (`login`), and the key that seals
tokens (`key_rotation`).
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tessie_pipeline.cli.environment import (
    SIMULATOR_CLIENT_ID,
    CliError,
    Environment,
    environment,
)
from tessie_pipeline.domain.tokens import EARLY
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import migrations
from tessie_pipeline.store.accounts import NoAccountError
from tessie_pipeline.store.calls.book import StoredCalls
from tessie_pipeline.store.calls.holds import standing_holds
from tessie_pipeline.store.calls.rate_limit import shared_pace
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.tesla import login
from tessie_pipeline.tesla.auth import TokenEndpoint
from tessie_pipeline.tesla.endpoints import Billing
from tessie_pipeline.tesla.errors import FleetApiError
from tessie_pipeline.tesla.recording import Recorded, Transport, unrecorded, wall_clock

WHERE_TO_REGISTER = ("NA", "EU")
"""Regions of one Tesla application; China's is another one, at tesla.cn."""


@dataclass(frozen=True)
class Application:
    """The Tesla application, as the settings name it; the `repr` hides its secret."""

    token_url: str
    client_id: str
    client_secret: str | None = field(repr=False)

    def endpoint(self, transport: Transport) -> TokenEndpoint:
        """Where its tokens come from."""
        return TokenEndpoint(self.token_url, self.client_id, transport)

    def secret(self) -> str:
        """Its secret, for requests that need one."""
        assert self.client_secret is not None  # noqa: S101 - `application_of` has seen to it
        return self.client_secret


def application_of(settings: Settings, *, needs_secret: bool) -> Application:
    """The application of the settings.

    Raises:
        CliError: it is not set, or is the simulator's.
    """
    client_id, secret = settings.tesla_client_id, settings.tesla_client_secret
    client_secret = secret.get_secret_value() if secret else None
    needed = {"TESLA_CLIENT_ID": None if client_id == SIMULATOR_CLIENT_ID else client_id}
    if needs_secret:
        needed["TESLA_CLIENT_SECRET"] = client_secret
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise CliError(
            f"Set {' and '.join(missing)} to what your Tesla application has, in the environment "
            f"or in {settings.home / '.env'}; docs/tesla-setup.md says how to make one"
        )
    return Application(settings.token_url, str(client_id), client_secret)


@contextmanager
def recorded(env: Environment) -> Iterator[Transport]:
    """A way to Tesla for requests that no run makes: at the common rate, and into the book."""
    settings = env.settings
    book = StoredCalls(env.database, env.tokens(), wall_clock)
    rates = settings.requests_per_minute, settings.requests_per_second
    with shared_pace(env.database, *rates) as wait_for_turn:
        yield lambda: Recorded(unrecorded(), book, Billing(), wait_for_turn, wall_clock)


def ask_secret(text: str) -> str:
    """What a person types without seeing it, or the next line of what is piped in."""
    if sys.stdin.isatty():
        return str(typer.prompt(text, hide_input=True)).strip()
    given = sys.stdin.readline().strip()
    if not given:
        raise CliError(f"{text}: nothing was given")
    return given


def say(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence as it is."""
    console.print(sentence, style=style, markup=False, highlight=False)


def log_out(console: Console) -> None:
    """Forget the tokens; the data and which account they are of stay."""
    with environment() as env:
        migrations.upgrade(env.database)
        if env.tokens().is_simulated():
            raise CliError("The simulator's account needs no login, so there is no logging out")
        was_logged_in = env.tokens().forget()
    if not was_logged_in:
        say(console, "Nobody was logged in.")
        return
    say(
        console,
        "The tokens are forgotten; the data stay. Tesla's consent stays too, until you take it "
        "back in your Tesla account.",
    )


def show(console: Console) -> None:
    """Print the account, its scopes, its region, and how old its tokens are."""
    from tessie_pipeline.cli.status import age  # brings Dagster, which takes two seconds

    def ago(when: datetime | None) -> str:
        return "no" if when is None else f"{age(now - when)} ago"

    now = datetime.now(UTC)
    with environment() as env:
        migrations.upgrade(env.database)
        facts = env.tokens().facts()
        if facts is None:
            say(console, "No Tesla account is stored: `tessie login` stores one.")
            return
        validity = "over; the next request renews it"
        if facts.refresh_token_received_at is None:
            validity = "no"
        elif facts.access_token_expires_at and facts.access_token_expires_at - now > EARLY:
            validity = f"ends in {age(facts.access_token_expires_at - now)}"
        lines = {
            "Account": "the simulator's" if facts.is_simulated else facts.subject or "not known",
            "Region": f"{facts.region or 'not known'}, {env.server}",
            "Logged in": ago(facts.logged_in_at),
            "Scopes": "not known" if facts.scopes is None else " ".join(facts.scopes),
            "Refresh token": ago(facts.refresh_token_received_at),
            "Access token": validity,
            "Key": _key(env),
        }
        missing = login.missing_scopes(frozenset(facts.scopes)) if facts.scopes else {}
        with env.database.rows() as connection:
            holds = standing_holds(connection, now)
    table = Table.grid(padding=(0, 3))
    for name, value in lines.items():
        table.add_row(name, Text(value))
    for scope, cost in missing.items():
        table.add_row("Missing", Text(f"{scope}: {cost}"))
    for hold in holds:
        table.add_row("On hold", Text(f"{hold.code}: {hold.reason}"))
    console.print(table)


def register(console: Console, domain: str, regions: Sequence[str]) -> None:
    """Register the application with the public key of `domain`, in each region.

    Raises:
        CliError: a region that was named refused, or no region took it.
    """
    settings = Settings.load()
    application = application_of(settings, needs_secret=True)
    unknown = [region for region in regions if region not in login.REGIONS]
    if unknown:
        raise CliError(f"--region should be one of {', '.join(login.REGIONS)}")
    urls = {region: login.REGIONS[region] for region in regions or WHERE_TO_REGISTER}
    if not regions and "fleet_api_url" in settings.model_fields_set:
        urls = {"TESSIE_FLEET_API_URL": settings.fleet_api_url}
    refused = 0
    with environment() as env:
        migrations.upgrade(env.database)
        with recorded(env) as transport:
            endpoint = application.endpoint(transport)
            for region, url in urls.items():
                try:
                    token = endpoint.partner_token(application.secret(), url, login.PARTNER_SCOPES)
                    login.register(url, token, domain, transport)
                    say(console, f"{region}: {domain} is registered at {url}.")
                except FleetApiError as error:
                    refused += 1
                    say(console, f"{region}: not registered at {url}: {error}")
    if refused and (regions or refused == len(urls)):
        raise CliError("The application is not registered everywhere it should be")


def _key(env: Environment) -> str:
    try:
        env.tokens().read()
    except NoAccountError:
        return "nothing is sealed"
    except SealError as error:
        return str(error)
    return "opens the tokens"
