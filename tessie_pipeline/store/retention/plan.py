"""What is old enough to be dropped, and what of it has to wait.

Not here: dropping it (`retiring`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import adbc_driver_postgresql.dbapi as adbc

from tessie_pipeline.domain.retention import Partition, Policy, due
from tessie_pipeline.store.partitions import partition_sizes, partitions_of
from tessie_pipeline.store.retention.log import dropped_partitions
from tessie_pipeline.store.retention.policies import read_waits
from tessie_pipeline.store.tables.columns import metadata

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Step:
    """A partition that is old enough.

    Attributes:
        policy: of its time series.
        table: of the partition: samples, or hours.
        partition: which one.
        bytes: its size with its indexes.
        waits_for: why it has to wait; empty if it can go.
    """

    policy: Policy
    table: str
    partition: Partition
    bytes: int
    waits_for: Sequence[str] = ()

    @property
    def is_of_samples(self) -> bool:
        """Whether its rows are samples, which become hours; else hours, which become days."""
        return self.table == self.policy.series.name


def old_samples(connection: adbc.Connection, policy: Policy, today: date) -> list[Step]:
    """The days of samples that are old enough on `today` (UTC), or came late, the oldest first."""
    series = policy.series
    table = metadata.tables[series.name]
    there = partitions_of(connection, table)
    dropped = dropped_partitions(connection, series.name)
    late = [partition for partition in there if partition.start in dropped]
    old = [*due(there, policy.hourly_after, today), *late]
    wanted = {partition.start: partition for partition in old}
    waits = read_waits(connection, series, sorted(wanted))
    reasons = dict(waits.group_by("day").agg("reason").iter_rows())
    sizes = partition_sizes(connection, table)
    return [
        Step(policy, series.name, partition, sizes[partition.name], reasons.get(day, ()))
        for day, partition in sorted(wanted.items())
    ]


def old_hours(connection: adbc.Connection, policy: Policy, today: date) -> list[Step]:
    """The months of hours that are old enough on `today` (UTC), the oldest first.

    A month waits for its samples.
    """
    series = policy.series
    table = metadata.tables[series.hourly]
    days = [day.start for day in partitions_of(connection, metadata.tables[series.name])]
    sizes = partition_sizes(connection, table)
    return [
        Step(policy, series.hourly, month, sizes[month.name], _waits(month, days))
        for month in due(partitions_of(connection, table), policy.daily_after, today)
    ]


def _waits(month: Partition, days: Sequence[date]) -> list[str]:
    # The last sample of the day before reaches into the month.
    left = [day for day in days if month.start - DAY <= day < month.end]
    return [f"samples of {left[0]} are still there"] if left else []
