"""Processes that renew the tokens of one account at once, or are killed while they do.

It is run as a program, since only a process without threads may fork; each child is a process with
connections of its own.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx
import sqlalchemy as sa

from tessie_pipeline.domain.tokens import Tokens
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.database import Database
from tessie_pipeline.tesla.auth import TeslaAuth, TokenEndpoint
from tessie_pipeline.tesla.errors import FleetApiError

KEY = "0123456789abcdef" * 4
LONGEST_LIFE_S = 0.2
"""Some renewals long, so that a kill meets each part of one."""


def die(*_: object) -> None:
    """End as by SIGKILL, without any clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)


def account_at(database_url: str) -> SealedTokens:
    """The account, with connections of this process's own."""
    return SealedTokens(Database(database_url), KEY)


def forked(work: Callable[[], None]) -> int:
    """The process id of a child that does the work; it ends with 0 if nothing was raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def ask_together(database_url: str, url: str, processes: int, directory: Path) -> None:
    """So many processes ask for the products at once; each leaves a file with what it sent."""
    reader, writer = os.pipe()

    def ask() -> None:
        os.close(writer)
        auth = TeslaAuth(account_at(database_url), TokenEndpoint(f"{url}/oauth2/v3/token", "me"))
        with httpx.Client() as http:
            os.read(reader, 1)
            answer = http.get(f"{url}/api/1/products", auth=auth, timeout=60)
        sent = answer.request.headers["Authorization"].removeprefix("Bearer ")
        digest = sha256(sent.encode()).hexdigest()
        (directory / str(os.getpid())).write_text(f"{answer.status_code} {digest}")

    children = [forked(ask) for _ in range(processes)]
    time.sleep(0.5)
    os.close(writer)
    if [child for child in children if os.waitpid(child, 0)[1]]:
        sys.exit("a process failed")


def kill_at_random(database_url: str, url: str, kills: int) -> None:
    """Kill a process that renews and renews, and see that this one still can."""
    chance = random.Random(kills)  # noqa: S311 - no secret depends on it
    endpoint = TokenEndpoint(f"{url}/oauth2/v3/token", "me")
    own = account_at(database_url)

    def renew_for_ever() -> None:
        account = account_at(database_url)
        while True:
            account.renew(lambda _: True, endpoint.exchange)

    for number in range(kills):
        child = forked(renew_for_ever)
        time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            own.renew(lambda _: True, endpoint.exchange)
        except FleetApiError as error:
            sys.exit(f"locked out after {number + 1} kills: {error}")


def kill_at(step: str, database_url: str, url: str) -> None:
    """Renew, and be killed at a step of it."""
    account = account_at(database_url)
    endpoint = TokenEndpoint(f"{url}/oauth2/v3/token", "me")

    def exchange(tokens: Tokens) -> Tokens:
        if step == "before the exchange":
            die()
        new = endpoint.exchange(tokens)
        if step == "after the exchange":
            die()
        return new

    if step == "before the commit":
        sa.event.listen(account.database.engine, "commit", die)
    account.renew(lambda _: True, exchange)
    die()


if __name__ == "__main__":
    command, database_url, url, *rest = sys.argv[1:]
    if command == "together":
        ask_together(database_url, url, int(rest[0]), Path(rest[1]))
    elif command == "random":
        kill_at_random(database_url, url, int(rest[0]))
    else:
        kill_at(command, database_url, url)
