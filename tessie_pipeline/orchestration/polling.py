"""One round of polling: who is to be asked, asking through the cache, and what came of it.

What is decided is `domain/polling.py`'s; here it is given the list, the clock and the stored past.
An answer that a killed poll has left in the cache is handed over with the new ones. Not here:
decoding and storing samples.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from tessie_pipeline.domain.polling import (
    Activity,
    Availability,
    Call,
    Decision,
    Memory,
    decide_site,
    decide_vehicle,
    remembered,
)
from tessie_pipeline.orchestration.money import Money
from tessie_pipeline.store.availability import LONGEST_GAP, current_stretches, save_sightings
from tessie_pipeline.store.calls.answer_cache import AnswerCache, CachedAnswer
from tessie_pipeline.store.calls.polling_status import (
    Kind,
    PollDecision,
    PollingStatus,
    PollOutcome,
    read_status,
    save_decisions,
    save_outcomes,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.registries import KnownSite, vehicle_ids
from tessie_pipeline.tesla.activity import decode_activity
from tessie_pipeline.tesla.answers import UndecodableAnswer, text_to_keep
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import FleetApiError, TransientApiError
from tessie_pipeline.tesla.vehicle_answers import Vehicle

UNKNOWN_STATE = "offline"

_PAID = frozenset({Call.VEHICLE_DATA, Call.LIVE_STATUS})


@dataclass
class Round:
    """What came of one round, by Tesla's ids.

    Attributes:
        decisions: what was decided about each, and why.
        answers: what is to be stored.
        failures: the error of each that was asked and gave none.
        unreachable: vehicles that were listed as online and could not be reached.
        outcomes: how asking went, to be kept by `save_outcomes` once the answers are stored.
    """

    decisions: dict[int, Decision] = field(default_factory=dict)
    answers: list[tuple[int, object]] = field(default_factory=list)
    failures: dict[int, FleetApiError] = field(default_factory=dict)
    unreachable: list[int] = field(default_factory=list)
    outcomes: list[PollOutcome] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """How many were asked."""
        return sum(decision.call in _PAID for decision in self.decisions.values())


@dataclass(frozen=True)
class _Past:
    """When a subject was last asked, and how often in vain since data came."""

    asked_at: datetime | None
    unanswered: int


@dataclass(frozen=True)
class _Subject:
    """A vehicle or site: its ids, its stored answer, and asking for a new one."""

    tesla_id: int
    own_id: str
    kind: Kind
    through_cache: Callable[[Callable[[], object | None] | None], CachedAnswer]
    ask: Callable[[], object | None]


def poll_vehicles(
    database: Database,
    fleet_api: FleetApi,
    listed: Iterable[Vehicle],
    money: Money,
    now: datetime,
    done: Round,
) -> None:
    """Ask those of the listed vehicles that are worth it now; what comes of it goes into `done`."""
    with database.rows() as connection:
        ids = vehicle_ids(connection)
        states = {
            vehicle.tesla_id: vehicle.state or UNKNOWN_STATE
            for vehicle in listed
            if vehicle.tesla_id in ids
        }
        seen_as = {ids[one]: state for one, state in states.items()}
        save_sightings(connection, seen_as, now, max(LONGEST_GAP, 2 * money.pace.listing))
        stretches = current_stretches(connection)
    cache = AnswerCache(database, text_to_keep)

    def decide(subject: _Subject, memory: Memory | None, past: _Past) -> Decision:
        stretch = stretches[subject.own_id]
        seen = Availability(
            stretch.state, stretch.started_at, stretch.last_seen_at, stretch.previous_state
        )
        return decide_vehicle(seen, memory, past.asked_at, money.pace, now, past.unanswered)

    _round(
        done,
        database,
        [
            _Subject(
                tesla_id,
                ids[tesla_id],
                "vehicle",
                partial(cache.vehicle_data, ids[tesla_id], now),
                partial(fleet_api.vehicle_data, tesla_id),
            )
            for tesla_id in states
        ],
        decide,
        now,
    )


def poll_sites(
    database: Database,
    fleet_api: FleetApi,
    sites: Mapping[int, KnownSite],
    money: Money,
    now: datetime,
    done: Round,
) -> None:
    """Ask those energy sites whose fresh view is worth its price now, as `poll_vehicles`."""
    cache = AnswerCache(database, text_to_keep)

    def decide(_: _Subject, __: Memory | None, past: _Past) -> Decision:
        return decide_site(past.asked_at, money.site_pace, now, past.unanswered)

    _round(
        done,
        database,
        [
            _Subject(
                tesla_id,
                site.site_id,
                "energy_site",
                partial(cache.energy_data, site.site_id, "live_status", now),
                partial(fleet_api.live_status, tesla_id),
            )
            for tesla_id, site in sites.items()
        ],
        decide,
        now,
    )


def close_round(database: Database, done: Round, now: datetime) -> None:
    """Keep how asking went; to be called once the answers are stored."""
    with database.rows() as connection:
        save_outcomes(connection, done.outcomes, now)


def _round(
    done: Round,
    database: Database,
    subjects: Iterable[_Subject],
    decide: Callable[[_Subject, Memory | None, _Past], Decision],
    now: datetime,
) -> None:
    with database.rows() as connection:
        past = read_status(connection)
    decided: list[PollDecision] = []
    for subject in subjects:
        status = past.get(subject.own_id)
        answer = subject.through_cache(None)
        memory = _memory(answer, status, now)
        unanswered = status.unanswered_in_a_row if status else 0
        decision = decide(subject, memory, _Past(_asked_at(answer, status, now), unanswered))
        done.decisions[subject.tesla_id] = decision
        decided.append(
            PollDecision(
                subject.own_id,
                subject.kind,
                decision.call if decision.call in _PAID else "wait",
                decision.reason,
                decision.next_look_at,
            )
        )
        answers = [answer]
        if decision.call in _PAID and (new := _asked(done, subject, answer, now)) != answer:
            answers.append(new)
        for came in answers:
            if _is_unsaved(came, status):
                done.answers.append((subject.tesla_id, came.body))
                memory = _memory(came, status, now, memory)
                outcome = PollOutcome(
                    subject.own_id,
                    subject.kind,
                    is_understood=subject.kind != "vehicle" or _activity(came) is not None,
                    idle_since=memory.idle_since if memory else None,
                    at=came.received_at,
                )
                done.outcomes.append(outcome)
    with database.rows() as connection:
        save_decisions(connection, decided, now)


def _asked(done: Round, subject: _Subject, before: CachedAnswer, now: datetime) -> CachedAnswer:
    """The new answer, or the one before if none came; what came of it goes into `done`."""
    error = None
    try:
        answer = subject.through_cache(subject.ask)
    except (FleetApiError, TimeoutError) as failure:
        error = str(failure)
        done.failures[subject.tesla_id] = (
            failure if isinstance(failure, FleetApiError) else TransientApiError(error)
        )
        answer = before
    else:
        if not answer.is_stale(now):
            return answer
        done.unreachable.append(subject.tesla_id)
    done.outcomes.append(PollOutcome(subject.own_id, subject.kind, error, is_reached=False))
    return answer


def _asked_at(answer: CachedAnswer, status: PollingStatus | None, now: datetime) -> datetime | None:
    """When a subject was last asked; what a clock says that was wrong and set since is left out."""
    known = (answer.received_at, status.last_attempt_at if status else None)
    return max((at for at in known if at is not None and at <= now), default=None)


def _is_unsaved(answer: CachedAnswer, status: PollingStatus | None) -> bool:
    if answer.body is None or answer.received_at is None:
        return False
    saved_at = status.last_success_at if status else None
    return saved_at is None or answer.received_at != saved_at


def _memory(
    answer: CachedAnswer,
    status: PollingStatus | None,
    now: datetime,
    before: Memory | None = None,
) -> Memory | None:
    """What is known of a car from its newest answer; None of one that tells nothing."""
    if answer.received_at is None:
        return None
    activity = _activity(answer)
    if activity is None:
        return before
    received_at = min(answer.received_at, now)
    if before is None and status is not None and not _is_unsaved(answer, status):
        return Memory(activity, received_at, status.idle_since)
    return remembered(before, activity, received_at)


def _activity(answer: CachedAnswer) -> Activity | None:
    try:
        return None if answer.body is None else decode_activity(answer.body)
    except UndecodableAnswer:
        return None
