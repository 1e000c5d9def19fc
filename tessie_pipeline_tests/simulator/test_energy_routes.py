from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tessie_pipeline_tests.simulator.client import SimulatorClient, captured

NOON = "2026-06-10T12:02:00-07:00"


@pytest.fixture(scope="module")
def client() -> SimulatorClient:
    return SimulatorClient(NOON)


def test_live_status_has_the_captured_keys_and_balances(client: SimulatorClient) -> None:
    live = client.get(f"{client.site_path}/live_status")["response"]
    assert live.keys() >= captured("live_status/fleet_2024_05.json")["response"].keys()
    assert live["load_power"] == live["solar_power"] + live["battery_power"] + live["grid_power"]
    assert live["timestamp"] == NOON
    assert 0 <= live["percentage_charged"] <= 100


def test_the_wall_connector_names_the_car_it_charges(client: SimulatorClient) -> None:
    car = client.fleet.cars[0]
    plug_ins = client.get(
        f"/simulator/truth/vehicles/{car.vin}/plug_ins",
        start="2026-06-01T00:00:00+00:00",
        end="2026-06-10T00:00:00+00:00",
    )
    segment = next(one for one in plug_ins if one["is_home"] and one["segments"])["segments"][0]
    client.set_now(segment["start"])
    live = client.get(f"{client.site_path}/live_status")["response"]
    client.set_now(NOON)
    connector = live["wall_connectors"][0]
    assert connector["vin"] == car.vin
    assert connector["wall_connector_state"] == 1
    assert connector["wall_connector_power"] == round(car.plug_w)
    assert live["load_power"] > car.plug_w


def test_energy_buckets_have_the_captured_keys(client: SimulatorClient) -> None:
    example = captured("calendar_history/energy_two_buckets.json")["response"]
    history = client.history("energy", "2026-06-09", "-07:00")
    assert history.keys() == example.keys()
    optional = {key for key in history["time_series"][0] if key.startswith("total_")}
    required = {key for key in example["time_series"][0] if not key.startswith("total_")}
    for bucket in history["time_series"]:
        assert bucket.keys() >= required
        assert all(bucket[key] for key in bucket.keys() & optional)


@pytest.mark.parametrize(
    ("site", "date", "offset", "zone", "buckets"),
    [
        pytest.param(0, "2026-03-08", "-08:00", "America/Los_Angeles", 276, id="spring forward"),
        pytest.param(0, "2025-11-02", "-07:00", "America/Los_Angeles", 300, id="fall back"),
        pytest.param(1, "2026-03-29", "+01:00", "Europe/Berlin", 276, id="Berlin forward"),
        pytest.param(2, "2026-02-10", "+10:30", "Australia/Adelaide", 288, id="half-hour zone"),
        pytest.param(2, "2026-04-05", "+10:30", "Australia/Adelaide", 300, id="Adelaide back"),
    ],
)
def test_a_local_day_has_all_its_buckets_and_sums_to_the_truth(
    site: int, date: str, offset: str, zone: str, buckets: int
) -> None:
    client = SimulatorClient("2026-06-10T12:02:00-07:00", sites=3, vehicles=3)
    site_id = client.fleet.sites[site].energy_site_id
    next_midnight = {276: "-07:00", 300: "-08:00"}.get(buckets, offset)
    if site == 1:
        next_midnight = "+02:00"
    if site == 2 and buckets == 300:
        next_midnight = "+09:30"
    series = client.get(
        f"/api/1/energy_sites/{site_id}/calendar_history",
        kind="energy",
        period="day",
        start_date=f"{date}T00:00:00{offset}",
        end_date=f"{date}T23:59:59{next_midnight}",
        time_zone=zone,
    )["response"]["time_series"]
    assert len(series) == buckets
    starts = [datetime.fromisoformat(bucket["timestamp"]) for bucket in series]
    assert all(
        later.timestamp() - earlier.timestamp() == 300 for earlier, later in pairwise(starts)
    )
    assert {start.date().isoformat() for start in starts} == {date}
    truth = client.get(f"/simulator/truth/sites/{site_id}/days/{date}")
    for ours, theirs in (
        ("solar_wh", "solar_energy_exported"),
        ("home_wh", "total_home_usage"),
        ("grid_import_wh", "grid_energy_imported"),
    ):
        answered_wh = sum(bucket.get(theirs, 0) for bucket in series)
        assert answered_wh == pytest.approx(truth[ours], rel=1e-3)


def test_an_end_at_midnight_gives_an_empty_series(client: SimulatorClient) -> None:
    history = client.get(
        f"{client.site_path}/calendar_history",
        kind="energy",
        period="day",
        start_date="2026-06-09T00:00:00-07:00",
        end_date="2026-06-10T00:00:00-07:00",
    )
    assert history["response"]["time_series"] == []


def test_only_complete_buckets_of_the_past_are_given(client: SimulatorClient) -> None:
    energy = client.history("energy", "2026-06-10", "-07:00")["time_series"]
    soe = client.history("soe", "2026-06-10", "-07:00")["time_series"]
    assert energy[-1]["timestamp"] == "2026-06-10T11:55:00-07:00"
    assert soe[-1]["timestamp"] == "2026-06-10T11:45:00-07:00"
    assert client.history("energy", "2026-06-11", "-07:00")["time_series"] == []


def test_power_is_the_mean_of_the_energy(client: SimulatorClient) -> None:
    power = client.history("power", "2026-06-09", "-07:00")["time_series"]
    energy = client.history("energy", "2026-06-09", "-07:00")["time_series"]
    assert len(power) == len(energy) == 288
    for watts, wh in zip(power, energy, strict=True):
        assert watts["timestamp"] == wh["timestamp"]
        assert watts["solar_power"] / 12 == pytest.approx(wh["solar_energy_exported"], abs=2)
        net_wh = wh["grid_energy_imported"] - wh.get("total_grid_energy_exported", 0)
        assert watts["grid_power"] / 12 == pytest.approx(net_wh, abs=2)
        net_wh = wh.get("total_battery_discharge", 0) - wh.get("total_battery_charge", 0)
        assert watts["battery_power"] / 12 == pytest.approx(net_wh, abs=2)


def test_state_of_charge_follows_the_battery(client: SimulatorClient) -> None:
    site = client.fleet.sites[0]
    soe = client.history("soe", "2026-06-09", "-07:00")["time_series"]
    intervals = client.get(f"/simulator/truth/sites/{site.energy_site_id}/intervals/2026-06-09")
    assert len(soe) == 96
    for quarter, value in enumerate(soe[1:], start=1):
        assert value["soe"] == round(intervals[quarter * 3 - 1]["soc_pct"])


def test_a_month_is_the_sum_of_its_days(client: SimulatorClient) -> None:
    month = client.history("energy", "2026-05-01", "-07:00", period="month")
    assert len(month["time_series"]) == 1
    day = client.history("energy", "2026-05-01", "-07:00")["time_series"]
    assert month["time_series"][0]["solar_energy_exported"] == sum(
        bucket["solar_energy_exported"] for bucket in day
    )
    whole = client.get(f"{client.site_path}/calendar_history", kind="energy", period="year")
    assert [one["timestamp"][:7] for one in whole["response"]["time_series"]] == [
        f"2026-0{month}" for month in range(1, 7)
    ]


def test_outages_are_events_in_milliseconds(client: SimulatorClient) -> None:
    events: list[dict[str, Any]] = client.get(
        f"{client.site_path}/calendar_history",
        kind="backup",
        period="year",
        start_date="2025-06-10T00:00:00-07:00",
        end_date="2026-06-09T23:59:59-07:00",
    )["response"]["events"]
    assert 1 <= len(events) <= 20
    for event in events:
        assert timedelta(minutes=15) <= timedelta(milliseconds=event["duration"])
        assert timedelta(milliseconds=event["duration"]) < timedelta(hours=3)


def test_wall_connector_charges_match_the_truth(client: SimulatorClient) -> None:
    answer = client.get(
        f"{client.site_path}/telemetry_history",
        kind="charge",
        start_date="2026-06-01T00:00:00-07:00",
        end_date="2026-06-07T23:59:59-07:00",
    )
    charges = answer["response"]["charge_history"]
    used_wh = 0.0
    for car in client.fleet.cars:
        plug_ins = client.get(
            f"/simulator/truth/vehicles/{car.vin}/plug_ins",
            start="2026-05-30T00:00:00-07:00",
            end="2026-06-08T00:00:00-07:00",
        )
        used_wh += sum(
            segment["used_wh"]
            for plug_in in plug_ins
            if plug_in["is_home"]
            for segment in plug_in["segments"]
            if "2026-06-01T07:00" <= segment["start"] < "2026-06-08T07:00"
        )
    assert sum(charge["energy_added_wh"] for charge in charges) == pytest.approx(used_wh, abs=20)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"kind": "charge"}, id="charge is not a kind here"),
        pytest.param({"kind": "energy", "start_date": "2026-06-09"}, id="date without offset"),
        pytest.param({"kind": "energy", "time_zone": "Mars/Olympus"}, id="unknown zone"),
        pytest.param({"kind": "energy", "period": "fortnight"}, id="unknown period"),
    ],
)
def test_unreadable_questions_are_refused(client: SimulatorClient, query: dict[str, str]) -> None:
    answer = client.call("GET", f"{client.site_path}/calendar_history", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


def test_an_unknown_site_is_not_found(client: SimulatorClient) -> None:
    answer = client.call("GET", "/api/1/energy_sites/1/live_status")
    assert answer.status_code == 404
    assert answer.json() == {"response": None, "error": "not_found", "error_description": ""}


def test_site_info_has_what_the_captured_one_has(client: SimulatorClient) -> None:
    info = client.get(f"{client.site_path}/site_info")["response"]
    example = captured("site_info/three_batteries_two_wall_connectors.json")["response"]
    assert info.keys() >= example.keys()
    assert info["installation_time_zone"] == "America/Los_Angeles"
    assert info["nameplate_energy"] == 13_500 * info["battery_count"]
