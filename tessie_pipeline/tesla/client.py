"""The Fleet API as an account sees it: one method per endpoint, each giving the answer's JSON.

Not here: how requests are sent (`sending`), tokens (`auth`), what answers mean (the decoders), and
when a call is worth its price.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import httpx

from tessie_pipeline.domain.days import day_start
from tessie_pipeline.tesla import endpoints
from tessie_pipeline.tesla.endpoints import Billing
from tessie_pipeline.tesla.history_check import HistoryKind
from tessie_pipeline.tesla.recording import (
    CallBook,
    NoBook,
    Now,
    Recorded,
    unrecorded,
    wall_clock,
)
from tessie_pipeline.tesla.sending import TIMEOUT, Sender

LOCATION = "location_data"
VEHICLE_DATA_ENDPOINTS = (
    "charge_state",
    "climate_state",
    "drive_state",
    "gui_settings",
    LOCATION,
    "vehicle_config",
    "vehicle_state",
)
"""Sub-states of one `vehicle_data` request; without `location_data` no coordinates come."""

ATTEMPTS = 3

BILLS_PER_PAGE = 50


class FleetApi:
    """A client of one account; use it in a `with` block, or `close` it.

    Attributes:
        has_bills: Whether bills may be asked for, as far as is known.

    All methods raise:
        TransientApiError: Tesla or the network failed for now.
        TerminalApiError: a person has to mend something.
    """

    def __init__(
        self,
        base_url: str,
        auth: httpx.Auth,
        *,
        book: CallBook | None = None,
        billing: Billing | None = None,
        wait_for_turn: Callable[[], object] = lambda: None,
        attempts: int = ATTEMPTS,
        sub_states: Sequence[str] = VEHICLE_DATA_ENDPOINTS,
        has_bills: bool = True,
        now: Now = wall_clock,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Talk to `base_url`.

        Args:
            base_url: the region's server.
            auth: puts a token on each request.
            book: where calls and holds are kept; nowhere if not given.
            billing: what calls cost; nothing if not given.
            wait_for_turn: called before each request, to keep to a rate.
            attempts: how often a request is sent at most when Tesla or the network fails.
            sub_states: what of a vehicle is asked for.
            has_bills: whether the login granted the scope of bills, or did not say.
            now: the present, in UTC.
            transport: sends the requests; over the network if not given.
        """
        book = book or NoBook()
        self._sub_states = ";".join(sub_states)
        self.has_bills = has_bills
        transport = transport or unrecorded()
        self._http = httpx.Client(
            base_url=base_url,
            auth=auth,
            timeout=TIMEOUT,
            follow_redirects=False,
            transport=Recorded(transport, book, billing or Billing(), wait_for_turn, now),
        )
        self._sender = Sender(self._http, book, attempts, now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def products(self) -> object:
        """`/products`: the account's vehicles with their states, and its energy sites; free."""
        return self._sender.send(endpoints.PRODUCTS)

    def vehicle_data(self, tesla_id: int) -> object | None:
        """All sub-states of a vehicle; None if it cannot be reached (408) or is in service (405).

        It keeps a vehicle that is awake from sleeping for a quarter of an hour.
        """
        query = {"endpoints": self._sub_states}
        return self._sender.send(endpoints.VEHICLE_DATA, tesla_id, query)

    def wake_up(self, tesla_id: int) -> object:
        """Ask a vehicle to wake, which takes it some seconds; the dearest call there is."""
        return self._sender.send(endpoints.WAKE_UP, tesla_id)

    def live_status(self, tesla_site_id: int) -> object:
        """A site's powers [W] and state of charge [%] now."""
        return self._sender.send(endpoints.LIVE_STATUS, tesla_site_id)

    def site_info(self, tesla_site_id: int) -> object:
        """What is installed at a site, and its time zone."""
        return self._sender.send(endpoints.SITE_INFO, tesla_site_id)

    def calendar_history(
        self, tesla_site_id: int, kind: HistoryKind, day: date, zone: ZoneInfo
    ) -> object:
        """A site's local day: energies [Wh] or mean powers [W] by 5, soe [%] by 15 minutes."""
        query = {"kind": kind, "period": "day", **_days(day, day, zone)}
        return self._sender.send(endpoints.calendar_history(kind), tesla_site_id, query)

    def charge_telemetry(
        self, tesla_site_id: int, first: date, last: date, zone: ZoneInfo
    ) -> object:
        """The charges at a site's wall connectors from one local day to another, both included."""
        query = {"kind": "charge", **_days(first, last, zone)}
        return self._sender.send(endpoints.CHARGE_TELEMETRY, tesla_site_id, query)

    def charging_history(self, page: int, since: datetime) -> object:
        """A page, from 1, of what Tesla has billed for charges of all the account's vehicles."""
        query = {
            "startTime": since.isoformat(),
            "pageNo": str(page),
            "pageSize": str(BILLS_PER_PAGE),
        }
        return self._sender.send(endpoints.CHARGING_HISTORY, query=query)


def _days(first: date, last: date, zone: ZoneInfo) -> dict[str, str]:
    """The query for local days from the first to the last.

    The end is asked as the last day's last second: at exactly midnight Tesla answers an empty
    series (`fleet_api.md` section 4.3).
    """
    last_second = day_start(last + timedelta(days=1), zone) - timedelta(seconds=1)
    return {
        "start_date": day_start(first, zone).astimezone(zone).isoformat(),
        "end_date": last_second.astimezone(zone).isoformat(),
        "time_zone": zone.key,
    }
