"""Declared schemas of the frames that the pipeline passes around.

Each schema maps column names to Polars types; units, signs and sources stand in the comments on
the database columns of the same names (`store/tables`). Here: names and types of frames. Not
here: how frames are computed, read or written.
"""

import polars as pl

UTC_TIME = pl.Datetime("us", "UTC")

VEHICLE_STATES = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "timestamp": UTC_TIME,
        "is_stale": pl.Boolean(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "gps_timestamp": UTC_TIME,
        "heading": pl.Int16(),
        "speed": pl.Float64(),
        "power": pl.Float64(),
        "shift_state": pl.String(),
        "odometer": pl.Float64(),
        "battery_level": pl.Int16(),
        "usable_battery_level": pl.Int16(),
        "battery_range": pl.Float64(),
        "ideal_battery_range": pl.Float64(),
        "est_battery_range": pl.Float64(),
        "charging_state": pl.String(),
        "charge_rate": pl.Float64(),
        "charger_power": pl.Float64(),
        "charger_voltage": pl.Float64(),
        "charger_actual_current": pl.Float64(),
        "charger_phases": pl.Int16(),
        "charge_energy_added": pl.Float64(),
        "charge_limit_soc": pl.Int16(),
        "fast_charger_present": pl.Boolean(),
        "fast_charger_type": pl.String(),
        "fast_charger_brand": pl.String(),
        "conn_charge_cable": pl.String(),
        "destination_name": pl.String(),
        "destination_latitude": pl.Float64(),
        "destination_longitude": pl.Float64(),
        "destination_eta": UTC_TIME,
        "destination_distance": pl.Float64(),
        "inside_temp": pl.Float64(),
        "outside_temp": pl.Float64(),
        "is_locked": pl.Boolean(),
        "sentry_mode": pl.Boolean(),
        "firmware": pl.String(),
        "tpms_pressure_fl": pl.Float64(),
        "tpms_pressure_fr": pl.Float64(),
        "tpms_pressure_rl": pl.Float64(),
        "tpms_pressure_rr": pl.Float64(),
        "raw_data": pl.String(),
    }
)
"""One row per vehicle and instant of a `vehicle_data` answer; `raw_data` is its JSON text."""

ENERGY_STATES = pl.Schema(
    {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        "is_stale": pl.Boolean(),
        "solar_power_w": pl.Float64(),
        "battery_power_w": pl.Float64(),
        "grid_power_w": pl.Float64(),
        "load_power_w": pl.Float64(),
        "generator_power_w": pl.Float64(),
        "battery_percentage": pl.Float64(),
        "energy_left_wh": pl.Float64(),
        "total_pack_energy_wh": pl.Float64(),
        "grid_status": pl.String(),
        "island_status": pl.String(),
        "raw_data": pl.String(),
    }
)
"""One row per site and instant of a `live_status` answer; `raw_data` is its JSON text."""

FLOWS_WH = (
    "solar_to_home_wh",
    "solar_to_battery_wh",
    "solar_to_grid_wh",
    "battery_to_home_wh",
    "battery_to_grid_wh",
    "grid_to_home_wh",
    "grid_to_battery_wh",
    "generator_to_home_wh",
    "generator_to_battery_wh",
    "generator_to_grid_wh",
)
"""Where each watt-hour came from and went to; all >= 0."""

TOTALS_WH = (
    "solar_wh",
    "generator_wh",
    "battery_discharged_wh",
    "battery_charged_wh",
    "grid_imported_wh",
    "grid_exported_wh",
    "home_wh",
)
"""What each part of a site produced, took in, gave out or used; all >= 0."""

ENERGY_INTERVALS = pl.Schema(
    {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        **{name: pl.Float64() for name in (*TOTALS_WH, *FLOWS_WH)},
        "residual_wh": pl.Float64(),
        "soc_pct": pl.Float64(),
        "source": pl.String(),
        "coverage": pl.Float64(),
    }
)
"""One row per site and five minutes, stamped with the interval's start.

`residual_wh` is what the totals put in beyond what they took out; < 0 where more was taken out.
"""

KWH_OF = {
    "solar_produced_kwh": "solar_wh",
    "solar_to_home_kwh": "solar_to_home_wh",
    "solar_to_battery_kwh": "solar_to_battery_wh",
    "solar_to_grid_kwh": "solar_to_grid_wh",
    "battery_charged_kwh": "battery_charged_wh",
    "battery_discharged_kwh": "battery_discharged_wh",
    "battery_to_home_kwh": "battery_to_home_wh",
    "battery_to_grid_kwh": "battery_to_grid_wh",
    "grid_imported_kwh": "grid_imported_wh",
    "grid_exported_kwh": "grid_exported_wh",
    "grid_to_home_kwh": "grid_to_home_wh",
    "grid_to_battery_kwh": "grid_to_battery_wh",
    "generator_produced_kwh": "generator_wh",
    "generator_to_home_kwh": "generator_to_home_wh",
    "generator_to_battery_kwh": "generator_to_battery_wh",
    "generator_to_grid_kwh": "generator_to_grid_wh",
    "home_consumed_kwh": "home_wh",
}
"""The energies of hours and days, and which of an interval's each is the sum of."""

ENERGY_HOURLY = pl.Schema(
    {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        **{name: pl.Float64() for name in KWH_OF},
        "soc_pct": pl.Float64(),
        "coverage_pct": pl.Float64(),
        "source": pl.String(),
    }
)
"""One row per site and hour of its local clock, stamped with the hour's start (UTC)."""

ENERGY_DAILY = pl.Schema(
    {
        "site_id": pl.String(),
        "date": pl.Date(),
        **{name: pl.Float64() for name in KWH_OF},
        "self_consumption_pct": pl.Float64(),
        "solar_offset_pct": pl.Float64(),
        "coverage_pct": pl.Float64(),
        "source": pl.String(),
    }
)
"""One row per site and local calendar day."""
