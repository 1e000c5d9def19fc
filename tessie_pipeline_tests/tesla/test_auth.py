"""Tokens on requests, and their renewal with the simulator's token endpoint.

What concerns the store itself runs on a real database; elsewhere the tokens are kept in memory.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import pytest

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.simulator import tokens as simulated
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.auth import TeslaAuth, TokenEndpoint, TokenStore
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError
from tessie_pipeline.tesla.product_answers import decode_products
from tessie_pipeline_tests.tesla.test_client_errors import (
    Respond,
    reset,
    send,
    serving_by_hand,
    told,
)

KEY = "0123456789abcdef" * 4
HOUR = timedelta(hours=1)
REVOKED = "a-token-that-tesla-took-back"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Address of a simulator."""
    with serving(Fleet(vehicles=1), Clock(speed=0)) as url:
        yield url


@pytest.fixture
def login() -> str:
    """The refresh token of a new login."""
    pair = simulated.Tokens().sign_in("me", simulated.SCOPES, time.time())
    return str(pair["refresh_token"])


@pytest.fixture
def account(database: Database, login: str) -> SealedTokens:
    """The account's tokens: one that can be refreshed, and none to send yet."""
    account = SealedTokens(database, KEY)
    account.save(Tokens(login))
    return account


@dataclass
class KeptTokens:
    """Tokens in memory, of one user at a time."""

    tokens: Tokens

    def read(self) -> Tokens:
        """The tokens."""
        return self.tokens

    def renew(
        self, is_due: Callable[[Tokens], bool], exchange: Callable[[Tokens], Tokens]
    ) -> Tokens:
        """Exchange the tokens if they are due."""
        if is_due(self.tokens):
            self.tokens = exchange(self.tokens)
        return self.tokens


@dataclass(frozen=True)
class CountedEndpoint(TokenEndpoint):
    """A token endpoint that keeps which refresh tokens were spent."""

    spent: list[str] = field(default_factory=list)

    def exchange(self, tokens: Tokens) -> Tokens:
        """Spend a refresh token."""
        self.spent.append(tokens.refresh_token)
        return super().exchange(tokens)


@dataclass
class Api:
    """A Fleet API that says 401 to revoked tokens and keeps what tokens were sent."""

    revoked: set[str | None] = field(default_factory=lambda: {REVOKED})
    refuses_all: bool = False
    sent: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """An empty list, or a refusal."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.sent.append(token)
        if self.refuses_all or token in self.revoked:
            return httpx.Response(401, json={"error": "invalid bearer token"})
        return httpx.Response(200, json={"response": []})


def client_of(account: TokenStore, endpoint: TokenEndpoint, api: Api) -> FleetApi:
    transport = httpx.MockTransport(api.answer)
    auth = TeslaAuth(account, endpoint)
    return FleetApi("https://fleet.example", auth, attempts=1, transport=transport)


def endpoint_at(url: str) -> CountedEndpoint:
    return CountedEndpoint(f"{url}/oauth2/v3/token", "me")


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC) + hours * HOUR


def test_a_first_request_gets_its_token_from_tesla_and_the_next_ones_keep_it(
    url: str, login: str, account: SealedTokens
) -> None:
    endpoint = endpoint_at(url)
    earliest = datetime.now(UTC) + 8 * HOUR
    for _ in range(2):
        with FleetApi(url, TeslaAuth(account, endpoint)) as api:
            for _ in range(2):
                assert len(decode_products(api.products()).vehicles) == 1
    assert endpoint.spent == [login]
    kept = account.read()
    assert kept.expires_at
    assert earliest <= kept.expires_at <= in_hours(8)
    assert kept.refresh_token != login


def test_a_stored_token_is_sent_as_bearer_and_not_renewed() -> None:
    account = KeptTokens(Tokens("refresh", "access", in_hours(1)))
    before, api = account.tokens, Api()
    client_of(account, TokenEndpoint("http://not.asked", "me"), api).products()
    assert api.sent == ["access"]
    assert account.tokens == before


@pytest.mark.parametrize("left", [-1, 0, 0.9 / 60], ids=["over", "at its end", "almost over"])
def test_a_token_that_is_over_is_renewed_before_it_is_sent(
    url: str, login: str, left: float
) -> None:
    account, api = KeptTokens(Tokens(login, "old", in_hours(left))), Api()
    client = client_of(account, endpoint_at(url), api)
    client.products()
    client.products()
    renewed = account.tokens.access_token
    assert renewed != "old"
    assert api.sent == [renewed, renewed]


def test_a_token_that_is_refused_is_renewed_once_and_the_request_repeated(
    url: str, login: str
) -> None:
    account = KeptTokens(Tokens(login, REVOKED, in_hours(1)))
    api, endpoint = Api(), endpoint_at(url)
    assert client_of(account, endpoint, api).products() == {"response": []}
    assert api.sent == [REVOKED, account.tokens.access_token]
    assert endpoint.spent == [login]


def test_a_renewed_token_that_is_refused_too_ends_the_request(url: str, login: str) -> None:
    account = KeptTokens(Tokens(login, REVOKED, in_hours(1)))
    api, endpoint = Api(refuses_all=True), endpoint_at(url)
    with pytest.raises(TerminalApiError, match=r"401 invalid bearer token \(log in again"):
        client_of(account, endpoint, api).products()
    assert api.sent == [REVOKED, account.tokens.access_token]
    assert endpoint.spent == [login]


@pytest.mark.parametrize("is_over", [True, False], ids=["over", "refused"])
def test_a_refresh_token_that_tesla_does_not_know_asks_for_a_login(url: str, is_over: bool) -> None:
    tokens = Tokens("NA_unknown", REVOKED, in_hours(-1 if is_over else 1))
    account, api = KeptTokens(tokens), Api()
    with pytest.raises(TerminalApiError, match="log in again"):
        client_of(account, endpoint_at(url), api).products()
    assert api.sent == ([] if is_over else [REVOKED])
    assert account.tokens == tokens


def tokens_answer(**other: object) -> Respond:
    tokens = {"access_token": "new", "refresh_token": "other", "expires_in": 28_800}
    return send(200, json.dumps(tokens | other).encode())


FAULTS: dict[str, Respond] = {
    "500": send(500, b'{"error": "server_error"}'),
    "502 HTML": send(502, b"<html>Bad Gateway</html>"),
    "400": send(400, b'{"error": "server_error"}'),
    "429": send(429, b"Retry in 5 seconds"),
    "HTML": send(200, b"<html>down for maintenance</html>"),
    "a list": send(200, b"[]"),
    "no tokens": send(200, b'{"token_type": "Bearer", "expires_in": 28800}'),
    "no duration": tokens_answer(expires_in=None),
    "endless": tokens_answer(expires_in=1e18),
    "empty access token": tokens_answer(access_token=""),
    "empty refresh token": tokens_answer(refresh_token=""),
    "a token that no header takes": tokens_answer(access_token="new\nline"),
    "damaged": send(200, b"abc", Content_Encoding="gzip"),
    "reset": reset,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_token_endpoint_that_fails_is_transient_and_the_tokens_stay(fault: str) -> None:
    tokens = Tokens("the-refresh-token", "the-access-token", in_hours(-1))
    account, api = KeptTokens(tokens), Api()
    with serving_by_hand(FAULTS[fault]) as broken, pytest.raises(TransientApiError) as error:
        client_of(account, endpoint_at(broken), api).products()
    assert str(error.value).startswith("The token endpoint")
    assert account.tokens == tokens
    assert api.sent == []
    assert not [secret for secret in ("the-refresh", "the-access") if secret in told(error.value)]


def test_an_answer_with_space_around_its_tokens_is_understood() -> None:
    account, api = KeptTokens(Tokens("old")), Api()
    with serving_by_hand(tokens_answer(access_token=" new\n", refresh_token="other ")) as url:
        client_of(account, endpoint_at(url), api).products()
    assert api.sent == ["new"]
    assert (account.tokens.refresh_token, account.tokens.access_token) == ("other", "new")


def test_after_a_failure_of_the_token_endpoint_the_stored_tokens_still_work(
    url: str, login: str, account: SealedTokens
) -> None:
    with serving_by_hand(reset) as broken, pytest.raises(TransientApiError):
        client_of(account, endpoint_at(broken), Api()).products()
    assert account.read() == Tokens(login)
    api = Api()
    client_of(account, endpoint_at(url), api).products()
    assert api.sent == [account.read().access_token]


@pytest.mark.parametrize("is_over", [True, False], ids=["over", "refused"])
def test_two_clients_of_one_account_refresh_once_in_all(
    url: str, login: str, account: SealedTokens, is_over: bool
) -> None:
    account.save(Tokens(login, REVOKED, in_hours(-1 if is_over else 1)))
    endpoint, start = endpoint_at(url), threading.Barrier(2)

    def ask() -> list[str]:
        api = Api()
        client = client_of(account, endpoint, api)
        start.wait(timeout=20)
        for _ in range(3):
            client.products()
        return api.sent

    with ThreadPoolExecutor() as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        sent = [each.result() for each in asking]
    assert endpoint.spent == [login]
    renewed = account.read().access_token
    for tokens_sent in sent:
        assert tokens_sent[-3:] == [renewed] * 3
        assert set(tokens_sent[:-3]) <= {REVOKED}


def test_a_client_whose_token_ended_takes_the_one_that_another_client_got() -> None:
    account, api, numbers = KeptTokens(Tokens("login")), Api(), count(1)
    with serving_by_hand(
        lambda asked: tokens_answer(access_token=f"{next(numbers)}")(asked)
    ) as url:
        first, second = (client_of(account, endpoint_at(url), api) for _ in range(2))
        first.products()
        second.products()
        api.revoked.add("1")
        first.products()
        second.products()
    assert api.sent == ["1", "1", "1", "2", "1", "2"]
    assert next(numbers) == 3


def test_no_token_shows_in_a_repr_or_a_log(
    url: str, login: str, account: SealedTokens, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    endpoint = TokenEndpoint(f"{url}/oauth2/v3/token", "me")
    auth = TeslaAuth(account, endpoint)
    with FleetApi(url, auth) as api:
        api.products()
        shown = f"{api!r} {auth!r} {endpoint!r} {vars(auth)!r} {caplog.text}"
    kept = account.read()
    assert kept.access_token
    assert "oauth2/v3/token" in caplog.text
    for secret in (login, kept.refresh_token, kept.access_token):
        assert secret not in shown
        assert secret.rpartition(".")[2] not in shown
