"""Calls to Tesla as plain values: one that was made, and what stands against making another."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

RATE_LIMIT = "rate_limit"
"""Code of a hold that ends by itself within minutes or hours; no person is needed."""

LOGIN_REQUIRED = "login_required"


class Category(StrEnum):
    """How Tesla bills a call; source: Fleet API billing and limits, 2026-01-10."""

    FREE = "free"
    DATA = "data"
    WAKE = "wake"
    COMMAND = "command"


@dataclass(frozen=True)
class ApiCall:
    """One request to Tesla, as the table `api_calls` keeps it."""

    requested_at: datetime
    endpoint: str
    tesla_id: int | None
    status: int | None
    duration_ms: int
    category: Category
    cost_usd: float
    txid: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Hold:
    """What is not to be called for a while, as the table `api_holds` keeps it.

    Attributes:
        endpoint: the endpoint; empty for all.
        tesla_id: the vehicle or site; 0 for all.
        held_until: the end (UTC); None for the next login.
        code: why, in a word.
        reason: why, in a sentence that says what mends it.
    """

    endpoint: str
    tesla_id: int
    held_until: datetime | None
    code: str
    reason: str
