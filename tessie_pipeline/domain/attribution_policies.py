"""Whose energy was whose: a home's energy of five minutes shared between cars and the rest of it.

A meter does not tell which source served whom, so it is a matter of opinion, and each opinion has a
name. Energies are in Wh and >= 0. Not here: which charge took what (`attribution`).
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import add

import polars as pl

from tessie_pipeline.domain.battery_frames import ORIGINS

PROPORTIONAL = "proportional"
"""Every load takes each source in the proportion in which the home takes it."""

EV_LAST = "ev_last"
"""The home takes solar first, then what the battery gives; the car takes what remains.

What the grid charges into the battery meanwhile takes solar before the car, too: the convention of
evcc (`core/site_tariffs.go`, greenShare) and of TeslaSolarCharger.
"""

SOLAR_TO_EV_FIRST = "solar_to_ev_first"
"""The car takes solar first, then what the battery gives; the home takes what remains."""

POLICIES = (PROPORTIONAL, EV_LAST, SOLAR_TO_EV_FIRST)

SOURCES = ("solar", "battery", "generator", "grid")
"""In the order in which whoever comes first takes them."""

SHARES = (
    "from_solar",
    "from_battery_solar",
    "from_battery_grid",
    "from_battery_generator",
    "from_battery_unknown",
    "from_generator",
    "from_grid",
)
"""The origins of energy: directly, or through the battery by what had charged it."""


def shared_out(homes: pl.DataFrame, policy: str) -> pl.DataFrame:
    """The `homes` with `car_` and `home_` for each of `SHARES` [Wh].

    Those of the cars add up to `car_wh`; both together to what the sources gave.

    Args:
        homes: per interval what each of `SOURCES` gave to the home, cars included (`solar_wh`,
            `battery_wh`, `generator_wh`, `grid_wh`), `grid_to_battery_wh`, the shares of
            `BATTERY_MIX`, and `car_wh`, what the cars took of it, at most the sum.
        policy: one of `POLICIES`.
    """
    given = [pl.col(f"{source}_wh") for source in SOURCES]
    car, total = pl.col("car_wh"), pl.sum_horizontal(given)
    if policy == PROPORTIONAL:
        share = pl.when(total > 0).then(car / total).otherwise(0.0)
        cars = [source * share for source in given]
        homes_own = [source * (1 - share) for source in given]
    elif policy == SOLAR_TO_EV_FIRST:
        cars = _taken_first(car, given)
        homes_own = _left(given, cars)
    else:
        homes_own = _taken_first(total - car, given)
        cars = _without_charging(_left(given, homes_own))
    shares = [*_shares("car", cars), *_shares("home", homes_own)]
    return homes.with_columns(shares)


def _taken_first(wanted: pl.Expr, given: Sequence[pl.Expr]) -> list[pl.Expr]:
    """What who comes first takes of each source, in their order."""
    until = [pl.min_horizontal(wanted, given_until) for given_until in accumulate(given, add)]
    return [until[0], *(after - before for before, after in pairwise(until))]


def _left(given: Sequence[pl.Expr], taken: Sequence[pl.Expr]) -> list[pl.Expr]:
    return [(source - part).clip(0) for source, part in zip(given, taken, strict=True)]


def _without_charging(cars: Sequence[pl.Expr]) -> list[pl.Expr]:
    """The cars' sources, with solar that the battery could have had exchanged for grid energy."""
    solar, battery, generator, grid = cars
    exchanged = pl.min_horizontal(solar, "grid_to_battery_wh")
    return [solar - exchanged, battery, generator, grid + exchanged]


def _shares(who: str, taken: Sequence[pl.Expr]) -> list[pl.Expr]:
    """What each source gave, as `SHARES`, that of the battery by the origin of its content."""
    solar, battery, generator, grid = taken
    unknown = pl.col("unknown_share").fill_null(1.0)
    mix = {origin: pl.col(f"{origin}_share").fill_null(0.0) for origin in ORIGINS[:3]}
    by_origin = {
        "from_solar": solar,
        **{f"from_battery_{origin}": battery * share for origin, share in mix.items()},
        "from_battery_unknown": battery * unknown,
        "from_generator": generator,
        "from_grid": grid,
    }
    return [by_origin[share].alias(f"{who}_{share}") for share in SHARES]
