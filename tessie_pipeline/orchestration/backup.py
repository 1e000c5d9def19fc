"""The daily backup: made, restored beside the database and compared, and only then called good."""

import dagster as dg

from tessie_pipeline.orchestration.jobs import logging_from
from tessie_pipeline.orchestration.resources import Clock
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.backup.files import BackupError
from tessie_pipeline.store.backup.making import back_up
from tessie_pipeline.store.database import Database

BACKUP = "backup"
BACKUP_CRON = "20 3 * * *"
"""In UTC: at an hour when nothing else is due but polls."""

MAX_RETRIES, WAIT_S = 2, 600


@dg.op(out=dg.Out(dg.Nothing))
def back_up_database(
    context: dg.OpExecutionContext,
    database: dg.ResourceParam[Database],
    clock: dg.ResourceParam[Clock],
) -> None:
    """Back up, prove it, and delete what is outdated.

    It fails when no good backup came of it, or when the archive lacks files.
    """
    settings = Settings.load()
    try:
        done = back_up(database, settings.backups, settings.archive, clock)
    except TimeoutError as error:
        raise dg.RetryRequested(MAX_RETRIES, WAIT_S) from error
    except BackupError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    metadata: dict[str, str | int | float | bool] = {
        "backup": str(done.backup.path),
        "bytes": done.manifest.dump_bytes,
        "tables": len(done.manifest.tables),
        "rows": done.manifest.rows,
        "archive_files": len(done.manifest.archive),
        "dump_s": round(done.dump_s, 1),
        "verify_s": round(done.verify_s or 0.0, 1),
        "verified": done.manifest.verified_at is not None,
        "deleted": ", ".join(done.deleted) or "none",
    }
    if done.archive_problems:
        raise dg.Failure(
            f"The backup {done.backup.name} is good, and the archive is not:\n"
            + "\n".join(done.archive_problems),
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


def backup_job(log_level: str) -> dg.JobDefinition:
    """The job `BACKUP`; its runs log to the console from `log_level` on."""

    @dg.job(
        name=BACKUP,
        executor_def=dg.in_process_executor,
        config=logging_from(log_level),
        description="A backup of the database, proved by restoring it.",
    )
    def backup_job() -> None:
        back_up_database()

    return backup_job


backup_schedule = dg.ScheduleDefinition(
    job_name=BACKUP,
    cron_schedule=BACKUP_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A backup every night.",
)
