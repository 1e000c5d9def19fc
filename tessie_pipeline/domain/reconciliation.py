"""What is known of the energy of each plug-in, side by side, and where it does not fit together.

A plug-in has up to four energies: what the battery got by the car's counter, what the car drew from
the wall, what the wall connector gave and what Tesla billed. The last three are of the same energy,
of which a part is lost before the battery.
Not here: which records belong to which plug-in (`charging_matches`), and what it costs.
"""

from dataclasses import dataclass
from functools import reduce

import polars as pl

from tessie_pipeline.domain.charging_costs import BILLS, SESSION_KEY, sum_if_known
from tessie_pipeline.domain.charging_matches import CHARGE
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.domain.tariffs import PRICE, PRICE_DIGITS

TIERS = ("base", "tier_1", "tier_2", "tier_3", "tier_4")

BILL_FEES = pl.Schema(
    {
        "session_id": pl.Int64(),
        "fee_type": pl.String(),
        "currency": pl.String(),
        "pricing_type": pl.String(),
        "uom": pl.String(),
        **{f"rate_{tier}": pl.Float64() for tier in TIERS},
        **{f"usage_{tier}": pl.Float64() for tier in TIERS},
        "total_due": pl.Float64(),
        "net_due": pl.Float64(),
        "is_paid": pl.Boolean(),
    }
)
"""What is taken from the fees of bills: Tesla's words, units by tier and their prices, amounts."""

METERED_SESSIONS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "started_at": UTC_TIME,
        "ended_at": UTC_TIME,
        "energy_added_kwh": pl.Float64(),
        "energy_used_kwh": pl.Float64(),
        "energy_used_coverage_pct": pl.Float64(),
        "idle_energy_used_kwh": pl.Float64(),
        "is_inferred": pl.Boolean(),
        "status": pl.String(),
    }
)
"""What reconciliation takes from a plug-in."""

RECONCILIATION = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "energy_added_kwh": pl.Float64(),
        "energy_used_kwh": pl.Float64(),
        "energy_used_coverage_pct": pl.Float64(),
        "connector_kwh": pl.Float64(),
        "billed_kwh": pl.Float64(),
        "used_less_added_kwh": pl.Float64(),
        "used_less_added_pct": pl.Float64(),
        "connector_less_used_kwh": pl.Float64(),
        "connector_less_used_pct": pl.Float64(),
        "billed_less_used_kwh": pl.Float64(),
        "billed_less_used_pct": pl.Float64(),
        "odd_kwh": pl.Float64(),
        "oddity": pl.String(),
    }
)
"""One row per plug-in: its energies, null where not known, and what they differ by, as shares of
the first of each two. What a wall connector gave is compared with all that was drawn, preheating
too. `oddity` says which do not fit together, null if none; `odd_kwh` is the most that a difference
is beyond what is allowed, 0 if none is."""

WELL_COVERED_PCT = 95.0
"""Energy from the wall is judged where so much of the charging time was measured."""

METERS_AGREE = 0.05
"""Two meters of the same energy differ by no more than this part of it."""

MOST_LOST = 0.3
"""No more than this part of what is drawn is lost before the battery: slow charging at 120 V comes
near it."""

SMALL_KWH = 1.0
"""Less is no difference: bills count whole kWh, counters tenths, and a start is seen late."""

SMALL_INFERRED_KWH = 2.0
"""The same where no sample was taken: states of charge are whole percents at both ends."""


@dataclass(frozen=True)
class _Comparison:
    """Two energies, of which the first may exceed the second by a part of itself within bounds."""

    outer: str
    inner: str
    is_fit: pl.Expr
    least: float
    most: float


_IS_COVERED = pl.col("energy_used_coverage_pct").fill_null(0) >= WELL_COVERED_PCT
_IS_WHOLE = pl.col("newest_charge_at") >= pl.col("ended_at")
_ADDED, _USED = "energy_added_kwh", "energy_used_kwh"
_COMPARISONS = [
    _Comparison(_USED, _ADDED, _IS_COVERED, 0, MOST_LOST),
    _Comparison("connector_kwh", "drawn_kwh", _IS_COVERED & _IS_WHOLE, -METERS_AGREE, METERS_AGREE),
    _Comparison("connector_kwh", _ADDED, ~_IS_COVERED & _IS_WHOLE, 0, MOST_LOST),
    _Comparison("billed_kwh", _USED, _IS_COVERED, -METERS_AGREE, METERS_AGREE),
    _Comparison("billed_kwh", _ADDED, ~_IS_COVERED, 0, MOST_LOST),
]
_WORDS = {
    "energy_added_kwh": "into the battery",
    "energy_used_kwh": "from the wall",
    "drawn_kwh": "from the wall",
    "connector_kwh": "wall connector",
    "billed_kwh": "billed",
}


def billed_fees(matches: pl.DataFrame, fees: pl.DataFrame) -> pl.DataFrame:
    """The fees of the plug-ins that have a bill, as `BILLS`, in the order of the bill.

    What is due is what remains after credits; a fee that is not charged is 0. The rate of units in
    several tiers is their mean price.

    Args:
        matches: `BILL_MATCHES`.
        fees: `BILL_FEES`.
    """
    usage = _sum_if_any([pl.col(f"usage_{tier}") for tier in TIERS])
    by_tier = [pl.col(f"rate_{tier}") * pl.col(f"usage_{tier}") for tier in TIERS]
    mean = pl.when(usage > 0).then(_sum_if_any(by_tier) / usage).otherwise("rate_base")
    is_free = (pl.col("pricing_type") == "NO_CHARGE").fill_null(value=False)
    due = pl.coalesce("net_due", "total_due", pl.when(is_free).then(0.0))
    return (
        fees.join(matches, on="session_id", maintain_order="left")
        .select(
            *SESSION_KEY,
            "fee_type",
            "currency",
            quantity=usage,
            unit="uom",
            rate=mean.round(PRICE_DIGITS).cast(PRICE),
            total_due=due.round(PRICE_DIGITS).cast(PRICE),
            is_paid="is_paid",
        )
        .cast(BILLS)
    )


def reconciled(
    sessions: pl.DataFrame,
    bills: pl.DataFrame,
    charges: pl.DataFrame,
    charge_matches: pl.DataFrame,
) -> pl.DataFrame:
    """The energies of each plug-in and where they do not fit, as `RECONCILIATION`.

    Plug-ins in progress are not judged, nor is what a wall connector gave before a later charge
    at its site is known: there may be more of the plug-in to come.

    Args:
        sessions: `METERED_SESSIONS`.
        bills: `BILLS`.
        charges: `MATCHED_CHARGES`.
        charge_matches: `CHARGE_MATCHES`.
    """
    billed = (
        bills.filter(pl.col("fee_type") == "CHARGING", pl.col("unit") == "kwh")
        .group_by(SESSION_KEY)
        .agg(billed_kwh=sum_if_known("quantity"))
    )
    given = (
        charges.drop("vehicle_id")
        .with_columns(newest_charge_at=pl.col("started_at").max().over("site_id"))
        .join(charge_matches, on=CHARGE)
        .group_by(SESSION_KEY)
        .agg(pl.col("newest_charge_at").max(), connector_kwh=pl.col("energy_wh").sum() / 1000)
    )
    return (
        sessions.select(METERED_SESSIONS.names())
        .rename({"started_at": "session_started_at"})
        .join(billed, on=SESSION_KEY, how="left")
        .join(given, on=SESSION_KEY, how="left")
        .with_columns(
            drawn_kwh=pl.col("energy_used_kwh") + pl.col("idle_energy_used_kwh").fill_null(0)
        )
        .with_columns(
            *_difference("used_less_added", "energy_used_kwh", "energy_added_kwh"),
            *_difference("connector_less_used", "connector_kwh", "drawn_kwh"),
            *_difference("billed_less_used", "billed_kwh", "energy_used_kwh"),
            odd_kwh=pl.max_horizontal(pl.lit(0.0), *map(_beyond, _COMPARISONS)),
            oddity=pl.concat_list([_sentence(one) for one in _COMPARISONS])
            .list.drop_nulls()
            .list.join("; "),
        )
        .with_columns(pl.col("oddity").replace("", None))
        .select(RECONCILIATION.names())
        .cast(RECONCILIATION)
        .sort(SESSION_KEY)
    )


def _difference(name: str, outer: str, inner: str) -> tuple[pl.Expr, pl.Expr]:
    difference = pl.col(outer) - pl.col(inner)
    share = pl.when(pl.col(outer) > 0).then(100 * difference / pl.col(outer))
    return difference.alias(f"{name}_kwh"), share.alias(f"{name}_pct")


def _beyond(one: _Comparison) -> pl.Expr:
    """How far a difference is beyond what is allowed, kWh; null where it is not or is small."""
    outer = pl.col(one.outer)
    difference = outer - pl.col(one.inner)
    beyond = pl.max_horizontal(difference - one.most * outer, one.least * outer - difference)
    small = pl.when("is_inferred").then(SMALL_INFERRED_KWH).otherwise(SMALL_KWH)
    is_judged = one.is_fit & (pl.col("status") != "in_progress") & (difference.abs() > small)
    return pl.when(is_judged & (beyond > 0)).then(beyond)


def _sentence(one: _Comparison) -> pl.Expr:
    """What does not fit, with its numbers; null where it does."""
    outer, inner = pl.col(one.outer), pl.col(one.inner)
    apart = (outer - inner).abs()
    share = pl.format(" ({} %)", (100 * apart / outer).round(1))
    words = pl.format(
        f"{_WORDS[one.outer]} {{}} kWh, {_WORDS[one.inner]} {{}} kWh: {{}} kWh apart{{}}",
        outer.round(1),
        inner.round(1),
        apart.round(1),
        pl.when(outer > 0).then(share).otherwise(pl.lit("")),
    )
    return pl.when(_beyond(one).is_not_null()).then(words)


def _sum_if_any(parts: list[pl.Expr]) -> pl.Expr:
    """The sum of what is known, null where nothing is."""
    known = reduce(lambda one, other: one | other, [part.is_not_null() for part in parts])
    return pl.when(known).then(pl.sum_horizontal(parts))
