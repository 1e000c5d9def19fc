"""Dagster definitions: assets, jobs, schedules and resources. The only package that imports dagster."""
