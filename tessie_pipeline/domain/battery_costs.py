"""What the energy in a home battery cost: what was paid to the grid, what solar would have earned.

Energy goes in at the price of the moment and its money comes out with it in proportion, so that
what one kWh out of the battery cost includes what was lost on both ways. Money is in the currency
of the prices, prices are per kWh. Not here: the contents (`battery`), tariffs (`prices`).
"""

from collections.abc import Iterator

import polars as pl

from tessie_pipeline.domain.battery import EFFICIENCY, Ledger
from tessie_pipeline.domain.battery_frames import BATTERY_LEDGER, BATTERY_MIX, NO_LEDGER

_PRICE_OF = {"solar": "sell_price", "grid": "buy_price"}
"""Energy of other origins is free."""

_NOTHING_WH = 1e-6


def with_costs(ledger: Ledger, prices: pl.DataFrame, before: pl.DataFrame = NO_LEDGER) -> Ledger:
    """The ledger with what is inside, and what comes out, cost.

    Energy of an unknown price has no part in it: costs per kWh are those of the rest.

    Args:
        ledger: of `battery.ledger`.
        prices: `INTERVAL_PRICES`.
        before: `BATTERY_LEDGER` of earlier days, as it was given to `battery.ledger`.
    """
    steps = ledger.steps.join(
        prices, on=["site_id", "timestamp"], how="left", maintain_order="left"
    )
    for origin in _PRICE_OF:
        steps = _priced(steps, before, origin)
    closings = pl.concat(
        steps.group_by("site_id", "date", maintain_order=True).agg(
            pl.lit(origin).alias("origin"),
            pl.col(f"{origin}_money_after").last().alias("closing_cost"),
            pl.col(f"{origin}_priced_after").last().alias("closing_priced_wh"),
        )
        for origin in _PRICE_OF
    )
    days = ledger.days.drop("closing_cost", "closing_priced_wh").join(
        closings, on=["site_id", "date", "origin"], how="left", maintain_order="left"
    )
    return Ledger(days.select(BATTERY_LEDGER.names()), steps.select(BATTERY_MIX.names()), steps)


def _priced(steps: pl.DataFrame, before: pl.DataFrame, origin: str) -> pl.DataFrame:
    """The steps with the money in the content of an origin and how much of it has a price."""
    pool = pl.col(f"before_{origin}") + pl.col(f"stored_{origin}")
    is_in = pool > 0
    kept = pl.when(is_in).then(pl.col(f"after_{origin}") / pool).otherwise(0.0)
    # Content that a state of charge adds brings no money with it.
    left = pl.when(is_in).then(1 - pl.col("drawn") / pl.col("pool")).otherwise(0.0)
    price = pl.col(_PRICE_OF[origin])
    money, priced = f"{origin}_money", f"{origin}_priced"
    steps = steps.with_columns(
        (pl.col(f"charged_{origin}") / 1000 * price).fill_null(0).alias(f"{money}_in"),
        pl.when(price.is_not_null()).then(f"stored_{origin}").otherwise(0.0).alias(f"{priced}_in"),
        pl.min_horizontal(kept, left.clip(0)).alias(f"{money}_kept"),
        kept.alias(f"{priced}_kept"),
    )
    opened = (
        steps.select(pl.col("site_id").unique(maintain_order=True))
        .join(_last(before, origin), on="site_id", how="left", maintain_order="left")
        .fill_null(0)
    )
    pools = {
        money: _pools(steps, money, opened["closing_cost"]),
        priced: _pools(steps, priced, opened["closing_priced_wh"]),
    }
    return (
        steps.with_columns(pl.Series(f"{name}_pool", pool_of) for name, pool_of in pools.items())
        .with_columns(
            (pl.col(f"{name}_pool") * pl.col(f"{name}_kept")).alias(f"{name}_after")
            for name in pools
        )
        .with_columns(
            pl.when(pl.col(f"{priced}_pool") > _NOTHING_WH)
            .then(1000 / EFFICIENCY * pl.col(f"{money}_pool") / pl.col(f"{priced}_pool"))
            .alias(f"{origin}_cost")
        )
    )


def _pools(steps: pl.DataFrame, name: str, openings: pl.Series) -> list[float]:
    """What is inside in each step before anything is taken from it."""
    columns = ["is_first", f"{name}_in", f"{name}_kept"]
    return list(_walked(steps.select(columns).iter_rows(), iter(openings)))


def _walked(
    steps: Iterator[tuple[bool, float, float]], openings: Iterator[float]
) -> Iterator[float]:
    inside = 0.0
    for is_first, added, kept in steps:
        inside = (next(openings) if is_first else inside) + added
        yield inside
        inside *= kept


def _last(before: pl.DataFrame, origin: str) -> pl.DataFrame:
    """`site_id`, `closing_cost`, `closing_priced_wh` of the last day of each site."""
    return before.filter(
        pl.col("date") == pl.col("date").max().over("site_id"), origin=origin
    ).select("site_id", "closing_cost", "closing_priced_wh")
