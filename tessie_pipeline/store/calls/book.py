"""The book of calls to Tesla in Postgres, as the client keeps it for all processes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tessie_pipeline.domain.calls import LOGIN_REQUIRED, ApiCall, Hold
from tessie_pipeline.store.calls.holds import holds_against, put_hold
from tessie_pipeline.store.calls.log import record
from tessie_pipeline.store.database import Database


class Account(Protocol):
    """Where what is known of the account is kept."""

    def remember(self, *, fleet_api_url: str) -> object:
        """Keep the address of the account's region."""


@dataclass(frozen=True)
class StoredCalls:
    """Calls and holds; each is a transaction of its own, so that a killed run loses none."""

    database: Database
    account: Account
    now: Callable[[], datetime]

    def hold_against(self, endpoint: str, tesla_id: int) -> Hold | None:
        """The hold that stands longest against a call; None if none does."""
        with self.database.rows() as connection:
            return holds_against(connection, endpoint, tesla_id, self.now())

    def put_hold(self, hold: Hold) -> None:
        """Keep a hold, unless a longer one stands."""
        with self.database.rows() as connection:
            put_hold(connection, hold)

    def lose_login(self, error: Exception) -> None:
        """Keep that only a login mends what Tesla said."""
        self.put_hold(Hold("", 0, None, LOGIN_REQUIRED, str(error)))

    def record(self, call: ApiCall) -> None:
        """Add a call."""
        with self.database.rows() as connection:
            record(connection, call)

    def move_to(self, base_url: str) -> None:
        """Keep the address of the account's region."""
        self.account.remember(fleet_api_url=base_url)
