import base64
import json
from typing import Any

import httpx
import pytest

from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN
from tessie_pipeline_tests.simulator.client import SimulatorClient, captured


@pytest.fixture
def client() -> SimulatorClient:
    return SimulatorClient("2026-06-10T12:00:00-07:00")


def _refresh(client: SimulatorClient, token: str) -> httpx.Response:
    fields = {"grant_type": "refresh_token", "client_id": "me", "refresh_token": token}
    return client.call("POST", "/oauth2/v3/token", authorised=False, data=fields)


def _claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_an_access_token_is_a_jwt_for_eight_hours(client: SimulatorClient) -> None:
    answer = _refresh(client, INITIAL_REFRESH_TOKEN).json()
    claims = _claims(answer["access_token"])
    assert answer["expires_in"] == claims["exp"] - claims["iat"] == 28_800
    assert claims["ou_code"] == "NA"
    assert "vehicle_location" in claims["scp"]
    client.headers = {"Authorization": f"Bearer {answer['access_token']}"}
    client.get("/api/1/users/region")


def test_a_refresh_token_works_once_its_grace_aside(client: SimulatorClient) -> None:
    first = _refresh(client, INITIAL_REFRESH_TOKEN).json()["refresh_token"]
    assert first != INITIAL_REFRESH_TOKEN
    second = _refresh(client, first).json()["refresh_token"]
    old = _refresh(client, INITIAL_REFRESH_TOKEN)
    assert (old.status_code, old.json()["error"]) == (401, "login_required")
    assert _refresh(client, second).status_code == 200


def test_the_last_used_refresh_token_works_for_a_day(client: SimulatorClient) -> None:
    _refresh(client, INITIAL_REFRESH_TOKEN)
    client.wall.at_s += 23 * 3600
    assert _refresh(client, INITIAL_REFRESH_TOKEN).status_code == 200
    client.wall.at_s += 2 * 3600
    assert _refresh(client, INITIAL_REFRESH_TOKEN).status_code == 401


def test_a_restarted_simulator_takes_the_token_the_client_kept(client: SimulatorClient) -> None:
    kept = _refresh(client, INITIAL_REFRESH_TOKEN).json()["refresh_token"]
    restarted = SimulatorClient("2026-06-10T12:00:00-07:00")
    assert _refresh(restarted, kept).status_code == 200


def test_made_up_refresh_tokens_are_refused(client: SimulatorClient) -> None:
    for token in ("", "NA_simulator.initial.e30.x", "EU_other"):
        assert _refresh(client, token).status_code == 401


def test_an_unknown_grant_is_refused(client: SimulatorClient) -> None:
    fields = {"grant_type": "password", "client_id": "me"}
    answer = client.call("POST", "/oauth2/v3/token", authorised=False, data=fields)
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


def test_calls_without_a_good_token_answer_401_as_captured(client: SimulatorClient) -> None:
    invalid = captured("errors/401_invalid_bearer_token.json")["body"]
    missing = client.call("GET", "/api/1/products", authorised=False)
    assert (missing.status_code, missing.json()) == (401, invalid)
    client.headers = {"Authorization": "Bearer e30.e30.e30"}
    assert client.call("GET", "/api/1/vehicles").json() == invalid


def test_access_tokens_expire_by_wall_time_not_by_the_fast_clock(client: SimulatorClient) -> None:
    client.set_now("2027-06-10T12:00:00-07:00")
    client.get("/api/1/vehicles")
    client.wall.at_s += 28_800
    answer = client.call("GET", "/api/1/vehicles")
    expired = captured("errors/401_token_expired.json")["body"]
    assert (answer.status_code, answer.json()) == (401, expired)
