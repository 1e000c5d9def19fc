from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tessie_pipeline.simulator.habits import EVERY_HABIT
from tessie_pipeline_tests.simulator.client import SimulatorClient

START = datetime(2026, 2, 1, tzinfo=UTC)
END = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def client() -> SimulatorClient:
    return SimulatorClient(END.isoformat(), further=[EVERY_HABIT])


@pytest.fixture(scope="module")
def plug_ins(client: SimulatorClient) -> list[Any]:
    found: list[Any] = client.get(
        f"/simulator/truth/vehicles/{_vin(client)}/plug_ins",
        start=START.isoformat(),
        end=END.isoformat(),
    )
    return found


def _vin(client: SimulatorClient) -> str:
    return client.fleet.cars[2].vin


def _shifted(instant: str, seconds: int) -> str:
    return (datetime.fromisoformat(instant) + timedelta(seconds=seconds)).isoformat()


def _vehicle_data(client: SimulatorClient, at: str) -> Any:
    client.set_now(at)
    return client.get(f"/api/1/vehicles/{_vin(client)}/vehicle_data")["response"]


def _connector(client: SimulatorClient, at: str) -> Any:
    client.set_now(at)
    live = client.get(f"{client.site_path}/live_status")["response"]
    return live["wall_connectors"][2] | {"load_power": live["load_power"]}


def test_the_truth_names_a_cars_habits(client: SimulatorClient) -> None:
    habits = [car["habits"] for car in client.get("/simulator/truth/vehicles")]
    assert habits == [[], [], list(vars(EVERY_HABIT))]


def test_a_car_in_the_garage_is_offline_and_comes_back_fuller(
    client: SimulatorClient, plug_ins: list[Any]
) -> None:
    garage = next(one for one in plug_ins if one["is_underground"])
    before = _vehicle_data(client, _shifted(garage["plugged"], -180))
    for at in (garage["plugged"], garage["segments"][0]["start"], garage["unplugged"]):
        client.set_now(_shifted(at, 1))
        listed = client.get(f"/api/1/vehicles/{_vin(client)}")["response"]
        assert listed["state"] == "offline"
        answer = client.call("GET", f"/api/1/vehicles/{_vin(client)}/vehicle_data")
        assert answer.status_code == 408
        client.call("POST", f"/api/1/vehicles/{_vin(client)}/wake_up")
        client.set_now(_shifted(at, 30))
        assert client.call("GET", f"/api/1/vehicles/{_vin(client)}/vehicle_data").status_code == 408
    after = _vehicle_data(client, _shifted(garage["unplugged"], 120))
    assert before["drive_state"]["shift_state"] == after["drive_state"]["shift_state"] == "D"
    assert after["charge_state"]["charging_state"] == "Disconnected"
    risen_pct = after["charge_state"]["battery_level"] - before["charge_state"]["battery_level"]
    usable_wh = client.fleet.cars[2].usable_wh
    assert risen_pct == pytest.approx(100 * garage["added_wh"] / usable_wh, abs=1.5)


def test_preheating_shows_power_and_a_counter_that_stands_still(
    client: SimulatorClient, plug_ins: list[Any]
) -> None:
    plug_in = next(one for one in plug_ins if one["preheating"] and one["segments"])
    (piece,) = plug_in["preheating"]
    at = _shifted(piece["start"], 60)
    states = [_vehicle_data(client, when) for when in (at, _shifted(piece["end"], -60))]
    for state in states:
        charge = state["charge_state"]
        assert charge["charging_state"] in ("Complete", "Stopped")
        assert (charge["charger_power"], charge["charger_actual_current"]) == (3, 12)
        assert (charge["charger_voltage"], charge["charge_rate"]) == (240, 0.0)
        assert charge["charge_energy_added"] == round(plug_in["added_wh"] / 1000, 2)
        assert state["climate_state"]["is_preconditioning"] is True
        assert state["drive_state"]["power"] == 0
    connector = _connector(client, at)
    assert (connector["vin"], connector["wall_connector_power"]) == (_vin(client), 2880)
    assert connector["load_power"] > 2880


def test_a_tripped_charger_shows_no_power_in_the_car_and_an_error_at_the_wall(
    client: SimulatorClient, plug_ins: list[Any]
) -> None:
    plug_in = next(one for one in plug_ins if one["without_power"])
    at = _shifted(plug_in["without_power"][0], 60)
    charge = _vehicle_data(client, at)["charge_state"]
    assert (charge["charging_state"], charge["charger_power"]) == ("NoPower", 0)
    connector = _connector(client, at)
    assert (connector["wall_connector_state"], connector["wall_connector_power"]) == (7, 0)


def test_the_wall_connector_lists_charges_on_solar_one_by_one_and_preheating(
    client: SimulatorClient, plug_ins: list[Any]
) -> None:
    client.set_now(END.isoformat())
    months = [
        ("2026-03-01T00:00:00-08:00", "2026-03-31T23:59:59-07:00"),
        ("2026-04-01T00:00:00-07:00", "2026-04-30T23:59:59-07:00"),
    ]
    charges = [
        charge
        for start, end in months
        for charge in client.get(
            f"{client.site_path}/telemetry_history", kind="charge", start_date=start, end_date=end
        )["response"]["charge_history"]
        if charge["vin"] == _vin(client)
    ]
    expected = [
        part
        for plug_in in plug_ins
        if plug_in["is_home"]
        for part in (*plug_in["segments"], *plug_in["preheating"])
        if "2026-03-01T08:00" <= part["start"] < "2026-05-01T07:00"
    ]
    assert len(charges) == len(expected) > 80
    assert sum(one["energy_added_wh"] for one in charges) == pytest.approx(
        sum(one["used_wh"] for one in expected), abs=0.5 * len(charges)
    )


def test_idle_minutes_at_a_supercharger_are_on_the_bill(
    client: SimulatorClient, plug_ins: list[Any]
) -> None:
    client.set_now(END.isoformat())
    bills = client.get("/api/1/dx/charging/history", pageSize=100, startTime=START.isoformat())
    parking = {
        (bill["vin"], datetime.fromisoformat(bill["unlatchDateTime"])): bill["fees"][1]
        for bill in bills["response"]["data"]
    }
    stops = [one for one in plug_ins if one["is_supercharger"] and one["segments"]]
    dues = []
    for stop in stops:
        stopped = datetime.fromisoformat(stop["segments"][-1]["end"])
        unlatched = datetime.fromisoformat(stop["unplugged"])
        fee = parking[stop["vin"], unlatched]
        minutes = (unlatched - stopped) // timedelta(minutes=1)
        due = 0.5 * minutes if minutes > 5 else 0.0
        assert (fee["totalDue"], fee["usageBase"]) == (due, minutes if due else 0)
        assert fee["pricingType"] == ("PAYMENT" if due else "NO_CHARGE")
        dues.append(due)
    assert max(dues) > 0
    assert {fee["totalDue"] for (vin, _), fee in parking.items() if vin != _vin(client)} == {0.0}
