"""Writes that can be repeated, cut short, split, and done by many at once."""

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.tables import energy_states
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline.store.writes import replace_windows, write_new
from tessie_pipeline_tests.store.conftest import count_rows, emptied, wait_until_blocked

HOME, CABIN = "a" * 32, "b" * 32
MIDNIGHT = datetime(2024, 3, 31, tzinfo=UTC)
DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)

UTC_TIME = pl.Datetime("us", "UTC")
SAMPLE = {"site_id": pl.String(), "timestamp": UTC_TIME, "solar_power_w": pl.Float64()}
INTERVAL = {"site_id": pl.String(), "timestamp": UTC_TIME, "solar_wh": pl.Float64()}
WINDOW = {"site_id": pl.String(), "start": UTC_TIME, "end": UTC_TIME}

Row = tuple[str, datetime, float]
Window = tuple[str, datetime, datetime]


def samples(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, SAMPLE, orient="row")


def add(database: Database, *parts: Sequence[Row]) -> int:
    """Write samples of sites, time and solar power: a transaction for each part."""
    added = 0
    with database.frames() as connection:
        for part in parts:
            added += write_new(connection, energy_states, samples(part))
            connection.commit()
    return added


def replace(database: Database, *parts: tuple[Sequence[Row], Sequence[Window]]) -> int:
    """Replace intervals of sites, start and solar energy: a transaction for each part."""
    written = 0
    with database.frames() as connection:
        for rows, windows in parts:
            frame = pl.DataFrame(rows, INTERVAL, orient="row").with_columns(
                source=pl.lit("test"), coverage=pl.lit(1.0)
            )
            inside = pl.DataFrame(windows, WINDOW, orient="row")
            written += replace_windows(connection, energy_intervals, frame, inside)
            connection.commit()
    return written


def select(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.rows() as rows:
        return [tuple(row) for row in rows.execute(sa.text(query))]


def stored_samples(database: Database) -> list[tuple[object, ...]]:
    query = "select replace(site_id::text, '-', ''), timestamp, solar_power_w from energy_states"
    return select(database, f"{query} order by 1, 2")


def stored_intervals(database: Database) -> list[tuple[object, ...]]:
    query = "select replace(site_id::text, '-', ''), timestamp, solar_wh from energy_intervals"
    return select(database, f"{query} order by 1, 2")


def row_versions(database: Database) -> list[tuple[object, ...]]:
    """What changes when Postgres writes a row anew."""
    return select(database, "select tableoid, ctid::text, xmin::text from energy_states")


def test_the_same_samples_again_add_nothing_and_touch_nothing(database: Database) -> None:
    rows = [(HOME, MIDNIGHT, 1.0), (HOME, MIDNIGHT + HOUR, 2.0), (CABIN, MIDNIGHT, 3.0)]
    assert add(database, rows) == 3
    before = row_versions(database)
    assert add(database, rows) == 0
    assert add(database, [(site, time, 9.0) for site, time, _ in rows]) == 0
    assert row_versions(database) == before
    assert stored_samples(database) == rows


def test_of_many_samples_with_one_key_in_the_input_the_first_counts(database: Database) -> None:
    rows = [
        (site, MIDNIGHT + n * HOUR, float(again))
        for again in range(20)
        for site in (HOME, CABIN)
        for n in range(24)
    ]
    assert add(database, rows) == 48
    assert stored_samples(database) == rows[:48]


def test_an_overlapping_set_adds_only_what_is_new(database: Database) -> None:
    days = [MIDNIGHT + n * DAY for n in range(4)]
    first = [(site, day, 1.0) for site in (HOME, CABIN) for day in days[:3]]
    assert add(database, first) == 6
    second = [(HOME, day + late, 2.0) for day in days[2:] for late in (0 * HOUR, HOUR)]
    assert add(database, second) == 3
    assert stored_samples(database) == sorted(first + second[1:])


def test_no_samples_are_written_as_nothing(database: Database) -> None:
    assert add(database, []) == 0
    assert stored_samples(database) == []


def test_samples_of_any_year_get_partitions_of_their_own(database: Database) -> None:
    times = [
        datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
        datetime(2012, 6, 22, tzinfo=UTC),
        MIDNIGHT,
    ]
    assert add(database, [(HOME, time, 1.0) for time in times]) == 3
    assert select(database, "select tableoid::regclass::text from energy_states order by 1") == [
        ("energy_states_1969_12_31",),
        ("energy_states_2012_06_22",),
        ("energy_states_2024_03_31",),
    ]


@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "rolled back"])
def test_a_writer_that_comes_second_waits_and_adds_what_is_missing(
    database: Database, is_committed: bool
) -> None:
    first = [(HOME, MIDNIGHT, 1.0), (HOME, MIDNIGHT + HOUR, 1.0)]
    second = [(HOME, MIDNIGHT + HOUR, 2.0), (HOME, MIDNIGHT + DAY, 2.0)]
    with ThreadPoolExecutor() as threads:
        with database.frames() as connection:
            assert write_new(connection, energy_states, samples(first)) == 2
            added = threads.submit(add, database, second)
            wait_until_blocked(database)
            if not is_committed:
                connection.rollback()
        assert added.result() == (1 if is_committed else 2)
    assert stored_samples(database) == ([*first, second[1]] if is_committed else second)


def test_many_writers_at_once_end_with_every_key_once(database: Database) -> None:
    rows = [(site, MIDNIGHT + n * DAY / 8, 1.0) for site in (HOME, CABIN) for n in range(32)]
    parts = [rows[:40], rows[20:], rows[::2], rows[::-1]]
    with ThreadPoolExecutor(max_workers=4) as threads:
        added = list(threads.map(lambda part: add(database, part), parts))
    assert sum(added) == 64
    assert stored_samples(database) == rows


def test_readers_go_on_while_a_writer_writes(database: Database) -> None:
    add(database, [(HOME, MIDNIGHT, 1.0)])
    with database.frames() as connection:
        lock_writes(connection, energy_states)
        assert write_new(connection, energy_states, samples([(HOME, MIDNIGHT + HOUR, 1.0)])) == 1
        assert stored_samples(database) == [(HOME, MIDNIGHT, 1.0)]
    assert count_rows(database, energy_states) == 2


A_DAY = [(HOME, MIDNIGHT + n * timedelta(minutes=1), float(n)) for n in range(1440)]

# Writes a day's samples, says so, and waits in its transaction to be killed.
WRITER = """import os, time
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.tables import energy_states
from tessie_pipeline.store.writes import write_new
from tessie_pipeline_tests.store.test_writes import A_DAY, samples
with Database(os.environ["URL"]).frames() as connection:
    print(write_new(connection, energy_states, samples(A_DAY)), flush=True)
    time.sleep(60)
"""


def test_a_killed_writer_leaves_nothing_and_a_repeat_gives_all(database: Database) -> None:
    environment = os.environ | {"URL": database.url()}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER], env=environment, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout
        said = writer.stdout.readline()
        writer.kill()
    assert said == "1440\n"
    assert stored_samples(database) == []
    assert select(database, "select to_regclass('energy_states_2024_03_31')") == [(None,)]
    assert add(database, A_DAY) == 1440
    assert stored_samples(database) == A_DAY


def test_a_window_is_replaced_from_its_start_up_to_but_not_at_its_end(database: Database) -> None:
    start, end = MIDNIGHT, MIDNIGHT + DAY
    old = [(HOME, time, 1.0) for time in (start - TICK, start, start + HOUR, end - TICK, end)]
    replace(database, (old, [(HOME, start - DAY, end + DAY)]))
    new = (HOME, start + 2 * HOUR, 2.0)
    assert replace(database, ([new], [(HOME, start, end)])) == 1
    assert stored_intervals(database) == [old[0], new, old[-1]]


def test_each_site_has_windows_of_its_own(database: Database) -> None:
    hours = [MIDNIGHT + n * HOUR for n in range(7)]
    old = [(site, hour, 1.0) for site in (HOME, CABIN) for hour in hours[:6]]
    replace(database, (old, [(site, hours[0], hours[6]) for site in (HOME, CABIN)]))
    new = [(HOME, hours[0], 2.0), (HOME, hours[4], 2.0), (CABIN, hours[5], 2.0)]
    windows = [(HOME, hours[0], hours[1]), (HOME, hours[3], hours[5]), (CABIN, hours[5], hours[6])]
    for _ in range(2):
        assert replace(database, (new, windows)) == 3
        assert stored_intervals(database) == [
            (HOME, hours[0], 2.0), (HOME, hours[1], 1.0), (HOME, hours[2], 1.0),
            (HOME, hours[4], 2.0), (HOME, hours[5], 1.0),
            (CABIN, hours[0], 1.0), (CABIN, hours[1], 1.0), (CABIN, hours[2], 1.0),
            (CABIN, hours[3], 1.0), (CABIN, hours[4], 1.0), (CABIN, hours[5], 2.0),
        ]  # fmt: skip


def test_no_rows_empty_their_windows_and_no_windows_change_nothing(database: Database) -> None:
    old = [(HOME, MIDNIGHT, 1.0), (HOME, MIDNIGHT + HOUR, 1.0), (CABIN, MIDNIGHT, 1.0)]
    replace(database, (old, [(site, MIDNIGHT, MIDNIGHT + DAY) for site in (HOME, CABIN)]))
    assert replace(database, ([], [])) == 0
    assert stored_intervals(database) == old
    assert replace(database, ([], [(HOME, MIDNIGHT, MIDNIGHT + HOUR)])) == 0
    assert stored_intervals(database) == old[1:]


def test_a_replacement_that_fails_leaves_what_was_there(database: Database) -> None:
    window = (HOME, MIDNIGHT, MIDNIGHT + DAY)
    replace(database, ([(HOME, MIDNIGHT, 1.0)], [window]))
    with pytest.raises(adbc.IntegrityError, match="duplicate key"):
        replace(database, ([(HOME, MIDNIGHT + HOUR, 2.0)] * 2, [window]))
    assert stored_intervals(database) == [(HOME, MIDNIGHT, 1.0)]


# Two sites and three days around a month's end, in parts of six hours.
KEYS = [(site, MIDNIGHT + n * DAY / 4) for site in (HOME, CABIN) for n in range(12)]
some_key = st.sampled_from(range(len(KEYS)))
few_examples = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@few_examples
@given(parts=st.lists(st.lists(some_key, max_size=24), min_size=1, max_size=3))
def test_samples_in_any_split_and_order_and_with_repeats_give_the_same_table(
    database: Database, parts: list[list[int]]
) -> None:
    added = add(emptied(database), *([(*KEYS[key], float(key)) for key in part] for part in parts))
    expected = sorted({key for part in parts for key in part})
    assert added == len(expected)
    assert stored_samples(database) == [(*KEYS[key], float(key)) for key in expected]


@few_examples
@given(parts=st.lists(st.dictionaries(some_key, st.integers(1, 5), max_size=8), max_size=3))
def test_windows_that_touch_overlap_and_repeat_leave_what_came_last(
    database: Database, parts: list[dict[int, int]]
) -> None:
    expected = {key: [(site, time + late, -1.0) for late in (0 * HOUR, HOUR)]
                for key, (site, time) in enumerate(KEYS)}  # fmt: skip
    old = [row for rows in expected.values() for row in rows]
    changes = [(old, [(site, MIDNIGHT, MIDNIGHT + 3 * DAY) for site in (HOME, CABIN)])]
    for part in parts:
        windows = [(*KEYS[key], KEYS[key][1] + width * DAY / 4) for key, width in part.items()]
        changes.append(([(*KEYS[key], float(key)) for key in part], windows))
        for key, width in part.items():
            in_site = range(key, key // 12 * 12 + 12)
            expected |= {covered: [] for covered in in_site[:width]}
        expected |= {key: [(*KEYS[key], float(key))] for key in part}
    assert replace(database, *changes) == len(old) + sum(len(part) for part in parts)
    assert stored_intervals(database) == [row for rows in expected.values() for row in rows]
