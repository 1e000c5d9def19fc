"""What readers see of charging and drives, and the questions of `docs/charging.md`."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.orchestration.charging import derive_sessions, label_sessions
from tessie_pipeline.orchestration.costs import derive_costs
from tessie_pipeline.orchestration.drives import derive_drives, label_drives
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.habits import EVERY_HABIT
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.registries import vehicle_ids
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables import (
    energy_sites,
    vehicle_states,
    vehicles,
)
from tessie_pipeline.store.tables.charging import (
    charging_attribution,
    charging_costs,
    charging_segments,
    charging_sessions,
)
from tessie_pipeline.store.tables.drives import driver_rules, drivers, drives, unseen_distances
from tessie_pipeline.store.tables.energy import energy_intervals, solar_attribution_daily
from tessie_pipeline.store.tables.prices import places, tariff_rates, tariffs
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.simulator.samples import samples_of, utc

DOCUMENT = Path(__file__).parents[2] / "docs" / "charging.md"
QUESTIONS = re.findall(r"\n([^\n]+\?)\n\n```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)

CAR, SITE, HOME, SHOP, ANN = (f"{digit}" * 32 for digit in "abcde")
VIN = "5YJ3E1EA5LF000001"
EVENING = datetime(2026, 7, 2, 3, tzinfo=UTC)
"""20:00 on 1 July in Los Angeles, seven hours behind UTC."""
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def household(database: Database) -> Database:
    """A car, a home with an energy site, a shop without one, and a driver."""
    insert(database, vehicles, id=CAR, tesla_id=1, vin=VIN, display_name="Blue")
    insert(database, energy_sites, id=SITE, tesla_site_id=1, site_name="House",
           time_zone="America/Los_Angeles")  # fmt: skip
    insert(database, places, id=HOME, name="Home", latitude=34, longitude=-118, site_id=SITE)
    insert(database, places, id=SHOP, name="Shop", latitude=35, longitude=-118)
    insert(database, drivers, id=ANN, name="Ann")
    return database


def insert(database: Database, table: sa.Table, **row: Any) -> None:
    with database.rows() as connection:
        connection.execute(sa.insert(table).values(row))


def session(database: Database, started_at: datetime = EVENING, **other: Any) -> None:
    """A plug-in of ten hours at home: 30 kWh into the battery of 32 from the wall, for 6.40."""
    row = {
        "vehicle_id": CAR,
        "started_at": started_at,
        "ended_at": started_at + 10 * HOUR,
        "started_after": started_at - 4 * MINUTE,
        "started_by": started_at,
        "ended_after": started_at + 10 * HOUR - 90 * timedelta(seconds=1),
        "ended_by": started_at + 10 * HOUR,
        "duration_minutes": 600.0,
        "energy_added_kwh": 30.0,
        "energy_used_kwh": 32.0,
        "is_inferred": False,
        "segments": 1,
        "samples": 120,
        "odometer": 1000.0,
        "charger_type": "home",
        "location_name": "Home",
        "place_id": HOME,
        "site_id": SITE,
        "cost": Decimal("6.40"),
        "cost_with_solar": Decimal("5.20"),
        "cost_currency": "USD",
        "solar_energy_kwh": 8.0,
        "solar_percentage": 25.0,
        "status": "completed",
    }
    insert(database, charging_sessions, **row | other)


def line(database: Database, number: int, **other: Any) -> None:
    """A line of the plug-in of the evening."""
    row = {"vehicle_id": CAR, "session_started_at": EVENING, "line": number, "kind": "energy"}
    insert(database, charging_costs, **row | other)


def drive(database: Database, started_at: datetime = EVENING, **other: Any) -> None:
    """Half an hour from home to the shop: 20 miles with 5 kWh."""
    row = {
        "vehicle_id": CAR,
        "started_at": started_at,
        "ended_at": started_at + 30 * MINUTE,
        "started_after": started_at - MINUTE,
        "started_by": started_at + MINUTE,
        "ended_after": started_at + 29 * MINUTE,
        "ended_by": started_at + 30 * MINUTE,
        "duration_minutes": 30.0,
        "start_odometer": 1000.0,
        "end_odometer": 1020.0,
        "distance_miles": 20.0,
        "start_place_id": HOME,
        "end_place_id": SHOP,
        "driver_id": ANN,
        "energy_used_kwh": 5.0,
        "energy_source": "power",
        "efficiency_wh_per_mile": 250.0,
        "speed_avg_mph": 40.0,
        "speed_max_mph": 60.0,
        "outside_temp_avg": 21.5,
        "is_inferred": False,
        "samples": 30,
    }
    insert(database, drives, **row | other)


def unseen(database: Database, after: datetime, miles: float) -> None:
    """A distance that was driven unseen in two hours."""
    insert(database, unseen_distances, vehicle_id=CAR, after=after, before=after + 2 * HOUR,
           from_odometer=500.0, to_odometer=500 + miles, distance_miles=miles,
           from_battery_level=60, to_battery_level=50)  # fmt: skip


def view(database: Database, name: str) -> list[dict[str, Any]]:
    with database.rows() as connection:
        rows = connection.execute(sa.text(f"select * from bi.{name}"))  # noqa: S608
        return [dict(row) for row in rows.mappings()]


def only(database: Database, name: str) -> dict[str, Any]:
    (row,) = view(database, name)
    return row


def shown(row: dict[str, Any], expected: dict[str, Any]) -> None:
    """Holds if the row has what is expected, numbers to a millionth."""
    for name, value in expected.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        assert (float(row[name]) if is_number else row[name]) == (
            pytest.approx(value) if is_number else value
        ), name


def test_a_plug_in_is_shown_by_its_sites_clock_and_in_both_units(household: Database) -> None:
    session(household, start_battery_level=40, end_battery_level=80, charge_limit_soc=80,
            outside_temp=15.5)  # fmt: skip
    shown(
        only(household, "charging_sessions"),
        {
            "vin": VIN,
            "display_name": "Blue",
            "started_at": EVENING,
            "time_zone": "America/Los_Angeles",
            "local_started_at": datetime(2026, 7, 1, 20),  # noqa: DTZ001
            "local_ended_at": datetime(2026, 7, 2, 6),  # noqa: DTZ001
            "location_name": "Home",
            "site_name": "House",
            "start_battery_level_pct": 40,
            "end_battery_level_pct": 80,
            "charge_limit_pct": 80,
            "odometer_mi": 1000.0,
            "odometer_km": 1609.344,
            "outside_temp_c": 15.5,
            "solar_pct": 25.0,
            "start_uncertainty_minutes": 4.0,
            "end_uncertainty_minutes": 1.5,
        },
    )


def test_a_plug_in_without_a_site_is_shown_by_the_clock_of_the_household_else_in_utc(
    household: Database,
) -> None:
    session(household, site_id=None, place_id=None, location_name=None)
    row = only(household, "charging_sessions")
    assert (row["time_zone"], row["site_name"]) == ("America/Los_Angeles", None)
    with household.rows() as rows:
        rows.execute(sa.text("update energy_sites set removed_at = now()"))
    row = only(household, "charging_sessions")
    assert row["time_zone"] == "UTC"
    assert row["local_started_at"] == EVENING.replace(tzinfo=None)


def test_a_plug_in_that_lasts_has_no_end_and_no_uncertainty_of_it(household: Database) -> None:
    session(household, ended_at=None, ended_by=None, started_after=None, status="in_progress")
    shown(
        only(household, "charging_sessions"),
        {
            "ended_at": None,
            "local_ended_at": None,
            "start_uncertainty_minutes": None,
            "end_uncertainty_minutes": None,
        },
    )


def test_the_price_of_a_kwh_is_the_cost_over_what_was_drawn(household: Database) -> None:
    session(household)
    assert only(household, "charging_sessions")["price_per_kwh"] is None
    line(household, 1, energy_kwh=24.0)
    line(household, 2, energy_kwh=8.0)
    line(household, 3, kind="fee")
    # 6.40 for 32 kWh
    assert only(household, "charging_sessions")["price_per_kwh"] == Decimal("0.20")


def test_where_the_energy_of_a_plug_in_came_from_has_a_row_per_policy(household: Database) -> None:
    session(household)
    split = {"energy_kwh": 32.0, "from_solar_kwh": 4.0, "from_battery_solar_kwh": 4.0,
             "from_battery_grid_kwh": 8.0, "from_grid_kwh": 8.0, "unattributed_kwh": 8.0,
             "solar_kwh": 8.0, "solar_pct": 33.3, "coverage_pct": 75.0}  # fmt: skip
    key = {"vehicle_id": CAR, "session_started_at": EVENING}
    for policy in ("ev_last", "proportional"):
        insert(household, charging_attribution, **key, policy=policy, **split)
    rows = view(household, "charging_attribution")
    assert {row["policy"] for row in rows} == {"ev_last", "proportional"}
    told = {
        "vin": VIN,
        "display_name": "Blue",
        "site_name": "House",
        "location_name": "Home",
        "local_session_started_at": datetime(2026, 7, 1, 20),  # noqa: DTZ001
    }
    for row in rows:
        shown(row, {**told, **split})
    assert only(household, "charging_sessions")["solar_coverage_pct"] == 75.0


def test_a_day_of_a_site_tells_the_cars_from_the_home(household: Database) -> None:
    day = {"site_id": SITE, "date": date(2026, 7, 1), "policy": "ev_last", "currency": "USD"}
    insert(household, solar_attribution_daily, **day, vehicle_id=CAR, energy_kwh=32.0,
           solar_kwh=8.0, grid_cost=4.8, solar_value=0.4)  # fmt: skip
    insert(household, solar_attribution_daily, **day, energy_kwh=9.0, solar_kwh=6.0)
    car, home = sorted(view(household, "solar_attribution_daily"), key=lambda row: row["used_by"])
    of_both = {"site_name": "House", "date": date(2026, 7, 1), "policy": "ev_last"}
    costs = {"grid_cost": 4.8, "solar_value": 0.4, "currency": "USD"}
    shown(car, {**of_both, **costs, "used_by": "Blue", "vin": VIN, "energy_kwh": 32.0})
    shown(home, {**of_both, "used_by": "home", "vin": None, "energy_kwh": 9.0, "solar_kwh": 6.0})


def test_a_segment_says_where_and_when_it_was(household: Database) -> None:
    session(household)
    insert(
        household,
        charging_segments,
        vehicle_id=CAR,
        session_started_at=EVENING,
        started_at=EVENING + 2 * HOUR,
        ended_at=EVENING + 5 * HOUR,
        started_after=EVENING + 2 * HOUR - 3 * MINUTE,
        started_by=EVENING + 2 * HOUR + 2 * MINUTE,
        ended_after=EVENING + 5 * HOUR,
        ended_by=EVENING + 5 * HOUR + MINUTE,
        start_battery_level=41,
        end_battery_level=80,
        energy_added_kwh=30.0,
        is_inferred=False,
        samples=36,
    )
    shown(
        only(household, "charging_segments"),
        {
            "display_name": "Blue",
            "location_name": "Home",
            "charger_type": "home",
            "session_started_at": EVENING,
            "local_started_at": datetime(2026, 7, 1, 22),  # noqa: DTZ001
            "local_ended_at": datetime(2026, 7, 2, 1),  # noqa: DTZ001
            "duration_minutes": 180.0,
            "start_battery_level_pct": 41,
            "energy_added_kwh": 30.0,
            "start_uncertainty_minutes": 5.0,
            "end_uncertainty_minutes": 1.0,
            "charging_session_id": only(household, "charging_sessions")["charging_session_id"],
        },
    )


def test_a_line_of_a_cost_says_where_and_when_it_was(household: Database) -> None:
    session(household)
    line(household, 1, start=EVENING + HOUR, end=EVENING + 3 * HOUR, energy_kwh=32.0,
         solar_kwh=8.0, grid_kwh=24.0, unit="kwh", buy_price=Decimal("0.2"),
         sell_price=Decimal("0.05"), amount_grid=Decimal("6.4"), amount_solar=Decimal("5.2"),
         currency="USD", tariff_name="Night")  # fmt: skip
    line(household, 2, kind="fee", amount_grid=Decimal("0.5"))
    first, second = sorted(view(household, "charging_costs"), key=lambda row: row["line"])
    shown(
        first,
        {
            "display_name": "Blue",
            "location_name": "Home",
            "local_session_started_at": datetime(2026, 7, 1, 20),  # noqa: DTZ001
            "local_started_at": datetime(2026, 7, 1, 21),  # noqa: DTZ001
            "local_ended_at": datetime(2026, 7, 1, 23),  # noqa: DTZ001
            "buy_price": Decimal("0.2"),
            "amount_grid": Decimal("6.4"),
            "amount_solar": Decimal("5.2"),
            "tariff_name": "Night",
        },
    )
    shown(second, {"kind": "fee", "started_at": None, "local_started_at": None})


def test_a_drive_is_shown_in_both_units_with_places_and_driver(household: Database) -> None:
    drive(household)
    shown(
        only(household, "drives"),
        {
            "display_name": "Blue",
            "driver_name": "Ann",
            "local_started_at": datetime(2026, 7, 1, 20),  # noqa: DTZ001
            "local_ended_at": datetime(2026, 7, 1, 20, 30),  # noqa: DTZ001
            "start_place": "Home",
            "end_place": "Shop",
            "distance_mi": 20.0,
            "distance_km": 32.18688,
            "efficiency_wh_per_mi": 250.0,
            "efficiency_wh_per_km": 155.342798,  # 250 / 1.609344
            "speed_avg_kmh": 64.37376,
            "speed_max_kmh": 96.56064,
            "outside_temp_avg_c": 21.5,
            "start_odometer_km": 1609.344,
            "end_odometer_mi": 1020.0,
            "energy_source": "power",
            "start_uncertainty_minutes": 2.0,
            "end_uncertainty_minutes": 1.0,
        },
    )


@pytest.mark.parametrize(
    ("start", "end", "zone"),
    [
        pytest.param(SHOP, HOME, "America/Los_Angeles", id="to a site"),
        pytest.param(SHOP, None, "America/Los_Angeles", id="far from all"),
    ],
)
def test_a_drive_is_shown_by_the_clock_of_a_site_at_one_of_its_ends(
    household: Database, start: str, end: str | None, zone: str
) -> None:
    drive(household, start_place_id=start, end_place_id=end)
    assert only(household, "drives")["time_zone"] == zone


def test_each_driver_has_a_row_a_month_and_so_has_what_nobody_is_known_to_have_driven(
    household: Database,
) -> None:
    drive(household)
    drive(household, EVENING + HOUR, distance_miles=10.0, energy_used_kwh=None)
    drive(household, EVENING + 2 * HOUR, distance_miles=10.0, energy_used_kwh=3.0, driver_id=None)
    rows = sorted(view(household, "driver_statistics"), key=lambda row: str(row["driver_name"]))
    anns, nobodys = rows
    shown(
        anns,
        {
            "month": date(2026, 7, 1),
            "driver_name": "Ann",
            "drives": 2,
            "hours": 1.0,
            "distance_mi": 30.0,
            "distance_km": 48.28032,
            "distance_share_pct": 75.0,  # 30 of 40
            "energy_used_kwh": 5.0,
            "energy_coverage_pct": 66.666667,  # 20 of 30
            "efficiency_wh_per_mi": 250.0,  # 5 kWh over the 20 miles
            "efficiency_wh_per_km": 155.342798,
        },
    )
    shown(
        nobodys,
        {"driver_name": None, "drives": 1, "distance_share_pct": 25.0, "energy_used_kwh": 3.0},
    )


def test_a_month_begins_at_local_midnight(household: Database) -> None:
    # 06:59 and 07:00 UTC are 23:59 on 31 July and midnight of 1 August in Los Angeles.
    midnight = datetime(2026, 8, 1, 7, tzinfo=UTC)
    drive(household, midnight - MINUTE)
    drive(household, midnight)
    session(household, midnight - MINUTE)
    session(household, midnight)
    months = {date(2026, 7, 1): 1, date(2026, 8, 1): 1}
    for name in ("driver_statistics", "vehicle_months"):
        assert {row["month"]: row["drives"] for row in view(household, name)} == months
    rows = view(household, "vehicle_months")
    assert {row["month"]: row["charging_sessions"] for row in rows} == months


def test_unseen_distance_says_from_when_to_when(household: Database) -> None:
    unseen(household, EVENING, miles=50.0)
    shown(
        only(household, "unseen_distances"),
        {
            "display_name": "Blue",
            "last_seen_at": EVENING,
            "seen_again_at": EVENING + 2 * HOUR,
            "hours": 2.0,
            "distance_mi": 50.0,
            "distance_km": 80.4672,
            "from_odometer_mi": 500.0,
            "to_odometer_km": 885.1392,  # 550 miles
            "from_battery_level_pct": 60,
            "to_battery_level_pct": 50,
        },
    )


def test_a_month_adds_up_what_was_driven_and_charged(household: Database) -> None:
    drive(household)
    drive(household, EVENING + HOUR, distance_miles=30.0, energy_used_kwh=None)
    unseen(household, EVENING, miles=50.0)
    session(household)
    session(household, EVENING + 24 * HOUR, charger_type="supercharger", site_id=None,
            solar_energy_kwh=None, cost=Decimal("13.60"), cost_with_solar=Decimal("13.60"),
            )  # fmt: skip
    shown(
        only(household, "vehicle_months"),
        {
            "vin": VIN,
            "display_name": "Blue",
            "month": date(2026, 7, 1),
            "drives": 2,
            "driven_mi": 50.0,
            "driven_km": 80.4672,
            "unseen_mi": 50.0,
            "unseen_km": 80.4672,
            "energy_used_kwh": 5.0,
            "energy_coverage_pct": 40.0,  # 20 of 50
            "efficiency_wh_per_mi": 250.0,
            "charging_sessions": 2,
            "home_sessions": 1,
            "supercharger_sessions": 1,
            "other_sessions": 0,
            "energy_added_kwh": 60.0,
            "solar_energy_kwh": 8.0,
            "cost": Decimal("20.00"),
            "cost_with_solar": Decimal("18.80"),
            "cost_currency": "USD",
            "sessions_without_cost": 0,
            "cost_per_100_km": 12.427424,  # 20 over 100 miles, which are 160.9344 km
            "cost_per_mi": 0.2,
        },
    )


def test_a_month_in_which_the_car_only_moved_unseen_is_a_row(household: Database) -> None:
    unseen(household, EVENING, miles=50.0)
    shown(
        only(household, "vehicle_months"),
        {"drives": 0, "driven_mi": 0.0, "unseen_mi": 50.0, "charging_sessions": 0, "cost": None},
    )


def test_what_a_distance_cost_is_told_only_if_all_costs_are_known(household: Database) -> None:
    drive(household)
    session(household)
    session(household, EVENING + 24 * HOUR, cost=None, cost_with_solar=None, cost_currency=None)
    shown(
        only(household, "vehicle_months"),
        {"cost": Decimal("6.40"), "sessions_without_cost": 1, "cost_per_100_km": None,
         "cost_per_mi": None},
    )  # fmt: skip


def test_a_plug_in_that_charged_nothing_needs_no_cost(household: Database) -> None:
    drive(household)
    session(household)
    session(household, EVENING + 24 * HOUR, cost=None, cost_currency=None, energy_added_kwh=0.0)
    # 6.40 over 20 miles
    shown(only(household, "vehicle_months"), {"sessions_without_cost": 0, "cost_per_mi": 0.32})


def test_a_plug_in_that_charged_nothing_does_not_hide_the_cost_with_solar(
    household: Database,
) -> None:
    session(household)
    session(household, EVENING + 24 * HOUR, energy_added_kwh=0.0, cost=Decimal(0),
            cost_with_solar=None, cost_currency=None)  # fmt: skip
    shown(
        only(household, "vehicle_months"),
        {"cost": Decimal("6.40"), "cost_with_solar": Decimal("5.20"), "cost_currency": "USD"},
    )


def test_costs_in_two_currencies_are_not_added(household: Database) -> None:
    drive(household)
    session(household)
    session(household, EVENING + 24 * HOUR, cost_currency="CAD")
    shown(
        only(household, "vehicle_months"),
        {"cost": None, "cost_with_solar": None, "cost_currency": None, "cost_per_mi": None},
    )


def test_a_month_knows_no_cost_with_solar_while_one_of_a_plug_in_is_not_known(
    household: Database,
) -> None:
    session(household)
    session(household, EVENING + 24 * HOUR, cost_with_solar=None)
    shown(only(household, "vehicle_months"), {"cost": Decimal("12.80"), "cost_with_solar": None})


@pytest.fixture(scope="module")
def filled(server_url: sa.URL, template: str) -> Iterator[Database]:
    """A week of two cars, one with every habit, at a home half of whose energy is solar."""
    for database in new_database(server_url, f"template {template}"):
        _fill(database, utc("2026-10-01T00:00"), utc("2026-10-08T00:00"))
        yield database


def _fill(database: Database, start: datetime, end: datetime) -> None:
    fleet = Fleet(vehicles=1, further=[EVERY_HABIT])
    (site,) = fleet.sites
    insert(database, energy_sites, id=SITE, tesla_site_id=1, time_zone=site.zone)
    insert(database, tariffs, id=HOME, name="House", currency="EUR", time_zone=site.zone)
    insert(database, tariff_rates, tariff_id=HOME, position=0, price=Decimal("0.30"))
    insert(database, places, id=HOME, name="Home", kind="home", latitude=site.latitude_deg,
           longitude=site.longitude_deg, site_id=SITE, tariff_name="House")  # fmt: skip
    insert(database, drivers, id=ANN, name="Ann")
    with database.rows() as connection:
        for car in fleet.cars:
            row = {"tesla_id": car.vehicle_id, "vin": car.vin, "display_name": car.name}
            connection.execute(sa.insert(vehicles).values(row))
        ids = vehicle_ids(connection)
    insert(database, driver_rules, driver_id=ANN, vehicle_id=ids[fleet.cars[0].vehicle_id])
    samples = samples_of(fleet, ids, start, end)
    with database.frames() as frames:
        add_states(frames, vehicle_states, samples)
        ensure_partitions(frames, energy_intervals, [start, end])
    with database.rows() as connection:
        interval = {"source": "test", "coverage": 1, "home_wh": 100, "solar_to_home_wh": 50}
        at = sa.func.generate_series(start, end, timedelta(minutes=5))
        connection.execute(
            sa.insert(energy_intervals).from_select(
                ["site_id", "timestamp", *interval],
                sa.select(sa.literal(SITE).cast(sa.Uuid), at, *map(sa.literal, interval.values())),
            )
        )
    derive_sessions(database)
    label_sessions(database)
    with database.frames() as frames:
        derive_costs(frames)
    derive_drives(database, site.zone)
    label_drives(database, site.zone)


def test_the_page_asks_five_questions() -> None:
    assert len(QUESTIONS) == 5


@pytest.mark.parametrize("query", [pytest.param(q, id=text) for text, q in QUESTIONS])
def test_the_questions_of_the_page_are_answered(filled: Database, query: str) -> None:
    with filled.rows() as connection:
        rows = connection.execute(sa.text(query)).mappings().all()
    assert rows
    for name in rows[0]:
        assert any(row[name] is not None for row in rows), name


def test_every_plug_in_and_drive_is_in_its_view_once(filled: Database) -> None:
    with filled.rows() as connection:
        tables = (
            charging_sessions,
            charging_segments,
            charging_costs,
            charging_attribution,
            drives,
        )
        for table in tables:
            stored = connection.scalar(sa.select(sa.func.count()).select_from(table))
            assert stored
            assert len(view(filled, table.name)) == stored


def test_the_lines_of_a_plug_in_add_up_to_its_cost(filled: Database) -> None:
    amounts: dict[Any, Decimal] = {}
    for row in view(filled, "charging_costs"):
        if row["amount_grid"] is not None:
            key = row["charging_session_id"]
            amounts[key] = amounts.get(key, Decimal()) + row["amount_grid"]
    costs = {
        row["charging_session_id"]: row["cost"]
        for row in view(filled, "charging_sessions")
        if row["cost"]
    }
    assert costs
    assert all(abs(amounts[key] - cost) <= Decimal("0.005") for key, cost in costs.items())


def test_what_was_driven_and_unseen_is_what_the_odometer_moved(filled: Database) -> None:
    span = sa.func.max(vehicle_states.c.odometer) - sa.func.min(vehicle_states.c.odometer)
    query = (
        sa.select(vehicles.c.vin, span)
        .join(vehicles, vehicles.c.id == vehicle_states.c.vehicle_id)
        .group_by(vehicles.c.vin)
    )
    with filled.rows() as connection:
        moved = {vin: miles for vin, miles in connection.execute(query)}
    told: dict[str, float] = {}
    for row in view(filled, "vehicle_months"):
        told[row["vin"]] = told.get(row["vin"], 0.0) + row["driven_mi"] + row["unseen_mi"]
    assert told == pytest.approx(moved)
