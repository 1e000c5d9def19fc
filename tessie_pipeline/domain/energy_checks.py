"""What is wrong, or only odd, in computed energy: intervals, hours and days.

Our own computation keeps to its identities within rounding, and what Tesla says to the bounds that
are stated here. Not here: what batteries hold and whose energy it was (`ledger_checks`).
"""

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from tessie_pipeline.domain.days import in_their_days, stretches
from tessie_pipeline.domain.findings import (
    ROUNDING,
    WORST,
    Bound,
    Finding,
    judged,
    rounding,
    same,
    worst_first,
)
from tessie_pipeline.domain.flows import FLOWS_OF
from tessie_pipeline.domain.interval_sources import NEARLY_ALL
from tessie_pipeline.domain.power_flows import energy_in, energy_out
from tessie_pipeline.domain.samples import FLOWS_WH, KWH_OF, TOTALS_WH

BALANCED_WH = 50.0
"""An interval may be off by so much; Tesla's are by a few Wh (`fleet_api.md` section 4.4)."""

SPLIT_WH = 5.0
"""What of a total of Tesla's its flows may leave out; in captured days it is nothing, and each of
them is a whole number of Wh."""

BALANCED_PART, BALANCED_KWH = 0.01, 0.1
"""A day may be off by such a part of its energy, and by so little in any case."""

AGREEING_PART, AGREEING_KWH = 0.1, 0.5
"""A day by another source may be off Tesla's energy by such a part, and by so little in any case,
as one from samples ten minutes apart is."""

WELL_COVERED_PCT = 95.0
"""A day that lacks more than 72 minutes is worth a look."""

_KWH = {wh: kwh for kwh, wh in KWH_OF.items()}
_DAY = ["site_id", "date"]


def overlaps(times: pl.DataFrame) -> Finding:
    """How far intervals begin before the last one ends, or off the marks of five minutes [min].

    Args:
        times: `site_id` and `timestamp`, one row per interval.
    """
    time, site = pl.col("timestamp"), pl.col("site_id")
    into = (time - time.dt.truncate("5m")).dt.total_seconds() / 60
    since = pl.when(site == site.shift()).then(time - time.shift()).dt.total_seconds() / 60
    rows = times.sort("site_id", "timestamp").with_columns(into=into, early=(5 - since).clip(0))
    bounds = {
        "begins off the five minutes": Bound(pl.col("into"), 0),
        "begins before the last ends": Bound(pl.col("early"), 0),
    }
    return judged(rows, bounds)


def negative_energies(intervals: pl.DataFrame) -> Finding:
    """Energies below zero [Wh], of `ENERGY_INTERVALS`."""
    names = (*TOTALS_WH, *FLOWS_WH)
    bounds = {_words(name): Bound(pl.col(name), -ROUNDING, is_least=True) for name in names}
    return judged(intervals, bounds, kind="source")


def own_splits(intervals: pl.DataFrame) -> Finding:
    """How far totals are from what we split them into [Wh], of `ENERGY_INTERVALS`.

    Flows never exceed their total. What no flow explains is no more than the residual, what only
    the battery could have given to itself, or the grid to itself, and what battery and grid could
    have given each other but were measured not to (`power_flows.split_flows`).
    """
    discharged, charged, imported, exported = map(pl.col, TOTALS_WH[2:6])
    pairs = (discharged, charged), (imported, exported), (imported, charged), (discharged, exported)
    exchanged = pl.sum_horizontal("grid_to_battery_wh", "battery_to_grid_wh")
    possible = pl.sum_horizontal(pl.min_horizontal(pair) for pair in pairs)
    residual = pl.col("residual_wh")
    rows = intervals.with_columns(
        unexplained=residual.abs().fill_null(0) + possible - exchanged,
        off=(residual - (energy_in() - energy_out())).abs(),
    )
    bounds = {"residual": Bound(pl.col("off"), rounding(energy_in() + energy_out()))}
    for total, flows in FLOWS_OF.items():
        gap = _gap(total, flows)
        beyond = pl.max_horizontal(-gap, gap - pl.col("unexplained")).clip(0)
        bounds[_words(total)] = Bound(beyond, rounding(pl.col(total)))
    return judged(rows, bounds, kind="source")


def tesla_splits(intervals: pl.DataFrame) -> Finding:
    """How far Tesla's totals are from Tesla's own flows [Wh], of `ENERGY_INTERVALS`."""
    bounds = {
        _words(total): Bound(_gap(total, flows).abs(), SPLIT_WH)
        for total, flows in FLOWS_OF.items()
    }
    return judged(intervals, bounds)


def interval_balances(intervals: pl.DataFrame) -> Finding:
    """How far the totals of `ENERGY_INTERVALS` are from balance [Wh]."""
    bound = Bound(pl.col("residual_wh").abs(), BALANCED_WH)
    return judged(intervals, {"in less out": bound}, kind="source")


def disagreements(tesla: pl.DataFrame, others: pl.DataFrame, days: pl.DataFrame) -> Finding:
    """How far totals by other sources are from Tesla's energy [kWh], by day.

    Added up are the intervals that both cover nearly whole.

    Args:
        tesla: `ENERGY_INTERVALS` of Tesla's energy.
        others: `ENERGY_INTERVALS` of other sources.
        days: `DAY_WINDOWS`.
    """
    whole, at = pl.col("coverage") >= NEARLY_ALL, ["site_id", "timestamp"]
    both = (
        others.lazy()
        .filter(whole)
        .select(*at, "source", *TOTALS_WH)
        .join(tesla.lazy().filter(whole).select(*at, *TOTALS_WH), on=at, suffix="_tesla")
        .collect()
    )
    pairs = {total: (pl.col(total), pl.col(f"{total}_tesla")) for total in TOTALS_WH}
    sums = {
        name: pl.when(ours.is_not_null() & theirs.is_not_null()).then(name).sum() / 1000
        for total, (ours, theirs) in pairs.items()
        for name in (total, f"{total}_tesla")
    }
    by_day = in_their_days(both, days).group_by(*_DAY, "source").agg(**sums)
    bounds = {
        _words(total): Bound((ours - theirs).abs(), AGREEING_PART * theirs.abs() + AGREEING_KWH)
        for total, (ours, theirs) in pairs.items()
    }
    return judged(by_day, bounds, at="date", kind="source")


def sums_of_hours(hours: pl.DataFrame, intervals: pl.DataFrame, days: pl.DataFrame) -> Finding:
    """How far the hours of a day are from the sum of its intervals [kWh].

    Args:
        hours: `ENERGY_HOURLY` of the days.
        intervals: `ENERGY_INTERVALS`.
        days: `DAY_WINDOWS`.
    """
    found, expected = (
        in_their_days(rows.select("site_id", "timestamp", *names), days)
        .group_by(_DAY)
        .agg(pl.col(*names).sum())
        for rows, names in ((hours, KWH_OF.keys()), (intervals, KWH_OF.values()))
    )
    both = expected.join(found, on=_DAY, how="full", coalesce=True).fill_null(0)
    pairs = {_words(wh): (pl.col(kwh), pl.col(wh) / 1000) for kwh, wh in KWH_OF.items()}
    return judged(both, same(pairs), at="date")


def repeated_days(days: pl.DataFrame) -> Finding:
    """How many rows a site's day has, of `site_id` and `date`."""
    rows = days.group_by(_DAY).agg(pl.len().alias("rows"))
    return judged(rows, {"rows": Bound(pl.col("rows"), 1)}, at="date")


def day_balances(days: pl.DataFrame) -> Finding:
    """How far the totals of `ENERGY_DAILY` are from balance [kWh]."""
    totals = days.select(*_DAY, **{wh: pl.col(_KWH[wh]) for wh in TOTALS_WH})
    most = BALANCED_PART * energy_in().abs() + BALANCED_KWH
    bound = Bound((energy_in() - energy_out()).abs(), most)
    return judged(totals, {"in less out": bound}, at="date")


def day_splits(days: pl.DataFrame) -> Finding:
    """How far the totals of `ENERGY_DAILY` are from the sum of their flows [kWh]."""
    bounds = {
        _words(total): Bound(
            _gap(_KWH[total], [_KWH[flow] for flow in flows]).abs(),
            BALANCED_PART * pl.col(_KWH[total]).abs() + BALANCED_KWH,
        )
        for total, flows in FLOWS_OF.items()
    }
    return judged(days, bounds, at="date")


def coverages(days: pl.DataFrame) -> Finding:
    """How much of each day was measured [%], of `site_id`, `date` and `coverage_pct`."""
    coverage = pl.col("coverage_pct")
    bounds = {"coverage": Bound(coverage, WELL_COVERED_PCT, is_least=True)}
    return replace(judged(days, bounds, at="date"), mean=days.select(coverage.mean()).item())


def missing_days(expected: pl.DataFrame, known: pl.DataFrame) -> Finding:
    """The days that a site has no row for, those that follow each other as one of the worst.

    Args:
        expected: `site_id` and `date` of the days that are to be there.
        known: `site_id` and `date` of those that are.
    """
    missing = expected.join(known, on=_DAY, how="anti")
    gaps = [
        (site, f"{first}" if first == last else f"{first} to {last}", (last - first).days + 1)
        for (site,), own in missing.group_by("site_id")
        for first, last in stretches(own["date"])
    ]
    rows = [(site, at, "days without a row", days, 0, days) for site, at, days in gaps]
    worst = pl.DataFrame(rows, WORST, orient="row", strict=False)
    return Finding(expected.height, missing.height, worst_first(worst))


def _gap(total: str, flows: Iterable[str]) -> pl.Expr:
    """What of a total no flow explains, null where no flow is known."""
    known = [pl.col(flow) for flow in flows]
    is_known = pl.any_horizontal(flow.is_not_null() for flow in known)
    return pl.when(is_known).then(pl.col(total) - pl.sum_horizontal(known))


def _words(name: str) -> str:
    """`grid_imported_wh` as "grid imported"."""
    return name.removesuffix("_wh").replace("_", " ")
