"""Costs on a real database: cars that share a site's sun, and prices that change afterwards."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_INTERVALS
from tessie_pipeline.domain.tariffs import Rate, Tariff, tariff_id_of
from tessie_pipeline.orchestration.costs import derive_costs
from tessie_pipeline.store.charging.tariffs import save_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables import energy_sites, vehicles
from tessie_pipeline.store.tables.charging import charging_pieces, charging_sessions
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline.store.writes import write_new

HOME, ADA, OTTO = (digit * 32 for digit in "abc")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)


@pytest.fixture
def charged(database: Database) -> Database:
    """Two cars drew 0.8 kWh each in five minutes in which the home took 1.6 kWh, 1 kWh solar."""
    with database.rows() as rows:
        rows.execute(sa.insert(energy_sites).values(id=HOME, tesla_site_id=1, time_zone="UTC"))
        for number, car in enumerate((ADA, OTTO)):
            vehicle = {"id": car, "tesla_id": number, "vin": f"5YJ3E1EA7KF00000{number}"}
            rows.execute(sa.insert(vehicles).values(vehicle))
            rows.execute(sa.insert(charging_sessions).values(_session(car)))
            piece = {"vehicle_id": car, "start": NOON, "end": NOON + FIVE_MINUTES, "basis": "wall"}
            energy = {"energy_kwh": 0.8, "session_started_at": NOON}
            rows.execute(sa.insert(charging_pieces).values({**piece, **energy}))
    interval = dict.fromkeys(ENERGY_INTERVALS) | {
        "site_id": HOME, "timestamp": NOON, "home_wh": 1600.0, "solar_wh": 1000.0,
        "grid_imported_wh": 600.0, "solar_to_home_wh": 1000.0, "grid_to_home_wh": 600.0,
        "source": "calendar_history_energy", "coverage": 1.0,
    }  # fmt: skip
    with database.frames() as connection:
        write_new(connection, energy_intervals, pl.DataFrame([interval], ENERGY_INTERVALS))
        save_tariffs(connection, [_tariff("0.30")])
    return database


def _session(car: str) -> dict[str, Any]:
    return {
        "vehicle_id": car, "started_at": NOON, "started_by": NOON, "ended_at": NOON + FIVE_MINUTES,
        "ended_by": NOON + FIVE_MINUTES, "is_inferred": False, "segments": 1, "samples": 2,
        "status": "completed", "charger_type": "home", "site_id": HOME,
    }  # fmt: skip


def _tariff(price: str, valid_from: date | None = None) -> Tariff:
    rates = (Rate("buy", Decimal(price)), Rate("sell", Decimal("0.08")))
    own = tariff_id_of("Home", valid_from)
    return Tariff(own, "Home", "EUR", "UTC", rates, valid_from=valid_from, site_id=HOME)


def costs(database: Database) -> list[tuple[Any, ...]]:
    """Solar kWh, cost, and cost with solar, by car."""
    with database.frames() as connection:
        derive_costs(connection)
    c = charging_sessions.c
    query = sa.select(c.solar_energy_kwh, c.cost, c.cost_with_solar).order_by(c.vehicle_id)
    with database.rows() as rows:
        found = rows.execute(query).all()
    return [(None if solar is None else round(solar, 9), *money) for solar, *money in found]


def test_two_cars_share_the_sun_also_if_only_one_is_costed_again(charged: Database) -> None:
    # 1000 Wh of 1600 are solar: 0.5 kWh each. 0.8 x 0.30 = 0.24; 0.3 x 0.30 + 0.5 x 0.08 = 0.13.
    shared = [(0.5, Decimal("0.24"), Decimal("0.13"))] * 2
    assert costs(charged) == shared
    with charged.rows() as rows:
        one = charging_sessions.c.vehicle_id == ADA
        rows.execute(sa.update(charging_sessions).values(cost_basis=None).where(one))
    assert costs(charged) == shared


def test_a_back_dated_price_is_followed_and_one_from_tomorrow_touches_nothing(
    charged: Database,
) -> None:
    costs(charged)
    with charged.frames() as connection:
        save_tariffs(connection, [_tariff("0.30"), _tariff("0.99", date(2026, 6, 2))])
        assert derive_costs(connection).sessions == 0
        save_tariffs(connection, [_tariff("0.30"), _tariff("0.40", date(2026, 6, 1))])
    # 0.8 x 0.40 = 0.32; 0.3 x 0.40 + 0.5 x 0.08 = 0.16.
    assert costs(charged) == [(0.5, Decimal("0.32"), Decimal("0.16"))] * 2


def test_what_is_not_known_to_be_solar_costs_what_the_grid_does(charged: Database) -> None:
    # Ada draws 0.8 kWh more in the next five minutes, of which the site says nothing.
    more = {"end": NOON + 2 * FIVE_MINUTES, "energy_kwh": 1.6}
    with charged.rows() as rows:
        c = charging_pieces.c
        rows.execute(sa.update(charging_pieces).values(more).where(c.vehicle_id == ADA))
    # 1.6 x 0.30 = 0.48; 1.1 x 0.30 + 0.5 x 0.08 = 0.37.
    assert costs(charged)[0] == (0.5, Decimal("0.48"), Decimal("0.37"))


def test_while_nothing_is_known_of_the_site_only_the_cost_of_the_grid_is(charged: Database) -> None:
    with charged.rows() as rows:
        rows.execute(sa.delete(energy_intervals))
    assert costs(charged) == [(None, Decimal("0.24"), None)] * 2
