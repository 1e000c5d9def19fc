"""The cache of answers: fresh ones are not paid for again, stale ones say how old they are."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tessie_pipeline.store.calls.answer_cache import AnswerCache
from tessie_pipeline.store.database import Database

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ASK = """
import json, os, sys, time
from datetime import datetime
from pathlib import Path
from tessie_pipeline.store.calls.answer_cache import AnswerCache
from tessie_pipeline.store.database import Database

def ask():
    with Path(sys.argv[2]).open("a") as asked:
        asked.write("asked\\n")
    time.sleep(0.5)
    return json.loads(sys.argv[5])

cache = AnswerCache(Database(sys.argv[1]), json.dumps)
answer = cache.vehicle_data(sys.argv[3], datetime.fromisoformat(sys.argv[4]), ask)
print(json.dumps(answer.body))
"""


class Tesla:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> object:
        """One more answer."""
        self.asked += 1
        return {"answer": self.asked}


@pytest.fixture
def cache(database: Database) -> AnswerCache:
    return AnswerCache(database, json.dumps)


@pytest.mark.parametrize(("age_s", "asked"), [(0, 1), (119, 1), (120, 2), (-1, 1), (-61, 2)])
def test_an_answer_stands_for_two_minutes(cache: AnswerCache, age_s: int, asked: int) -> None:
    tesla, car = Tesla(), uuid4().hex
    cache.vehicle_data(car, NOON, tesla)
    later = NOON + timedelta(seconds=age_s)
    assert cache.vehicle_data(car, later, tesla).body == {"answer": asked}
    assert tesla.asked == asked


def test_a_vehicle_that_is_not_asked_has_its_last_answer_with_its_age(cache: AnswerCache) -> None:
    tesla, car, later = Tesla(), uuid4().hex, NOON + timedelta(hours=5)
    cache.vehicle_data(car, NOON, tesla)
    answer = cache.vehicle_data(car, later, None)
    assert answer.body == {"answer": 1}
    assert answer.is_stale(later)
    assert answer.age(later) == timedelta(hours=5)
    assert tesla.asked == 1


def test_a_vehicle_that_cannot_be_reached_keeps_its_last_answer(cache: AnswerCache) -> None:
    car, later = uuid4().hex, NOON + timedelta(hours=5)
    cache.vehicle_data(car, NOON, Tesla())
    answer = cache.vehicle_data(car, later, lambda: None)
    assert (answer.body, answer.received_at) == ({"answer": 1}, NOON)


@pytest.mark.parametrize(("age_s", "asked"), [(119, 1), (120, 2), (-61, 2)])
def test_a_vehicle_that_could_not_be_reached_is_not_asked_again_at_once(
    cache: AnswerCache, age_s: int, asked: int
) -> None:
    car, calls = uuid4().hex, []
    for at in (NOON, NOON + timedelta(seconds=age_s)):
        answer = cache.vehicle_data(car, at, lambda: calls.append("408"))
        assert answer.is_stale(at)
    assert len(calls) == asked


def test_a_vehicle_that_never_answered_has_no_answer(cache: AnswerCache) -> None:
    for ask in (None, lambda: None):
        answer = cache.vehicle_data(uuid4().hex, NOON, ask)
        assert (answer.body, answer.received_at) == (None, None)
        assert answer.is_stale(NOON)


def test_each_kind_of_answer_of_each_site_stands_for_itself(cache: AnswerCache) -> None:
    tesla, home, cabin = Tesla(), uuid4().hex, uuid4().hex
    bodies = [
        cache.energy_data(site, kind, NOON, tesla).body
        for site in (home, cabin)
        for kind in ("live_status", "site_info", "live_status")
    ]
    assert bodies == [{"answer": number} for number in (1, 2, 1, 3, 4, 3)]


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(database: Database) -> None:
    cache, tesla, car = AnswerCache(database, lambda _: None), Tesla(), uuid4().hex
    assert cache.vehicle_data(car, NOON, tesla).body == {"answer": 1}
    assert cache.vehicle_data(car, NOON, tesla).body == {"answer": 2}


def test_a_failure_leaves_what_was_there(cache: AnswerCache) -> None:
    car, later = uuid4().hex, NOON + timedelta(hours=1)
    cache.vehicle_data(car, NOON, Tesla())

    def fail() -> object:
        raise ValueError("503")

    with pytest.raises(ValueError, match="503"):
        cache.vehicle_data(car, later, fail)
    assert cache.vehicle_data(car, later, None).body == {"answer": 1}


@pytest.mark.parametrize("body", ['{"battery": 71}', "null"], ids=["answered", "408"])
def test_processes_that_ask_at_once_make_one_call(
    database: Database, tmp_path: Path, body: str
) -> None:
    asked, car = tmp_path / "asked", uuid4().hex
    command = [sys.executable, "-c", ASK, database.url(), asked, car, NOON.isoformat(), body]
    askers = [
        subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [asker.communicate(timeout=60)[0].strip() for asker in askers]
    assert said == [body] * 4
    assert asked.read_text() == "asked\n"
