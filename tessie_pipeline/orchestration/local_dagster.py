"""Dagster's instance as the command line uses it: runs in this process, and what became of runs."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import dagster as dg

from tessie_pipeline.orchestration.calendar import range_tags
from tessie_pipeline.orchestration.jobs import LIVE_POLL, RUNNING, logging_from


class RunFailedError(Exception):
    """A run failed; the message holds the errors of its steps."""


@dataclass(frozen=True)
class LastPoll:
    """When the newest poll began, and how it ended or that it runs, in Dagster's word."""

    began_at: datetime
    status: str


@dataclass(frozen=True)
class LocalDagster:
    """The instance that the UI shows, too."""

    instance: dg.DagsterInstance

    def run(
        self,
        definitions: dg.Definitions,
        job_name: str,
        days: tuple[date, date] | None = None,
        meanwhile: Callable[[], object] = lambda: None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Run a job, for the dates from the first to the last of `days` if it has partitions.

        The run has a thread of its own: Dagster swallows what a signal raises in the midst of a
        step, and this thread has to leave on Ctrl-C and SIGTERM.

        Args:
            definitions: that the job is one of.
            job_name: the job's name.
            days: the first and the last date.
            meanwhile: called a few times a second.
            tags: of the run, besides.

        Raises:
            RunFailedError: a step failed.
        """
        all_tags = dict(tags or {}) | ({} if days is None else range_tags(*days))
        job = definitions.resolve_job_def(job_name)
        outcome: Future[dg.ExecuteInProcessResult] = Future()

        def execute() -> None:
            try:
                outcome.set_result(
                    job.execute_in_process(
                        run_config=logging_from("ERROR"),
                        instance=self.instance,
                        tags=all_tags,
                        raise_on_error=False,
                    )
                )
            except BaseException as error:
                outcome.set_exception(error)

        threading.Thread(target=execute, name=job_name, daemon=True).start()
        while not wait([outcome], timeout=0.2).done:
            meanwhile()
        _check(outcome.result(), job_name)

    def fail_interrupted_runs(self) -> int:
        """Mark the runs as failed whose processes have ended; returns how many.

        To be called while nothing runs. Dagster itself would take them for running, and the slots
        that they hold in its pools for taken.
        """
        interrupted = self.instance.get_runs(dg.RunsFilter(statuses=RUNNING))
        for run in interrupted:
            self.instance.report_run_failed(run, "The process of this run was stopped.")
            self.instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        return len(interrupted)

    def last_poll(self) -> LastPoll | None:
        """The newest poll; None if there was none."""
        polls = self.instance.get_run_records(dg.RunsFilter(job_name=LIVE_POLL), limit=1)
        if not polls:
            return None
        return LastPoll(polls[0].create_timestamp, polls[0].dagster_run.status.value.lower())

    def days_computed_at(self) -> datetime | None:
        """When days were last computed; None if none were."""
        event = self.instance.get_latest_materialization_event(dg.AssetKey("energy_daily"))
        return None if event is None else datetime.fromtimestamp(event.timestamp, UTC)


@contextmanager
def local_dagster(variables: Mapping[str, str]) -> Iterator[LocalDagster]:
    """The instance under `variables`, which are this process's environment for the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        with dg.DagsterInstance.get() as instance:
            yield LocalDagster(instance)
    finally:
        os.environ.clear()
        os.environ.update(before)


def _check(result: dg.ExecuteInProcessResult, job_name: str) -> None:
    if result.success:
        return
    faults = [
        f"{event.step_key}: {event.step_failure_data.error}"
        for event in result.all_events
        if event.is_step_failure
    ]
    raise RunFailedError(f"The run {result.run_id} of {job_name} failed:\n" + "\n".join(faults))
