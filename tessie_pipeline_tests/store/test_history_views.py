"""What readers see of samples, hours and days as one, and what of it Postgres reads for them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables import energy_sites, energy_states, vehicle_states, vehicles
from tessie_pipeline.store.tables.rollups import (
    energy_states_daily,
    energy_states_hourly,
    retention_log,
    vehicle_states_daily,
    vehicle_states_hourly,
)
from tessie_pipeline.store.writes import write_new

CAR, SITE, OTHER = (f"{digit}" * 32 for digit in "abc")
VIN = "5YJ3E1EA5LF000001"
NOON = datetime(2026, 7, 2, 12, tzinfo=UTC)
"""17:30 in Kolkata."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

SERIES = [
    pytest.param(ENERGY_SERIES, energy_states_hourly, energy_states_daily, id="energy"),
    pytest.param(VEHICLE_SERIES, vehicle_states_hourly, vehicle_states_daily, id="vehicle"),
]
SUBJECTS = {"site_id": SITE, "vehicle_id": CAR}


@pytest.fixture
def household(database: Database) -> Database:
    """A car and two sites, and places for their samples and hours of `NOON`."""
    add(database, vehicles, id=CAR, tesla_id=1, vin=VIN, display_name="Blue")
    zone = {"time_zone": "Asia/Kolkata"}
    add(database, energy_sites, id=SITE, tesla_site_id=1, site_name="House", **zone)
    add(database, energy_sites, id=OTHER, tesla_site_id=2, site_name="Hut", **zone)
    with database.frames() as connection:
        for table in (energy_states, vehicle_states):
            ensure_partitions(connection, table, [NOON - DAY, NOON, NOON + DAY])
        for table in (energy_states_hourly, vehicle_states_hourly):
            ensure_partitions(connection, table, [NOON])
    return database


def add(database: Database, table: sa.Table, **row: Any) -> None:
    with database.rows() as rows:
        rows.execute(sa.insert(table).values(row))


def sample(database: Database, at: datetime, **other: Any) -> None:
    add(database, energy_states, **({"site_id": SITE, "timestamp": at} | other))


def hour(database: Database, at: datetime, **other: Any) -> None:
    row = {"site_id": SITE, "timestamp": at, "sample_count": 12, "covered_s": 3600.0}
    add(database, energy_states_hourly, **(row | other))


def dropped(database: Database, series: Series, day: date) -> None:
    """The account of a day whose samples have become hours."""
    sizes = {"rows": 1, "bytes": 1, "rollup_rows": 1, "checksum": "0", "duration_s": 1.0}
    add(database, retention_log, series=series.name, start=day, end=day + DAY, **sizes)


def read(database: Database, query: str) -> list[dict[str, Any]]:
    with database.rows() as rows:
        return [dict(row) for row in rows.execute(sa.text(query)).mappings()]


def scanned(database: Database, query: str) -> list[str]:
    """The tables that Postgres plans to read for a query, once for each time."""

    def tables(plan: dict[str, Any]) -> Iterator[str]:
        if "Relation Name" in plan:
            yield plan["Relation Name"]
        for part in plan.get("Plans", []):
            yield from tables(part)

    with database.rows() as rows:
        plan = rows.scalar(sa.text(f"explain (format json) {query}"))
    return sorted(tables(plan[0]["Plan"]))


def test_a_sample_is_its_own_lowest_mean_highest_first_and_last(household: Database) -> None:
    sample(household, NOON, grid_power_w=-300.0, battery_percentage=40.0, energy_left_wh=5400.0,
           total_pack_energy_wh=13500.0, grid_status="Active", island_status="on_grid")  # fmt: skip
    (row,) = read(household, "select * from bi.energy_history")
    readings = {name: value for name, value in row.items() if value is not None}
    assert readings == {
        "tesla_site_id": 1,
        "site_name": "House",
        "timestamp": NOON,
        "local_time": datetime(2026, 7, 2, 17, 30),  # noqa: DTZ001
        "resolution": "sample",
        "sample_count": 1,
        "covered_s": 0.0,
        "first_at": NOON,
        "last_at": NOON,
        "grid_power_min_w": -300.0,
        "grid_power_mean_w": -300.0,
        "grid_power_max_w": -300.0,
        "battery_percentage_min_pct": 40.0,
        "battery_percentage_mean_pct": 40.0,
        "battery_percentage_max_pct": 40.0,
        "battery_percentage_first_pct": 40.0,
        "battery_percentage_last_pct": 40.0,
        "energy_left_first_wh": 5400.0,
        "energy_left_last_wh": 5400.0,
        "total_pack_energy_last_wh": 13500.0,
        "grid_statuses": "Active",
        "island_statuses": "on_grid",
    }


def test_a_sample_of_a_car_is_in_miles_and_kilometres(household: Database) -> None:
    add(household, vehicle_states, vehicle_id=CAR, timestamp=NOON, battery_level=60,
        usable_battery_level=58, charge_limit_soc=80, odometer=1000.0, battery_range=200.0,
        speed=50.0, firmware="2026.20.1")  # fmt: skip
    (row,) = read(household, "select * from bi.vehicle_history")
    readings = {name: value for name, value in row.items() if value is not None}
    # A mile is 1.609344 km.
    assert readings == {
        "vin": VIN,
        "display_name": "Blue",
        "timestamp": NOON,
        "resolution": "sample",
        "sample_count": 1,
        "covered_s": 0.0,
        "first_at": NOON,
        "last_at": NOON,
        **{f"battery_level_{what}_pct": 60 for what in ("min", "mean", "max", "first", "last")},
        "usable_battery_level_last_pct": 58,
        "charge_limit_soc_last_pct": 80,
        **{f"odometer_{end}_mi": 1000.0 for end in ("first", "last")},
        **{f"odometer_{end}_km": pytest.approx(1609.344) for end in ("first", "last")},
        **{f"battery_range_{end}_mi": 200.0 for end in ("first", "last")},
        **{f"battery_range_{end}_km": pytest.approx(321.8688) for end in ("first", "last")},
        "speed_mean_mph": 50.0,
        "speed_max_mph": 50.0,
        "speed_mean_kmh": pytest.approx(80.4672),
        "speed_max_kmh": pytest.approx(80.4672),
        "firmware_last": "2026.20.1",
    }


@pytest.mark.parametrize(("series", "hourly", "daily"), SERIES)
def test_hours_and_days_come_with_all_their_figures_under_their_names(
    household: Database, series: Series, hourly: sa.Table, daily: sa.Table
) -> None:
    figures = {
        measure.name: str(number) if series.schema[measure.name] == pl.String() else float(number)
        for number, measure in enumerate(series.measures)
    }
    row = {series.subject: SUBJECTS[series.subject], **figures, "sample_count": 7,
           "covered_s": 1800.0, "first_at": NOON, "last_at": NOON + MINUTE}  # fmt: skip
    add(household, hourly, timestamp=NOON, **row)
    add(household, daily, timestamp=NOON - 300 * DAY, **row)
    view = f"bi.{series.name.removesuffix('_states')}_history"
    found = read(household, f"select * from {view} order by timestamp")  # noqa: S608
    assert [row["resolution"] for row in found] == ["day", "hour"]
    for shown in found:
        assert shown.items() >= (row.items() - {(series.subject, SUBJECTS[series.subject])})


def test_what_is_kept_in_different_detail_is_one_history(household: Database) -> None:
    for at in (NOON, NOON + 5 * MINUTE):
        sample(household, at)
    hour(household, NOON - 3 * HOUR, sample_count=11)
    hour(household, NOON - 2 * HOUR, sample_count=0)  # only the line to the next sample
    day = {"timestamp": NOON - 400 * DAY, "sample_count": 250, "covered_s": 80000.0}
    add(household, energy_states_daily, site_id=SITE, **day)
    rows = read(household, "select timestamp, resolution, sample_count from bi.energy_history "
                           "where site_name = 'House' order by timestamp")  # fmt: skip
    assert [tuple(row.values()) for row in rows] == [
        (NOON - 400 * DAY, "day", 250),
        (NOON - 3 * HOUR, "hour", 11),
        (NOON - 2 * HOUR, "hour", 0),
        (NOON, "sample", 1),
        (NOON + 5 * MINUTE, "sample", 1),
    ]


@pytest.mark.parametrize(
    ("series", "table"),
    [
        pytest.param(ENERGY_SERIES, energy_states, id="energy"),
        pytest.param(VEHICLE_SERIES, vehicle_states, id="vehicle"),
    ],
)
def test_what_came_late_for_a_day_that_was_dropped_is_not_shown_until_it_is_merged(
    household: Database, series: Series, table: sa.Table
) -> None:
    other = VEHICLE_SERIES if series is ENERGY_SERIES else ENERGY_SERIES
    midnight = datetime(2026, 7, 2, tzinfo=UTC)
    times = [midnight - timedelta(seconds=1), midnight, midnight + DAY]
    for at in times:
        add(household, table, **{series.subject: SUBJECTS[series.subject], "timestamp": at})
    view = f"bi.{series.name.removesuffix('_states')}_history"
    query = f"select timestamp from {view} order by timestamp"  # noqa: S608
    dropped(household, other, date(2026, 7, 2))
    assert [row["timestamp"] for row in read(household, query)] == times
    dropped(household, series, date(2026, 7, 2))
    assert [row["timestamp"] for row in read(household, query)] == [times[0], times[2]]


def test_the_energies_of_a_sample_are_those_of_the_line_to_the_next(household: Database) -> None:
    sample(household, NOON, solar_power_w=600.0, battery_power_w=1000.0, grid_power_w=-90.0,
           load_power_w=0.0)  # fmt: skip
    sample(household, NOON + 10 * MINUTE, solar_power_w=1200.0, battery_power_w=-500.0,
           grid_power_w=-30.0, load_power_w=0.0)  # fmt: skip
    sample(household, NOON + 20 * MINUTE + timedelta(seconds=1), solar_power_w=1.0)
    sample(household, NOON + 11 * MINUTE, site_id=OTHER, solar_power_w=9e9)
    first, second, third = read(
        household, "select * from bi.energy_history where site_name = 'House' order by timestamp"
    )
    assert [row["covered_s"] for row in (first, second, third)] == [600, 0, 0]
    # Ten minutes are 1/6 h; the battery's line is above zero for two thirds of them.
    expected = {
        "solar_wh": 900 / 6,
        "battery_discharged_wh": 1000 / 2 * 2 / 3 / 6,
        "battery_charged_wh": 500 / 2 * 1 / 3 / 6,
        "grid_imported_wh": 0,
        "grid_exported_wh": 60 / 6,
        "load_wh": 0,
        "generator_wh": None,  # nobody said
    }
    assert {name: first[name] for name in expected} == {
        name: value if value is None else pytest.approx(value) for name, value in expected.items()
    }
    for row in (second, third):  # the next one came a second too late, or not at all
        assert {row[name] for name in expected} == {None}


def test_the_energies_and_times_of_a_car_last_until_its_next_sample(household: Database) -> None:
    readings: list[tuple[int, float, float, bool | None]] = [
        (0, -10.0, 8.0, True),
        (15, 20.0, 4.0, False),
        (18, 0.0, 0.0, None),
    ]
    for minutes, power, charger_power, is_locked in readings:
        at = NOON + minutes * MINUTE
        add(household, vehicle_states, vehicle_id=CAR, timestamp=at, power=power,
            charger_power=charger_power, is_locked=is_locked)  # fmt: skip
    rows = read(household, "select * from bi.vehicle_history order by timestamp")
    # A quarter of an hour, a third of it below zero, then a twentieth.
    expected: dict[str, list[float | None]] = {
        "covered_s": [900, 180, 0],
        "power_in_kwh": [10 / 2 / 3 / 4, 0, None],
        "power_out_kwh": [20 / 2 * 2 / 3 / 4, 10 / 20, None],
        "charger_kwh": [6 / 4, 2 / 20, None],
        "locked_s": [900, 0, None],
        "sentry_mode_s": [None, None, None],
    }
    for name, values in expected.items():
        wanted = [value if value is None else pytest.approx(value) for value in values]
        assert [row[name] for row in rows] == wanted, name


def test_sums_over_samples_are_those_of_the_hour_of_the_same_samples(household: Database) -> None:
    for number, (grid_w, solar_w) in enumerate([(-600, 0), (600, 0), (0, 1200), (0, 0)]):
        at = NOON + number * 5 * MINUTE
        sample(household, at, site_id=OTHER, grid_power_w=grid_w, solar_power_w=solar_w)
    # By hand: twelve lines of five minutes are an hour. Export: 300 W for half a line; import:
    # 300 W for half a line and for one; solar: 600 W for two lines.
    hour(household, NOON, sample_count=4, covered_s=900.0, grid_exported_wh=300 / 24,
         grid_imported_wh=300 / 24 + 300 / 12, solar_wh=2 * 600 / 12,
         grid_power_min_w=-600.0, solar_power_max_w=1200.0)  # fmt: skip
    rows = read(household, "select resolution, sum(sample_count) as samples, "
                           "sum(covered_s) as covered_s, sum(grid_exported_wh) as exported_wh, "
                           "sum(grid_imported_wh) as imported_wh, sum(solar_wh) as solar_wh, "
                           "min(grid_power_min_w) as least_w, max(solar_power_max_w) as most_w "
                           "from bi.energy_history group by 1 order by 1")  # fmt: skip
    of_hours, of_samples = rows
    assert (of_hours.pop("resolution"), of_samples.pop("resolution")) == ("hour", "sample")
    assert of_samples == pytest.approx(of_hours)


def test_only_the_partitions_of_the_times_that_are_asked_for_are_read(household: Database) -> None:
    some_samples(household)
    when = "timestamp >= '2026-07-02' and timestamp < '2026-07-03'"
    names = {"energy_history": "site_name = 'House'", "vehicle_history": f"vin = '{VIN}'"}
    for view, whose in names.items():
        found = scanned(household, f"select timestamp from bi.{view} where {whose} and {when}")  # noqa: S608
        series = view.replace("history", "states")
        states = [name for name in found if name.startswith(series)]
        assert states == [
            f"{series}_2026_07_02",
            f"{series}_daily",
            f"{series}_hourly_2026_07_01",
        ]


@pytest.mark.parametrize(
    ("columns", "times"),
    [
        pytest.param("timestamp, solar_power_mean_w, grid_statuses", 1, id="readings"),
        pytest.param("count(*)", 1, id="a count"),
        pytest.param("timestamp, solar_wh", 2, id="an energy"),
        pytest.param("*", 2, id="all"),
    ],
)
def test_the_next_sample_is_only_looked_for_where_something_of_it_is_asked_for(
    household: Database, columns: str, times: int
) -> None:
    some_samples(household)
    day = "tesla_site_id = 1 and timestamp >= '2026-07-02' and timestamp < '2026-07-03'"
    query = f"select {columns} from bi.energy_history where {day}"  # noqa: S608
    assert scanned(household, query).count("energy_states_2026_07_02") == times


def test_who_asks_for_hours_does_not_read_samples(household: Database) -> None:
    some_samples(household)
    query = "select timestamp, solar_wh from bi.energy_history where resolution = 'hour'"
    assert set(scanned(household, query)) == {"energy_states_hourly_2026_07_01", "energy_sites"}


def some_samples(database: Database) -> None:
    """A sample a minute for three days, of a site and of the car."""
    times = pl.DataFrame({"timestamp": [NOON - DAY + n * MINUTE for n in range(3000)]})
    times = times.cast(pl.Schema({"timestamp": UTC_TIME}))
    with database.frames() as connection:
        write_new(connection, energy_states, times.with_columns(site_id=pl.lit(SITE)))
        write_new(connection, vehicle_states, times.with_columns(vehicle_id=pl.lit(CAR)))
    with database.rows() as rows:
        rows.execute(sa.text("analyze"))
