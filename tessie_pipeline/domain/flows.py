"""Where a site's energy came from and went to: Tesla's history as intervals, intervals as days.

Energies are in Wh per five minutes and kWh per day, all >= 0. `calendar_history` gives Tesla's own
split of each bucket (`fleet_api.md` section 4.4). Not here: decoding, storage.
"""

from collections.abc import Iterable

import polars as pl

from tessie_pipeline.domain.days import in_their_days
from tessie_pipeline.domain.samples import ENERGY_DAILY, ENERGY_INTERVALS, FLOWS_WH

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
_TOTALS = {
    "solar_wh": ("solar_energy_exported", "solar_to_"),
    "generator_wh": ("generator_energy_exported", "generator_to_"),
    "battery_discharged_wh": ("battery_energy_exported", "battery_to_"),
    "battery_charged_wh": ("total_battery_charge", "_to_battery_wh"),
    "grid_imported_wh": ("grid_energy_imported", "grid_to_"),
    "grid_exported_wh": ("total_grid_energy_exported", "_to_grid_wh"),
    "home_wh": ("total_home_usage", "_to_home_wh"),
}
"""Each total's field, and how the flows that make it up begin or end."""

_DAY_TOTALS = {
    "solar_produced_kwh": "solar_wh",
    "solar_to_home_kwh": "solar_to_home_wh",
    "solar_to_battery_kwh": "solar_to_battery_wh",
    "solar_to_grid_kwh": "solar_to_grid_wh",
    "battery_charged_kwh": "battery_charged_wh",
    "battery_discharged_kwh": "battery_discharged_wh",
    "battery_to_home_kwh": "battery_to_home_wh",
    "battery_to_grid_kwh": "battery_to_grid_wh",
    "grid_imported_kwh": "grid_imported_wh",
    "grid_exported_kwh": "grid_exported_wh",
    "grid_to_home_kwh": "grid_to_home_wh",
    "grid_to_battery_kwh": "grid_to_battery_wh",
    "generator_produced_kwh": "generator_wh",
    "home_consumed_kwh": "home_wh",
}


def intervals_from_history(
    energy: pl.DataFrame, soe: pl.DataFrame, days: pl.DataFrame
) -> pl.DataFrame:
    """Tesla's 5-minute history as `ENERGY_INTERVALS`.

    A total is Tesla's where it gives one, else the sum of its flows: Tesla leaves out totals of
    zero. Buckets outside their day, and those that had not begun when the answer came, are left
    out; one that was still running is covered in part. The last one of a day has no state of
    charge: that instant is the next day's, whose answer may not be there yet.

    Args:
        energy: `site_id`, `timestamp` (UTC) and Tesla's energy fields [Wh].
        soe: `site_id`, `timestamp` (UTC) and `soe` [%], the state of charge at that instant.
        days: `DAY_WINDOWS` with `received_at`, when the day's answer came.
    """
    elapsed = pl.col("received_at") - pl.col("timestamp")
    charge = in_their_days(soe, days).select(
        "site_id", "date", pl.col("timestamp") - INTERVAL, soc_pct=pl.col("soe")
    )
    return (
        in_their_days(energy, days)
        .with_columns(coverage=_divided(elapsed.dt.total_microseconds(), INTERVAL_US).clip(0, 1))
        .filter(pl.col("coverage") > 0)
        .with_columns(pl.col(field).alias(name) for name, field in _FLOW_FIELDS.items())
        .with_columns(
            pl.coalesce(field, _sum_where_known(_flows(end))).alias(name)
            for name, (field, end) in _TOTALS.items()
        )
        .join(charge, on=["site_id", "date", "timestamp"], how="left")
        .with_columns(source=pl.lit(CALENDAR_HISTORY))
        .select(ENERGY_INTERVALS.names())
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
    measured = (pl.col("coverage") * INTERVAL).sum()
    solar, home = pl.col("solar_produced_kwh"), pl.col("home_consumed_kwh")
    return (
        in_their_days(intervals, days)
        .group_by("site_id", "date")
        .agg(
            *(_divided(_sum_or_null(name), 1000).alias(day) for day, name in _DAY_TOTALS.items()),
            coverage_pct=(100 * measured / (pl.col("end") - pl.col("start")).first()).clip(0, 100),
            source=pl.col("source").unique().sort().str.join("+"),
        )
        .with_columns(
            self_consumption_pct=_share_pct(solar - pl.col("solar_to_grid_kwh"), solar),
            solar_offset_pct=_share_pct(pl.col("solar_to_home_kwh"), home),
        )
        .select(ENERGY_DAILY.names())
        .sort("site_id", "date")
    )


def largest_residual_wh(intervals: pl.DataFrame) -> float:
    """How far the worst interval is from balance [Wh]; 0 where there is none or all balance.

    Solar + generator + battery out + grid in = home + battery in + grid out.
    """
    into = _sum_where_known(
        ["solar_wh", "generator_wh", "battery_discharged_wh", "grid_imported_wh"]
    )
    out_of = _sum_where_known(["home_wh", "battery_charged_wh", "grid_exported_wh"])
    residual = intervals.select((into - out_of).abs().max()).item()
    return 0.0 if residual is None else float(residual)


def _flows(end: str) -> list[str]:
    return [flow for flow in FLOWS_WH if flow.startswith(end) or flow.endswith(end)]


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
