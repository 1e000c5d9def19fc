"""`tessie backup` and `tessie restore`: the database into a directory of its own, and back."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from tessie_pipeline.cli.environment import CliError, Environment, environment
from tessie_pipeline.cli.runner_lock import runner_lock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.accounts import NoAccountError, SealedTokens
from tessie_pipeline.store.archive.parquet import Archive, ArchiveError
from tessie_pipeline.store.backup import restoring
from tessie_pipeline.store.backup.archive_listing import archive_problems
from tessie_pipeline.store.backup.files import (
    Backup,
    BackupError,
    ListedFile,
    Manifest,
    backups_in,
)
from tessie_pipeline.store.backup.making import KEY_ADVICE, back_up
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.store.shared_files import make_directory

SHOWN_FILES = 10


def run(console: Console, *, verifies: bool) -> None:
    """Back the database up, and say what was made.

    Raises:
        BackupError: no good backup came of it.
        CliError: the backup is good, and the archive is not.
    """
    with environment() as env:
        settings = env.settings
        console.print("Backing up …")
        done = back_up(
            env.database,
            settings.backups,
            settings.archive,
            lambda: datetime.now(UTC),
            verifies=verifies,
        )
    held = done.manifest
    _say(
        console,
        f"{done.backup.path}: {len(held.tables)} tables, {held.rows:,} rows, "
        f"{decimal(held.dump_bytes)}, in {done.dump_s:.1f} s.",
    )
    if done.verify_s is None:
        _say(console, "It is not verified, so it does not count as good.")
    else:
        _say(
            console,
            "Restored into a scratch database, and all tables were equal: it is good, after "
            f"{done.verify_s:.1f} s.",
        )
    if done.deleted:
        _say(console, f"Deleted as outdated: {', '.join(done.deleted)}.")
    if held.archive:
        _say(
            console,
            f"It lists the {len(held.archive):,} files of the archive, which it does not hold: "
            f"copy {settings.archive} as well.",
        )
    _say(console, KEY_ADVICE)
    if done.archive_problems:
        raise CliError(f"The backup is made, but:\n{shortened(done.archive_problems)}")


def show(console: Console) -> None:
    """List the backups, the newest last."""
    directory = Settings.load().backups
    backups = backups_in(directory)
    if not backups:
        _say(console, f"There is no backup in {directory}.")
        return
    table = Table(box=box.SIMPLE_HEAD, title=f"Backups in {directory}", title_justify="left")
    for name in ("name", "state", "size", "rows", "schema"):
        table.add_column(name, justify="right" if name in ("size", "rows") else "left")
    for backup in backups:
        facts: list[str] = []
        with suppress(BackupError):
            manifest = Manifest.read(backup.path)
            facts = [
                decimal(manifest.dump_bytes),
                f"{manifest.rows:,}",
                manifest.schema_revision,
            ]
        table.add_row(backup.name, backup.state(), *facts)
    console.print(table)


def restore(console: Console, name: str, *, replaces: bool, is_sure: bool) -> None:
    """Restore a backup into the database of this home, and say what there is to do then.

    Raises:
        BackupError: it cannot be restored; the database is as it was.
        CliError: Dagster runs in this home, or nobody confirmed that data are lost.
    """
    with environment() as env:
        backup = _found(env.settings.backups, name)
        make_directory(env.settings.home / "dagster")
        with runner_lock(env.settings.home) as lock:
            if lock is None:
                raise CliError("Dagster runs in this home: stop `tessie up` first")
            if replaces and restoring.tables_with_rows(env.database):
                _confirm(is_sure)
            console.print("Restoring, and comparing with the backup's manifest …")
            manifest = restoring.restore(env.database, backup, replaces=replaces)
        _say(
            console,
            f"Restored {backup.name}: {len(manifest.tables)} tables, {manifest.rows:,} rows, all "
            f"as in the backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC.",
        )
        _say(console, _about_the_key(env))
        _say_of_archive(console, manifest.archive, env.settings.archive)


def shortened(sentences: Sequence[str]) -> str:
    """The first of many sentences, one per line, and how many there are besides."""
    more = len(sentences) - SHOWN_FILES
    return "\n".join([*sentences[:SHOWN_FILES], *([f"and {more:,} more"] if more > 0 else [])])


def _found(directory: Path, name: str) -> Backup:
    for path in (directory / name, Path(name).expanduser()):
        if path.is_dir():
            return Backup(path.resolve())
    raise BackupError(
        f"There is no backup {name} in {directory}, and no such directory: see `tessie backup "
        "--list`"
    )


def _confirm(is_sure: bool) -> None:
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise CliError("The database holds data that would be lost: give --yes if you mean it")
    typer.confirm("Replace all data of this home by what the backup holds?", abort=True)


def _about_the_key(env: Environment) -> str:
    """Whether the stored logins can be opened here, and what to do if not."""
    key = env.settings.encryption_key
    put_it_back = (
        f"put the ENCRYPTION_KEY of the home that was backed up into {env.settings.home / '.env'} "
        "before anything else, or log in again with `tessie login`"
    )
    try:
        if key is None:
            return f"ENCRYPTION_KEY is not set here: {put_it_back}."
        SealedTokens(env.database, key.get_secret_value()).read()
    except NoAccountError:
        return "No login was stored in it."
    except SealError:
        return f"ENCRYPTION_KEY here does not open the stored login: {put_it_back}."
    return "ENCRYPTION_KEY here opens the stored login."


def _say_of_archive(console: Console, files: Sequence[ListedFile], url: str) -> None:
    if not files:
        return
    try:
        problems = archive_problems(files, Archive(url).sizes())
    except ArchiveError as error:
        problems = [str(error)]
    if problems:
        _say(console, f"Copy the archive to {url}; it is not as the backup lists it:")
        _say(console, shortened(problems))
    else:
        _say(console, f"The archive is complete: {len(files):,} files.")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
