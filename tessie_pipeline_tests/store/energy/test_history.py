"""Tesla's history answers: the fullest one of each day, word for word."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.days import dates_between
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.history import ANSWERS, read_answers, save_answer
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline_tests.tesla.captured import captured_text

JUNE = date(2026, 6, 1)
NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HOME, CABIN = "0a" * 16, "0b" * 16
DAYS = {"site_id": pl.String(), "date": pl.Date()}


@pytest.fixture
def home(database: Database) -> Database:
    """A database with two sites."""
    with database.rows() as rows:
        rows.execute(sa.insert(energy_sites).values([{"id": HOME}, {"id": CABIN}]))
    return database


def keep(
    database: Database,
    body: str,
    day: date = JUNE,
    kind: str = "energy",
    site: str = HOME,
    received_at: datetime = NOON,
) -> bool:
    with database.rows() as rows:
        return save_answer(rows, site, kind, day, body, received_at)


def read(database: Database, start: date, end: date, kind: str = "energy") -> pl.DataFrame:
    days = [(site, day) for site in (HOME, CABIN) for day in dates_between(start, end)]
    with database.frames() as connection:
        return read_answers(connection, kind, pl.DataFrame(days, DAYS, orient="row"))


def answer(buckets: int, note: str = "") -> str:
    """An answer with so many buckets."""
    series = [{"timestamp": f"{NOON + n * HOUR}"} for n in range(buckets)]
    return json.dumps({"period": "day", "time_series": series, "note": note})


@pytest.mark.parametrize(
    "body",
    [
        captured_text("calendar_history/energy_two_buckets"),
        '{"time_series" :[ ],  "b": 1.50, "a":"50 % :name \\u00e9 \\"🚗\\" \'", "a": null}',
    ],
    ids=["captured", "awkward"],
)
def test_an_answer_comes_back_word_for_word(home: Database, body: str) -> None:
    assert keep(home, body)
    found = read(home, JUNE, JUNE + DAY)
    assert found.schema == ANSWERS
    assert found.rows() == [(HOME, JUNE, body, NOON)]


NULL = '{"period": "day", "time_series": null}'
ABSENT = '{"period": "day"}'
OTHER = '{"period": "day", "time_series": {"timestamp": 1}}'


@pytest.mark.parametrize(
    ("first", "second", "is_kept"),
    [
        (answer(2), answer(3), True),
        (answer(2), answer(2, "later"), True),
        (answer(2), answer(1), False),
        (answer(288), answer(287), False),
        (answer(99), answer(100), True),
        (answer(1), answer(0), False),
        (answer(1), NULL, False),
        (answer(1), ABSENT, False),
        (answer(1), OTHER, False),
        (answer(0), NULL, True),
        (NULL, ABSENT, True),
        (ABSENT, answer(0), True),
        (NULL, answer(1), True),
        (ABSENT, answer(1), True),
        (OTHER, answer(0), True),
    ],
    ids=["longer", "equal", "shorter", "a bucket less of a day", "three digits", "empty for one",
         "null for one", "absent for one", "no list for one", "null for empty", "absent for null",
         "empty for absent", "one for null", "one for absent", "empty for no list"],
)  # fmt: skip
def test_an_answer_takes_an_earlier_ones_place_unless_it_is_shorter(
    home: Database, first: str, second: str, is_kept: bool
) -> None:
    assert keep(home, first)
    assert keep(home, second, received_at=NOON + HOUR) is is_kept
    kept = (HOME, JUNE, second, NOON + HOUR) if is_kept else (HOME, JUNE, first, NOON)
    assert read(home, JUNE, JUNE + DAY).rows() == [kept]


def test_each_site_kind_and_day_has_an_answer_of_its_own(home: Database) -> None:
    days = [JUNE + n * DAY for n in range(-1, 3)]
    for site in (CABIN, HOME):
        for kind in ("soe", "energy", "power"):
            for number, day in enumerate(reversed(days)):
                at = NOON + number * HOUR
                assert keep(home, answer(1, f"{site} {kind} {day}"), day, kind, site, at)
    found = read(home, JUNE, JUNE + 2 * DAY, "power")
    expected = [(site, day) for site in (HOME, CABIN) for day in days[1:3]]
    assert found.select("site_id", "date").rows() == expected
    for site, day, body, received_at in found.iter_rows():
        assert json.loads(body)["note"] == f"{site} power {day}"
        assert received_at == NOON + (2 if day == days[1] else 1) * HOUR


def test_no_days_have_no_answers(home: Database) -> None:
    keep(home, answer(1))
    found = read(home, JUNE, JUNE)
    assert found.schema == ANSWERS
    assert found.is_empty()


def test_an_answer_of_an_unknown_site_or_kind_is_refused(home: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="energy_history_site_id_fkey"):
        keep(home, answer(1), site="0c" * 16)
    with pytest.raises(sa.exc.IntegrityError, match="energy_history_kind_check"):
        keep(home, answer(1), kind="backup")
