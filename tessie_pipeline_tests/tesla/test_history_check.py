from datetime import date
from zoneinfo import ZoneInfo

import pytest

from tessie_pipeline.tesla.history_check import HistoryKind, check_history_answer
from tessie_pipeline_tests.tesla.captured import captured

BRISBANE = ZoneInfo("Australia/Brisbane")


@pytest.mark.parametrize(
    ("kind", "name", "day"),
    [
        ("energy", "energy_two_buckets", date(2024, 9, 18)),
        ("power", "power_owner_api", date(2022, 5, 13)),
    ],
)
def test_an_answer_of_the_asked_day_passes(kind: HistoryKind, name: str, day: date) -> None:
    zone = BRISBANE if kind == "energy" else ZoneInfo("America/Los_Angeles")
    assert check_history_answer(kind, captured(f"calendar_history/{name}"), day, zone) is None


def test_an_answer_of_another_day_or_zone_does_not_pass() -> None:
    answer = captured("calendar_history/energy_two_buckets")
    perth = ZoneInfo("Australia/Perth")
    reason = "2 of 2 buckets are not of 2024-09-17, the first at 2024-09-18T00:00:00+10:00"
    assert check_history_answer("energy", answer, date(2024, 9, 17), BRISBANE) == reason
    reason = "1 of 2 buckets are not of 2024-09-18, the first at 2024-09-18T00:00:00+10:00"
    assert check_history_answer("energy", answer, date(2024, 9, 18), perth) == reason


def test_the_next_midnight_may_close_a_day() -> None:
    series = [
        {"timestamp": "2024-09-18T23:55:00+10:00"},
        {"timestamp": "2024-09-19T00:00:00+10:00"},
    ]
    body = {"period": "day", "time_series": series}
    assert check_history_answer("energy", body, date(2024, 9, 18), BRISBANE) is None
    del series[0]
    reason = "1 of 1 buckets are not of 2024-09-18, the first at 2024-09-19T00:00:00+10:00"
    assert check_history_answer("energy", body, date(2024, 9, 18), BRISBANE) == reason


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("energy", {"response": {"period": "day", "time_series": None}}, None),
        ("power", {"response": {"time_series": []}}, None),
        ("soe", {"time_series": []}, None),
        ("energy", {"time_series": []}, "period is missing, expected day"),
        ("power", {"period": "week", "time_series": []}, "period is week, expected day"),
        ("energy", {"response": {"period": "day"}}, "time_series is missing"),
        ("energy", {"response": None, "error": "no"}, "response is empty, error is 'no'"),
        ("energy", "text", "time_series is missing"),
        ("soe", {"time_series": 5}, "time_series is not a list"),
        ("soe", {"time_series": [5]}, "a bucket has no readable timestamp"),
        ("soe", {"time_series": [{"timestamp": 5}]}, "a bucket has no readable timestamp"),
        (
            "soe",
            {"time_series": [{"timestamp": "2024-09-18T00:00:00"}]},
            "a timestamp has no offset",
        ),
    ],
)
def test_what_is_no_history_does_not_pass_and_nothing_is_a_history(
    kind: HistoryKind, body: object, reason: str | None
) -> None:
    assert check_history_answer(kind, body, date(2024, 9, 18), BRISBANE) == reason
