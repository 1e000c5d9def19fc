"""What a vehicle's battery holds, from what charging added to it."""

import polars as pl

from tessie_pipeline.domain.drives_steps import in_order

LEAST_RISE_PCT = 10
"""State of charge comes in whole percent: over a smaller rise its rounding tells too much."""

_RESET_KWH = 0.5
"""`charge_energy_added` may step down slightly; a larger fall begins a new count."""


def usable_capacity(samples: pl.DataFrame) -> pl.DataFrame:
    """What 100 % of each vehicle's state of charge holds, as its charges show it.

    The median over stretches of charging, in which the state of charge rose by `LEAST_RISE_PCT`
    or more, of the rise of `charge_energy_added` over the rise of the state of charge.

    Args:
        samples: `vehicle_id`, `timestamp`, `charging_state`, `battery_level` and
            `charge_energy_added` [kWh], in any order, of any vehicles.

    Returns:
        `vehicle_id` and `usable_capacity_kwh`, null without such a stretch, ordered by vehicle.
    """
    level, counter = pl.col("battery_level"), pl.col("charge_energy_added")
    is_charging = (pl.col("charging_state") == "Charging").fill_null(False)
    is_new = (
        (pl.col("vehicle_id") != pl.col("vehicle_id").shift())
        | (is_charging != is_charging.shift())
        | (counter < counter.shift() - _RESET_KWH)
    )
    rise_pct, rise_kwh = level.last() - level.first(), counter.last() - counter.first()
    return (
        in_order(samples.select("vehicle_id", "timestamp", "charging_state", level, counter))
        .filter(level.is_not_null() & counter.is_not_null())
        .with_columns(stretch=is_new.fill_null(True).cum_sum(), is_charging=is_charging)
        .group_by("vehicle_id", "stretch", "is_charging")
        .agg(
            kwh_per_pct=pl.when(rise_pct >= LEAST_RISE_PCT).then(rise_kwh / rise_pct),
        )
        .group_by("vehicle_id")
        .agg(usable_capacity_kwh=100 * pl.col("kwh_per_pct").filter("is_charging").median())
        .sort("vehicle_id")
    )
