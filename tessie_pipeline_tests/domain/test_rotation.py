"""Which backups stay: days, weeks and months of good ones, whatever else lies about."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tessie_pipeline.domain.rotation import DAILY, MONTHLY, RECENT, WEEKLY, outdated

NIGHT = datetime(2026, 11, 21, 3, 20, tzinfo=UTC)
"""A Saturday."""

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

times = st.sets(
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001
        lambda time: time.replace(tzinfo=UTC, microsecond=0)
    ),
    max_size=40,
)


def after_nights(count: int) -> list[date]:
    """The days of the backups that are left when one was made and rotated every night."""
    kept: set[datetime] = set()
    for night in range(count):
        kept.add(NIGHT - (count - 1 - night) * DAY)
        kept -= outdated(kept, set())
    return sorted(time.date() for time in kept)


def test_a_year_of_nights_leaves_days_ends_of_weeks_and_ends_of_months() -> None:
    ends_of_months = [(2025, 12, 31), (2026, 1, 31), (2026, 2, 28), (2026, 3, 31), (2026, 4, 30),
                      (2026, 5, 31), (2026, 6, 30), (2026, 7, 31), (2026, 8, 31), (2026, 9, 30),
                      (2026, 10, 31)]  # fmt: skip
    sundays = [(2026, 11, 1), (2026, 11, 8)]  # of 15 November the days tell, of 21 itself
    days = [(2026, 11, day) for day in range(15, 22)]

    assert after_nights(400) == [date(*day) for day in [*ends_of_months, *sundays, *days]]


def test_the_first_week_of_nights_stays() -> None:
    assert len(after_nights(7)) == 7


def test_of_two_on_an_old_day_the_last_one_stays() -> None:
    first, second = NIGHT - 5 * DAY, NIGHT - 5 * DAY + HOUR
    assert outdated({first, second, NIGHT}, set()) == {first}


def test_those_of_the_last_two_days_all_stay() -> None:
    by_hand = {NIGHT - hours * HOUR for hours in range(1, 48)}
    assert outdated({NIGHT, *by_hand}, set()) == set()


def test_a_long_pause_makes_none_outdated() -> None:
    before = {NIGHT - days * DAY for days in range(300, 306)}
    assert outdated({NIGHT, *before}, set()) == set()


def test_unproved_ones_go_after_a_week_and_leave_the_good_ones_alone() -> None:
    good = {NIGHT - days * DAY for days in range(20, 24)}
    unproved = {NIGHT - days * DAY for days in range(10)}
    assert outdated(good, unproved) == {NIGHT - days * DAY for days in range(7, 10)}


@given(times, times)
def test_the_newest_good_one_stays_and_nothing_unproved_changes_which_good_ones_do(
    good: set[datetime], others: set[datetime]
) -> None:
    others -= good
    both = outdated(good, others)

    assert not good or max(good) not in both
    assert both & good == outdated(good, set())
    assert outdated(good - both, others - both) == set(), "a second time nothing is left to do"
    recent = [time for time in good if time > max(good) - RECENT]
    assert len(good - both) <= DAILY + WEEKLY + MONTHLY + len(recent)
