"""What a failed request or a refused answer does to a run: it never costs another its data.

The client has tried transient failures again; of long downloads Dagster runs the step again. What
only a person can mend stops at once, with the sentence that says how. What cannot be decoded is
kept in `rejected_payloads`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TypeVar

import dagster as dg

from tessie_pipeline.settings import SettingsError
from tessie_pipeline.store.accounts import NoAccountError
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.rejected import RejectedPayload, keep_rejected
from tessie_pipeline.store.sealing import SealError
from tessie_pipeline.tesla.answers import Rejected, UndecodableAnswer, rejected
from tessie_pipeline.tesla.errors import FleetApiError, TerminalApiError, TransientApiError

MAX_RETRIES = 3
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 300.0
"""A step waits no longer than that, since others wait for it: the next run is soon enough."""

REPORTED_FAILURES = 20
"""At most so many failures are named in a check; the number of the others is said."""

SubjectT = TypeVar("SubjectT")
AnswerT = TypeVar("AnswerT")
DecodedT = TypeVar("DecodedT")


@contextmanager
def failing_as_dagster_does() -> Iterator[None]:
    """Turn errors of the Fleet API and the account into a failure with their sentence.

    Raises:
        dg.Failure: Dagster does not try again: the client has, and another run comes soon.
    """
    try:
        yield
    except (FleetApiError, NoAccountError, SealError, SettingsError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def ask_each(
    subjects: Iterable[SubjectT], ask: Callable[[SubjectT], AnswerT]
) -> tuple[list[tuple[SubjectT, AnswerT]], dict[SubjectT, FleetApiError]]:
    """Each subject's answer, and the failure of each that gave none."""
    answers: list[tuple[SubjectT, AnswerT]] = []
    failures: dict[SubjectT, FleetApiError] = {}
    for subject in subjects:
        try:
            answers.append((subject, ask(subject)))
        except FleetApiError as error:
            failures[subject] = error
    return answers, failures


def decode_each(
    answers: Iterable[tuple[SubjectT, AnswerT]], decode: Callable[[SubjectT, AnswerT], DecodedT]
) -> tuple[list[DecodedT], list[Rejected]]:
    """Each answer decoded, and those that cannot be, with their reasons."""
    decoded: list[DecodedT] = []
    refused: list[Rejected] = []
    for subject, body in answers:
        try:
            decoded.append(decode(subject, body))
        except UndecodableAnswer as error:
            refused.append(replace(rejected(body, str(error)), subject=str(subject)))
    return decoded, refused


def keep_aside(database: Database, endpoint: str, refused: Iterable[Rejected]) -> None:
    """Keep refused answers in `rejected_payloads`; the subject is empty where it is not known."""
    with database.rows() as connection:
        keep_rejected(
            connection,
            (
                RejectedPayload(endpoint, answer.subject or "", answer.reason, answer.body)
                for answer in refused
            ),
        )


def raise_if_nobody_answered(answered: int, failures: Mapping[SubjectT, FleetApiError]) -> None:
    """Let the step fail when all that were asked failed.

    Raises:
        FleetApiError: the first failure, a transient one if there is any.
    """
    if answered or not failures:
        return
    raise min(failures.values(), key=lambda error: isinstance(error, TerminalApiError))


def retry_if_transient(failures: Iterable[FleetApiError], retry_number: int) -> None:
    """Ask Dagster to run the step again if that may help and tries are left.

    Raises:
        dg.RetryRequested: after a wait that doubles, or the longest that Tesla asked for.
    """
    transient = [error for error in failures if isinstance(error, TransientApiError)]
    if not transient or retry_number >= MAX_RETRIES:
        return
    asked_s = [error.retry_after_s for error in transient if error.retry_after_s is not None]
    wait_s = max(FIRST_WAIT_S * 2**retry_number, *asked_s, 0.0)
    if wait_s <= LONGEST_WAIT_S:
        raise dg.RetryRequested(MAX_RETRIES, wait_s)


def answered_check(
    name: str,
    failures: Mapping[SubjectT, object],
    asset: str | None = None,
    *,
    not_asked: int = 0,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN,
) -> dg.AssetCheckResult:
    """A check that fails if the data of any subject did not come, and names them."""
    shown = islice(failures.items(), REPORTED_FAILURES)
    metadata: dict[str, str | int] = {str(subject): str(reason) for subject, reason in shown}
    if len(failures) > REPORTED_FAILURES:
        metadata["others that failed"] = len(failures) - REPORTED_FAILURES
    if not_asked:
        metadata["not asked"] = not_asked
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset,
        passed=not failures and not not_asked,
        severity=severity,
        metadata=metadata,
    )
