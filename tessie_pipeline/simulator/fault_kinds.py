"""What can be wrong with an answer: every kind of fault by name, and Tesla's error answers.

Bodies are captured ones where there are any (`tessie_pipeline_tests/data/errors`), else worded
like the official list of codes. When a fault happens is in `faults.py`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from tessie_pipeline.simulator.errors import (
    ApiError,
    enveloped,
    invalid_bearer,
    invalid_request,
    login_required,
    missing_scopes,
    not_found,
    not_registered,
    oauth_error,
    out_of_region,
    token_expired,
    vehicle_unavailable,
)

DAILY_LIMIT_S = 45_983
REQUESTS_PER_MIN = 60
_ASLEEP = "vehicle unavailable: vehicle is offline or asleep"
_BAD_GATEWAY = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n"
    "</body>\r\n</html>\r\n"
)
_MAINTENANCE = "<html><head><title>Maintenance</title></head><body>Be right back.</body></html>"


@dataclass(frozen=True)
class Answer:
    """A whole HTTP answer; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


_JSON_ERRORS: dict[str, Callable[[], ApiError]] = {
    "400_server_error": lambda: oauth_error(400, "server_error", "Internal server error"),
    "400_invalid_auth_code": lambda: oauth_error(400, "invalid_auth_code", "The code is invalid."),
    "400_invalid_request": lambda: invalid_request("The request is not valid."),
    "401_token_expired": token_expired,
    "401_invalid_bearer": invalid_bearer,
    "401_login_required": login_required,
    "401_mobile_access_disabled": lambda: enveloped(401, "mobile_access_disabled"),
    "402_payment_required": lambda: enveloped(402, "payment_required"),
    "403_missing_scopes": missing_scopes,
    "403_exceeded_limit": lambda: ApiError(403, {"error": "account disabled: EXCEEDED_LIMIT"}),
    "404_not_found": not_found,
    "405_in_service": lambda: enveloped(405, "vehicle is currently in service"),
    "406_not_acceptable": lambda: enveloped(406, "not_acceptable"),
    "408_asleep": vehicle_unavailable,
    "408_nested": lambda: enveloped(408, 'vehicle unavailable: {:error=>"vehicle unavailable:"}'),
    "412_not_registered": not_registered,
    "422_invalid_resource": lambda: enveloped(422, "invalid_resource"),
    "423_locked": lambda: enveloped(423, "account_locked"),
    "451_legal_reasons": lambda: enveloped(451, "resource_unavailable_for_legal_reasons"),
    "499_client_closed": lambda: enveloped(499, "client_closed_request"),
    "500_upstream": lambda: enveloped(500, "upstream internal error"),
    "500_asleep": lambda: enveloped(500, _ASLEEP),
    "503_unavailable": lambda: enveloped(503, "service_unavailable"),
    "504_upstream_timeout": lambda: enveloped(504, "upstream_timeout"),
    "540_device_unexpected": lambda: enveloped(540, "device_unexpected_response"),
}
_OTHER_ERRORS = (
    "401_empty",
    "421_wrong_region",
    "429_retry_after",
    "429_plain_text",
    "429_daily_limit",
    "502_html",
    "not_json",
    "empty_body",
)
REPLACING = frozenset(_JSON_ERRORS) | frozenset(_OTHER_ERRORS)
"""Answers given before the request reached anything: no car, no token."""
SPOILING = frozenset(
    {"missing_keys", "empty_values", "wrong_types", "null_states", "null_response"}
)
"""True answers with wrong content."""
OF_ANOTHER_TIME = frozenset({"stale", "repeated", "out_of_order"})
"""Right answers at the wrong moment."""
BROKEN = frozenset({"latency", "truncated_json", "cut_off", "connection_reset", "answer_lost"})
"""Broken or slow transport; all but connection_reset reach the car."""
KINDS = REPLACING | SPOILING | OF_ANOTHER_TIME | BROKEN

_OF_SIGN_IN = {"400_server_error", "400_invalid_auth_code", "401_login_required"}
_OF_CARS = {kind for kind in KINDS if kind.startswith(("405", "408", "540"))} | {
    "401_mobile_access_disabled",
    "500_asleep",
}
_OF_ALL = BROKEN | {kind for kind in REPLACING if kind.startswith(("429", "499", "50"))}
PASSING = frozenset(
    {"400_server_error", "not_json", "empty_body", "429_retry_after"}
    | SPOILING
    | OF_ANOTHER_TIME
    | BROKEN
    | {kind for kind in KINDS if kind.startswith(("408", "499", "50", "540"))}
)
"""Faults that a client can outlast without a person: what random faults are drawn from."""


def fits(kind: str, path: str) -> bool:
    """Whether Tesla could do this on a path; a plan may do it anyway, chance does not."""
    if kind in _OF_SIGN_IN:
        return path.startswith("/oauth2/")
    if kind in _OF_CARS:
        return path.startswith("/api/1/vehicles/")
    return kind in _OF_ALL - _OF_CARS or path.startswith("/api/")


def replacing_answer(kind: str, retry_after_s: int, base_url: str) -> Answer:
    """The answer of a kind in REPLACING.

    429 comes as captured: plain text, with headers or (`429_plain_text`) without.
    """
    if kind in _JSON_ERRORS:
        error = _JSON_ERRORS[kind]()
        return json_answer(error.status, error.body)
    if kind == "421_wrong_region":
        error = out_of_region(base_url)
        return json_answer(error.status, error.body)
    if kind == "429_retry_after":
        return _rate_limited(REQUESTS_PER_MIN, retry_after_s)
    if kind == "429_daily_limit":
        return _rate_limited(300, DAILY_LIMIT_S)
    if kind == "429_plain_text":
        return _text(429, "text/plain", f"Retry in {retry_after_s} seconds")
    if kind == "502_html":
        return _text(502, "text/html", _BAD_GATEWAY)
    if kind == "not_json":
        return _text(200, "text/html", _MAINTENANCE)
    return Answer(401 if kind == "401_empty" else 200, (("content-length", "0"),), b"")


def json_answer(status: int, body: Any) -> Answer:
    """A JSON answer with Tesla's transaction header."""
    content = json.dumps(body, separators=(",", ":")).encode()
    headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(content))),
        ("x-txid", token_hex(16)),
    )
    return Answer(status, headers, content)


def _text(status: int, media_type: str, text: str, *headers: tuple[str, str]) -> Answer:
    content = text.encode()
    own = (("content-type", media_type), ("content-length", str(len(content))))
    return Answer(status, (*own, *headers), content)


def _rate_limited(limit: int, wait_s: int) -> Answer:
    return _text(
        429,
        "text/plain",
        f"Retry in {wait_s} seconds",
        ("ratelimit-limit", str(limit)),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", str(wait_s)),
        ("retry-after", str(wait_s)),
    )
