"""`tessie driver`: drivers, the vehicles they drive by default, and the rules of their drives."""

from collections.abc import Sequence

import pytest

from tessie_pipeline.store.charging.places import Place, save_place
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.drivers import KnownRule, known_drivers, known_rules
from tessie_pipeline.store.registries import save_vehicles
from tessie_pipeline_tests.cli.conftest import Result, Tessie

COMMUTE = ("--from-place", "Home", "--to-place", "Work", "--days", "Mon-Fri")
FOLLOWS = "History follows by itself"


@pytest.fixture
def household(database: Database) -> Database:
    """The vehicle Ada, and the places Home and Work."""
    with database.rows() as connection:
        car = {"tesla_id": 1, "vin": "5YJ3E1EA7LF000316", "display_name": "Ada"}
        save_vehicles(connection, [car])
        for name in ("Home", "Work"):
            save_place(connection, Place(name, 52.5, 13.4))
    return database


def run(tessie: Tessie, database: Database, *arguments: str) -> Result:
    return tessie("driver", *arguments, DATABASE_URL=database.url())


def done(tessie: Tessie, database: Database, *arguments: str) -> str:
    """What a command that succeeds prints."""
    result = run(tessie, database, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(tessie: Tessie, database: Database, *arguments: str) -> str:
    """What a command that fails says, after which drivers and rules are as they were."""
    before = stored(database)
    result = run(tessie, database, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert stored(database) == before
    return result.stderr


def stored(database: Database) -> tuple[dict[str, str], Sequence[KnownRule]]:
    with database.rows() as connection:
        return known_drivers(connection), known_rules(connection)


def test_a_driver_is_added_once_and_may_drive_a_vehicle_by_default(
    tessie: Tessie, household: Database
) -> None:
    assert done(tessie, household, "add", "Ann") == "Ann is added."
    printed = done(tessie, household, "add", "Ann", "--default-of", "ada")
    assert "Ann is there already. Ann drives Ada, unless a rule says otherwise." in printed
    assert FOLLOWS in printed
    printed = done(tessie, household, "add", "Ben", "--default-of", "5YJ3E1EA7LF000316")
    assert "Ben is added. Ben drives Ada instead of Ann, unless" in printed
    assert [rule.driver for rule in stored(household)[1]] == ["Ben"]


def test_a_default_driver_counts_after_all_rules(tessie: Tessie, household: Database) -> None:
    done(tessie, household, "add", "Ann", "--default-of", "Ada")
    done(tessie, household, "add", "Ben")
    done(tessie, household, "rule", "Ben", "--days", "Sat,Sun", "--priority", "1000")
    assert [rule.driver for rule in stored(household)[1]] == ["Ben", "Ann"]


def test_a_rule_is_added_listed_moved_and_removed(tessie: Tessie, household: Database) -> None:
    done(tessie, household, "add", "Ann")
    done(tessie, household, "add", "Ben")
    rule = (*COMMUTE, "--hours", "07:00-09:30", "--vehicle", "Ada")
    printed = done(tessie, household, "rule", "Ann", *rule, "--priority", "7")
    assert printed.startswith("The rule is added. History follows")
    printed = done(tessie, household, "list")
    assert "Ann Ada Home Work Mon-Fri 07:00-09:30 7 Ben no rule" in printed
    printed = done(tessie, household, "rule", "Ann", *rule, "--priority", "7")
    assert printed == "The rule is there already, just so."
    printed = done(tessie, household, "rule", "Ben", *rule)
    assert "The rule was Ann's with priority 7, and is changed." in printed
    assert FOLLOWS in printed
    assert "Ann has no such rule" in refused(tessie, household, "rule", "Ann", *rule, "--remove")
    assert "The rule is removed." in done(tessie, household, "rule", "Ben", *rule, "--remove")
    assert stored(household)[1] == []


def test_a_vehicle_loses_its_default_driver_as_a_rule_of_the_vehicle_alone(
    tessie: Tessie, household: Database
) -> None:
    done(tessie, household, "add", "Ann", "--default-of", "Ada")
    done(tessie, household, "rule", "Ann", "--vehicle", "Ada", "--remove")
    assert stored(household)[1] == []


@pytest.mark.parametrize(
    ("days", "listed", "weekdays"),
    [("Fri-Mon", "Mon,Fri,Sat,Sun", 1 + 16 + 32 + 64), ("mon-sun", "Mon-Sun", 127)],
)
def test_days_are_the_sum_of_their_numbers(
    tessie: Tessie, household: Database, days: str, listed: str, weekdays: int
) -> None:
    done(tessie, household, "add", "Ann")
    done(tessie, household, "rule", "Ann", "--days", days)
    assert [rule.weekdays for rule in stored(household)[1]] == [weekdays]
    assert listed in done(tessie, household, "list")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rule", "Cem", *COMMUTE], "There is no driver Cem; there is Ann"),
        (["rule", "Ann"], "A rule asks for a place, days or hours"),
        (["rule", "Ann", "--vehicle", "Ada"], "`tessie driver add Ann --default-of VEHICLE`"),
        (["rule", "Ann", "--vehicle", "Otto"], "There is no vehicle Otto; there is Ada"),
        (["rule", "Ann", "--to-place", "Gym"], "There is no place Gym; there is Home, Work"),
        (["rule", "Ann", "--hours", "7-9"], "--hours: hours are written like 22:00-06:00"),
        (["rule", "Ann", "--days", "weekend"], "--days: days are written like Mon-Fri"),
        (["add", "Cem", "--default-of", "Otto"], "There is no vehicle Otto; there is Ada"),
        (["add", ""], "A name is needed"),
        (["remove", "Cem"], "There is no driver Cem; there is Ann"),
    ],
)
def test_what_is_not_there_or_no_rule_is_refused_in_a_sentence(
    tessie: Tessie, household: Database, arguments: list[str], sentence: str
) -> None:
    done(tessie, household, "add", "Ann")
    assert sentence in refused(tessie, household, *arguments)


def test_a_driver_is_removed_with_all_rules(tessie: Tessie, household: Database) -> None:
    assert "There are no drivers yet" in done(tessie, household, "list")
    done(tessie, household, "add", "Ann", "--default-of", "Ada")
    done(tessie, household, "rule", "Ann", *COMMUTE)
    printed = done(tessie, household, "remove", "Ann")
    assert "Ann is removed, with 2 rule(s)." in printed
    assert FOLLOWS in printed
    assert stored(household) == ({}, [])
