"""Which days Tesla could still fill: told by a query, and to people by a view."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.days import dates_between, stretches
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.gaps import KINDS, gap_dates, note_misses, read_missing
from tessie_pipeline.store.energy.history import save_answer
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.store.tables.energy import energy_daily

HOME, CABIN = "0a" * 16, "0b" * 16
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
JUNE = date(2026, 6, 1)
NOW = datetime(2026, 6, 11, 12, 30, tzinfo=UTC)
"""Of the site in Kathmandu, 5:45 h ahead of UTC, the 10th is over."""

Answered = dict[tuple[str, date], datetime]


@pytest.fixture
def home(database: Database) -> Database:
    """A database with a site in Kathmandu."""
    with database.rows() as rows:
        rows.execute(
            sa.insert(energy_sites).values(
                id=HOME, tesla_site_id=1, site_name="Home", time_zone="Asia/Kathmandu"
            )
        )
    return database


def end_of(day: date) -> datetime:
    """The end of a day in Kathmandu."""
    return datetime(day.year, day.month, day.day, 18, 15, tzinfo=UTC)


def answer(
    database: Database,
    days: Iterable[date],
    *kinds: str,
    after: timedelta = HOUR,
    site: str = HOME,
) -> None:
    """Store answers of days, which came so long after their ends; the days are fully covered."""
    with database.rows() as rows:
        for day in days:
            for kind in kinds or KINDS:
                body = '{"period": "day", "time_series": []}'
                assert save_answer(rows, site, kind, day, body, end_of(day) + after)
            cover(rows, site, day, 100.0)


def cover(rows: sa.Connection, site: str, day: date, coverage_pct: float) -> None:
    """Store a computed day, in the place of the one that is there."""
    insert = pg.insert(energy_daily).values(
        site_id=site, date=day, source="energy", coverage_pct=coverage_pct
    )
    again = {"coverage_pct": coverage_pct}
    rows.execute(insert.on_conflict_do_update(index_elements=["site_id", "date"], set_=again))


def gaps(database: Database, now: datetime = NOW) -> list[date]:
    with database.rows() as connection:
        return gap_dates(connection, now)


def missing(
    database: Database, now: datetime = NOW, *, sparingly: bool = False
) -> list[tuple[date, str]]:
    with database.rows() as connection:
        rows = read_missing(connection, JUNE, JUNE + 30 * DAY, now, sparingly=sparingly)
    return [(row.date, row.kind) for row in rows]


def test_a_site_of_which_nothing_is_known_has_no_gaps(home: Database) -> None:
    assert gaps(home) == []


def test_gaps_are_from_the_first_known_day_to_yesterday(home: Database) -> None:
    answer(home, [JUNE, JUNE + 1 * DAY, JUNE + 5 * DAY])
    assert stretches(gaps(home)) == [
        (date(2026, 6, 3), date(2026, 6, 5)),
        (date(2026, 6, 7), date(2026, 6, 10)),
    ]


def test_a_day_is_a_gap_once_it_has_settled(home: Database) -> None:
    answer(home, [JUNE])
    settled = end_of(JUNE + DAY) + 30 * MINUTE
    assert gaps(home, settled - MINUTE) == []
    assert gaps(home, settled) == [JUNE + DAY]


@pytest.mark.parametrize(
    ("after", "is_gap"), [(-HOUR, True), (29 * MINUTE, True), (30 * MINUTE, False)]
)
def test_an_answer_that_came_before_the_day_had_settled_is_not_the_last_word(
    home: Database, after: timedelta, is_gap: bool
) -> None:
    answer(home, dates_between(JUNE, JUNE + 10 * DAY))
    answer(home, [JUNE + DAY], "soe", after=after)
    assert gaps(home) == ([JUNE + DAY] if is_gap else [])


def test_a_kind_that_never_came_is_a_gap(home: Database) -> None:
    answer(home, dates_between(JUNE, JUNE + 9 * DAY))
    answer(home, [JUNE + 9 * DAY], "energy", "soe")
    assert gaps(home) == [JUNE + 9 * DAY]
    assert missing(home)[0] == (JUNE + 9 * DAY, "power")


@pytest.mark.parametrize(
    "change", [{"removed_at": NOW}, {"tesla_site_id": None}, {"time_zone": None}]
)
def test_sites_that_cannot_be_asked_have_no_gaps(home: Database, change: dict[str, object]) -> None:
    answer(home, [JUNE])
    with home.rows() as rows:
        rows.execute(sa.update(energy_sites).values(change))
    assert gaps(home) == []
    assert missing(home) == []


@pytest.mark.parametrize(
    ("source", "first"), [("live_status", date(2026, 6, 8)), ("app_export", None)]
)
def test_a_day_is_known_if_it_was_computed_but_not_by_an_import_alone(
    home: Database, source: str, first: date | None
) -> None:
    with home.rows() as rows:
        rows.execute(
            sa.insert(energy_daily).values(site_id=HOME, date=date(2026, 6, 8), source=source)
        )
    assert next(iter(gaps(home)), None) == first


def test_what_was_asked_for_in_vain_is_left_alone_for_twice_as_long_each_time(
    home: Database,
) -> None:
    answer(home, dates_between(JUNE, JUNE + 10 * DAY))
    answer(home, [JUNE + 9 * DAY], "energy", "power", after=-HOUR)
    now, pauses_h = NOW, []
    for _ in range(10):
        with home.rows() as connection:
            keys = [(HOME, kind, JUNE + 9 * DAY) for kind in ("energy", "power")]
            note_misses(connection, keys, now)
            left_until = connection.scalar(sa.text("select max(left_until) from history_misses"))
        assert JUNE + 9 * DAY not in gaps(home, left_until - MINUTE)
        assert JUNE + 9 * DAY in gaps(home, left_until)
        pauses_h.append((left_until - now) / HOUR)
        now = left_until
    assert pauses_h == [5, 10, 20, 40, 80, 160, 320, 640, 640, 640]


def test_whoever_asks_by_hand_asks_at_once_and_for_all(home: Database) -> None:
    answer(home, dates_between(JUNE, JUNE + 9 * DAY))
    with home.rows() as connection:
        note_misses(connection, [(HOME, "power", JUNE + 9 * DAY)], NOW)
    today, yesterday = date(2026, 6, 11), date(2026, 6, 10)
    assert missing(home) == [(day, kind) for day in (yesterday, today) for kind in KINDS]
    assert missing(home, sparingly=True) == [
        (yesterday, "energy"),
        (yesterday, "soe"),
        (today, "energy"),
    ]


def test_of_sites_in_one_day_what_waited_longest_comes_first(home: Database) -> None:
    with home.rows() as rows:
        rows.execute(
            sa.insert(energy_sites).values(id=CABIN, tesla_site_id=2, time_zone="Asia/Kathmandu")
        )
    answer(home, dates_between(JUNE, JUNE + 10 * DAY))
    answer(home, dates_between(JUNE, JUNE + 10 * DAY), site=CABIN)
    today = date(2026, 6, 11)
    answer(home, [today], "energy", after=-7 * HOUR)
    answer(home, [today], "energy", after=-8 * HOUR, site=CABIN)
    with home.rows() as connection:
        found = read_missing(connection, today, today + DAY, NOW, sparingly=True)
    assert [row.tesla_site_id for row in found] == [2, 1]


@pytest.mark.parametrize(
    ("coverage_pct", "is_gap"), [(None, True), (0.0, True), (99.8, True), (99.9, False)]
)
def test_a_day_with_holes_is_asked_for_its_energy_again(
    home: Database, coverage_pct: float | None, is_gap: bool
) -> None:
    answer(home, dates_between(JUNE, JUNE + 10 * DAY))
    with home.rows() as rows:
        rows.execute(sa.delete(energy_daily).where(energy_daily.c.date == JUNE + 5 * DAY))
        if coverage_pct is not None:
            cover(rows, HOME, JUNE + 5 * DAY, coverage_pct)
    assert gaps(home) == ([JUNE + 5 * DAY] if is_gap else [])
    over = [wanted for wanted in missing(home) if wanted[0] < date(2026, 6, 11)]
    assert over == ([(JUNE + 5 * DAY, "energy")] if is_gap else [])


def test_it_is_asked_again_a_day_after_each_answer_and_for_two_weeks(home: Database) -> None:
    answer(home, [JUNE])
    with home.rows() as rows:
        cover(rows, HOME, JUNE, 93.0)
    came = end_of(JUNE) + HOUR
    assert JUNE not in gaps(home, came + DAY - MINUTE)
    assert JUNE in gaps(home, came + DAY)
    two_weeks_old = end_of(JUNE) + 30 * MINUTE + 14 * DAY
    assert JUNE in gaps(home, two_weeks_old - MINUTE)
    assert JUNE not in gaps(home, two_weeks_old)


def test_a_day_with_holes_that_was_asked_for_in_vain_is_left_alone_for_a_while(
    home: Database,
) -> None:
    answer(home, dates_between(JUNE, JUNE + 10 * DAY))
    with home.rows() as rows:
        cover(rows, HOME, JUNE, 93.0)
        note_misses(rows, [(HOME, "energy", JUNE)], NOW)
    assert gaps(home, NOW + 5 * HOUR - MINUTE) == []
    assert gaps(home, NOW + 5 * HOUR) == [JUNE]


def test_the_view_says_what_is_missing_and_whether_it_may_yet_come(home: Database) -> None:
    now = datetime.now(UTC)
    today = (now + timedelta(hours=5, minutes=45)).date()
    long_past, second, third, fourth, fifth = (today - n * DAY for n in (20, 5, 4, 3, 2))
    answer(home, dates_between(long_past, fifth))
    answer(home, [third], "energy", "soe", after=-HOUR)
    with home.rows() as rows:
        note_misses(rows, [(HOME, "soe", third), (HOME, "power", second)], now)
        rows.execute(sa.delete(energy_daily).where(energy_daily.c.date == fourth))
        for day in (long_past, second):
            cover(rows, HOME, day, 93.0)
    query = sa.text(
        "select date, coverage_pct, missing, is_fillable, asked_in_vain from bi.energy_gaps "
        "where date <= :last order by date"
    )
    with home.rows() as rows:
        found = [tuple(row) for row in rows.execute(query, {"last": fifth})]
    assert found == [
        (long_past, 93.0, None, False, 0),
        (second, 93.0, "energy", True, 0),
        (third, 100.0, "energy, soe", True, 1),
        (fourth, 0.0, "energy", True, 0),
        (fifth, 0.0, "energy, power, soe", True, 0),
    ]


def test_the_view_and_the_schedules_agree_on_what_is_missing(home: Database) -> None:
    now = datetime.now(UTC)
    today = (now + timedelta(hours=5, minutes=45)).date()
    coverages = (None, 50.0, 99.89, 99.9, 99.95, 100.0)
    waits = (-HOUR, 29 * MINUTE, 31 * MINUTE, 3 * DAY)
    for number, day in enumerate(dates_between(today - 30 * DAY, today)):
        answer(home, [day], "power", "soe")
        answer(home, [day], "energy", after=min(waits[number % 4], now - end_of(day)))
        with home.rows() as rows:
            rows.execute(sa.delete(energy_daily).where(energy_daily.c.date == day))
            coverage_pct = coverages[number % 6]
            if coverage_pct is not None:
                cover(rows, HOME, day, coverage_pct)
    with home.rows() as rows:
        told = rows.execute(sa.text("select date, missing from bi.energy_gaps where is_fillable"))
        of_view = sorted((row.date, kind) for row in told for kind in row.missing.split(", "))
        asked = read_missing(rows, today - 30 * DAY, today + DAY, now)
    of_schedules = sorted((row.date, row.kind) for row in asked if row.is_over)
    assert len(of_view) > 10
    assert of_view == of_schedules
    assert sorted({day for day, _ in of_view}) == gaps(home, now)
