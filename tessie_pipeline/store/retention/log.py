"""What retention has dropped, and what has come back since (`retention_log`).

Not here: dropping, with what is noted of it (`retiring`).
"""

from datetime import date

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import Series
from tessie_pipeline.store.frames import execute, read_frame
from tessie_pipeline.store.tables.rollups import retention_log


def dropped_partitions(connection: adbc.Connection, table: str) -> dict[date, bool]:
    """The first days of the table's partitions that were dropped, and whether each is archived.

    It is in full, or not at all: samples that come late are archived if those in time were.
    """
    c = retention_log.c
    is_archived = sa.func.bool_and(c.archive_file.is_not(None))
    query = sa.select(c.start, is_archived.label("is_archived")).where(c.series == table)
    schema = pl.Schema({"start": pl.Date(), "is_archived": pl.Boolean()})
    return dict(read_frame(connection, query.group_by(c.start), schema).iter_rows())


def gone_days(connection: adbc.Connection, series: Series) -> list[date]:
    """The days (UTC) that were dropped and have not come back as a whole since, in order.

    What Postgres has of them came late: what was derived has known more than that.
    """
    c = retention_log.c
    is_gone = (c.series == series.name, c.restored_at.is_(None))
    query = sa.select(c.start).where(*is_gone).distinct().order_by(c.start)
    return read_frame(connection, query, pl.Schema({"start": pl.Date()}))["start"].to_list()


def note_restored(connection: adbc.Connection, series: Series, day: date) -> None:
    """Note that a dropped day (UTC) has come back as a whole, as often as it was dropped so far."""
    c = retention_log.c
    is_it = (c.series == series.name, c.start == day)
    execute(connection, sa.update(retention_log).values(restored_at=sa.func.now()).where(*is_it))
