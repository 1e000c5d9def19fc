"""Tesla's record of site-days: which answers are missing, and which were asked for in vain.

A day's record is an answer of each kind that came after the day's end. Once that came, Tesla has
said all it knows; only a site that was offline sends more later, so for a while the energy of a day
with holes is asked for again. `bi.energy_gaps` tells the same. Not here: asking, and its cost.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.energy.days import COMPLETE_PCT
from tessie_pipeline.store.tables import energy_sites, energy_states
from tessie_pipeline.store.tables.energy import (
    energy_daily,
    energy_history,
    energy_intervals,
    history_misses,
)

KINDS = ("energy", "power", "soe")

SETTLED = timedelta(minutes=30)
"""An answer is complete if it came so long after the day's end; sites report with a delay."""

FILLS_UP = timedelta(days=14)
"""So long after a day has settled its energy may yet come: a site was offline and uploads it."""

FILL_PAUSE = timedelta(days=1)
"""How long after an answer the energy of a day with holes is asked for again."""

FIRST_PAUSE = timedelta(hours=5)
"""How long what was asked for in vain is left alone; twice as long after each further time."""

DOUBLINGS = 7
"""After so many the pause stays: 27 days."""

_DAY = sa.text("interval '1 day'")


def read_missing(
    connection: sa.Connection,
    start: date,
    end: date,
    now: datetime,
    *,
    refetch: bool = False,
    sparingly: bool = False,
) -> Sequence[sa.Row[Any]]:
    """The answers to ask for, of local days from `start` up to `end` that have begun by `now`.

    Only of sites that the account lists; those without a time zone wait until they are described.

    Args:
        connection: the transaction.
        start: the first date.
        end: the date after the last one.
        now: the present.
        refetch: whether complete answers are asked for again.
        sparingly: whether what was asked for in vain is left alone for a while, and a day in
            progress asked for its energy only.

    Returns:
        `site_id`, `tesla_site_id`, `site_name`, `time_zone`, `kind`, `date`, and `is_over`: whether
        the answer will be complete. Days in progress last, the newest days first, and of a day
        first what has waited longest.
    """
    sites = _listed_sites(sa.literal(start, sa.Date), sa.literal(end - timedelta(days=1), sa.Date))
    answers = _answers(sites, now)
    c = answers.c
    query = sa.select(answers).where(c.begins_at <= now)
    if not refetch:
        query = query.where(c.is_missing)
    if sparingly:
        query = query.where(~c.is_left, sa.or_(c.is_over, c.kind == "energy"))
    order = (
        c.is_over.desc(),
        c.date.desc(),
        c.received_at.nulls_first(),
        c.created_at,
        c.site_id,
        c.kind,
    )
    return connection.execute(query.order_by(*order)).all()


def gap_dates(connection: sa.Connection, now: datetime) -> list[date]:
    """The dates of site-days that Tesla could still fill and may be asked for by now, in order.

    From the first day that is known of a site to the last that is over.
    """
    zone = energy_sites.c.time_zone
    yesterday = sa.cast(sa.func.timezone(zone, sa.literal(now - SETTLED)), sa.Date) - 1
    answers = _answers(_listed_sites(_first_known_day(), yesterday), now)
    c = answers.c
    query = sa.select(c.date).where(c.is_missing, ~c.is_left).distinct().order_by(c.date)
    return list(connection.scalars(query))


def note_misses(
    connection: sa.Connection, asked: Iterable[tuple[str, str, date]], now: datetime
) -> None:
    """Keep what was asked for in vain (site, kind and day), so that it is left alone for a while.

    Only schedules heed that; whoever asks by hand may ask at once.
    """
    rows = [
        {"site_id": site_id, "kind": kind, "date": day, "left_until": now + FIRST_PAUSE}
        for site_id, kind, day in sorted(asked)
    ]
    if not rows:
        return
    insert = pg.insert(history_misses)
    times = history_misses.c.times
    doubled = sa.func.power(2, sa.func.least(times, DOUBLINGS))
    pause = sa.literal(FIRST_PAUSE).op("*", return_type=sa.Interval())(doubled)
    again = insert.on_conflict_do_update(
        index_elements=["site_id", "kind", "date"],
        set_={"times": times + 1, "left_until": sa.literal(now) + pause},
    )
    connection.execute(again, rows)


def _listed_sites(first: sa.ColumnElement[date], last: sa.ColumnElement[date]) -> sa.Subquery:
    """The sites that may be asked, each with its `first` and `last` day."""
    c = energy_sites.c
    return (
        sa.select(
            c.id.label("site_id"),
            c.tesla_site_id,
            c.site_name,
            c.time_zone,
            c.created_at,
            first.label("first"),
            last.label("last"),
        )
        .where(c.tesla_site_id.is_not(None), c.removed_at.is_(None), c.time_zone.is_not(None))
        .subquery("sites")
    )


def _answers(sites: sa.Subquery, now: datetime) -> sa.Subquery:
    """Each answer of the sites' days: whether it `is_missing`, `is_over` and `is_left` alone."""
    own = sites.c
    first, last = (sa.cast(bound, sa.DateTime) for bound in (own.first, own.last))
    day = sa.func.generate_series(first, last, _DAY).table_valued("day").render_derived().c.day
    kinds = sa.func.unnest(sa.cast(list(KINDS), pg.ARRAY(sa.Text)))
    kind = kinds.table_valued("kind").render_derived().c.kind
    complete_at = sa.func.timezone(own.time_zone, day + _DAY) + SETTLED
    came, missed, daily = energy_history.c, history_misses.c, energy_daily.c
    may_fill_up = sa.and_(
        kind == "energy",
        came.received_at <= now - FILL_PAUSE,
        complete_at > now - FILLS_UP,
        sa.func.coalesce(daily.coverage_pct, 0) < COMPLETE_PCT,
    )
    # Others need not be read; two days more are enough for any time zone.
    is_recent = daily.date >= (now - FILLS_UP).date() - timedelta(days=2)

    def is_it(c: Any) -> sa.ColumnElement[bool]:
        return sa.and_(c.site_id == own.site_id, c.kind == kind, c.date == sa.cast(day, sa.Date))

    return (
        sa.select(
            own.site_id,
            own.tesla_site_id,
            own.site_name,
            own.time_zone,
            own.created_at,
            kind.label("kind"),
            sa.cast(day, sa.Date).label("date"),
            came.received_at,
            sa.func.timezone(own.time_zone, day).label("begins_at"),
            (complete_at <= now).label("is_over"),
            sa.func.coalesce(sa.or_(came.received_at < complete_at, may_fill_up), True).label(
                "is_missing"
            ),
            sa.func.coalesce(missed.left_until > now, False).label("is_left"),
        )
        .select_from(sites)
        .join(day.table, sa.true())
        .join(kind.table, sa.true())
        .outerjoin(energy_history, is_it(came))
        .outerjoin(history_misses, is_it(missed))
        .outerjoin(
            energy_daily,
            sa.and_(
                daily.site_id == own.site_id,
                daily.date == sa.cast(day, sa.Date),
                kind == "energy",
                is_recent,
            ),
        )
        .subquery("answers")
    )


def _first_known_day() -> sa.ColumnElement[date]:
    """The first local day of which anything is known of a site; an import alone does not count."""
    zone = energy_sites.c.time_zone
    samples = [
        sa.select(sa.cast(sa.func.timezone(zone, table.c.timestamp), sa.Date))
        .where(table.c.site_id == energy_sites.c.id)
        .order_by(table.c.timestamp)
        .limit(1)
        for table in (energy_states, energy_intervals)
    ]
    history, daily = energy_history.c, energy_daily.c
    days = [
        *(
            sa.select(sa.func.min(history.date)).where(
                history.site_id == energy_sites.c.id, history.kind == kind
            )
            for kind in KINDS
        ),
        sa.select(sa.func.min(daily.date)).where(
            daily.site_id == energy_sites.c.id, daily.source != "app_export"
        ),
    ]
    return sa.func.least(*(query.scalar_subquery() for query in (*samples, *days)))
