"""The archive: samples that Postgres no longer has, as Parquet files, one a table and day (UTC).

`vehicle_states/year=2026/month=01/2026-01-05.parquet`, sorted by subject and time, with every
column. A file appears when it has been read back and found to hold what was written. Not here:
when samples are archived (`store/retention/retiring.py`), and SQL over them (`store/analysis`).
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import sqlalchemy as sa

from tessie_pipeline.store.archive.files import ArchiveFiles
from tessie_pipeline.store.archive.rows import (
    ARCHIVED,
    TIME,
    parquet_writer,
    parts_of,
    rows_schema,
    subject_of,
    to_file,
)

ROW_GROUP_ROWS = 8192
"""Rows that are written and read at a time: about 35 MB of vehicles' samples."""

_FILE = re.compile(r"(\d{4}-\d\d-\d\d)\.parquet")
_FAULTS = (OSError, pa.ArrowException)


class ArchiveError(Exception):
    """The archive cannot be read or written, or does not hold what was written; says which."""


@dataclass(frozen=True)
class ArchivedFile:
    """A file of the archive.

    Attributes:
        path: in the archive.
        rows: how many it holds.
        bytes: its size.
        sha256: of the file, hexadecimal digits.
        checksum: of its rows, as the function of that name gives it.
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    checksum: int


class Archive:
    """The archive at an address: a directory, or a URL that fsspec knows."""

    def __init__(self, url: str) -> None:
        """Take the address; nothing is opened or made.

        Raises:
            ArchiveError: there can be no archive at such an address.
        """
        try:
            self.files = ArchiveFiles(url)
        except (ImportError, ValueError) as error:
            raise ArchiveError(f"TESSIE_ARCHIVE cannot be used: {error}") from None

    def path_of(self, table: str, day: date) -> str:
        """Where the rows of a table and day are, in the archive."""
        return f"{table}/year={day:%Y}/month={day:%m}/{day}.parquet"

    def days(self, table: str) -> set[date]:
        """The days of which rows of a table are archived.

        Raises:
            ArchiveError: the archive cannot be listed.
        """
        try:
            paths = self.files.paths(table)
        except OSError as error:
            raise ArchiveError(f"The archive cannot be listed: {error}") from error
        names = (_FILE.fullmatch(path.rpartition("/")[2]) for path in paths)
        return {date.fromisoformat(name[1]) for name in names if name}

    def sizes(self) -> dict[str, int]:
        """The files by their paths in the archive, with their bytes.

        Raises:
            ArchiveError: the archive cannot be listed.
        """
        try:
            found = self.files.sizes()
        except OSError as error:
            raise ArchiveError(f"The archive cannot be listed: {error}") from error
        return {path: size for path, size in found.items() if path.endswith(".parquet")}

    def is_there(self, table: str, day: date) -> bool:
        """Whether rows of a table and day are archived."""
        return self.files.is_there(self.path_of(table, day))

    def read(
        self,
        table: str,
        start: date,
        end: date,
        columns: Sequence[str] | None = None,
        subjects: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """The archived rows of the days in start <= day < end, by day, subject and time.

        Args:
            table: whose rows.
            start: the first day.
            end: the day after the last one.
            columns: which columns; all if None.
            subjects: the ids of the vehicles or sites; all if None.

        Raises:
            ArchiveError: a file cannot be read, or is not as it was written.
        """
        days = sorted(day for day in self.days(table) if start <= day < end)
        parts = [self.read_day(table, day, columns, subjects) for day in days]
        return pl.concat([_no_rows(table, columns), *parts])

    def read_day(
        self,
        table: str,
        day: date,
        columns: Sequence[str] | None = None,
        subjects: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """The archived rows of a day by subject and time; see `read`.

        Raises:
            ArchiveError: the file is not there, cannot be read, or is not as it was written.
        """
        path, none = self.path_of(table, day), _no_rows(table, columns)
        with _naming(path, "read"), self.files.open(path) as file:
            return pl.concat([none, *parts_of(ARCHIVED[table], file, none.columns, subjects)])

    @contextmanager
    def writing(self, table: str, day: date) -> Iterator["Writer"]:
        """A writer of the file of a table and day, which is there once it is published.

        Raises:
            ArchiveError: it cannot be written.
        """
        path = self.path_of(table, day)
        with _naming(path, "written"):
            writer = Writer(self.files, ARCHIVED[table], day, path, self.files.write_draft(path))
        try:
            yield writer
        finally:
            writer.discard()


def _no_rows(table: str, columns: Sequence[str] | None) -> pl.DataFrame:
    schema = rows_schema(ARCHIVED[table])
    names = schema.names() if columns is None else columns
    return pl.Schema({name: schema[name] for name in names}).to_frame()


class Writer:
    """Writes one file of the archive, part by part; never more than a part is in memory."""

    def __init__(
        self, files: ArchiveFiles, table: sa.Table, day: date, path: str, sink: BinaryIO
    ) -> None:
        """Begin the draft of a file, into `sink`."""
        self._files, self._table, self._day, self._path = files, table, day, path
        self._sink = _Hashing(sink)
        self._parquet = parquet_writer(table, self._sink)
        self._key = [subject_of(table), TIME]
        self._schema = rows_schema(table)
        self._rows, self._checksum = 0, 0
        self._waiting = self._schema.to_frame()
        self._last = self._waiting.select(self._key)

    def add(self, rows: pl.DataFrame) -> None:
        """Write rows of the table, with all its columns as `store/frames.py` reads them.

        Raises:
            ValueError: they are not all of the day, or not after those that were added before.
        """
        rows = rows.select(self._schema.names()).cast(self._schema).sort(self._key)
        self._check_keys(rows.select(self._key))
        self._rows += rows.height
        self._checksum = (self._checksum + checksum(rows)) % 2**64
        # Groups of one size, however rows come, give the same bytes for the same rows.
        self._waiting = pl.concat([self._waiting, rows])
        with _naming(self._path, "written"):
            while self._waiting.height >= ROW_GROUP_ROWS:
                self._write(self._waiting.head(ROW_GROUP_ROWS))
                self._waiting = self._waiting.slice(ROW_GROUP_ROWS)

    def publish(self) -> ArchivedFile:
        """Write what is left, read the file back, and put it in its place; returns it.

        Raises:
            ArchiveError: it does not read back as it was written; what was there before still is.
        """
        with _naming(self._path, "written"):
            if not self._waiting.is_empty():
                self._write(self._waiting)
            self._parquet.close()
            self._files.finish_draft(self._sink.file)
        with _naming(self._path, "read back"):
            self._read_back()
        with _naming(self._path, "written"):
            self._files.publish(self._path)
        sink = self._sink
        return ArchivedFile(
            self._path, self._rows, sink.bytes, sink.digest.hexdigest(), self._checksum
        )

    def discard(self) -> None:
        """Remove the draft, if it was not published; what is left of it is replaced later."""
        with suppress(*_FAULTS):
            self._parquet.close()
        with suppress(*_FAULTS):
            self._sink.file.close()
            self._files.discard_draft(self._path)

    def _write(self, rows: pl.DataFrame) -> None:
        self._parquet.write_table(to_file(self._table, rows))

    def _check_keys(self, keys: pl.DataFrame) -> None:
        """Hold that rows are of the day, and that no key comes twice or out of its order."""
        subject, time = (pl.col(name) for name in self._key)
        is_after = (subject > subject.shift()) | (
            (subject == subject.shift()) & (time > time.shift())
        )
        keys = pl.concat([self._last, keys])
        is_right = is_after.fill_null(value=True) & (time.dt.date() == self._day)
        if not keys.select(is_right.all()).item():
            raise ValueError(
                f"Rows of {self._table.name} to archive should all be of {self._day}, and each "
                "after the one before, by subject and time"
            )
        self._last = keys.tail(1)

    def _read_back(self) -> None:
        """Hold that the draft has the bytes that were written, and that they are the rows.

        Raises:
            ArchiveError: they are not.
        """
        rows, sums = 0, 0
        with self._files.open_draft(self._path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        with self._files.open_draft(self._path) as file:
            for part in parts_of(self._table, file, self._schema.names()):
                rows += part.height
                sums = (sums + checksum(part)) % 2**64
        if (rows, sums) != (self._rows, self._checksum):
            raise ArchiveError(
                f"{self._path} reads back with {rows} rows and checksum {sums:016x} instead of "
                f"{self._rows} and {self._checksum:016x}; it is not archived"
            )
        if digest != self._sink.digest.hexdigest():
            raise ArchiveError(
                f"{self._path} reads back with other bytes than were written; it is not archived"
            )


def checksum(rows: pl.DataFrame) -> int:
    """A number below 2**64 that is equal for equal rows in any order.

    It is the sum of the rows' hashes modulo 2**64, so those of parts add up to that of the whole.
    The order of the columns does not matter, their types do. Another release of Polars may hash
    otherwise: compare numbers of one program only.
    """
    hashes = rows.select(sorted(rows.columns)).hash_rows(seed=0)
    halves = hashes.to_frame("hash").select(
        high=(pl.col("hash") // 2**32).sum(), low=(pl.col("hash") % 2**32).sum()
    )
    high, low = halves.row(0)
    return int((high * 2**32 + low) % 2**64)


class _Hashing:
    """A file that is written, with the SHA-256 and the number of the bytes it was given."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest, self.bytes = file, hashlib.sha256(), 0

    @property
    def closed(self) -> bool:
        return self.file.closed

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        self.bytes += len(content)
        return self.file.write(content)

    def flush(self) -> None:
        self.file.flush()


@contextmanager
def _naming(path: str, what: str) -> Iterator[None]:
    """Say of which file it is what could not be done."""
    try:
        yield
    except _FAULTS as error:
        raise ArchiveError(f"{path} in the archive cannot be {what}: {error}") from error
