"""Charges that change let the days of their sites be computed again, and what was charged beside.

The cars are those of `test_derivation`; the first one's home is a site, and the days are its own.
"""

import json
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_STATES
from tessie_pipeline.orchestration.charging import derive_sessions, label_sessions
from tessie_pipeline.orchestration.costs import derive_costs
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables import energy_sites, vehicle_states
from tessie_pipeline.store.tables.charging import charging_sessions
from tessie_pipeline.store.tables.energy import dirty_days
from tessie_pipeline.store.tables.prices import places
from tessie_pipeline_tests.orchestration.test_derivation import (
    DAY,
    FLEET,
    NUMBERED,
    START,
    ZONE,
    add,
    between,
    read,
    register,
)

BEGIN, END = START + 8 * DAY, START + 10 * DAY
CAR = FLEET.cars[0]
OWN = NUMBERED[CAR.vehicle_id]
SITE, CABIN, PLACE = ("c" * 32, "d" * 32, "e" * 32)
CHARGED = f"""
    select distinct (generate_series(
        date_trunc('day', p.start at time zone '{ZONE}'), p.end at time zone '{ZONE}', '1 day'
    ))::date as date
    from charging_pieces p
    join charging_sessions s on s.vehicle_id = p.vehicle_id and s.started_at = p.session_started_at
    where s.site_id = '{SITE}' order by 1
"""  # noqa: S608 - an id of ours
UNCOSTED = "select vehicle_id, started_at from charging_sessions where cost_basis is null"


@pytest.fixture
def home(database: Database) -> Database:
    """The samples of two days of the first two cars, which have a home with a site."""
    register(database)
    insert(database, energy_sites, id=SITE, tesla_site_id=1, time_zone=ZONE)
    insert(database, energy_sites, id=CABIN, tesla_site_id=2, time_zone=ZONE)
    at = {"latitude": CAR.home.latitude_deg, "longitude": CAR.home.longitude_deg}
    insert(database, places, id=PLACE, name="Home", kind="home", site_id=SITE, **at)
    add(database, own_samples())
    derive_sessions(database)
    label_sessions(database)
    return database


def own_samples() -> pl.DataFrame:
    return between(BEGIN, END).filter(pl.col("vehicle_id") == OWN)


def insert(database: Database, table: sa.Table, **row: Any) -> None:
    with database.rows() as connection:
        connection.execute(sa.insert(table).values(row))


def marked(database: Database, site: str = SITE) -> list[date]:
    """The days that are marked for attribution; takes the marks off."""
    c = dirty_days.c
    with database.rows() as connection:
        found = sa.select(c.date).where(c.reader == "solar_attribution_daily", c.site_id == site)
        days = list(connection.scalars(found.order_by(c.date)))
        connection.execute(sa.delete(dirty_days).where(c.site_id == site))
    return days


def charged(database: Database) -> list[date]:
    """The site's days on which a car drew something there."""
    return read(database, CHARGED)["date"].to_list()


def mark_all(database: Database) -> None:
    with database.frames() as connection:
        mark(connection, own_samples())


def test_new_charges_mark_the_days_on_which_they_drew(home: Database) -> None:
    days = charged(home)
    assert days
    assert marked(home) == days


def test_charges_that_are_the_same_again_mark_nothing(home: Database) -> None:
    marked(home)
    mark_all(home)
    derive_sessions(home)
    label_sessions(home)
    assert marked(home) == []


def test_a_charge_that_is_gone_marks_the_days_on_which_it_drew(home: Database) -> None:
    days = charged(home)
    marked(home)
    with home.rows() as connection:
        gone = vehicle_states.c.charging_state.is_distinct_from("Disconnected")
        connection.execute(sa.delete(vehicle_states).where(gone))
        connection.execute(sa.update(vehicle_states).values(charge_energy_added=1.0))
        connection.execute(sa.update(vehicle_states).values(battery_level=50))
    mark_all(home)
    assert not derive_sessions(home).filter("is_old").is_empty()
    assert charged(home) == []
    assert marked(home) == days


def test_a_place_at_another_site_marks_the_days_of_both(home: Database) -> None:
    days = charged(home)
    marked(home)
    with home.rows() as connection:
        connection.execute(sa.update(places).values(site_id=CABIN))
    label_sessions(home)
    for site in (SITE, CABIN):
        assert set(marked(home, site)) >= set(days)


def test_a_place_that_is_renamed_marks_nothing(home: Database) -> None:
    marked(home)
    with home.rows() as connection:
        connection.execute(sa.update(places).values(name="Hut"))
    label_sessions(home)
    assert marked(home) == []


def test_what_was_charged_beside_a_charge_that_changed_is_costed_again(home: Database) -> None:
    other = NUMBERED[FLEET.cars[1].vehicle_id]
    c = charging_sessions.c
    with home.frames() as connection:
        query = sa.select(c.started_at, c.ended_at).where(c.site_id == UUID(SITE))
        began, ended = read_frame(connection, query).row(0)
    session = {
        "vehicle_id": other, "is_inferred": False, "segments": 1, "samples": 2,
        "status": "completed", "charger_type": "home", "site_id": SITE, "connector_site_id": SITE,
    }  # fmt: skip
    for start in (began + timedelta(minutes=1), ended + 30 * DAY):
        end = start + timedelta(hours=1)
        times = {"started_at": start, "started_by": start, "ended_at": end, "ended_by": end}
        insert(home, charging_sessions, **session, **times)
    with home.frames() as connection:
        derive_costs(connection)
    assert read(home, UNCOSTED).is_empty()

    with home.rows() as connection:
        connection.execute(sa.update(places).values(site_id=CABIN))
    label_sessions(home)
    again = read(home, UNCOSTED).filter(vehicle_id=other)
    assert again["started_at"].to_list() == [began + timedelta(minutes=1)]


def test_a_wall_connector_that_saw_all_of_a_charge_tells_what_it_drew(home: Database) -> None:
    query = f"""
        select s.started_at, s.ended_at, s.energy_added_kwh,
            extract(epoch from sum(p.end - p.start))::float8 / 3600 as hours
        from charging_sessions s join charging_pieces p
            on p.vehicle_id = s.vehicle_id and p.session_started_at = s.started_at
        where s.site_id = '{SITE}' and not s.is_inferred group by 1, 2, 3 order by 3 desc limit 1
    """  # noqa: S608 - an id of ours
    began, ended, added_kwh, hours = read(home, query).row(0)
    kw = 2 * added_kwh / hours
    connector = {"din": "1", "vin": CAR.vin, "wall_connector_power": 1000 * kw}
    answer = json.dumps({"wall_connectors": [connector]})
    minutes = int((ended - began) / timedelta(minutes=1))
    rows = [
        dict.fromkeys(ENERGY_STATES)
        | {"site_id": SITE, "timestamp": began + timedelta(minutes=m), "raw_data": answer}
        for m in range(1, minutes, 5)
    ]
    with home.frames() as connection:
        states = pl.DataFrame(rows, ENERGY_STATES).drop("is_stale")
        add_states(connection, tables.energy_states, states)
    mark_all(home)
    derive_sessions(home)

    pieces = read(home, "select session_started_at, basis, energy_kwh from charging_pieces")
    pieces = pieces.filter(session_started_at=began)
    assert pieces["basis"].unique().to_list() == ["connector"]
    # Twice what went into the battery: at that power all the time that it charged.
    assert pieces["energy_kwh"].sum() == pytest.approx(2 * added_kwh)
