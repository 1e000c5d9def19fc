"""The asset of drives: what samples show of driving, who drove, and what nobody saw."""

from collections.abc import Callable
from functools import partial
from typing import Final

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.drivers import driver_of
from tessie_pipeline.domain.drives import (
    DRIVES,
    PARTING_COLUMNS,
    parts_drives,
    unseen_distance,
)
from tessie_pipeline.domain.drives import drives as find_drives
from tessie_pipeline.domain.drives_steps import SAMPLE_COLUMNS
from tessie_pipeline.domain.places import place_of
from tessie_pipeline.orchestration.derivation import begun_in, derive_marked, label_edited
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.charging.places import read_places
from tessie_pipeline.store.charging.sessions import read_capacities
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.drivers import read_driver_rules
from tessie_pipeline.store.drives import drive_figures, replace_drives
from tessie_pipeline.store.tables import drives as drive_tables
from tessie_pipeline.store.vehicle_samples import read_samples

READER: Final = "drives"


@dg.asset(
    deps=["vehicle_states", "charging_sessions"],
    group_name="drives",
    kinds={"polars", "postgres"},
    metadata=table_metadata(drive_tables.drives),
)
def drives(database: dg.ResourceParam[Database]) -> dg.MaterializeResult:
    """Drives with their distance, energy, places and driver, from samples of the vehicles.

    What a vehicle drove unseen is in `unseen_distances`.
    """
    zone = Settings.load().time_zone
    derived = derive_drives(database, zone)
    label_drives(database, zone)
    with database.rows() as connection:
        figures = drive_figures(connection)
    return dg.MaterializeResult(metadata={"derived": derived, **figures})


def derive_drives(database: Database, zone: str) -> int:
    """Derive the drives of the vehicles with new samples; returns how many there are in those.

    `zone` is the time zone of the rules of drivers.
    """
    return sum(
        derive_marked(
            database,
            READER,
            drive_tables.drives,
            PARTING_COLUMNS,
            parts_drives(),
            partial(_derive, zone=zone),
        )
    )


def label_drives(database: Database, zone: str) -> None:
    """Label all drives again if somebody has edited a place or a rule since."""

    def labeller(connection: adbc.Connection) -> Callable[[pl.DataFrame], pl.DataFrame]:
        places, rules = read_places(connection), read_driver_rules(connection)
        return lambda stored: _labels(stored, places, rules, zone)

    label_edited(database, READER, drive_tables.drives, DRIVES, labeller, zone)


def _derive(connection: adbc.Connection, windows: pl.DataFrame, zone: str) -> int:
    samples = read_samples(connection, windows.with_columns(start="read_from"), SAMPLE_COLUMNS)
    found = begun_in(windows, find_drives(samples, read_capacities(connection)), "started_at")
    places, rules = read_places(connection), read_driver_rules(connection)
    replace_drives(
        connection,
        found,
        _labels(found, places, rules, zone),
        begun_in(windows, unseen_distance(samples), "after"),
        windows,
    )
    return found.height


def _labels(
    found: pl.DataFrame, places: pl.DataFrame, rules: pl.DataFrame, zone: str
) -> pl.DataFrame:
    """`DRIVE_LABELS` of drives, in their order."""
    ends = {
        f"{end}_place_id": place_of(
            found.select(latitude=pl.col(f"{end}_latitude"), longitude=pl.col(f"{end}_longitude")),
            places,
        )
        for end in ("start", "end")
    }
    placed = found.select("vehicle_id", "started_at").with_columns(**ends)
    return placed.select(*ends, driver_id=driver_of(placed, rules, zone))
