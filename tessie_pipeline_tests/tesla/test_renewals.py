"""Renewal by many processes, and by processes that are killed: real ones, over HTTP and Postgres.

TESSIE_TEST_KILLS says how many are killed at random moments.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.simulator import tokens as simulated
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.auth import TokenEndpoint
from tessie_pipeline_tests.tesla import renewing

KILLS = int(os.environ.get("TESSIE_TEST_KILLS", "100"))
PROCESSES = 20


@pytest.fixture
def url() -> Iterator[str]:
    """Address of a simulator that has given no token yet."""
    with serving(Fleet(vehicles=1), Clock(speed=0)) as url:
        yield url


@pytest.fixture
def account(database: Database) -> SealedTokens:
    """An account whose access token is over."""
    pair = simulated.Tokens().sign_in("me", simulated.SCOPES, time.time())
    account = SealedTokens(database, renewing.KEY)
    ended = datetime.now(UTC) - timedelta(hours=1)
    account.save(Tokens(pair["refresh_token"], pair["access_token"], ended))
    return account


def run(command: str, account: SealedTokens, url: str, *rest: str) -> int:
    """The exit status of the program that renews."""
    program = [sys.executable, "-m", "tessie_pipeline_tests.tesla.renewing"]
    arguments = [command, account.database.url(), url, *rest]
    return subprocess.run([*program, *arguments], check=False, timeout=300).returncode


def spent(url: str) -> dict[str, int]:
    """How many refresh tokens were used first, used again in their grace, and refused."""
    counts: dict[str, int] = httpx.get(f"{url}/simulator/tokens").json()
    return counts


def test_twenty_processes_that_need_a_token_at_once_cause_one_refresh(
    account: SealedTokens, url: str, tmp_path: Path
) -> None:
    assert run("together", account, url, str(PROCESSES), str(tmp_path)) == 0
    stored = account.read().access_token
    assert stored
    left = [file.read_text() for file in tmp_path.iterdir()]
    assert left == [f"200 {sha256(stored.encode()).hexdigest()}"] * PROCESSES
    assert spent(url) == {"refreshes": 1, "grace_uses": 0, "refused": 0}


def test_a_renewal_that_is_killed_at_any_moment_locks_nobody_out(
    account: SealedTokens, url: str
) -> None:
    assert run("random", account, url, str(KILLS)) == 0
    counts = spent(url)
    assert counts["refused"] == 0
    assert counts["refreshes"] >= KILLS


@pytest.mark.parametrize(
    ("step", "is_stored", "grace_uses"),
    [
        ("before the exchange", False, 0),
        ("after the exchange", False, 1),
        ("before the commit", False, 1),
        ("at the end", True, 0),
    ],
)
def test_a_renewal_that_is_killed_leaves_tokens_that_can_be_renewed(
    account: SealedTokens, url: str, step: str, is_stored: bool, grace_uses: int
) -> None:
    before = account.read()
    assert run(step, account, url) == -9
    assert (account.read() != before) is is_stored
    endpoint = TokenEndpoint(f"{url}/oauth2/v3/token", "me")
    tokens = account.renew(lambda _: True, endpoint.exchange)
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    assert httpx.get(f"{url}/api/1/products", headers=headers).status_code == 200
    assert account.read() == tokens
    assert (spent(url)["grace_uses"], spent(url)["refused"]) == (grace_uses, 0)
