"""When a sensor that has found something to do lets it wait."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from tessie_pipeline.orchestration.jobs import RUNNING

LONGEST_RUN = timedelta(hours=2)
"""A run that has not ended by then never will: its process died."""

AGAIN_AFTER = timedelta(minutes=10)
"""How long a job that failed is left alone."""


def reason_to_wait(instance: dg.DagsterInstance, *job_names: str) -> str | None:
    """Why a job is not to be asked for now: it or another runs or failed a moment ago, else None.

    Args:
        instance: where runs are.
        job_names: the job's name, and those of others that do the same work.
    """
    return next(filter(None, (_reason(instance, name) for name in job_names)), None)


def _reason(instance: dg.DagsterInstance, job_name: str) -> str | None:
    now = datetime.now(UTC)
    running = dg.RunsFilter(
        job_name=job_name,
        statuses=[dg.DagsterRunStatus.QUEUED, *RUNNING],
        created_after=now - LONGEST_RUN,
    )
    if instance.get_runs_count(running):
        return "What is new is being derived."
    last = instance.get_runs(dg.RunsFilter(job_name=job_name), limit=1)
    failed = dg.RunsFilter(
        job_name=job_name,
        statuses=[dg.DagsterRunStatus.FAILURE],
        updated_after=now - AGAIN_AFTER,
    )
    if last and last[0].is_failure and instance.get_runs_count(failed):
        return "It failed a moment ago."
    return None
