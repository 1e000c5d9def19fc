"""Which partitions are old enough to go, and which have to wait, and why."""

from datetime import date

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.ages import Age
from tessie_pipeline.domain.retention import Policy
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.retention.plan import Step, old_hours, old_samples
from tessie_pipeline.store.retention.policies import policies_of, save_policies
from tessie_pipeline_tests.store.retention.old_samples import (
    BOTH,
    CARS,
    DAY,
    DAYS,
    FIRST,
    SITES,
    add,
    register,
    samples_of,
)

LAST, LATER = FIRST + 4 * DAY, FIRST + 30 * DAY
SITE, CAR = next(iter(SITES)), next(iter(CARS))
NEWEST = {
    ENERGY_SERIES.name: [f"it has the newest sample of {name}" for name in sorted(SITES.values())],
    VEHICLE_SERIES.name: [f"it has the newest sample of {vin}" for vin in sorted(CARS.values())],
}


@pytest.fixture(autouse=True)
def _filled(database: Database) -> None:
    register(database)
    for series in BOTH:
        add(database, series, samples_of(series))


def execute(database: Database, statement: str) -> None:
    with database.rows() as connection:
        connection.execute(sa.text(statement))


def old(database: Database, series: Series, today: date, age: Age | None = None) -> list[Step]:
    policy = Policy(series, age or Age(10, "day"), Age(1, "year"), is_archived=True)
    with database.frames() as connection:
        return old_samples(connection, policy, today)


def waits(database: Database, series: Series) -> dict[date, list[str]]:
    """Why each day has to wait, but for the newest samples."""
    return {
        step.partition.start: [one for one in step.waits_for if one not in NEWEST[series.name]]
        for step in old(database, series, LATER)
    }


def nothing_but(**reasons: list[str]) -> dict[date, list[str]]:
    """What `waits` gives, by the number of the day."""
    return {FIRST + n * DAY: reasons.get(f"day_{n}", []) for n in range(DAYS)}


both = pytest.mark.parametrize("series", BOTH, ids=lambda series: series.name)


@both
def test_a_day_is_old_enough_when_its_last_sample_is(database: Database, series: Series) -> None:
    # Its last sample is as old as the day after it began.
    assert old(database, series, FIRST + 10 * DAY) == []
    [step] = old(database, series, FIRST + 11 * DAY)
    assert step.partition.start == FIRST
    assert step.is_of_samples
    assert step.bytes > 8192
    assert len(old(database, series, FIRST + 13 * DAY)) == 3


@both
def test_the_newest_samples_stay(database: Database, series: Series) -> None:
    steps = old(database, series, LATER)
    assert [list(step.waits_for) for step in steps] == [[]] * (DAYS - 1) + [NEWEST[series.name]]


@both
def test_what_the_account_no_longer_lists_holds_nothing(database: Database, series: Series) -> None:
    subjects = "vehicles" if series is VEHICLE_SERIES else "energy_sites"
    execute(database, f"update {subjects} set removed_at = now()")  # noqa: S608
    assert not any(step.waits_for for step in old(database, series, LATER))


@both
def test_a_charge_that_goes_on_keeps_all_since_the_sample_before_it(
    database: Database, series: Series
) -> None:
    execute(
        database,
        "insert into charging_sessions (vehicle_id, started_at, started_after, started_by, status, "  # noqa: S608
        "is_inferred, segments, samples) "
        f"values ('{CAR}', '{FIRST + 2 * DAY}T00:01Z', '{FIRST + DAY}T23:58Z', "
        f"'{FIRST + 2 * DAY}T00:03Z', 'in_progress', false, 1, 9)",
    )
    reason = [f"a charge of {CARS[CAR]} goes on since {FIRST + DAY}"]
    assert waits(database, series) == nothing_but(
        **{f"day_{number}": reason for number in range(1, DAYS)}
    )
    execute(database, f"update charging_sessions set ended_by = '{FIRST + 3 * DAY}'")  # noqa: S608
    assert waits(database, series) == nothing_but()


def test_a_drive_that_goes_on_keeps_samples_of_vehicles(database: Database) -> None:
    execute(
        database,
        "insert into drives (vehicle_id, started_at, started_by, is_inferred, samples) "  # noqa: S608
        f"values ('{CAR}', '{FIRST + 3 * DAY}T00:01Z', '{FIRST + 3 * DAY}T00:03Z', false, 9)",
    )
    reason = [f"a drive of {CARS[CAR]} goes on since {FIRST + 3 * DAY}"]
    assert waits(database, VEHICLE_SERIES) == nothing_but(day_3=reason, day_4=reason)
    assert waits(database, ENERGY_SERIES) == nothing_but()


@pytest.mark.parametrize(
    ("reader", "holds"),
    [("charging_sessions", (VEHICLE_SERIES, ENERGY_SERIES)), ("drives", (VEHICLE_SERIES,))],
)
def test_samples_that_are_still_to_be_read_stay_with_those_around_them(
    database: Database, reader: str, holds: tuple[Series, ...]
) -> None:
    execute(
        database,
        "insert into sample_changes (reader, vehicle_id, changed_from, changed_to) "  # noqa: S608
        f"values ('{reader}', '{CAR}', '{FIRST + DAY}T12:00Z', '{FIRST + DAY}T13:00Z')",
    )
    for series in BOTH:
        held = [n for n, reasons in enumerate(waits(database, series).values()) if reasons]
        assert held == ([0, 1, 2] if series in holds else [])


def test_days_that_are_still_to_be_computed_keep_their_samples(database: Database) -> None:
    execute(
        database,
        "insert into dirty_days (reader, site_id, date) values "  # noqa: S608
        f"('energy_intervals', '{SITE}', '{FIRST}'), ('energy_daily', '{SITE}', '{LAST}')",
    )
    # A local day may touch the days of UTC on either side.
    reason = [f"energy of {SITES[SITE]} is to be computed anew for {FIRST}"]
    assert waits(database, ENERGY_SERIES) == nothing_but(day_0=reason, day_1=reason)
    assert waits(database, VEHICLE_SERIES) == nothing_but()


def test_samples_of_a_site_without_a_time_zone_wait_for_it(database: Database) -> None:
    execute(database, f"update energy_sites set time_zone = null where id = '{SITE}'")  # noqa: S608
    reason = [f"the time zone of {SITES[SITE]} is not known"]
    assert waits(database, ENERGY_SERIES) == nothing_but(
        **{f"day_{number}": reason for number in range(DAYS)}
    )


def test_days_that_came_late_go_whatever_the_age(database: Database) -> None:
    execute(
        database,
        'insert into retention_log (series, start, "end", rows, bytes, rollup_rows, checksum, '  # noqa: S608
        f"duration_s) values ('energy_states', '{FIRST + DAY}', '{LAST}', 1, 1, 1, '', 1)",
    )
    [late] = old(database, ENERGY_SERIES, FIRST, Age(1, "year"))
    assert late.partition.start == FIRST + DAY


def test_a_month_of_hours_waits_for_its_samples(database: Database) -> None:
    policy = Policy(ENERGY_SERIES, Age(10, "day"), Age(1, "month"), is_archived=True)
    execute(
        database,
        "create table energy_states_hourly_2026_03_01 partition of energy_states_hourly "
        "for values from ('2026-03-01') to ('2026-04-01')",
    )
    with database.frames() as connection:
        assert old_hours(connection, policy, date(2026, 4, 30)) == []
        [step] = old_hours(connection, policy, date(2026, 5, 1))
    assert list(step.waits_for) == [f"samples of {FIRST} are still there"]
    assert not step.is_of_samples


def test_the_policies_of_the_settings_can_be_read(database: Database) -> None:
    settings = Settings.load(
        TESSIE_VEHICLE_HOURLY_AFTER="2 months",
        TESSIE_VEHICLE_DAILY_AFTER="never",
        TESSIE_ENERGY_ARCHIVE="no",
    )
    query = (
        "select series, hourly_after::text, daily_after::text, is_archived "
        "from retention_policies order by 1"
    )
    with database.rows() as connection:
        save_policies(connection, policies_of(settings))
        save_policies(connection, policies_of(settings))
        rows = [tuple(row) for row in connection.execute(sa.text(query))]
    assert rows == [
        ("energy_states", "30 days", "1 year", False),
        ("vehicle_states", "2 mons", None, True),
    ]
