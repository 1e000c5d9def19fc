"""A process that runs `energy_days` for some dates with the environment's settings, to be killed.

Usage: python -m tessie_pipeline_tests.orchestration.energy_days_process FIRST LAST
"""

import sys

import dagster as dg

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.jobs import logging_from
from tessie_pipeline.settings import Settings


def main(first: str, last: str) -> None:
    """Run the job in this process."""
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    job = build_defs(Settings.load()).resolve_job_def("energy_days")
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(run_config=logging_from("ERROR"), instance=instance, tags=tags)


if __name__ == "__main__":
    main(*sys.argv[1:])
