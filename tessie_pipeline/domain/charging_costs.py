"""What charging sessions cost: the frames, each session's total, and what it was computed from.

A session costs what its bill says; without one, its energy or time at the price of the moment, and
the session's fee: once with all energy at the price of the grid, once with the solar part at what
its export would have earned. Lines (`cost_lines`) are exact; only a session's total is rounded, to
the cent, half a cent away from zero. Not here: prices (`prices`), how much of a charge was solar.
"""

import hashlib
from collections.abc import Iterable

import polars as pl

from tessie_pipeline.domain.prices import version_at, version_changes
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.domain.tariffs import PRICE, PRICE_DIGITS, Tariff, by_name

AMOUNT = pl.Decimal(38, 15)
"""Money as the product of a price (6 digits) and a quantity (9 digits after the point), exact."""

COST = pl.Decimal(18, 2)
"""Money to the cent."""

COSTED_SESSIONS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "session_ended_at": UTC_TIME,
        "tariff_name": pl.String(),
    }
)
"""One row per session whose cost is wanted; its end is null in progress, its tariff if unknown."""

COSTED_PIECES = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "start": UTC_TIME,
        "end": UTC_TIME,
        "energy_kwh": pl.Float64(),
    }
)
"""What costs take from the pieces of a session, which do not overlap: energy drawn over time."""

SOLAR_PIECES = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "start": UTC_TIME,
        "solar_kwh": pl.Float64(),
    }
)
"""How much of the energy of the piece that begins at `start` was solar; none where unsaid."""

BILLS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "fee_type": pl.String(),
        "currency": pl.String(),
        "quantity": pl.Float64(),
        "unit": pl.String(),
        "rate": PRICE,
        "total_due": PRICE,
        "is_paid": pl.Boolean(),
    }
)
"""The fees of a session's real bill (`fleet_api.md` section 3.4), `unit` being kwh or min."""

CHARGING_COSTS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "line": pl.Int32(),
        "kind": pl.String(),
        "start": UTC_TIME,
        "end": UTC_TIME,
        "energy_kwh": pl.Float64(),
        "solar_kwh": pl.Float64(),
        "grid_kwh": pl.Float64(),
        "minutes": pl.Float64(),
        "unit": pl.String(),
        "buy_price": PRICE,
        "sell_price": PRICE,
        "amount_grid": AMOUNT,
        "amount_solar": AMOUNT,
        "currency": pl.String(),
        "tariff_id": pl.String(),
        "tariff_name": pl.String(),
        "is_paid": pl.Boolean(),
    }
)
"""The lines of a session, numbered from 1.

Of a tariff: `energy` is energy_kwh x buy_price, and with solar grid_kwh x buy_price + solar_kwh x
sell_price; `time` is minutes of charging x buy_price whatever the source; `fee` is the fee of the
session. Of a bill: `bill` for the charge, `idle_fee`, `congestion_fee` and so on. An amount is null
where the price or the energy is not known; the times of what concerns the whole session are null.
"""

SESSION_COSTS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "cost_grid": COST,
        "cost_solar": COST,
        "currency": pl.String(),
        "reason": pl.String(),
    }
)
"""The cost of a session at the full grid price and with solar at its export's value, to the cent.

`reason` says why a cost is null.
"""

NO_SOLAR = pl.DataFrame(schema=SOLAR_PIECES)
NO_BILLS = pl.DataFrame(schema=BILLS)

SESSION_KEY = ["vehicle_id", "session_started_at"]

_NO_TARIFF = "no tariff is known for it"


def session_costs(sessions: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The cost of each session, as `SESSION_COSTS`; nothing charged costs 0.

    Args:
        sessions: `COSTED_SESSIONS`.
        lines: their `CHARGING_COSTS`.
    """
    totals = lines.group_by(SESSION_KEY).agg(
        cost_grid=_total("amount_grid"),
        cost_solar=_total("amount_solar"),
        currency=pl.col("currency").drop_nulls().first(),
        currencies=pl.col("currency").drop_nulls().n_unique(),
        reason=_why_unknown().drop_nulls().first(),
    )
    has_lines = pl.col("currencies").is_not_null()
    has_tariff = pl.col("tariff_name").is_not_null()
    is_mixed = pl.col("currencies").fill_null(0) > 1
    zero = pl.when(~has_lines & has_tariff).then(pl.lit(0).cast(COST))
    return (
        sessions.join(totals, on=SESSION_KEY, how="left")
        .with_columns(
            *(
                pl.when(~is_mixed).then(pl.coalesce(name, zero)).alias(name)
                for name in ("cost_grid", "cost_solar")
            ),
            currency=pl.when(~is_mixed).then("currency"),
            reason=pl.when(is_mixed)
            .then(pl.lit("its lines are in several currencies"))
            .when(~has_lines & ~has_tariff)
            .then(pl.lit(_NO_TARIFF))
            .otherwise("reason"),
        )
        .select(SESSION_COSTS.names())
        .sort(SESSION_KEY)
    )


def cost_signatures(
    sessions: pl.DataFrame, tariffs: Iterable[Tariff], bills: pl.DataFrame = NO_BILLS
) -> pl.DataFrame:
    """For each session a hash of the prices behind its cost: the key and `signature`.

    It changes when, and only when, the bill does or, without one, a version of the tariff that is
    in force during the session, or the moment at which one follows another. Compared with the
    signature kept beside a cost, it tells which sessions to compute again.

    Args:
        sessions: `COSTED_SESSIONS`.
        tariffs: all versions of the tariffs that the sessions name.
        bills: `BILLS`.
    """
    versions = by_name(tariffs)
    fees: dict[tuple[object, ...], list[str]] = {}
    for row in bills.select(BILLS.names()).sort(BILLS.names()).iter_rows():
        fees.setdefault(row[:2], []).append(str(row[2:]))
    signatures = []
    rows = sessions.select(COSTED_SESSIONS.names()).iter_rows()
    for vehicle_id, started_at, ended_at, name in rows:
        parts = fees.get((vehicle_id, started_at))
        if parts is None:
            known = versions.get(name, [])
            changes = version_changes(known, started_at, ended_at or started_at)
            parts = [str(name)]
            for moment in (started_at, *changes):
                version = version_at(known, moment)
                since = "" if moment == started_at else moment.isoformat()
                parts.append(f"{since} {version and version.signature}")
        signatures.append(hashlib.sha256("\n".join(parts).encode()).hexdigest())
    return sessions.select(SESSION_KEY).with_columns(
        signature=pl.Series(signatures, dtype=pl.String())
    )


def _why_unknown() -> pl.Expr:
    """For a line without an amount the reason, null for any other."""
    is_billed = ~pl.col("kind").is_in(["energy", "time", "fee"])
    at = pl.col("start").dt.strftime("%Y-%m-%d %H:%M UTC")
    return (
        pl.when(pl.col("amount_grid").is_not_null() & pl.col("amount_solar").is_not_null())
        .then(None)
        .when(is_billed)
        .then(pl.lit("its bill does not say what is due"))
        .when(pl.col("tariff_name").is_null())
        .then(pl.lit(_NO_TARIFF))
        .when(pl.col("buy_price").is_null())
        .then(pl.format("tariff {} has no price to buy at {}", "tariff_name", at))
        .when(pl.col("energy_kwh").is_null())
        .then(pl.format("the energy drawn at {} is not known", at))
        .otherwise(pl.format("tariff {} has no price to sell at {}", "tariff_name", at))
    )


def _total(name: str) -> pl.Expr:
    # A third of a kWh has no last digit: what is a hair below half a cent is half a cent.
    total = sum_if_known(name).round(PRICE_DIGITS, mode="half_away_from_zero")
    return total.round(COST.scale, mode="half_away_from_zero").cast(COST)


def sum_if_known(name: str) -> pl.Expr:
    """The sum, null where a part of it is."""
    return pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum())
