"""What the client asks and how fast, and that the simulator's answers decode."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import polars as pl
import pytest

from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.simulator.tokens import SCOPES, Tokens
from tessie_pipeline.simulator.truth import state_truth
from tessie_pipeline.simulator.waking import Waking
from tessie_pipeline.tesla.charging_bills import decode_charging_bills
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.energy_answers import decode_live_status, decode_site_info
from tessie_pipeline.tesla.history import (
    decode_energy_history,
    decode_power_history,
    decode_soe_history,
)
from tessie_pipeline.tesla.history_check import HistoryKind, check_history_answer
from tessie_pipeline.tesla.product_answers import decode_products
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data
from tessie_pipeline.tesla.wall_connectors import decode_charge_history
from tessie_pipeline_tests.tesla.test_client_errors import TOKEN, Bearer, fleet_api

FLEET = Fleet(seed=5, sites=3, vehicles=2)
"""Homes in Sacramento, Berlin and Adelaide."""
CAR = FLEET.cars[0]
CLOCK = Clock(datetime(2026, 12, 1, tzinfo=UTC), speed=0)


@pytest.fixture(scope="module")
def simulator() -> Iterator[FleetApi]:
    """A client of the simulator, over HTTP."""
    token = Tokens().partner("tests", SCOPES, time.time())["access_token"]
    with serving(FLEET, CLOCK) as url, FleetApi(url, Bearer(token)) as api:
        yield api


def set_clock_to_when_the_car_is(state: str) -> None:
    """Move the clock on to a moment when the car has been left alone and is so."""
    at_s = CLOCK.now_s() + 86_400
    while Waking().state(CAR, at_s) != state:
        at_s += 300
    CLOCK.set(start=datetime.fromtimestamp(at_s, UTC))


def test_products_are_the_accounts_cars_and_sites(simulator: FleetApi) -> None:
    products = decode_products(simulator.products())
    assert [(car.tesla_id, car.vin) for car in products.vehicles] == [
        (car.vehicle_id, car.vin) for car in FLEET.cars
    ]
    assert [site.tesla_site_id for site in products.sites] == [
        site.energy_site_id for site in FLEET.sites
    ]


def test_a_car_that_is_awake_tells_where_it_is_and_what_it_holds(simulator: FleetApi) -> None:
    set_clock_to_when_the_car_is("online")
    truth = state_truth(CAR, CLOCK.now_s())
    row = decode_vehicle_data(simulator.vehicle_data(CAR.vehicle_id)).row
    assert row["battery_level"] == pytest.approx(truth["soc_pct"], abs=1)
    assert row["odometer"] == pytest.approx(truth["odometer_mi"], abs=0.1)
    assert row["latitude"] == pytest.approx(truth["latitude"], abs=1e-3)
    assert row["longitude"] == pytest.approx(truth["longitude"], abs=1e-3)


def test_a_car_that_sleeps_is_not_reached(simulator: FleetApi) -> None:
    set_clock_to_when_the_car_is("asleep")
    assert simulator.vehicle_data(CAR.vehicle_id) is None


def test_a_site_tells_its_powers_and_its_zone(simulator: FleetApi) -> None:
    for site in FLEET.sites:
        row = decode_live_status(simulator.live_status(site.energy_site_id)).row
        powers = (
            pl.DataFrame([row]).select(pl.col("^.*_power_w$").cast(pl.Float64)).row(0, named=True)
        )
        sources = powers["solar_power_w"] + powers["battery_power_w"] + powers["grid_power_w"]
        assert powers["load_power_w"] == pytest.approx(sources)
        assert powers["load_power_w"] > 0
        info = decode_site_info(simulator.site_info(site.energy_site_id), site.energy_site_id)
        assert (info.time_zone, info.site_name) == (site.zone, site.name)


@pytest.mark.parametrize("kind", ["energy", "power", "soe"])
@pytest.mark.parametrize(
    ("site", "day", "buckets"),
    [
        (0, date(2026, 3, 8), 276),
        (0, date(2026, 11, 1), 300),
        (1, date(2026, 3, 29), 276),
        (1, date(2026, 10, 25), 300),
        (2, date(2026, 4, 5), 300),
        (2, date(2026, 6, 1), 288),
    ],
)
def test_a_days_history_is_whole_however_long_the_day(
    simulator: FleetApi, site: int, day: date, buckets: int, kind: HistoryKind
) -> None:
    home = FLEET.sites[site]
    zone = ZoneInfo(home.zone)
    answer = simulator.calendar_history(home.energy_site_id, kind, day, zone)
    assert check_history_answer(kind, answer, day, zone) is None
    decode = {
        "energy": decode_energy_history,
        "power": decode_power_history,
        "soe": decode_soe_history,
    }[kind]
    body = pl.DataFrame({"site_id": ["home"], "body": [json.dumps(answer)]})
    frame, refused = decode(body)
    assert refused == []
    assert frame.height == (buckets // 3 if kind == "soe" else buckets)


def test_a_vehicle_is_asked_once_for_all_its_states() -> None:
    asked: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"response": {"id": 5}})

    assert fleet_api(keep).vehicle_data(5) == {"response": {"id": 5}}
    (request,) = asked
    assert (request.method, request.url.path) == ("GET", "/api/1/vehicles/5/vehicle_data")
    assert request.url.query == (
        b"endpoints=charge_state%3Bclimate_state%3Bdrive_state%3Bgui_settings%3Blocation_data"
        b"%3Bvehicle_config%3Bvehicle_state"
    )
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"


# As wall clocks show the first and the last second of the day; a midnight that is skipped is 1:00,
# and of a last hour that comes twice the second one counts.
@pytest.mark.parametrize(
    ("zone", "day", "first", "last", "hours"),
    [
        ("America/Los_Angeles", "2026-06-01", "00:00:00-07:00", "23:59:59-07:00", 24),
        ("America/Los_Angeles", "2026-03-08", "00:00:00-08:00", "23:59:59-07:00", 23),
        ("America/Los_Angeles", "2026-11-01", "00:00:00-07:00", "23:59:59-08:00", 25),
        ("Europe/Berlin", "2026-03-29", "00:00:00+01:00", "23:59:59+02:00", 23),
        ("Australia/Lord_Howe", "2026-04-05", "00:00:00+11:00", "23:59:59+10:30", 24.5),
        ("America/Havana", "2026-11-01", "00:00:00-04:00", "23:59:59-05:00", 25),
        ("America/Santiago", "2026-09-06", "01:00:00-03:00", "23:59:59-03:00", 23),
        ("America/Santiago", "2026-04-04", "00:00:00-03:00", "23:59:59-04:00", 25),
        ("Asia/Beirut", "2026-10-24", "00:00:00+03:00", "23:59:59+02:00", 25),
        ("America/Nuuk", "2026-03-28", "00:00:00-02:00", "22:59:59-02:00", 23),
    ],
)
def test_a_days_history_is_asked_for_from_its_first_to_its_last_second(
    zone: str, day: str, first: str, last: str, hours: float
) -> None:
    asked: list[httpx.URL] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={})

    api = fleet_api(keep)
    assert api.calendar_history(7, "soe", date.fromisoformat(day), ZoneInfo(zone)) == {}
    (url,) = asked
    assert url.path == "/api/1/energy_sites/7/calendar_history"
    assert dict(url.params) == {
        "kind": "soe",
        "period": "day",
        "start_date": f"{day}T{first}",
        "end_date": f"{day}T{last}",
        "time_zone": zone,
    }
    assert b"+" not in url.query
    start, end = (datetime.fromisoformat(url.params[name]) for name in ("start_date", "end_date"))
    assert end - start == timedelta(hours=hours, seconds=-1)


def test_a_page_of_bills_is_asked_for_since_an_instant() -> None:
    asked: list[httpx.URL] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={"data": []})

    since = datetime(2026, 3, 1, tzinfo=UTC)
    assert fleet_api(keep).charging_history(2, since) == {"data": []}
    (url,) = asked
    assert url.path == "/api/1/dx/charging/history"
    assert dict(url.params) == {
        "startTime": "2026-03-01T00:00:00+00:00",
        "pageNo": "2",
        "pageSize": "50",
    }


def test_charges_at_wall_connectors_are_asked_for_by_whole_local_days() -> None:
    asked: list[httpx.URL] = []

    def keep(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={})

    days = date(2026, 3, 1), date(2026, 3, 31)
    assert fleet_api(keep).charge_telemetry(7, *days, ZoneInfo("Europe/Berlin")) == {}
    (url,) = asked
    assert url.path == "/api/1/energy_sites/7/telemetry_history"
    assert dict(url.params) == {
        "kind": "charge",
        "start_date": "2026-03-01T00:00:00+01:00",
        "end_date": "2026-03-31T23:59:59+02:00",
        "time_zone": "Europe/Berlin",
    }


def test_bills_and_charges_of_the_simulator_decode(simulator: FleetApi) -> None:
    CLOCK.set(start=datetime(2026, 12, 1, tzinfo=UTC))
    home = FLEET.sites[0]
    page = decode_charging_bills(simulator.charging_history(1, datetime(2026, 1, 1, tzinfo=UTC)))
    assert page.rejected == ()
    assert page.bills.height == page.record_count > 0
    assert page.bills["started_at"].min() >= datetime(2026, 1, 1, tzinfo=UTC)  # type: ignore[operator]
    days = date(2026, 11, 1), date(2026, 11, 30)
    answer = simulator.charge_telemetry(home.energy_site_id, *days, ZoneInfo(home.zone))
    charges, refused = decode_charge_history(answer, "home")
    assert refused == []
    assert charges.height > 0
