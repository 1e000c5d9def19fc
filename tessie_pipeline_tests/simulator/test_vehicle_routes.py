from datetime import UTC, datetime
from typing import Any

import pytest

from tessie_pipeline.simulator.tokens import SCOPES
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline_tests.simulator.client import SimulatorClient, captured

NIGHT = "2026-06-10T03:30:00-07:00"
ALL = "charge_state;climate_state;drive_state;location_data;vehicle_config;vehicle_state"


@pytest.fixture
def client() -> SimulatorClient:
    return SimulatorClient(NIGHT)


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def _truth(client: SimulatorClient, car: Car, what: str) -> Any:
    return client.get(
        f"/simulator/truth/vehicles/{car.vin}/{what}",
        start="2026-06-01T00:00:00-07:00",
        end="2026-06-15T00:00:00-07:00",
    )


def _data(client: SimulatorClient, car: Car, endpoints: str = ALL) -> Any:
    return client.get(f"/api/1/vehicles/{car.vin}/vehicle_data", endpoints=endpoints)["response"]


def _fall_asleep(client: SimulatorClient, car: Car) -> None:
    """Move the clock to a moment at which the car sleeps for another half an hour."""
    at_s = client.clock.now_s()
    while any(
        client.world.waking.state(car, at_s + ahead_s) == "online" for ahead_s in range(0, 1800, 60)
    ):
        at_s += 300
    client.set_now(_iso(at_s))


def test_a_sleeping_car_answers_408_as_captured(client: SimulatorClient) -> None:
    car = client.fleet.cars[0]
    _fall_asleep(client, car)
    answer = client.call("GET", f"/api/1/vehicles/{car.vin}/vehicle_data")
    example = captured("errors/408_asleep.json")
    assert (answer.status_code, answer.json()) == (example["status"], example["body"])


def test_waking_takes_some_seconds_and_lasts_a_quarter_of_an_hour(client: SimulatorClient) -> None:
    car = client.fleet.cars[0]
    _fall_asleep(client, car)
    path, start_s = f"/api/1/vehicles/{car.vehicle_id}", client.clock.now_s()
    assert client.call("POST", f"{path}/wake_up").json()["response"]["state"] == "asleep"
    states = []
    for after_s in (5, 30, 600, 1000):
        client.set_now(_iso(start_s + after_s))
        states.append(client.get(path)["response"]["state"])
    assert states == ["asleep", "online", "online", "asleep"]


def test_live_calls_keep_a_car_awake_and_list_calls_do_not(client: SimulatorClient) -> None:
    car = client.fleet.cars[0]
    trips = _truth(client, car, "trips")
    arrival = next(trip for trip in trips if trip["destination"] == "work")["end"]
    for calls, expected in (("live", "online"), ("lists", "asleep")):
        arrival_s = datetime.fromisoformat(arrival).timestamp()
        client.world.waking.forget()
        for minute in range(0, 60, 10):
            client.set_now(_iso(arrival_s + 60 * minute))
            if calls == "live":
                _data(client, car)
            else:
                client.get("/api/1/vehicles")
                client.get("/api/1/products")
        state = client.get(f"/api/1/vehicles/{car.vin}")["response"]["state"]
        assert state == expected


def test_coordinates_come_only_with_location_data_and_its_scope() -> None:
    trip_start = "2026-06-10T16:00:00+00:00"
    client = SimulatorClient(trip_start)
    car = client.fleet.cars[0]
    client.set_now(_truth(client, car, "trips")[0]["start"])
    assert {"latitude", "longitude", "native_latitude"} <= _data(client, car)["drive_state"].keys()
    without = _data(client, car, "drive_state")["drive_state"]
    example = captured("vehicle_data/no_location_firmware_2023_38.json")["response"]
    assert without.keys() == example["drive_state"].keys()
    assert "latitude" not in _data(client, car, "")["drive_state"]
    blind = SimulatorClient(trip_start, scopes=SCOPES.replace("vehicle_location ", ""))
    blind.set_now(_iso(client.clock.now_s()))
    assert "latitude" not in _data(blind, car)["drive_state"]


def test_vehicle_data_has_the_captured_keys_and_only_the_sub_states_asked_for(
    client: SimulatorClient,
) -> None:
    car = client.fleet.cars[0]
    client.set_now(_truth(client, car, "trips")[0]["start"])
    example = captured("vehicle_data/no_location_firmware_2023_38.json")["response"]
    whole = client.get(f"/api/1/vehicles/{car.vin}/vehicle_data")["response"]
    assert whole.keys() >= example.keys()
    for name in ("charge_state", "climate_state", "drive_state", "gui_settings", "vehicle_config"):
        assert whole[name].keys() >= example[name].keys()
    part = _data(client, car, "charge_state;vehicle_state")
    assert {key for key in part if isinstance(part[key], dict) and "timestamp" in part[key]} == {
        "charge_state",
        "vehicle_state",
    }
    stamps = {state["timestamp"] for state in whole.values() if _is_sub_state(state)}
    assert len(stamps) == 6
    assert max(stamps) <= client.clock.now_s() * 1000


def _is_sub_state(value: object) -> bool:
    return isinstance(value, dict) and "timestamp" in value


def test_a_driving_car_moves(client: SimulatorClient) -> None:
    car = client.fleet.cars[0]
    trip = _truth(client, car, "trips")[0]
    start_s, end_s = (datetime.fromisoformat(trip[key]).timestamp() for key in ("start", "end"))
    seen = []
    for share in (0.3, 0.6):
        client.set_now(_iso(start_s + share * (end_s - start_s)))
        seen.append(_data(client, car))
    drives = [data["drive_state"] for data in seen]
    assert all(drive["shift_state"] == "D" and drive["speed"] > 10 for drive in drives)
    assert drives[0]["latitude"] != drives[1]["latitude"]
    odometers = [data["vehicle_state"]["odometer"] for data in seen]
    assert 0 < odometers[1] - odometers[0] < trip["distance_mi"]
    client.set_now(_iso(end_s + 60))
    parked = _data(client, car)
    assert parked["drive_state"]["speed"] is None
    assert parked["drive_state"]["shift_state"] in (None, "P")


def test_charge_energy_added_counts_the_plug_in_and_stays_after_it(client: SimulatorClient) -> None:
    car = client.fleet.cars[0]
    plug_in = next(p for p in _truth(client, car, "plug_ins") if p["is_home"] and p["segments"])
    first, last = plug_in["segments"][0], plug_in["segments"][-1]
    client.set_now(_iso(datetime.fromisoformat(plug_in["plugged"]).timestamp() + 1))
    assert _data(client, car)["charge_state"]["charge_energy_added"] == 0.0
    client.set_now(_iso(datetime.fromisoformat(first["start"]).timestamp() + 360))
    charging = _data(client, car)
    state = charging["charge_state"]
    assert state["charging_state"] == "Charging"
    assert state["charge_energy_added"] == pytest.approx(car.plug_w * 0.1 * 0.92 / 1000, abs=0.01)
    assert charging["drive_state"]["power"] == -round(car.plug_w * 0.92 / 1000)
    assert state["charger_voltage"] * state["charger_actual_current"] == car.plug_w
    assert state["charger_power"] == round(car.plug_w / 1000)
    client.set_now(last["end"])
    done = _data(client, car)["charge_state"]
    assert done["charging_state"] == "Complete"
    assert done["charge_energy_added"] == pytest.approx(plug_in["added_wh"] / 1000, abs=0.005)
    assert done["battery_level"] == car.limit_pct
    client.set_now(_iso(datetime.fromisoformat(plug_in["unplugged"]).timestamp() + 60))
    away = _data(client, car)["charge_state"]
    assert away["charging_state"] == "Disconnected"
    assert away["charge_energy_added"] == done["charge_energy_added"]


def test_supercharging_shows_in_the_car_and_in_teslas_history(client: SimulatorClient) -> None:
    history = client.get("/api/1/dx/charging/history")["response"]
    assert history["totalResults"] == len(history["data"]) or history["totalResults"] > 50
    session = history["data"][0]
    car = next(car for car in client.fleet.cars if car.vin == session["vin"])
    start_s = datetime.fromisoformat(session["chargeStartDateTime"]).timestamp()
    client.set_now(_iso(start_s + 120))
    state = _data(client, car)["charge_state"]
    assert state["charging_state"] == "Charging"
    assert state["fast_charger_present"] is True
    assert state["fast_charger_brand"] == "Tesla"
    assert state["charger_power"] > 40
    assert state["charger_phases"] is None
    (truth,) = client.get(
        f"/simulator/truth/vehicles/{car.vin}/plug_ins",
        start=_iso(start_s - 300),
        end=_iso(start_s),
    )
    assert session["fees"][0]["usageBase"] == round(truth["used_wh"] / 1000)
    assert session["fees"][0]["uom"] == "kwh"


def test_charging_history_comes_in_pages(client: SimulatorClient) -> None:
    whole = client.get("/api/1/dx/charging/history", pageSize=100)["response"]["data"]
    pages = [
        client.get("/api/1/dx/charging/history", pageSize=2, pageNo=number)["response"]["data"]
        for number in (1, 2)
    ]
    assert pages[0] + pages[1] == whole[:4]


def test_vehicles_come_in_pages() -> None:
    client = SimulatorClient(NIGHT, sites=1, vehicles=5)
    seen: list[str] = []
    page: int | None = 1
    while page:
        answer = client.get("/api/1/vehicles", page=page, per_page=2)
        assert answer["count"] == len(answer["response"])
        assert answer["pagination"]["current"] == page
        assert (answer["pagination"]["count"], answer["pagination"]["pages"]) == (5, 3)
        seen += [vehicle["vin"] for vehicle in answer["response"]]
        page = answer["pagination"]["next"]
    assert seen == [car.vin for car in client.fleet.cars]


def test_products_hold_cars_and_sites(client: SimulatorClient) -> None:
    answer = client.get("/api/1/products")
    cars = [product for product in answer["response"] if "vin" in product]
    sites = [product for product in answer["response"] if "energy_site_id" in product]
    assert (len(cars), len(sites), answer["count"]) == (2, 1, 3)
    example = captured("products/vehicle_and_site_3_powerwalls_wall_connector.json")["response"]
    assert sites[0].keys() >= example[1].keys()


@pytest.mark.parametrize("path", ["", "/vehicle_data"])
def test_an_unknown_car_is_not_found(client: SimulatorClient, path: str) -> None:
    answer = client.call("GET", f"/api/1/vehicles/5YJ3E1EA0PF000000{path}")
    assert answer.status_code == 404
    assert answer.json() == {"response": None, "error": "not_found", "error_description": ""}
