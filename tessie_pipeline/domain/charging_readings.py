"""Samples of cars as readings in order, each within a plug-in or between two of them.

Here: which samples say whether a cable is in, where one plug-in ends and the next one begins.
Not here: what was charged.
"""

import polars as pl

PLUGGED_IN = ("Starting", "Charging", "Stopped", "Complete", "NoPower")
"""`charging_state` with a cable in the car; any other word but Disconnected says nothing."""

DRIVING = ("D", "R", "N")
"""A car cannot leave park with a cable in: a gear beside one is older than it."""

MOVED_MILES = 0.2
"""More than the odometer of a parked car can differ by; a shorter way to another plug is rare."""

SAMPLE_COLUMNS = (
    "vehicle_id",
    "timestamp",
    "shift_state",
    "odometer",
    "charging_state",
    "battery_level",
    "charge_energy_added",
    "charge_limit_soc",
    "charger_power",
    "charger_voltage",
    "charger_actual_current",
    "charger_phases",
    "fast_charger_present",
    "fast_charger_type",
    "fast_charger_brand",
    "conn_charge_cable",
    "latitude",
    "longitude",
    "outside_temp",
)
"""What detection reads of `VEHICLE_STATES`."""


def plug_readings(samples: pl.DataFrame) -> pl.DataFrame:
    """The samples that say whether a cable is in, by vehicle and time, each once.

    Beside the samples' own columns: `row` (their number), `is_plugged`, `is_charging` (by the
    car's word), `is_first` of its vehicle, `is_driven` (the car was driven since the reading
    before), `plug_in` (a number: that of the plug-in, and of the time after it until the next),
    `opens` (the first reading of a plug-in) and `closes` (the first one after it, of whichever
    number). A plug-in ends where no cable is seen, or where the car was driven in between.

    Args:
        samples: at least `SAMPLE_COLUMNS` of `VEHICLE_STATES`, in any order.
    """
    state = pl.col("charging_state")
    has_cable = state.is_in(PLUGGED_IN).fill_null(False)
    is_driving = ~has_cable & pl.col("shift_state").is_in(DRIVING).fill_null(False)
    was = {name: pl.col(name).shift().over("vehicle_id") for name in ("is_plugged", "is_driving")}
    way = pl.col("odometer") - pl.col("odometer").shift().over("vehicle_id")
    is_driven = (way > MOVED_MILES).fill_null(False) | was["is_driving"] | pl.col("is_driving")
    return (
        samples.select(SAMPLE_COLUMNS)
        .sort("vehicle_id", "timestamp")
        .unique(["vehicle_id", "timestamp"], keep="first", maintain_order=True)
        .with_columns(
            pl.col("odometer").forward_fill().over("vehicle_id"),
            is_driving=is_driving,
            is_plugged=pl.when(has_cable)
            .then(True)
            .when(is_driving | (state == "Disconnected"))
            .then(False),
        )
        .filter(pl.col("is_plugged").is_not_null())
        .with_row_index("row")
        .with_columns(
            pl.col("row").cast(pl.Int64),
            is_charging=pl.col("is_plugged") & (state == "Charging").fill_null(False),
            is_first=pl.col("vehicle_id").ne_missing(pl.col("vehicle_id").shift()),
            was_plugged=was["is_plugged"].fill_null(False),
            is_driven=is_driven.fill_null(False),
        )
        .with_columns(
            opens=pl.col("is_plugged") & (~pl.col("was_plugged") | pl.col("is_driven")),
            closes=pl.col("was_plugged") & (~pl.col("is_plugged") | pl.col("is_driven")),
        )
        .with_columns(plug_in=(pl.col("opens") | pl.col("is_first")).cum_sum().cast(pl.Int64))
    )
