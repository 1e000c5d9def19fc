import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx
import pytest

from tessie_pipeline_tests.simulator.live import LiveSimulator


@pytest.fixture
def simulator(simulator: LiveSimulator) -> LiveSimulator:
    """A household whose first car drives."""
    simulator.go_to_first_trip()
    return simulator


def _live(simulator: LiveSimulator) -> Any:
    return simulator.get(f"{simulator.site_path}/live_status")["response"]


def _car(simulator: LiveSimulator) -> Any:
    return simulator.get(f"{simulator.car_path}/vehicle_data")["response"]


def _values(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All values that are not objects or lists, by their path."""
    if isinstance(content, dict | list):
        pairs = content.items() if isinstance(content, dict) else enumerate(content)
        for key, value in pairs:
            yield from _values(value, f"{path}.{key}")
    else:
        yield path, content


def _told(live: Any) -> datetime:
    return datetime.fromisoformat(live["timestamp"])


def test_a_repeated_answer_is_exactly_the_previous_one(simulator: LiveSimulator) -> None:
    path = f"{simulator.site_path}/live_status"
    previous = simulator.http.get(path)
    simulator.pass_time(minutes=5)
    simulator.plan("repeated", match="live_status")
    assert simulator.http.get(path).content == previous.content
    assert simulator.http.get(path).content != previous.content


def test_a_stale_answer_is_the_truth_of_some_minutes_ago(simulator: LiveSimulator) -> None:
    past_car, past_live = _car(simulator), _live(simulator)
    simulator.pass_time(minutes=4)
    simulator.switch(
        "faults",
        plan=[
            {"match": match, "fault": "stale", "lag_s": 240}
            for match in ("vehicle_data", "live_status")
        ],
    )
    assert (_car(simulator), _live(simulator)) == (past_car, past_live)
    assert _car(simulator)["drive_state"]["timestamp"] > past_car["drive_state"]["timestamp"]


def test_an_answer_out_of_order_is_older_than_the_one_before_it(simulator: LiveSimulator) -> None:
    first = _live(simulator)
    simulator.pass_time(minutes=5)
    second = _live(simulator)
    now = simulator.pass_time(minutes=5)
    simulator.plan("out_of_order", match="live_status")
    assert _told(first) < _told(_live(simulator)) < _told(second)
    assert _told(_live(simulator)) == now


@pytest.mark.parametrize("kind", ["repeated", "out_of_order", "missing_keys"])
def test_a_fault_that_cannot_be_done_waits_for_an_answer_it_can_be_done_to(
    simulator: LiveSimulator, kind: str
) -> None:
    simulator.plan(kind, match="live_status")
    bearer = simulator.http.headers.pop("Authorization")
    assert simulator.http.get(f"{simulator.site_path}/live_status").status_code == 401
    simulator.http.headers["Authorization"] = bearer
    if kind != "missing_keys":
        _live(simulator)
    report = simulator.get("/simulator/faults")
    assert (len(report["plan"]), report["injected"]) == (1, [])
    _live(simulator)
    assert simulator.get("/simulator/faults")["counts"] == {kind: 1}


def test_keys_are_missing(simulator: LiveSimulator) -> None:
    whole = dict(_values(_car(simulator)))
    simulator.plan("missing_keys")
    part = dict(_values(_car(simulator)))
    assert part.items() < whole.items()
    assert len(whole) * 0.7 < len(part) < len(whole)


def test_values_are_empty_or_invalid(simulator: LiveSimulator) -> None:
    whole = dict(_values(_car(simulator)))
    simulator.plan("empty_values")
    spoiled = dict(_values(_car(simulator)))
    changed = [value for path, value in spoiled.items() if value != whole[path]]
    assert spoiled.keys() == whole.keys()
    assert set(changed) == {"", "<invalid>"}


def test_values_have_another_type(simulator: LiveSimulator) -> None:
    history = f"{simulator.site_path}/calendar_history"
    query = {"kind": "energy", "start_date": "2026-05-01T00:00:00-07:00"}
    whole = dict(_values(simulator.get(history, **query)))
    simulator.plan("wrong_types")
    spoiled = dict(_values(simulator.get(history, **query)))
    changed = {path: value for path, value in spoiled.items() if value != whole[path]}
    assert spoiled.keys() == whole.keys()
    for path, value in changed.items():
        assert type(value) is not type(whole[path])
        if isinstance(whole[path], int):
            assert value == str(whole[path])
    assert {type(value) for value in changed.values()} == {str, int}


def test_states_are_null(simulator: LiveSimulator) -> None:
    simulator.plan("null_states", times=2)
    car = _car(simulator)
    assert car["vin"] == simulator.fleet.cars[0].vin
    assert [car["state"], car["charge_state"], car["drive_state"]] == [None] * 3
    products = simulator.get("/api/1/products")["response"]
    assert [product["state"] for product in products if "vin" in product] == [None, None]


def test_the_whole_response_is_null(simulator: LiveSimulator) -> None:
    simulator.plan("null_response")
    assert simulator.get(f"{simulator.site_path}/site_info") == {"response": None}


@pytest.mark.parametrize("kind", ["truncated_json", "not_json", "empty_body"])
def test_a_body_that_is_no_json_has_status_200(simulator: LiveSimulator, kind: str) -> None:
    simulator.plan(kind)
    answer = simulator.http.get(f"{simulator.site_path}/site_info")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("kind", ["truncated_json", "wrong_types", "answer_lost"])
def test_a_spoiled_or_lost_answer_did_reach_the_car(simulator: LiveSimulator, kind: str) -> None:
    window = simulator.park_first_car(minutes=14)
    simulator.plan(kind, match="vehicle_data")
    with suppress(httpx.TransportError):
        simulator.http.get(f"{simulator.car_path}/vehicle_data")
    vin = simulator.fleet.cars[0].vin
    assert simulator.get(f"/simulator/truth/vehicles/{vin}/awake", **window)["held_min"] > 0
