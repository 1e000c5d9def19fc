"""Logging in at Tesla: the address, the answer, the region, the registration."""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError
from tessie_pipeline.tesla.login import (
    REGIONS,
    SCOPES,
    CallbackListener,
    Region,
    authorize_url,
    code_in,
    find_region,
    missing_scopes,
    region_of,
    register,
)
from tessie_pipeline_tests.tesla.captured import captured

NA, EU = REGIONS["NA"], REGIONS["EU"]
STATE = "the-state"
CODE = "NA_0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.bm90LWEtcmVhbC10b2tlbg.c2lnbmF0dXJl"


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://localhost:{probe.getsockname()[1]}/callback"


@pytest.fixture
def redirect_uri() -> str:
    """An address on this machine."""
    return free_address()


@pytest.fixture
def listener(redirect_uri: str) -> Iterator[CallbackListener]:
    """A listener at that address."""
    with CallbackListener(redirect_uri) as listener:
        yield listener


def test_the_address_asks_for_the_scopes_with_a_state() -> None:
    url = authorize_url("https://auth.example/authorize", "me", "http://localhost:1/back", STATE)
    assert {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()} == {
        "response_type": "code",
        "client_id": "me",
        "redirect_uri": "http://localhost:1/back",
        "scope": " ".join(SCOPES),
        "state": STATE,
        "prompt_missing_scopes": "true",
    }


def test_each_missing_scope_has_its_price() -> None:
    assert missing_scopes(frozenset(SCOPES)) == {}
    granted = frozenset(SCOPES) - {"vehicle_location"} | {"vehicle_cmds"}
    assert missing_scopes(granted) == {"vehicle_location": "no coordinates, so no places"}


@pytest.mark.parametrize(
    ("text", "region"),
    [(CODE, "NA"), ("EU_abc", "EU"), ("CN_abc", "CN"), ("abc", None), ("XX_1", None), ("", None)],
)
def test_a_code_begins_with_its_region(text: str, region: str | None) -> None:
    assert region_of(text) == region


@pytest.mark.parametrize(
    "address",
    [
        f"http://localhost:8484/callback?code={CODE}&state={STATE}",
        f" https://me.example/?state={STATE}&code={CODE}&issuer=x#there\n",
        f"/callback?code={CODE}&state={STATE}",
    ],
)
def test_the_code_is_found_in_the_address(address: str) -> None:
    assert code_in(address, STATE) == CODE


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (f"/callback?code={CODE}&state=another", "not the answer to this login"),
        (f"/callback?code={CODE}", "not the answer to this login"),
        (f"/callback?code={CODE}&state=\udcff", "not the answer to this login"),
        ("http://[", "not the answer to this login"),
        ("", "not the answer to this login"),
        (f"?error=access_denied&state={STATE}&code={CODE}", "did not grant access: access_denied"),
        (f"?error={CODE}&state={STATE}", "did not grant access: it gave no reason"),
        (f"/callback?state={STATE}", "holds no code"),
    ],
)
def test_another_answer_is_refused_in_words_without_the_code(address: str, sentence: str) -> None:
    with pytest.raises(TerminalApiError, match=sentence) as error:
        code_in(address, STATE)
    assert CODE not in str(error.value)
    assert STATE not in str(error.value)


def test_the_listener_takes_one_answer_and_no_other_page(
    listener: CallbackListener, redirect_uri: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(listener.wait, STATE, 20)
        elsewhere = redirect_uri.replace("callback", "favicon.ico")
        assert httpx.get(elsewhere).status_code == 404
        assert httpx.post(redirect_uri).status_code == 501
        page = httpx.get(redirect_uri, params={"code": CODE, "state": STATE})
        assert waiting.result() == CODE
    assert page.status_code == 200
    assert "Go on in the terminal" in page.text
    assert CODE not in page.text
    assert "".join(capfd.readouterr()) == ""


def test_an_answer_to_another_login_is_refused_and_does_not_end_this_one(
    listener: CallbackListener, redirect_uri: str
) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(listener.wait, STATE, 20)
        page = httpx.get(redirect_uri, params={"code": "another", "state": "another"})
        httpx.get(redirect_uri, params={"code": CODE, "state": STATE})
        assert waiting.result() == CODE
    assert page.status_code == 400
    assert "not the answer to this login" in page.text


def test_the_listener_is_not_held_up_by_a_connection_that_is_not_used(
    listener: CallbackListener, redirect_uri: str
) -> None:
    port = urlsplit(redirect_uri).port or 0
    with socket.create_connection(("127.0.0.1", port)), ThreadPoolExecutor() as threads:
        waiting = threads.submit(listener.wait, STATE, 20)
        httpx.get(redirect_uri, params={"code": CODE, "state": STATE}, timeout=15)
        assert waiting.result() == CODE


def test_the_listener_does_not_wait_for_ever(listener: CallbackListener) -> None:
    with pytest.raises(TerminalApiError, match="Nobody logged in"):
        listener.wait(STATE, 0.05)


def test_nobody_else_can_reach_the_listener(listener: CallbackListener, redirect_uri: str) -> None:
    assert listener._server.server_address == ("127.0.0.1", urlsplit(redirect_uri).port)
    with pytest.raises(OSError, match="in use"):
        CallbackListener(redirect_uri)


@pytest.mark.parametrize("address", ["https://me.example/callback", "http://10.0.0.1/callback"])
def test_an_address_elsewhere_is_for_pasting(address: str) -> None:
    with pytest.raises(TerminalApiError, match="use --paste"):
        CallbackListener(address)


def answers(**by_server: httpx.Response) -> httpx.MockTransport:
    """Tesla's servers, each with its answer."""
    servers = {urlsplit(REGIONS[region]).hostname: given for region, given in by_server.items()}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        return servers[request.url.host]

    return httpx.MockTransport(answer)


def region_answer(region: str, url: str) -> httpx.Response:
    return httpx.Response(200, json={"response": {"region": region, "fleet_api_base_url": url}})


WRONG_REGION = httpx.Response(421, json={"error": f"user out of region, use base URL: {EU}, …"})
NOT_REGISTERED = httpx.Response(412, json=captured("errors/412_not_registered")["body"])


@pytest.mark.parametrize(
    ("by_server", "region"),
    [
        ({"NA": region_answer("na", NA)}, Region(NA, "NA")),
        ({"NA": region_answer("eu", f"{EU}/")}, Region(EU, "EU")),
        ({"NA": WRONG_REGION, "EU": region_answer("eu", EU)}, Region(EU, "EU")),
    ],
    ids=["here", "elsewhere", "misdirected"],
)
def test_the_region_is_where_tesla_says(
    by_server: dict[str, httpx.Response], region: Region
) -> None:
    assert find_region(NA, TOKEN, lambda: answers(**by_server)) == region


@pytest.mark.parametrize(
    ("by_server", "url", "remark"),
    [
        ({"NA": NOT_REGISTERED}, NA, "not registered at .*: run `tessie register`"),
        ({"NA": WRONG_REGION, "EU": NOT_REGISTERED}, EU, "not registered at"),
        ({"NA": WRONG_REGION, "EU": WRONG_REGION}, EU, "does not say which"),
        ({"NA": httpx.Response(421, text="go away")}, NA, "does not say which"),
        ({"NA": httpx.Response(403, json={"error": "missing scopes"})}, NA, "403 missing scopes"),
        ({"NA": httpx.Response(200, text=f"<html>{TOKEN}")}, NA, "did not tell the region"),
        ({"NA": region_answer("na", "https://evil.example")}, NA, "not Tesla's"),
        ({"NA": httpx.Response(401, json={"error": f"bad {TOKEN}"})}, NA, r"401 bad \[token\]"),
    ],
)  # fmt: skip
def test_where_tesla_does_not_say_the_reason_is_said(
    by_server: dict[str, httpx.Response], url: str, remark: str
) -> None:
    region = find_region(NA, TOKEN, lambda: answers(**by_server))
    assert region.fleet_api_url == url
    assert re.search(remark, region.remark), region.remark
    assert TOKEN not in region.remark


def test_a_token_of_the_simulator_is_not_sent_to_tesla() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.host == "127.0.0.1"
        return WRONG_REGION

    region = find_region("http://127.0.0.1:4433", TOKEN, lambda: httpx.MockTransport(answer))
    assert region == Region(EU, "EU")


def test_a_server_that_is_down_leaves_the_region_open() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    region = find_region(NA, TOKEN, lambda: httpx.MockTransport(fail))
    assert (region.fleet_api_url, region.name) == (NA, "NA")
    assert "did not tell the region" in region.remark


def test_an_application_is_registered_with_its_domain() -> None:
    sent: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, request.url.path) == ("POST", "/api/1/partner_accounts")
        sent.append(request.content)
        return httpx.Response(200, json={"response": {}})

    register(EU, TOKEN, "me.example", lambda: httpx.MockTransport(answer))
    assert sent == [b'{"domain":"me.example"}']


@pytest.mark.parametrize(
    ("status", "family"),
    [(403, TerminalApiError), (429, TransientApiError), (500, TransientApiError)],
)
def test_a_registration_that_fails_says_why(status: int, family: type[Exception]) -> None:
    transport = answers(EU=httpx.Response(status, json={"error": f"not with {TOKEN}"}))
    with pytest.raises(family, match=rf"{status} not with \[token\]"):
        register(EU, TOKEN, "me.example", lambda: transport)
