"""Runs of Dagster jobs in this process, recorded in the instance that the UI shows."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from tessie_pipeline.cli.environment import CliError
from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.jobs import logging_from
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
    dagster_instance: dg.DagsterInstance, name: str, days: tuple[date, date] | None = None
) -> None:
    """Run a job, for the dates from the first to the last of `days` if it has partitions.

    Raises:
        CliError: a step failed; the message holds its error.
    """
    tags = {}
    if days is not None:
        tags[ASSET_PARTITION_RANGE_START_TAG] = days[0].isoformat()
        tags[ASSET_PARTITION_RANGE_END_TAG] = days[1].isoformat()
    job = build_defs(Settings.load()).resolve_job_def(name)
    result = job.execute_in_process(
        run_config=logging_from("ERROR"),
        instance=dagster_instance,
        tags=tags,
        raise_on_error=False,
    )
    if not result.success:
        faults = [
            f"{event.step_key}: {event.step_failure_data.error}"
            for event in result.all_events
            if event.is_step_failure
        ]
        raise CliError(f"The run {result.run_id} of {name} failed:\n" + "\n".join(faults))
