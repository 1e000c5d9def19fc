"""Tariffs, sessions and bills as the tests of prices and costs write them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from tessie_pipeline.domain.charging_costs import (
    BILLS,
    CHARGING_COSTS,
    COSTED_PIECES,
    COSTED_SESSIONS,
    NO_BILLS,
    SESSION_COSTS,
    SOLAR_PIECES,
    session_costs,
)
from tessie_pipeline.domain.cost_lines import cost_lines
from tessie_pipeline.domain.tariffs import Rate, Tariff, tariff_id_of

BERLIN = "Europe/Berlin"
CAR = "6d9c3a0e5b1f4e6f9d2a7b8c0f1e2d3c"
WORKDAYS = frozenset({1, 2, 3, 4, 5})

Piece = tuple[str, str, float] | tuple[str, str, float, float]
"""Local start and end, kWh drawn, kWh of them from the sun."""


def buy(price: str, start: str = "00:00", end: str = "00:00", **more: object) -> Rate:
    hours = {"start": time.fromisoformat(start), "end": time.fromisoformat(end)}
    return Rate("buy", Decimal(price), **{**hours, **more})  # type: ignore[arg-type]


def sell(price: str) -> Rate:
    return Rate("sell", Decimal(price))


def tariff(*rates: Rate, zone: str = BERLIN, name: str = "Home", **more: object) -> Tariff:
    since = more.get("valid_from")
    assert since is None or isinstance(since, date)
    fields = {"currency": "EUR", "time_zone": zone, "rates": rates, **more}
    return Tariff(tariff_id_of(name, since), name, **fields)  # type: ignore[arg-type]


def local(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = tariff(buy("0.22", "22:00", "06:00"), buy("0.35"), sell("0.08"), name="Night")


def session(name: str | None = "Night", at: str = "2026-06-01T20:00") -> pl.DataFrame:
    """A session of the car, which ends a day later."""
    start = local(at)
    return pl.DataFrame(
        [(CAR, start, start + timedelta(days=1), name)], COSTED_SESSIONS, orient="row"
    )


def pieces(*drawn: Piece, at: str = "2026-06-01T20:00") -> pl.DataFrame:
    rows = [(CAR, local(at), local(start), local(end), kwh) for start, end, kwh, *_ in drawn]
    return pl.DataFrame(rows, COSTED_PIECES, orient="row")


def solar_of(*drawn: Piece, at: str = "2026-06-01T20:00") -> pl.DataFrame:
    rows = [(CAR, local(at), local(start), kwh[0]) for start, _, _, *kwh in drawn if kwh]
    return pl.DataFrame(rows, SOLAR_PIECES, orient="row")


def costs(
    versions: Tariff | Sequence[Tariff], *drawn: Piece, bills: pl.DataFrame = NO_BILLS
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The lines and the cost of one session under one tariff."""
    known = [versions] if isinstance(versions, Tariff) else versions
    asked = session(known[0].name)
    lines = cost_lines(asked, pieces(*drawn), known, solar_of(*drawn), bills)
    assert lines.schema == CHARGING_COSTS
    assert lines["line"].to_list() == list(range(1, lines.height + 1))
    total = session_costs(asked, lines)
    assert total.schema == SESSION_COSTS
    return lines.rows(named=True), total.row(0, named=True)


def cost(versions: Tariff | Sequence[Tariff], *drawn: Piece) -> str:
    return str(costs(versions, *drawn)[1]["cost_grid"])


def bill(*fees: tuple[str, float, str, str, str | None]) -> pl.DataFrame:
    rows = [
        (CAR, local("2026-06-01T20:00"), kind, "USD", quantity, unit, Decimal(rate),
         None if due is None else Decimal(due), True)
        for kind, quantity, unit, rate, due in fees
    ]  # fmt: skip
    return pl.DataFrame(rows, BILLS, orient="row")
