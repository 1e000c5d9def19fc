"""Tariffs: what is read in replaces its own versions, and a row that is no tariff is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.tariffs import Rate, Season, Tariff, tariff_id_of
from tessie_pipeline.store.charging.tariffs import (
    TariffChanges,
    TariffClash,
    read_tariffs,
    remove_tariff,
    save_tariffs,
    tariff_names,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import create_imported_site
from tessie_pipeline.store.tables.prices import tariff_rates, tariffs
from tessie_pipeline_tests.store.conftest import count_rows

JANUARY, JULY = date(2026, 1, 1), date(2026, 7, 1)
DAY_RATE = Rate("buy", Decimal("0.3"))
NIGHT_RATE = Rate(
    "buy",
    Decimal("0.219999"),
    season=Season((11, 1), (2, 28)),
    weekdays=frozenset({1, 5}),
    start=time(22),
    end=time(6),
)


def tariff(name: str = "Home", valid_from: date | None = None, **more: Any) -> Tariff:
    own = tariff_id_of(name, valid_from)
    fields: dict[str, Any] = {"rates": (DAY_RATE,), "source": "file", **more}
    return Tariff(own, name, "EUR", "Europe/Berlin", valid_from=valid_from, **fields)


OLD = tariff(valid_to=JANUARY, session_fee=Decimal("0.5"))
NEW = tariff(valid_from=JANUARY, rates=(NIGHT_RATE, DAY_RATE, Rate("sell", Decimal("-0.08"))))
OTHER = tariff("Car park", rates=(Rate("buy", Decimal("0.12"), "minute"),))


def save(database: Database, *given: Tariff) -> TariffChanges:
    """Save tariffs in a transaction of their own."""
    with database.frames() as connection:
        return save_tariffs(connection, given)


def stored(database: Database) -> tuple[list[Tariff], list[str]]:
    """What is read, and what is said of rows that are no tariff."""
    with database.frames() as connection:
        return read_tariffs(connection)


def by_hand(database: Database, *statements: str) -> None:
    """What a person does with SQL."""
    with database.rows() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def written_at(database: Database) -> Sequence[Any]:
    """The transactions that wrote the versions and rates that are there."""
    xmin: sa.ColumnClause[str] = sa.literal_column("xmin::text")
    with database.rows() as connection:
        return [
            connection.scalars(sa.select(xmin).select_from(table)).all()
            for table in (tariffs, tariff_rates)
        ]


def test_tariffs_are_read_as_they_were_saved_to_the_last_digit(database: Database) -> None:
    with database.rows() as connection:
        site_id = create_imported_site(connection, "Roof", "Europe/Berlin").site_id
    of_site = tariff("Roof", source="tesla", site_id=site_id)
    changes = save(database, NEW, OTHER, OLD)
    assert changes.new == (("Home", JANUARY), ("Car park", None), ("Home", None))
    save(database, of_site)
    assert stored(database) == ([OTHER, OLD, NEW, of_site], [])


def test_the_same_tariffs_again_write_nothing(database: Database) -> None:
    save(database, OLD, NEW)
    before = written_at(database)
    changes = save(database, NEW, OLD)
    assert changes == TariffChanges((), (), (("Home", JANUARY), ("Home", None)), ())
    assert changes.is_none
    assert written_at(database) == before


def test_versions_come_change_and_go_and_other_tariffs_stay(database: Database) -> None:
    save(database, OLD, NEW, OTHER)
    dearer = replace(NEW, rates=(Rate("buy", Decimal("0.31")),))
    newest = tariff(valid_from=JULY)
    changes = save(database, dearer, newest)
    assert changes == TariffChanges(
        new=(("Home", JULY),),
        changed=(("Home", JANUARY),),
        unchanged=(),
        removed=(("Home", None),),
    )
    assert stored(database) == ([OTHER, dearer, newest], [])
    assert count_rows(database, tariff_rates) == 3


def test_what_a_person_did_to_a_version_from_a_file_is_undone_by_the_file(
    database: Database,
) -> None:
    save(database, OLD, NEW)
    by_hand(
        database,
        "update tariffs set valid_from = '2026-02-01' where valid_from is not null",
        "delete from tariff_rates using tariffs where id = tariff_id and valid_from is null",
    )
    changes = save(database, OLD, NEW)
    assert changes == TariffChanges(
        new=(("Home", JANUARY),),
        changed=(("Home", None),),
        unchanged=(),
        removed=(("Home", date(2026, 2, 1)),),
    )
    assert stored(database) == ([OLD, NEW], [])


@pytest.mark.parametrize("source", ["hand", "tesla"])
def test_a_tariff_does_not_take_the_name_of_one_from_elsewhere(
    database: Database, source: str
) -> None:
    elsewhere = tariff(valid_from=JULY, source=source)
    save(database, elsewhere)
    with pytest.raises(TariffClash, match=f"there is a tariff Home already, of source {source}"):
        save(database, OTHER, NEW)
    assert stored(database) == ([elsewhere], [])


def test_a_tariff_that_was_renamed_is_not_taken_for_what_it_was(database: Database) -> None:
    save(database, NEW)
    by_hand(database, "update tariffs set name = 'Night'")
    with pytest.raises(TariffClash, match="tariff Night was Home before someone renamed it"):
        save(database, NEW)


def test_a_tariff_that_a_person_wrote_counts_and_one_that_is_none_is_told(
    database: Database,
) -> None:
    by_hand(
        database,
        "insert into tariffs (name, currency, time_zone) values "
        "('Good', 'EUR', 'Europe/Berlin'), ('Mars', 'EUR', 'Mars/Olympus'), "
        "('Empty', 'EUR', 'Europe/Berlin'), ('Days', 'EUR', 'Europe/Berlin')",
        "insert into tariff_rates (tariff_id, position, price) "
        "select id, 1, 0.25 from tariffs where name <> 'Empty'",
        "update tariff_rates set weekdays = 'Mon-Fri' from tariffs "
        "where id = tariff_id and name = 'Days'",
    )
    known, reasons = stored(database)
    assert [(one.name, one.source, one.rates) for one in known] == [
        ("Good", "hand", (Rate("buy", Decimal("0.25")),))
    ]
    assert [reason.split(" (")[0] for reason in reasons] == [
        "tariff Days",
        "tariff Empty",
        "tariff Mars",
    ]
    assert "'Mars/Olympus' is no time zone" in reasons[2]


def test_hours_to_24_and_days_for_ever_are_understood_as_postgres_writes_them(
    database: Database,
) -> None:
    by_hand(
        database,
        "insert into tariffs (name, currency, time_zone, valid_from, valid_to) "
        "values ('Home', 'EUR', 'Europe/Berlin', '-infinity', 'infinity')",
        "insert into tariff_rates (tariff_id, position, price, start_time, end_time) "
        "select id, 1, 0.25, time '18:00', time '24:00' from tariffs union all "
        "select id, 2, 0.20, time '24:00', time '06:00' from tariffs",
    )
    (known,), reasons = stored(database)
    assert reasons == []
    assert (known.valid_from, known.valid_to) == (None, None)
    hours = [(rate.start, rate.end) for rate in known.rates]
    assert hours == [(time(18), time(0)), (time(0), time(6))]


def test_a_tariff_is_removed_with_all_its_versions_and_rates(database: Database) -> None:
    save(database, OLD, NEW, OTHER)
    with database.rows() as connection:
        assert tariff_names(connection) == ["Car park", "Home"]
        assert remove_tariff(connection, "Home") == 2
        assert tariff_names(connection) == ["Car park"]
    assert count_rows(database, tariff_rates) == 1
