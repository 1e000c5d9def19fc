"""The migrated tables take the frames of the domain, keep their keys, and feed the views."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain import samples
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import copy_in, read_frame
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables.charging import charging_sessions
from tessie_pipeline.store.tables.drives import drivers
from tessie_pipeline.store.tables.energy import energy_daily, energy_history, energy_intervals
from tessie_pipeline.store.writes import write_new

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)
CAR = "00000000000000000000000000000001"
SITE = "00000000000000000000000000000002"

FRAMES = [
    pytest.param(samples.VEHICLE_STATES, tables.vehicle_states, id="vehicle_states"),
    pytest.param(samples.ENERGY_STATES, tables.energy_states, id="energy_states"),
    pytest.param(samples.ENERGY_INTERVALS, energy_intervals, id="energy_intervals"),
    pytest.param(samples.ENERGY_DAILY, energy_daily, id="energy_daily"),
]
VALUES: dict[pl.DataType, Any] = {
    pl.String(): "x",
    pl.Boolean(): True,
    pl.Int16(): 7,
    pl.Float64(): 0.1,
    pl.Date(): date(2024, 5, 6),
    samples.UTC_TIME: NOON,
}
IDS = {"vehicle_id": CAR, "site_id": SITE, "raw_data": '{"a": 1}'}
FITTING = {
    "uuid": pl.String(),
    "text": pl.String(),
    "jsonb": pl.String(),
    "boolean": pl.Boolean(),
    "smallint": pl.Int16(),
    "double precision": pl.Float64(),
    "date": pl.Date(),
    "timestamp with time zone": samples.UTC_TIME,
}


@pytest.fixture
def household(database: Database) -> Database:
    """A database that knows a car and a site, and has a place for their samples of `NOON`."""
    with database.frames() as connection:
        for table in (tables.vehicle_states, tables.energy_states, energy_intervals):
            ensure_partitions(connection, table, [NOON])
    with database.rows() as rows:
        rows.execute(
            sa.insert(tables.vehicles).values(
                id=CAR, tesla_id=1, vin="5YJ3E1EA7KF000001", display_name="Ann's"
            )
        )
        rows.execute(
            sa.insert(tables.energy_sites).values(
                id=SITE, tesla_site_id=2, site_name="Home", time_zone="Asia/Kathmandu"
            )
        )
    return database


def insert(database: Database, table: sa.Table, **values: Any) -> None:
    with database.rows() as rows:
        rows.execute(sa.insert(table).values(values))


def read(database: Database, query: str, **values: Any) -> list[dict[str, Any]]:
    with database.rows() as rows:
        return [dict(row) for row in rows.execute(sa.text(query), values).mappings()]


@pytest.mark.parametrize(("schema", "table"), FRAMES)
def test_a_frames_columns_are_columns_of_its_table_with_fitting_types(
    database: Database, schema: pl.Schema, table: sa.Table
) -> None:
    query = (
        "select column_name, data_type, is_nullable = 'NO' and column_default is null as needed "
        "from information_schema.columns where table_name = :table"
    )
    columns = {row["column_name"]: row for row in read(database, query, table=table.name)}
    assert {name: FITTING[columns[name]["data_type"]] for name in schema} == dict(schema)
    assert {name for name, column in columns.items() if column["needed"]} <= set(schema)


@pytest.mark.parametrize(("schema", "table"), FRAMES)
def test_a_frame_of_the_schema_goes_in_and_comes_out(
    household: Database, schema: pl.Schema, table: sa.Table
) -> None:
    row = {name: IDS.get(name, VALUES[kind]) for name, kind in schema.items()}
    frame = pl.DataFrame([row], schema)
    with household.frames() as connection:
        copy_in(connection, table, frame)
        stored = read_frame(connection, sa.select(table), schema)
    assert stored.schema == schema
    assert stored.rows(named=True) == [row]


@pytest.mark.parametrize(
    ("table", "subject"),
    [
        ("vehicle_states", "vehicle_id"),
        ("energy_states", "site_id"),
        ("energy_intervals", "site_id"),
    ],
)
def test_a_time_series_is_keyed_on_its_subject_and_time_and_partitioned_by_time(
    database: Database, table: str, subject: str
) -> None:
    query = (
        "select pg_get_constraintdef(k.oid) as key, pg_get_partkeydef(conrelid) as partition "
        "from pg_constraint k where contype = 'p' and conrelid = cast(:table as regclass)"
    )
    keyed = {"key": f'PRIMARY KEY ({subject}, "timestamp")'}
    assert read(database, query, table=table) == [keyed | {"partition": 'RANGE ("timestamp")'}]


SESSION = {
    "vehicle_id": CAR,
    "started_at": NOON,
    "started_by": NOON,
    "is_inferred": False,
    "segments": 0,
    "samples": 1,
    "status": "completed",
}
HISTORY = {"site_id": SITE, "kind": "power", "date": NOON, "answer": {}, "received_at": NOON}
DAY = {"site_id": SITE, "date": NOON, "source": "app_export"}
REJECTED = {"endpoint": "a", "subject": "b", "body_digest": "c", "reason": "d", "body": "e"}


@pytest.mark.parametrize(
    ("table", "row", "other"),
    [
        pytest.param(tables.vehicles, {"vin": "X", "tesla_id": 8}, {"tesla_id": 9}, id="vin"),
        pytest.param(tables.vehicles, {"vin": "X", "tesla_id": 8}, {"vin": "Y"}, id="tesla_id"),
        pytest.param(drivers, {"name": "A", "profile_id": "1"}, {"name": "B"}, id="profile"),
        pytest.param(
            tables.energy_sites, {"tesla_site_id": 8}, {"site_name": "B"}, id="tesla_site_id"
        ),
        pytest.param(charging_sessions, SESSION, {"ended_at": NOON}, id="plug-in"),
        pytest.param(energy_history, HISTORY, {"answer": [1]}, id="history"),
        pytest.param(energy_daily, DAY, {"solar_produced_kwh": 1}, id="energy_daily"),
        pytest.param(tables.rejected_payloads, REJECTED, {"reason": "z"}, id="rejected"),
    ],
)
def test_what_is_one_thing_is_kept_once(
    household: Database, table: sa.Table, row: dict[str, Any], other: dict[str, Any]
) -> None:
    insert(household, table, **row)
    with pytest.raises(sa.exc.IntegrityError, match="duplicate key"):
        insert(household, table, **(row | other))


@pytest.mark.parametrize(
    ("table", "row", "reason"),
    [
        pytest.param(
            charging_sessions, SESSION | {"status": "over"}, "status_check", id="status"
        ),
        pytest.param(
            charging_sessions, SESSION | {"charger_type": "pub"}, "charger_type_check",
            id="charger",
        ),
        pytest.param(
            charging_sessions, SESSION | {"vehicle_id": SITE}, "vehicle_id_fkey", id="car"
        ),
        pytest.param(energy_history, HISTORY | {"kind": "gas"}, "kind_check", id="kind"),
        pytest.param(energy_history, HISTORY | {"site_id": CAR}, "site_id_fkey", id="site"),
        pytest.param(energy_daily, DAY | {"site_id": CAR}, "site_id_fkey", id="day's site"),
        pytest.param(energy_daily, DAY | {"source": None}, "not-null", id="source"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    household: Database, table: sa.Table, row: dict[str, Any], reason: str
) -> None:
    with pytest.raises(sa.exc.IntegrityError, match=reason):
        insert(household, table, **row)


def test_every_view_can_be_read_when_there_is_nothing(database: Database) -> None:
    views = read(database, "select table_name from information_schema.views "
                           "where table_schema = 'bi'")  # fmt: skip
    names = {view["table_name"] for view in views}
    assert names >= {
        "vehicles_now", "vehicle_states", "energy_sites_now", "energy_intervals", "energy_daily"
    }  # fmt: skip
    (month,) = read(database, "select calls, spent_usd from bi.budget")
    assert month == {"calls": 0, "spent_usd": 0.0}
    for name in names - {"budget"}:
        assert read(database, f"select * from bi.{name}") == []  # noqa: S608


def test_the_current_states_are_of_the_newest_samples_that_are_not_stale(
    household: Database,
) -> None:
    for minutes, is_stale in ((-10, False), (0, False), (-5, False), (5, True)):
        times = {"timestamp": NOON + timedelta(minutes=minutes), "is_stale": is_stale}
        insert(
            household, tables.vehicle_states, vehicle_id=CAR, battery_level=50 + minutes, **times
        )
        insert(household, tables.energy_states, site_id=SITE, solar_power_w=minutes, **times)
    insert(household, tables.vehicles, tesla_id=9, vin="NEVER SEEN")
    insert(household, tables.energy_sites, tesla_site_id=9)
    assert read(
        household, "select vin, timestamp, battery_level from bi.vehicles_now order by 1"
    ) == [
        {"vin": "5YJ3E1EA7KF000001", "timestamp": NOON, "battery_level": 50},
        {"vin": "NEVER SEEN", "timestamp": None, "battery_level": None},
    ]
    assert read(
        household,
        "select tesla_site_id, timestamp, solar_power_w, age > interval '1 day' as is_old "
        "from bi.energy_sites_now order by 1",
    ) == [
        {"tesla_site_id": 2, "timestamp": NOON, "solar_power_w": 0, "is_old": True},
        {"tesla_site_id": 9, "timestamp": None, "solar_power_w": None, "is_old": None},
    ]


def test_the_views_give_names_kilometres_and_local_times(household: Database) -> None:
    moving = {"speed": 60, "odometer": 1000, "battery_range": 100, "power": -12.5}
    insert(household, tables.vehicle_states, vehicle_id=CAR, timestamp=NOON, **moving)
    for view in ("vehicles_now", "vehicle_states"):
        row = read(household, f"select * from bi.{view}")[0]  # noqa: S608
        assert row["display_name"] == "Ann's"
        # A mile is 1.609344 km.
        assert (row["speed_mph"], row["speed_kmh"]) == (60, pytest.approx(96.56064))
        assert (row["odometer_mi"], row["odometer_km"]) == (1000, pytest.approx(1609.344))
        assert (row["rated_range_mi"], row["rated_range_km"]) == (100, pytest.approx(160.9344))
    interval = {"timestamp": NOON, "solar_wh": 42, "source": "test", "coverage": 1}
    insert(household, energy_intervals, site_id=SITE, **interval)
    row = read(household, "select * from bi.energy_intervals")[0]
    assert (row["site_name"], row["solar_wh"]) == ("Home", 42)
    assert row["local_time"] == datetime(2024, 5, 6, 17, 45)  # noqa: DTZ001 (a local time)


def test_the_view_of_the_days_says_what_does_not_balance(household: Database) -> None:
    sources = {"solar_produced_kwh": 10, "battery_discharged_kwh": 5, "grid_imported_kwh": 3,
               "generator_produced_kwh": 1}  # fmt: skip
    sinks = {"home_consumed_kwh": 12, "battery_charged_kwh": 4, "grid_exported_kwh": 2.5}
    insert(household, energy_daily, **(DAY | sources | sinks))
    row = read(household, "select * from bi.energy_daily")[0]
    assert (row["site_name"], row["date"]) == ("Home", date(2024, 5, 6))
    assert row["residual_kwh"] == pytest.approx(0.5)


def scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Table and kind of each scan in a plan."""
    if "Relation Name" in plan:
        yield plan["Relation Name"], plan["Node Type"]
    for part in plan.get("Plans", []):
        yield from scans(part)


def test_the_current_states_are_found_through_the_key_of_each_partition(
    household: Database,
) -> None:
    times = [NOON + timedelta(minutes=minutes) for minutes in range(3000)]
    with household.frames() as connection:
        frame = pl.DataFrame({"timestamp": times}, {"timestamp": samples.UTC_TIME})
        write_new(connection, tables.energy_states, frame.with_columns(site_id=pl.lit(SITE)))
        write_new(connection, tables.vehicle_states, frame.with_columns(vehicle_id=pl.lit(CAR)))
    with household.rows() as rows:
        rows.execute(sa.text("analyze"))
        for view, table in (
            ("energy_sites_now", "energy_states"),
            ("vehicles_now", "vehicle_states"),
        ):
            query = f"explain (format json) select * from bi.{view}"  # noqa: S608
            plan = rows.scalar(sa.text(query))
            found = {name: kind for name, kind in scans(plan[0]["Plan"]) if table in name}
            assert found.keys() >= {f"{table}_2024_05_{day:02}" for day in (6, 7, 8)}
            assert set(found.values()) <= {"Index Scan", "Index Only Scan"}
