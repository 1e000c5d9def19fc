"""The book of calls: every request is written down as it was billed, at a pace that all keep to.

Here: the transport that all requests to Tesla's servers go through, those for tokens included. Not
here: what is sent (`client`, `auth`, `login`), and where the book is kept.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import httpx

from tessie_pipeline.domain.calls import ApiCall, Hold
from tessie_pipeline.tesla.endpoints import Billing, Endpoint, Kind
from tessie_pipeline.tesla.error_answers import decode_error

Now = Callable[[], datetime]

Transport = Callable[[], httpx.BaseTransport]
"""Makes a transport, for a client that closes it."""

unrecorded: Transport = partial(httpx.HTTPTransport, http2=True)
"""Over the network, for who keeps no book."""

wall_clock: Now = partial(datetime.now, UTC)


def extensions(endpoint: Endpoint, tesla_id: int | None = None) -> dict[str, object]:
    """What a request is about, for the transport that writes it down."""
    return {"endpoint": endpoint, "tesla_id": tesla_id}


class CallBook(Protocol):
    """Where calls and holds are kept, for all processes."""

    def hold_against(self, endpoint: str, tesla_id: int) -> Hold | None:
        """What stands against this call now."""
        ...

    def put_hold(self, hold: Hold) -> None:
        """Keep what stands against calls."""
        ...

    def record(self, call: ApiCall) -> None:
        """Write a call down."""
        ...

    def move_to(self, base_url: str) -> None:
        """Keep the address of the account's region."""
        ...


class Recorded(httpx.BaseTransport):
    """A transport that keeps to a rate and writes down every request as it was billed.

    Requests without an answer are written down, too. A request names its endpoint, and the vehicle
    or site it is about, in its extensions (`extensions`).
    """

    def __init__(
        self,
        transport: httpx.BaseTransport,
        book: CallBook,
        billing: Billing,
        wait_for_turn: Callable[[], object],
        now: Now,
    ) -> None:
        """Send by `transport` when it is this request's turn, write into `book`."""
        self._transport = transport
        self._book = book
        self._billing = billing
        self._wait_for_turn = wait_for_turn
        self._now = now

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Wait, send and write down.

        Raises:
            TimeoutError: its turn did not come.
        """
        self._wait_for_turn()
        requested_at, began_s = self._now(), time.monotonic()
        try:
            response = self._transport.handle_request(request)
            response.read()
        except httpx.RequestError as error:
            self._record(request, requested_at, began_s, None, type(error).__name__)
            raise
        self._record(request, requested_at, began_s, response, _refusal(request, response))
        return response

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _record(
        self,
        request: httpx.Request,
        requested_at: datetime,
        began_s: float,
        response: httpx.Response | None,
        error: str | None,
    ) -> None:
        endpoint: Endpoint = request.extensions["endpoint"]
        status = None if response is None else response.status_code
        self._book.record(
            ApiCall(
                requested_at=requested_at,
                endpoint=endpoint.name,
                tesla_id=request.extensions["tesla_id"],
                status=status,
                duration_ms=round(1000 * (time.monotonic() - began_s)),
                category=self._billing.category(endpoint),
                cost_usd=self._billing.cost_usd(endpoint, status),
                txid=None if response is None else response.headers.get("x-txid"),
                error=error,
            )
        )


def _refusal(request: httpx.Request, response: httpx.Response) -> str | None:
    """What an answer other than 200 says; of one that may echo a secret, its status only."""
    if response.status_code == httpx.codes.OK:
        return None
    endpoint: Endpoint = request.extensions["endpoint"]
    if endpoint.kind is Kind.SIGN_IN:
        return response.reason_phrase
    return decode_error(response.status_code, response.headers, response.text).message


class NoBook:
    """Keeps nothing, for a client that shares nothing with others."""

    def hold_against(self, endpoint: str, tesla_id: int) -> Hold | None:  # noqa: ARG002
        """Nothing stands against a call."""
        return None

    def put_hold(self, hold: Hold) -> None:
        """Forget it."""

    def record(self, call: ApiCall) -> None:
        """Forget it."""

    def move_to(self, base_url: str) -> None:
        """Forget it."""
