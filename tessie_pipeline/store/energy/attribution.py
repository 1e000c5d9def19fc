"""Where the energy of charges and of days came from, as it is stored, and what it is made of."""

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.attribution import INTERVAL
from tessie_pipeline.domain.charging_frames import CHARGING_PIECES
from tessie_pipeline.store.derived import in_windows
from tessie_pipeline.store.energy.dirty_days import mark_spans
from tessie_pipeline.store.energy.site_rows import delete_days
from tessie_pipeline.store.frames import as_rows, copy_in, execute, read_frame
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.tables.charging import charging_pieces, charging_sessions
from tessie_pipeline.store.tables.energy import solar_attribution_daily

PIECES_AT_SITES = pl.Schema({**CHARGING_PIECES, "site_id": pl.String()})
"""`CHARGING_PIECES` with the energy site of the charge."""


def read_pieces_at(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """The `PIECES_AT_SITES` of all charges within `days` (`DAY_WINDOWS`), perhaps of more."""
    if days.is_empty():
        return PIECES_AT_SITES.to_frame()
    s, piece = charging_sessions.c, charging_pieces.c
    spans = days.group_by("site_id").agg(pl.col("start").min(), pl.col("end").max())
    kinds = {"site_id": s.site_id.type, "start": piece.start.type, "end": piece.end.type}
    given = as_rows(kinds, spans)
    query = sa.select(*(piece[name] for name in CHARGING_PIECES), s.site_id).where(
        s.site_id == given.c.site_id,
        s.started_at < given.c.end,
        sa.func.coalesce(s.ended_by, sa.text("timestamptz 'infinity'")) > given.c.start,
        piece.vehicle_id == s.vehicle_id,
        piece.session_started_at == s.started_at,
        piece.start < given.c.end,
        piece.end >= given.c.start,
    )
    return read_frame(connection, query, PIECES_AT_SITES)


def read_pieces_begun(connection: adbc.Connection, windows: pl.DataFrame) -> pl.DataFrame:
    """The `PIECES_AT_SITES` of charges that began in the windows (`WINDOWS`) of their vehicles."""
    s, piece = charging_sessions.c, charging_pieces.c
    query = sa.select(*(piece[name] for name in CHARGING_PIECES), s.site_id).where(
        s.site_id.is_not(None),
        in_windows(windows, s.vehicle_id, s.started_at),
        piece.vehicle_id == s.vehicle_id,
        piece.session_started_at == s.started_at,
    )
    return read_frame(connection, query, PIECES_AT_SITES)


def replace_days(connection: adbc.Connection, rows: pl.DataFrame, days: pl.DataFrame) -> int:
    """Put `SOLAR_ATTRIBUTION_DAILY` in the place of that of `site_id` and `date` of `days`."""
    delete_days(connection, solar_attribution_daily, days)
    return copy_in(connection, solar_attribution_daily, rows)


def follow_charges(connection: adbc.Connection, spans: pl.DataFrame) -> None:
    """Let the days be computed again at which charges changed, and charges beside them.

    Those are beside them that drew something in one of the same five minutes.

    Args:
        connection: the transaction, which holds the lock of `charging_sessions`.
        spans: `site_id`, `start` and `end` (UTC) of what is other than before.
    """
    price_again(
        connection,
        spans.with_columns(
            pl.col("start").dt.truncate(INTERVAL),
            pl.col("end").dt.offset_by(INTERVAL).dt.truncate(INTERVAL),
        ),
    )
    mark_spans(connection, spans, [solar_attribution_daily])


def price_again(connection: adbc.Connection, spans: pl.DataFrame) -> int:
    """Let sessions be priced again, as the energy of their sites changed; returns how many.

    Args:
        connection: the transaction; others that write sessions wait until it ends.
        spans: `site_id`, `start` and `end` (UTC) of what changed.
    """
    if spans.is_empty():
        return 0
    lock_writes(connection, charging_sessions)
    c = charging_sessions.c
    kinds = {"site_id": c.site_id.type, "start": c.started_at.type, "end": c.started_at.type}
    given = as_rows(kinds, spans.select(list(kinds)))
    update = (
        sa.update(charging_sessions)
        .values(cost_basis=None)
        .where(
            c.site_id == given.c.site_id,
            c.started_at < given.c.end,
            sa.func.coalesce(c.ended_at, sa.text("timestamptz 'infinity'")) > given.c.start,
            c.cost_basis.is_not(None),
        )
    )
    return execute(connection, update)
