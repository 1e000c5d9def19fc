"""Mean powers as intervals, and which of several sources an interval is taken from.

Tesla's `calendar_history` of kind energy and our own samples become intervals in `flows.py` and
`live_intervals.py`; the power history does here. Not here: decoding, storage.
"""

import polars as pl

from tessie_pipeline.domain.flows import CALENDAR_HISTORY, answered
from tessie_pipeline.domain.live_intervals import LIVE_STATUS
from tessie_pipeline.domain.power_flows import coverage_of_flows, home_by_balance, split_flows
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, FLOWS_WH, TOTALS_WH

CALENDAR_HISTORY_POWER = "calendar_history_power"
"""`source` of the intervals that come from Tesla's history of mean powers."""

SOURCES = (LIVE_STATUS, CALENDAR_HISTORY_POWER, CALENDAR_HISTORY)
"""From worst to best; any other is worse than these.

Energy is what Tesla metered and split, and what its app shows. Mean power is metered just as long,
but is net within an interval and lacks the home. Samples keep both directions, but are instants
that may be a quarter of an hour apart.
"""

NEARLY_ALL = 0.9
"""From this coverage on the source decides; below it, more coverage is better than a better
source: a bucket that had run for a minute when Tesla was asked says little about five."""

_HOURS = 1 / 12
_MEAN_POWERS = {
    "solar_wh": ("solar_power", 1),
    "generator_wh": ("generator_power", 1),
    "battery_discharged_wh": ("battery_power", 1),
    "battery_charged_wh": ("battery_power", -1),
    "grid_imported_wh": ("grid_power", 1),
    "grid_exported_wh": ("grid_power", -1),
}
"""Each total's power, and the sign of it that counts."""


def intervals_from_power(
    power: pl.DataFrame, soe: pl.DataFrame, days: pl.DataFrame
) -> pl.DataFrame:
    """Tesla's 5-minute mean powers as `ENERGY_INTERVALS`, net within each interval.

    A mean has one sign, so of import and export, or charge and discharge, in the same five minutes
    only the difference is left. Small negative solar power counts as none; the home's energy is by
    balance. Where a power is missing nothing counts as covered.

    Args:
        power: `site_id`, `timestamp` (UTC) and Tesla's powers [W]; battery > 0 discharges,
            grid > 0 imports.
        soe: `site_id`, `timestamp` (UTC) and `soe` [%], the state of charge at that instant.
        days: `DAY_WINDOWS` with `received_at`, when the day's answer came.
    """
    totals = (
        answered(power, soe, days)
        .with_columns(
            ((sign * pl.col(name)).clip(0) * pl.col("coverage") * _HOURS).alias(total)
            for total, (name, sign) in _MEAN_POWERS.items()
        )
        .with_columns(home_wh=home_by_balance(), source=pl.lit(CALENDAR_HISTORY_POWER))
    )
    return split_flows(totals).with_columns(coverage_of_flows()).select(ENERGY_INTERVALS.names())


def best_intervals(candidates: pl.DataFrame) -> pl.DataFrame:
    """The best row of each site and interval, sorted by both.

    It is taken whole, but where it has no state of charge, which is no part of any balance, the
    next best one's is. Rows without any energy are no candidates. Where two of one source cover as
    much, the one with more energy is taken, so that the order of the candidates does not matter.

    Args:
        candidates: `ENERGY_INTERVALS` of any sources.
    """
    source, coverage = pl.col("source"), pl.col("coverage")
    return (
        candidates.filter(pl.any_horizontal(pl.col(*TOTALS_WH, *FLOWS_WH).is_not_null()))
        .sort(
            "site_id",
            "timestamp",
            _grade(source, coverage),
            coverage,
            _place(source),
            *TOTALS_WH,
            *FLOWS_WH,
            "soc_pct",
        )
        .with_columns(pl.col("soc_pct").forward_fill().over("site_id", "timestamp"))
        .unique(["site_id", "timestamp"], keep="last", maintain_order=True)
        .select(ENERGY_INTERVALS.names())
    )


def is_better(
    new_source: pl.Expr, new_coverage: pl.Expr, old_source: pl.Expr, old_coverage: pl.Expr
) -> pl.Expr:
    """Whether a new row of an interval is to replace the stored one; true where none is stored.

    Of the same source and coverage the new one does: it is what Tesla, or a later sample, says now.
    """
    new_grade, old_grade = _grade(new_source, new_coverage), _grade(old_source, old_coverage)
    covers_as_much = (new_coverage == old_coverage) & (_place(new_source) >= _place(old_source))
    is_within_grade = (new_grade == old_grade) & ((new_coverage > old_coverage) | covers_as_much)
    return old_source.is_null() | (new_grade > old_grade) | is_within_grade


def _place(source: pl.Expr) -> pl.Expr:
    """Place among the sources, from 0 for an unknown one up."""
    places = {name: place for place, name in enumerate(SOURCES, start=1)}
    return source.replace_strict(places, default=0, return_dtype=pl.Int8)


def _grade(source: pl.Expr, coverage: pl.Expr) -> pl.Expr:
    """0 for what is covered in part, whatever its source, then the sources from worst to best."""
    return pl.when(coverage >= NEARLY_ALL).then(_place(source) + 1).otherwise(0)
