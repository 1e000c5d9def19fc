"""What runs are given: database, Fleet API and clock, made from the settings when a run starts.

Secrets stay in the environment or in `TESSIE_HOME/.env` and never become Dagster configuration,
which the UI shows.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from tessie_pipeline.settings import Settings
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.auth import TeslaAuth, TokenEndpoint
from tessie_pipeline.tesla.client import FleetApi

Clock = Callable[[], datetime]
"""Gives the present in UTC."""


@dg.resource(description="The present, in UTC.")
def clock_resource(_: dg.InitResourceContext) -> Clock:
    """This machine's clock."""
    return lambda: datetime.now(UTC)


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
    required_resource_keys={"database"},
)
@contextmanager
def fleet_api_resource(context: dg.InitResourceContext) -> Iterator[FleetApi]:
    """A client of the stored account, closed when the run ends."""
    with connect_fleet_api(Settings.load(), context.resources.database) as fleet_api:
        yield fleet_api


def connect_fleet_api(settings: Settings, database: Database) -> FleetApi:
    """A client of the account whose tokens are in `database`.

    Raises:
        SettingsError: ENCRYPTION_KEY or TESLA_CLIENT_ID is not set.
    """
    tokens = SealedTokens(database, settings.require("encryption_key"))
    endpoint = TokenEndpoint(settings.token_url, settings.require("tesla_client_id"))
    return FleetApi(
        settings.fleet_api_url,
        TeslaAuth(tokens, endpoint),
        settings.requests_per_minute,
        settings.requests_per_second,
    )
