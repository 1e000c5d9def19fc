from datetime import UTC, datetime

import httpx

from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.simulator.tokens import INITIAL_REFRESH_TOKEN

MAY = datetime(2026, 5, 4, 12, tzinfo=UTC)


def _history() -> str:
    with (
        serving(Fleet(7), Clock(MAY, speed=0.0)) as base_url,
        httpx.Client(base_url=base_url) as client,
    ):
        fields = {
            "grant_type": "refresh_token",
            "client_id": "tests",
            "refresh_token": INITIAL_REFRESH_TOKEN,
        }
        token = client.post("/oauth2/v3/token", data=fields).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        products = client.get("/api/1/products").json()["response"]
        site_id = next(p["energy_site_id"] for p in products if "energy_site_id" in p)
        query = {"kind": "energy", "period": "day", "start_date": "2026-05-03T00:00:00-07:00"}
        path = f"/api/1/energy_sites/{site_id}/calendar_history"
        return client.get(path, params=query).text


def test_a_restarted_server_answers_the_same_over_http() -> None:
    first = _history()
    assert len(first) > 50_000
    assert _history() == first
