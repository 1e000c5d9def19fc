"""Which days of which sites a run computes: all of its dates, or those of them that changed.

A run that is tagged `ONLY_CHANGED` computes the days that are marked (`store.energy.dirty_days`),
any other all. Either takes off the marks of what it computed, in the transaction that writes it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import adbc_driver_postgresql.dbapi as adbc
import dagster as dg
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.orchestration.calendar import date_range, in_parts
from tessie_pipeline.orchestration.energy_checks import EnergyCheck, Findings, are_broken
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.dirty_days import mark_days, read_dirty, take_off
from tessie_pipeline.store.partitions import lock_writes
from tessie_pipeline.store.registries import read_zones

ONLY_CHANGED = {"tessie/days": "changed"}
"""Tags of a run that computes only days that are marked."""


class Computed(Protocol):
    """What came of computing days."""

    @property
    def findings(self) -> Findings:
        """What checks found."""


ComputedT = TypeVar("ComputedT", bound=Computed)


def compute_days(
    context: dg.AssetExecutionContext,
    database: Database,
    table: sa.Table,
    checks: Sequence[EnergyCheck],
    compute: Callable[[adbc.Connection, pl.DataFrame], ComputedT],
) -> list[ComputedT]:
    """Compute the run's days of a table, part by part; returns what `compute` gives of each.

    Days in which a check found an error stay marked, so that each run finds it until it is mended.

    Args:
        context: of an asset with a partition per date.
        database: where the days are.
        table: what is computed; it is a reader of marks.
        checks: of the asset.
        compute: computes and writes `DAY_WINDOWS` with `time_zone`, in the transaction it is
            given, while no other run writes to the table.
    """
    is_only_changed = ONLY_CHANGED.items() <= context.run.tags.items()
    with database.frames() as connection:
        sites = read_zones(connection).height
    computed: list[ComputedT] = []
    for start, end in in_parts(*date_range(context), sites=sites):
        with database.frames() as connection:
            # Before reading, so that of two runs none writes what was read before the other wrote.
            lock_writes(connection, table)
            zones = read_zones(connection)
            marks = read_dirty(connection, table, start, end)
            days = day_windows(zones, start, end).join(zones, on="site_id")
            if is_only_changed:
                days = days.join(marks, on=["site_id", "date"], how="semi")
            part = None if days.is_empty() else compute(connection, days)
            take_off(connection, table, marks)
            if part is not None:
                computed.append(part)
                if are_broken(checks, part.findings):
                    mark_days(connection, days, [table])
    return computed
