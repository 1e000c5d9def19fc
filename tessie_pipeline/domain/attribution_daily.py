"""Where a day's energy came from: of each car and of the home without its cars, and what it cost.

Not here: how the energy of five minutes is shared (`attribution`), what a session cost
(`cost_lines`).
"""

import polars as pl

from tessie_pipeline.domain.attribution import (
    INTERVAL,
    KWH_DIGITS,
    homes_with_cars,
    rest_and_solar,
    sums,
)
from tessie_pipeline.domain.attribution_frames import MONEY, SOLAR_ATTRIBUTION_DAILY, SPLIT_KWH
from tessie_pipeline.domain.attribution_policies import (
    POLICIES,
    PROPORTIONAL,
    SHARES,
    shared_out,
)
from tessie_pipeline.domain.charging_costs import sum_if_known
from tessie_pipeline.domain.days import in_their_days
from tessie_pipeline.domain.prices import NO_PRICES

_PRICES = ("buy_price", "sell_price", "currency", "solar_cost", "grid_cost")


def daily_attribution(
    parts: pl.DataFrame,
    intervals: pl.DataFrame,
    mix: pl.DataFrame,
    days: pl.DataFrame,
    prices: pl.DataFrame = NO_PRICES,
) -> pl.DataFrame:
    """What each car, and the home without its cars, took by origin, as `SOLAR_ATTRIBUTION_DAILY`.

    Args:
        parts: `ATTRIBUTED_PARTS` of all charges at the sites within the days.
        intervals: `ENERGY_INTERVALS`.
        mix: `BATTERY_MIX`.
        days: `DAY_WINDOWS`.
        prices: `INTERVAL_PRICES`.
    """
    key = ["site_id", "date", "policy", "vehicle_id"]
    at = ["site_id", "timestamp"]
    columns = [*key, *SPLIT_KWH, *_PRICES]
    cars = parts.with_columns(timestamp=pl.col("start").dt.truncate(INTERVAL))
    drawn = cars.filter(policy=PROPORTIONAL).rename({"timestamp": "interval"})
    homes = homes_with_cars(intervals, mix, drawn).rename({"interval": "timestamp"})
    times = pl.concat([intervals.select(at), cars.select(at)]).unique()
    priced = in_their_days(times, days).join(prices, on=at, how="left")
    costs = mix.select(*at, "solar_cost", "grid_cost")
    of_cars = cars.join(priced.join(costs, on=at, how="left"), on=at)
    of_homes = homes.join(priced, on=at)
    own = [_without_cars(of_homes, policy).select(columns) for policy in POLICIES]
    return (
        pl.concat([of_cars.select(columns), *own])
        .with_columns(
            grid_cost=_money(from_grid="buy_price", from_battery_grid="grid_cost"),
            solar_value=_money(from_solar="sell_price", from_battery_solar="solar_cost"),
        )
        .group_by(key)
        .agg(*sums(), *(sum_if_known(name).alias(name) for name in MONEY), pl.col("currency").max())
        .with_columns(pl.col(*SPLIT_KWH, *MONEY).round(KWH_DIGITS))
        .select(SOLAR_ATTRIBUTION_DAILY.names())
        .sort(key)
    )


def _without_cars(homes: pl.DataFrame, policy: str) -> pl.DataFrame:
    """What homes took themselves under a policy, with the columns of a split."""
    return (
        shared_out(homes, policy)
        .with_columns((pl.col(f"home_{share}") / 1000).alias(f"{share}_kwh") for share in SHARES)
        .with_columns(
            energy_kwh=(pl.col("home_wh") - pl.col("car_wh")) / 1000,
            policy=pl.lit(policy),
            vehicle_id=pl.lit(None, pl.String()),
        )
        .with_columns(rest_and_solar())
    )


def _money(**price_of: str) -> pl.Expr:
    """What the shares are worth at their prices: nothing where there is none of them."""
    worth = [
        pl.when(pl.col(f"{share}_kwh").fill_null(0) > 0)
        .then(pl.col(f"{share}_kwh") * pl.col(price))
        .otherwise(0.0)
        for share, price in price_of.items()
    ]
    return pl.sum_horizontal(worth, ignore_nulls=False)
