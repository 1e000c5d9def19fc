"""What an error answer says (`fleet_api.md` section 5): a sentence, when to come back, where to go.

Here: facts read from status, headers and text. Not here: what to do about them.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus

_LONGEST_MESSAGE = 300
_LONGEST_WAIT_S = timedelta(days=31).total_seconds()
_UNREAD_HTML = re.compile(r"(?is)<(head|style|script)\b.*?</\1\s*>|<!--.*?-->")
_TAG = re.compile(r"<[^<>]*>")
_TOKEN = re.compile(r"\b(?:eyJ|(?:NA|EU|CN)_)[\w.\-]{16,}")
_RETRY_IN = re.compile(r"(?i)\bretry (?:in|after) (\d{1,9})\s*s")
_BASE_URL = re.compile(r"https://fleet-api\.prd\.[a-z]{2}\.vn\.cloud\.tesla\.(?:com|cn)\b")


@dataclass(frozen=True)
class ErrorFacts:
    """What an error answer says.

    Attributes:
        status: HTTP status.
        message: Tesla's words in one line, without tags and tokens; the status's own name if none.
        retry_after_s: Seconds to wait, None where the answer does not say.
        base_url: The right region's server, which only a 421 names.
    """

    status: int
    message: str
    retry_after_s: float | None
    base_url: str | None


def decode_error(status: int, headers: Mapping[str, str], text: str) -> ErrorFacts:
    """The facts of any answer that is not a success; every text is understood or quoted."""
    lower_headers = {name.lower(): value for name, value in headers.items()}
    base_url = _BASE_URL.search(text) if status == HTTPStatus.MISDIRECTED_REQUEST else None
    return ErrorFacts(
        status=status,
        message=_message(status, text),
        retry_after_s=_retry_after_s(lower_headers, text),
        base_url=base_url.group() if base_url else None,
    )


def is_teslas_server(base_url: str) -> bool:
    """Whether an address is that of one of Tesla's regions."""
    return _BASE_URL.fullmatch(base_url) is not None


def _message(status: int, text: str) -> str:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, Mapping):
        parts = [body.get("error"), body.get("error_description")]
    else:
        parts = [unescape(_TAG.sub(" ", _UNREAD_HTML.sub(" ", text)))]
    words = ": ".join(part for part in parts if isinstance(part, str) and part.strip())
    message = _TOKEN.sub("[token]", " ".join(words.split()))[:_LONGEST_MESSAGE]
    return message or _status_name(status)


def _status_name(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _retry_after_s(headers: Mapping[str, str], text: str) -> float | None:
    """Seconds from Retry-After (a number or a date), RateLimit-Reset or "Retry in N seconds"."""
    in_text = _RETRY_IN.search(text)
    waits_s = (
        _seconds(headers.get("retry-after")),
        _seconds_until(headers.get("retry-after"), headers.get("date")),
        _seconds(headers.get("ratelimit-reset")),
        float(in_text.group(1)) if in_text else None,
    )
    return next((s for s in waits_s if s is not None and 0 <= s <= _LONGEST_WAIT_S), None)


def _seconds(value: str | None) -> float | None:
    try:
        return float(value or "")
    except ValueError:
        return None


def _seconds_until(end: str | None, now: str | None) -> float | None:
    try:
        return (parsedate_to_datetime(end or "") - parsedate_to_datetime(now or "")).total_seconds()
    except (TypeError, ValueError):
        return None
