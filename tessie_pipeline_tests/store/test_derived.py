"""Derived rows, replaced in windows: what is in them goes, what is outside is not touched."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.charging_frames import CHARGING_SESSIONS
from tessie_pipeline.domain.sample_windows import WINDOWS
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.derived import in_windows, kept_spans, merge_rows, relabel, replace_rows
from tessie_pipeline.store.tables import vehicles
from tessie_pipeline.store.tables.charging import charging_sessions

ADA, OTTO = "0a" * 16, "0b" * 16
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEY = ["vehicle_id", "started_at"]
SHOWN = "select right(vehicle_id::text, 1), started_at, energy_added_kwh, charger_name from "


def at(hour: float) -> datetime:
    """So many hours after noon."""
    return NOON + timedelta(hours=hour)


def session(vehicle: str, hour: float, kwh: float = 1.0, **others: Any) -> dict[str, Any]:
    """A session of half an hour."""
    return dict.fromkeys(CHARGING_SESSIONS) | {
        "vehicle_id": vehicle,
        "started_by": at(hour),
        "started_at": at(hour),
        "ended_by": at(hour + 0.5),
        "energy_added_kwh": kwh,
        "is_inferred": False,
        "is_estimated": False,
        "segments": 1,
        "samples": 1,
        "status": "completed",
    } | others  # fmt: skip


def frame(*sessions: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(sessions, CHARGING_SESSIONS)


def window(vehicle: str, start: float | None, end: float | None) -> pl.DataFrame:
    bounds = (None if hour is None else at(hour) for hour in (start, end))
    return pl.DataFrame([(vehicle, *bounds)], WINDOWS, orient="row")


def is_in(windows: pl.DataFrame) -> sa.ColumnElement[bool]:
    return in_windows(windows, charging_sessions.c.vehicle_id, charging_sessions.c.started_at)


@pytest.fixture
def charged(database: Database) -> Database:
    """Two vehicles that charged at 1, 2 and 3, at chargers that a person named."""
    with database.rows() as connection:
        cars = [{"id": own, "tesla_id": n, "vin": own[:17]} for n, own in enumerate((ADA, OTTO))]
        connection.execute(sa.insert(vehicles).values(cars))
    with database.frames() as connection:
        rows = frame(*(session(vehicle, hour) for vehicle in (ADA, OTTO) for hour in (1, 2, 3)))
        replace_rows(connection, charging_sessions, rows, sa.false())
    with database.rows() as connection:
        connection.execute(sa.update(charging_sessions).values(charger_name="named"))
    return database


def stored(database: Database) -> dict[tuple[str, float], tuple[float, str | None]]:
    """Energy and charger by the vehicle's last digit and the hour."""
    with database.rows() as connection:
        rows = connection.execute(sa.text(SHOWN + charging_sessions.name)).all()
    return {(v, (began - NOON) / timedelta(hours=1)): (kwh, name) for v, began, kwh, name in rows}


def versions(database: Database) -> set[tuple[Any, ...]]:
    """What changes when Postgres writes a row anew."""
    query = sa.text("select vehicle_id, started_at, ctid::text, xmin::text from charging_sessions")
    with database.rows() as connection:
        return {tuple(row) for row in connection.execute(query)}


@pytest.mark.parametrize(
    ("start", "end", "left"),
    [(1, 3, [3]), (None, 2, [2, 3]), (2, None, [1]), (None, None, []), (1.1, 1.9, [1, 2, 3])],
)
def test_a_window_holds_its_start_and_not_its_end_and_one_vehicle(
    charged: Database, start: float | None, end: float | None, left: list[float]
) -> None:
    others = {key for key in versions(charged) if key[0].hex == OTTO}
    with charged.frames() as connection:
        replace_rows(connection, charging_sessions, frame(), is_in(window(ADA, start, end)))

    assert [hour for vehicle, hour in stored(charged) if vehicle == "a"] == left
    assert others <= versions(charged)


def test_replaced_rows_lose_what_others_added(charged: Database) -> None:
    with charged.frames() as connection:
        rows = frame(session(ADA, 1, 7.0), session(ADA, 2.5))
        replace_rows(connection, charging_sessions, rows, is_in(window(ADA, 1, 3)))

    found = stored(charged)
    assert {hour: found["a", hour] for hour in (1, 2.5, 3)} == {
        1: (7.0, None),
        2.5: (1.0, None),
        3: (1.0, "named"),
    }
    assert len(found) == 6


def test_merged_rows_keep_what_others_added_where_their_key_stays(charged: Database) -> None:
    """Of those at 1 and 2 the second is gone, and there is one at 2.5."""
    with charged.frames() as connection:
        rows = frame(session(ADA, 1, 7.0), session(ADA, 2.5))
        merge_rows(connection, charging_sessions, rows, KEY, is_in(window(ADA, 1, 3)))

    found = stored(charged)
    assert {key: value for key, value in found.items() if key[0] == "a"} == {
        ("a", 1): (7.0, "named"),
        ("a", 2.5): (1.0, None),
        ("a", 3): (1.0, "named"),
    }


def test_merged_rows_that_are_the_same_are_not_written(charged: Database) -> None:
    before = versions(charged)

    with charged.frames() as connection:
        rows = frame(*(session(ADA, hour) for hour in (1, 2, 3)))
        merge_rows(connection, charging_sessions, rows, KEY, is_in(window(ADA, None, None)))

    assert versions(charged) == before


def test_only_a_new_row_is_given_what_is_made(charged: Database) -> None:
    with charged.frames() as connection:
        merge_rows(
            connection,
            charging_sessions,
            frame(session(ADA, 1, 7.0), session(ADA, 2.5)),
            KEY,
            is_in(window(ADA, 1, 3)),
            charger_name=sa.literal("made"),
        )

    found = stored(charged)
    assert (found["a", 1], found["a", 2.5]) == ((7.0, "named"), (1.0, "made"))


def test_only_rows_whose_label_changes_are_written(charged: Database) -> None:
    before = versions(charged)
    known = pl.Schema({name: CHARGING_SESSIONS[name] for name in KEY})
    is_second = pl.col("started_at") == at(2)

    with charged.frames() as connection:
        relabel(
            connection,
            charging_sessions,
            known,
            lambda rows: rows.select(
                charger_name=pl.when(is_second).then(pl.lit("new")).otherwise(pl.lit("named"))
            ),
            energy_added_kwh=9.0,
        )

    found = stored(charged)
    assert {key for key, value in found.items() if value == (9.0, "new")} == {("a", 2), ("b", 2)}
    assert len(versions(charged) & before) == 4


@pytest.mark.parametrize(
    ("more", "oldest", "expected"),
    [
        ({}, 0.5, []),
        ({}, 1, []),
        ({}, 2.2, [(ADA, at(2.5), False)]),
        ({"started_after": at(1.9)}, 2, [(ADA, at(2.5), False)]),
        ({"ended_by": None}, 2.2, [(ADA, at(1.5), True)]),
    ],
    ids=["all are left", "from the first on", "its first is gone", "the one before is", "goes on"],
)
def test_rows_of_samples_that_are_gone_are_kept_until_they_end(
    charged: Database, more: dict[str, Any], oldest: float, expected: list[tuple[Any, ...]]
) -> None:
    with charged.frames() as connection:
        rows = frame(session(ADA, 2, **more))
        replace_rows(connection, charging_sessions, rows, is_in(window(ADA, 2, 3)))

        sampled = pl.DataFrame(
            {"vehicle_id": [ADA], "oldest": [at(oldest)]},
            {"vehicle_id": pl.String(), "oldest": UTC_TIME},
        )
        assert kept_spans(connection, charging_sessions, sampled).rows() == expected
