"""Tesla's records of charges: stored once, replaced when they change, and shown to readers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.charging_matches import BILL_MATCHES, CHARGE_MATCHES
from tessie_pipeline.store.charging.bills import (
    newest_bill_at,
    newest_connector_charges_at,
    read_billed,
    save_bills,
    save_connector_charges,
)
from tessie_pipeline.store.charging.reconciliation import (
    read_bills,
    read_connector_charges,
    read_sessions,
    save_bill_matches,
    save_charge_matches,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.registries import vehicle_names
from tessie_pipeline.store.tables import energy_sites, vehicles
from tessie_pipeline.store.tables.charging import (
    charging_bills,
    charging_fees,
    charging_sessions,
    wall_connector_charges,
)
from tessie_pipeline.tesla.charging_bills import CHARGING_BILLS, CHARGING_FEES
from tessie_pipeline.tesla.wall_connectors import CONNECTOR_CHARGES
from tessie_pipeline_tests.store.conftest import count_rows

CAR, HOME = "0a" * 16, "0c" * 16
VIN = "5YJ3E1EA5LF000001"
FIVE = datetime(2026, 7, 1, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def bill(number: int, **other: Any) -> dict[str, Any]:
    """A bill of 36 minutes from two minutes past five."""
    return {
        "session_id": number,
        "vin": VIN,
        "site_name": "Malmö",
        "started_at": FIVE + 2 * MINUTE,
        "stopped_at": FIVE + 38 * MINUTE,
        "unlatched_at": FIVE + 50 * MINUTE,
        "raw_data": '{"sessionId": 1}',
    } | other


def fee(number: int, position: int = 0, **other: Any) -> dict[str, Any]:
    """36 kWh at 0.49 EUR: 17.64 EUR."""
    return {
        "session_id": number,
        "position": position,
        "fee_type": "CHARGING",
        "currency": "EUR",
        "pricing_type": "PAYMENT",
        "uom": "kwh",
        "rate_base": 0.49,
        "usage_base": 36.0,
        "total_due": 17.64,
        "net_due": 17.64,
        "is_paid": True,
    } | other


IDLE: dict[str, Any] = {
    "fee_type": "PARKING", "uom": "min", "rate_base": 0.5, "usage_base": 12.0,
    "total_due": 6.0, "net_due": 6.0, "is_paid": False,
}  # fmt: skip


def charge(start: datetime = FIVE, **other: Any) -> dict[str, Any]:
    usual = {"site_id": HOME, "duration_s": 3600, "energy_wh": 7400.0, "din": "din", "vin": VIN}
    return usual | {"started_at": start} | other


def save(database: Database, bills: list[dict[str, Any]], fees: list[dict[str, Any]]) -> int:
    with database.frames() as connection:
        return save_bills(
            connection, pl.DataFrame(bills, CHARGING_BILLS), pl.DataFrame(fees, CHARGING_FEES)
        )


def save_charges(database: Database, *charges: dict[str, Any]) -> int:
    with database.frames() as connection:
        return save_connector_charges(connection, pl.DataFrame(charges, CONNECTOR_CHARGES))


def rows(database: Database, query: str) -> list[dict[str, Any]]:
    with database.rows() as connection:
        return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


@pytest.fixture
def home(database: Database) -> Database:
    """A database with a car, a site, and a plug-in of an hour from five: 30.6 kWh, 29 added."""
    with database.rows() as connection:
        connection.execute(
            sa.insert(vehicles).values(id=CAR, tesla_id=1, vin=VIN, display_name="Ann's")
        )
        connection.execute(sa.insert(energy_sites).values(id=HOME))
        connection.execute(
            sa.insert(charging_sessions).values(
                vehicle_id=CAR, started_at=FIVE, started_by=FIVE, ended_at=FIVE + 60 * MINUTE,
                energy_added_kwh=29.0, energy_used_kwh=30.6, energy_used_coverage_pct=100.0,
                idle_energy_used_kwh=0.4, is_inferred=False, segments=1, samples=60,
                status="completed",
            )
        )  # fmt: skip
    return database


def match(database: Database) -> tuple[int, int]:
    """Match all records with the plug-in; returns how many bills and charges changed."""
    session = {"vehicle_id": CAR, "session_started_at": FIVE}
    with database.frames() as connection:
        bills = read_bills(connection, None)
        charges = read_connector_charges(connection, None)
        return (
            save_bill_matches(
                connection,
                bills,
                pl.DataFrame(
                    [{"session_id": n} | session for n in bills["session_id"]], BILL_MATCHES
                ),
            ),
            save_charge_matches(
                connection,
                charges,
                charges.select("site_id", "din", "started_at")
                .with_columns(vehicle_id=pl.lit(CAR), session_started_at=pl.lit(FIVE))
                .cast(CHARGE_MATCHES),
            ),
        )


def test_a_bill_that_comes_again_is_not_written_again(home: Database) -> None:
    assert save(home, [bill(1), bill(2)], [fee(1), fee(1, 1, **IDLE), fee(2)]) == 2
    before = rows(home, "select ctid::text, xmin::text from charging_bills order by session_id")

    assert save(home, [bill(1), bill(2)], [fee(1), fee(1, 1, **IDLE), fee(2)]) == 0

    assert rows(home, "select ctid::text, xmin::text from charging_bills order by session_id") == (
        before
    )
    assert count_rows(home, charging_fees) == 3


def test_a_bill_changes_when_it_is_paid_and_keeps_its_plug_in(home: Database) -> None:
    save(home, [bill(1), bill(2)], [fee(1, is_paid=False), fee(1, 1, **IDLE), fee(2)])
    match(home)

    paid = bill(1, raw_data='{"sessionId": 1, "isPaid": true}')
    assert save(home, [paid], [fee(1), fee(1, 1, **IDLE | {"is_paid": True})]) == 1

    fees = rows(home, "select session_id, is_paid from charging_fees order by session_id, position")
    assert [tuple(one.values()) for one in fees] == [(1, True), (1, True), (2, True)]
    matched = rows(
        home, "select count(*) as n from charging_bills where session_started_at is not null"
    )
    assert matched == [{"n": 2}]


def test_nothing_is_saved_of_nothing(home: Database) -> None:
    assert save(home, [], []) == 0
    assert save_charges(home) == 0


def test_the_newest_record_tells_where_to_go_on(home: Database) -> None:
    with home.rows() as connection:
        assert newest_bill_at(connection) is None
        assert newest_connector_charges_at(connection) == {}
    save(home, [bill(1), bill(2, started_at=FIVE - MINUTE)], [])
    save_charges(home, charge(), charge(FIVE - MINUTE))
    with home.rows() as connection:
        assert newest_bill_at(connection) == FIVE + 2 * MINUTE
        assert newest_connector_charges_at(connection) == {HOME: FIVE}


def test_a_charge_without_a_wall_connector_is_one_charge_all_the_same(home: Database) -> None:
    unnamed = charge(din=None, vin=None)
    assert save_charges(home, unnamed, charge()) == 2
    assert save_charges(home, unnamed) == 0
    assert save_charges(home, unnamed | {"energy_wh": 7500.0}) == 1
    stored = rows(home, "select din, energy_wh from wall_connector_charges order by din")
    assert [tuple(one.values()) for one in stored] == [("", 7500.0), ("din", 7400.0)]


def test_records_are_read_with_their_vehicle_and_their_plug_in(home: Database) -> None:
    save(home, [bill(1), bill(2, vin="5YJ3E1EA5LF000099")], [fee(1, 1, **IDLE), fee(1)])
    save_charges(home, charge(), charge(FIVE + MINUTE, vin="5YJ3E1EA5LF000099"))
    assert match(home) == (1, 2)
    with home.frames() as connection:
        bills = read_bills(connection, None).select(
            "session_id", "vehicle_id", "matched_vehicle_id", "matched_started_at"
        )
        billed = read_billed(connection).select("vehicle_id", "session_started_at", "fee_type")
        charges = read_connector_charges(connection, None).sort("started_at")
        sessions = read_sessions(connection, None)
        names = vehicle_names(connection)
    assert bills.rows() == [(1, CAR, CAR, FIVE)], "a bill of a car that is not ours is left out"
    assert billed.rows() == [(CAR, FIVE, "CHARGING"), (CAR, FIVE, "PARKING")], "in the bill's order"
    assert charges["vehicle_id"].to_list() == [CAR, None]
    assert sessions.select("vehicle_id", "energy_added_kwh").rows() == [(CAR, 29.0)]
    assert names == {CAR: "Ann's"}


def test_only_what_a_record_may_meet_is_read(home: Database) -> None:
    save(home, [bill(1), bill(2, started_at=FIVE - 24 * 60 * MINUTE)], [fee(1), fee(2, **IDLE)])
    save_charges(home, charge(), charge(FIVE - MINUTE))
    with home.frames() as connection:
        assert read_bills(connection, FIVE)["session_id"].to_list() == [1]
        assert read_connector_charges(connection, FIVE)["started_at"].to_list() == [FIVE]
        # The plug-in ended at six, and a bill may begin half an hour after it.
        assert read_sessions(connection, FIVE + 90 * MINUTE).height == 1
        assert read_sessions(connection, FIVE + 91 * MINUTE).height == 0


def test_matches_are_written_where_they_differ_and_taken_back(home: Database) -> None:
    save(home, [bill(1)], [fee(1)])
    save_charges(home, charge())
    assert match(home) == (1, 1)
    assert match(home) == (0, 0)
    with home.frames() as connection:
        bills = read_bills(connection, None)
        assert save_bill_matches(connection, bills, BILL_MATCHES.to_frame()) == 1
        charges = read_connector_charges(connection, None)
        assert save_charge_matches(connection, charges, CHARGE_MATCHES.to_frame()) == 1
    for table in (charging_bills, wall_connector_charges):
        matched = f"select vehicle_id, session_started_at from {table}"  # noqa: S608
        assert rows(home, matched) == [{"vehicle_id": None, "session_started_at": None}]


def test_the_view_of_bills_sums_their_fees(home: Database) -> None:
    # 17.64 + 6.00 + 3.00 = 26.64 EUR; two of 36 kWh are in a higher tier.
    tiered = fee(1, usage_base=34.0, usage_tier_1=2.0)
    congestion = fee(1, 2, **IDLE | {"fee_type": "CONGESTION", "net_due": 3.0})
    save(home, [bill(1), bill(2)], [tiered, fee(1, 1, **IDLE), congestion])
    with home.frames() as connection:
        save_bill_matches(
            connection,
            read_bills(connection, None),
            pl.DataFrame([(1, CAR, FIVE)], BILL_MATCHES, orient="row"),
        )
    shown = rows(home, "select * from bi.charging_bills order by tesla_session_id")
    assert (
        shown[0]
        | {
            "display_name": "Ann's",
            "energy_kwh": 36.0,
            "idle_minutes": 12.0,
            "charging_due": Decimal("17.64"),
            "idle_due": Decimal("6.00"),
            "other_due": Decimal("3.00"),
            "total_due": Decimal("26.64"),
            "currency": "EUR",
            "is_paid": False,
            "charging_session_started_at": FIVE,
        }
        == shown[0]
    )
    assert shown[1]["charging_session_id"] is shown[1]["total_due"] is None


def test_the_view_of_sessions_shows_their_energies_side_by_side(home: Database) -> None:
    save(home, [bill(1)], [fee(1)])
    save_charges(home, charge(energy_wh=20_000.0), charge(FIVE + 30 * MINUTE, energy_wh=12_000.0))
    match(home)
    (shown,) = rows(home, "select * from bi.charging_reconciliation")
    # 36 billed, 20 + 12 given by the wall connector, 30.6 for charging and 0.4 besides, 29 added.
    expected = {
        "energy_added_kwh": 29.0,
        "energy_used_kwh": 30.6,
        "connector_kwh": 32.0,
        "connector_charges": 2,
        "billed_kwh": 36.0,
        "used_less_added_kwh": 1.6,
        "used_less_added_pct": 100 * 1.6 / 30.6,
        "connector_less_used_kwh": 1.0,
        "connector_less_used_pct": 3.125,
        "billed_less_used_kwh": 5.4,
        "billed_less_used_pct": 15.0,
    }
    assert {name: shown[name] for name in expected} == pytest.approx(expected)
    with home.frames() as connection:
        assert read_frame(connection, "select vin from bi.charging_reconciliation").item() == VIN
