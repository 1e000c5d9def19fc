"""A login that is lost stops the account for all processes, and one that is new goes on."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.calls.book import StoredCalls
from tessie_pipeline.store.calls.holds import standing_holds
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.auth import LoginRequired, TeslaAuth, TokenEndpoint
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TerminalApiError
from tessie_pipeline_tests.orchestration.conftest import KEY

ENDED = Tokens("NA_old", "old", datetime(2026, 1, 1, tzinfo=UTC))


class Lost(TokenEndpoint):
    """A token endpoint that takes no refresh token any more, after a while."""

    asked: threading.Event
    wait: Callable[[], object]

    def exchange(self, tokens: Tokens) -> Tokens:  # noqa: ARG002
        """Refuse."""
        self.asked.set()
        self.wait()
        raise LoginRequired("log in again with `tessie login`")


@pytest.fixture
def account(database: Database) -> SealedTokens:
    account = SealedTokens(database, KEY)
    account.save(ENDED)
    return account


def client(account: SealedTokens, wait: Callable[[], object]) -> tuple[FleetApi, threading.Event]:
    endpoint = Lost("http://not.asked", "me")
    asked = threading.Event()
    object.__setattr__(endpoint, "asked", asked)
    object.__setattr__(endpoint, "wait", wait)
    book = StoredCalls(account.database, account, lambda: datetime.now(UTC))
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json={"response": []}))
    auth = TeslaAuth(account, endpoint, book.lose_login)
    return FleetApi("https://fleet.example", auth, book=book, transport=answers), asked


def holds(account: SealedTokens) -> list[str]:
    with account.database.rows() as connection:
        return [hold.code for hold in standing_holds(connection, datetime.now(UTC))]


def test_a_lost_login_stops_every_process_until_the_next_login(account: SealedTokens) -> None:
    first, _ = client(account, lambda: None)
    second, asked = client(account, lambda: None)
    for api in (first, second):
        with pytest.raises(TerminalApiError, match="tessie login"):
            api.products()
    assert not asked.is_set(), "the second process does not even try"
    assert holds(account) == ["login_required"]

    later = datetime.now(UTC) + timedelta(hours=8)
    account.log_in(Tokens("NA_new", "new", later))
    assert second.products() == {"response": []}


def test_a_login_while_the_old_one_is_found_lost_is_not_stopped(account: SealedTokens) -> None:
    go_on = threading.Event()
    api, asked = client(account, lambda: go_on.wait(10))
    failed: list[Exception] = []

    def poll() -> None:
        try:
            api.products()
        except TerminalApiError as error:
            failed.append(error)

    poller = threading.Thread(target=poll)
    poller.start()
    assert asked.wait(10)
    threading.Timer(0.3, go_on.set).start()
    account.log_in(Tokens("NA_new", "new", datetime.now(UTC) + timedelta(hours=8)))
    poller.join(10)

    assert len(failed) == 1
    assert holds(account) == []
    assert account.read().access_token == "new"
