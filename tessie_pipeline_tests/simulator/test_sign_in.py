import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN, SCOPES
from tessie_pipeline_tests.simulator.client import captured
from tessie_pipeline_tests.simulator.live import LiveSimulator

EUROPE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"


def _back(answer: httpx.Response) -> dict[str, str]:
    """What the redirect brings back."""
    assert answer.status_code == 302, answer.text
    return {
        key: values[0]
        for key, values in parse_qs(urlsplit(answer.headers["location"]).query).items()
    }


def _scopes(access_token: str) -> Any:
    part = access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["scp"]


def test_a_user_who_consents_comes_back_with_a_code_of_the_region(
    simulator: LiveSimulator,
) -> None:
    answer = simulator.authorize(state="a state of mine")
    assert answer.headers["location"].startswith("http://localhost:8765/callback?")
    back = _back(answer)
    assert back["state"] == "a state of mine"
    assert back["code"].startswith("NA_")
    assert int(back["code"].removeprefix("NA_"), 16)


def test_a_code_signs_in_once(simulator: LiveSimulator) -> None:
    code = _back(simulator.authorize(scope="openid offline_access energy_device_data"))["code"]
    pair = simulator.exchange(code).json()
    assert _scopes(pair["access_token"]) == ["openid", "offline_access", "energy_device_data"]
    assert simulator.refresh(pair["refresh_token"]).status_code == 200
    simulator.use(pair["access_token"])
    simulator.get(f"{simulator.site_path}/live_status")
    assert simulator.http.get("/api/1/vehicles").json()["error"] == "Unauthorized missing scopes"
    again = simulator.exchange(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_auth_code")


def test_without_offline_access_there_is_no_refresh_token(simulator: LiveSimulator) -> None:
    code = _back(simulator.authorize(scope="openid vehicle_device_data"))["code"]
    assert "refresh_token" not in simulator.exchange(code).json()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code": "NA_123"}, "invalid_auth_code", id="an unknown code"),
        pytest.param({"client_id": "other"}, "invalid_auth_code", id="another client"),
        pytest.param({"redirect_uri": "http://x.y/"}, "invalid_redirect_url", id="elsewhere"),
    ],
)
def test_a_code_that_does_not_match_is_refused_and_stays_good(
    simulator: LiveSimulator, changes: dict[str, str], error: str
) -> None:
    code = _back(simulator.authorize())["code"]
    refused = simulator.exchange(**{"code": code, **changes})
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert simulator.exchange(code).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"client_id": ""}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"redirect_uri": "/callback"}, "invalid_redirect_url"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "openid everything"}, "invalid_scope"),
    ],
)
def test_an_unsound_question_gets_no_code(
    simulator: LiveSimulator, changes: dict[str, str], error: str
) -> None:
    answer = simulator.authorize(**changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_user_may_untick_scopes_unless_all_are_required(simulator: LiveSimulator) -> None:
    simulator.switch("consent", untick=["vehicle_location"])
    code = _back(simulator.authorize())["code"]
    granted = _scopes(simulator.exchange(code).json()["access_token"])
    assert set(SCOPES.split()) - set(granted) == {"vehicle_location"}
    assert _back(simulator.authorize(require_requested_scopes="true"))["error"] == "access_denied"
    simulator.switch("consent", deny=True)
    back = _back(simulator.authorize())
    assert (back["error"], back["state"], "code" in back) == ("access_denied", "s-1", False)
    simulator.switch("consent")
    assert "code" in _back(simulator.authorize())


def test_an_app_that_is_not_registered_is_refused_as_captured_until_it_registers(
    simulator: LiveSimulator,
) -> None:
    assert simulator.switch("registration", is_registered=False)["is_registered"] is False
    example = captured("errors/412_not_registered.json")
    for path in ("/api/1/users/region", "/api/1/products", f"{simulator.site_path}/live_status"):
        refused = simulator.http.get(path)
        assert (refused.status_code, refused.json()) == (example["status"], example["body"])
    wrong = simulator.http.post("/api/1/partner_accounts", json={"domain": "https://me.org"})
    assert wrong.status_code == 400
    assert wrong.json()["error"].startswith("Invalid domain: https://me.org")
    registered = simulator.http.post("/api/1/partner_accounts", json={"domain": "me.org"})
    assert registered.json()["response"]["domain"] == "me.org"
    simulator.get("/api/1/products")


def test_only_a_partner_token_registers_an_app(simulator: LiveSimulator) -> None:
    simulator.use(simulator.refresh().json()["access_token"])
    refused = simulator.http.post("/api/1/partner_accounts", json={"domain": "me.org"})
    assert refused.status_code == 403
    assert refused.json()["error"] == "Expected partner account"
    del simulator.http.headers["Authorization"]
    assert simulator.http.post("/api/1/partner_accounts", json={}).status_code == 401


def test_what_is_revoked_is_refused_and_a_new_sign_in_is_not(simulator: LiveSimulator) -> None:
    pair = simulator.refresh().json()
    simulator.use(pair["access_token"])
    simulator.get("/api/1/products")
    simulator.switch("revoke")
    refused = simulator.http.get("/api/1/products")
    assert (refused.status_code, refused.json()) == (401, {"error": "token expired (401)"})
    for token in (pair["refresh_token"], INITIAL_REFRESH_TOKEN):
        answer = simulator.refresh(token)
        assert (answer.status_code, answer.json()["error"]) == (401, "login_required")
    new = simulator.exchange(_back(simulator.authorize())["code"]).json()
    simulator.use(new["access_token"])
    simulator.get("/api/1/products")
    assert simulator.refresh(new["refresh_token"]).status_code == 200
    assert simulator.get("/simulator/tokens") == {"refreshes": 2, "grace_uses": 0, "refused": 2}


def test_spent_refresh_tokens_are_counted(simulator: LiveSimulator) -> None:
    first = simulator.refresh().json()["refresh_token"]
    simulator.refresh()
    simulator.refresh(first)
    simulator.refresh()
    simulator.refresh("made up")
    assert simulator.get("/simulator/tokens") == {"refreshes": 2, "grace_uses": 1, "refused": 2}


def test_a_user_of_another_region_is_sent_there(simulator: LiveSimulator) -> None:
    own = {"region": "na", "fleet_api_base_url": str(simulator.http.base_url).rstrip("/")}
    assert simulator.get("/api/1/users/region")["response"] == own
    simulator.switch("region", base_url=EUROPE)
    there = {"region": "eu", "fleet_api_base_url": EUROPE}
    assert simulator.get("/api/1/users/region")["response"] == there
    for path in ("/api/1/vehicles", "/api/1/products", f"{simulator.site_path}/site_info"):
        refused = simulator.http.get(path)
        assert refused.status_code == 421
        assert f"use base URL: {EUROPE}, see https://" in refused.json()["error"]
    assert _back(simulator.authorize())["code"].startswith("EU_")
    simulator.switch("region", base_url=None)
    simulator.get("/api/1/products")
    assert simulator.get("/api/1/users/region")["response"] == own
