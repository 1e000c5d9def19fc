"""The job that deletes old runs of Dagster, their events and their logs.

Ticks are deleted by Dagster itself, as `dagster.yaml` says, but for those of schedules and sensors
that no longer exist.
"""

import shutil
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg

from tessie_pipeline.orchestration.jobs import logging_from
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.store.dagster_storage import (
    RUNLESS,
    Deleted,
    dagster_bytes,
    delete_run_rows,
    delete_ticks,
    free_deleted,
    old_runs,
)
from tessie_pipeline.store.database import Database

PURGE_DAGSTER_ROWS = "purge_dagster_rows"

PURGE_CRON = "10 4 * * *"
"""In UTC."""

SUCCEEDED_KEPT = timedelta(days=7)
"""As long as ticks: a day of both is some 40 MB."""

OTHERS_KEPT = timedelta(days=30)
"""Of runs that failed or were cancelled, for whoever looks into it after a holiday."""


def purge(database: Database, directory: Path, now: datetime) -> dict[str, int]:
    """Delete what is older than it is kept; returns how many of what, and bytes before and after.

    Each batch of runs is a transaction, and nothing is left half done by a process that dies.

    Args:
        database: that Dagster's schema is in.
        directory: of Dagster's files, with a directory for each run.
        now: the present.

    Raises:
        TimeoutError: others held a lock for too long; only the space of indexes is not free then.
    """
    succeeded_before, others_before = now - SUCCEEDED_KEPT, now - OTHERS_KEPT
    with database.rows() as connection:
        bytes_before = dagster_bytes(connection)
        deleted = [delete_run_rows(connection, [RUNLESS], others_before)]
        ticks = delete_ticks(connection, others_before)
    files, last = 0, 0
    while True:
        with database.rows() as connection:
            batch = old_runs(connection, succeeded_before, others_before, after=last)
            if not batch:
                break
            # Files first: of a run whose rows are gone nobody would know that it had any.
            run_ids = [run.run_id for run in batch]
            files += sum(_delete_files(directory, run_id) for run_id in run_ids)
            deleted.append(delete_run_rows(connection, run_ids, succeeded_before))
            last = batch[-1].number
    free_deleted(database)
    with database.rows() as connection:
        bytes_after = dagster_bytes(connection)
    return {
        **asdict(_sum(deleted)),
        "ticks": ticks,
        "files": files,
        "bytes_before": bytes_before,
        "bytes_after": bytes_after,
    }


def _delete_files(directory: Path, run_id: str) -> int:
    """Delete the logs of a run and what its steps stored; returns how many files."""
    files = 0
    for own in (directory / run_id, directory / "storage" / run_id):
        if own.is_dir():
            files += sum(path.is_file() for path in own.rglob("*"))
            shutil.rmtree(own)
    return files


def _sum(deleted: list[Deleted]) -> Deleted:
    return Deleted(
        runs=sum(one.runs for one in deleted),
        events=sum(one.events for one in deleted),
        checks=sum(one.checks for one in deleted),
    )


@dg.op(out=dg.Out(dg.Nothing), pool=PURGE_DAGSTER_ROWS)
def delete_old_rows(
    context: dg.OpExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
) -> None:
    """Delete what is older than it is kept, but what is the newest of an asset or a check."""
    figures = purge(database, Path(context.instance.root_directory), clock())
    context.add_output_metadata(figures)


def purge_dagster_rows_job(log_level: str) -> dg.JobDefinition:
    """The job `PURGE_DAGSTER_ROWS`; its runs log to the console from `log_level` on."""

    @dg.job(
        name=PURGE_DAGSTER_ROWS,
        executor_def=dg.in_process_executor,
        config=logging_from(log_level),
        description="Deletes old runs, their events and logs; what is newest of an asset stays.",
    )
    def purge_dagster_rows_job() -> None:
        delete_old_rows()

    return purge_dagster_rows_job


purge_dagster_rows_schedule = dg.ScheduleDefinition(
    job_name=PURGE_DAGSTER_ROWS,
    cron_schedule=PURGE_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Old rows of Dagster's own, once a day.",
)
