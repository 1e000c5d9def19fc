"""Where a site's energy came from and went to: Tesla's history as intervals, their hours and days.

Energies are in Wh per five minutes and kWh per hour and day, all >= 0. `calendar_history` gives
Tesla's own split of each bucket (`fleet_api.md` section 4.4). Not here: decoding, storage.
"""

from collections.abc import Iterable

import polars as pl

from tessie_pipeline.domain.days import in_their_days
from tessie_pipeline.domain.power_flows import coverage_of_flows, is_split, split_flows
from tessie_pipeline.domain.samples import (
    ENERGY_DAILY,
    ENERGY_HOURLY,
    ENERGY_INTERVALS,
    FLOWS_WH,
    KWH_OF,
)

INTERVAL = pl.duration(minutes=5)
INTERVAL_US = 300_000_000
CALENDAR_HISTORY = "calendar_history_energy"
"""`source` of the intervals and days that come from Tesla's history."""

_FLOW_FIELDS = {
    "solar_to_home_wh": "consumer_energy_imported_from_solar",
    "solar_to_battery_wh": "battery_energy_imported_from_solar",
    "solar_to_grid_wh": "grid_energy_exported_from_solar",
    "battery_to_home_wh": "consumer_energy_imported_from_battery",
    "battery_to_grid_wh": "grid_energy_exported_from_battery",
    "grid_to_home_wh": "consumer_energy_imported_from_grid",
    "grid_to_battery_wh": "battery_energy_imported_from_grid",
    "generator_to_home_wh": "consumer_energy_imported_from_generator",
    "generator_to_battery_wh": "battery_energy_imported_from_generator",
    "generator_to_grid_wh": "grid_energy_exported_from_generator",
}
_TOTAL_FIELDS = {
    "solar_wh": "solar_energy_exported",
    "generator_wh": "generator_energy_exported",
    "battery_discharged_wh": "battery_energy_exported",
    "battery_charged_wh": "total_battery_charge",
    "grid_imported_wh": "grid_energy_imported",
    "grid_exported_wh": "total_grid_energy_exported",
    "home_wh": "total_home_usage",
}
FLOWS_OF = {
    total: tuple(flow for flow in FLOWS_WH if end in flow)
    for total, end in {
        "solar_wh": "solar_to_",
        "generator_wh": "generator_to_",
        "battery_discharged_wh": "battery_to_",
        "battery_charged_wh": "_to_battery_",
        "grid_imported_wh": "grid_to_",
        "grid_exported_wh": "_to_grid_",
        "home_wh": "_to_home_",
    }.items()
}
"""The flows that make up each total."""

_INTO = ("solar_wh", "generator_wh", "battery_discharged_wh", "grid_imported_wh")
_OUT_OF = ("home_wh", "battery_charged_wh", "grid_exported_wh")


def intervals_from_history(
    energy: pl.DataFrame, soe: pl.DataFrame, days: pl.DataFrame
) -> pl.DataFrame:
    """Tesla's 5-minute history as `ENERGY_INTERVALS`.

    A total is Tesla's where it gives one, else the sum of its flows: Tesla leaves out totals of
    zero. Where it gives totals without any flow, flows are what the totals say; without those,
    nothing counts as covered. Buckets outside their day, and those that had not begun when the
    answer came, are left out; one that was still running is covered in part. The last one of a day
    has no state of charge: that instant is the next day's, whose answer may not be there yet.

    Args:
        energy: `site_id`, `timestamp` (UTC) and Tesla's energy fields [Wh].
        soe: `site_id`, `timestamp` (UTC) and `soe` [%], the state of charge at that instant.
        days: `DAY_WINDOWS` with `received_at`, when the day's answer came.
    """
    found = (
        answered(energy, soe, days)
        .with_columns(pl.col(field).alias(name) for name, field in _FLOW_FIELDS.items())
        .with_columns(
            pl.coalesce(field, _sum_where_known(FLOWS_OF[name])).alias(name)
            for name, field in _TOTAL_FIELDS.items()
        )
        .with_columns(
            residual_wh=_sum_where_known(_INTO) - _sum_where_known(_OUT_OF),
            source=pl.lit(CALENDAR_HISTORY),
        )
        .select(ENERGY_INTERVALS.names())
    )
    rest = found.filter(~is_split())
    ours = split_flows(rest).with_columns(rest["residual_wh"], coverage_of_flows())
    both = pl.concat([found.filter(is_split()), ours.select(found.columns)])
    return both.sort("site_id", "timestamp")


def answered(buckets: pl.DataFrame, soe: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The buckets of Tesla's history that had begun when their day's answer came.

    With `coverage`, the part of each that was over then, and `soc_pct`, the state of charge at its
    end; null for the last one of a day, whose end is in the next day's answer.

    Args:
        buckets: `site_id`, `timestamp` (UTC) and any others.
        soe: `site_id`, `timestamp` (UTC) and `soe` [%], the state of charge at that instant.
        days: `DAY_WINDOWS` with `received_at`, when the day's answer came.
    """
    elapsed = pl.col("received_at") - pl.col("timestamp")
    charge = in_their_days(soe, days).select(
        "site_id", "date", pl.col("timestamp") - INTERVAL, soc_pct=pl.col("soe")
    )
    return (
        in_their_days(buckets, days)
        .with_columns(coverage=_divided(elapsed.dt.total_microseconds(), INTERVAL_US).clip(0, 1))
        .filter(pl.col("coverage") > 0)
        .join(charge, on=["site_id", "date", "timestamp"], how="left")
    )


def daily_totals(intervals: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The sum of each local day that has intervals, as `ENERGY_DAILY`.

    Self-consumption is the share of the solar energy that was not exported; solar offset is the
    share of the home's energy that solar met as it was produced (`design.md` section 7). Coverage
    is measured time over the length of the day.

    Args:
        intervals: `ENERGY_INTERVALS`.
        days: `DAY_WINDOWS`.
    """
    solar, home = pl.col("solar_produced_kwh"), pl.col("home_consumed_kwh")
    length = (pl.col("end") - pl.col("start")).first()
    numbered = days.sort("site_id", "start", "end").with_row_index("number")
    return (
        in_their_days(intervals, numbered)
        # Known to be in order, each day is a slice, which is added up in a quarter of the time.
        .set_sorted("number")
        .group_by("number")
        .agg(pl.col("site_id", "date").first(), *_sums(length))
        .with_columns(
            self_consumption_pct=_share_pct(solar - pl.col("solar_to_grid_kwh"), solar),
            solar_offset_pct=_share_pct(pl.col("solar_to_home_kwh"), home),
        )
        .select(ENERGY_DAILY.names())
        .sort("site_id", "date")
    )


def hourly_totals(intervals: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The sum of each local hour that has intervals, as `ENERGY_HOURLY`.

    An hour that the clock repeats is two; in a zone of half hours an hour begins at half past, UTC.

    Args:
        intervals: `ENERGY_INTERVALS`.
        days: `DAY_WINDOWS` with `time_zone`.
    """
    by_clock = [
        own.with_columns(
            hour=pl.col("timestamp")
            .dt.convert_time_zone(str(zone))
            .dt.truncate("1h")
            .dt.convert_time_zone("UTC")
        )
        for (zone,), own in in_their_days(intervals, days).group_by("time_zone")
    ]
    if not by_clock:
        return ENERGY_HOURLY.to_frame()
    return (
        pl.concat(by_clock)
        .sort("site_id", "timestamp")
        .group_by("site_id", "hour")
        .agg(*_sums(pl.duration(hours=1)), pl.col("soc_pct").last())
        .rename({"hour": "timestamp"})
        .select(ENERGY_HOURLY.names())
        .sort("site_id", "timestamp")
    )


def _sums(length: pl.Expr) -> list[pl.Expr]:
    """The sums of intervals [kWh], which part of a time of that length they cover, and sources."""
    measured = (pl.col("coverage") * INTERVAL).sum()
    return [
        *(_divided(_sum_or_null(name), 1000).alias(total) for total, name in KWH_OF.items()),
        (100 * measured / length).clip(0, 100).alias("coverage_pct"),
        pl.col("source").unique().sort().str.join("+"),
    ]


def _sum_where_known(names: Iterable[str]) -> pl.Expr:
    """The sum of what is known, null where nothing is."""
    columns = [pl.col(name) for name in names]
    is_known = pl.any_horizontal(column.is_not_null() for column in columns)
    return pl.when(is_known).then(pl.sum_horizontal(columns))


def _sum_or_null(name: str) -> pl.Expr:
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())


def _divided(dividend: pl.Expr, divisor: float) -> pl.Expr:
    """The quotient to nine digits after the point, whatever stands beside it in the frame."""
    # Polars divides a single row exactly but many by the reciprocal, which may be an ulp off.
    return (dividend * (1 / divisor)).round(9)


def _share_pct(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then((100 * part / whole).clip(0, 100))
