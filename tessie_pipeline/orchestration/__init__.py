"""Dagster: assets, jobs, schedules and resources. The only package that imports it."""

import warnings

import dagster as dg

# Backfill policies are in beta; that a range of dates is one run depends on them.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
