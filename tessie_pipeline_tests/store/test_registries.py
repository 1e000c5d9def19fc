"""Vehicles and sites: written once, changed when they change, never forgotten."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import (
    KnownSite,
    create_imported_site,
    known_sites,
    listed_sites,
    read_zones,
    save_sites,
    save_vehicles,
    vehicle_ids,
)
from tessie_pipeline.store.tables import energy_sites, vehicles

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CAR: dict[str, Any] = {
    "tesla_id": 1_492_931_337_154_343,
    "vin": "5YJ3E1EA7LF000316",
    "display_name": "Ada",
    "model": "Model 3",
    "year": 2020,
    "color": "DeepBlue",
    "trim": "74d",
    "raw_data": '{"state": "online", "name": "Ad\\u00e4 🚗"}',
}
HOME: dict[str, Any] = {
    "tesla_site_id": 2_252_000_000_000,
    "site_name": "Home",
    "time_zone": "America/Los_Angeles",
    "battery_count": 2,
    "total_battery_capacity_kwh": 27.0,
    "solar_capacity_kw": 7.6,
    "raw_data": '{"tariff": {"name": "E-TOU"}}',
    "site_info_at": NOON,
}


def save(database: Database, *rows: dict[str, Any], table: sa.Table = energy_sites) -> int:
    """Save rows in a transaction of their own."""
    with database.rows() as connection:
        return (save_vehicles if table is vehicles else save_sites)(connection, rows)


def stored(database: Database, table: sa.Table = energy_sites) -> list[dict[str, Any]]:
    """All rows, with what changes when one is written anew."""
    query = sa.select(table, sa.text("xmin::text")).order_by(table.c.created_at, table.c.id)
    with database.rows() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def said(row: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What a stored row says in the given columns."""
    return {name: row[name] for name in given}


def as_stored(given: dict[str, Any]) -> dict[str, Any]:
    return given | {"raw_data": json.loads(given["raw_data"])}


@pytest.mark.parametrize(
    ("table", "row"), [(vehicles, CAR), (energy_sites, HOME)], ids=["car", "site"]
)
def test_what_is_saved_can_be_read(
    database: Database, table: sa.Table, row: dict[str, Any]
) -> None:
    assert save(database, row, table=table) == 1
    (found,) = stored(database, table)
    assert said(found, row) == as_stored(row)


@pytest.mark.parametrize(
    ("table", "row"),
    [(vehicles, CAR), (energy_sites, HOME | {"site_info_at": None})],
    ids=["car", "site"],
)
def test_the_same_again_changes_nothing_even_if_the_answer_around_it_did(
    database: Database, table: sa.Table, row: dict[str, Any]
) -> None:
    save(database, row, table=table)
    before = stored(database, table)
    assert save(database, row, table=table) == 0
    assert save(database, row | {"raw_data": '{"state": "asleep"}'}, table=table) == 0
    assert stored(database, table) == before


@pytest.mark.parametrize(
    ("table", "row"), [(vehicles, CAR), (energy_sites, HOME)], ids=["car", "site"]
)
def test_what_is_left_out_or_unknown_this_time_stays(
    database: Database, table: sa.Table, row: dict[str, Any]
) -> None:
    save(database, row, table=table)
    before = stored(database, table)
    keys = {name: row[name] for name in ("tesla_id", "vin", "tesla_site_id") if name in row}
    assert save(database, dict.fromkeys(row) | keys, table=table) == 0
    assert stored(database, table) == before
    name = "model" if table is vehicles else "site_name"
    assert save(database, dict.fromkeys(row) | keys | {name: "New"}, table=table) == 1
    (found,) = stored(database, table)
    assert said(found, row) == as_stored(row) | {name: "New"}


def test_a_site_that_is_not_described_yet_has_no_description(database: Database) -> None:
    save(database, HOME | {"raw_data": None, "site_info_at": None})
    with database.rows() as rows:
        query = sa.select(energy_sites.c.raw_data.is_(sa.null()))
        assert rows.scalars(query).all() == [True]


@pytest.mark.parametrize(
    ("table", "row", "change"),
    [
        (vehicles, CAR, {"display_name": "Otto", "raw_data": '{"state": "asleep"}'}),
        (vehicles, CAR, {"tesla_id": 7}),
        (energy_sites, HOME, {"site_name": "Cabin", "time_zone": "Europe/Berlin"}),
        (energy_sites, HOME | {"time_zone": None}, {"time_zone": "Europe/Berlin"}),
    ],
    ids=["name", "Tesla's id", "site", "zone that was not known"],
)
def test_a_change_is_written_and_dated_and_the_identity_stays(
    database: Database, table: sa.Table, row: dict[str, Any], change: dict[str, Any]
) -> None:
    save(database, row, table=table)
    (before,) = stored(database, table)
    assert save(database, row | change, table=table) == 1
    (after,) = stored(database, table)
    assert said(after, row) == as_stored(row | change)
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    assert after["updated_at"] > before["updated_at"]


def test_a_new_description_is_kept_with_its_time_though_it_says_the_same(
    database: Database,
) -> None:
    save(database, HOME)
    later = {"site_info_at": NOON.replace(hour=13), "raw_data": '{"tariff": null}'}
    assert save(database, HOME | later) == 1
    (found,) = stored(database)
    assert said(found, HOME) == as_stored(HOME | later)


def test_only_those_that_changed_are_counted_and_written(database: Database) -> None:
    cars = [CAR | {"tesla_id": n, "vin": f"5YJ3E1EA7LF00000{n}"} for n in range(3)]
    assert save(database, *cars, table=vehicles) == 3
    before = stored(database, vehicles)
    cars[1] |= {"color": "SolidBlack"}
    assert save(database, *cars, table=vehicles) == 1
    after = stored(database, vehicles)
    changed = [row["tesla_id"] for row in after if row not in before]
    assert changed == [1]
    assert save(database, table=vehicles) == 0


@pytest.mark.parametrize(
    ("table", "row", "key"),
    [(vehicles, CAR, "vin"), (energy_sites, HOME, "tesla_site_id")],
    ids=["car", "site"],
)
def test_what_the_account_no_longer_lists_is_marked_until_it_is_back(
    database: Database, table: sa.Table, row: dict[str, Any], key: str
) -> None:
    other = row | ({"tesla_id": 7, key: "7SAYGDEE5PF000001"} if table is vehicles else {key: 7})
    save_all = save_vehicles if table is vehicles else save_sites

    def removed(*rows: dict[str, Any], are_all: bool = True) -> tuple[int, set[Any]]:
        with database.rows() as connection:
            changed = save_all(connection, rows, are_all=are_all)
        marked = {one[key] for one in stored(database, table) if one["removed_at"]}
        return changed, marked

    both = [{k: v for k, v in one.items() if k != "site_info_at"} for one in (row, other)]
    assert removed(*both) == (2, set())
    assert removed(both[0], are_all=False) == (0, set()), "others may have been unreadable"
    assert removed(both[0]) == (1, {other[key]})
    assert removed(both[0]) == (0, {other[key]})
    assert removed() == (1, {row[key], other[key]})
    assert removed(*both) == (2, set())


def test_a_site_that_was_only_imported_is_none_of_the_account(database: Database) -> None:
    imported(database)
    with database.rows() as connection:
        save_sites(connection, [], are_all=True)
        assert listed_sites(connection) == {}
    (site,) = known(database)
    assert site.removed_at is None


def imported(database: Database, name: str = "From the app") -> KnownSite:
    with database.rows() as connection:
        return create_imported_site(connection, name, "Europe/Berlin")


def known(database: Database) -> list[KnownSite]:
    with database.rows() as connection:
        return known_sites(connection)


def test_the_accounts_only_site_takes_over_the_one_that_was_imported(database: Database) -> None:
    site = imported(database)
    assert known(database) == [site]
    assert save(database, HOME | {"time_zone": None}) == 1
    assert known(database) == [
        KnownSite(site.site_id, HOME["tesla_site_id"], "Home", "Europe/Berlin", NOON)
    ]


def test_an_imported_site_stays_apart_when_it_could_be_either_of_two(database: Database) -> None:
    site = imported(database)
    cabin = HOME | {"tesla_site_id": 5, "site_name": "Cabin"}
    assert save(database, HOME, cabin) == 2
    assert known(database)[0] == site
    others = {one.tesla_site_id for one in known(database)[1:]}
    assert others == {HOME["tesla_site_id"], 5}


@pytest.mark.parametrize("is_imported_first", [True, False])
def test_a_site_is_not_taken_over_when_another_is_known(
    database: Database, is_imported_first: bool
) -> None:
    if is_imported_first:
        imported(database)
        imported(database, "Another")
    else:
        save(database, HOME)
        imported(database)
    before = known(database)
    assert save(database, HOME | {"tesla_site_id": 5}) == 1
    assert known(database)[:2] == before
    assert known(database)[2].tesla_site_id == 5


def test_ids_are_the_digits_of_what_is_stored(database: Database) -> None:
    save(database, CAR, CAR | {"tesla_id": 2, "vin": "5YJ3E1EA7LF000317"}, table=vehicles)
    save(database, HOME)
    site = imported(database)
    with database.rows() as connection:
        ids = vehicle_ids(connection)
    own_ids = {row["tesla_id"]: row["id"].hex for row in stored(database, vehicles)}
    assert ids == own_ids
    assert ids.keys() == {CAR["tesla_id"], 2}
    site_ids = [one.site_id for one in known(database)]
    assert site_ids == [row["id"].hex for row in stored(database)]
    assert site_ids[1] == site.site_id
    for digits in (*ids.values(), *site_ids):
        assert re.fullmatch("[0-9a-f]{32}", digits)


def test_zones_are_those_of_the_sites_that_have_one(database: Database) -> None:
    save(database, HOME)
    save(database, HOME | {"tesla_site_id": 5, "time_zone": None})
    with database.frames() as connection:
        zones = read_zones(connection)
    assert zones.rows() == [(known(database)[0].site_id, "America/Los_Angeles")]
    assert zones.columns == ["site_id", "time_zone"]
