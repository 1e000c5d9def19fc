"""The battery ledger: what the energy in a home battery is made of, five minutes after five.

Energy goes in by origin, mixes, and comes out in proportion to what is inside. Contents are stored
energy [Wh], state of charge times capacity; what is charged and discharged is measured outside the
battery [Wh], so each way loses some. Not here: what its energy cost (`battery_costs`), who takes
what comes out (`attribution`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import polars as pl

from tessie_pipeline.domain.battery_frames import (
    BATTERY_LEDGER,
    BATTERY_MIX,
    NO_LEDGER,
    ORIGINS,
)
from tessie_pipeline.domain.days import in_their_days

EFFICIENCY = 0.95
"""Of each way, in and out: 90 % there and back, as Tesla's data sheets of Powerwalls say."""

SOC_ERROR_PCT = 1.0
"""How far a state of charge may be off: Tesla's history has whole % (`fleet_api.md` 4.4)."""

JUMP_PCT = 2.0
"""What a state of charge may gain at once by an error of measuring; more is unseen charging."""

WHOLE = 0.99
"""The coverage from which on an interval counts as measured in full."""

CHANGED_WH, CHANGED_COST = 0.01, 1e-6
"""Closing contents that differ by less, and cost as much, are the same."""


@dataclass(frozen=True)
class Ledger:
    """`days` as `BATTERY_LEDGER`, `mix` as `BATTERY_MIX`, and the `steps` they are made of.

    `steps` has per site and interval what was `charged_`, `stored_` and `discharged`, the content
    `before_` and `after_` and the `_share` of what came out, by origin [Wh].
    """

    days: pl.DataFrame
    mix: pl.DataFrame
    steps: pl.DataFrame


def ledger(
    intervals: pl.DataFrame,
    batteries: pl.DataFrame,
    days: pl.DataFrame,
    before: pl.DataFrame = NO_LEDGER,
) -> Ledger:
    """The ledger of each site's days that have intervals.

    A site continues with the last closing content of `before`. One that is not there opens with
    what the first state of charge of its first day says, of unknown origin.

    Charging that no flow explains and discharge that nothing booked explains are of unknown origin,
    and so is a gain that was not seen: one beyond `JUMP_PCT`, or in an interval that was measured
    in part. All other differences to the state of charge change every content in proportion.

    Args:
        intervals: `ENERGY_INTERVALS`.
        batteries: `BATTERIES`; other sites are left out.
        days: `DAY_WINDOWS`.
        before: `BATTERY_LEDGER` of earlier days.
    """
    booked = _booked(intervals, batteries, days)
    opened = _opened(booked, before)
    steps = _balanced(booked, opened, _walked(booked, opened))
    mix = steps.with_columns(_unknown("solar_cost", "grid_cost")).select(BATTERY_MIX.names())
    return Ledger(_by_day(steps), mix, steps)


def changed_closings(
    old: pl.DataFrame, new: pl.DataFrame, following: pl.DataFrame = NO_LEDGER
) -> pl.DataFrame:
    """`site_id`, `date` of the days in `new` that close otherwise than in `old`, or were not there.

    Days that follow one of these have to be computed again; others open as they did. Many small
    changes are one large one, so that a site's last day has changed, too, if it closes otherwise
    than the day after it opened.

    Args:
        old: `BATTERY_LEDGER` as it was kept.
        new: `BATTERY_LEDGER` as it was computed again.
        following: `BATTERY_LEDGER` of each site's first day after those of `new`.
    """
    key = ["site_id", "date", "origin"]
    least = {
        "closing_wh": CHANGED_WH,
        "closing_priced_wh": CHANGED_WH,
        "closing_cost": CHANGED_COST,
    }
    differs = [
        ((pl.col(name).fill_null(0) - pl.col(f"{name}_old").fill_null(0)).abs() >= limit)
        for name, limit in least.items()
    ]
    changed = new.join(
        old.select(*key, *least, is_old=pl.lit(value=True)), on=key, how="left", suffix="_old"
    ).filter(pl.any_horizontal(pl.col("is_old").is_null(), *differs))
    apart = (
        new.filter(pl.col("date") == pl.col("date").max().over("site_id"))
        .join(following, on=["site_id", "origin"], suffix="_after")
        .filter((pl.col("closing_wh") - pl.col("opening_wh_after")).abs() >= CHANGED_WH)
    )
    days = pl.concat(part.select("site_id", "date") for part in (changed, apart))
    return days.unique().sort("site_id", "date")


def _booked(intervals: pl.DataFrame, batteries: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """What the intervals say of a battery, before any content is known.

    By origin `charged_`, outside, and `stored_`, inside; `discharged` outside and `drawn` inside;
    `low` and `high`, between which the content ends; `jump`, the gain that may be an error. [Wh]
    """
    flows = {f"{origin}_to_battery_wh": f"charged_{origin}" for origin in ORIGINS[:3]}
    explained = pl.sum_horizontal(flows.keys())
    # By products, as Polars divides many rows otherwise than a single one, by an ulp (`flows`).
    soc, percent = pl.col("soc_pct"), pl.col("capacity_wh") * 0.01
    is_whole = pl.col("coverage") >= WHOLE
    return (
        in_their_days(intervals.join(batteries, on="site_id"), days)
        .sort("site_id", "timestamp")
        .select(
            "site_id",
            "timestamp",
            "date",
            pl.col(flows.keys()).fill_null(0).name.map(flows.__getitem__),
            charged_unknown=(pl.col("battery_charged_wh") - explained).clip(0).fill_null(0),
            discharged=pl.coalesce(
                "battery_discharged_wh", pl.sum_horizontal("^battery_to_.*_wh$")
            ),
            measured=percent * soc,
            low=(percent * (soc - SOC_ERROR_PCT)).clip(0).fill_null(0),
            high=pl.coalesce(
                percent * (soc + SOC_ERROR_PCT).clip(0, 100), "capacity_wh", pl.lit(inf)
            ),
            jump=pl.when(is_whole).then(percent * JUMP_PCT).fill_null(0),
            is_first=pl.col("site_id") != pl.col("site_id").shift(fill_value=""),
        )
        .with_columns(
            (pl.col(_named("charged")) * EFFICIENCY).name.replace("charged", "stored"),
            drawn=pl.col("discharged") * (1 / EFFICIENCY),
        )
    )


def _opened(booked: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """`site_id` and `before_` by origin: what each site has in its battery at first, in order."""
    net = (pl.sum_horizontal(_named("stored")) - pl.col("drawn")).cum_sum()
    measured = (pl.col("measured") - net).drop_nulls().first().clip(0).fill_null(0)
    closed = (
        before.filter(pl.col("date") == pl.col("date").max().over("site_id"))
        .group_by("site_id")
        .agg(
            pl.col("closing_wh").filter(pl.col("origin") == origin).sum().alias(f"before_{origin}")
            for origin in ORIGINS
        )
    )
    return (
        booked.filter(pl.col("date") == pl.col("date").first().over("site_id"))
        .group_by("site_id", maintain_order=True)
        .agg(measured=measured)
        .join(closed, on="site_id", how="left", maintain_order="left")
        .select(
            "site_id",
            pl.col(_named("before")[:3]).fill_null(0),
            pl.col("before_unknown").fill_null(pl.col("measured")),
        )
    )


def _walked(booked: pl.DataFrame, opened: pl.DataFrame) -> pl.DataFrame:
    """`after_` by origin: the content at the end of each interval.

    A step takes what the one before left, so time is walked; all sites are one row of steps.
    """
    columns = ["is_first", *_named("stored"), "drawn", "low", "high", "jump"]
    openings = opened.select(_named("before")).iter_rows()
    after: tuple[list[float], ...] = ([], [], [], [])
    keep_solar, keep_grid, keep_generator, keep_unknown = (column.append for column in after)
    solar = grid = generator = unknown = 0.0
    for is_first, solar_in, grid_in, generator_in, unknown_in, drawn, low, high, jump in zip(
        *(booked[name].to_list() for name in columns), strict=True
    ):
        if is_first:
            solar, grid, generator, unknown = next(openings)
        solar += solar_in
        grid += grid_in
        generator += generator_in
        unknown += unknown_in
        pool = solar + grid + generator + unknown
        left = pool - drawn
        if left < 0.0:  # what comes out beyond what is booked was there, of unknown origin
            unknown -= left
            pool -= left
            left = 0.0
        end = min(max(left, low), high)
        gained = end - left
        unseen = gained if gained > jump or (left == 0.0 and gained > 0.0) else 0.0
        kept = (end - unseen) / pool if pool > 0.0 else 0.0
        solar *= kept
        grid *= kept
        generator *= kept
        unknown = unknown * kept + unseen
        keep_solar(solar)
        keep_grid(grid)
        keep_generator(generator)
        keep_unknown(unknown)
    return pl.DataFrame(
        dict(zip(_named("after"), after, strict=True)), dict.fromkeys(_named("after"), pl.Float64())
    )


def _balanced(booked: pl.DataFrame, opened: pl.DataFrame, walked: pl.DataFrame) -> pl.DataFrame:
    """The steps with the content before and after, the pool that is drawn from, and its shares."""
    drawn = pl.col("drawn")
    return (
        pl.concat(
            [booked.join(opened, on="site_id", maintain_order="left"), walked], how="horizontal"
        )
        .with_columns(
            pl.when("is_first")
            .then(f"before_{origin}")
            .otherwise(pl.col(f"after_{origin}").shift())
            .alias(f"before_{origin}")
            for origin in ORIGINS
        )
        .with_columns(
            (pl.col(f"before_{origin}") + pl.col(f"stored_{origin}")).alias(f"pool_{origin}")
            for origin in ORIGINS
        )
        .with_columns(
            pool_unknown=pl.col("pool_unknown")
            + (drawn - pl.sum_horizontal(_named("pool"))).clip(0)
        )
        .with_columns(pool=pl.sum_horizontal(_named("pool")))
        .with_columns(
            pl.when(pl.col("pool") > 0)
            .then(pl.col(f"pool_{origin}") / pl.col("pool"))
            .alias(f"{origin}_share")
            for origin in ORIGINS
        )
    )


def _by_day(steps: pl.DataFrame) -> pl.DataFrame:
    """The steps added up, as `BATTERY_LEDGER`."""
    days = steps.group_by("site_id", "date", maintain_order=True)
    return (
        pl.concat([days.agg(*_totals(origin)) for origin in ORIGINS])
        .with_columns(_unknown("closing_cost", "closing_priced_wh"))
        .select(BATTERY_LEDGER.names())
        .sort("site_id", "date", "origin")
    )


def _totals(origin: str) -> Iterator[pl.Expr]:
    """The columns of a day for an origin."""
    share = pl.col(f"{origin}_share").fill_null(0)
    before, after = pl.col(f"before_{origin}"), pl.col(f"after_{origin}")
    charged, stored = pl.col(f"charged_{origin}"), pl.col(f"stored_{origin}")
    discharged, drawn = pl.col("discharged") * share, pl.col("drawn") * share
    yield pl.lit(origin).alias("origin")
    yield before.first().alias("opening_wh")
    yield charged.sum().alias("charged_wh")
    yield discharged.sum().alias("discharged_wh")
    yield (charged - stored + drawn - discharged).sum().alias("lost_wh")
    yield (after - (before + stored - drawn)).sum().alias("adjusted_wh")
    yield after.last().alias("closing_wh")


def _unknown(*names: str) -> list[pl.Expr]:
    return [pl.lit(None, pl.Float64()).alias(name) for name in names]


def _named(prefix: str) -> list[str]:
    return [f"{prefix}_{origin}" for origin in ORIGINS]
