"""What the simulator answered: every good answer about data, and counts of all requests.

For soak tests, which compare it with what a client stored. Kept in memory, the oldest dropped.
"""

import hashlib
import json
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

KEPT_ANSWERS = 100_000
ENDPOINTS = {
    "/api/1/products": "products",
    "/api/1/vehicles/{tag}/vehicle_data": "vehicle_data",
    "/api/1/energy_sites/{site}/live_status": "live_status",
    "/api/1/energy_sites/{site}/site_info": "site_info",
    "/api/1/energy_sites/{site}/calendar_history": "calendar_history",
}
"""Routes whose answers are kept, and what those are called."""


@dataclass(frozen=True)
class Kept:
    """One good answer about data.

    Attributes:
        number: counts from one.
        at: simulated instant of the answer.
        endpoint: a value of ENDPOINTS.
        tesla_id: the car's or the site's; None for products.
        timestamp: what the answer says of its own time, in UTC: a car's newest sub-state, a
            live_status's timestamp; None for others and where it cannot be read.
        date: first local date a history was asked for; with `kind` what a history is known by.
        kind: kind of a history.
        sha256: of the body as sent.
        fault: what was wrong with it, None for a true answer.
    """

    number: int
    at: str
    endpoint: str
    tesla_id: int | None
    timestamp: str | None
    date: str | None
    kind: str | None
    sha256: str
    fault: str | None


class AnswerLog:
    """Good answers in order, and how often each endpoint gave each status."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque(maxlen=KEPT_ANSWERS)
        self._count = 0
        self._statuses: dict[str, Counter[str]] = {}

    def keep(
        self,
        route: str,
        tesla_id: int | None,
        query: dict[str, str],
        body: bytes,
        at: str,
        fault: str | None,
    ) -> None:
        """Keep an answer of a route in ENDPOINTS."""
        self._count += 1
        endpoint = ENDPOINTS[route]
        is_history = endpoint == "calendar_history"
        self._kept.append(
            Kept(
                number=self._count,
                at=at,
                endpoint=endpoint,
                tesla_id=tesla_id,
                timestamp=own_timestamp(endpoint, body),
                date=query.get("start_date", "")[:10] or None if is_history else None,
                kind=query.get("kind") if is_history else None,
                sha256=hashlib.sha256(body).hexdigest(),
                fault=fault,
            )
        )

    def count(self, endpoint: str, status: str) -> None:
        """Count a request."""
        self._statuses.setdefault(endpoint, Counter())[status] += 1

    def since(self, number: int) -> dict[str, Any]:
        """Answers after a number, and the last number given so far."""
        answers = [asdict(kept) for kept in self._kept if kept.number > number]
        return {"last": self._count, "answers": answers}

    @property
    def statuses(self) -> dict[str, dict[str, int]]:
        """Requests by endpoint and status."""
        return {name: dict(sorted(by.items())) for name, by in sorted(self._statuses.items())}


def own_timestamp(endpoint: str, body: bytes) -> str | None:
    """What an answer says of its own time, as ISO 8601 in UTC; None if nothing readable."""
    try:
        content = json.loads(body)["response"]
        if endpoint == "live_status":
            return datetime.fromisoformat(content["timestamp"]).astimezone(UTC).isoformat()
        if endpoint == "vehicle_data":
            newest_ms = max(
                part["timestamp"]
                for part in content.values()
                if isinstance(part, dict) and isinstance(part.get("timestamp"), int)
            )
            return datetime.fromtimestamp(newest_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return None
