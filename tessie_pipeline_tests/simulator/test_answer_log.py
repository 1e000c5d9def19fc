import hashlib
from datetime import UTC, datetime
from typing import Any

import httpx

from tessie_pipeline_tests.simulator.live import LiveSimulator


def _kept(simulator: LiveSimulator, since: int = 0) -> Any:
    return simulator.get("/simulator/answers", since=since)["answers"]


def _sha256(answer: httpx.Response) -> str:
    return hashlib.sha256(answer.content).hexdigest()


def test_good_answers_about_data_are_kept_with_what_they_are_known_by(
    simulator: LiveSimulator,
) -> None:
    now = simulator.go_to_first_trip()
    history = {"kind": "power", "start_date": "2026-05-30T00:00:00-07:00", "period": "day"}
    given = [
        simulator.http.get("/api/1/products"),
        simulator.http.get(f"{simulator.car_path}/vehicle_data"),
        simulator.http.get(f"{simulator.site_path}/live_status"),
        simulator.http.get(f"{simulator.site_path}/site_info"),
        simulator.http.get(f"{simulator.site_path}/calendar_history", params=history),
    ]
    kept = _kept(simulator)
    assert [one["sha256"] for one in kept] == [_sha256(answer) for answer in given]
    assert [one["number"] for one in kept] == [1, 2, 3, 4, 5]
    assert {one["at"] for one in kept} == {now.astimezone(UTC).isoformat()}
    car, site = simulator.fleet.cars[0].vehicle_id, simulator.fleet.sites[0].energy_site_id
    assert [(one["endpoint"], one["tesla_id"]) for one in kept] == [
        ("products", None),
        ("vehicle_data", car),
        ("live_status", site),
        ("site_info", site),
        ("calendar_history", site),
    ]
    parts = given[1].json()["response"].values()
    newest_ms = max(part.get("timestamp", 0) for part in parts if isinstance(part, dict))
    told = datetime.fromisoformat(kept[1]["timestamp"])
    assert round(told.timestamp() * 1000) == newest_ms
    live = given[2].json()["response"]["timestamp"]
    assert datetime.fromisoformat(kept[2]["timestamp"]) == datetime.fromisoformat(live)
    assert (kept[4]["date"], kept[4]["kind"]) == ("2026-05-30", "power")
    assert {one["fault"] for one in kept} == {None}


def test_lists_errors_and_lost_answers_are_not_kept(simulator: LiveSimulator) -> None:
    path = f"{simulator.site_path}/live_status"
    simulator.get("/api/1/vehicles")
    simulator.plan("503_unavailable", match="live_status")
    simulator.http.get(path)
    assert simulator.http.get("/api/1/energy_sites/1/live_status").status_code == 404
    simulator.plan("answer_lost", match="live_status")
    try:
        simulator.http.get(path)
    except httpx.TransportError:
        assert _kept(simulator) == []


def test_a_spoiled_answer_is_kept_as_sent_with_its_fault(simulator: LiveSimulator) -> None:
    path = f"{simulator.site_path}/live_status"
    true = simulator.http.get(path)
    simulator.plan("wrong_types", match="live_status")
    spoiled = simulator.http.get(path)
    simulator.plan("not_json", match="live_status")
    simulator.http.get(path)
    kept = _kept(simulator)
    assert [one["fault"] for one in kept] == [None, "wrong_types", "not_json"]
    assert [one["sha256"] for one in kept[:2]] == [_sha256(true), _sha256(spoiled)]
    assert kept[2]["timestamp"] is None


def test_only_what_came_since_is_given(simulator: LiveSimulator) -> None:
    for _ in range(3):
        simulator.get("/api/1/products")
    assert [one["number"] for one in _kept(simulator, since=2)] == [3]
    assert simulator.get("/simulator/answers", since=3) == {"last": 3, "answers": []}
    refused = simulator.http.get("/simulator/answers", params={"since": "yesterday"})
    assert refused.status_code == 400


def test_requests_are_counted_by_endpoint_and_status(simulator: LiveSimulator) -> None:
    simulator.get(f"{simulator.site_path}/live_status")
    simulator.get(f"{simulator.site_path}/live_status")
    simulator.http.get("/api/1/energy_sites/1/live_status")
    simulator.plan("502_html")
    simulator.http.get("/api/1/products")
    simulator.http.get("/api/1/nothing")
    assert simulator.get("/simulator/requests") == {
        "/api/1/energy_sites/{site}/live_status": {"200": 2, "404": 1},
        "/api/1/products": {"502": 1},
        "/oauth2/v3/token": {"200": 1},
        "other": {"404": 1},
    }
