"""What the token endpoint refuses, and when a 401 is not worth another renewal."""

import json
import logging
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from itertools import count

import hpack
import httpx
import pytest

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.tesla.auth import LoginRequired, TokenEndpoint
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError
from tessie_pipeline_tests.tesla.captured import captured
from tessie_pipeline_tests.tesla.test_auth import Api, KeptTokens, client_of, in_hours
from tessie_pipeline_tests.tesla.test_client_errors import Respond, send, serving_by_hand, told

REFRESH_TOKEN = "NA_0123456789abcdef-refresh"
CODE = "NA_0123456789abcdef-code"
SECRET = "the-clients-secret"
AUDIENCE = "https://fleet-api.prd.na.vn.cloud.tesla.com"

GRANTS: dict[str, Callable[[TokenEndpoint], object]] = {
    "refresh": lambda endpoint: endpoint.exchange(Tokens(REFRESH_TOKEN)),
    "code": lambda endpoint: endpoint.exchange_code(CODE, SECRET, AUDIENCE, "http://localhost/"),
    "partner": lambda endpoint: endpoint.partner_token(SECRET, AUDIENCE, "openid"),
}


def oauth_error(status: int, code: str) -> Respond:
    said = {"error": code, "error_description": f"{REFRESH_TOKEN} {CODE} {SECRET}"}
    return send(status, json.dumps(said).encode())


def refused(grant: str, respond: Respond) -> FleetApiError:
    with serving_by_hand(respond) as url, pytest.raises(FleetApiError) as error:
        GRANTS[grant](TokenEndpoint(url, "me"))
    text = told(error.value)
    assert not [secret for secret in (REFRESH_TOKEN, CODE, SECRET) if secret in text]
    return error.value


@pytest.mark.parametrize(
    "respond",
    [
        oauth_error(401, "login_required"),
        oauth_error(400, "invalid_grant"),
    ],
    ids=["login required", "invalid grant"],
)
def test_a_refresh_token_that_is_refused_needs_a_login(respond: Respond) -> None:
    error = refused("refresh", respond)
    assert isinstance(error, LoginRequired)
    assert "log in again with `tessie login`" in str(error)


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "unauthorized_client"), (403, "access_denied"), (400, "invalid_auth_code")],
)
def test_another_refusal_is_terminal_with_teslas_word(grant: str, status: int, code: str) -> None:
    error = refused(grant, oauth_error(status, code))
    assert type(error) is TerminalApiError
    assert str(error) == f"The token endpoint refused: {status} {code}"


@pytest.mark.parametrize("grant", GRANTS)
def test_what_is_not_a_word_of_teslas_is_not_repeated(grant: str) -> None:
    for echoed in (REFRESH_TOKEN, CODE, SECRET, "invalid token 123"):
        assert str(refused(grant, oauth_error(403, echoed))) == "The token endpoint refused: 403"


def test_a_server_error_with_status_400_passes_by_itself() -> None:
    answer = captured("errors/400_token_server_error")
    error = refused("refresh", send(answer["status"], json.dumps(answer["body"]).encode()))
    assert isinstance(error, TransientApiError)
    assert str(error) == "The token endpoint answered 400 server_error"


def test_an_endpoint_that_asks_to_wait_is_heard() -> None:
    error = refused("refresh", send(429, b"", Retry_After="7"))
    assert isinstance(error, TransientApiError)
    assert error.retry_after_s == 7


def test_an_endpoint_that_is_slow_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessie_pipeline.tesla.auth.TIMEOUT", httpx.Timeout(0.1))

    def hang(_: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)

    assert "ReadTimeout" in str(refused("refresh", hang))


def test_a_login_without_a_refresh_token_is_told_what_to_grant() -> None:
    answer = send(200, b'{"access_token": "new", "expires_in": 28800}')
    assert "grant offline_access" in str(refused("code", answer))


def test_a_token_that_was_refused_although_new_is_not_renewed_again() -> None:
    numbers, account, api = count(1), KeptTokens(Tokens("login")), Api(refuses_all=True)

    def renew(request: BaseHTTPRequestHandler) -> None:
        number = next(numbers)
        tokens = {"access_token": f"{number}", "refresh_token": "r", "expires_in": 28_800}
        send(200, json.dumps(tokens).encode())(request)

    with serving_by_hand(renew) as url:
        client = client_of(account, TokenEndpoint(url, "me"), api)
        for _ in range(3):
            with pytest.raises(TerminalApiError, match="401"):
                client.products()
    assert api.sent == ["1", "2", "2", "2"]


def test_a_lock_that_others_hold_too_long_is_transient() -> None:
    class Busy(KeptTokens):
        def renew(self, *_: object) -> Tokens:
            raise TimeoutError("Others have been renewing")

    client = client_of(
        Busy(Tokens("login", "over", in_hours(-1))), TokenEndpoint("http://not.asked", "me"), Api()
    )
    with pytest.raises(TransientApiError, match="Others have been renewing"):
        client.products()


def test_http2_does_not_log_the_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        hpack.Encoder().encode([("authorization", f"Bearer {REFRESH_TOKEN}")])
    assert REFRESH_TOKEN not in caplog.text
