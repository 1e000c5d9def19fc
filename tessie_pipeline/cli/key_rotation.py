"""`tessie rotate-key`: another ENCRYPTION_KEY, and all tokens sealed under it.

A key in `.env` is replaced in three steps, of which any may be the last: the new key is written
beside the old one, the tokens are sealed under it in one transaction, the old key goes. The next
start goes on where a killed one stopped. Not here: sealing.
"""

import os
import re
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from tessie_pipeline.cli.account import ask_secret
from tessie_pipeline.cli.environment import CliError, Environment, environment
from tessie_pipeline.settings import Settings
from tessie_pipeline.store import migrations
from tessie_pipeline.store.accounts import NoAccountError, SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.store.shared_files import exclusive, write_file

KEY, NEXT_KEY = "ENCRYPTION_KEY", "ENCRYPTION_KEY_NEXT"
WITHOUT_TOKENS = frozenset({"demo", "down", "simulate", "url"})
"""Commands that leave a rotation that was interrupted to the others."""

_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")


def rotate(console: Console, *, is_asked: bool, is_shown: bool) -> None:
    """Seal the tokens under a new key: one that is made, or that a person gives.

    Raises:
        CliError: there is no key yet, or the new one is none or would be lost.
        SealError: the present key does not open the tokens; nothing has changed.
    """
    with environment() as env:
        if env.settings.encryption_key is None:
            raise CliError(f"{KEY} is not set yet, so there is nothing to rotate")
        migrations.upgrade(env.database)
        new_key = _given_key() if is_asked else secrets.token_hex(32)
        if _is_in_environment():
            _rotate_outside(console, env, new_key, is_made=not is_asked, is_shown=is_shown)
            return
        file = env.settings.home / ".env"
        with exclusive(env.settings.home / "env.lock"):
            finish(env.database, env.settings.home)
            with suppress(NoAccountError):
                SealedTokens(env.database, _present_key(env.settings.home)).read()
            _write(file, {NEXT_KEY: new_key})
            finish(env.database, env.settings.home)
    if is_shown:
        print(f"{KEY}={new_key}")
    console.print(f"The tokens are sealed under a new key, which is in {file}.", markup=False)


def finish_interrupted(command: str | None) -> None:
    """At the start of a command, go on with a rotation that was interrupted, if any."""
    if command is None or command in WITHOUT_TOKENS or _is_in_environment():
        return
    home = Settings.load().home
    if _next_key(home / ".env") is None:
        return
    with environment() as env:
        migrations.upgrade(env.database)
        with exclusive(home / "env.lock"), suppress(SealError):  # a login mends that
            finish(env.database, home)


def finish(database: Database, home: Path) -> None:
    """Seal the tokens under the next key of `.env` if they are not yet, and put it in place.

    Call it with the lock of `.env`. Without a next key it does nothing.

    Raises:
        SealError: neither key opens the tokens.
    """
    file = home / ".env"
    next_key = _next_key(file)
    if next_key is None:
        return
    try:
        SealedTokens(database, next_key).read()
    except NoAccountError:
        pass
    except SealError:
        SealedTokens(database, _present_key(home)).reseal(next_key)
    _write(file, {KEY: next_key, NEXT_KEY: None})


def _rotate_outside(
    console: Console, env: Environment, new_key: str, *, is_made: bool, is_shown: bool
) -> None:
    """Seal under a key that only its owner can put in place; a new one is shown before it counts.

    Raises:
        CliError: nobody would see the new key.
    """
    if is_made:
        if not (is_shown or sys.stdout.isatty()):
            raise CliError(f"The new key would be lost: give --show, or --ask with {KEY} of yours")
        print(f"{KEY}={new_key}", flush=True)
    env.tokens().reseal(new_key)
    console.print(
        f"The tokens are sealed under the new key: set {KEY} to it where it is set now.",
        markup=False,
    )


def _given_key() -> str:
    given = ask_secret("New key, 64 hexadecimal characters")
    if not _HEX_KEY.fullmatch(given):
        raise CliError("The key should be 64 hexadecimal characters (try: openssl rand -hex 32)")
    return given


def _is_in_environment() -> bool:
    return bool(os.environ.get(KEY))


def _present_key(home: Path) -> str:
    """What `.env` has now; another command may have changed it since this one started."""
    return Settings.load(TESSIE_HOME=home).require("encryption_key")


def _next_key(file: Path) -> str | None:
    """The next key in `.env`; a line that holds none is as if it were not there."""
    found = re.findall(rf"(?m)^{NEXT_KEY}=({_HEX_KEY.pattern})\s*$", _text(file))
    return found[-1] if found else None


def _write(file: Path, values: dict[str, str | None]) -> None:
    """Set or remove variables in `.env`; its other lines stay."""
    names = "|".join(values)
    variable = re.compile(rf"\s*(?:export\s+)?(?:{names})\s*=")
    lines = [line for line in _text(file).splitlines() if not variable.match(line)]
    lines += [f"{name}={value}" for name, value in values.items() if value is not None]
    write_file(file, "\n".join([*lines, ""]), 0o600)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""
