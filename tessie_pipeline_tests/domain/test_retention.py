"""Which partitions are old enough, and policies that contradict themselves."""

from datetime import date

import pytest

from tessie_pipeline.domain.ages import Age
from tessie_pipeline.domain.retention import Partition, Policy, PolicyError, check, due
from tessie_pipeline.domain.rollups import ENERGY_SERIES

MONTHS = [
    Partition("b", date(2026, 2, 1), date(2026, 3, 1)),
    Partition("a", date(2026, 1, 1), date(2026, 2, 1)),
]


def test_a_month_is_due_when_its_last_day_is_old_enough_and_the_oldest_comes_first() -> None:
    age = Age(1, "month")
    assert due(MONTHS, age, date(2026, 2, 28)) == []
    assert [one.name for one in due(MONTHS, age, date(2026, 3, 1))] == ["a"]
    assert [one.name for one in due(MONTHS, age, date(2026, 4, 1))] == ["a", "b"]


def test_what_never_ages_is_never_due() -> None:
    assert due(MONTHS, None, date(2099, 1, 1)) == []


@pytest.mark.parametrize(
    ("hourly", "daily"),
    [(Age(30, "day"), Age(1, "year")), (Age(1, "month"), None), (None, None),
     (Age(1, "month"), Age(1, "month"))],
)  # fmt: skip
def test_hours_before_days_can_be_kept(hourly: Age | None, daily: Age | None) -> None:
    check(Policy(ENERGY_SERIES, hourly, daily, is_archived=True), date(2026, 11, 21))


@pytest.mark.parametrize("hourly", [None, Age(2, "year"), Age(366, "day")])
def test_days_before_hours_cannot(hourly: Age | None) -> None:
    policy = Policy(ENERGY_SERIES, hourly, Age(1, "year"), is_archived=True)
    with pytest.raises(PolicyError, match=r"by the day from 1 year on, but by the hour only from"):
        check(policy, date(2026, 11, 21))
