"""Rows of sites that are read ahead: each window's own, whole, however they come."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import nan

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.samples import ENERGY_STATES
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy import site_rows
from tessie_pipeline.store.energy.site_rows import read_site_rows_ahead
from tessie_pipeline.store.tables import energy_states
from tessie_pipeline.store.writes import write_new

HOME, CABIN = "0a" * 16, "0b" * 16
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SCHEMA = pl.Schema(
    {name: ENERGY_STATES[name] for name in ("site_id", "timestamp", "solar_power_w")}
)


def store(database: Database, site: str, powers: Mapping[datetime, float | None]) -> None:
    """Store samples with that solar power."""
    rows = [
        {"site_id": site, "timestamp": time, "is_stale": False, "solar_power_w": power}
        for time, power in powers.items()
    ]
    with database.frames() as connection:
        write_new(connection, energy_states, pl.DataFrame(rows, ENERGY_STATES))


def hours(*windows: tuple[str, datetime]) -> pl.DataFrame:
    """An hour of a site each."""
    rows = [(site, start, start + HOUR) for site, start in windows]
    kinds = [SCHEMA["site_id"], SCHEMA["timestamp"], SCHEMA["timestamp"]]
    return pl.DataFrame(
        rows, dict(zip(("site_id", "start", "end"), kinds, strict=True)), orient="row"
    )


def parts(database: Database, windows: pl.DataFrame) -> list[tuple[list[int], pl.DataFrame]]:
    with database.frames() as connection:
        found = list(read_site_rows_ahead(connection, energy_states, windows, SCHEMA))
    assert all(rows.schema == SCHEMA for _, rows in found)
    return [(numbers.to_list(), rows.sort("site_id", "timestamp")) for numbers, rows in found]


def a_window_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_rows, "BATCH_BYTES", 900)
    monkeypatch.setattr(site_rows, "BATCHES_AHEAD", 1)


def test_windows_come_with_their_own_rows(database: Database) -> None:
    store(database, HOME, {NOON - MINUTE: 1, NOON: 2, NOON + MINUTE: None, NOON + HOUR: 3})
    store(database, HOME, {NOON + 2 * MINUTE: nan, NOON + 3 * MINUTE: -0.5})
    store(database, CABIN, {NOON: 4, NOON + HOUR: 5})
    ((numbers, rows),) = parts(database, hours((CABIN, NOON + HOUR), (HOME, NOON)))
    assert sorted(numbers) == [0, 1]
    assert rows.rows() == [
        (HOME, NOON, 2), (HOME, NOON + MINUTE, None), (HOME, NOON + 2 * MINUTE, None),
        (HOME, NOON + 3 * MINUTE, -0.5), (CABIN, NOON + HOUR, 5),
    ]  # fmt: skip


def test_a_window_without_rows_does_not_come(database: Database) -> None:
    store(database, HOME, {NOON: 1})
    windows = hours((HOME, NOON + HOUR), (CABIN, NOON), (HOME, NOON))
    ((numbers, rows),) = parts(database, windows)
    assert numbers == [2]
    assert rows.rows() == [(HOME, NOON, 1)]
    assert parts(database, windows.head(2)) == []


def test_no_window_has_no_rows(database: Database) -> None:
    assert parts(database, hours()) == []


def test_rows_in_several_windows_come_with_each(database: Database) -> None:
    store(database, HOME, {NOON: 1, NOON + 40 * MINUTE: 2})
    ((_, rows),) = parts(database, hours((HOME, NOON), (HOME, NOON + 30 * MINUTE)))
    assert rows["solar_power_w"].to_list() == [1, 2, 2]


def test_however_much_is_read_at_a_time_windows_come_whole(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [NOON + n * MINUTE for n in range(240)]
    store(database, HOME, {time: n for n, time in enumerate(times)})
    windows = hours(*((HOME, NOON + n * HOUR) for n in range(4)))
    ((_, whole),) = parts(database, windows)
    a_window_at_a_time(monkeypatch)
    found = parts(database, windows)
    assert len(found) > 1
    assert sorted(number for numbers, _ in found for number in numbers) == [0, 1, 2, 3]
    assert [rows.height for _, rows in found] == [60 * len(numbers) for numbers, _ in found]
    assert_frame_equal(pl.concat(rows for _, rows in found).sort("timestamp"), whole)


def test_a_caller_who_stops_leaves_the_connection_usable(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_window_at_a_time(monkeypatch)
    store(database, HOME, {NOON + n * MINUTE: n for n in range(240)})
    windows = hours(*((HOME, NOON + n * HOUR) for n in range(4)))
    with database.frames() as connection:
        ahead = read_site_rows_ahead(connection, energy_states, windows, SCHEMA)
        first, _ = next(ahead)
        ahead.close()
        again = [
            numbers
            for numbers, _ in read_site_rows_ahead(connection, energy_states, windows, SCHEMA)
        ]
    assert first.to_list() == again[0].to_list()
    assert sum(map(len, again)) == 4
