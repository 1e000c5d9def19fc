"""Computed days and imported days: which one wins, and that a repeat touches nothing."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.samples import ENERGY_DAILY
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.days import (
    APP_EXPORT,
    save_computed_days,
    save_imported_days,
    stored_days,
)
from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.store.tables.energy import energy_daily

Save = Callable[[adbc.Connection, pl.DataFrame], int]

JUNE = date(2026, 6, 1)
DAY = timedelta(days=1)
HOME, CABIN = "0a" * 16, "0b" * 16
ENERGIES = [name for name in ENERGY_DAILY if name.endswith(("_kwh", "_pct"))]


def compute_days(connection: adbc.Connection, days: pl.DataFrame) -> int:
    """Save days that were all there is to compute."""
    return save_computed_days(connection, days, days)


import_days: Save = partial(save_imported_days, overwrite=False)
overwrite_days: Save = partial(save_imported_days, overwrite=True)


@pytest.fixture
def home(database: Database) -> Database:
    """A database with two sites."""
    with database.rows() as rows:
        rows.execute(sa.insert(energy_sites).values([{"id": HOME}, {"id": CABIN}]))
    return database


def day(coverage_pct: float | None, **other: Any) -> dict[str, Any]:
    """A day at home whose energies tell it from others; it is imported if it has no coverage."""
    source = APP_EXPORT if coverage_pct is None else "calendar_history_energy"
    numbers = {name: float(number) for number, name in enumerate(ENERGIES)}
    return {"site_id": HOME, "date": JUNE, "source": source} | numbers | {
        "coverage_pct": coverage_pct
    } | other  # fmt: skip


def save(database: Database, write: Save, *days: Mapping[str, Any]) -> int:
    """Save days in a transaction of their own."""
    with database.frames() as connection:
        return write(connection, pl.DataFrame(days, ENERGY_DAILY))


def stored(database: Database) -> list[dict[str, Any]]:
    columns = [energy_daily.c[name] for name in ENERGY_DAILY]
    query = sa.select(*columns).order_by(energy_daily.c.site_id, energy_daily.c.date)
    with database.rows() as rows:
        found = rows.execute(query).mappings()
        return [dict(row) | {"site_id": row["site_id"].hex} for row in found]


def row_versions(database: Database) -> list[tuple[Any, ...]]:
    """What changes when Postgres writes a row anew."""
    with database.rows() as rows:
        query = sa.text("select id, ctid::text, xmin::text from energy_daily order by 1")
        return [tuple(row) for row in rows.execute(query)]


@pytest.mark.parametrize(
    "write",
    [compute_days, import_days, overwrite_days],
    ids=["computed", "imported", "overwritten"],
)
def test_a_day_is_stored_as_it_is_with_what_is_unknown(home: Database, write: Save) -> None:
    nothing = day(None, site_id=CABIN) | dict.fromkeys(ENERGIES)
    days = [day(None), day(12.5, date=JUNE + DAY), nothing]
    assert save(home, write, *days) == 3
    assert stored(home) == days
    assert save(home, write) == 0
    assert stored(home) == days


PART, WHOLE, IMPORTED = 93.1, 100.0, None


@pytest.mark.parametrize(
    ("first", "write", "second", "wins"),
    [
        (PART, compute_days, WHOLE, True),
        (WHOLE, compute_days, WHOLE, True),
        (WHOLE, compute_days, PART, True),
        (WHOLE, compute_days, 0.0, True),
        (IMPORTED, compute_days, WHOLE, True),
        (IMPORTED, compute_days, 99.9, True),
        (IMPORTED, compute_days, 99.89, False),
        (IMPORTED, compute_days, PART, False),
        (IMPORTED, compute_days, 0.0, False),
        (IMPORTED, import_days, IMPORTED, True),
        (PART, import_days, IMPORTED, False),
        (WHOLE, import_days, IMPORTED, False),
        (IMPORTED, overwrite_days, IMPORTED, True),
        (PART, overwrite_days, IMPORTED, True),
        (WHOLE, overwrite_days, IMPORTED, True),
    ],
    ids=["whole for part", "whole for whole", "part for whole", "unmeasured for whole",
         "whole for imported", "complete for imported", "hardly incomplete for imported",
         "part for imported", "unmeasured for imported", "imported for imported",
         "imported for part", "imported for whole", "imported for imported, asked",
         "imported for part, asked", "imported for whole, asked"],
)  # fmt: skip
def test_of_two_days_the_one_that_knows_more_wins_unless_asked_otherwise(
    home: Database, first: float | None, write: Save, second: float | None, wins: bool
) -> None:
    old, new = day(first), day(second, home_consumed_kwh=77.0)
    save(home, compute_days if first is not None else import_days, old)
    assert save(home, write, new) == (1 if wins else 0)
    assert stored(home) == [new if wins else old]


def test_a_computed_day_of_unknown_coverage_does_not_replace_an_imported_one(
    home: Database,
) -> None:
    save(home, import_days, day(IMPORTED))
    unknown = day(WHOLE) | {"coverage_pct": None, "home_consumed_kwh": 77.0}
    assert save(home, compute_days, unknown) == 0
    assert stored(home) == [day(IMPORTED)]


def test_a_day_keeps_its_identity_when_it_is_replaced(home: Database) -> None:
    save(home, import_days, day(IMPORTED))
    before = row_versions(home)
    save(home, compute_days, day(WHOLE))
    after = row_versions(home)
    assert after[0][0] == before[0][0]
    assert after != before


@pytest.mark.parametrize(
    ("write", "days"),
    [
        (compute_days, [day(PART), day(WHOLE, site_id=CABIN, grid_exported_kwh=None)]),
        (import_days, [day(None), day(None, site_id=CABIN, grid_exported_kwh=None)]),
        (overwrite_days, [day(None), day(None, site_id=CABIN, grid_exported_kwh=None)]),
    ],
    ids=["computed", "imported", "overwritten"],
)
def test_the_same_days_again_count_and_touch_nothing(
    home: Database, write: Save, days: list[dict[str, Any]]
) -> None:
    assert save(home, write, *days) == 2
    before = row_versions(home)
    assert save(home, write, *days) == 0
    assert row_versions(home) == before


def test_a_difference_in_any_column_is_written(home: Database) -> None:
    names = [*ENERGIES, "source"]
    known = [day(PART, date=JUNE + n * DAY) for n in range(len(names))]
    others = [
        a_day | {name: "other" if name == "source" else None}
        for a_day, name in zip(known, names, strict=True)
    ]
    for days in (known, others, known):
        assert save(home, compute_days, *days) == len(names)
        assert stored(home) == days


def test_days_of_many_kinds_are_each_decided_on_their_own(home: Database) -> None:
    dates = [JUNE + n * DAY for n in range(4)]
    save(home, import_days, *(day(IMPORTED, date=date) for date in dates[:2]))
    save(home, compute_days, day(PART, date=dates[2]))
    new = [
        day(coverage, date=date, home_consumed_kwh=77.0)
        for coverage, date in zip((WHOLE, PART, PART, PART), dates, strict=True)
    ]
    cabin = day(PART, site_id=CABIN)
    assert save(home, compute_days, *new, cabin) == 4
    assert stored(home) == [new[0], day(IMPORTED, date=dates[1]), *new[2:], cabin]


def test_stored_days_are_those_of_every_site_up_to_and_without_the_end(home: Database) -> None:
    save(home, compute_days, *(day(PART, date=JUNE + n * DAY) for n in range(-1, 3)))
    save(home, import_days, day(IMPORTED, site_id=CABIN))
    with home.frames() as connection:
        found = stored_days(connection, JUNE, JUNE + 2 * DAY)
        nothing = stored_days(connection, JUNE + 3 * DAY, JUNE + 9 * DAY)
    assert sorted(found.select("site_id", "date").rows()) == [
        (HOME, JUNE),
        (HOME, JUNE + DAY),
        (CABIN, JUNE),
    ]
    assert (nothing.schema, nothing.height) == (found.schema, 0)


def test_a_day_that_has_nothing_left_has_no_row_of_its_own_any_more(home: Database) -> None:
    save(home, compute_days, day(100.0), day(100.0, date=JUNE + DAY))
    save(home, import_days, day(None, date=JUNE + 2 * DAY))
    dates = pl.DataFrame({"site_id": [HOME] * 3, "date": [JUNE + n * DAY for n in range(3)]})
    with home.frames() as connection:
        save_computed_days(connection, pl.DataFrame([day(100.0)], ENERGY_DAILY), dates)
    assert [row["date"] for row in stored(home)] == [JUNE, JUNE + 2 * DAY]
