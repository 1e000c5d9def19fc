"""Rows as the tests of checks write them, and how they read what a check found."""

from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.findings import WORST, Finding
from tessie_pipeline.domain.interval_sources import CALENDAR_HISTORY_POWER
from tessie_pipeline_tests.domain.battery_rows import Row, intervals

SPLIT = {
    "energy_kwh": 10.0,
    "from_solar_kwh": 4.0,
    "from_battery_solar_kwh": 1.0,
    "from_grid_kwh": 3.0,
    "unattributed_kwh": 2.0,
    "solar_kwh": 5.0,
}
"""An energy that is the sum of its origins and of what is unattributed."""


def of_source(source: str, *rows: Row) -> pl.DataFrame:
    """`ENERGY_INTERVALS` of that source."""
    return intervals(*rows).with_columns(source=pl.lit(source))


def ours(*rows: Row) -> pl.DataFrame:
    """`ENERGY_INTERVALS` that we split."""
    return of_source(CALENDAR_HISTORY_POWER, *rows)


def worst(finding: Finding) -> dict[str, Any]:
    """What is at the head of a finding."""
    assert finding.worst.schema == WORST
    return finding.worst.row(0, named=True)


def found(finding: Finding) -> tuple[int, int, str, float, float]:
    """How many were checked, how many are odd, and what, how much and how much allowed."""
    head = worst(finding)
    return finding.checked, finding.odd, head["what"], head["found"], head["allowed"]


def about(value: float) -> Any:
    return pytest.approx(value, abs=1e-3)
