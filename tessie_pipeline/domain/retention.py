"""Which partitions of a time series are old enough to be kept in less detail.

Not here: what else needs their rows (`store/retention/policies.py`), and what becomes of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from tessie_pipeline.domain.ages import Age
from tessie_pipeline.domain.rollups import Series


class PolicyError(ValueError):
    """A policy contradicts itself; the sentence says what to change."""


@dataclass(frozen=True)
class Policy:
    """How long a time series is kept in which detail.

    Attributes:
        series: the time series.
        hourly_after: age from which samples are kept by the hour; None for never.
        daily_after: age from which hours are kept by the day; None for never.
        is_archived: whether samples go to the archive before they are dropped.
    """

    series: Series
    hourly_after: Age | None
    daily_after: Age | None
    is_archived: bool


@dataclass(frozen=True)
class Partition:
    """A partition of a table: its name, its first day and the day after its last one (UTC)."""

    name: str
    start: date
    end: date


def check(policy: Policy, today: date) -> None:
    """See that samples become hours before hours become days.

    Raises:
        PolicyError: they would not.
    """
    name, hourly, daily = policy.series.name, policy.hourly_after, policy.daily_after
    if daily is not None and (hourly is None or hourly.before(today) < daily.before(today)):
        raise PolicyError(
            f"{name} would be kept by the day from {daily} on, but by the hour only from "
            f"{hourly or 'never'} on: let the hours come first"
        )


def due(partitions: Iterable[Partition], age: Age | None, today: date) -> list[Partition]:
    """The partitions of which every row has that age on `today` (UTC), the oldest first."""
    if age is None:
        return []
    oldest_first = sorted(partitions, key=lambda partition: partition.start)
    return [partition for partition in oldest_first if partition.end <= age.before(today)]
