"""The directory of the backups: what one consists of, which there are, and which are good.

A backup is a directory named by its time. Under `.incomplete` it is being made or deleted and does
not count; under `.bad` it was found to differ from what it was made of. Not here: how it is made.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tessie_pipeline.domain.rotation import outdated
from tessie_pipeline.store.backup.table_totals import TableTotals
from tessie_pipeline.store.shared_files import exclusive_if_free, make_directory, rename, write_file

DUMP, MANIFEST = "tessie.dump", "manifest.json"
INCOMPLETE, BAD = ".incomplete", ".bad"
_NAME = "%Y-%m-%dT%H-%M-%SZ"


class BackupError(Exception):
    """A backup cannot be made, read or restored; the message says what a person can do."""


class ListedFile(BaseModel):
    """A file of the archive: its path in it, bytes, and SHA-256 where retention has noted it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    bytes: int
    sha256: str | None


class Manifest(BaseModel):
    """What a backup holds.

    Attributes:
        made_at: when its dump was begun (UTC).
        schema_revision: the newest migration of the database.
        postgres: version of the server.
        pg_dump: version of the program that made the dump.
        tables: of each table, by schema and name, what it held in the snapshot of the dump.
        archive: the files of the archive, which are not in the backup.
        dump_bytes: size of the dump.
        dump_sha256: its SHA-256.
        verified_at: when the dump was restored and found to be equal; None if it was not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    made_at: datetime
    schema_revision: str
    postgres: str
    pg_dump: str
    tables: dict[str, TableTotals]
    archive: list[ListedFile]
    dump_bytes: int
    dump_sha256: str
    verified_at: datetime | None = None

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The manifest of the backup in `directory`.

        Raises:
            BackupError: there is none, or it is not as it was written.
        """
        file = directory / MANIFEST
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
            is_whole = facts.pop("sha256") == _digest(facts)
            manifest = cls.model_validate(facts)
        except FileNotFoundError:
            raise BackupError(f"{directory} is no backup: it has no {MANIFEST}") from None
        except (ValueError, AttributeError, KeyError, TypeError, ValidationError):
            is_whole = False
        if not is_whole:
            raise BackupError(f"{file} is damaged or was changed: take another backup")
        return manifest

    def write(self, directory: Path) -> None:
        """Write it into `directory`, with a digest of itself."""
        facts = self.model_dump(mode="json")
        text = json.dumps(facts | {"sha256": _digest(facts)}, indent=1)
        write_file(directory / MANIFEST, f"{text}\n", 0o600)


@dataclass(frozen=True)
class Backup:
    """A backup, whole or not, in its directory."""

    path: Path

    @property
    def name(self) -> str:
        """Its directory's name."""
        return self.path.name

    @property
    def dump(self) -> Path:
        """The file with the database."""
        return self.path / DUMP

    @property
    def made_at(self) -> datetime:
        """When it was made (UTC), by its name."""
        return datetime.strptime(self.name.removesuffix(BAD), _NAME).replace(tzinfo=UTC)

    def state(self) -> str:
        """In a word: good, unverified, bad (it differs), or damaged (it is not as written)."""
        if self.name.endswith(BAD):
            return "bad"
        try:
            manifest = Manifest.read(self.path)
        except BackupError:
            return "damaged"
        if not self.dump.is_file() or self.dump.stat().st_size != manifest.dump_bytes:
            return "damaged"
        return "unverified" if manifest.verified_at is None else "good"

    def checked_manifest(self) -> Manifest:
        """The manifest, after the dump has been found to be the one it describes.

        Raises:
            BackupError: it is not.
        """
        manifest = Manifest.read(self.path)
        if not self.dump.is_file() or sha256_of(self.dump) != manifest.dump_sha256:
            raise BackupError(f"{self.dump} is damaged or was changed: take another backup")
        return manifest


def name_at(time: datetime) -> str:
    """The name of a backup that is made at `time`."""
    return time.astimezone(UTC).strftime(_NAME)


def backups_in(directory: Path) -> list[Backup]:
    """The complete backups in `directory`, bad ones included, the oldest first."""
    if not directory.is_dir():
        return []
    found = [Backup(path) for path in directory.iterdir() if path.is_dir() and _is_name(path.name)]
    return sorted(found, key=lambda backup: backup.name)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Nobody else backs up into `directory` during the block; what is incomplete goes.

    Raises:
        BackupError: somebody does.
    """
    make_directory(directory)
    lock = exclusive_if_free(directory / "lock")
    if lock is None:
        raise BackupError(f"Another backup into {directory} is under way")
    try:
        _sweep(directory)
        yield
    finally:
        _sweep(directory)
        os.close(lock)


def rotate(directory: Path) -> list[str]:
    """Delete the backups that `domain/rotation.py` finds outdated; returns their names."""
    backups = backups_in(directory)
    good = {backup.made_at for backup in backups if backup.state() == "good"}
    others = {backup.made_at for backup in backups} - good
    old = outdated(good, others)
    deleted = [backup for backup in backups if backup.made_at in old]
    for backup in deleted:
        # One of which only a part is deleted does not count from here on.
        rename(backup.path, backup.path.with_name(f"{backup.name}{INCOMPLETE}"))
    _sweep(directory)
    return [backup.name for backup in deleted]


def _sweep(directory: Path) -> None:
    for path in directory.glob(f"*{INCOMPLETE}"):
        shutil.rmtree(path)


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_name(name: str) -> bool:
    try:
        datetime.strptime(name.removesuffix(BAD), _NAME)  # noqa: DTZ007 - a name, not a time
    except ValueError:
        return False
    return True


def _digest(facts: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
