"""Which `calendar_history` answers are missing, and fetching them one by one.

Every answer is stored in a transaction of its own as soon as it came, so that a run that is
killed has lost nothing it was billed for.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from tessie_pipeline.domain.days import dates_between, day_start
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.history import received, save_answer
from tessie_pipeline.store.registries import KnownSite, known_sites
from tessie_pipeline.tesla.answers import (
    Rejected,
    UndecodableAnswer,
    kept_text,
    rejected,
    unwrapped,
)
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError
from tessie_pipeline.tesla.history_check import HistoryKind, check_history_answer

KINDS: tuple[HistoryKind, ...] = ("energy", "power", "soe")

SETTLED = timedelta(minutes=30)
"""An answer is complete if it came so long after the day's end; sites report with a delay."""


@dataclass(frozen=True)
class Missing:
    """One answer that is to be fetched, of a site with a time zone."""

    site: KnownSite
    tesla_site_id: int
    zone: ZoneInfo
    kind: HistoryKind
    day: date

    def __str__(self) -> str:
        return f"{self.site.site_name or self.tesla_site_id} {self.day} {self.kind}"


@dataclass
class Download:
    """What came of fetching: answers kept, refused ones, and those that failed."""

    kept: list[Missing] = field(default_factory=list)
    refused: list[Rejected] = field(default_factory=list)
    failures: dict[Missing, FleetApiError] = field(default_factory=dict)

    def kept_by_date(self) -> pl.DataFrame:
        """`date` and `rows`: how many answers were kept."""
        dates = pl.DataFrame({"date": [wanted.day for wanted in self.kept]}, {"date": pl.Date()})
        return dates.group_by("date").agg(pl.len().alias("rows")).sort("date")


def missing_answers(
    database: Database, start: date, end: date, now: datetime, *, refetch: bool
) -> list[Missing]:
    """The answers to fetch for the local days from `start` up to `end` that have begun by `now`.

    Sites without a time zone wait until they are described. With `refetch`, all of them.
    """
    with database.rows() as connection:
        sites = known_sites(connection)
        came = received(connection, start, end)
    missing: list[Missing] = []
    for site in sites:
        if site.tesla_site_id is None or site.time_zone is None:
            continue
        zone = ZoneInfo(site.time_zone)
        for day in dates_between(start, end):
            complete_at = day_start(day + timedelta(days=1), zone) + SETTLED
            missing += [
                Missing(site, site.tesla_site_id, zone, kind, day)
                for kind in KINDS
                if day_start(day, zone) <= now
                and (refetch or not _is_complete(came.get((site.site_id, kind, day)), complete_at))
            ]
    return missing


def _is_complete(received_at: datetime | None, complete_at: datetime) -> bool:
    return received_at is not None and received_at >= complete_at


def download(
    database: Database,
    fleet_api: FleetApi,
    missing: Iterable[Missing],
    clock: Clock,
    log: logging.Logger | logging.LoggerAdapter[logging.Logger],
) -> Download:
    """Fetch answers and store each at once; what fails for one site leaves the others alone.

    A site that answers with a terminal error is not asked again.
    """
    result = Download()
    given_up: set[str] = set()
    for wanted in missing:
        if wanted.site.site_id in given_up:
            continue
        try:
            body = fleet_api.calendar_history(
                wanted.tesla_site_id, wanted.kind, wanted.day, wanted.zone
            )
        except FleetApiError as error:
            log.warning("%s: %s", wanted, error)
            result.failures[wanted] = error
            if isinstance(error, TerminalApiError):
                given_up.add(wanted.site.site_id)
            continue
        _keep(database, wanted, body, clock(), result)
    return result


def _keep(
    database: Database, wanted: Missing, body: object, received_at: datetime, result: Download
) -> None:
    reason = check_history_answer(wanted.kind, body, wanted.day, wanted.zone)
    try:
        text = kept_text(unwrapped(body))
    except UndecodableAnswer as error:
        reason = str(error)
    if reason is not None:
        result.refused.append(replace(rejected(body, reason), subject=wanted.site.site_id))
        return
    with database.rows() as connection:
        save_answer(connection, wanted.site.site_id, wanted.kind, wanted.day, text, received_at)
    result.kept.append(wanted)
