"""Power from the wall as a car measures it [kW]: phases x volts x amps, or DC.

Phases are corrected as `fleet_api.md` section 8 and `anchors.md` section 2.1 describe: cars on
three phases may report 2 or none, or the voltage between two phases.
"""

import math

import polars as pl

NO_AC_W = 100.0
"""On DC a car reports about 2 V and 0 A; the least AC is 5 A, some 500 W."""

INTEGER_TOLERANCE = 0.3
"""How far power over volts x amps may be from a number of phases; TeslaMate's figure."""

LINE_TO_LINE_TOLERANCE = 0.1
"""Likewise, relative to the square root of 3; TeslaMate's figure."""


def with_wall_power(readings: pl.DataFrame) -> pl.DataFrame:
    """The readings with `is_dc`, `phases` (AC) and `wall_kw`, null where they are not known.

    The number of phases is what `charger_power`, which is rounded to a kW and so averaged over
    the plug-in's readings of equal `charger_phases`, says of volts x amps; failing that, what the
    car reports, with 2 meaning 3. Without either, power is `charger_power` itself.

    Args:
        readings: `plug_in`, `is_plugged` and the charger's fields of `VEHICLE_STATES`.
    """
    power_w = pl.col("charger_power").cast(pl.Float64) * 1000
    one_phase_w = pl.col("charger_voltage").cast(pl.Float64) * pl.col(
        "charger_actual_current"
    ).cast(pl.Float64)
    is_dc = pl.col("fast_charger_present").fill_null(False) | (
        (one_phase_w < NO_AC_W) & (power_w >= 1000)
    ).fill_null(False)
    is_ac = pl.col("is_plugged") & ~pl.col("is_dc") & (pl.col("one_phase_w") >= NO_AC_W)
    alike = ["plug_in", "charger_phases"]
    both = is_ac & power_w.is_not_null()
    ratio = pl.when(both).then(power_w).sum().over(alike) / pl.when(both).then(
        "one_phase_w"
    ).sum().over(alike)
    whole = ratio.round()
    reported = pl.col("charger_phases").cast(pl.Float64).replace(2.0, 3.0)
    is_line_to_line = (reported >= 2) & ((ratio / math.sqrt(3) - 1).abs() <= LINE_TO_LINE_TOLERANCE)
    is_whole = whole.is_between(1, 3) & ((ratio - whole).abs() <= INTEGER_TOLERANCE)
    factor = (
        pl.when(is_line_to_line.fill_null(False))
        .then(math.sqrt(3))
        .when(is_whole.fill_null(False))
        .then(whole)
        .when(reported > 0)
        .then(reported)
    )
    return (
        readings.with_columns(is_dc=is_dc & pl.col("is_plugged"), one_phase_w=one_phase_w)
        .with_columns(factor=pl.when(is_ac.fill_null(False)).then(factor))
        .with_columns(
            phases=pl.col("factor").replace(math.sqrt(3), 3.0).cast(pl.Int16),
            wall_kw=pl.when("is_plugged").then(
                pl.coalesce(pl.col("factor") * pl.col("one_phase_w"), power_w) / 1000
            ),
        )
        .drop("one_phase_w", "factor")
    )
