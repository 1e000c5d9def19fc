"""What charging costs, as it is stored: which sessions are due, and their lines and totals."""

from datetime import datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.charging_costs import COSTED_SESSIONS
from tessie_pipeline.domain.charging_frames import CHARGING_PIECES
from tessie_pipeline.domain.samples import ENERGY_INTERVALS
from tessie_pipeline.store.charging_tables import (
    charging_costs,
    charging_pieces,
    charging_sessions,
)
from tessie_pipeline.store.frames import copy_in, execute, kinds_of, read_frame, stage_as
from tessie_pipeline.store.price_tables import places, tariffs
from tessie_pipeline.store.tables import energy_intervals

DUE_SESSIONS = pl.Schema(
    {
        **COSTED_SESSIONS,
        "site_id": pl.String(),
        "cost_basis": pl.String(),
        "site_intervals": pl.Int32(),
        "is_solar_due": pl.Boolean(),
    }
)
"""`COSTED_SESSIONS` with their energy site, what their cost was computed from (null if it has to be
again), how many five minutes of the site's energy are known, and whether that is news."""


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
    """Whether the cost or the solar part of any session is out of date by what belongs to it."""
    return bool(connection.scalar(sa.select(sa.exists().where(_is_due()))))


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
        _known_intervals().label("site_intervals"),
        _is_solar_due().label("is_solar_due"),
    ).select_from(charging_sessions.outerjoin(places, places.c.id == s.place_id))
    if not are_all:
        query = query.where(_is_due())
    return read_frame(connection, query.order_by(s.vehicle_id, s.started_at), DUE_SESSIONS)


def _is_due() -> sa.ColumnElement[bool]:
    return sa.or_(charging_sessions.c.cost_basis.is_(None), _is_solar_due())


def _is_solar_due() -> sa.ColumnElement[bool]:
    """Whether more of the site's energy is known than when a session was costed."""
    s = charging_sessions.c
    is_open = sa.and_(s.site_id.is_not(None), s.solar_energy_kwh.is_(None))
    return sa.and_(is_open, _known_intervals() > sa.func.coalesce(s.site_intervals, 0))


def _known_intervals() -> sa.ScalarSelect[int]:
    s, interval = charging_sessions.c, energy_intervals.c
    return (
        sa.select(sa.func.count())
        .where(
            interval.site_id == s.site_id,
            interval.timestamp > s.started_at - sa.text("interval '5 minutes'"),
            interval.timestamp < sa.func.coalesce(s.ended_at, sa.func.now()),
        )
        .correlate(charging_sessions)
        .scalar_subquery()
    )


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


def read_pieces(connection: adbc.Connection, sessions: pl.DataFrame) -> pl.DataFrame:
    """The `CHARGING_PIECES` of sessions (`DUE_SESSIONS`)."""
    c, key = charging_pieces.c, ["vehicle_id", "session_started_at"]
    staged = stage_as(connection, "due", kinds_of(charging_pieces, key), sessions)
    query = sa.select(*(c[name] for name in CHARGING_PIECES)).where(
        c.vehicle_id == staged.c.vehicle_id, c.session_started_at == staged.c.session_started_at
    )
    return read_frame(connection, query.order_by(c.vehicle_id, c.start), CHARGING_PIECES)


def read_pieces_beside(connection: adbc.Connection, pieces: pl.DataFrame) -> pl.DataFrame:
    """All pieces at the sites and in the hours of those given, of other vehicles too.

    Args:
        connection: the transaction.
        pieces: `CHARGING_PIECES` with `site_id`; those without a site are given back as they are.
    """
    at_sites = pieces.drop_nulls("site_id")
    if at_sites.is_empty():
        return pieces
    s, piece = charging_sessions.c, charging_pieces.c
    hours = at_sites.select(
        "site_id", hour=pl.datetime_ranges(pl.col("start").dt.truncate("1h"), "end", "1h")
    )
    hours = hours.explode("hour").unique()
    kinds = {"site_id": s.site_id.type, "hour": piece.start.type}
    staged = stage_as(connection, "charging_hours", kinds, hours)
    query = (
        sa.select(*(piece[name] for name in CHARGING_PIECES), s.site_id)
        .where(
            piece.vehicle_id == s.vehicle_id,
            piece.session_started_at == s.started_at,
            s.site_id == staged.c.site_id,
            piece.start < staged.c.hour + sa.text("interval '1 hour'"),
            piece.end >= staged.c.hour,
            piece.start <= at_sites["end"].max(),
        )
        .distinct()
    )
    schema = pl.Schema({**CHARGING_PIECES, "site_id": pl.String()})
    beside = read_frame(connection, query, schema)
    return pl.concat([pieces.filter(pl.col("site_id").is_null()).select(beside.columns), beside])


def read_intervals_of(connection: adbc.Connection, pieces: pl.DataFrame) -> pl.DataFrame:
    """The `ENERGY_INTERVALS` of the sites and days in which pieces with a `site_id` lie."""
    at_sites = pieces.drop_nulls("site_id")
    if at_sites.is_empty():
        return ENERGY_INTERVALS.to_frame()
    c = energy_intervals.c
    spans = at_sites.group_by("site_id", pl.col("start").dt.date().alias("day")).agg(
        first=pl.col("start").min().dt.truncate("5m"), last=pl.col("end").max()
    )
    kinds = {"site_id": c.site_id.type, "first": c.timestamp.type, "last": c.timestamp.type}
    staged = stage_as(connection, "charged_at", kinds, spans)
    query = sa.select(*(c[name] for name in ENERGY_INTERVALS)).where(
        c.site_id == staged.c.site_id,
        c.timestamp.between(staged.c.first, staged.c.last),
        c.timestamp >= spans["first"].min(),
        c.timestamp <= spans["last"].max(),
    )
    return read_frame(connection, query.distinct(), ENERGY_INTERVALS)


def save_costs(connection: adbc.Connection, totals: pl.DataFrame, lines: pl.DataFrame) -> None:
    """Replace the lines of sessions, and what they cost in all.

    Args:
        connection: the transaction.
        totals: `vehicle_id`, `started_at`, and columns of `charging_sessions`.
        lines: `CHARGING_COSTS` of these sessions.
    """
    c, line = charging_sessions.c, charging_costs.c
    kinds = kinds_of(charging_sessions, totals.columns)
    staged = stage_as(connection, "costed", kinds, totals)
    is_one = sa.and_(c.vehicle_id == staged.c.vehicle_id, c.started_at == staged.c.started_at)
    given = {
        name: staged.c[name] for name in totals.columns if name not in ("vehicle_id", "started_at")
    }
    execute(connection, sa.update(charging_sessions).values(**given).where(is_one))
    its_own = sa.and_(
        line.vehicle_id == staged.c.vehicle_id, line.session_started_at == staged.c.started_at
    )
    execute(connection, sa.delete(charging_costs).where(its_own))
    copy_in(connection, charging_costs, lines)
