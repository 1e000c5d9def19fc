"""Assets, jobs, schedules and resources: the only package that imports dagster."""
