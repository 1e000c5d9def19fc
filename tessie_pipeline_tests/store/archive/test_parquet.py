"""The archive: what is written is proved before it is there, and comes back as it was."""

import io
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import fsspec
import polars as pl
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from polars.testing import assert_frame_equal

from tessie_pipeline.store.archive import parquet as archive_module
from tessie_pipeline.store.archive.parquet import Archive, ArchiveError, checksum
from tessie_pipeline.store.archive.rows import rows_schema
from tessie_pipeline.store.tables import vehicle_states
from tessie_pipeline_tests.store.archive.archived import (
    DAY,
    SCHEMA,
    SITES,
    archive_of,
    archived,
    samples,
)

NEXT_DAY = DAY + timedelta(days=1)
FILE = "energy_states/year=2026/month=01/2026-01-05.parquet"


@pytest.fixture(params=["a directory", "a directory by its URL", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of an archive that nothing is in."""
    of = {
        "a directory": str(tmp_path / "archive"),
        "a directory by its URL": f"file://{tmp_path}/archive",
        "memory": f"memory://{tmp_path}/archive",
    }
    return of[request.param]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of an archive."""
    return tmp_path / "archive"


def test_what_is_archived_comes_back_as_it_was(url: str) -> None:
    archive = Archive(url)
    assert archive.days("energy_states") == set()
    written = samples()
    file = archived(archive, written)
    assert (file.path, file.rows, file.checksum) == (FILE, 72, checksum(written))
    assert archive.days("energy_states") == {DAY}
    assert archive.is_there("energy_states", DAY)
    assert not archive.is_there("energy_states", NEXT_DAY)
    assert archive.days("vehicle_states") == set()
    assert_frame_equal(archive.read("energy_states", DAY, NEXT_DAY), written)


def test_every_column_of_vehicles_comes_back_too(url: str) -> None:
    schema = rows_schema(vehicle_states)
    by_kind: dict[pl.DataType, Any] = {
        pl.String(): "0123456789abcdef0123456789abcdef",
        pl.Boolean(): True,
        pl.Int16(): -32768,
        pl.Float64(): 0.1 + 0.2,
        schema["timestamp"]: samples()["timestamp"][0],
    }
    full = {name: by_kind[kind] for name, kind in schema.items()}
    sparse = dict.fromkeys(schema) | {
        name: full[name] for name in ("vehicle_id", "is_stale", "created_at")
    }
    sparse["timestamp"] = full["timestamp"] + timedelta(microseconds=1)
    written = pl.DataFrame([full, sparse], schema)
    archive = Archive(url)
    with archive.writing("vehicle_states", DAY) as writer:
        writer.add(written)
        writer.publish()
    assert_frame_equal(archive.read("vehicle_states", DAY, NEXT_DAY), written)


def test_the_file_tells_duckdb_its_types_and_only_its_owner_its_rows(directory: Path) -> None:
    archive_of(str(directory), samples())
    row = duckdb.execute(
        "select site_id, typeof(timestamp), typeof(is_stale), raw_data->>'$.response.name', month "
        "from read_parquet(?, hive_partitioning = true) order by site_id, timestamp limit 1",
        [f"{directory}/**/*.parquet"],
    ).fetchone()
    expected = (UUID(SITES[0]), "TIMESTAMP WITH TIME ZONE", "BOOLEAN", "Jürgen's 🚗", "01")
    assert row == expected
    assert (directory / FILE).stat().st_mode & 0o777 == 0o600
    file = pq.ParquetFile(directory / FILE).metadata
    assert file.row_group(0).column(0).compression == "ZSTD"
    assert file.row_group(0).column(1).statistics.has_min_max


def test_days_columns_and_subjects_can_be_chosen(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "ROW_GROUP_ROWS", 7)
    frames = [samples(DAY + timedelta(days=number)) for number in range(-1, 3)]
    archive = archive_of(url, *frames)
    read = archive.read("energy_states", DAY, DAY + timedelta(days=2))
    assert_frame_equal(read, pl.concat(frames[1:3]))
    columns = ["solar_power_w", "site_id"]
    read = archive.read("energy_states", DAY, NEXT_DAY, columns, SITES[1:2])
    assert_frame_equal(read, samples(sites=SITES[1:2]).select(columns))
    assert archive.read("energy_states", DAY, NEXT_DAY, ["timestamp"], SITES[2:]).height == 24
    empty = archive.read("energy_states", DAY + timedelta(days=9), DAY + timedelta(days=10))
    assert_frame_equal(empty, SCHEMA.to_frame())


def test_nothing_is_seen_of_a_file_before_it_is_published(directory: Path) -> None:
    archive = Archive(str(directory))
    with archive.writing("energy_states", DAY) as writer:
        writer.add(samples())
        assert [path.name for path in directory.rglob("*.*")] == ["2026-01-05.parquet.new"]
        assert archive.days("energy_states") == set()
        assert duckdb.execute("from glob(?)", [f"{directory}/**/*.parquet"]).fetchall() == []
    assert list(directory.rglob("*.*")) == []


def test_what_a_crash_has_left_is_replaced(directory: Path) -> None:
    draft = directory / f"{FILE}.new"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(b"PAR1" * 100_000)
    archive = archive_of(str(directory), samples())
    assert archive.read("energy_states", DAY, NEXT_DAY).height == 72
    assert not draft.exists()


def test_the_same_rows_give_the_same_bytes_however_they_come(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "ROW_GROUP_ROWS", 10)
    archive = Archive(str(directory))
    files = []
    for size in (72, 1, 25):
        with archive.writing("energy_states", DAY) as writer:
            for part in samples().iter_slices(size):
                writer.add(part)
            files.append((writer.publish(), (directory / FILE).read_bytes()))
    assert files[0] == files[1] == files[2]
    assert pq.ParquetFile(directory / FILE).num_row_groups == 8


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([samples(NEXT_DAY)], id="another day"),
        pytest.param([samples(), samples(hours=[5])], id="a key twice"),
        pytest.param([samples(sites=SITES[1:]), samples(sites=SITES[:1])], id="out of order"),
        pytest.param([pl.concat([samples(), samples(hours=[5])])], id="a key twice in a part"),
    ],
)
def test_rows_that_have_no_place_in_the_file_are_refused(
    directory: Path, frames: list[pl.DataFrame]
) -> None:
    archive = Archive(str(directory))
    *first, last = frames
    with archive.writing("energy_states", DAY) as writer:
        for frame in first:
            writer.add(frame)
        with pytest.raises(ValueError, match="should all be of 2026-01-05"):
            writer.add(last)
    assert archive.days("energy_states") == set()


class Damaging(MemoryFileSystem):  # type: ignore[misc]
    """A file system that keeps other bytes than it was given."""

    protocol = "damaging"
    store: dict[str, Any] = {}  # noqa: RUF012 - as its parent has it
    pseudo_dirs = [""]  # noqa: RUF012
    damage: Callable[[bytes], bytes] = staticmethod(lambda content: content)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        file = super()._open(path, mode, **options)
        if mode == "rb" and path.endswith(".new"):
            return io.BytesIO(type(self).damage(file.read()))
        return file


fsspec.register_implementation("damaging", Damaging)


def other_rows(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Callable[[bytes], bytes]:
    """A Parquet file that is whole, but not of the rows that were written."""

    def damage(content: bytes) -> bytes:
        rows = pl.DataFrame(pq.read_table(io.BytesIO(content), arrow_extensions_enabled=False))
        sink = io.BytesIO()
        change(rows).write_parquet(sink)
        return sink.getvalue()

    return damage


def flipped(position: float) -> Callable[[bytes], bytes]:
    """One bit is another, at a part of the file's length."""

    def damage(content: bytes) -> bytes:
        at = int(len(content) * position)
        return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-1], id="the last byte is missing"),
        pytest.param(lambda content: content[: len(content) // 2], id="half of it is missing"),
        pytest.param(lambda _: b"", id="nothing is there"),
        pytest.param(lambda content: content + b"\0", id="a byte too many"),
        *(pytest.param(flipped(n / 20), id=f"a bit at {n / 20:.0%}") for n in range(20)),
        pytest.param(other_rows(lambda rows: rows[1:]), id="a row is missing"),
        pytest.param(other_rows(lambda rows: pl.concat([rows, rows[:1]])), id="a row twice"),
        pytest.param(
            other_rows(lambda rows: pl.concat([rows[1:], rows[1:2]])), id="another row instead"
        ),
        pytest.param(
            other_rows(lambda rows: rows.with_columns(pl.col("solar_power_w") * (1 + 1e-15))),
            id="other numbers",
        ),
    ],
)
def test_what_does_not_read_back_as_it_was_written_is_not_archived(
    damage: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "damaging://archive"
    archive = archive_of(url, samples(hours=range(5)))
    monkeypatch.setattr(Damaging, "damage", staticmethod(damage))
    with pytest.raises(ArchiveError, match=r"2026-01-05\.parquet"):
        archived(archive, samples())
    assert archive.files.paths("energy_states") == [FILE]
    assert_frame_equal(archive.read("energy_states", DAY, NEXT_DAY), samples(hours=range(5)))


@pytest.mark.parametrize("column", ["site_id", "timestamp", "solar_power_w", "raw_data"])
def test_a_file_in_which_a_bit_of_a_column_has_changed_is_not_read(
    directory: Path, column: str
) -> None:
    archive = archive_of(str(directory), samples())
    file = directory / FILE
    group = pq.ParquetFile(file).metadata.row_group(0)
    chunk = group.column(list(SCHEMA).index(column))
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(file.read_bytes())
    content[start + chunk.total_compressed_size - 3] ^= 4
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"2026-01-05\.parquet in the archive cannot be read"):
        archive.read("energy_states", DAY, NEXT_DAY)


def test_a_file_whose_end_is_missing_is_not_read(directory: Path) -> None:
    archive = archive_of(str(directory), samples())
    file = directory / FILE
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ArchiveError, match=r"2026-01-05\.parquet in the archive cannot be read"):
        archive.read("energy_states", DAY, NEXT_DAY)


def test_a_column_that_is_newer_than_the_file_is_null(directory: Path) -> None:
    archive = archive_of(str(directory), samples())
    older = pq.read_table(directory / FILE).drop_columns(["grid_power_w"])
    pq.write_table(older, directory / FILE)
    expected = samples().with_columns(grid_power_w=pl.lit(None, pl.Float64))
    assert_frame_equal(archive.read("energy_states", DAY, NEXT_DAY), expected)


def test_a_day_without_rows_can_be_archived(url: str) -> None:
    archive = Archive(url)
    with archive.writing("energy_states", DAY) as writer:
        assert writer.publish().rows == 0
    assert archive.read("energy_states", DAY, NEXT_DAY).is_empty()


def test_a_checksum_is_that_of_the_rows_in_any_order_and_of_parts_their_sum() -> None:
    rows = samples()
    whole = checksum(rows)
    assert checksum(rows.reverse().select(reversed(rows.columns))) == whole
    parts = [checksum(part) for part in rows.iter_slices(5)]
    assert sum(parts) % 2**64 == whole
    assert checksum(rows.clear()) == 0


@pytest.mark.parametrize("column", [name for name in SCHEMA if name != "raw_data"])
def test_a_checksum_tells_a_change_of_any_value(column: str) -> None:
    rows = samples()
    kinds: dict[pl.DataType, pl.Expr] = {
        pl.String(): pl.lit("f" * 32),
        pl.Boolean(): pl.col(column).not_(),
        pl.Float64(): pl.col(column).fill_null(0.0) + 1e-9,
        SCHEMA["timestamp"]: pl.col(column) + pl.duration(microseconds=1),
    }
    changed = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 3)
        .then(kinds[SCHEMA[column]])
        .otherwise(column)
        .alias(column)
    )
    assert checksum(changed) != checksum(rows)


def test_a_checksum_tells_values_that_changed_places() -> None:
    rows = pl.DataFrame({"a": [1.0, None], "b": [2.0, 5.0]})
    assert checksum(rows.select(a="b", b="a")) != checksum(rows)
    assert checksum(rows.with_columns(pl.col("b").reverse())) != checksum(rows)


def test_an_address_that_cannot_be_one_is_said_in_a_sentence() -> None:
    with pytest.raises(ArchiveError, match="TESSIE_ARCHIVE cannot be used: Protocol not known"):
        Archive("attic://box")


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("a file")
    with pytest.raises(ArchiveError, match="cannot be written"):
        archived(Archive(f"{tmp_path}/archive"), samples())


def test_a_day_is_found_by_its_name_alone(directory: Path) -> None:
    archive = archive_of(str(directory), samples(date(2025, 12, 31)), samples())
    (directory / "energy_states" / "notes.parquet").write_text("not ours")
    assert archive.days("energy_states") == {date(2025, 12, 31), DAY}
