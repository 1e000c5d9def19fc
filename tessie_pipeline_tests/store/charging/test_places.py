"""Places: kept by name, read with their site and tariff, and where a vehicle was last."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.places import PLACES
from tessie_pipeline.domain.samples import VEHICLE_STATES
from tessie_pipeline.store.charging.places import (
    Place,
    Position,
    known_places,
    newest_position,
    place_ids,
    read_places,
    remove_place,
    save_place,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import create_imported_site
from tessie_pipeline.store.tables import vehicle_states
from tessie_pipeline.store.tables.drives import driver_rules, drivers
from tessie_pipeline.store.tables.prices import places
from tessie_pipeline.store.writes import write_new
from tessie_pipeline_tests.store.conftest import count_rows

HOME = Place("Home", 52.5163, 13.3777, 80.0, "home", tariff_name="Night")
WORK = Place("Work", -33.8568, 151.2153)
CAR = "0a" * 16
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def save(database: Database, *kept: Place) -> None:
    """Save places in a transaction of their own."""
    with database.rows() as connection:
        for place in kept:
            save_place(connection, place)


def test_places_are_read_as_the_domain_takes_them(database: Database) -> None:
    with database.rows() as connection:
        site_id = create_imported_site(connection, "Roof", "Europe/Berlin").site_id
    save(database, replace(HOME, site_id=site_id), WORK)
    with database.frames() as connection:
        frame = read_places(connection).sort("name")
    assert frame.schema == PLACES
    assert frame.drop("place_id").rows() == [
        ("Home", "home", 52.5163, 13.3777, 80.0, site_id, "Night"),
        ("Work", "other", -33.8568, 151.2153, 100.0, None, None),
    ]
    with database.rows() as connection:
        assert place_ids(connection) == dict(frame.select("name", "place_id").rows())
        assert known_places(connection) == {"Home": replace(HOME, site_id=site_id), "Work": WORK}


def test_no_places_are_an_empty_frame(database: Database) -> None:
    with database.frames() as connection:
        assert read_places(connection).equals(PLACES.to_frame())


def test_a_place_that_changes_keeps_its_id_and_loses_what_it_no_longer_has(
    database: Database,
) -> None:
    save(database, HOME, WORK)
    with database.rows() as connection:
        before = place_ids(connection)
    moved = replace(HOME, latitude=48.1, kind="other", tariff_name=None)
    save(database, moved)
    with database.rows() as connection:
        assert place_ids(connection) == before
        assert known_places(connection) == {"Home": moved, "Work": WORK}


@pytest.mark.parametrize(
    "wrong", [{"kind": "garage"}, {"latitude": 90.1}, {"longitude": -181}, {"radius_m": 0}]
)
def test_what_is_no_place_is_refused(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(sa.exc.IntegrityError):
        save(database, replace(HOME, **wrong))  # type: ignore[arg-type]
    assert count_rows(database, places) == 0


def test_with_a_place_go_the_rules_that_ask_for_it_and_no_others(database: Database) -> None:
    save(database, HOME, WORK)
    with database.rows() as connection:
        ids = {name: UUID(own) for name, own in place_ids(connection).items()}
        ann = connection.scalar(sa.insert(drivers).values(name="Ann").returning(drivers.c.id))
        for start, end in (("Home", "Work"), ("Work", "Home"), ("Work", "Work")):
            rule = {"start_place_id": ids[start], "end_place_id": ids[end]}
            connection.execute(sa.insert(driver_rules).values(driver_id=ann, **rule))
        assert remove_place(connection, "Home") == 2
        assert list(place_ids(connection)) == ["Work"]
    assert count_rows(database, driver_rules) == 1


def test_the_newest_position_of_a_vehicle_is_that_of_its_last_sample_that_has_one(
    database: Database,
) -> None:
    samples = [
        (CAR, NOON, 52.1, 13.1),
        (CAR, NOON + timedelta(days=2), 52.2, 13.2),
        (CAR, NOON + timedelta(days=3), None, None),
        ("0b" * 16, NOON + timedelta(days=4), 1.0, 2.0),
    ]
    columns = ("vehicle_id", "timestamp", "latitude", "longitude")
    schema = {name: VEHICLE_STATES[name] for name in columns}
    with database.frames() as frames:
        write_new(frames, vehicle_states, pl.DataFrame(samples, schema, orient="row"))
    with database.rows() as connection:
        at = NOON + timedelta(days=2)
        assert newest_position(connection, CAR) == Position(52.2, 13.2, at)
        assert newest_position(connection, "0c" * 16) is None
