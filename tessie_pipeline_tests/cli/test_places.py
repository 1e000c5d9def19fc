"""`tessie place`: places are added, changed by what is given, listed and removed."""

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from tessie_pipeline.domain.samples import VEHICLE_STATES
from tessie_pipeline.domain.tariffs import Rate, Tariff, tariff_id_of
from tessie_pipeline.store.charging.places import Place, known_places, place_ids
from tessie_pipeline.store.charging.tariffs import save_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.drivers import Conditions, add_driver, save_rule
from tessie_pipeline.store.registries import save_sites, save_vehicles, vehicle_ids
from tessie_pipeline.store.tables import vehicle_states
from tessie_pipeline.store.writes import write_new
from tessie_pipeline_tests.cli.conftest import Result, Tessie

AT = "52.5163,13.3777"
FOLLOWS = "History follows by itself"


def run(tessie: Tessie, database: Database, *arguments: str) -> Result:
    return tessie("place", *arguments, DATABASE_URL=database.url())


def done(tessie: Tessie, database: Database, *arguments: str) -> str:
    """What a command that succeeds prints."""
    result = run(tessie, database, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(tessie: Tessie, database: Database, *arguments: str) -> str:
    """What a command that fails says, after which all places are as they were."""
    before = stored(database)
    result = run(tessie, database, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert stored(database) == before
    return result.stderr


def stored(database: Database) -> dict[str, Place]:
    with database.rows() as connection:
        return known_places(connection)


@pytest.fixture
def household(database: Database) -> Database:
    """Ada, who was last seen with a position in Sydney, two sites named Roof, and a tariff."""
    sites = [{"tesla_site_id": number, "site_name": "Roof"} for number in (11, 12)]
    with database.rows() as connection:
        car = {"tesla_id": 1, "vin": "5YJ3E1EA7LF000316", "display_name": "Ada"}
        save_vehicles(connection, [car, {"tesla_id": 2, "vin": "5YJ3E1EA7LF000317"}])
        save_sites(connection, [*sites, {"tesla_site_id": 13, "site_name": "Barn"}])
        ada = vehicle_ids(connection)[1]
    seen_at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    columns = ("vehicle_id", "timestamp", "latitude", "longitude")
    schema = {name: VEHICLE_STATES[name] for name in columns}
    position = pl.DataFrame([(ada, seen_at, -33.8568, 151.2153)], schema, orient="row")
    rates = (Rate("buy", Decimal("0.3")),)
    night = Tariff(tariff_id_of("Night", None), "Night", "EUR", "Europe/Berlin", rates)
    with database.frames() as frames:
        write_new(frames, vehicle_states, position)
        save_tariffs(frames, [night])
    return database


def test_a_place_is_added_with_what_is_given(tessie: Tessie, household: Database) -> None:
    given = ("--at", "-33.9, 151.2", "--radius", "150", "--kind", "home")
    printed = done(
        tessie, household, "add", "Home [1]", *given, "--site", "13", "--tariff", "Night"
    )
    assert "Home [1] is added." in printed
    assert FOLLOWS in printed
    (place,) = stored(household).values()
    assert (place.latitude, place.longitude, place.radius_m) == (-33.9, 151.2, 150)
    assert (place.kind, place.tariff_name) == ("home", "Night")
    printed = done(tessie, household, "list")
    assert "Home [1] home -33.90000 151.20000 150 Barn Night" in printed


def test_a_place_that_is_there_keeps_what_is_not_given(tessie: Tessie, household: Database) -> None:
    done(tessie, household, "add", "Home", "--at", AT, "--kind", "home", "--site", "Barn")
    before = stored(household)["Home"]
    printed = done(tessie, household, "add", "Home", "--tariff", "Night", "--radius", "50")
    assert "Home was there and is changed: its radius, its tariff." in printed
    after = stored(household)["Home"]
    assert (after.radius_m, after.tariff_name) == (50, "Night")
    assert (after.latitude, after.kind, after.site_id) == (52.5163, "home", before.site_id)


def test_an_empty_site_or_tariff_takes_it_away(tessie: Tessie, household: Database) -> None:
    done(tessie, household, "add", "Home", "--at", AT, "--site", "Barn", "--tariff", "Night")
    done(tessie, household, "add", "Home", "--site", "", "--tariff", "")
    assert stored(household) == {"Home": Place("Home", 52.5163, 13.3777)}


def test_a_place_that_does_not_change_is_said_to_be_there(
    tessie: Tessie, database: Database
) -> None:
    done(tessie, database, "add", "Home", "--at", AT)
    printed = done(tessie, database, "add", "Home", "--at", AT, "--kind", "other")
    assert printed == "Home is there already, just so."


def test_here_is_where_a_vehicle_was_last_and_says_when(
    tessie: Tessie, household: Database
) -> None:
    printed = done(tessie, household, "add", "Harbour", "--here", "ada")
    assert "Ada was there on 2026-06-01 at 12:00 (UTC)." in printed
    assert stored(household) == {"Harbour": Place("Harbour", -33.8568, 151.2153)}


def test_coordinates_are_printed_in_the_list_alone(tessie: Tessie, household: Database) -> None:
    printed = done(tessie, household, "add", "Harbour", "--here", "Ada")
    printed += done(tessie, household, "add", "Harbour", "--at", AT)
    printed += done(tessie, household, "remove", "Harbour")
    assert not any(digits in printed for digits in ("33.8", "151.2", "52.5", "13.3"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--kind", "home"], "There is no place Home yet: say where it is with --at LAT,LON or"),
        (["--at", AT, "--here", "Ada"], "--at and --here exclude each other"),
        (["--at", "90.1,0"], "--at should be degrees north and east such as 52.5163,13.3777"),
        (["--at", "0,nan"], "--at should be degrees north and east"),
        (["--at", "52,5163,13,3777"], "--at should be degrees north and east"),
        (["--at", AT, "--radius", "0"], "--radius should be 1 to 100000 metres"),
        (["--at", AT, "--radius", "nan"], "--radius should be 1 to 100000 metres"),
        (["--at", AT, "--kind", "garage"], "--kind should be one of home, work, other"),
        (
            ["--at", AT, "--site", "Shed"],
            "There is no energy site Shed; there is Barn (13), Roof (11)",
        ),
        (["--at", AT, "--site", "Roof"], "name one by its Tesla id: Roof (11), Roof (12)"),
        (["--at", AT, "--tariff", "Day"], "There is no tariff Day; there is Night"),
        (["--here", "Otto"], "There is no vehicle Otto; there is 5YJ3E1EA7LF000317, Ada"),
        (["--here", "5YJ3E1EA7LF000317"], "No position of 5YJ3E1EA7LF000317 is stored"),
    ],
)
def test_what_is_not_there_or_no_place_is_refused_in_a_sentence(
    tessie: Tessie, household: Database, arguments: list[str], sentence: str
) -> None:
    assert sentence in refused(tessie, household, "add", "Home", *arguments)


def test_a_name_is_needed(tessie: Tessie, database: Database) -> None:
    assert "A name is needed" in refused(tessie, database, "add", " ", "--at", AT)


def test_a_place_is_removed_with_the_rules_that_ask_for_it(
    tessie: Tessie, database: Database
) -> None:
    done(tessie, database, "add", "Home", "--at", AT)
    with database.rows() as connection:
        asked = Conditions(start_place_id=place_ids(connection)["Home"])
        save_rule(connection, add_driver(connection, "Ann"), asked, 100)
    printed = done(tessie, database, "remove", "Home")
    assert "Home is removed, and with it 1 rule(s) of drivers that asked for it." in printed
    assert FOLLOWS in printed
    assert "There are no places yet" in done(tessie, database, "list")
    assert "There is no place Home; there is none yet" in refused(
        tessie, database, "remove", "Home"
    )


def test_a_database_without_tables_gets_them(tessie: Tessie, bare_database: Database) -> None:
    assert "Home is added." in done(tessie, bare_database, "add", "Home", "--at", AT)
