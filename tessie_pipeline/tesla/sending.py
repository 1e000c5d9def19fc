"""Requests to the Fleet API: what stands against them, tries, and what comes of them.

A hold is looked up before each request, so that what Tesla asked of one process holds for all. Not
here: pace and the book of calls (`recording`), which endpoints there are (`client`), and what
errors mean (`verdicts`).
"""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from tessie_pipeline.domain.calls import RATE_LIMIT, Hold
from tessie_pipeline.tesla.auth import LoginRequired
from tessie_pipeline.tesla.endpoints import Endpoint, Kind
from tessie_pipeline.tesla.error_answers import ErrorFacts, decode_error, is_teslas_server
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError
from tessie_pipeline.tesla.recording import CallBook, Now, extensions
from tessie_pipeline.tesla.verdicts import Family, Scope, Verdict, judge

TIMEOUT = httpx.Timeout(30, connect=10)
LONGEST_WAIT_S = 60.0
"""A wait that Tesla asks for is waited here up to this; a longer one is the caller's."""

TOKENS_HELD = timedelta(minutes=15)
"""Pause of the account after the token endpoint refused for a reason that a person has to mend."""

_wait_to_try_again = wait_exponential_jitter(initial=1, max=20)


class Sender:
    """Sends requests of one account, one after the other."""

    def __init__(
        self,
        http: httpx.Client,
        book: CallBook,
        attempts: int,
        now: Now,
    ) -> None:
        """Send by `http`, whose transport is `Recorded`, at most `attempts` times."""
        self._http = http
        self._book = book
        self._attempts = attempts
        self._now = now

    def send(
        self,
        endpoint: Endpoint,
        tesla_id: int | None = None,
        query: Mapping[str, str] | None = None,
    ) -> object | None:
        """The answer's JSON; None for a vehicle that cannot be reached or is in service.

        Raises:
            TransientApiError: Tesla or the network failed for now, or asks to wait for longer.
            TerminalApiError: a person has to mend something, now or since an earlier call.
        """
        tries = Retrying(
            stop=stop_after_attempt(1 if endpoint.kind is Kind.WAKE else self._attempts),
            wait=_wait_s,
            retry=retry_if_exception(_may_pass_soon),
            reraise=True,
        )
        return tries(self._send_once, endpoint, tesla_id, query)

    def _send_once(
        self, endpoint: Endpoint, tesla_id: int | None, query: Mapping[str, str] | None
    ) -> object | None:
        self._stand_by(endpoint, tesla_id)
        response = self._request(endpoint, tesla_id, query)
        if response.status_code == httpx.codes.MISDIRECTED_REQUEST:
            response = self._moved(response, endpoint, tesla_id, query)
        what = f"{endpoint.method} {response.request.url.path}"
        if response.status_code == httpx.codes.OK:
            try:
                body = response.json()
            except (ValueError, RecursionError):
                raise TransientApiError(f"{what}: the answer is not JSON") from None
            return {"response": None} if body is None else body
        facts = decode_error(response.status_code, response.headers, response.text)
        verdict = judge(endpoint, facts)
        if verdict.family is Family.OBSERVATION:
            return None
        raise self._failed(what, endpoint, tesla_id, facts, verdict)

    def _stand_by(self, endpoint: Endpoint, tesla_id: int | None) -> None:
        """Wait out a short hold, to the second.

        Raises:
            TransientApiError, TerminalApiError: a hold that is not short stands against the call.
        """
        waited_until: datetime | None = None
        while hold := self._book.hold_against(endpoint.name, tesla_id or 0):
            if hold.held_until is not None and hold.held_until == waited_until:
                return  # by the clock that waits
            if hold.code != RATE_LIMIT or hold.held_until is None:
                raise TerminalApiError(hold.reason)
            wait_s = (hold.held_until - self._now()).total_seconds()
            if wait_s > LONGEST_WAIT_S:
                raise TransientApiError(hold.reason, retry_after_s=wait_s)
            time.sleep(max(wait_s, 0.0))
            waited_until = hold.held_until

    def _request(
        self, endpoint: Endpoint, tesla_id: int | None, query: Mapping[str, str] | None
    ) -> httpx.Response:
        path = endpoint.path.partition("?")[0].replace("{id}", str(tesla_id))
        try:
            return self._http.request(
                endpoint.method, path, params=query, extensions=extensions(endpoint, tesla_id)
            )
        except httpx.RequestError as error:
            what = f"{endpoint.method} {path}"
            raise TransientApiError(f"{what} failed: {_shown(error)}") from None
        except TimeoutError as error:
            raise TransientApiError(str(error)) from None
        except LoginRequired:  # whoever keeps the tokens has put the hold, under their lock
            raise
        except TerminalApiError as error:  # of the token endpoint
            held_until = self._now() + TOKENS_HELD
            self._book.put_hold(Hold("", 0, held_until, "unauthorized", str(error)))
            raise

    def _moved(
        self,
        response: httpx.Response,
        endpoint: Endpoint,
        tesla_id: int | None,
        query: Mapping[str, str] | None,
    ) -> httpx.Response:
        """The answer of the region that a 421 names, which is kept; the 421 if it names none."""
        facts = decode_error(response.status_code, response.headers, response.text)
        here = str(self._http.base_url).rstrip("/")
        there = facts.base_url
        if there is None or there == here or not is_teslas_server(here):
            return response
        self._http.base_url = httpx.URL(there)
        self._book.move_to(there)
        return self._request(endpoint, tesla_id, query)

    def _failed(
        self,
        what: str,
        endpoint: Endpoint,
        tesla_id: int | None,
        facts: ErrorFacts,
        verdict: Verdict,
    ) -> FleetApiError:
        """The error to raise, after keeping what it stands against."""
        remedy = f" ({verdict.remedy})" if verdict.remedy else ""
        sentence = f"{what}: {facts.status} {facts.message}{remedy}"
        if verdict.scope is not Scope.NOTHING:
            is_any_endpoint = verdict.scope in (Scope.ACCOUNT, Scope.SUBJECT)
            is_any_subject = verdict.scope in (Scope.ACCOUNT, Scope.ENDPOINT)
            self._book.put_hold(
                Hold(
                    endpoint="" if is_any_endpoint else endpoint.name,
                    tesla_id=0 if is_any_subject else tesla_id or 0,
                    held_until=None if verdict.hold_for is None else self._now() + verdict.hold_for,
                    code=verdict.code,
                    reason=sentence,
                )
            )
        if verdict.family is Family.TERMINAL:
            return TerminalApiError(sentence)
        wait_s = facts.retry_after_s
        if verdict.hold_for is not None:
            wait_s = verdict.hold_for.total_seconds()
        return TransientApiError(sentence, retry_after_s=wait_s)


def _may_pass_soon(error: BaseException) -> bool:
    return isinstance(error, TransientApiError) and (error.retry_after_s or 0) <= LONGEST_WAIT_S


def _wait_s(state: RetryCallState) -> float:
    """What Tesla asked for, else a wait that doubles, with jitter."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, TransientApiError) else None
    return _wait_to_try_again(state) if asked_s is None else asked_s


def _shown(error: httpx.RequestError) -> str:
    # A LocalProtocolError quotes the header that cannot be sent, and so the token.
    return type(error).__name__ if isinstance(error, httpx.LocalProtocolError) else repr(error)
