"""Partitions of samples that become hours, partitions of hours that become days."""

import random
from datetime import date
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.downsample import days_of_hours, hours_of
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.store.archive.parquet import Archive, ArchiveError
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.frames import execute
from tessie_pipeline.store.partitions import BusyError, partitions_of
from tessie_pipeline.store.retention import retiring
from tessie_pipeline.store.retention.day_samples import DaySamples
from tessie_pipeline.store.retention.retiring import (
    ProofError,
    Retired,
    retire_hours,
    retire_samples,
)
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.tables.rollups import retention_log
from tessie_pipeline_tests.store.conftest import count_rows
from tessie_pipeline_tests.store.retention.old_samples import (
    BOTH,
    DAY,
    DAYS,
    FIRST,
    ZONE,
    add,
    clocks,
    hours,
    partitions,
    register,
    samples_of,
    stored,
)

both = pytest.mark.parametrize("series", BOTH, ids=lambda series: series.name)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "archive"))


@pytest.fixture(autouse=True)
def _known(database: Database) -> None:
    register(database)


def retire(
    database: Database, series: Series, archive: Archive | None, *days: date
) -> list[Retired]:
    """Retire days in the order given; all that there are if none is."""
    there = {partition.start: partition for partition in partitions(database, series)}
    return [
        retire_samples(database, series, there[day], archive, ZONE) for day in days or sorted(there)
    ]


def retire_months(database: Database, series: Series) -> None:
    """Let days stand for all hours that there are."""
    with database.frames() as connection:
        months = partitions_of(connection, metadata.tables[series.hourly])
    for month in months:
        retire_hours(database, series, month, ZONE)


def assert_same(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def time_covered(database: Database, series: Series) -> float:
    """How long the view of all that is kept speaks of, s."""
    view = "energy_history" if series is ENERGY_SERIES else "vehicle_history"
    with database.rows() as connection:
        return float(connection.scalar(sa.text(f"select sum(covered_s) from bi.{view}")) or 0)  # noqa: S608


def day_of(samples: pl.DataFrame, number: int) -> pl.DataFrame:
    return samples.filter(pl.col("timestamp").dt.date() == FIRST + number * DAY)


@both
def test_hours_of_days_that_go_one_by_one_are_those_of_all_samples(
    database: Database, series: Series, archive: Archive
) -> None:
    samples = samples_of(series)
    add(database, series, samples)
    retired = retire(database, series, archive)

    assert_same(stored(database, series, series.hourly), hours(series, samples))
    assert partitions(database, series) == []
    assert [one.rows for one in retired] == [day_of(samples, n).height for n in range(DAYS)]


@both
@pytest.mark.parametrize("is_archived", [True, False], ids=["archived", "not archived"])
def test_the_order_in_which_days_go_changes_nothing(
    database: Database, series: Series, archive: Archive, is_archived: bool
) -> None:
    samples = samples_of(series)
    add(database, series, samples)
    days = [FIRST + number * DAY for number in range(DAYS)]
    random.Random(7).shuffle(days)  # noqa: S311 - no secret depends on it
    before = time_covered(database, series)
    for day in days:
        retire(database, series, archive if is_archived else None, day)
        # The line between two days is that of the one that goes first.
        assert time_covered(database, series) == pytest.approx(before, abs=1e-3)

    assert_same(stored(database, series, series.hourly), hours(series, samples))


@both
def test_what_goes_is_in_the_archive_and_accounted_for(
    database: Database, series: Series, archive: Archive
) -> None:
    samples = samples_of(series)
    add(database, series, samples)
    with database.rows() as connection:
        before = connection.execute(sa.text(f"select count(*) from {series.name}")).scalar()  # noqa: S608
    retired = retire(database, series, archive)

    archived = archive.read(series.name, FIRST, FIRST + DAYS * DAY)
    assert archived.height == before
    same = [name for name in samples.columns if name != "raw_data"]
    assert_frame_equal(archived.select(same).sort(same[:2]), samples.select(same))
    with database.rows() as connection:
        lines = connection.execute(sa.select(retention_log).order_by("start")).mappings().all()
    assert [line["rows"] for line in lines] == [one.rows for one in retired]
    for line, one in zip(lines, retired, strict=True):
        assert one.file is not None
        assert line["archive_file"] == one.file.path
        assert line["archive_rows"] == one.rows == one.file.rows
        assert line["archive_sha256"] == one.file.sha256
        assert line["bytes"] > 8192
        assert line["duration_s"] > 0


@both
def test_months_of_hours_become_days_of_their_clocks(
    database: Database, series: Series, archive: Archive
) -> None:
    samples = samples_of(series, date(2026, 3, 29), 5)
    add(database, series, samples)
    retire(database, series, archive)
    retire_months(database, series)

    expected = days_of_hours(hours(series, samples), series, clocks(series))
    assert_same(stored(database, series, series.daily), expected)
    assert count_rows(database, metadata.tables[series.hourly]) == 0


LATE = [pytest.param(0, id="every 3rd"), pytest.param(1, id="every 3rd but one")]


@both
@pytest.mark.parametrize("which", LATE)
@pytest.mark.parametrize("are_days", [False, True], ids=["to hours", "to days"])
def test_late_samples_of_an_archived_day_change_hours_as_if_they_had_come_in_time(
    database: Database, series: Series, archive: Archive, which: int, are_days: bool
) -> None:
    samples = samples_of(series)
    is_late = (pl.int_range(pl.len()) % 3 == which) & (
        pl.col("timestamp").dt.date() == FIRST + 2 * DAY
    )
    add(database, series, samples.filter(~is_late))
    retire(database, series, archive)
    if are_days:
        retire_months(database, series)
    add(database, series, samples.filter(is_late))
    [again] = retire(database, series, archive)

    expected = hours(series, samples)
    if are_days:
        in_days = days_of_hours(expected, series, clocks(series))
        assert_same(stored(database, series, series.daily), in_days)
        assert count_rows(database, metadata.tables[series.hourly]) == 0
    else:
        assert_same(stored(database, series, series.hourly), expected)
    assert again.file is not None
    assert again.file.rows == day_of(samples, 2).height
    assert archive.read(series.name, FIRST, FIRST + DAYS * DAY).height == samples.height


@both
def test_late_samples_of_a_day_that_is_not_archived_are_added_as_far_as_they_fit(
    database: Database, series: Series
) -> None:
    samples = samples_of(series)
    is_late = (pl.int_range(pl.len()) % 3 == 0) & (pl.col("timestamp").dt.date() == FIRST + 2 * DAY)
    add(database, series, samples.filter(~is_late))
    retire(database, series, None)
    add(database, series, samples.filter(is_late))
    retire(database, series, None)

    found, expected = stored(database, series, series.hourly), hours(series, samples)
    exact = [
        name
        for name in series.schema
        if name.endswith("_count") or "_min_" in name or "_max_" in name or name in ("first_at",)
    ]
    assert_frame_equal(found.select(exact), expected.select(exact))
    assert (found["covered_s"] <= 3600 + 1e-6).all()
    assert (found["covered_s"] <= expected["covered_s"] + 600).all()


@both
def test_the_same_samples_again_change_nothing(
    database: Database, series: Series, archive: Archive
) -> None:
    samples = samples_of(series)
    add(database, series, samples)
    retire(database, series, archive)
    before = stored(database, series, series.hourly)
    add(database, series, day_of(samples, 2))
    retire(database, series, archive)

    assert_same(stored(database, series, series.hourly), before)
    assert archive.read(series.name, FIRST, FIRST + DAYS * DAY).height == samples.height


@both
def test_a_trial_changes_nothing(database: Database, series: Series, archive: Archive) -> None:
    samples = samples_of(series)
    add(database, series, samples)
    [partition, *_] = partitions(database, series)
    tried = retire_samples(database, series, partition, archive, ZONE, is_trial=True)

    assert (tried.rows, tried.file) == (day_of(samples, 0).height, None)
    assert tried.rollup_rows > 0
    assert len(partitions(database, series)) == DAYS
    assert count_rows(database, metadata.tables[series.hourly]) == 0
    assert count_rows(database, retention_log) == 0
    assert archive.days(series.name) == set()


def lose_a_sample(rows: pl.DataFrame, *rest: object) -> pl.DataFrame:
    return hours_of(rows[1:], *rest)  # type: ignore[arg-type]


def add_a_watt(rows: pl.DataFrame, *rest: object) -> pl.DataFrame:
    name = next(name for name in ("solar_power_w", "power") if name in rows.columns)
    return hours_of(rows.with_columns(pl.col(name) + 0.001), *rest)  # type: ignore[arg-type]


@both
@pytest.mark.parametrize("wrong", [lose_a_sample, add_a_watt])
def test_hours_that_do_not_say_what_the_samples_say_are_not_believed(
    database: Database,
    series: Series,
    archive: Archive,
    monkeypatch: pytest.MonkeyPatch,
    wrong: object,
) -> None:
    add(database, series, samples_of(series))
    monkeypatch.setattr(retiring, "hours_of", wrong)
    with pytest.raises(ProofError, match="nothing was dropped"):
        retire(database, series, archive)
    assert len(partitions(database, series)) == DAYS
    assert count_rows(database, metadata.tables[series.hourly]) == 0
    assert archive.days(series.name) == set()


def test_what_fails_ends_the_reading_of_the_next_samples_before_the_connection_goes(
    database: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored, gather, begun = DaySamples.stored, retiring._gather, Event()
    ended: list[list[str]] = []
    ended_by_then: list[int] = []

    def slowly(samples: DaySamples, subjects: list[str]) -> pl.DataFrame:
        if ended:
            begun.set()
            execute(samples.connection, "select pg_sleep(0.3)")
        found = stored(samples, subjects)
        ended.append(subjects)
        return found

    def broken(*_: object) -> pl.DataFrame:
        assert begun.wait(10)
        raise ProofError("no")

    def gathered(*given: Any) -> object:
        try:
            return gather(*given)
        finally:
            ended_by_then.append(len(ended))

    add(database, ENERGY_SERIES, samples_of(ENERGY_SERIES))
    monkeypatch.setattr(retiring, "_gather", gathered)
    monkeypatch.setattr(retiring, "SUBJECTS_AT_ONCE", 1)
    monkeypatch.setattr(retiring, "_proved_hours", broken)
    monkeypatch.setattr(DaySamples, "stored", slowly)
    with pytest.raises(ProofError):
        retire(database, ENERGY_SERIES, archive)
    assert ended_by_then == [2]
    assert len(partitions(database, ENERGY_SERIES)) == DAYS


def test_a_table_that_somebody_reads_keeps_its_partition_for_now(
    database: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tessie_pipeline.store.partitions.PATIENCE_S", 0.2)
    add(database, ENERGY_SERIES, samples_of(ENERGY_SERIES))
    with database.rows() as reader:
        reader.execute(sa.text("select count(*) from energy_states"))
        with pytest.raises(BusyError, match="stays for now: somebody has read energy_states"):
            retire(database, ENERGY_SERIES, archive, FIRST)
    assert len(partitions(database, ENERGY_SERIES)) == DAYS
    retire(database, ENERGY_SERIES, archive, FIRST)
    assert len(partitions(database, ENERGY_SERIES)) == DAYS - 1


def test_vehicles_follow_the_clock_that_all_sites_share(
    database: Database, archive: Archive
) -> None:
    with database.rows() as connection:
        connection.execute(sa.text("update energy_sites set time_zone = 'Asia/Kolkata'"))
    add(database, VEHICLE_SERIES, samples_of(VEHICLE_SERIES))
    retire(database, VEHICLE_SERIES, archive)
    starts = stored(database, VEHICLE_SERIES, VEHICLE_SERIES.hourly)["timestamp"]
    assert starts.dt.minute().unique().to_list() == [30]


def test_what_is_dropped_leaves_nothing_behind(database: Database, archive: Archive) -> None:
    add(database, ENERGY_SERIES, samples_of(ENERGY_SERIES))
    retire(database, ENERGY_SERIES, archive)
    with database.rows() as connection:
        size = connection.scalar(
            sa.text(
                "select sum(pg_total_relation_size(relid)) from pg_partition_tree('energy_states')"
            )
        )
    assert size == 0


def test_a_day_whose_file_is_lost_keeps_what_came_late(
    database: Database, archive: Archive, tmp_path: Path
) -> None:
    samples = samples_of(ENERGY_SERIES)
    add(database, ENERGY_SERIES, samples)
    retire(database, ENERGY_SERIES, archive)
    before = stored(database, ENERGY_SERIES, ENERGY_SERIES.hourly)
    (tmp_path / "archive" / archive.path_of("energy_states", FIRST + DAY)).unlink()
    add(database, ENERGY_SERIES, day_of(samples, 2)[:1])
    with pytest.raises(ArchiveError, match=r"2026-03-28\.parquet in the archive cannot be read"):
        retire(database, ENERGY_SERIES, archive)
    assert len(partitions(database, ENERGY_SERIES)) == 1
    assert_same(stored(database, ENERGY_SERIES, ENERGY_SERIES.hourly), before)
