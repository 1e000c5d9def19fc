"""Charging as it is stored: sessions with their segments and pieces, replaced in windows.

A session is known by its vehicle and start, and so is its id: the same samples give the same rows.
Not here: what sessions cost (`costs`), and Tesla's own records (`bills`).
"""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.charging import CAPACITIES, Charging, usable_capacities
from tessie_pipeline.domain.charging_frames import (
    CHARGING_PIECES,
    CHARGING_SEGMENTS,
    CHARGING_SESSIONS,
)
from tessie_pipeline.domain.rollups import ENERGY_SERIES
from tessie_pipeline.domain.samples import ENERGY_STATES, UTC_TIME
from tessie_pipeline.store.derived import in_windows, merge_rows, replace_rows
from tessie_pipeline.store.frames import as_rows, execute, read_frame
from tessie_pipeline.store.retention.log import gone_days
from tessie_pipeline.store.tables import energy_states, vehicles
from tessie_pipeline.store.tables.charging import (
    charging_pieces,
    charging_segments,
    charging_sessions,
)

LABELS = pl.Schema(
    {
        "place_id": pl.String(),
        "location_name": pl.String(),
        "charger_type": pl.String(),
        "site_id": pl.String(),
        "connector_site_id": pl.String(),
    }
)
"""Where a session was: what places and wall connectors say of it."""

LOCATED_FROM = pl.Schema(
    {
        **{
            name: CHARGING_SESSIONS[name]
            for name in (
                "vehicle_id",
                "started_at",
                "latitude",
                "longitude",
                "is_dc",
                "fast_charger_type",
                "fast_charger_brand",
                "conn_charge_cable",
            )
        },
        "connector_site_id": pl.String(),
    }
)
"""What a stored session's labels come from, besides the places."""

STAYS = pl.Schema({"site_id": pl.String(), "ended_after": UTC_TIME, "ended_by": UTC_TIME})
"""At which site a stored session was until now, and between which samples it ended."""

CONNECTED = pl.Schema({"connector_site_id": pl.String(), "connector_live_kwh": pl.Float64()})
"""What wall connectors said of a stored session."""

_KEY = ["vehicle_id", "started_at"]


def read_sessions(connection: adbc.Connection, windows: pl.DataFrame) -> pl.DataFrame:
    """The stored `CHARGING_SESSIONS` that begin in the windows (`WINDOWS`), by vehicle and time."""
    c = charging_sessions.c
    query = sa.select(*(c[name] for name in CHARGING_SESSIONS)).where(
        in_windows(windows, c.vehicle_id, c.started_at)
    )
    return read_frame(connection, query.order_by(c.vehicle_id, c.started_at), CHARGING_SESSIONS)


def read_connected_sessions(
    connection: adbc.Connection, windows: pl.DataFrame
) -> tuple[Charging, pl.DataFrame]:
    """What is stored of sessions that begin in the windows and that a wall connector told of.

    Args:
        connection: the transaction.
        windows: `WINDOWS`.

    Returns:
        The sessions with their segments and pieces, and the `CONNECTED` of the sessions, in order.
    """
    s = charging_sessions.c
    is_it = (in_windows(windows, s.vehicle_id, s.started_at), s.connector_site_id.is_not(None))
    schema = pl.Schema({**CHARGING_SESSIONS, **CONNECTED})
    found = read_frame(connection, sa.select(*(s[name] for name in schema)).where(*is_it), schema)

    def of_them(table: sa.Table, columns: pl.Schema) -> pl.DataFrame:
        c = table.c
        is_theirs = (c.vehicle_id == s.vehicle_id, c.session_started_at == s.started_at)
        query = sa.select(*(c[name] for name in columns)).where(*is_it, *is_theirs)
        return read_frame(connection, query, columns)

    stored = Charging(
        found.select(CHARGING_SESSIONS.names()),
        of_them(charging_segments, CHARGING_SEGMENTS),
        of_them(charging_pieces, CHARGING_PIECES),
    )
    return stored, found.select(CONNECTED.names())


def replace_sessions(
    connection: adbc.Connection, charging: Charging, labels: pl.DataFrame, windows: pl.DataFrame
) -> None:
    """Put sessions, segments and pieces in the place of those that begin in the windows.

    What a session cost stays until it is computed again, for which it is marked.

    Args:
        connection: the transaction.
        charging: all that begins in the windows.
        labels: `LABELS` and other columns of its sessions, in their order.
        windows: `WINDOWS`.
    """
    s, segment, piece = charging_sessions.c, charging_segments.c, charging_pieces.c
    merge_rows(
        connection,
        charging_sessions,
        pl.concat([charging.sessions, labels], how="horizontal"),
        _KEY,
        in_windows(windows, s.vehicle_id, s.started_at),
        id=sa.cast(
            sa.func.md5(
                sa.func.concat(
                    sa.literal_column("new_charging_sessions.vehicle_id"),
                    sa.literal_column("new_charging_sessions.started_at"),
                )
            ),
            sa.Uuid,
        ),
    )
    replace_rows(
        connection,
        charging_segments,
        charging.segments,
        in_windows(windows, segment.vehicle_id, segment.session_started_at),
    )
    replace_rows(
        connection,
        charging_pieces,
        charging.pieces,
        in_windows(windows, piece.vehicle_id, piece.session_started_at),
    )
    cost_again = sa.update(charging_sessions).values(cost_basis=None)
    is_in = in_windows(windows, s.vehicle_id, s.started_at)
    execute(connection, cost_again.where(is_in, s.cost_basis.is_not(None)))


def read_capacities(connection: adbc.Connection) -> pl.DataFrame:
    """The `CAPACITIES` of the vehicles that have charged enough to tell."""
    c = vehicles.c
    query = sa.select(c.id.label("vehicle_id"), c.usable_capacity_kwh.label("usable_kwh"))
    return read_frame(connection, query.where(c.usable_capacity_kwh.is_not(None)), CAPACITIES)


def refresh_capacities(connection: adbc.Connection, windows: pl.DataFrame) -> list[str]:
    """Learn from the stored sessions what the batteries hold; returns the vehicles with news.

    Whole kWh: a capacity that moved a little is no reason to estimate anything again.

    Args:
        connection: the transaction.
        windows: of the vehicles whose sessions were replaced.
    """
    s = charging_sessions.c
    told = ("vehicle_id", "start_battery_level", "end_battery_level", "energy_added_kwh",
            "is_inferred", "is_estimated")  # fmt: skip
    ids = as_rows({"vehicle_id": s.vehicle_id.type}, windows.select("vehicle_id").unique())
    query = sa.select(*(s[name] for name in told)).where(s.vehicle_id == ids.c.vehicle_id)
    schema = pl.Schema({name: CHARGING_SESSIONS[name] for name in told})
    found = usable_capacities(read_frame(connection, query, schema)).with_columns(
        pl.col("usable_kwh").round()
    )
    news = found.join(read_capacities(connection), on=["vehicle_id", "usable_kwh"], how="anti")
    if news.is_empty():
        return []
    c = vehicles.c
    given = as_rows({"vehicle_id": c.id.type, "usable_kwh": c.usable_capacity_kwh.type}, news)
    learn = sa.update(vehicles).where(c.id == given.c.vehicle_id)
    execute(connection, learn.values(usable_capacity_kwh=given.c.usable_kwh))
    return news["vehicle_id"].to_list()


def read_connected(connection: adbc.Connection, sessions: pl.DataFrame) -> pl.DataFrame:
    """What sites said of their wall connectors while sessions lasted, but on days that are gone.

    Args:
        connection: the transaction.
        sessions: `started_at` and `ended_at` of sessions.

    Returns:
        `site_id`, `timestamp` and `raw_data`, the part of the answer about wall connectors.
    """
    c = energy_states.c
    answer = sa.func.jsonb_build_object("wall_connectors", c.raw_data["wall_connectors"])
    query = sa.select(c.site_id, c.timestamp, sa.cast(answer, sa.Text).label("raw_data"))
    schema = pl.Schema({name: ENERGY_STATES[name] for name in ("site_id", "timestamp", "raw_data")})
    if sessions.is_empty():
        return schema.to_frame()
    first, ended_at = sessions["started_at"].min(), sessions["ended_at"]
    answers = read_frame(
        connection,
        query.where(
            c.timestamp >= first,
            *([] if ended_at.null_count() else [c.timestamp <= ended_at.max()]),
            c.raw_data["wall_connectors"].astext.contains("vin"),
        ),
        schema,
    )
    gone = gone_days(connection, ENERGY_SERIES)
    return answers.filter(~pl.col("timestamp").dt.date().is_in(gone))


def charging_figures(connection: sa.Connection) -> dict[str, int | float]:
    """How many plug-ins there are, how many last, and what was charged in the last 30 days."""
    c = charging_sessions.c
    is_recent = c.started_at >= sa.func.now() - sa.text("interval '30 days'")
    query = sa.select(
        sa.func.count().label("dagster/row_count"),
        sa.func.count().filter(c.ended_at.is_(None)).label("in_progress"),
        sa.func.coalesce(sa.func.sum(c.energy_added_kwh).filter(is_recent), 0.0).label(
            "added_in_30_days_kwh"
        ),
    )
    return dict(connection.execute(query).mappings().one())
