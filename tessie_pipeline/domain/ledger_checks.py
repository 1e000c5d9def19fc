"""What is wrong, or only odd, in what batteries hold, and in where energy came from.

Our own computation keeps to its identities within rounding; states of charge correct it within the
bounds that are stated here. Not here: the energy itself (`energy_checks`).
"""

import polars as pl

from tessie_pipeline.domain.attribution_policies import EV_LAST, SHARES, SOURCES
from tessie_pipeline.domain.battery import SOC_ERROR_PCT, Ledger
from tessie_pipeline.domain.charging_costs import SESSION_KEY
from tessie_pipeline.domain.days import in_their_days
from tessie_pipeline.domain.energy_checks import WELL_COVERED_PCT
from tessie_pipeline.domain.findings import ROUNDING, Bound, Finding, judged, rounding, same

ADJUSTED_PART, ADJUSTED_PCT = 0.1, 2 * SOC_ERROR_PCT
"""A day may be adjusted by such a part of what passed through the battery, whose efficiency may be
another, and of its capacity, as its first and last state of charge are off by an error each."""

INTERVALS_A_DAY = 288
"""A day of 23 hours has twelve less, which is nearly all."""

_DAY = ["site_id", "date"]


def ledger_sums(ledger: pl.DataFrame) -> Finding:
    """How far a day of `BATTERY_LEDGER` closes from what it is made of [Wh]."""
    opening, charged, discharged, lost, adjusted, closing = (
        pl.col(f"{name}_wh")
        for name in ("opening", "charged", "discharged", "lost", "adjusted", "closing")
    )
    made_of = opening + charged - discharged - lost + adjusted
    passed = opening + charged + discharged
    bound = Bound((closing - made_of).abs(), rounding(passed))
    return judged(ledger, {"closing": bound}, at="date", kind="origin")


def openings(ledger: pl.DataFrame) -> Finding:
    """How far days of `BATTERY_LEDGER` open from what the site's day before closed with [Wh]."""
    closed = pl.col("closing_wh").shift().over("site_id", "origin", order_by="date")
    bounds = same({"opening": (pl.col("opening_wh"), pl.col("closed"))})
    return judged(ledger.with_columns(closed=closed), bounds, at="date", kind="origin")


def contents(steps: pl.DataFrame, batteries: pl.DataFrame) -> Finding:
    """The content of batteries [Wh], which is neither negative nor more than their capacity.

    Args:
        steps: of `battery.Ledger`.
        batteries: `BATTERIES`.
    """
    capacity = pl.col("capacity_wh")
    content = pl.sum_horizontal("^after_.*$")
    bounds = {
        "above the capacity": Bound(content, capacity + rounding(capacity)),
        "below zero": Bound(content, -ROUNDING, is_least=True),
    }
    return judged(steps.join(batteries, on="site_id"), bounds)


def states_of_charge(steps: pl.DataFrame, batteries: pl.DataFrame) -> Finding:
    """How far contents are from what states of charge say [% of capacity].

    Args:
        steps: of `battery.Ledger`.
        batteries: `BATTERIES`.
    """
    off = (pl.sum_horizontal("^after_.*$") - pl.col("measured")).abs()
    bound = Bound(100 * off / pl.col("capacity_wh"), SOC_ERROR_PCT + ROUNDING)
    return judged(steps.join(batteries, on="site_id"), {"content less state of charge": bound})


def adjustments(ledger: Ledger, batteries: pl.DataFrame) -> Finding:
    """How much states of charge correct what the efficiency makes of a day, up and down [Wh].

    With a capacity that is twice the true one each charge and each discharge is corrected, which
    cancel over the day: corrections of either sign count. Judged are days that have nearly all of
    their intervals: what others lack explains the rest.

    Args:
        ledger: of `battery.ledger`.
        batteries: `BATTERIES`.
    """
    before, stored, after = (
        pl.sum_horizontal(f"^{name}_.*$") for name in ("before", "stored", "after")
    )
    passed = pl.col("charged_wh") + pl.col("discharged_wh")
    covered = (
        ledger.steps.group_by(_DAY)
        .agg(pl.len(), adjusted=(after - before - stored + pl.col("drawn")).abs().sum())
        .filter(pl.col("len") >= WELL_COVERED_PCT / 100 * INTERVALS_A_DAY)
    )
    sums = ledger.days.group_by(_DAY).agg(passed=passed.sum().abs()).join(covered, on=_DAY)
    capacity = pl.col("capacity_wh").fill_null(0)
    most = ADJUSTED_PART * pl.col("passed") + ADJUSTED_PCT / 100 * capacity + ROUNDING
    bounds = {"adjusted": Bound(pl.col("adjusted"), most)}
    return judged(sums.join(batteries, on="site_id"), bounds, at="date")


def origins(rows: pl.DataFrame, subject: str = "site_id", at: str = "date") -> Finding:
    """How far origins and what is unattributed are from the energy they are of [kWh].

    Args:
        rows: `SOLAR_ATTRIBUTION_DAILY`, or `CHARGING_ATTRIBUTION`.
        subject: the column of whose energy it is.
        at: the column of its time (UTC) or date.
    """
    energy = pl.sum_horizontal(f"{share}_kwh" for share in (*SHARES, "unattributed"))
    solar = pl.col("from_solar_kwh") + pl.col("from_battery_solar_kwh")
    pairs = {"energy": (energy, pl.col("energy_kwh")), "solar": (solar, pl.col("solar_kwh"))}
    return judged(rows, same(pairs), subject=subject, at=at, kind="policy")


def whole_charges(attribution: pl.DataFrame, pieces: pl.DataFrame) -> Finding:
    """How far what is attributed of charges is from what they drew [kWh].

    Args:
        attribution: `CHARGING_ATTRIBUTION`.
        pieces: `CHARGING_PIECES` of these charges.
    """
    drawn = pieces.group_by(SESSION_KEY).agg(drawn=pl.col("energy_kwh").sum())
    both = attribution.join(drawn, on=SESSION_KEY)
    pairs = {"energy": (pl.col("energy_kwh"), pl.col("drawn"))}
    subject, at = SESSION_KEY
    return judged(both, same(pairs), subject=subject, at=at, kind="policy")


def origins_of_flows(rows: pl.DataFrame, intervals: pl.DataFrame, days: pl.DataFrame) -> Finding:
    """How far what home and cars took of a source is from what that gave to the home [kWh].

    By the convention of `EV_LAST` solar that the battery could have had passes for grid energy:
    there only both together are the same. Nobody takes less than nothing: days on which Tesla says
    so of a flow are not judged.

    Args:
        rows: `SOLAR_ATTRIBUTION_DAILY` of the days.
        intervals: `ENERGY_INTERVALS`.
        days: `DAY_WINDOWS`.
    """
    flows = [f"{source}_to_home_wh" for source in SOURCES]
    parts = {
        source: [f"{share}_kwh" for share in SHARES if share.startswith(f"from_{source}")]
        for source in SOURCES
    }
    taken = {source: pl.sum_horizontal(names).sum() for source, names in parts.items()}
    given = (
        in_their_days(intervals.select("site_id", "timestamp", *flows), days)
        .group_by(_DAY)
        .agg(pl.col(flows).sum() / 1000, least=pl.min_horizontal(flows).min().fill_null(0))
        .filter(pl.col("least") >= 0)
    )
    both = rows.group_by(*_DAY, "policy").agg(**taken).join(given, on=_DAY)
    is_exact = pl.col("policy") != EV_LAST
    pairs = {
        source: (pl.col(source), pl.col(flow)) for source, flow in zip(SOURCES, flows, strict=True)
    }
    (solar, of_solar), (grid, of_grid) = pairs["solar"], pairs["grid"]
    pairs |= {
        "solar": (pl.when(is_exact).then(solar), of_solar),
        "grid": (pl.when(is_exact).then(grid), of_grid),
        "solar and grid": (solar + grid, of_solar + of_grid),
    }
    return judged(both, same(pairs), at="date", kind="policy")
