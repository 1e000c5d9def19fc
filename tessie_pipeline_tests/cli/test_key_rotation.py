"""Another key: in `.env` or in the environment, killed at each step, and never shown unasked."""

import io
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline_tests.cli.conftest import Result, Tessie
from tessie_pipeline_tests.cli.rotating import STEPS

KEY = "0123456789abcdef" * 4
OTHER_KEY = "fedcba9876543210" * 4
TOKENS = Tokens("the-refresh-token", "the-access-token")
ENV = f"# mine\nexport ENCRYPTION_KEY='{KEY}'\nLOG_LEVEL=DEBUG\n"


@pytest.fixture
def tessie(tmp_path: Path, database: Database) -> Tessie:
    """The command in a home whose `.env` has the key of an account."""
    SealedTokens(database, KEY).save(TOKENS)
    (tmp_path / ".env").write_text(f"{ENV}DATABASE_URL={database.url()}\n")
    return Tessie(tmp_path)


def key_in(tessie: Tessie) -> str:
    """The one key in `.env`."""
    (key,) = re.findall(r"ENCRYPTION_KEY\w*='?(\w+)", (tessie.home / ".env").read_text())
    return str(key)


def opened(database: Database, key: str) -> Tokens | None:
    try:
        return SealedTokens(database, key).read()
    except SealError:
        return None


def assert_hidden(result: Result, *secrets: str) -> None:
    for secret in (KEY, TOKENS.refresh_token, str(TOKENS.access_token), *secrets):
        assert secret not in f"{result}"


def test_a_key_in_env_is_replaced_and_all_else_stays(tessie: Tessie, database: Database) -> None:
    result = tessie("rotate-key")
    assert result.returncode == 0, result.stderr
    assert opened(database, KEY) is None
    assert opened(database, key_in(tessie)) == TOKENS
    file = tessie.home / ".env"
    assert file.read_text().splitlines() == [
        "# mine",
        "LOG_LEVEL=DEBUG",
        f"DATABASE_URL={database.url()}",
        f"ENCRYPTION_KEY={key_in(tessie)}",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert_hidden(result, key_in(tessie))
    assert "Key opens the tokens" in tessie("auth").stdout


def test_a_made_key_is_shown_if_asked_for(tessie: Tessie) -> None:
    assert f"ENCRYPTION_KEY={key_in(tessie)}" not in tessie("auth").stdout
    result = tessie("rotate-key", "--show")
    assert f"ENCRYPTION_KEY={key_in(tessie)}" in result.stdout
    assert_hidden(result)


def test_a_given_key_is_taken(
    tessie: Tessie, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{OTHER_KEY}\n"))
    result = tessie("rotate-key", "--ask")
    assert key_in(tessie) == OTHER_KEY
    assert opened(database, OTHER_KEY) == TOKENS
    assert_hidden(result, OTHER_KEY)


@pytest.mark.parametrize("given", ["hush-hush", OTHER_KEY[1:], ""])
def test_a_given_key_that_is_none_is_refused(
    tessie: Tessie, database: Database, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    result = tessie("rotate-key", "--ask")
    assert result.returncode == 1
    assert "64 hexadecimal characters" in result.stderr
    assert not given or given not in result.stderr
    assert (key_in(tessie), opened(database, KEY)) == (KEY, TOKENS)


def test_a_key_of_the_environment_is_shown_if_asked_for_and_is_to_be_set(
    tessie: Tessie, database: Database
) -> None:
    before = (tessie.home / ".env").read_text()
    result = tessie("rotate-key", "--show", ENCRYPTION_KEY=KEY)
    assert result.returncode == 0, result.stderr
    assert "set ENCRYPTION_KEY to it where it is set now" in result.stdout
    (new_key,) = re.findall(r"ENCRYPTION_KEY=(\w{64})", result.stdout)
    assert opened(database, new_key) == TOKENS
    assert (tessie.home / ".env").read_text() == before


def test_a_key_of_the_environment_is_not_replaced_by_one_that_nobody_sees(
    tessie: Tessie, database: Database
) -> None:
    result = tessie("rotate-key", ENCRYPTION_KEY=KEY)
    assert result.returncode == 1
    assert "The new key would be lost" in result.stderr
    assert opened(database, KEY) == TOKENS


@pytest.mark.parametrize("place", ["in .env", "in the environment"])
def test_a_wrong_key_changes_nothing(tessie: Tessie, database: Database, place: str) -> None:
    SealedTokens(database, OTHER_KEY).save(TOKENS)
    before = (tessie.home / ".env").read_text()
    variables = {} if place == "in .env" else {"ENCRYPTION_KEY": KEY}
    result = tessie("rotate-key", "--show", **variables)
    assert result.returncode == 1
    assert "ENCRYPTION_KEY does not open the stored tokens" in result.stderr
    assert opened(database, OTHER_KEY) == TOKENS
    assert (tessie.home / ".env").read_text() == before


def test_without_a_key_there_is_nothing_to_rotate(tmp_path: Path, database: Database) -> None:
    result = Tessie(tmp_path)("rotate-key", DATABASE_URL=database.url())
    assert result.returncode == 1
    assert "nothing to rotate" in result.stderr


def test_without_an_account_the_key_is_replaced(tessie: Tessie, database: Database) -> None:
    SealedTokens(database, KEY).forget()
    assert tessie("rotate-key").returncode == 0
    assert key_in(tessie) != KEY


@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_that_is_killed_is_finished_by_the_next_start(
    tessie: Tessie, database: Database, step: str
) -> None:
    killed = subprocess.run(
        [sys.executable, "-m", "tessie_pipeline_tests.cli.rotating", step],
        env=tessie.environment(),
        check=False,
        timeout=60,
    )
    assert killed.returncode == -9
    result = tessie("auth")
    assert "Key opens the tokens" in result.stdout
    is_new = not step.endswith("next key is written")
    assert (key_in(tessie) != KEY) is is_new
    assert opened(database, key_in(tessie)) == TOKENS
    assert_hidden(result, key_in(tessie))


def test_a_rotation_that_no_key_can_finish_does_not_stand_in_the_way(
    tessie: Tessie, database: Database
) -> None:
    with (tessie.home / ".env").open("a") as file:
        file.write(f"ENCRYPTION_KEY_NEXT={OTHER_KEY}\n")
    SealedTokens(database, "00" * 32).save(TOKENS)
    result = tessie("auth")
    assert result.returncode == 0
    assert "Key ENCRYPTION_KEY does not open the stored tokens" in result.stdout
