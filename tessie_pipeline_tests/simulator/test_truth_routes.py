from typing import Any

import pytest

from tessie_pipeline_tests.simulator.client import SimulatorClient

WEEK = {"start": "2026-06-01T00:00:00-07:00", "end": "2026-06-08T00:00:00-07:00"}


@pytest.fixture(scope="module")
def client() -> SimulatorClient:
    return SimulatorClient("2026-06-10T12:00:00-07:00")


def _site(client: SimulatorClient) -> Any:
    (site,) = client.get("/simulator/truth/sites")
    return site


def test_intervals_add_up_to_the_day_and_balance(client: SimulatorClient) -> None:
    path = f"/simulator/truth/sites/{_site(client)['energy_site_id']}"
    day = client.get(f"{path}/days/2026-06-09")
    intervals = client.get(f"{path}/intervals/2026-06-09")
    assert len(intervals) == day["buckets"] == 288
    for key in ("solar_wh", "home_wh", "grid_to_home_wh", "battery_charge_wh"):
        assert sum(interval[key] for interval in intervals) == pytest.approx(day[key])
    assert sum(interval["cars_wh"] for interval in intervals) == pytest.approx(
        sum(day["cars_wh"].values())
    )
    for one in (day, *intervals):
        sources_wh = one["solar_wh"] + one["battery_discharge_wh"] + one["grid_import_wh"]
        sinks_wh = one["home_wh"] + one["battery_charge_wh"] + one["grid_export_wh"]
        assert sources_wh == pytest.approx(sinks_wh)
    assert intervals[-1]["stored_wh"] == day["stored_end_wh"]


def test_the_batterys_content_follows_from_its_flows_over_days(client: SimulatorClient) -> None:
    site = _site(client)
    path = f"/simulator/truth/sites/{site['energy_site_id']}/days"
    days = client.get(path, start="2026-03-01", end="2026-03-15")
    assert len(days) == 14
    stored_wh = days[0]["stored_start_wh"]
    for day in days:
        stored_wh += day["battery_charge_wh"] * site["charge_efficiency"]
        stored_wh -= day["battery_discharge_wh"] / site["discharge_efficiency"]
        assert day["stored_end_wh"] == pytest.approx(stored_wh, abs=0.01)


def test_a_cars_energy_balances_over_a_week(client: SimulatorClient) -> None:
    for car in client.get("/simulator/truth/vehicles"):
        path = f"/simulator/truth/vehicles/{car['vin']}"
        bounds = [
            client.get(f"{path}/state", at=f"2026-06-{day}T05:00:00-07:00") for day in ("01", "08")
        ]
        driven_wh = sum(trip["energy_wh"] for trip in client.get(f"{path}/trips", **WEEK))
        added_wh = sum(one["added_wh"] for one in client.get(f"{path}/plug_ins", **WEEK))
        assert bounds[1]["stored_wh"] - bounds[0]["stored_wh"] == pytest.approx(
            added_wh - driven_wh, abs=1e-3
        )


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("sites/{site}/days/yesterday", id="not a date"),
        pytest.param("sites/{site}/days?start=2026-06-02&end=2026-06-01", id="backwards"),
        pytest.param("vehicles/{vin}/trips?start=2026-06-01", id="no end"),
    ],
)
def test_unreadable_questions_are_refused(client: SimulatorClient, path: str) -> None:
    asked = path.format(site=_site(client)["energy_site_id"], vin=client.fleet.cars[0].vin)
    answer = client.call("GET", f"/simulator/truth/{asked}", authorised=False)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
