"""How an application and a person come to a token (`fleet_api.md` sections 1 and 2).

Here: the address where the person agrees, the answer that comes back from there, the account's
region, and the registration of the application. Not here: the token endpoint (`auth`).
"""

import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from tessie_pipeline.tesla.answers import Answer, Text, UndecodableAnswer, read
from tessie_pipeline.tesla.endpoints import PARTNER_ACCOUNTS, REGION, Endpoint
from tessie_pipeline.tesla.error_answers import ErrorFacts, decode_error, is_teslas_server
from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError
from tessie_pipeline.tesla.recording import Transport, extensions, unrecorded
from tessie_pipeline.tesla.sending import TIMEOUT

REGIONS = {
    "NA": "https://fleet-api.prd.na.vn.cloud.tesla.com",
    "EU": "https://fleet-api.prd.eu.vn.cloud.tesla.com",
    "CN": "https://fleet-api.prd.cn.vn.cloud.tesla.cn",
}
"""The regions' servers: North America and Asia-Pacific; Europe, Middle East, Africa; China."""

SCOPES = {
    "openid": "Tesla does not say who logged in",
    "offline_access": "no new access token when the first one ends, after 8 hours",
    "user_data": "Tesla may not tell the account's region",
    "vehicle_device_data": "no vehicles and nothing that they measure",
    "vehicle_location": "no coordinates, so no places",
    "energy_device_data": "no solar, no Powerwall and no energy history",
    "vehicle_charging_cmds": "no Supercharger bills",
}
"""The scopes that are asked for, and what a missing one costs."""

PARTNER_SCOPES = "openid vehicle_device_data vehicle_location energy_device_data"

_LOOPBACK = frozenset({"localhost", "127.0.0.1"})
_WORD = re.compile(r"[A-Za-z_]{1,40}")
_PAGE = "<!doctype html><meta charset=utf-8><title>tessie</title><p>{sentence}"


@dataclass(frozen=True)
class Region:
    """Where the account lives, as far as Tesla tells.

    Attributes:
        fleet_api_url: The server to ask.
        name: NA, EU or CN; None if it is not known.
        remark: What a person should know of it, empty if nothing.
    """

    fleet_api_url: str
    name: str | None
    remark: str = ""


class OtherLoginError(TerminalApiError):
    """The answer is not that of this login."""


class _RegionAnswer(Answer):
    region: Text | None = None
    fleet_api_base_url: Text


class _Enveloped(Answer):
    response: _RegionAnswer


def authorize_url(base_url: str, client_id: str, redirect_uri: str, state: str) -> str:
    """Where the person logs in at Tesla and grants the scopes."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(SCOPES),
        "state": state,
        "prompt_missing_scopes": "true",
    }
    return f"{base_url}?{urlencode(query)}"


def missing_scopes(granted: frozenset[str]) -> dict[str, str]:
    """Scopes that were asked for and not granted, with what that costs."""
    return {scope: cost for scope, cost in SCOPES.items() if scope not in granted}


def code_in(redirected_to: str, state: str) -> str:
    """The authorization code in the address that Tesla sent the browser to.

    Raises:
        TerminalApiError: it holds none, or is not the answer to the login of this `state`.
    """
    fields = dict(parse_qsl(redirected_to.strip().partition("?")[2].partition("#")[0]))
    given = fields.get("state", "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, state.encode()):
        raise OtherLoginError("This is not the answer to this login: run `tessie login` again")
    if "error" in fields:
        word = fields["error"] if _WORD.fullmatch(fields["error"]) else "it gave no reason"
        raise TerminalApiError(f"Tesla did not grant access: {word}")
    if not fields.get("code"):
        raise TerminalApiError("The address holds no code: run `tessie login` again")
    return fields["code"]


def region_of(code_or_token: str) -> str | None:
    """The region that an authorization code or refresh token begins with; None if none."""
    prefix = code_or_token.partition("_")[0]
    return prefix if prefix in REGIONS else None


class CallbackListener:
    """A server on 127.0.0.1 that takes one answer from the browser; use it in a `with` block."""

    def __init__(self, redirect_uri: str) -> None:
        """Listen at the port of `redirect_uri`.

        Raises:
            TerminalApiError: the browser would not come to this machine.
            OSError: the port is taken.
        """
        address = urlsplit(redirect_uri)
        if address.scheme != "http" or address.hostname not in _LOOPBACK:
            raise TerminalApiError(f"{redirect_uri} does not lead to this machine: use --paste")
        self._path = address.path or "/"
        self._server = HTTPServer(("127.0.0.1", address.port or 80), self._handler())
        self._answer: str | TerminalApiError | None = None
        self._state = ""

    def __enter__(self) -> "CallbackListener":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def wait(self, state: str, patience_s: float) -> str:
        """The authorization code of the first answer to this login.

        Raises:
            TerminalApiError: as `code_in`, or nobody came.
        """
        self._state = state
        end_s = time.monotonic() + patience_s
        while self._answer is None:
            self._server.timeout = end_s - time.monotonic()
            if self._server.timeout <= 0:
                raise TerminalApiError("Nobody logged in: run `tessie login` again, or --paste")
            self._server.handle_request()
        if isinstance(self._answer, TerminalApiError):
            raise self._answer
        return self._answer

    def _take(self, redirected_to: str) -> tuple[int, str]:
        """Status and sentence for the browser; what is of another login does not end this one."""
        if redirected_to.partition("?")[0] != self._path:
            return 404, "There is nothing here."
        try:
            self._answer = code_in(redirected_to, self._state)
        except OtherLoginError as error:
            return 400, str(error)
        except TerminalApiError as error:
            self._answer = error
            return 400, str(error)
        return 200, "Tesla has answered. Go on in the terminal; this page can be closed."

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 2  # browsers open connections that they may never use

            def do_GET(self) -> None:
                status, sentence = listener._take(self.path)
                body = _PAGE.format(sentence=sentence).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: the request line holds the code."""

        return Handler


def find_region(base_url: str, access_token: str, transport: Transport = unrecorded) -> Region:
    """The account's region, by `/users/region` of `base_url` or of the server a 421 names.

    Where Tesla does not tell, it is `base_url` with a remark that says why. A 421 of a server that
    is not Tesla's (the simulator, a proxy) sends the token nowhere else.
    """
    try:
        facts, text = _sent(REGION, base_url, access_token, transport)
        if facts and facts.base_url and facts.base_url != base_url:
            if not is_teslas_server(base_url):
                return Region(facts.base_url, _name_of(facts.base_url))
            base_url = facts.base_url
            facts, text = _sent(REGION, base_url, access_token, transport)
        if facts is None:
            found = read(_Enveloped, text).response
            told = found.fleet_api_base_url.rstrip("/")
            if is_teslas_server(base_url) and not is_teslas_server(told):
                return _untold(base_url, f"{base_url} names a server that is not Tesla's.")
            return Region(told, (found.region or "").upper() or None)
    except (TransientApiError, UndecodableAnswer):
        return _untold(base_url, f"{base_url} did not tell the region; it is asked for now.")
    if facts.status == httpx.codes.PRECONDITION_FAILED:
        remark = f"The application is not registered at {base_url}: run `tessie register`."
    elif facts.status == httpx.codes.MISDIRECTED_REQUEST:
        remark = f"The account lives in another region than {base_url}; Tesla does not say which."
    else:
        remark = f"{base_url} did not tell the region: {facts.status} {facts.message}"
    return _untold(base_url, remark)


def register(
    base_url: str, partner_token: str, domain: str, transport: Transport = unrecorded
) -> None:
    """Register the application for a region's server, which fetches the public key of `domain`.

    Raises:
        TransientApiError: the server did not answer.
        TerminalApiError: it refused, with its reason.
    """
    facts, _ = _sent(PARTNER_ACCOUNTS, base_url, partner_token, transport, {"domain": domain})
    if facts is None:
        return
    kind = TransientApiError if facts.status >= 500 or facts.status == 429 else TerminalApiError
    raise kind(f"{facts.status} {facts.message}")


def _untold(base_url: str, remark: str) -> Region:
    return Region(base_url, _name_of(base_url), remark)


def _name_of(base_url: str) -> str | None:
    return next((name for name, url in REGIONS.items() if url == base_url), None)


def _sent(
    endpoint: Endpoint,
    base_url: str,
    token: str,
    transport: Transport,
    body: Mapping[str, str] | None = None,
) -> tuple[ErrorFacts | None, str]:
    """The text of a 200, or the facts of another answer.

    Raises:
        TransientApiError: there was no answer.
    """
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=base_url, transport=transport(), timeout=TIMEOUT) as http:
            response = http.request(
                endpoint.method,
                endpoint.path,
                headers=headers,
                json=body,
                extensions=extensions(endpoint),
            )
    except TimeoutError as error:
        raise TransientApiError(str(error)) from None
    except httpx.RequestError as error:
        # A LocalProtocolError quotes the header that cannot be sent, and so the token.
        raise TransientApiError(f"no answer ({type(error).__name__})") from None
    if response.status_code == httpx.codes.OK:
        return None, response.text
    return decode_error(response.status_code, response.headers, response.text), response.text
