"""Charging of cars: samples in, plug-ins, segments and pieces out.

A plug-in lasts from cable in to cable out, a segment is a stretch of charging within it. All is a
pure function of the samples: whatever their order, and whether some are there twice.
"""

from dataclasses import dataclass

import polars as pl

from tessie_pipeline.domain.charging_counter import LARGEST_KWH, STATIC_KWH, with_gains
from tessie_pipeline.domain.charging_frames import CHARGING_PIECES, CHARGING_SEGMENTS
from tessie_pipeline.domain.charging_pieces import timed_pieces
from tessie_pipeline.domain.charging_power import with_wall_power
from tessie_pipeline.domain.charging_readings import plug_readings
from tessie_pipeline.domain.charging_spans import spans, without_preheating
from tessie_pipeline.domain.charging_totals import segment_totals, session_totals

CAPACITIES = pl.Schema({"vehicle_id": pl.String(), "usable_kwh": pl.Float64()})
"""One row per vehicle: the energy of its battery from 0 to 100 %."""

PARTING_COLUMNS = ("charging_state", "charge_energy_added", "odometer")

LEAST_RISE_PCT = 20
"""A plug-in tells the capacity if the state of charge, a whole number, rose by at least this."""


@dataclass(frozen=True)
class Charging:
    """What was charged: `CHARGING_SESSIONS`, `CHARGING_SEGMENTS` and `CHARGING_PIECES`."""

    sessions: pl.DataFrame
    segments: pl.DataFrame
    pieces: pl.DataFrame


def detect(samples: pl.DataFrame, capacities: pl.DataFrame | None = None) -> Charging:
    """The plug-ins that samples show, by vehicle and time.

    Energy into the battery is what the car's counter shows. Where a plug-in has no counter, where
    the counter was stuck at its start, or where nobody saw the plug-in and only the state of
    charge tells of it, it is the rise times the capacity, and null without one.

    Args:
        samples: any of any number of vehicles, with the columns of
            `charging_readings.SAMPLE_COLUMNS` at least.
        capacities: `CAPACITIES`; vehicles may be missing.
    """
    known = CAPACITIES.to_frame() if capacities is None else capacities
    readings = without_preheating(with_gains(with_wall_power(plug_readings(samples)), known))
    stretches = spans(readings)
    pieces = timed_pieces(stretches)
    segments = segment_totals(pieces)
    sessions = session_totals(readings, stretches, pieces, segments)
    keys = sessions.select("plug_in", "efficiency_pct", session_started_at="started_at")
    return Charging(
        sessions.drop("plug_in"),
        segments.join(keys, on="plug_in")
        .sort("vehicle_id", "session_started_at", "started_at")
        .select(CHARGING_SEGMENTS.names()),
        _priced(pieces.join(keys, on="plug_in")),
    )


def parts_charging() -> pl.Expr:
    """Samples that no plug-in reaches across: without a cable, with a counter and an odometer.

    Detection needs to know nothing before one; whatever is charged after it is another plug-in. The
    counter is the one of the sample before, or it might be a glitch. Takes `PARTING_COLUMNS`.
    """
    counter = pl.col("charge_energy_added")
    before = counter.forward_fill().shift().over("vehicle_id", order_by="timestamp")
    is_unplugged = pl.col("charging_state") == "Disconnected"
    is_counted = (counter > 0) & (counter <= LARGEST_KWH) & ((counter - before).abs() <= STATIC_KWH)
    return is_unplugged & is_counted & pl.col("odometer").is_not_null()


def usable_capacities(sessions: pl.DataFrame) -> pl.DataFrame:
    """What plug-ins tell of the batteries, as `CAPACITIES`: the median of energy over rise.

    Args:
        sessions: `CHARGING_SESSIONS`; inferred, estimated and small ones are left out.
    """
    rise = pl.col("end_battery_level") - pl.col("start_battery_level")
    return (
        sessions.filter(~pl.any_horizontal("is_inferred", "is_estimated"))
        .filter(rise >= LEAST_RISE_PCT)
        .group_by("vehicle_id")
        .agg(usable_kwh=(100 * pl.col("energy_added_kwh") / rise).median())
        .drop_nulls()
        .sort("vehicle_id")
    )


def _priced(pieces: pl.DataFrame) -> pl.DataFrame:
    """Pieces of any length or energy as `CHARGING_PIECES`."""
    is_measured = pl.col("energy_used_kwh").is_not_null()
    drawn = pl.col("energy_added_kwh") / (pl.col("efficiency_pct") / 100)
    return (
        pieces.rename({"added_kwh": "energy_added_kwh", "used_kwh": "energy_used_kwh"})
        .filter((pl.col("start") < pl.col("end")) | (pl.col("energy_added_kwh") > 0))
        .with_columns(
            energy_kwh=pl.coalesce("energy_used_kwh", drawn, "energy_added_kwh"),
            basis=pl.when(is_measured)
            .then(pl.lit("wall"))
            .when("is_estimated")
            .then(pl.lit("soc"))
            .otherwise(pl.lit("counter")),
        )
        .sort("vehicle_id", "session_started_at", "start")
        .select(CHARGING_PIECES.names())
    )
