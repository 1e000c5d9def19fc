"""Partitions: their names and bounds, and makers at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import ensure_partitions, estimate_rows
from tessie_pipeline.store.tables import energy_states, vehicle_states
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline_tests.store.conftest import wait_until_blocked

KATHMANDU = timezone(timedelta(hours=5, minutes=45))


def ensure(database: Database, table: sa.Table, *timestamps: datetime) -> list[str]:
    with database.frames() as connection:
        return ensure_partitions(connection, table, timestamps)


def bounds(database: Database, table: sa.Table) -> dict[str, str]:
    """Bounds of each partition, as Postgres writes them in UTC."""
    query = sa.text(
        "select c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i "
        "join pg_class c on c.oid = i.inhrelid "
        "where i.inhparent = cast(:table as regclass)"
    )
    with database.rows() as rows:
        return {name: bound for name, bound in rows.execute(query, {"table": table.name})}


def insert_sample(database: Database, timestamp: datetime) -> None:
    values = {"site_id": "00000000-0000-0000-0000-000000000001", "timestamp": timestamp}
    with database.rows() as rows:
        rows.execute(sa.insert(energy_states).values(values))


def test_samples_are_kept_by_day_and_what_is_made_of_them_by_month() -> None:
    widths = {t.name: t.info["partition_by"] for t in metadata.tables.values() if t.info}
    samples = {"vehicle_states": "day", "energy_states": "day"}
    made = ("energy_intervals", "energy_hourly", "energy_states_hourly", "vehicle_states_hourly")
    assert widths == samples | dict.fromkeys(made, "month")


@pytest.mark.parametrize(
    ("timestamp", "low", "high"),
    [
        pytest.param(datetime(2024, 5, 6, tzinfo=UTC), "2024-05-06", "2024-05-07", id="midnight"),
        pytest.param(
            datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            "2023-12-31",
            "2024-01-01",
            id="the year's last instant",
        ),
        pytest.param(datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29", "2024-03-01", id="leap"),
        pytest.param(
            datetime(2024, 5, 6, 3, tzinfo=KATHMANDU), "2024-05-05", "2024-05-06", id="local time"
        ),
    ],
)
def test_a_day_is_one_of_utc(database: Database, timestamp: datetime, low: str, high: str) -> None:
    name = f"vehicle_states_{low.replace('-', '_')}"
    assert ensure(database, vehicle_states, timestamp) == [name]
    assert bounds(database, vehicle_states) == {
        name: f"FOR VALUES FROM ('{low} 00:00:00+00') TO ('{high} 00:00:00+00')"
    }


@pytest.mark.parametrize(
    ("timestamp", "low", "high"),
    [
        pytest.param(datetime(2024, 2, 29, 23, tzinfo=UTC), "2024-02-01", "2024-03-01", id="leap"),
        pytest.param(datetime(2023, 12, 31, 23, tzinfo=UTC), "2023-12-01", "2024-01-01", id="year"),
        pytest.param(datetime(2024, 4, 1, tzinfo=UTC), "2024-04-01", "2024-05-01", id="first"),
        pytest.param(
            datetime(2024, 7, 1, 3, tzinfo=KATHMANDU), "2024-06-01", "2024-07-01", id="local time"
        ),
    ],
)
def test_a_month_is_one_of_utc(
    database: Database, timestamp: datetime, low: str, high: str
) -> None:
    name = f"energy_intervals_{low.replace('-', '_')}"
    assert ensure(database, energy_intervals, timestamp) == [name]
    assert bounds(database, energy_intervals) == {
        name: f"FOR VALUES FROM ('{low} 00:00:00+00') TO ('{high} 00:00:00+00')"
    }


def test_only_what_is_missing_is_made(database: Database) -> None:
    noon = datetime(2023, 12, 31, 12, tzinfo=UTC)
    assert ensure(database, energy_states) == []
    assert ensure(database, energy_states, noon, noon + timedelta(hours=1)) == [
        "energy_states_2023_12_31"
    ]
    assert ensure(database, energy_states, noon + timedelta(days=1), noon) == [
        "energy_states_2024_01_01"
    ]
    assert ensure(database, energy_states, noon, noon + timedelta(days=1)) == []
    assert bounds(database, vehicle_states) == {}


def test_a_row_without_a_partition_is_refused(database: Database) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="no partition of relation"):
        insert_sample(database, datetime(2024, 5, 6, tzinfo=UTC))


def test_a_new_partition_has_the_key_the_defaults_and_the_comments_of_its_table(
    database: Database,
) -> None:
    noon = datetime(2024, 5, 6, 12, tzinfo=UTC)
    ensure(database, energy_states, noon)
    insert_sample(database, noon)
    with pytest.raises(sa.exc.IntegrityError, match="energy_states_2024_05_06_pkey"):
        insert_sample(database, noon)
    query = "select is_stale, created_at is null from energy_states_2024_05_06"
    comments = (
        "select count(*), count(col_description(attrelid, attnum)) from pg_attribute "
        "where attrelid = 'energy_states_2024_05_06'::regclass and attnum > 0"
    )
    with database.rows() as rows:
        assert rows.execute(sa.text(query)).one() == (False, False)
        columns, commented = rows.execute(sa.text(comments)).one()
    assert columns == commented == len(energy_states.columns)


@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "rolled back"])
def test_who_wants_a_partition_that_another_is_making_waits_for_it(
    database: Database, is_committed: bool
) -> None:
    noon = datetime(2024, 5, 6, 12, tzinfo=UTC)
    with ThreadPoolExecutor() as threads:
        with database.frames() as connection:
            assert ensure_partitions(connection, energy_states, [noon]) != []
            made = threads.submit(ensure, database, energy_states, noon)
            wait_until_blocked(database)
            if not is_committed:
                connection.rollback()
        assert made.result() == ([] if is_committed else ["energy_states_2024_05_06"])
    assert list(bounds(database, energy_states)) == ["energy_states_2024_05_06"]


def test_many_that_want_the_same_partitions_at_once_make_each_once(database: Database) -> None:
    days = [datetime(2024, 5, day, tzinfo=UTC) for day in range(1, 7)]
    wishes = [days, days[::-1], days[2:], days[:3]]
    with ThreadPoolExecutor(max_workers=4) as threads:
        made = list(threads.map(lambda wish: ensure(database, energy_states, *wish), wishes))
    names = [f"energy_states_2024_05_{day:02}" for day in range(1, 7)]
    assert sorted(name for some in made for name in some) == names
    assert sorted(bounds(database, energy_states)) == names


def test_readers_go_on_while_a_writer_makes_a_partition(database: Database) -> None:
    with database.frames() as connection:
        ensure_partitions(connection, energy_states, [datetime(2024, 5, 6, tzinfo=UTC)])
        with database.rows() as rows:
            rows.execute(sa.text("set local lock_timeout = '200ms'"))
            assert rows.execute(sa.text("select * from bi.energy_sites_now")).all() == []


def test_rows_are_counted_where_postgres_has_no_estimate_yet(database: Database) -> None:
    first, second = datetime(2024, 5, 6, tzinfo=UTC), datetime(2024, 5, 7, tzinfo=UTC)
    ensure(database, energy_states, first, second)
    for minute in range(3):
        insert_sample(database, first + timedelta(minutes=minute))
    with database.rows() as rows:
        rows.execute(sa.text("analyze energy_states_2024_05_06"))
    insert_sample(database, second)

    with database.rows() as connection:
        assert estimate_rows(connection, energy_states) == 4
        assert estimate_rows(connection, vehicle_states) == 0
