"""Runs of Dagster jobs in this process, recorded in the instance that the UI shows."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from datetime import date

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from tessie_pipeline.cli.environment import CliError
from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.jobs import RUNNING, logging_from
from tessie_pipeline.settings import Settings


@contextmanager
def instance(variables: Mapping[str, str]) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance under `variables`, which are this process's environment for the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        with dg.DagsterInstance.get() as dagster_instance:
            yield dagster_instance
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_job(
    dagster_instance: dg.DagsterInstance,
    name: str,
    days: tuple[date, date] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Run a job, for the dates from the first to the last of `days` if it has partitions.

    The run has a thread of its own: Dagster swallows what a signal raises in the midst of a step,
    and this thread has to leave on Ctrl-C and SIGTERM.

    Args:
        dagster_instance: where the run is recorded.
        name: the job's.
        days: the first and the last date.
        meanwhile: called a few times a second.

    Raises:
        CliError: a step failed; the message holds its error.
    """
    tags = {}
    if days is not None:
        tags[ASSET_PARTITION_RANGE_START_TAG] = days[0].isoformat()
        tags[ASSET_PARTITION_RANGE_END_TAG] = days[1].isoformat()
    job = build_defs(Settings.load()).resolve_job_def(name)
    outcome: Future[dg.ExecuteInProcessResult] = Future()

    def execute() -> None:
        try:
            outcome.set_result(
                job.execute_in_process(
                    run_config=logging_from("ERROR"),
                    instance=dagster_instance,
                    tags=tags,
                    raise_on_error=False,
                )
            )
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=execute, name=name, daemon=True).start()
    while not wait([outcome], timeout=0.2).done:
        meanwhile()
    _check(outcome.result(), name)


def fail_interrupted_runs(dagster_instance: dg.DagsterInstance) -> int:
    """Mark runs as failed whose processes ended with the last `tessie up`; returns how many.

    Dagster itself would take them for running, and what they hold for held.
    """
    interrupted = dagster_instance.get_runs(dg.RunsFilter(statuses=RUNNING))
    for run in interrupted:
        dagster_instance.report_run_failed(run, "The process of this run was stopped.")
    return len(interrupted)


def _check(result: dg.ExecuteInProcessResult, name: str) -> None:
    if result.success:
        return
    faults = [
        f"{event.step_key}: {event.step_failure_data.error}"
        for event in result.all_events
        if event.is_step_failure
    ]
    raise CliError(f"The run {result.run_id} of {name} failed:\n" + "\n".join(faults))
