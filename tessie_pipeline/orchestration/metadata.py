"""What the UI shows beside an asset: its table's columns, row counts, and a picture of the days."""

import base64
import io
from typing import Any

import altair as alt
import dagster as dg
import polars as pl
import sqlalchemy as sa

PICTURED_DAYS = 62
"""At most so many days are drawn, the newest, so that a picture stays below 50 KB."""

_PICTURED = {
    "solar": "solar_produced_kwh",
    "home": "home_consumed_kwh",
    "from grid": "grid_imported_kwh",
    "to grid": "grid_exported_kwh",
}

NO_TOTALS = pl.DataFrame(
    schema={
        "date": pl.Date(),
        "rows": pl.get_index_type(),
        **dict.fromkeys((*_PICTURED.values(), "coverage_pct"), pl.Float64()),
    }
)


def table_metadata(table: sa.Table) -> dict[str, Any]:
    """An asset's standing metadata: the name of its table, and its columns with their comments."""
    columns = [
        dg.TableColumn(
            column.name,
            type=str(column.type),
            description=column.comment,
            constraints=dg.TableColumnConstraints(
                nullable=bool(column.nullable), unique=bool(column.unique)
            ),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": f"{table.schema or 'public'}.{table.name}",
    }


def describe_days(context: dg.AssetExecutionContext, *parts: pl.DataFrame) -> None:
    """Give the materialization of each date its row count, and what else the parts hold of it.

    Args:
        context: of an asset with a partition per date.
        parts: `date`, `rows` and any figures; one row per date in all.
    """
    for part in parts:
        for day in part.rename({"rows": "dagster/partition_row_count"}).iter_rows(named=True):
            context.add_asset_metadata(day, partition_key=day.pop("date").isoformat())


def totals_by_date(days: pl.DataFrame) -> pl.DataFrame:
    """`date`, `rows` (sites), energies [kWh] over all sites and mean `coverage_pct` of days.

    Args:
        days: `ENERGY_DAILY`.
    """
    return (
        days.group_by("date")
        .agg(
            pl.len().alias("rows"),
            *(pl.col(column).sum().round(2) for column in _PICTURED.values()),
            pl.col("coverage_pct").mean().round(2),
        )
        .sort("date")
    )


def picture(totals: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Bars of each date's energy [kWh], as markdown that holds an SVG; from `totals_by_date`."""
    newest = (
        totals.tail(PICTURED_DAYS)
        .select("date", *(pl.col(column).alias(name) for name, column in _PICTURED.items()))
        .unpivot(index="date", variable_name="what", value_name="kWh")
    )
    chart = (
        alt.Chart(newest)
        .mark_bar()
        .encode(
            x=alt.X("yearmonthdate(date):T", title=None),
            y=alt.Y("kWh:Q"),
            color=alt.Color("what:N", sort=list(_PICTURED), title=None),
            row=alt.Row("what:N", sort=list(_PICTURED), title=None, header=None),
        )
        .properties(width=620, height=70)
    )
    svg = io.StringIO()
    chart.save(svg, format="svg")
    data = base64.b64encode(svg.getvalue().encode()).decode()
    return dg.MetadataValue.md(f"![energy by day](data:image/svg+xml;base64,{data})")
