"""Ages as people write them, and the days that are so old. Expected days from the calendar."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.ages import Age, Unit


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("30 days", Age(30, "day")),
        ("1 day", Age(1, "day")),
        ("1 month", Age(1, "month")),
        (" 18  MONTHS ", Age(18, "month")),
        ("2 years", Age(2, "year")),
        ("never", None),
        (" Never", None),
    ],
)
def test_an_age_is_read_as_it_is_written(text: str, age: Age | None) -> None:
    assert Age.parse(text) == age


@pytest.mark.parametrize(
    "text", ["", "30", "days", "0 days", "-1 day", "1.5 years", "2 weeks", "10000 days", "1 daily"]
)
def test_what_is_no_age_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="30 days, 1 month, 2 years or never"):
        Age.parse(text)


@pytest.mark.parametrize(
    ("age", "day", "before"),
    [
        (Age(30, "day"), date(2026, 3, 1), date(2026, 1, 30)),
        (Age(1, "month"), date(2026, 3, 31), date(2026, 2, 28)),
        (Age(1, "month"), date(2028, 3, 31), date(2028, 2, 29)),
        (Age(1, "month"), date(2026, 1, 15), date(2025, 12, 15)),
        (Age(13, "month"), date(2026, 1, 15), date(2024, 12, 15)),
        (Age(1, "year"), date(2028, 2, 29), date(2027, 2, 28)),
        (Age(4, "year"), date(2028, 2, 29), date(2024, 2, 29)),
    ],
)
def test_the_day_that_is_so_old_is_that_of_the_calendar(age: Age, day: date, before: date) -> None:
    assert age.before(day) == before


counts = st.integers(1, 600)
units: st.SearchStrategy[Unit] = st.sampled_from(["day", "month", "year"])


@given(counts, units)
def test_an_age_is_written_so_that_it_is_read_again(count: int, unit: Unit) -> None:
    age = Age(count, unit)
    assert Age.parse(str(age)) == age


@given(counts, units, st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 60))
def test_a_later_day_never_has_an_earlier_day_before_it(
    count: int, unit: Unit, day: date, later: int
) -> None:
    age = Age(count, unit)
    assert age.before(day) <= age.before(day + timedelta(days=later))
