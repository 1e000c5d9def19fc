"""What a failed request or a refused answer does to a run: it never costs another its data.

Transient failures are tried again by Dagster; what only a person can mend stops at once, with the
sentence that says how; what cannot be decoded is kept in `rejected_payloads`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
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
FIRST_WAIT_S = 5.0

SubjectT = TypeVar("SubjectT")
AnswerT = TypeVar("AnswerT")
DecodedT = TypeVar("DecodedT")


@contextmanager
def failing_as_dagster_does(retry_number: int) -> Iterator[None]:
    """Turn errors of the Fleet API and the account into what Dagster acts on.

    Raises:
        dg.RetryRequested: the failure is transient.
        dg.Failure: only a person can mend it; Dagster does not try again.
    """
    try:
        yield
    except TransientApiError as error:
        raise _retry([error], retry_number) from error
    except (TerminalApiError, NoAccountError, SealError, SettingsError) as error:
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


def raise_if_nobody_answered(
    answers: Sequence[object], failures: Mapping[SubjectT, FleetApiError]
) -> None:
    """Let the step fail when all that were asked failed.

    Raises:
        FleetApiError: the first failure, a transient one if there is any.
    """
    if answers or not failures:
        return
    raise min(failures.values(), key=lambda error: isinstance(error, TerminalApiError))


def retry_if_transient(failures: Iterable[FleetApiError], retry_number: int) -> None:
    """Ask Dagster to run the step again if that may help and tries are left.

    Raises:
        dg.RetryRequested: after the wait that Tesla asked for, if it did.
    """
    transient = [error for error in failures if isinstance(error, TransientApiError)]
    if transient and retry_number < MAX_RETRIES:
        raise _retry(transient, retry_number)


def answered_check(name: str, failures: Mapping[SubjectT, object]) -> dg.AssetCheckResult:
    """A check that fails, as a warning, for each subject whose data did not come."""
    return dg.AssetCheckResult(
        check_name=name,
        passed=not failures,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={str(subject): str(reason) for subject, reason in failures.items()},
    )


def _retry(errors: Iterable[TransientApiError], retry_number: int) -> dg.RetryRequested:
    """A request to try again, after a wait that doubles or the longest that Tesla asked for."""
    asked_s = [error.retry_after_s for error in errors if error.retry_after_s is not None]
    wait_s = max(FIRST_WAIT_S * 2**retry_number, *asked_s, 0.0)
    return dg.RetryRequested(MAX_RETRIES, wait_s)
