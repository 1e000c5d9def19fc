"""What is kept of old samples says what they said: years with retention beside years without."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import ALL_SERIES
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration.household_years import Household, Late
from tessie_pipeline_tests.orchestration.two_years import ZONE, Course, Seen, Years, settings_of
from tessie_pipeline_tests.orchestration.years_compared import (
    derived_unlike,
    rollups_unlike,
    views_unlike,
)

FIVE_WEEKS = Course(
    Household(
        date(2026, 3, 2),
        days=38,
        every=timedelta(minutes=10),
        weeks=1,
        plugged_in=(15, 8),
        lates=[
            Late(3, by=1, part=2, again=6),
            Late(5, by=3, part=3, again=9),
            Late(4, by=9, again=14),
            Late(8, by=29, part=2),
            Late(13, by=None, again=17),
        ],
    ),
    hourly_after=4,
    daily_after="7 days",
    derived_every=5,
)
"""With the nights in which the clocks of either home go forward, in a month that becomes days."""


@pytest.fixture(scope="module")
def lived(server_url: sa.URL, template: str) -> Iterator[tuple[Years, Seen]]:
    """The weeks in both databases, and what was seen on the way."""
    with TemporaryDirectory(prefix="tessie-tests-") as home:
        for kept in new_database(server_url, f"template {template}"):
            for thinned in new_database(server_url, f"template {template}"):
                years = Years(FIVE_WEEKS, kept, thinned, settings_of(FIVE_WEEKS, Path(home)))
                yield years, years.live()


def test_energies_counts_and_extremes_are_those_of_all_samples(lived: tuple[Years, Seen]) -> None:
    years, _ = lived
    assert views_unlike(years.kept, years.thinned) == []


def test_hours_and_days_are_those_of_all_samples(lived: tuple[Years, Seen]) -> None:
    years, _ = lived
    assert rollups_unlike(years.kept, years.thinned, ZONE) == []


def test_charges_drives_and_days_are_those_of_all_samples(lived: tuple[Years, Seen]) -> None:
    years, _ = lived
    assert derived_unlike(years.kept, years.thinned) == []


def test_old_samples_go_and_wait_while_they_are_needed(lived: tuple[Years, Seen]) -> None:
    _, seen = lived
    assert seen.errors == []
    for series in ALL_SERIES.values():
        # Of 38 days 4 are young; of the others some have late samples, with which they go again.
        assert seen.dropped[series.name] >= 34
        assert seen.dropped[series.hourly] == 1
    assert seen.waited["a charge"] >= 8
