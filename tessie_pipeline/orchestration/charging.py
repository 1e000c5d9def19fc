"""The asset of plug-ins: what samples show of charging, and where it was.

What is to be derived is told by marks of new samples, and by digests of what people edit: a run
derives all that is not up to date, and one that is killed leaves that to the next. Not here: costs.
"""

from collections.abc import Callable
from typing import Final

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl

from tessie_pipeline.domain.charging import PARTING_COLUMNS, Charging, detect, parts_charging
from tessie_pipeline.domain.charging_costs import SESSION_KEY
from tessie_pipeline.domain.charging_frames import CHARGING_SESSIONS
from tessie_pipeline.domain.charging_readings import SAMPLE_COLUMNS
from tessie_pipeline.domain.connectors import SEEN, connected, measured_by_connectors
from tessie_pipeline.domain.places import located
from tessie_pipeline.domain.rollups import ENERGY_SERIES
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.orchestration.derivation import begun_in, derive_marked, label_edited
from tessie_pipeline.orchestration.metadata import table_metadata
from tessie_pipeline.store.charging.places import read_places
from tessie_pipeline.store.charging.sessions import (
    LABELS,
    LOCATED_FROM,
    STAYS,
    charging_figures,
    read_capacities,
    read_connected,
    read_connected_sessions,
    read_sessions,
    refresh_capacities,
    replace_sessions,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.attribution import follow_charges, read_pieces_begun
from tessie_pipeline.store.registries import read_vins
from tessie_pipeline.store.retention.log import gone_days
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.tables import charging as charging_tables
from tessie_pipeline.store.vehicle_samples import read_samples, sampled_spans
from tessie_pipeline.tesla.wall_connectors import decode_wall_connectors

READER: Final = "charging_sessions"

MOST_ROUNDS = 3
"""What is learned of a battery changes estimates, which may tell of the battery; seldom twice."""

REPLACED = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "started_at": UTC_TIME,
        "energy_before_kwh": pl.Float64(),
        "energy_kwh": pl.Float64(),
        "is_old": pl.Boolean(),
        "is_new": pl.Boolean(),
    }
)
"""Plug-ins that are other than before: gone if not `is_new`, added if not `is_old`."""


@dg.asset(
    deps=["vehicle_states"],
    group_name="charging",
    kinds={"polars", "postgres"},
    metadata=table_metadata(charging_tables.charging_sessions),
)
def charging_sessions(database: dg.ResourceParam[Database]) -> dg.MaterializeResult:
    """Plug-ins with their segments, where and how they charged, from samples of the vehicles.

    Only what new samples may have changed is derived again, each window in one transaction.
    """
    replaced = derive_sessions(database)
    label_sessions(database)
    with database.rows() as connection:
        figures = charging_figures(connection)
    return dg.MaterializeResult(metadata={"changed": replaced.height, **figures})


def derive_sessions(database: Database) -> pl.DataFrame:
    """Derive the plug-ins of the vehicles with new samples; returns those that differ (`REPLACED`).

    What is learned of a battery on the way may change what was estimated before: then that is
    derived again, too.
    """
    replaced = [REPLACED.to_frame()]
    for _ in range(MOST_ROUNDS):
        derived = derive_marked(
            database,
            READER,
            charging_tables.charging_sessions,
            PARTING_COLUMNS,
            parts_charging(),
            _derive,
        )
        if not derived:
            break
        replaced += derived
    return pl.concat(replaced)


def label_sessions(database: Database) -> None:
    """Label all plug-ins again if somebody has edited a place since."""

    def labeller(connection: adbc.Connection) -> Callable[[pl.DataFrame], pl.DataFrame]:
        places = read_places(connection)

        def labelled(stored: pl.DataFrame) -> pl.DataFrame:
            labels = located(stored, places).select(LABELS.names())
            follow_charges(connection, _moved(stored, labels["site_id"]))
            return labels

        return labelled

    label_edited(
        database,
        READER,
        charging_tables.charging_sessions,
        pl.Schema({**LOCATED_FROM, **STAYS}),
        labeller,
        cost_basis=None,
    )


def _derive(connection: adbc.Connection, windows: pl.DataFrame) -> pl.DataFrame:
    """Replace the plug-ins of the windows, in the caller's transaction; returns `REPLACED`."""
    samples = read_samples(connection, windows.with_columns(start="read_from"), SAMPLE_COLUMNS)
    found = detect(samples, read_capacities(connection))
    charging = Charging(
        begun_in(windows, found.sessions, "started_at"),
        begun_in(windows, found.segments, "session_started_at"),
        begun_in(windows, found.pieces, "session_started_at"),
    )
    before = read_sessions(connection, windows)
    drawn_before = read_pieces_begun(connection, windows)
    seen = _seen(connection, charging.sessions)
    connectors = connected(charging.sessions, seen)
    charging = measured_by_connectors(charging, connectors, seen)
    charging, connectors = _as_connectors_told(connection, charging, connectors, windows)
    sessions = pl.concat([charging.sessions, connectors], how="horizontal")
    labels = located(sessions, read_places(connection)).select(*LABELS, "connector_live_kwh")
    replace_sessions(connection, charging, labels, windows)
    follow_charges(connection, _changed(drawn_before, read_pieces_begun(connection, windows)))
    mark(
        connection,
        sampled_spans(connection, refresh_capacities(connection, windows)).unpivot(
            ["first", "last"], index="vehicle_id", value_name="timestamp"
        ),
    )
    return _differing(before, charging.sessions)


def _seen(connection: adbc.Connection, sessions: pl.DataFrame) -> pl.DataFrame:
    """What the wall connectors of sites said of the vehicles while plug-ins lasted, as `SEEN`."""
    answers, _ = decode_wall_connectors(read_connected(connection, sessions))
    vins = read_vins(connection)
    return answers.drop_nulls("vin").join(vins, on="vin").select(SEEN.names())


def _as_connectors_told(
    connection: adbc.Connection,
    charging: Charging,
    connectors: pl.DataFrame,
    windows: pl.DataFrame,
) -> tuple[Charging, pl.DataFrame]:
    """The plug-ins, but as they are stored where the answers of wall connectors are gone by now.

    They are only if they still end where they did.

    Args:
        connection: the transaction.
        charging: what is known without these answers.
        connectors: `CONNECTED` of its plug-ins, in their order.
        windows: `WINDOWS` in which the plug-ins begin.
    """
    gone = pl.DataFrame({"day": gone_days(connection, ENERGY_SERIES)}, {"day": pl.Date()})
    if gone.is_empty():
        return charging, connectors
    stored, told = read_connected_sessions(connection, windows)
    found = pl.concat([charging.sessions, connectors], how="horizontal")
    known = (
        pl.concat([stored.sessions, told], how="horizontal")
        .join(found, on=["vehicle_id", "started_at", "ended_by"], how="semi")
        .with_columns(first=pl.col("started_at").dt.date(), last=pl.col("ended_by").dt.date())
        .sort("last")
        .join_asof(gone, left_on="last", right_on="day")
        .filter(pl.col("day") >= pl.col("first"))
        .select(found.columns)
    )
    keys = known.select("vehicle_id", "started_at", session_started_at="started_at")

    def with_known(own: pl.DataFrame, its: pl.DataFrame, key: list[str]) -> pl.DataFrame:
        return pl.concat([own.join(keys, on=key, how="anti"), its.join(keys, on=key, how="semi")])

    sessions = with_known(found, known, ["vehicle_id", "started_at"])
    return Charging(
        sessions.select(charging.sessions.columns),
        with_known(charging.segments, stored.segments, SESSION_KEY),
        with_known(charging.pieces, stored.pieces, SESSION_KEY),
    ), sessions.select(connectors.columns)


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """`site_id`, `start` and `end` (UTC) of what plug-ins drew otherwise (`PIECES_AT_SITES`)."""
    told = ["site_id", "vehicle_id", "start", "end", "energy_kwh"]
    only_in_one = [
        one.join(other, on=told, how="anti", nulls_equal=True)
        for one, other in ((before, after), (after, before))
    ]
    return (
        pl.concat(only_in_one)
        .group_by("site_id", *SESSION_KEY)
        .agg(pl.col("start").min(), pl.col("end").max())
        .select("site_id", "start", "end")
    )


def _moved(stored: pl.DataFrame, site_id: pl.Series) -> pl.DataFrame:
    """`site_id`, `start` and `end` (UTC) of the plug-ins that were at another site than they are.

    Args:
        stored: as they are stored, with `STAYS`.
        site_id: the site of each now.
    """
    moved = stored.with_columns(now_at=site_id).filter(
        pl.col("site_id").ne_missing(pl.col("now_at"))
    )
    end = pl.coalesce("ended_by", "ended_after")
    sites = ("site_id", "now_at")
    spans = [moved.select(site_id=site, start="started_at", end=end) for site in sites]
    return pl.concat(spans).drop_nulls()


def _differing(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """The plug-ins that are not the same in both, as `REPLACED`."""
    key = ["vehicle_id", "started_at"]
    told = [name for name in CHARGING_SESSIONS if name not in key]
    was = before.select(*key, *told, is_old=pl.lit(True))
    is_now = after.select(*key, *told, is_new=pl.lit(True))
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_now")) for name in told)
    return (
        was.join(is_now, on=key, how="full", coalesce=True, suffix="_now")
        .filter(~(same & pl.col("is_old") & pl.col("is_new")).fill_null(False))
        .select(
            *key,
            energy_before_kwh="energy_added_kwh",
            energy_kwh="energy_added_kwh_now",
            is_old=pl.col("is_old").fill_null(False),
            is_new=pl.col("is_new").fill_null(False),
        )
        .sort(key)
        .cast(REPLACED)
    )
