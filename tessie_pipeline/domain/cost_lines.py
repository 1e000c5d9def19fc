"""The lines that explain what a charging session costs: an interval, its kWh by source, its price.

Pieces of charging are cut where the price changes and what then follows at the same prices becomes
one line, so that a night is explained in a few. Fees and the lines of real bills stand beside them.
Amounts are exact. Not here: what a session costs in all (`charging_costs`).
"""

from collections.abc import Iterable

import polars as pl

from tessie_pipeline.domain.charging_costs import (
    AMOUNT,
    CHARGING_COSTS,
    COSTED_PIECES,
    NO_BILLS,
    NO_SOLAR,
    SESSION_KEY,
    SOLAR_PIECES,
    sum_if_known,
)
from tessie_pipeline.domain.prices import PRICES, prices_over
from tessie_pipeline.domain.tariff_frames import tariff_frames
from tessie_pipeline.domain.tariffs import Tariff, by_name

QUANTITY_DIGITS = 9
"""Digits of kWh and minutes after the point: what is less is a rounding error of sums."""

_LINE = [name for name in CHARGING_COSTS if name != "line"]
_PRICED = ["price", "unit", "buy_price", "sell_price", "tariff_id", "currency", "session_fee"]
_BILL_KINDS = {"CHARGING": "bill", "PARKING": "idle_fee"}
_TICK = pl.duration(microseconds=1)


def cost_lines(
    sessions: pl.DataFrame,
    pieces: pl.DataFrame,
    tariffs: Iterable[Tariff],
    solar: pl.DataFrame = NO_SOLAR,
    bills: pl.DataFrame = NO_BILLS,
) -> pl.DataFrame:
    """The lines that make up the cost of sessions, as `CHARGING_COSTS`.

    The energy of a piece in which the price changes is divided in proportion to time. What follows
    each other at the same prices is one line, also across pauses. A session with a bill has only
    the lines of the bill.

    Args:
        sessions: `COSTED_SESSIONS`.
        pieces: `COSTED_PIECES` and any others.
        tariffs: all versions of the tariffs that the sessions name.
        solar: `SOLAR_PIECES`.
        bills: `BILLS`.
    """
    versions = list(tariffs)
    metered = sessions.join(bills, on=SESSION_KEY, how="anti").select(*SESSION_KEY, "tariff_name")
    drawn = (
        pieces.select(COSTED_PIECES.names())
        .join(metered, on=SESSION_KEY)
        .join(solar.select(SOLAR_PIECES.names()), on=[*SESSION_KEY, "start"], how="left")
        .with_columns(pl.col("solar_kwh").fill_null(0).clip(0, pl.col("energy_kwh")))
    )
    parts = _priced(drawn, versions)
    billed = bills.join(sessions, on=SESSION_KEY, how="semi")
    return (
        pl.concat([_used(parts), _fees(parts), _billed(billed)])
        .sort(*SESSION_KEY, "start", "kind", "amount_grid", nulls_last=True)
        .with_columns(line=pl.int_range(1, pl.len() + 1, dtype=pl.Int32()).over(SESSION_KEY))
        .select(CHARGING_COSTS.names())
        .cast(CHARGING_COSTS)
    )


def _priced(drawn: pl.DataFrame, versions: list[Tariff]) -> pl.DataFrame:
    """Pieces cut where a price changes, with `_PRICED`: all null where there is no tariff."""
    known = by_name(versions)
    spans = (
        drawn.filter(pl.col("tariff_name").is_in(list(known)))
        .group_by("tariff_name")
        .agg(pl.col("start").min(), end=pl.col("end").max() + _TICK)
    )
    stretches = [
        prices_over(known[name], start, end).select(pl.all(), tariff_name=pl.lit(name))
        for name, start, end in spans.sort("tariff_name").iter_rows()
    ]
    prices = pl.concat(
        [pl.DataFrame(schema={**PRICES, "tariff_name": pl.String()}), *stretches]
    ).with_row_index("price")
    whole = pl.col("end") - pl.col("start")
    cut_start = pl.max_horizontal("start", pl.col("price_start"))
    cut_end = pl.min_horizontal("end", pl.col("price_end"))
    # A piece of no length keeps its energy; where there is no price, nothing is cut.
    share = pl.when(whole > pl.duration()).then((cut_end - cut_start) / whole).otherwise(1.0)
    return (
        drawn.with_columns(last=pl.max_horizontal("start", pl.col("end") - _TICK))
        .pipe(_with_price_at, prices, "start", "first_price")
        .pipe(_with_price_at, prices, "last", "last_price")
        .with_columns(price=pl.int_ranges("first_price", pl.col("last_price") + 1))
        .explode("price")
        .with_columns(pl.col("price").cast(prices.schema["price"]))
        .join(
            prices.rename({"start": "price_start", "end": "price_end"}).drop("tariff_name"),
            on="price",
            how="left",
        )
        .join(
            tariff_frames(versions)[0].select("tariff_id", "currency", "session_fee"),
            on="tariff_id",
            how="left",
        )
        .with_columns(
            start=cut_start,
            end=cut_end,
            energy_kwh=pl.col("energy_kwh") * share,
            solar_kwh=pl.col("solar_kwh") * share,
        )
        .select(*SESSION_KEY, "start", "end", "energy_kwh", "solar_kwh", "tariff_name", *_PRICED)
        .sort(*SESSION_KEY, "start")
    )


def _with_price_at(
    pieces: pl.DataFrame, prices: pl.DataFrame, time: str, name: str
) -> pl.DataFrame:
    """The pieces with the number of the price that holds at their `time`, as `name`."""
    since = prices.select("tariff_name", since="start", **{name: "price"}).sort("since")
    return (
        pieces.sort(time)
        .join_asof(since, left_on=time, right_on="since", by="tariff_name", check_sortedness=False)
        .drop("since")
    )


def _used(parts: pl.DataFrame) -> pl.DataFrame:
    """The lines of energy or time: what follows each other at the same prices is one."""
    has_solar = (pl.col("solar_kwh").sum() > 0).over(SESSION_KEY)
    is_timed = (pl.col("unit") == "minute").fill_null(value=False)
    same = ["tariff_id", "tariff_name", "currency", "unit", "buy_price", "sell_price"]
    # A pause in which another price held ends a line, which else would span that price too.
    jumped = (pl.col("price") != pl.col("price").shift()) & (
        pl.col("start") > pl.col("end").shift()
    )
    energy, solar = _exact("energy_kwh"), _exact("solar_kwh")
    price = pl.col("buy_price").cast(AMOUNT)
    by_source = (energy - solar) * price + solar * pl.col("sell_price").cast(AMOUNT)
    return (
        parts.with_columns(sell_price=pl.when(has_solar & ~is_timed).then("sell_price"))
        .with_columns(jumps=jumped.fill_null(value=False).cum_sum())
        .group_by(
            pl.struct(*SESSION_KEY, *same, "jumps").rle_id().alias("run"), maintain_order=True
        )
        .agg(
            pl.col(*SESSION_KEY, *same, "start").first(),
            pl.col("end").last(),
            sum_if_known("energy_kwh").round(QUANTITY_DIGITS),
            sum_if_known("solar_kwh").round(QUANTITY_DIGITS),
            minutes=_minutes().sum().round(QUANTITY_DIGITS),
        )
        .with_columns(
            kind=pl.when(is_timed).then(pl.lit("time")).otherwise(pl.lit("energy")),
            grid_kwh=(pl.col("energy_kwh") - pl.col("solar_kwh")).round(QUANTITY_DIGITS),
            amount_grid=pl.when(is_timed).then(_exact("minutes")).otherwise(energy) * price,
        )
        .with_columns(
            amount_solar=pl.when(is_timed | (pl.col("solar_kwh") == 0))
            .then("amount_grid")
            .otherwise(by_source)
        )
        .pipe(_completed)
    )


def _fees(parts: pl.DataFrame) -> pl.DataFrame:
    """The fee of each session that charged, of the version in force when it began to."""
    return (
        parts.group_by(SESSION_KEY, maintain_order=True)
        .first()
        .filter(pl.col("session_fee") != 0)
        .select(
            *SESSION_KEY,
            "currency",
            "tariff_id",
            "tariff_name",
            kind=pl.lit("fee"),
            amount_grid=pl.col("session_fee").cast(AMOUNT),
            amount_solar=pl.col("session_fee").cast(AMOUNT),
        )
        .pipe(_completed)
    )


def _billed(bills: pl.DataFrame) -> pl.DataFrame:
    """The lines of bills: what the quantity counts is energy from the grid, or minutes."""
    other = pl.col("fee_type").str.to_lowercase() + "_fee"
    energy = pl.when(pl.col("unit") == "kwh").then("quantity")
    return bills.select(
        *SESSION_KEY,
        "currency",
        "is_paid",
        kind=pl.col("fee_type").replace_strict(_BILL_KINDS, default=other),
        energy_kwh=energy,
        solar_kwh=energy * 0,
        grid_kwh=energy,
        minutes=pl.when(pl.col("unit") == "min").then("quantity"),
        unit=pl.col("unit").replace({"min": "minute"}),
        buy_price=pl.col("rate"),
        amount_grid=pl.col("total_due").cast(AMOUNT),
        amount_solar=pl.col("total_due").cast(AMOUNT),
    ).pipe(_completed)


def _completed(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with every column of `_LINE`, null where they say nothing of it."""
    missing = [pl.lit(None, CHARGING_COSTS[n]).alias(n) for n in _LINE if n not in lines.columns]
    return lines.with_columns(missing).select(_LINE)


def _exact(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Decimal(38, QUANTITY_DIGITS)).cast(AMOUNT)


def _minutes() -> pl.Expr:
    return (pl.col("end") - pl.col("start")).dt.total_microseconds() / 60_000_000
