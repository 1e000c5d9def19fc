"""Making a backup, and proving it: restored beside the database, it has to hold the same rows.

Not here: what a backup looks like on disk (`files`), and restoring one for good.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from tessie_pipeline.store.archive.parquet import Archive, ArchiveError
from tessie_pipeline.store.backup import dump_programs
from tessie_pipeline.store.backup.archive_listing import archive_problems, listed_files
from tessie_pipeline.store.backup.files import (
    BAD,
    INCOMPLETE,
    Backup,
    BackupError,
    Manifest,
    alone_in,
    name_at,
    rotate,
    sha256_of,
)
from tessie_pipeline.store.backup.scratch import remove_left, scratch
from tessie_pipeline.store.backup.table_totals import (
    TableChangedError,
    differences,
    read_totals,
    snapshot,
    totals,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.shared_files import make_directory, rename

SHOWN_DIFFERENCES = 20

KEY_ADVICE = (
    "Stored logins are sealed in it, and ENCRYPTION_KEY, which opens them, is not in it: keep a "
    "copy of .env of TESSIE_HOME elsewhere, apart from the backups."
)


@dataclass(frozen=True)
class Done:
    """What a run of backing up did.

    Attributes:
        backup: what was made.
        manifest: what it holds.
        archive_problems: what is wrong with the archive, which the backup only lists.
        deleted: names of the backups that rotation deleted.
        dump_s: how long dumping took, s.
        verify_s: how long it took to restore and compare, s; None if that was not asked for.
    """

    backup: Backup
    manifest: Manifest
    archive_problems: list[str]
    deleted: list[str]
    dump_s: float
    verify_s: float | None


def back_up(
    database: Database,
    directory: Path,
    archive_url: str,
    clock: Callable[[], datetime],
    *,
    verifies: bool = True,
) -> Done:
    """Back `database` up into `directory`, prove it, and delete what is outdated there.

    Raises:
        BackupError: it cannot be made, cannot be restored, or differs from the database; what
            differs is kept aside, under a name that says so.
        TimeoutError: somebody locks a table for too long.
    """
    with alone_in(directory):
        remove_left(database)
        began = time.monotonic()
        backup, archive_faults = _made(database, directory, archive_url, clock())
        dump_s, verify_s = time.monotonic() - began, None
        if verifies:
            began = time.monotonic()
            verify(database, backup, clock)
            verify_s = time.monotonic() - began
        manifest = Manifest.read(backup.path)
        return Done(backup, manifest, archive_faults, rotate(directory), dump_s, verify_s)


def verify(database: Database, backup: Backup, clock: Callable[[], datetime]) -> None:
    """Restore a backup beside `database`, compare it with its manifest, and note that it is good.

    Raises:
        BackupError: it differs or cannot be restored, and is now under a name that says so; or
            nothing could be tried, and it stays unverified.
    """
    with scratch(database) as place:
        try:
            manifest = restored(place.database, backup)
        except BackupError as error:
            aside = backup.path.with_name(f"{backup.name}{BAD}")
            rename(backup.path, aside)
            raise BackupError(
                f"The backup is not good and was put aside as {aside}: {error}"
            ) from error
        manifest.model_copy(update={"verified_at": clock()}).write(backup.path)


def restored(database: Database, backup: Backup) -> Manifest:
    """Restore a backup into an empty database, compare it with its manifest, and return that.

    Raises:
        BackupError: it is damaged, cannot be restored, or differs.
    """
    manifest = backup.checked_manifest()
    dump_programs.restore(database, backup.dump)
    found = differences(manifest.tables, read_totals(database))
    if found:
        shown = found[:SHOWN_DIFFERENCES]
        more = [f"and {len(found) - len(shown)} more"] if len(found) > len(shown) else []
        raise BackupError("\n  ".join(["What was restored differs:", *shown, *more]))
    return manifest


def _made(
    database: Database, directory: Path, archive_url: str, now: datetime
) -> tuple[Backup, list[str]]:
    """A complete backup that nothing has proved yet, and what is wrong with the archive."""
    dump_programs.check_server(database)
    final = directory / name_at(now)
    if final.exists():
        raise BackupError(f"{final} is there already: try again in a second")
    draft = Backup(final.with_name(f"{final.name}{INCOMPLETE}"))
    make_directory(draft.path)
    sizes, faults = {}, []
    try:
        sizes = Archive(archive_url).sizes()
    except ArchiveError as error:
        faults = [str(error)]
    try:
        with snapshot(database) as (connection, tables):
            revision = _revision(connection)
            exported = connection.scalar(sa.text("select pg_export_snapshot()"))
            dump_programs.dump(database, draft.dump, str(exported))
            held = totals(connection, tables)
            server = connection.scalar(sa.text("show server_version"))
            files = listed_files(connection, sizes)
    except TableChangedError as error:
        raise BackupError(str(error)) from error
    Manifest(
        made_at=now,
        schema_revision=revision,
        postgres=str(server),
        pg_dump=dump_programs.program_version(),
        tables=held,
        archive=files,
        dump_bytes=draft.dump.stat().st_size,
        dump_sha256=sha256_of(draft.dump),
    ).write(draft.path)
    rename(draft.path, final)
    return replace(draft, path=final), faults or archive_problems(files, sizes)


def _revision(connection: sa.Connection) -> str:
    """The newest migration of the database.

    Raises:
        BackupError: there is nothing of ours in it.
    """
    has_any = sa.text("select to_regclass('public.alembic_version') is not null")
    revision = None
    if connection.scalar(has_any):
        revision = connection.scalar(sa.text("select version_num from public.alembic_version"))
    if revision is None:
        raise BackupError("There is nothing to back up: the database is empty")
    return str(revision)
