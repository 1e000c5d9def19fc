"""Drivers and their rules: one rule for the same conditions, listed in the order they count."""

from datetime import time
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.drivers import DRIVER_RULES
from tessie_pipeline.store.charging.places import Place, place_ids, save_place
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.drivers import (
    LAST,
    Conditions,
    KnownRule,
    add_driver,
    known_drivers,
    known_rules,
    read_driver_rules,
    remove_driver,
    remove_rule,
    save_rule,
)
from tessie_pipeline.store.tables import vehicles
from tessie_pipeline.store.tables.drives import driver_rules, drivers
from tessie_pipeline_tests.store.conftest import count_rows

WEEKEND = 32 + 64
MORNING: dict[str, Any] = {"start_time": time(7), "end_time": time(9, 30)}


@pytest.fixture
def car(database: Database) -> str:
    """Our id of a vehicle named Ada."""
    values = {"tesla_id": 1, "vin": "5YJ3E1EA7LF000316", "display_name": "Ada"}
    with database.rows() as connection:
        insert = sa.insert(vehicles).values(values).returning(vehicles.c.id)
        return str(connection.execute(insert).scalar_one().hex)


@pytest.fixture
def home(database: Database) -> str:
    """Our id of a place named Home."""
    with database.rows() as connection:
        save_place(connection, Place("Home", 52.5, 13.4))
        return place_ids(connection)["Home"]


def save(
    database: Database, name: str, priority: int = 100, **asked: Any
) -> tuple[str, int] | None:
    """Let a driver of this name have a rule, in a transaction of its own."""
    with database.rows() as connection:
        return save_rule(connection, add_driver(connection, name), Conditions(**asked), priority)


def test_a_driver_is_added_once(database: Database) -> None:
    with database.rows() as connection:
        first, again = add_driver(connection, "Ann"), add_driver(connection, "Ann")
        ben = add_driver(connection, "Ben")
        assert first == again
        assert known_drivers(connection) == {"Ann": first, "Ben": ben}


def test_rules_are_read_as_the_domain_takes_them(database: Database, car: str, home: str) -> None:
    asked = {"vehicle_id": car, "start_place_id": home, "end_place_id": home, **MORNING}
    assert save(database, "Ann", 7, weekdays=WEEKEND, **asked) is None
    with database.rows() as connection:
        ann = known_drivers(connection)["Ann"]
    with database.frames() as connection:
        frame = read_driver_rules(connection)
    assert frame.schema == DRIVER_RULES
    assert frame.rows(named=True) == [
        {"driver_id": ann, "weekdays": 96, "priority": 7, **asked},
    ]


def test_a_rule_until_24_is_read_as_one_until_midnight(database: Database) -> None:
    save(database, "Ann", start_time=time(18), end_time=time(23))
    with database.rows() as connection:
        connection.execute(sa.text("update driver_rules set end_time = '24:00'"))
    with database.frames() as connection:
        assert read_driver_rules(connection)["end_time"].item() in (None, time(0))
    with database.rows() as connection:
        assert [rule.end_time for rule in known_rules(connection)] == [time(0)]


def test_the_same_conditions_are_one_rule_of_whoever_had_it_last(
    database: Database, car: str
) -> None:
    assert save(database, "Ann", LAST, vehicle_id=car) is None
    assert save(database, "Ann", 5, vehicle_id=car, weekdays=WEEKEND) is None
    assert save(database, "Ben", LAST, vehicle_id=car) == ("Ann", LAST)
    with database.rows() as connection:
        rules = [(rule.driver, rule.weekdays) for rule in known_rules(connection)]
    assert rules == [("Ann", WEEKEND), ("Ben", None)]


def test_the_same_rule_again_writes_nothing(database: Database) -> None:
    def written() -> Any:
        with database.rows() as connection:
            return connection.scalar(sa.text("select xmin::text from driver_rules"))

    save(database, "Ann", 5, weekdays=WEEKEND)
    before = written()
    assert save(database, "Ann", 5, weekdays=WEEKEND) == ("Ann", 5)
    assert written() == before
    assert save(database, "Ann", 6, weekdays=WEEKEND) == ("Ann", 5)
    assert written() != before


def test_rules_are_listed_by_priority_then_those_first_that_ask_for_more(
    database: Database, car: str, home: str
) -> None:
    save(database, "Ann", LAST, vehicle_id=car)
    save(database, "Ben", weekdays=WEEKEND)
    save(database, "Cem", weekdays=WEEKEND, end_place_id=home, **MORNING)
    save(database, "Dee", 1, start_place_id=home)
    with database.rows() as connection:
        assert known_rules(connection) == [
            KnownRule("Dee", None, "Home", None, None, None, None, 1),
            KnownRule("Cem", None, None, "Home", WEEKEND, time(7), time(9, 30), 100),
            KnownRule("Ben", None, None, None, WEEKEND, None, None, 100),
            KnownRule("Ann", "Ada", None, None, None, None, None, LAST),
        ]


def test_a_rule_is_removed_by_its_conditions_and_its_driver(database: Database) -> None:
    save(database, "Ann", weekdays=WEEKEND)
    with database.rows() as connection:
        ann, ben = add_driver(connection, "Ann"), add_driver(connection, "Ben")
        assert not remove_rule(connection, ben, Conditions(weekdays=WEEKEND))
        assert not remove_rule(connection, ann, Conditions(weekdays=WEEKEND, **MORNING))
        assert remove_rule(connection, ann, Conditions(weekdays=WEEKEND))
    assert count_rows(database, driver_rules) == 0


def test_a_driver_goes_with_all_rules_of_theirs(database: Database) -> None:
    save(database, "Ann", weekdays=WEEKEND)
    save(database, "Ann", **MORNING)
    save(database, "Ben", weekdays=1)
    with database.rows() as connection:
        assert remove_driver(connection, known_drivers(connection)["Ann"]) == 2
    assert (count_rows(database, drivers), count_rows(database, driver_rules)) == (1, 1)
