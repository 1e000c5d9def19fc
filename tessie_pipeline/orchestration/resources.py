"""What runs are given: database, Fleet API and clock, made from the settings when a run starts.

Secrets stay in the environment or in `TESSIE_HOME/.env` and never become Dagster configuration,
which the UI shows.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from tessie_pipeline.domain.calls import Category
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.accounts import AccountFacts, SealedTokens
from tessie_pipeline.store.calls.book import StoredCalls
from tessie_pipeline.store.calls.rate_limit import shared_pace
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.auth import TeslaAuth, TokenEndpoint
from tessie_pipeline.tesla.client import LOCATION, VEHICLE_DATA_ENDPOINTS, FleetApi
from tessie_pipeline.tesla.endpoints import Billing, Kind
from tessie_pipeline.tesla.recording import Recorded, unrecorded

Clock = Callable[[], datetime]
"""Gives the present in UTC."""


@dg.resource(description="The present, in UTC.")
def clock_resource(_: dg.InitResourceContext) -> Clock:
    """This machine's clock."""
    return clock


def clock() -> datetime:
    """The present in UTC, by this machine's clock."""
    return datetime.now(UTC)


@dg.resource(description="Postgres, from DATABASE_URL.")
@contextmanager
def database_resource(_: dg.InitResourceContext) -> Iterator[Database]:
    """The database of the settings, closed when the run ends."""
    database = Database(Settings.load().require("database_url"))
    try:
        yield database
    finally:
        database.dispose()


@dg.resource(
    description="Tesla's Fleet API, with the stored account's tokens.",
    required_resource_keys={"database", "clock"},
)
@contextmanager
def fleet_api_resource(context: dg.InitResourceContext) -> Iterator[FleetApi]:
    """A client of the stored account, closed when the run ends."""
    resources = context.resources
    with connect_fleet_api(Settings.load(), resources.database, resources.clock) as fleet_api:
        yield fleet_api


@contextmanager
def connect_fleet_api(settings: Settings, database: Database, clock: Clock) -> Iterator[FleetApi]:
    """A client of the account whose tokens are in `database`, at the pace of all processes.

    Raises:
        SettingsError: ENCRYPTION_KEY or TESLA_CLIENT_ID is not set.
    """
    tokens = SealedTokens(database, settings.require("encryption_key"))
    facts = tokens.facts()
    book = StoredCalls(database, tokens, clock)
    endpoint = TokenEndpoint(
        settings.token_url,
        settings.require("tesla_client_id"),
        # Whoever renews holds the account's lock, and does not wait for a turn with it.
        lambda: Recorded(unrecorded(), book, Billing(), lambda: None, clock),
    )
    rates = settings.requests_per_minute, settings.requests_per_second
    with (
        shared_pace(database, *rates) as wait_for_turn,
        FleetApi(
            settings.server(facts.fleet_api_url if facts else None),
            TeslaAuth(tokens, endpoint, book.lose_login),
            book=book,
            billing=billing(settings),
            wait_for_turn=wait_for_turn,
            sub_states=_sub_states(facts),
            has_bills=_is_granted(facts, "vehicle_charging_cmds"),
            now=clock,
        ) as fleet_api,
    ):
        yield fleet_api


def _sub_states(facts: AccountFacts | None) -> Sequence[str]:
    """What of a vehicle is asked for: a request that names what was not granted may be refused."""
    has_location = _is_granted(facts, "vehicle_location")
    return [name for name in VEHICLE_DATA_ENDPOINTS if has_location or name != LOCATION]


def _is_granted(facts: AccountFacts | None, scope: str) -> bool:
    """Whether the login granted a scope, or did not say."""
    return not facts or facts.scopes is None or scope in facts.scopes


def billing(settings: Settings) -> Billing:
    """What calls cost by the settings."""
    return Billing(
        prices_usd={
            Category.DATA: settings.price_data_usd,
            Category.WAKE: settings.price_wake_usd,
            Category.COMMAND: settings.price_command_usd,
        },
        categories={
            Kind.SIGN_IN: Category.FREE,
            Kind.ACCOUNT: Category.FREE,
            Kind.LIST: Category.FREE if settings.are_lists_free else Category.DATA,
            Kind.VEHICLE: Category.DATA,
            Kind.ENERGY: Category.FREE if settings.are_energy_calls_free else Category.DATA,
            Kind.WAKE: Category.WAKE,
            Kind.BILLS: Category.DATA,
        },
    )
