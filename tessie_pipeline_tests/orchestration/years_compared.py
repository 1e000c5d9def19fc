"""What a database says whose old samples were dropped, beside one that kept them all.

Each difference is a line that says of which table and column, of how many rows, and one of them.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.downsample import days_of_hours, hours_of
from tessie_pipeline.domain.rollups import ADDITIVE, ALL_SERIES, ENERGY_SERIES, Series, Statistic
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.retention.rollups import read_clocks
from tessie_pipeline.store.tables.columns import metadata

DERIVED = {
    "charging_sessions": ["vehicle_id", "started_at"],
    "charging_segments": ["vehicle_id", "session_started_at", "started_at"],
    "charging_pieces": ["vehicle_id", "session_started_at", "start", "end"],
    "drives": ["vehicle_id", "started_at"],
    "unseen_distances": ["vehicle_id", "after"],
    "energy_intervals": ["site_id", "timestamp"],
    "energy_hourly": ["site_id", "timestamp"],
    "energy_daily": ["site_id", "date"],
    "battery_ledger": ["site_id", "date", "origin"],
    "solar_attribution_daily": ["site_id", "date", "policy", "vehicle_id"],
}

ROUNDING = 1e-9
"""Sums may differ by this part of them."""

ROUGH = {
    # Estimated with the capacity that was known while there were samples; later ones tell more.
    "drives": {"energy_used_kwh": (0.05, 0.0), "efficiency_wh_per_mile": (0.05, 0.0)},
    # What opens by less than 0.01 Wh otherwise is not computed again, with or without retention.
    "charging_sessions": {"solar_energy_kwh": (0.0, 1e-4), "solar_percentage": (0.0, 1e-3)},
    "solar_attribution_daily": {
        name: (0.0, 1e-4)
        for name in (
            "from_battery_solar_kwh",
            "from_battery_grid_kwh",
            "from_battery_unknown_kwh",
            "solar_kwh",
        )
    },
}
"""What need not be the same to the last digit, by table and column: by which part of it, and by how
much in its unit, it may differ."""


def derived_unlike(kept: Database, thinned: Database) -> list[str]:
    """Rows of derived tables that are not the same."""
    lines = []
    for name, key in DERIVED.items():
        query = f"select * from {name}"  # noqa: S608 - a table of ours
        wanted, found = (
            read(database, query).drop("id", "created_at", "updated_at", strict=False).sort(key)
            for database in (kept, thinned)
        )
        lines += _unlike(name, wanted, found, key, rough=ROUGH.get(name, {}))
    return lines


def views_unlike(kept: Database, thinned: Database) -> list[str]:
    """Totals of the views for readers, by subject and of all, that are not the same."""
    return [line for one in ALL_SERIES.values() for line in _view_unlike(kept, thinned, one)]


def _view_unlike(kept: Database, thinned: Database, series: Series) -> list[str]:
    subject = "tesla_site_id" if series is ENERGY_SERIES else "vin"
    made: dict[Statistic, str] = {
        "min": "min({0})",
        "max": "max({0})",
        "seen": "string_agg(distinct {0}, '+')",
        "first": "(array_agg({0} order by first_at) filter (where {0} is not null))[1]",
        "last": "(array_agg({0} order by last_at desc) filter (where {0} is not null))[1]",
        **dict.fromkeys(ADDITIVE, "sum({0})"),
    }
    figures = [
        f"{made[measure.statistic].format(measure.name)} as {measure.name}"
        for measure in series.measures_of(*made)
    ]
    query = (
        f"select coalesce({subject}::text, 'all') as subject, sum(sample_count) as samples, "  # noqa: S608
        "sum(covered_s) as covered_s, min(first_at) as first_at, max(last_at) as last_at, "
        f"{', '.join(figures)} from bi.{series.name.removesuffix('_states')}_history "
        f"group by grouping sets (({subject}), ()) order by 1"
    )
    # Of all subjects together none is the first or last.
    single = [measure.name for measure in series.measures_of("first", "last")]
    texts = [measure.name for measure in series.measures_of("seen")]
    wanted, found = (
        read(database, query).with_columns(
            pl.when(pl.col("subject") != "all").then(pl.col(single)),
            pl.col(texts).str.split("+").list.unique().list.sort().list.join("+"),
        )
        for database in (kept, thinned)
    )
    return _unlike(f"history of {series.name}", wanted, found, ["subject"], rounding=ROUNDING)


def rollups_unlike(kept: Database, thinned: Database, zone: str) -> list[str]:
    """Hours and days that are not those of all samples at once, as far as they are whole."""
    return [
        line for one in ALL_SERIES.values() for line in _rollup_unlike(kept, thinned, one, zone)
    ]


def _rollup_unlike(kept: Database, thinned: Database, series: Series, zone: str) -> list[str]:
    c = metadata.tables[series.name].c
    measured = dict.fromkeys(measure.column for measure in series.measures)
    with kept.frames() as connection:
        clocks = read_clocks(connection, series, zone)
        query = sa.select(*(c[name] for name in (series.subject, "timestamp", *measured)))
        samples = read_frame(connection, query)
    hours = hours_of(samples, samples.clear(), series, clocks)
    days = days_of_hours(hours, series, clocks)
    in_hours, in_days = (_dropped_until(thinned, table) for table in (series.name, series.hourly))
    at, lines = pl.col("timestamp"), []
    for table, expected, is_whole in (
        (series.hourly, hours, (at >= in_days) & (at + timedelta(hours=1) <= in_hours)),
        (series.daily, days, at + timedelta(hours=25) <= in_days),
    ):
        stored = read(thinned, f"select {', '.join(series.schema)} from {table}")  # noqa: S608
        wanted, found = (rows.filter(is_whole) for rows in (expected, stored.cast(series.schema)))
        lines += _unlike(table, wanted, found, [series.subject, "timestamp"], rounding=ROUNDING)
    return lines


def read(database: Database, query: str) -> pl.DataFrame:
    """The rows of a query."""
    with database.frames() as connection:
        return read_frame(connection, query)


def _dropped_until(database: Database, table: str) -> datetime:
    """Up to when partitions of a table were dropped; long ago if none was."""
    query = f"select max(\"end\") as day from retention_log where series = '{table}'"  # noqa: S608
    day = read(database, query).item()
    return datetime.combine(day or date(1970, 1, 1), time(), UTC)


def _unlike(
    name: str,
    kept: pl.DataFrame,
    thinned: pl.DataFrame,
    key: list[str],
    rounding: float = 0.0,
    rough: Mapping[str, tuple[float, float]] | None = None,
) -> list[str]:
    """A line for each column that differs in rows of one key, and for rows that only one has."""
    if kept.is_empty():
        return [f"{name} has no rows to compare"]
    lines = [
        f"{name} {what}: {alone.height} rows, such as {alone.row(0)}"
        for what, alone in (
            ("lacks", kept.join(thinned, on=key, how="anti", nulls_equal=True)),
            ("should not have", thinned.join(kept, on=key, how="anti", nulls_equal=True)),
        )
        if alone.height
    ]
    both = kept.join(thinned, on=key, suffix="_thinned", nulls_equal=True)
    for column in (column for column in kept.columns if column not in key):
        wanted, found = pl.col(column), pl.col(f"{column}_thinned")
        differs = wanted.ne_missing(found)
        if kept[column].dtype.is_float():
            part, least = (rough or {}).get(column, (rounding, 0.0))
            size = pl.max_horizontal(wanted.abs(), found.abs())
            differs &= ((wanted - found).abs() > part * size + least).fill_null(value=True)
        off = both.filter(differs).select(*key, column, found)
        if off.height:
            lines.append(f"{name}.{column}: {off.height} rows, such as {off.row(0)}")
    return lines
