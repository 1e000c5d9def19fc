"""What a person should know of, from facts about the account, its budget and its data.

Not here: how the facts are found, and how long an alert has been open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from tessie_pipeline.domain.calls import RATE_LIMIT

NEARLY_SPENT = 0.8
"""Part of the budget that is worth a warning."""

TOKEN_LIFE = timedelta(days=90)
"""Life of a refresh token; source: Fleet API, third-party tokens (three months)."""

TOKEN_WARNING = timedelta(days=14)
TOKEN_UNUSED = timedelta(days=7)
"""Polling renews the token every eight hours; one as old as that was not renewed for a reason."""

LONG_PAUSE = timedelta(hours=1)
"""Tesla's rate limits end within minutes; one as long as that is worth a look."""

LEAST_SILENCE = timedelta(hours=1)
MISSED_POLLS = 3
"""A source is stale when it has been silent for so many polls, and for `LEAST_SILENCE`."""

MANY_FAILURES = 5

BACKUP_DUE = timedelta(days=3)
"""Backups are made daily, but not while a machine is off over the weekend."""


@dataclass(frozen=True)
class Spend:
    """US dollars: spent this month (UTC), what it will have been at its end, and the budget."""

    spent_usd: float
    forecast_usd: float
    budget_usd: float


@dataclass(frozen=True)
class Pause:
    """A hold: what is not asked, until when; `subject` and `endpoint` are empty for all.

    It lasts until asking has succeeded, though its end may have passed.
    """

    subject: str
    name: str
    endpoint: str
    held_until: datetime | None
    code: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A vehicle or site, and how its data come.

    Attributes:
        subject: its id.
        name: what a person calls it.
        answers: the last part of the endpoint that is asked: vehicle_data or live_status.
        newest_at: the time of its newest sample; None before the first.
        known_since: when it became known.
        excused_until: the last time that nothing was expected of it: it slept, or polling waits.
        failures_in_a_row: failed attempts since the last success.
        last_error: what the last of them said.
    """

    subject: str
    name: str
    answers: str
    newest_at: datetime | None
    known_since: datetime
    excused_until: datetime | None = None
    failures_in_a_row: int = 0
    last_error: str | None = None

    def silent_since(self) -> datetime:
        """Since when something has been expected of it and has not come."""
        moments = (self.newest_at, self.known_since, self.excused_until)
        return max(moment for moment in moments if moment is not None)


@dataclass(frozen=True)
class KeptBackup:
    """A backup of the database: when it was made, and whether it was restored and found equal."""

    name: str
    made_at: datetime
    is_good: bool


@dataclass(frozen=True)
class Facts:
    """What alerts follow from.

    Attributes:
        spend: what calls have cost.
        token_received_at: when the login was renewed; None where none is stored.
        pauses: what is not asked.
        sources: vehicles and sites.
        poll_interval: the longest time between two polls.
        backups: the newest good one and those made since, the oldest first.
        rows_astray: how many rows are in default partitions, by their names.
    """

    spend: Spend
    token_received_at: datetime | None
    pauses: Sequence[Pause]
    sources: Sequence[Source]
    poll_interval: timedelta
    backups: Sequence[KeptBackup] = ()
    rows_astray: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """One cause: `code` and `subject` tell it from others; `message` says what to do."""

    severity: str
    category: str
    code: str
    subject: str
    message: str
    context: Mapping[str, object] = field(default_factory=dict)


def wanted_alerts(facts: Facts, now: datetime) -> list[Alert]:
    """The alerts that should be open at `now`, one per cause.

    What follows from a pause is not told beside it: a source that is not asked is silent.
    """
    pauses = [pause for pause in facts.pauses if not _ends_soon_by_itself(pause, now)]
    asked = [
        source for source in facts.sources if not any(_is_of(pause, source) for pause in pauses)
    ]
    return [
        *_of_budget(facts.spend),
        *_of_token(facts.token_received_at, now),
        *_of_pauses(pauses),
        *chain.from_iterable(_of_source(one, facts.poll_interval, now) for one in asked),
        *_of_backups(facts.backups, now),
        *_of_rows_astray(facts.rows_astray),
    ]


def _of_budget(spend: Spend) -> Iterator[Alert]:
    """The worst of: spent, nearly spent, will be spent."""
    spent = f"{spend.spent_usd:.2f} of {spend.budget_usd:.2f} USD"
    raise_it = "raise TESSIE_BUDGET_USD or poll more rarely (TESSIE_POLL_CRON)"
    if spend.spent_usd <= 0:
        return
    if spend.spent_usd >= spend.budget_usd:
        severity, code = "critical", "budget_spent"
        message = f"This month's budget for Tesla's API is spent, {spent}: {raise_it}."
    elif spend.spent_usd >= NEARLY_SPENT * spend.budget_usd:
        severity, code = "warning", "budget"
        message = f"This month's calls to Tesla have cost {spent}: {raise_it}."
    elif spend.forecast_usd > spend.budget_usd:
        severity, code = "warning", "budget_forecast"
        message = (
            f"This month's calls to Tesla will cost about {spend.forecast_usd:.2f} USD, more than "
            f"the budget of {spend.budget_usd:.2f} USD: {raise_it}."
        )
    else:
        return
    context = {
        "spent_usd": round(spend.spent_usd, 4),
        "forecast_usd": round(spend.forecast_usd, 4),
        "budget_usd": spend.budget_usd,
    }
    yield Alert(severity, "budget", code, "", message, context)


def _of_token(received_at: datetime | None, now: datetime) -> Iterator[Alert]:
    if received_at is None:
        return
    ends_at = received_at + TOKEN_LIFE
    if now >= ends_at:
        severity, code = "critical", "token_ended"
        message = f"The Tesla login ended on {_day(ends_at)}: run `tessie login`."
    elif now >= ends_at - TOKEN_WARNING:
        severity, code = "warning", "token_ends"
        message = (
            f"The Tesla login ends on {_day(ends_at)} and has not been renewed since "
            f"{_day(received_at)}: let `tessie up` poll, or run `tessie login`."
        )
    elif now >= received_at + TOKEN_UNUSED:
        severity, code = "warning", "token_not_renewed"
        message = (
            f"The Tesla login has not been renewed since {_day(received_at)}, which every day of "
            "polling does: see in the Dagster UI why polls fail, or whether their schedule is off."
        )
    else:
        return
    context = {"received_at": received_at.isoformat(), "ends_at": ends_at.isoformat()}
    yield Alert(severity, "account", code, "", message, context)


def _of_pauses(pauses: Sequence[Pause]) -> Iterator[Alert]:
    """One alert per code and subject, which names all its endpoints."""
    causes: dict[tuple[str, str], list[Pause]] = {}
    for pause in pauses:
        causes.setdefault((pause.code, pause.subject), []).append(pause)
    for (code, subject), same in causes.items():
        is_whole = not all(pause.endpoint for pause in same)
        endpoints = sorted({pause.endpoint for pause in same if pause.endpoint})
        what = "No request" if is_whole else f"No {' and no '.join(endpoints)}"
        of_whom = f" for {same[0].name}" if subject else ""
        yield Alert(
            "critical" if is_whole and not subject else "warning",
            "account",
            code,
            subject,
            f"{what}{of_whom} is sent to Tesla for now: {same[0].reason}",
            {"endpoints": endpoints, "held_until": _latest(same)},
        )


def _is_of(pause: Pause, source: Source) -> bool:
    """Whether the pause keeps the source from being asked for its samples."""
    return pause.subject in ("", source.subject) and (
        not pause.endpoint or pause.endpoint.endswith(f"/{source.answers}")
    )


def _ends_soon_by_itself(pause: Pause, now: datetime) -> bool:
    return (
        pause.code == RATE_LIMIT
        and pause.held_until is not None
        and pause.held_until < now + LONG_PAUSE
    )


def _latest(pauses: Sequence[Pause]) -> str | None:
    ends = [pause.held_until for pause in pauses if pause.held_until is not None]
    return max(ends).isoformat() if len(ends) == len(pauses) else None


def _of_source(source: Source, poll_interval: timedelta, now: datetime) -> Iterator[Alert]:
    since = source.silent_since()
    if source.failures_in_a_row >= MANY_FAILURES:
        said = source.last_error or "it did not say why"
        yield Alert(
            "warning",
            "data",
            "polling_fails",
            source.subject,
            f"{source.name} could not be read {MANY_FAILURES} times in a row or more; the last "
            f"time: {said}",
            {"failures_in_a_row": source.failures_in_a_row, "last_error": said},
        )
    elif now - since > max(LEAST_SILENCE, MISSED_POLLS * poll_interval):
        yield Alert(
            "warning",
            "data",
            "stale_source",
            source.subject,
            f"There is nothing new of {source.name} since {since:%Y-%m-%d %H:%M} UTC: see in the "
            "Dagster UI whether polls run, and in the Tesla app whether it is connected.",
            {
                "silent_since": since.isoformat(),
                "newest_at": None if source.newest_at is None else source.newest_at.isoformat(),
            },
        )


def _of_backups(backups: Sequence[KeptBackup], now: datetime) -> Iterator[Alert]:
    """The database is not backed up as it was; without any backup nobody wants one."""
    if not backups or (backups[-1].is_good and now - backups[-1].made_at <= BACKUP_DUE):
        return
    good = [backup.made_at for backup in backups if backup.is_good]
    last = f"the last good one is of {_day(max(good))}" if good else "there is no good one"
    what = "is too old" if backups[-1].is_good else "has not been found to be good"
    yield Alert(
        "warning",
        "data",
        "backup",
        "",
        f"The newest backup, {backups[-1].name}, {what}; {last}: see in the Dagster UI why the job "
        "`backup` fails, or run `tessie backup`.",
        {"newest": backups[-1].name, "newest_good_at": max(good).isoformat() if good else None},
    )


def _of_rows_astray(rows: Mapping[str, int]) -> Iterator[Alert]:
    for name, count in rows.items():
        yield Alert(
            "warning",
            "data",
            "rows_astray",
            name,
            f"{name} is a default partition and has {count} rows, which slows every read of its "
            "table: move them into partitions of their own and drop it.",
            {"rows": count},
        )


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
