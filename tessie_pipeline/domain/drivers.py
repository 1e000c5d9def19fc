"""Who drove: rules by vehicle, place and local time; one of a vehicle alone is its default driver.

Not here: where a drive began and ended (`places`), and how rules are kept.
"""

from datetime import time
from typing import Any

import polars as pl

DRIVER_RULES = pl.Schema(
    {
        "driver_id": pl.String(),
        "vehicle_id": pl.String(),
        "start_place_id": pl.String(),
        "end_place_id": pl.String(),
        "weekdays": pl.Int16(),
        "start_time": pl.Time(),
        "end_time": pl.Time(),
        "priority": pl.Int16(),
    }
)
"""One row per rule: who drives if all that it asks for is so; what is null may be anything.

`weekdays` adds up 1 for Monday, 2 for Tuesday, 4 for Wednesday, to 64 for Sunday. A drive fits that
started at `start_time` <= local time < `end_time`, either of which is midnight where it is null.
Where the end is not after the start the time goes on past midnight, and is of the weekday on which
it began. The rule with the lowest `priority` counts, then the one that asks for more.
"""

_CONDITIONS = (
    pl.col("vehicle_id"),
    pl.col("start_place_id"),
    pl.col("end_place_id"),
    pl.col("weekdays"),
    pl.coalesce("start_time", "end_time"),
)


def driver_of(drives: pl.DataFrame, rules: pl.DataFrame, time_zone: str) -> pl.Series:
    """The `driver_id` of each drive, in the drives' order; null where nobody is known to drive.

    Args:
        drives: `vehicle_id`, `started_at` (UTC), `start_place_id` and `end_place_id`.
        rules: `DRIVER_RULES`.
        time_zone: IANA name of the zone in which the rules' times are.
    """
    asked = pl.sum_horizontal(condition.is_not_null() for condition in _CONDITIONS)
    ordered = rules.with_columns(asked=asked).sort(
        "priority", "asked", "driver_id", descending=[False, True, False]
    )
    local = pl.col("started_at").dt.convert_time_zone(time_zone)
    nobody = pl.lit(None, pl.String())
    return (
        drives.with_columns(weekday=local.dt.weekday(), clock=local.dt.time())
        .with_columns(
            driver_id=pl.coalesce(
                *(
                    pl.when(_fits(rule)).then(pl.lit(rule["driver_id"]))
                    for rule in ordered.to_dicts()
                ),
                nobody,
            )
        )
        .get_column("driver_id")
    )


def _fits(rule: dict[str, Any]) -> pl.Expr:
    """Whether a drive is as a rule asks."""
    asked = [
        pl.col(name) == rule[name]
        for name in ("vehicle_id", "start_place_id", "end_place_id")
        if rule[name] is not None
    ]
    weekday, clock = pl.col("weekday"), pl.col("clock")
    start, end = rule["start_time"] or time.min, rule["end_time"] or time.min
    if start < end:
        asked.append(clock.is_between(start, end, closed="left"))
    else:
        asked.append((clock >= start) | (clock < end))
        # What began on Sunday is still Sunday's on Monday morning: 1 becomes 7.
        weekday = pl.when(clock < end).then((weekday + 5) % 7 + 1).otherwise(weekday)
    if rule["weekdays"] is not None:
        days = [day for day in range(1, 8) if rule["weekdays"] & 1 << (day - 1)]
        asked.append(weekday.is_in(days))
    return pl.all_horizontal(asked)
