import re
import time
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tessie_pipeline.simulator.fault_kinds import REPLACING
from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN
from tessie_pipeline_tests.simulator.client import captured
from tessie_pipeline_tests.simulator.live import LiveSimulator

STATUSES = {
    "400_server_error": 400,
    "400_invalid_auth_code": 400,
    "400_invalid_request": 400,
    "401_token_expired": 401,
    "401_empty": 401,
    "401_invalid_bearer": 401,
    "401_login_required": 401,
    "401_mobile_access_disabled": 401,
    "402_payment_required": 402,
    "403_missing_scopes": 403,
    "403_exceeded_limit": 403,
    "404_not_found": 404,
    "405_in_service": 405,
    "406_not_acceptable": 406,
    "408_asleep": 408,
    "408_nested": 408,
    "412_not_registered": 412,
    "421_wrong_region": 421,
    "422_invalid_resource": 422,
    "423_locked": 423,
    "429_retry_after": 429,
    "429_plain_text": 429,
    "429_daily_limit": 429,
    "451_legal_reasons": 451,
    "499_client_closed": 499,
    "500_upstream": 500,
    "500_asleep": 500,
    "502_html": 502,
    "503_unavailable": 503,
    "504_upstream_timeout": 504,
    "540_device_unexpected": 540,
    "not_json": 200,
    "empty_body": 200,
}


def test_every_answer_has_the_status_of_teslas_table(simulator: LiveSimulator) -> None:
    plan = [{"match": "live_status", "fault": kind} for kind in STATUSES]
    simulator.switch("faults", plan=plan)
    path = f"{simulator.site_path}/live_status"
    assert {kind: simulator.http.get(path).status_code for kind in STATUSES} == STATUSES
    assert STATUSES.keys() == REPLACING
    assert simulator.http.get(path).json()["response"]["load_power"] > 0


@pytest.mark.parametrize(
    ("kind", "example"),
    [
        ("401_token_expired", "401_token_expired"),
        ("401_invalid_bearer", "401_invalid_bearer_token"),
        ("403_exceeded_limit", "403_exceeded_limit"),
        ("408_asleep", "408_asleep"),
        ("408_nested", "408_vehicle_unavailable_nested"),
        ("412_not_registered", "412_not_registered"),
        ("429_daily_limit", "429_daily_limit_2024"),
        ("500_upstream", "500_upstream_internal_error"),
        ("504_upstream_timeout", "504_upstream_timeout"),
    ],
)
def test_an_error_answers_as_captured(simulator: LiveSimulator, kind: str, example: str) -> None:
    simulator.plan(kind)
    answer = simulator.http.get("/api/1/vehicles")
    expected = captured(f"errors/{example}.json")
    is_text = isinstance(expected["body"], str)
    assert answer.status_code == expected["status"]
    assert (answer.text if is_text else answer.json()) == expected["body"]
    assert expected["headers"].items() <= answer.headers.items()


def test_the_token_endpoint_fails_as_captured_and_spends_nothing(
    simulator: LiveSimulator,
) -> None:
    simulator.plan("400_server_error", match="oauth2/v3/token")
    expected = captured("errors/400_token_server_error.json")
    failed = simulator.refresh()
    reference = {"error_uri": ""}
    assert failed.json() | reference == expected["body"] | reference
    assert simulator.get("/simulator/tokens")["refreshes"] == 0
    assert simulator.refresh().status_code == 200


def test_the_wrong_region_names_the_right_one_as_teslas_own_client_reads_it(
    simulator: LiveSimulator,
) -> None:
    simulator.plan("421_wrong_region")
    body = simulator.http.get("/api/1/products").text
    found = re.search(r"use base URL: https://([-a-z0-9.]*)", body)
    assert found is not None
    assert found.group(1) == "fleet-api.prd.eu.vn.cloud.tesla.com"


def test_a_rate_limit_tells_when_to_come_back_in_headers_or_in_text(
    simulator: LiveSimulator,
) -> None:
    faults = [{"match": "", "fault": "429_retry_after", "retry_after_s": 7}]
    faults += [{"match": "", "fault": "429_plain_text", "retry_after_s": 9}]
    simulator.switch("faults", plan=faults)
    first, second = (simulator.http.get("/api/1/vehicles") for _ in range(2))
    assert first.headers["retry-after"] == first.headers["ratelimit-reset"] == "7"
    assert (first.headers["ratelimit-limit"], first.headers["ratelimit-remaining"]) == ("60", "0")
    assert second.text == "Retry in 9 seconds"
    assert not {"retry-after", "ratelimit-reset"} & second.headers.keys()


def test_a_plan_counts_the_requests_whose_path_or_query_matches(simulator: LiveSimulator) -> None:
    simulator.plan("502_html", match="live_status", times=2, skip=1)
    seen = []
    for path in ("live_status", "site_info", "live_status", "live_status", "live_status"):
        seen.append(simulator.http.get(f"{simulator.site_path}/{path}").status_code)
    assert seen == [200, 200, 502, 502, 200]
    report = simulator.get("/simulator/faults")
    assert (report["plan"], report["counts"]) == ([], {"502_html": 2})
    done = [(one["method"], one["path"], one["fault"]) for one in report["injected"]]
    assert done == [("GET", f"{simulator.site_path}/live_status", "502_html")] * 2
    simulator.plan("503_unavailable", match="kind=power", times=5)
    history = f"{simulator.site_path}/calendar_history"
    assert simulator.http.get(history, params={"kind": "energy"}).status_code == 200
    assert simulator.http.get(history, params={"kind": "power"}).status_code == 503
    (left,) = simulator.get("/simulator/faults")["plan"]
    assert (left["times"], left["match"]) == (4, "kind=power")
    cleared = simulator.http.delete("/simulator/faults").json()
    assert (cleared["plan"], cleared["injected"]) == ([], [])
    assert simulator.http.get(history, params={"kind": "power"}).status_code == 200


def _statuses(simulator: LiveSimulator, seed: int) -> list[int]:
    random = {"seed": seed, "rate": 0.33, "kinds": ["502_html", "504_upstream_timeout"]}
    simulator.switch("faults", random=random)
    return [simulator.http.get("/api/1/vehicles").status_code for _ in range(120)]


def test_chance_is_the_same_for_the_same_seed(simulator: LiveSimulator) -> None:
    first = _statuses(simulator, 1)
    assert first == _statuses(simulator, 1) != _statuses(simulator, 2)
    assert set(first) == {200, 502, 504}
    assert 0.2 < sum(status != 200 for status in first) / len(first) < 0.46


def test_chance_keeps_to_what_a_client_can_outlast(simulator: LiveSimulator) -> None:
    simulator.switch("faults", random={"seed": 3, "rate": 1})
    kinds = set(simulator.get("/simulator/faults")["random"]["kinds"])
    assert {"502_html", "408_asleep", "connection_reset", "stale", "wrong_types"} <= kinds
    assert not kinds & {"401_login_required", "403_exceeded_limit", "402_payment_required"}


def test_the_simulators_own_routes_never_fail(simulator: LiveSimulator) -> None:
    simulator.plan("500_upstream", times=100)
    simulator.get("/simulator/clock")
    simulator.get("/simulator/truth/sites")
    assert simulator.http.get("/api/1/vehicles").status_code == 500


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"plan": [{"match": "", "fault": "418_teapot"}]}, id="an unknown fault"),
        pytest.param({"plan": [{"fault": "502_html"}]}, id="no match"),
        pytest.param({"plan": [{"match": "", "fault": "latency", "sec": 3}]}, id="unknown option"),
        pytest.param({"random": {"seed": 1, "rate": 2}}, id="a rate above one"),
    ],
)
def test_an_unreadable_plan_is_refused(simulator: LiveSimulator, body: dict[str, Any]) -> None:
    answer = simulator.http.post("/simulator/faults", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_an_answer_that_comes_late_is_the_true_one(simulator: LiveSimulator) -> None:
    simulator.plan("latency", latency_s=0.3)
    before_s = time.monotonic()
    simulator.get("/api/1/vehicles")
    assert 0.3 <= time.monotonic() - before_s < 2
    simulator.plan("503_unavailable", latency_s=0.3)
    before_s = time.monotonic()
    assert simulator.http.get("/api/1/vehicles").status_code == 503
    assert time.monotonic() - before_s >= 0.3


def test_a_connection_breaks_without_an_answer_and_the_server_goes_on(
    simulator: LiveSimulator,
) -> None:
    for kind in ("connection_reset", "answer_lost"):
        simulator.plan(kind)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            simulator.http.get("/api/1/vehicles")
        simulator.get("/api/1/vehicles")
    simulator.plan("cut_off")
    with pytest.raises(httpx.RemoteProtocolError):
        simulator.http.get("/api/1/vehicles")
    simulator.get("/api/1/vehicles")


def test_a_lost_answer_spends_the_refresh_token_and_the_grace_saves_it(
    simulator: LiveSimulator,
) -> None:
    simulator.plan("answer_lost", match="token")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        simulator.refresh()
    assert simulator.refresh(INITIAL_REFRESH_TOKEN).status_code == 200
    spent = simulator.get("/simulator/tokens")
    assert spent == {"refreshes": 1, "grace_uses": 1, "refused": 0}


def test_an_answer_that_was_replaced_did_not_reach_the_car(simulator: LiveSimulator) -> None:
    window = simulator.park_first_car(minutes=14)
    awake = f"/simulator/truth/vehicles/{simulator.fleet.cars[0].vin}/awake"
    for kind in ("502_html", "408_asleep", "not_json", "connection_reset"):
        simulator.plan(kind, match="vehicle_data")
        with suppress(httpx.TransportError):
            simulator.http.get(f"{simulator.car_path}/vehicle_data")
    assert simulator.get(awake, **window)["held_min"] == 0
    simulator.get(f"{simulator.car_path}/vehicle_data")
    assert simulator.get(awake, **window)["held_min"] > 0


def test_a_bad_gateway_answers_in_html(simulator: LiveSimulator) -> None:
    simulator.plan("502_html")
    answer = simulator.http.get("/api/1/products")
    assert answer.headers["content-type"] == "text/html"
    assert "<h1>502 Bad Gateway</h1>" in answer.text


def test_a_broken_connection_is_no_error_of_the_server(
    simulator: LiveSimulator, capfd: pytest.CaptureFixture[str]
) -> None:
    for kind in ("connection_reset", "answer_lost", "cut_off"):
        simulator.plan(kind)
        with pytest.raises(httpx.TransportError):
            simulator.http.get("/api/1/vehicles")
    assert simulator.get("/simulator/requests")["/api/1/vehicles"] == {"none": 3}
    assert capfd.readouterr().err == ""
