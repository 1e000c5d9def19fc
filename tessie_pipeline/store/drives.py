"""Drives as they are stored, with what vehicles drove unseen; replaced in windows."""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl

from tessie_pipeline.store.derived import in_windows, replace_rows
from tessie_pipeline.store.drive_tables import drives, unseen_distances

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
