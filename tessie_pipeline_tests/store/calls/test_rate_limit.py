"""The shared rate of requests, in one process and over many."""

import os
import subprocess
import sys
import time
from itertools import pairwise

import pytest
import sqlalchemy as sa

from tessie_pipeline.store.calls.rate_limit import shared_pace
from tessie_pipeline.store.database import Database

SEND = """
import os, sys, time
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.calls.rate_limit import shared_pace
with shared_pace(Database(os.environ["URL"]), per_minute=0, per_second=4) as wait_for_turn:
    for _ in range(4):
        wait_for_turn()
        print(time.time())
"""


def test_processes_keep_to_one_rate_together(database: Database) -> None:
    senders = [
        subprocess.Popen(
            [sys.executable, "-c", SEND],
            env=os.environ | {"URL": database.url()},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    sent_s = sorted(
        float(line) for sender in senders for line in sender.communicate(timeout=60)[0].split()
    )
    assert len(sent_s) == 12
    assert all(sender.returncode == 0 for sender in senders)
    assert all(later - first > 0.9 for first, later in zip(sent_s, sent_s[4:], strict=False))


@pytest.mark.parametrize(
    "rates",
    [(2, 0), (2, 1), (2, 2), (2, 50)],
    ids=["alone", "beside a wider one", "beside an equal one", "beside a needless one"],
)
def test_a_rate_per_minute_holds_whatever_the_rate_per_second(
    database: Database, rates: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_s: list[float] = []

    def skip_time(wait_s: float) -> None:
        waits_s.append(wait_s)
        with database.rows() as connection:
            ago = f"interval '{wait_s} seconds'"
            connection.execute(
                sa.text(
                    f"update private.ratelimit___fleet_api set item_timestamp = "  # noqa: S608
                    f"item_timestamp - {ago}"
                )
            )

    monkeypatch.setattr("pyrate_limiter.limiter.sleep", skip_time)
    with shared_pace(database, *rates) as wait_for_turn:
        for _ in range(3):
            wait_for_turn()
    assert sum(waits_s) > 30


def test_without_a_rate_nothing_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: float) -> None:
        raise AssertionError("nothing should wait")

    monkeypatch.setattr("pyrate_limiter.limiter.sleep", refuse)
    with shared_pace(database, 0, 0) as wait_for_turn:
        for _ in range(100):
            wait_for_turn()


def test_one_process_sends_no_faster_than_the_rate(database: Database) -> None:
    sent_s = []
    with shared_pace(database, per_minute=0, per_second=2) as wait_for_turn:
        for _ in range(4):
            wait_for_turn()
            sent_s.append(time.monotonic())
    assert all(later - first > 0.9 for first, later in pairwise(sent_s[::2]))
