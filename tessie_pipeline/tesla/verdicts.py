"""What an error answer means for further calls (`fleet_api.md` section 5).

An observation, a failure that may pass by itself, or one that stands until a person mends it: then
the endpoint, the vehicle or site, or the whole account is held for a while. Every hold but that of
a lost login ends by itself, so that what was mended goes on unasked.
"""

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto

from tessie_pipeline.domain.calls import LOGIN_REQUIRED, RATE_LIMIT
from tessie_pipeline.tesla.endpoints import Endpoint, Kind
from tessie_pipeline.tesla.error_answers import ErrorFacts

RATE_WINDOW = timedelta(minutes=1)
"""Wait after a 429 that names none: Tesla counts requests by the minute."""

LIST_HELD = timedelta(minutes=15)
"""The longest hold of the list of products."""

_UNREACHABLE = frozenset({405, 408})
_TRANSIENT = frozenset({408, 499, 540})
_ASLEEP = re.compile(r"(?i)vehicle unavailable|offline or asleep")
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class Family(Enum):
    """What is to be done about an answer."""

    OBSERVATION = auto()
    TRANSIENT = auto()
    TERMINAL = auto()


class Scope(Enum):
    """What a failure stands against."""

    NOTHING = auto()
    CALL = auto()
    """This endpoint, for this vehicle or site."""
    ENDPOINT = auto()
    SUBJECT = auto()
    ACCOUNT = auto()


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    Attributes:
        family: what is to be done about it.
        scope: what is held.
        hold_for: how long; None until the next login.
        code: why, in a word.
        remedy: what a person can do; empty if nothing.
    """

    family: Family
    scope: Scope = Scope.NOTHING
    hold_for: timedelta | None = None
    code: str = ""
    remedy: str = ""


def _terminal(scope: Scope, hold_for: timedelta | None, code: str, remedy: str) -> Verdict:
    return Verdict(Family.TERMINAL, scope, hold_for, code, remedy)


_BY_WORDS = (
    (
        re.compile(r"(?i)login_required"),
        _terminal(Scope.ACCOUNT, None, LOGIN_REQUIRED, "log in again: tessie login"),
    ),
    (
        re.compile(r"(?i)exceeded_limit"),
        _terminal(
            Scope.ACCOUNT,
            timedelta(minutes=15),
            "billing_limit",
            "raise the billing limit of the Tesla developer account",
        ),
    ),
    (
        re.compile(r"(?i)mobile_access_disabled"),
        _terminal(
            Scope.SUBJECT, _HOUR, "mobile_access", "allow mobile access in the car's safety menu"
        ),
    ),
    (
        re.compile(r"(?i)missing scopes|invalid_scope"),
        _terminal(
            Scope.ENDPOINT,
            _DAY,
            "missing_scope",
            "grant the application its scopes: tessie login",
        ),
    ),
)
_BY_STATUS = {
    401: _terminal(
        Scope.ACCOUNT, timedelta(minutes=15), "unauthorized", "log in again: tessie login"
    ),
    402: _terminal(
        Scope.ACCOUNT,
        _HOUR,
        "payment_needed",
        "the Tesla developer account needs a payment method",
    ),
    403: _terminal(Scope.CALL, _DAY, "forbidden", "Tesla does not allow this for it"),
    404: _terminal(
        Scope.CALL, _HOUR, "not_found", "the vehicle or site is not on this account any more"
    ),
    412: _terminal(
        Scope.ACCOUNT,
        _HOUR,
        "not_registered",
        "register the application in this region: tessie register",
    ),
    421: _terminal(
        Scope.ACCOUNT,
        _HOUR,
        "wrong_region",
        "set TESSIE_FLEET_API_URL to the address of the account's region",
    ),
    423: _terminal(Scope.ACCOUNT, _HOUR, "account_locked", "the Tesla account is locked"),
    451: _terminal(
        Scope.ENDPOINT, _DAY, "blocked", "Tesla may not answer this where the account lives"
    ),
}
_OTHER = _terminal(Scope.CALL, _HOUR, "refused", "")


def judge(endpoint: Endpoint, facts: ErrorFacts) -> Verdict:
    """What an answer other than 200 means, told by its words first, then by its status."""
    status = facts.status
    if endpoint.kind is Kind.VEHICLE and (
        status in _UNREACHABLE or (status >= 500 and _ASLEEP.search(facts.message))
    ):
        return Verdict(Family.OBSERVATION)
    if status == 429:
        asked_s = facts.retry_after_s
        wait = RATE_WINDOW if asked_s is None else timedelta(seconds=max(1.0, asked_s))
        return Verdict(Family.TRANSIENT, Scope.ACCOUNT, wait, RATE_LIMIT)
    if status >= 500 or status in _TRANSIENT:
        return Verdict(Family.TRANSIENT)
    for words, verdict in _BY_WORDS:
        if status in (401, 403) and words.search(facts.message):
            return verdict
    return _fitting(endpoint, _BY_STATUS.get(status, _OTHER))


def _fitting(endpoint: Endpoint, verdict: Verdict) -> Verdict:
    """The verdict as it fits the endpoint.

    What is refused for one vehicle or site says nothing of the account, of which the list tells;
    and without the list nothing goes on, so that it is soon tried again.
    """
    if endpoint.kind is not Kind.LIST:
        is_unsure = verdict.code in ("unauthorized", "not_registered")
        return replace(verdict, scope=Scope.CALL) if is_unsure else verdict
    if verdict.hold_for is not None and verdict.hold_for > LIST_HELD:
        return replace(verdict, hold_for=LIST_HELD)
    return verdict
