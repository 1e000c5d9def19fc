"""The tables of what is kept of old samples: by the hour, by the day, and the account of it.

The figures follow `domain/rollups.py`. Not here: samples (`store/tables`).
"""

from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.store.tables.columns import (
    column,
    created_at,
    flag,
    identity,
    metadata,
    number,
    site_id,
    text,
    time,
    updated_at,
    vehicle_id,
)


def _rollup(series: Series, what: str, **options: Any) -> list[Any]:
    """The columns of an hour or day, under the names of the series' schema."""
    subject = vehicle_id if series is VEHICLE_SERIES else site_id
    return [
        subject(primary_key=True),
        time("timestamp", f"Start of the {what} (UTC).", primary_key=True, **options),
        column("sample_count", sa.Integer, "How many samples there were; 0 where only the line "
               "between two reaches into it.", nullable=False),
        number("covered_s", "Time that samples say something about, s.", nullable=False),
        time("first_at", "Time of its first sample (UTC)."),
        time("last_at", "Time of its last sample (UTC)."),
        *(
            (text if series.schema[measure.name] == pl.String() else number)(
                measure.name, measure.comment
            )
            for measure in series.measures
        ),
        created_at(),
    ]  # fmt: skip


def _hourly(series: Series, of: str) -> sa.Table:
    return sa.Table(
        series.hourly,
        metadata,
        *_rollup(series, "hour of its clock"),
        comment=f"What is kept of samples of {of} by the hour, once they are old. Partitioned by "
        "month (UTC).",
        info={"partition_by": "month"},
        postgresql_partition_by="RANGE (timestamp)",
    )


def _daily(series: Series, of: str) -> sa.Table:
    return sa.Table(
        series.daily,
        metadata,
        *_rollup(series, "local day", index=True),
        comment=f"What is kept of samples of {of} by the local day, once hours are old.",
    )


vehicle_states_hourly = _hourly(VEHICLE_SERIES, "vehicles")
vehicle_states_daily = _daily(VEHICLE_SERIES, "vehicles")
energy_states_hourly = _hourly(ENERGY_SERIES, "sites")
energy_states_daily = _daily(ENERGY_SERIES, "sites")

retention_policies = sa.Table(
    "retention_policies",
    metadata,
    text("series", "The time series: vehicle_states or energy_states.", primary_key=True),
    column("hourly_after", pg.INTERVAL, "Age from which its samples are kept by the hour; null for "
           "never."),
    column("daily_after", pg.INTERVAL, "Age from which its hours are kept by the day; null for "
           "never."),
    flag("is_archived", "Whether samples go to the archive before they are dropped.",
         nullable=False),
    updated_at(),
    comment="How long each time series is kept in which detail, as the settings said last.",
)  # fmt: skip

retention_log = sa.Table(
    "retention_log",
    metadata,
    identity("dropped partition"),
    text("series", "The table whose partition was dropped.", nullable=False),
    column("start", sa.Date, "Its first day (UTC).", nullable=False),
    column("end", sa.Date, "The day after its last one (UTC).", nullable=False),
    column("rows", sa.BigInteger, "How many rows it had.", nullable=False),
    column("bytes", sa.BigInteger, "Its size with its indexes, bytes.", nullable=False),
    column("rollup_rows", sa.BigInteger, "How many hours or days were written.", nullable=False),
    text("checksum", "Of its rows in any order, hexadecimal digits; equal for equal rows.",
         nullable=False),
    text("archive_file", "Where its rows are in the archive; null if they are not."),
    column("archive_rows", sa.BigInteger, "How many rows the file has, earlier ones included."),
    column("archive_bytes", sa.BigInteger, "Size of the file, bytes."),
    text("archive_sha256", "SHA-256 of the file."),
    number("duration_s", "How long it took, s.", nullable=False),
    time("dropped_at", "When it was dropped (UTC).", nullable=False, server_default=sa.func.now()),
    time("restored_at", "When all its archived rows came back for a while (UTC); null if not."),
    sa.Index(None, "series", "start"),
    comment="One row per partition that was dropped, with the proof of what became of its rows. A "
    "day has several if samples came late.",
)  # fmt: skip
