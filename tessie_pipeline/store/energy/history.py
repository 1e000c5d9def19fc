"""Tesla's `calendar_history` answers as received, one per site, kind and local day."""

from datetime import date, datetime

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.energy.dirty_days import READERS, marking
from tessie_pipeline.store.frames import as_rows, kinds_of, read_frame
from tessie_pipeline.store.tables.energy import energy_history

ANSWERS = pl.Schema(
    {"site_id": pl.String(), "date": pl.Date(), "body": pl.String(), "received_at": UTC_TIME}
)
"""One row per answer; `body` is its JSON text."""


def save_answer(
    connection: sa.Connection,
    site_id: str,
    kind: str,
    day: date,
    body: str,
    received_at: datetime,
) -> bool:
    """Keep an answer, in the place of an earlier one; returns whether it was kept.

    An answer with fewer buckets than the stored one is not: Tesla at times forgets part of a day.
    The day of one that is kept is marked for those who compute something from it.

    Args:
        connection: the transaction.
        site_id: the energy site.
        kind: energy, power or soe.
        day: local calendar day of the site.
        body: the answer's JSON text, without its envelope.
        received_at: when it came (UTC).
    """
    insert = pg.insert(energy_history).values(
        site_id=site_id,
        kind=kind,
        date=day,
        answer=sa.cast(sa.literal(body, sa.Text), sa.JSON),
        received_at=received_at,
    )
    keep = insert.on_conflict_do_update(
        index_elements=[column.name for column in energy_history.primary_key],
        set_={"answer": insert.excluded.answer, "received_at": insert.excluded.received_at},
        where=_buckets(insert.excluded.answer) >= _buckets(energy_history.c.answer),
    )
    is_kept = connection.execute(keep).rowcount > 0
    if is_kept:
        answered = pl.DataFrame({"site_id": [site_id], "date": [day]})
        connection.execute(marking(answered, READERS[:1]))
    return is_kept


def answers_by_date(connection: adbc.Connection, start: date, end: date) -> pl.DataFrame:
    """`date` and `rows`: how many answers are stored for each date from `start` up to `end`."""
    c = energy_history.c
    query = sa.select(c.date, sa.func.count().label("rows")).where(c.date >= start, c.date < end)
    schema = pl.Schema({"date": pl.Date(), "rows": pl.Int64()})
    return read_frame(connection, query.group_by(c.date).order_by(c.date), schema)


def read_answers(connection: adbc.Connection, kind: str, days: pl.DataFrame) -> pl.DataFrame:
    """The stored answers of one kind for `site_id` and `date` of `days`, as `ANSWERS`."""
    if days.is_empty():
        return ANSWERS.to_frame()
    c = energy_history.c
    given = as_rows(kinds_of(energy_history, ["site_id", "date"]), days)
    query = (
        sa.select(c.site_id, c.date, sa.cast(c.answer, sa.Text).label("body"), c.received_at)
        .where(c.kind == kind, c.site_id == given.c.site_id, c.date == given.c.date)
        .order_by(c.site_id, c.date)
    )
    return read_frame(connection, query, ANSWERS)


def _buckets(answer: sa.ColumnElement[object]) -> sa.ColumnElement[int]:
    series = sa.func.json_extract_path(answer, "time_series")
    is_series = sa.func.json_typeof(series) == "array"
    return sa.case((is_series, sa.func.json_array_length(series)), else_=0)
