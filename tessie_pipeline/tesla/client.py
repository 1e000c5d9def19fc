"""The Fleet API as an account sees it: one method per endpoint, each giving the answer's JSON.

Here: requests, their pace, and which of the two families of errors an answer belongs to. Not here:
tokens (`auth`), what answers mean (the decoders), and when a call is worth its price.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import httpx
from pyrate_limiter import Duration, Limiter, Rate

from tessie_pipeline.domain.days import day_start
from tessie_pipeline.tesla.error_answers import ErrorFacts, decode_error
from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError
from tessie_pipeline.tesla.history_check import HistoryKind

VEHICLE_DATA_ENDPOINTS = (
    "charge_state",
    "climate_state",
    "drive_state",
    "gui_settings",
    "location_data",
    "vehicle_config",
    "vehicle_state",
)
"""Sub-states of one `vehicle_data` request; without `location_data` no coordinates come."""

TIMEOUT = httpx.Timeout(30, connect=10)

_TRANSIENT = frozenset({408, 429, 499, 540})
_RATE_WINDOW_S = 60.0
"""Wait after a 429 that names none: Tesla counts requests by the minute."""
_UNREACHABLE = frozenset({405, 408})
_REMEDIES = {
    401: "log in again",
    402: "the Tesla developer account needs a payment method",
    403: "the account lacks a scope or has reached its billing limit",
    404: "the vehicle or site is not on this account any more",
    412: "register the application in this region",
    421: "set TESSIE_FLEET_API_URL to {base_url}",
    423: "the Tesla account is locked",
    451: "Tesla may not answer this where the account lives",
}


class FleetApi:
    """A client of one account; use it in a `with` block, or `close` it."""

    def __init__(
        self,
        base_url: str,
        auth: httpx.Auth,
        requests_per_minute: int = 0,
        requests_per_second: int = 0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Talk to `base_url`, waiting before a request that would be over a rate; 0 is no rate."""
        self._http = httpx.Client(
            base_url=base_url,
            auth=auth,
            http2=True,
            timeout=TIMEOUT,
            follow_redirects=False,
            transport=transport,
        )
        self._wait_for_turn = _pace(requests_per_minute, requests_per_second)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def products(self) -> object:
        """`/products`: the account's vehicles with their states, and its energy sites; free.

        Raises:
            TransientApiError: Tesla or the network failed for now.
            TerminalApiError: a person has to mend something.
        """
        return self._json(self._get("/api/1/products"))

    def vehicle_data(self, tesla_id: int) -> object | None:
        """All sub-states of a vehicle; None if it cannot be reached (408) or is in service (405).

        Raises:
            TransientApiError, TerminalApiError: as `products`.
        """
        response = self._get(
            f"/api/1/vehicles/{tesla_id}/vehicle_data",
            {"endpoints": ";".join(VEHICLE_DATA_ENDPOINTS)},
        )
        return None if response.status_code in _UNREACHABLE else self._json(response)

    def live_status(self, tesla_site_id: int) -> object:
        """A site's powers [W] and state of charge [%] now.

        Raises:
            TransientApiError, TerminalApiError: as `products`.
        """
        return self._json(self._get(f"/api/1/energy_sites/{tesla_site_id}/live_status"))

    def site_info(self, tesla_site_id: int) -> object:
        """What is installed at a site, and its time zone.

        Raises:
            TransientApiError, TerminalApiError: as `products`.
        """
        return self._json(self._get(f"/api/1/energy_sites/{tesla_site_id}/site_info"))

    def calendar_history(
        self, tesla_site_id: int, kind: HistoryKind, day: date, zone: ZoneInfo
    ) -> object:
        """A site's local day: energies [Wh] or mean powers [W] by 5, soe [%] by 15 minutes.

        The end is asked as the day's last second: at exactly midnight Tesla answers an empty
        series (`fleet_api.md` section 4.3).

        Raises:
            TransientApiError, TerminalApiError: as `products`.
        """
        last_second = day_start(day + timedelta(days=1), zone) - timedelta(seconds=1)
        query = {
            "kind": kind,
            "period": "day",
            "start_date": day_start(day, zone).astimezone(zone).isoformat(),
            "end_date": last_second.astimezone(zone).isoformat(),
            "time_zone": zone.key,
        }
        return self._json(self._get(f"/api/1/energy_sites/{tesla_site_id}/calendar_history", query))

    def _get(self, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        self._wait_for_turn()
        try:
            return self._http.get(path, params=query)
        except httpx.RequestError as error:
            raise TransientApiError(f"GET {path} failed: {_shown(error)}") from None

    @staticmethod
    def _json(response: httpx.Response) -> object:
        path = response.request.url.path
        if response.status_code != httpx.codes.OK:
            raise _error(path, response)
        try:
            return response.json()
        except ValueError:
            raise TransientApiError(f"GET {path}: the answer is not JSON") from None


def _error(path: str, response: httpx.Response) -> TransientApiError | TerminalApiError:
    facts = decode_error(response.status_code, response.headers, response.text)
    what = f"GET {path}: {facts.status} {facts.message}"
    if facts.status >= 500 or facts.status in _TRANSIENT:
        wait_s = facts.retry_after_s
        if wait_s is None and facts.status == httpx.codes.TOO_MANY_REQUESTS:
            wait_s = _RATE_WINDOW_S
        return TransientApiError(what, retry_after_s=wait_s)
    return TerminalApiError(f"{what}{_remedy(facts)}")


def _remedy(facts: ErrorFacts) -> str:
    remedy = _REMEDIES.get(facts.status)
    base_url = facts.base_url or "the address of the account's region"
    return f" ({remedy.format(base_url=base_url)})" if remedy else ""


def _shown(error: httpx.RequestError) -> str:
    # A LocalProtocolError quotes the header that cannot be sent, and so the token.
    return type(error).__name__ if isinstance(error, httpx.LocalProtocolError) else repr(error)


def _pace(per_minute: int, per_second: int) -> Callable[[], object]:
    # The limiter refuses rates of which one makes the other needless.
    if per_minute and per_second:
        if per_minute <= per_second:
            per_second = 0
        elif per_minute > 60 * per_second:
            per_minute = 0
    rates = [
        Rate(limit, duration)
        for limit, duration in ((per_second, Duration.SECOND), (per_minute, Duration.MINUTE))
        if limit
    ]
    return Limiter(rates).try_acquire if rates else lambda: None
