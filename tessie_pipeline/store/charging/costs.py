"""What charges cost and where their energy came from, as it is stored; and which are due."""

from datetime import datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.charging_costs import COSTED_SESSIONS
from tessie_pipeline.domain.charging_frames import CHARGING_PIECES
from tessie_pipeline.store.derived import replace_rows
from tessie_pipeline.store.frames import execute, kinds_of, read_frame, stage_as
from tessie_pipeline.store.tables.charging import (
    charging_attribution,
    charging_costs,
    charging_pieces,
    charging_sessions,
)
from tessie_pipeline.store.tables.prices import places, tariffs

DUE_SESSIONS = pl.Schema({**COSTED_SESSIONS, "site_id": pl.String(), "cost_basis": pl.String()})
"""`COSTED_SESSIONS` with their energy site, and what their cost was computed from: null if it has
to be computed again."""


_IS_DUE = charging_sessions.c.cost_basis.is_(None)

COMPARED = timedelta(days=90)
"""Plug-ins are compared with Tesla's records for so long, unless a record or a price is news."""


def compared_since(connection: adbc.Connection) -> datetime | None:
    """From when on plug-ins are compared with Tesla's records: `COMPARED`, or the oldest due."""
    s = charging_sessions.c
    oldest_due = sa.func.min(s.started_at).filter(s.cost_basis.is_(None))
    query = sa.select(sa.func.least(oldest_due, sa.func.now() - COMPARED).label("since"))
    since: datetime | None = read_frame(connection, query.select_from(charging_sessions)).item()
    return since


def are_due(connection: sa.Connection) -> bool:
    """Whether the cost or the solar part of any session has to be computed again."""
    return bool(connection.scalar(sa.select(sa.exists().where(_IS_DUE))))


def read_due_sessions(connection: adbc.Connection, *, are_all: bool) -> pl.DataFrame:
    """Sessions whose cost may be out of date, as `DUE_SESSIONS`; all if `are_all`."""
    s = charging_sessions.c
    own_tariff = (
        sa.select(sa.func.min(tariffs.c.name))
        .where(tariffs.c.site_id == s.site_id)
        .scalar_subquery()
    )
    query = sa.select(
        s.vehicle_id,
        s.started_at.label("session_started_at"),
        s.ended_at.label("session_ended_at"),
        sa.func.coalesce(places.c.tariff_name, own_tariff).label("tariff_name"),
        s.site_id,
        s.cost_basis,
    ).select_from(charging_sessions.outerjoin(places, places.c.id == s.place_id))
    if not are_all:
        query = query.where(_IS_DUE)
    return read_frame(connection, query.order_by(s.vehicle_id, s.started_at), DUE_SESSIONS)


def cost_figures(connection: sa.Connection) -> dict[str, int | float]:
    """How many lines there are, and what the plug-ins of the last 30 days cost by currency."""
    s = charging_sessions.c
    lines = connection.scalar(sa.select(sa.func.count()).select_from(charging_costs)) or 0
    is_recent = s.started_at >= sa.func.now() - sa.text("interval '30 days'")
    recent = (
        sa.select(s.cost_currency, sa.func.sum(s.cost))
        .where(is_recent, s.cost_currency.is_not(None))
        .group_by(s.cost_currency)
        .order_by(s.cost_currency)
    )
    costs = {f"cost_in_30_days_{name}": float(cost) for name, cost in connection.execute(recent)}
    return {"dagster/row_count": lines, **costs}


def attribution_figures(connection: sa.Connection) -> dict[str, int | float]:
    """How many rows there are, and of how much of a plug-in's energy the origin is known [%]."""
    query = sa.select(
        sa.func.count().label("dagster/row_count"),
        sa.func.coalesce(sa.func.avg(charging_attribution.c.coverage_pct), 0.0).label(
            "mean_coverage_pct"
        ),
    )
    return dict(connection.execute(query).mappings().one())


def read_pieces(connection: adbc.Connection, sessions: pl.DataFrame) -> pl.DataFrame:
    """The `CHARGING_PIECES` of sessions (`DUE_SESSIONS`)."""
    c, key = charging_pieces.c, ["vehicle_id", "session_started_at"]
    staged = stage_as(connection, "due", kinds_of(charging_pieces, key), sessions)
    query = sa.select(*(c[name] for name in CHARGING_PIECES)).where(
        c.vehicle_id == staged.c.vehicle_id, c.session_started_at == staged.c.session_started_at
    )
    return read_frame(connection, query.order_by(c.vehicle_id, c.start), CHARGING_PIECES)


def save_costs(
    connection: adbc.Connection,
    totals: pl.DataFrame,
    lines: pl.DataFrame,
    attribution: pl.DataFrame,
) -> None:
    """Replace what sessions cost in all and line by line, and where their energy came from.

    Args:
        connection: the transaction.
        totals: `vehicle_id`, `started_at`, and columns of `charging_sessions`.
        lines: `CHARGING_COSTS` of these sessions.
        attribution: `CHARGING_ATTRIBUTION` of these sessions.
    """
    c = charging_sessions.c
    kinds = kinds_of(charging_sessions, totals.columns)
    staged = stage_as(connection, "costed", kinds, totals)
    is_one = sa.and_(c.vehicle_id == staged.c.vehicle_id, c.started_at == staged.c.started_at)
    given = {
        name: staged.c[name] for name in totals.columns if name not in ("vehicle_id", "started_at")
    }
    execute(connection, sa.update(charging_sessions).values(**given).where(is_one))
    for table, rows in ((charging_costs, lines), (charging_attribution, attribution)):
        its_own = sa.and_(
            table.c.vehicle_id == staged.c.vehicle_id,
            table.c.session_started_at == staged.c.started_at,
        )
        replace_rows(connection, table, rows, its_own)
