"""Drives as they are stored, with what vehicles drove unseen; replaced in windows."""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.store.derived import in_windows, replace_rows
from tessie_pipeline.store.tables.drives import drives, unseen_distances

DRIVE_LABELS = pl.Schema(
    {"start_place_id": pl.String(), "end_place_id": pl.String(), "driver_id": pl.String()}
)
"""Where a drive began and ended, and who drove."""


def replace_drives(
    connection: adbc.Connection,
    found: pl.DataFrame,
    labels: pl.DataFrame,
    unseen: pl.DataFrame,
    windows: pl.DataFrame,
) -> None:
    """Put drives and unseen distances in the place of those that begin in the windows.

    Args:
        connection: the transaction.
        found: `DRIVES` that begin in the windows.
        labels: their `DRIVE_LABELS`, in their order.
        unseen: `UNSEEN_DISTANCE` of the windows.
        windows: `WINDOWS`.
    """
    rows = pl.concat([found, labels.select(DRIVE_LABELS.names())], how="horizontal")
    drive, distance = drives.c, unseen_distances.c
    replace_rows(connection, drives, rows, in_windows(windows, drive.vehicle_id, drive.started_at))
    is_in = in_windows(windows, distance.vehicle_id, distance.after)
    replace_rows(connection, unseen_distances, unseen, is_in)


def drive_figures(connection: sa.Connection) -> dict[str, int | float]:
    """How many drives there are, and how far vehicles went in 30 days, seen and unseen, miles."""
    since = sa.func.now() - sa.text("interval '30 days'")
    drive, distance = drives.c, unseen_distances.c
    driven = sa.func.sum(drive.distance_miles).filter(drive.started_at >= since)
    unseen = sa.select(sa.func.sum(distance.distance_miles)).where(distance.after >= since)
    query = sa.select(
        sa.func.count().label("dagster/row_count"),
        sa.func.coalesce(driven, 0.0).label("driven_in_30_days_miles"),
        sa.func.coalesce(unseen.scalar_subquery(), 0.0).label("unseen_in_30_days_miles"),
    ).select_from(drives)
    return dict(connection.execute(query).mappings().one())
