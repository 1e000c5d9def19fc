"""The frames that charging detection gives: plug-ins, segments and pieces.

Times are UTC, energies kWh and >= 0, powers kW, states of charge %, distances miles. A time that
was only seen from both sides has three columns: `_after` (the last sample before it), `_by` (the
first one at or after it) and `_at` (the best estimate, within the two). Not here: how they come.
"""

import polars as pl

from tessie_pipeline.domain.samples import UTC_TIME

_BOUNDS = {
    f"{end}_{bound}": UTC_TIME for end in ("started", "ended") for bound in ("after", "by", "at")
}

CHARGING_SESSIONS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        **_BOUNDS,
        "duration_minutes": pl.Float64(),
        "start_battery_level": pl.Int16(),
        "end_battery_level": pl.Int16(),
        "energy_added_kwh": pl.Float64(),
        "energy_used_kwh": pl.Float64(),
        "energy_used_coverage_pct": pl.Float64(),
        "efficiency_pct": pl.Float64(),
        "idle_energy_used_kwh": pl.Float64(),
        "charge_rate_kw_avg": pl.Float64(),
        "charge_rate_kw_max": pl.Float64(),
        "phases": pl.Int16(),
        "is_dc": pl.Boolean(),
        "is_inferred": pl.Boolean(),
        "is_estimated": pl.Boolean(),
        "charge_limit_soc": pl.Int16(),
        "odometer": pl.Float64(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "outside_temp": pl.Float64(),
        "fast_charger_type": pl.String(),
        "fast_charger_brand": pl.String(),
        "conn_charge_cable": pl.String(),
        "segments": pl.Int64(),
        "samples": pl.Int64(),
        "status": pl.String(),
    }
)
"""One row per plug-in, cable in to cable out; (vehicle_id, started_at) is its key.

`energy_added_kwh` goes into the battery, `energy_used_kwh` comes from the wall in the part of the
charging time that `energy_used_coverage_pct` tells; `efficiency_pct` compares both there.
`idle_energy_used_kwh` is drawn while plugged in and not charging, as for preheating. `ended_by`
and `ended_at` are null while in progress, `started_after` where nothing was seen before.
`segments` and `samples` are counts. `is_inferred`: no sample was taken while plugged in.
`is_estimated`: energy comes from the state of charge, or would if the capacity were known.
"""

CHARGING_SEGMENTS = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        **_BOUNDS,
        "start_battery_level": pl.Int16(),
        "end_battery_level": pl.Int16(),
        "energy_added_kwh": pl.Float64(),
        "energy_used_kwh": pl.Float64(),
        "energy_used_coverage_pct": pl.Float64(),
        "charge_rate_kw_avg": pl.Float64(),
        "charge_rate_kw_max": pl.Float64(),
        "is_inferred": pl.Boolean(),
        "samples": pl.Int64(),
    }
)
"""One row per stretch of charging within a plug-in; `is_inferred`: no sample shows it charging."""

CHARGING_PIECES = pl.Schema(
    {
        "vehicle_id": pl.String(),
        "session_started_at": UTC_TIME,
        "start": UTC_TIME,
        "end": UTC_TIME,
        "energy_added_kwh": pl.Float64(),
        "energy_used_kwh": pl.Float64(),
        "energy_kwh": pl.Float64(),
        "basis": pl.String(),
    }
)
"""The energy of a plug-in over time, half-open and without overlaps.

`energy_kwh` is what was drawn: what a wall connector measured if it was seen all the time (`basis`
connector), else `energy_used_kwh` where the car measured it (wall), else `energy_added_kwh` divided
by the plug-in's efficiency where that is known (counter, or soc where the car counted nothing). The
sums of what the car told over a plug-in are its own energies.
"""
