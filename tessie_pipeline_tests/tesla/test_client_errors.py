"""What the client makes of answers that are errors, and of connections that fail."""

import json
import socket
import struct
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tessie_pipeline.tesla import client
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError
from tessie_pipeline_tests.tesla.captured import captured

TOKEN = "eyJhbGciOiJSUzI1NiJ9.bm90LWEtcmVhbC10b2tlbg.c2lnbmF0dXJl"

Handler = Callable[[httpx.Request], httpx.Response]
Respond = Callable[[BaseHTTPRequestHandler], None]


class Bearer(httpx.Auth):
    """Sends a token as it is."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with the token."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


def fleet_api(handler: Handler, attempts: int = 1) -> FleetApi:
    """A client whose requests go to `handler`."""
    transport = httpx.MockTransport(handler)
    return FleetApi("https://fleet.example", Bearer(), transport=transport, attempts=attempts)


def answering(
    status: int, body: object = "", headers: dict[str, str] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    """Gives the same answer to all requests; what is not text is sent as JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda _: httpx.Response(status, text=text, headers=headers)


def answering_as_captured(name: str) -> Handler:
    answer = captured(f"errors/{name}")
    return answering(answer["status"], answer["body"], answer["headers"])


@contextmanager
def serving_by_hand(respond: Respond) -> Iterator[str]:
    """A server on this machine that does with each request what `respond` says."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            respond(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def reset(request: BaseHTTPRequestHandler) -> None:
    """Break the connection off."""
    linger_no_time = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
    request.connection.close()
    request.close_connection = True


def send(status: int, body: bytes, **headers: str) -> Respond:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return respond


@pytest.mark.parametrize("name", ["408_asleep", "408_vehicle_unavailable_nested"])
def test_a_car_that_cannot_be_reached_gives_no_answer_and_no_error(name: str) -> None:
    assert fleet_api(answering_as_captured(name)).vehicle_data(1) is None


def test_a_car_in_service_gives_no_answer_and_no_error() -> None:
    body = {"response": None, "error": "vehicle is currently in service"}
    assert fleet_api(answering(405, body)).vehicle_data(1) is None


def test_a_site_that_times_out_is_an_error_that_passes() -> None:
    with pytest.raises(TransientApiError, match="GET /api/1/energy_sites/7/live_status: 408 "):
        fleet_api(answering_as_captured("408_asleep")).live_status(7)


HTML = "<html><head><title>x</title></head><body><h1>Bad Gateway</h1></body></html>"


@pytest.mark.parametrize(
    ("handler", "sentence", "retry_after_s"),
    [
        (answering_as_captured("500_upstream_internal_error"), "500 upstream internal error", None),
        (answering(502, HTML), "502 Bad Gateway", None),
        (answering(503, "", {"Retry-After": "7"}), "503 503 Service Unavailable", 7),
        (answering_as_captured("504_upstream_timeout"), "504 upstream_timeout", None),
        (answering(499), "499 499", None),
        (answering(540), "540 540", None),
        (answering(429, "", {"Retry-After": "12"}), "429 429 Too Many Requests", 12),
        (answering(429), "429 429 Too Many Requests", 60),
        (answering_as_captured("429_daily_limit_2024"), "429 Retry in 45983 seconds", 45_983),
        (answering(200, HTML), "the answer is not JSON", None),
        (answering(200), "the answer is not JSON", None),
        (lambda _: httpx.Response(200, content=b'"\xff"'), "the answer is not JSON", None),
    ],
    ids=["500", "502 HTML", "503", "504", "499", "540", "429", "429 without a wait",
         "429 in words", "200 HTML", "200 empty", "200 not UTF-8"],
)  # fmt: skip
def test_what_may_pass_by_itself_is_transient_with_the_wait_that_tesla_asks_for(
    handler: Handler, sentence: str, retry_after_s: float | None
) -> None:
    with pytest.raises(TransientApiError) as error:
        fleet_api(handler).products()
    assert str(error.value).startswith("GET /api/1/products: ")
    assert sentence in str(error.value)
    assert error.value.retry_after_s == retry_after_s


@pytest.mark.parametrize(
    ("handler", "sentence"),
    [
        (answering(400, {"error": "invalid_field"}), "400 invalid_field"),
        (
            answering_as_captured("401_invalid_bearer_token"),
            "401 invalid bearer token (log in again: tessie login)",
        ),
        (
            answering(402, {"error": "payment required"}),
            "402 payment required (the Tesla developer account needs a payment method)",
        ),
        (
            answering_as_captured("403_exceeded_limit"),
            "403 account disabled: EXCEEDED_LIMIT "
            "(raise the billing limit of the Tesla developer account)",
        ),
        (
            answering(404, {"error": "not_found"}),
            "404 not_found (the vehicle or site is not on this account any more)",
        ),
        (answering(423), "(the Tesla account is locked)"),
        (answering(451), "(Tesla may not answer this where the account lives)"),
        (
            answering(421, {"error": "user out of region"}),
            "421 user out of region "
            "(set TESSIE_FLEET_API_URL to the address of the account's region)",
        ),
    ],
    ids=["400", "401", "402", "403", "404", "423", "451", "421 without the address"],
)
def test_what_a_person_has_to_mend_is_terminal_and_says_how(
    handler: Handler, sentence: str
) -> None:
    with pytest.raises(TerminalApiError) as error:
        fleet_api(handler).products()
    assert str(error.value).startswith("GET /api/1/products: ")
    assert str(error.value).endswith(sentence)


def test_an_application_that_is_not_registered_is_told_where_to_register() -> None:
    with pytest.raises(TerminalApiError) as error:
        fleet_api(answering_as_captured("412_not_registered")).site_info(7)
    assert str(error.value).startswith("GET /api/1/energy_sites/7/site_info: 412 Account ")
    assert str(error.value).endswith("(register the application in this region: tessie register)")


def test_no_token_follows_a_redirection() -> None:
    asked: list[httpx.URL] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(302, headers={"Location": "https://elsewhere.example/"})

    with pytest.raises(TerminalApiError, match="302 Found"):
        fleet_api(redirect).products()
    assert [url.host for url in asked] == ["fleet.example"]


def hang(request: BaseHTTPRequestHandler) -> None:
    """Say nothing until the client gives up."""
    request.connection.recv(1)


@pytest.mark.parametrize(
    ("respond", "sentence"),
    [
        (reset, "ReadError"),
        (hang, "ReadTimeout"),
        (send(200, b"abc", Content_Encoding="gzip"), "DecodingError"),
        (lambda request: request.wfile.write(b"SSH-2.0\r\n\r\n"), "RemoteProtocolError"),
    ],
    ids=["reset", "no answer in time", "damaged", "not HTTP"],
)
def test_a_connection_that_fails_is_transient(
    respond: Respond, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", httpx.Timeout(5, read=0.2))
    with (
        serving_by_hand(respond) as url,
        FleetApi(url, Bearer(), attempts=1) as fleet_api,
        pytest.raises(TransientApiError, match=f"GET /api/1/products failed: {sentence}") as error,
    ):
        fleet_api.products()
    assert error.value.retry_after_s is None


def test_a_server_that_is_not_there_is_transient() -> None:
    with serving_by_hand(reset) as url:
        pass
    with (
        FleetApi(url, Bearer(), attempts=1) as fleet_api,
        pytest.raises(TransientApiError, match=r"ConnectError.*refused"),
    ):
        fleet_api.products()


def told(error: FleetApiError) -> str:
    """All that a person or a log gets to see of an error."""
    return f"{error!r} {error} " + "".join(traceback.format_exception(error))


@pytest.mark.parametrize("status", [400, 401, 403, 421, 500])
def test_a_token_that_an_answer_repeats_is_not_shown(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    def repeat(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json={"error": request.headers["Authorization"]})

    api = fleet_api(repeat)
    with pytest.raises(FleetApiError) as error:
        api.products()
    assert "Bearer [token]" in str(error.value)
    assert TOKEN not in told(error.value) + caplog.text + repr(api)


def test_a_token_that_cannot_be_sent_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with (
        serving_by_hand(send(200, b"{}")) as url,
        FleetApi(url, Bearer(f"{TOKEN}\n")) as api,
        pytest.raises(TransientApiError, match="GET /api/1/products failed") as error,
    ):
        api.products()
    assert TOKEN not in told(error.value) + caplog.text
