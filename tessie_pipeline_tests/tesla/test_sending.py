"""How requests are sent: tries, waits, holds, the region's address, and the book of calls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import httpx
import pytest

from tessie_pipeline.domain.calls import ApiCall, Category, Hold
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.endpoints import Billing
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError
from tessie_pipeline_tests.tesla.test_client_errors import (
    TOKEN,
    Bearer,
    answering,
    answering_as_captured,
)

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
PRICES = {Category.DATA: 0.002, Category.WAKE: 0.02}
AMERICA = "https://fleet-api.prd.na.vn.cloud.tesla.com"
EUROPE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class World:
    """A clock that waits move on, and what the client has kept."""

    now: datetime = START
    slept_s: list[float] = field(default_factory=list)
    calls: list[ApiCall] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    base_urls: list[str] = field(default_factory=list)

    def sleep(self, wait_s: float) -> None:
        """Let time pass."""
        self.slept_s.append(wait_s)
        self.now += timedelta(seconds=wait_s)

    def hold_against(self, endpoint: str, tesla_id: int) -> Hold | None:
        """As `store.calls.holds` does it."""
        for hold in self.holds:
            is_it = hold.endpoint in ("", endpoint) and hold.tesla_id in (0, tesla_id)
            if is_it and (hold.held_until is None or hold.held_until > self.now):
                return hold
        return None

    def put_hold(self, hold: Hold) -> None:
        """Keep it."""
        self.holds.append(hold)

    def record(self, call: ApiCall) -> None:
        """Keep it."""
        self.calls.append(call)

    def move_to(self, base_url: str) -> None:
        """Keep it."""
        self.base_urls.append(base_url)

    def client(self, handler: Handler, attempts: int = 3) -> FleetApi:
        """A client of an account whose requests go to `handler`."""
        return FleetApi(
            AMERICA,
            Bearer(),
            book=self,
            billing=Billing(PRICES),
            attempts=attempts,
            now=lambda: self.now,
            transport=httpx.MockTransport(handler),
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr("time.sleep", world.sleep)
    return world


def one_by_one(*answers: Handler) -> Handler:
    """Each request gets the next answer, and the last one for good."""
    turns: Iterator[int] = count()
    return lambda request: answers[min(next(turns), len(answers) - 1)](request)


def fail(error: type[httpx.RequestError]) -> Handler:
    def raise_it(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return raise_it


HTML = answering(502, "<html><head><title>x</title></head><body>Bad Gateway</body></html>")
PRODUCTS = answering(200, {"response": []})


@pytest.mark.parametrize(
    "failure",
    [
        answering_as_captured("500_upstream_internal_error"),
        HTML,
        answering(503),
        answering_as_captured("504_upstream_timeout"),
        answering(499),
        answering(540),
        answering(200, "<html>maintenance</html>"),
        fail(httpx.ReadTimeout),
        fail(httpx.ConnectError),
        fail(httpx.RemoteProtocolError),
    ],
    ids=["500", "502 HTML", "503", "504", "499", "540", "200 HTML", "time-out", "no connection",
         "reset"],
)  # fmt: skip
def test_what_may_pass_is_tried_three_times_with_growing_waits(
    world: World, failure: Handler
) -> None:
    assert world.client(one_by_one(failure, failure, PRODUCTS)).products() == {"response": []}
    assert len(world.calls) == 3
    first_s, second_s = world.slept_s
    assert 1 <= first_s <= 2
    assert 2 <= second_s <= 3

    world.calls.clear()
    with pytest.raises(TransientApiError):
        world.client(failure).products()
    assert len(world.calls) == 3
    assert world.holds == []


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 406, 412, 422, 423, 451])
def test_what_a_person_has_to_mend_is_asked_once_and_then_held(world: World, status: int) -> None:
    api = world.client(answering(status, {"error": "no"}))
    for _ in range(5):
        with pytest.raises(TerminalApiError, match=f"{status} no"):
            api.live_status(7)
    assert len(world.calls) == 1
    (hold,) = world.holds
    assert hold.held_until is not None, "what was mended goes on by itself"
    assert timedelta(minutes=15) <= hold.held_until - START <= timedelta(days=1)


@pytest.mark.parametrize(
    ("answer", "code", "endpoint", "tesla_id"),
    [
        (answering(402), "payment_needed", "", 0),
        (answering_as_captured("403_exceeded_limit"), "billing_limit", "", 0),
        (answering(423), "account_locked", "", 0),
        (
            answering(403, {"error": "Unauthorized missing scopes"}),
            "missing_scope",
            "GET /api/1/vehicles/{id}/vehicle_data",
            0,
        ),
        (answering(404), "not_found", "GET /api/1/vehicles/{id}/vehicle_data", 5),
        (answering(401, {"error": "mobile_access_disabled"}), "mobile_access", "", 5),
    ],
    ids=["402", "403 limit", "423", "403 scope", "404", "401 mobile access"],
)
def test_a_failure_stands_against_what_it_is_about(
    world: World, answer: Handler, code: str, endpoint: str, tesla_id: int
) -> None:
    with pytest.raises(TerminalApiError):
        world.client(answer).vehicle_data(5)
    (hold,) = world.holds
    assert (hold.code, hold.endpoint, hold.tesla_id) == (code, endpoint, tesla_id)


def test_a_billing_limit_pauses_the_account_for_a_quarter_of_an_hour(world: World) -> None:
    api = world.client(one_by_one(answering_as_captured("403_exceeded_limit"), PRODUCTS))
    for minutes in (0, 5, 14):
        world.now = START + timedelta(minutes=minutes)
        with pytest.raises(TerminalApiError, match="raise the billing limit"):
            api.products()
    assert len(world.calls) == 1
    world.now = START + timedelta(minutes=15)
    assert api.products() == {"response": []}


def test_one_sites_refusal_leaves_the_others_alone(world: World) -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        return answering(404 if "/7/" in request.url.path else 200, {"response": {}})(request)

    api = world.client(gone)
    with pytest.raises(TerminalApiError):
        api.live_status(7)
    assert api.live_status(8) == {"response": {}}


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (answering(429, "", {"Retry-After": "7"}), 7),
        (answering(429, "Retry in 45 seconds"), 45),
        (answering(429, "", {"RateLimit-Reset": "33"}), 33),
        (answering(429, "", {"Retry-After": "0"}), 1),
        (answering(429), 60),
    ],
    ids=["Retry-After", "in words", "RateLimit-Reset", "at once", "not said"],
)
def test_a_short_wait_is_waited_to_the_second(world: World, answer: Handler, wait_s: float) -> None:
    assert world.client(one_by_one(answer, PRODUCTS)).products() == {"response": []}
    assert world.now - START == timedelta(seconds=wait_s)
    assert len(world.calls) == 2


def test_a_long_wait_is_the_callers_and_holds_for_every_process(world: World) -> None:
    with pytest.raises(TransientApiError) as error:
        world.client(answering_as_captured("429_daily_limit_2024")).products()
    assert error.value.retry_after_s == 45_983
    world.now += timedelta(seconds=983)
    with pytest.raises(TransientApiError) as error:
        world.client(PRODUCTS).live_status(7)
    assert error.value.retry_after_s == 45_000
    assert len(world.calls) == 1
    assert world.slept_s == []


def test_the_wait_of_another_process_holds_here_too(world: World) -> None:
    world.put_hold(Hold("", 0, START + timedelta(seconds=12), "rate_limit", "Retry in 12 s"))
    assert world.client(PRODUCTS).products() == {"response": []}
    assert world.slept_s == [12]


def test_a_vehicle_that_cannot_be_reached_is_no_failure_whatever_says_so(world: World) -> None:
    asleep = answering_as_captured("408_asleep")
    through_a_proxy = answering(500, {"error": "vehicle unavailable: vehicle is offline or asleep"})
    api = world.client(one_by_one(asleep, through_a_proxy))
    assert [api.vehicle_data(5), api.vehicle_data(5)] == [None, None]
    assert [(call.status, call.cost_usd) for call in world.calls] == [(408, 0.002), (500, 0.0)]
    assert world.holds == []


def test_the_address_of_another_region_is_taken_once_and_kept(world: World) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host != "fleet-api.prd.eu.vn.cloud.tesla.com":
            return httpx.Response(
                421, json={"error": f"user out of region, use base URL: {EUROPE}"}
            )
        return httpx.Response(200, json={"response": []})

    api = world.client(answer)
    api.products()
    api.products()
    hosts = [url.removeprefix("https://") for url in (AMERICA, EUROPE, EUROPE)]
    assert asked == hosts
    assert world.base_urls == [EUROPE]


def test_two_regions_that_send_each_other_the_account_end_in_an_error(world: World) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        other = AMERICA if "eu" in request.url.host else EUROPE
        return httpx.Response(421, json={"error": f"use base URL: {other}"})

    with pytest.raises(TerminalApiError, match="421"):
        world.client(answer).products()
    assert len(world.calls) == 2


def test_no_token_is_sent_to_an_address_that_is_not_teslas(world: World) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(421, json={"error": "use base URL: https://fleet-api.example.com"})

    with pytest.raises(TerminalApiError, match="421"):
        world.client(answer).products()
    assert asked == [AMERICA.removeprefix("https://")]


def test_a_simulators_token_is_not_sent_to_tesla() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(421, json={"error": f"use base URL: {EUROPE}"})

    transport = httpx.MockTransport(answer)
    with (
        FleetApi("http://127.0.0.1:4433", Bearer(), transport=transport) as api,
        pytest.raises(TerminalApiError, match="421"),
    ):
        api.products()
    assert asked == ["127.0.0.1"]


def test_what_one_vehicle_is_refused_says_nothing_of_the_account(world: World) -> None:
    for status in (401, 412):
        with pytest.raises(TerminalApiError):
            world.client(answering(status, {"error": "no"})).vehicle_data(status)
        assert (world.holds[-1].endpoint, world.holds[-1].tesla_id) == (
            "GET /api/1/vehicles/{id}/vehicle_data",
            status,
        )


@pytest.mark.parametrize("status", [400, 402, 403, 404, 451])
def test_the_list_is_soon_tried_again_whatever_refused_it(world: World, status: int) -> None:
    api = world.client(one_by_one(answering(status, "<html>Access Denied</html>"), PRODUCTS))
    with pytest.raises(TerminalApiError):
        api.products()
    world.now += timedelta(minutes=15)
    assert api.products() == {"response": []}


def test_waking_is_tried_once_since_every_try_is_billed(world: World) -> None:
    with pytest.raises(TransientApiError):
        world.client(answering(408)).wake_up(5)
    assert len(world.calls) == 1


@pytest.mark.parametrize("body", ["null", "[" * 100_000], ids=["null", "endless nesting"])
def test_an_odd_answer_is_no_vehicle_that_cannot_be_reached(world: World, body: str) -> None:
    api = world.client(answering(200, body), attempts=1)
    if body == "null":
        assert api.vehicle_data(5) == {"response": None}
    else:
        with pytest.raises(TransientApiError, match="the answer is not JSON"):
            api.vehicle_data(5)


def test_every_attempt_is_written_down_as_it_was_billed(world: World) -> None:
    api = world.client(
        one_by_one(
            answering(200, {"response": []}, {"x-txid": "abc"}),
            HTML,
            answering(200, {"response": {}}),
            fail(httpx.ReadTimeout),
        ),
        attempts=2,
    )
    api.products()
    api.live_status(7)
    with pytest.raises(TransientApiError):
        api.wake_up(5)
    said = [
        (call.endpoint, call.tesla_id, call.status, call.category, call.cost_usd, call.error)
        for call in world.calls
    ]
    live_status = ("GET /api/1/energy_sites/{id}/live_status", 7)
    wake_up = ("POST /api/1/vehicles/{id}/wake_up", 5)
    assert said == [
        ("GET /api/1/products", None, 200, Category.FREE, 0.0, None),
        (*live_status, 502, Category.DATA, 0.0, "Bad Gateway"),
        (*live_status, 200, Category.DATA, 0.002, None),
        (*wake_up, None, Category.WAKE, 0.02, "ReadTimeout"),
    ]
    assert world.calls[0].txid == "abc"
    assert world.calls[0].requested_at == START


def test_nothing_secret_is_written_down(world: World) -> None:
    echo = answering(400, {"error": f"bad header Bearer {TOKEN}"})
    with pytest.raises(FleetApiError):
        world.client(echo).products()
    assert TOKEN not in repr(world)
