"""Which `calendar_history` answers are missing, and fetching them one by one.

Every answer is stored in a transaction of its own as soon as it came, so that a run that is
killed has lost nothing it was billed for.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tessie_pipeline.domain.budget import HEALED_DAYS
from tessie_pipeline.orchestration.money import UNLIMITED
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.store.calls.holds import holds_against
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.gaps import note_misses, read_missing
from tessie_pipeline.store.energy.history import save_answer
from tessie_pipeline.tesla.answers import (
    Rejected,
    UndecodableAnswer,
    kept_text,
    rejected,
    unwrapped,
)
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError
from tessie_pipeline.tesla.history_check import HistoryKind, check_history_answer

FAILURES_IN_A_ROW = 3
"""After so many a site's answers are taken to be out of reach, and it is not asked for more."""

PROGRESS_EVERY = 30
"""Answers between two lines of the log."""


@dataclass(frozen=True)
class Missing:
    """One answer that is to be fetched; it will be complete if the day `is_over`."""

    site_id: str
    tesla_site_id: int
    site_name: str | None
    zone: ZoneInfo
    kind: HistoryKind
    day: date
    is_over: bool

    @property
    def key(self) -> tuple[str, HistoryKind, date]:
        """What it is stored by."""
        return self.site_id, self.kind, self.day

    def __str__(self) -> str:
        return f"{self.site_name or self.tesla_site_id} {self.day} {self.kind}"


@dataclass
class Download:
    """What came of fetching.

    Attributes:
        kept: how many answers were stored.
        shorter: how many were not, since what is stored knows more of their day.
        refused: those that are not the answer to what was asked.
        failures: what was asked and not answered, with the error.
        not_asked: how many were left out after a failure, or for want of money.
    """

    kept: int = 0
    shorter: int = 0
    refused: list[Rejected] = field(default_factory=list)
    failures: dict[Missing, FleetApiError] = field(default_factory=dict)
    not_asked: int = 0

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return self.kept + self.shorter + len(self.refused)


def missing_answers(
    database: Database,
    start: date,
    end: date,
    now: datetime,
    *,
    refetch: bool = False,
    sparingly: bool = False,
) -> list[Missing]:
    """The answers to fetch for the local days from `start` up to `end` that have begun by `now`.

    Those of days in progress come last, others the newest first; the arguments and what is left
    out are those of `store.energy.gaps.read_missing`.
    """
    with database.rows() as connection:
        rows = read_missing(connection, start, end, now, refetch=refetch, sparingly=sparingly)
    return [
        Missing(
            row.site_id.hex,
            row.tesla_site_id,
            row.site_name,
            ZoneInfo(row.time_zone),
            row.kind,
            row.date,
            row.is_over,
        )
        for row in rows
    ]


def within(spare_calls: int, missing: Sequence[Missing]) -> list[Missing]:
    """What is to be fetched, with at most so many answers of days in progress."""
    over = [wanted for wanted in missing if wanted.is_over]
    in_progress = [wanted for wanted in missing if not wanted.is_over]
    return over + in_progress[:spare_calls]


def leaving_the_cars_theirs(
    past_calls: int, missing: Sequence[Missing], now: datetime
) -> list[Missing]:
    """What is to be fetched, with as many answers of days long past as are affordable.

    Those of the last `HEALED_DAYS` dates are all in it, and are paid first.
    """
    healed_from = now.date() - timedelta(days=HEALED_DAYS)
    recent = sum(wanted.day >= healed_from for wanted in missing)
    past = [wanted for wanted in missing if wanted.day < healed_from]
    left_out = set(past[max(0, past_calls - recent) :])
    return [wanted for wanted in missing if wanted not in left_out]


def download(
    database: Database,
    fleet_api: FleetApi,
    missing: Sequence[Missing],
    clock: Clock,
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    affordable: Callable[[], int] = lambda: UNLIMITED,
) -> Download:
    """Fetch answers and store each at once; what fails for one site leaves the others alone.

    A site is not asked again for a kind that it refused with a terminal error, nor for anything
    after a few failures in a row. No site is asked once Tesla says when to come back, or once the
    budget allows no more; `affordable`, the number of calls that it does, is asked now and then.
    What was answered in vain is noted; what failed is not, since the caller may try again.
    """
    result = Download()
    refused: set[tuple[int, HistoryKind]] = set()
    failed_in_a_row: Counter[int] = Counter()
    allowed = 0
    for number, wanted in enumerate(missing):
        if number % PROGRESS_EVERY == 0:
            allowed = affordable()
            if number:
                log.info("%d of %d answers, up to %s", number, len(missing), wanted)
        if allowed <= 0:
            log.warning("The budget allows no more than %d of %d requests", number, len(missing))
            result.not_asked += len(missing) - number
            break
        site = wanted.tesla_site_id
        if (site, wanted.kind) in refused or failed_in_a_row[site] == FAILURES_IN_A_ROW:
            result.not_asked += 1
            continue
        allowed -= 1
        try:
            body = fleet_api.calendar_history(site, wanted.kind, wanted.day, wanted.zone)
        except TerminalApiError as error:
            log.warning("%s: %s", wanted, error)
            result.failures[wanted] = error
            refused.add((site, wanted.kind))
        except TransientApiError as error:
            log.warning("%s: %s", wanted, error)
            result.failures[wanted] = error
            failed_in_a_row[site] += 1
            if error.retry_after_s is not None:
                result.not_asked += len(missing) - number - 1
                break
        else:
            failed_in_a_row[site] = 0
            _keep(database, wanted, body, clock(), result)
    return result


def note_failures(database: Database, failures: Iterable[Missing], now: datetime) -> None:
    """Note what failed as asked for in vain, unless the account as a whole is not answered."""
    with database.rows() as connection:
        if holds_against(connection, "", 0, now) is None:
            note_misses(connection, (wanted.key for wanted in failures), now)


def _keep(
    database: Database, wanted: Missing, body: object, received_at: datetime, result: Download
) -> None:
    reason = check_history_answer(wanted.kind, body, wanted.day, wanted.zone)
    try:
        text = kept_text(unwrapped(body))
    except UndecodableAnswer as error:
        reason = str(error)
    is_kept = False
    with database.rows() as connection:
        if reason is None:
            is_kept = save_answer(connection, *wanted.key, text, received_at)
        if not is_kept:
            note_misses(connection, [wanted.key], received_at)
    if reason is not None:
        result.refused.append(replace(rejected(body, reason), subject=wanted.site_id))
    else:
        result.kept += is_kept
        result.shorter += not is_kept
