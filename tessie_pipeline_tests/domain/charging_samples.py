"""Samples of a charging car, made for tests of what is detected in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from tessie_pipeline.domain.charging_readings import SAMPLE_COLUMNS
from tessie_pipeline.domain.samples import VEHICLE_STATES

EVENING = datetime(2026, 6, 1, 20, tzinfo=UTC)
SAMPLES = pl.Schema({name: VEHICLE_STATES[name] for name in SAMPLE_COLUMNS})

AC_11_KW = {"charger_voltage": 230.0, "charger_actual_current": 16.0, "charger_phases": 3}
"""3 x 230 V x 16 A = 11.04 kW."""


def at(minute: float) -> datetime:
    """So many minutes after 20:00."""
    return EVENING + timedelta(minutes=minute)


def sample(
    minute: float,
    state: str | None,
    counter: float | None,
    level: int | None = 50,
    **others: Any,
) -> dict[str, Any]:
    """A sample of a car on AC with 11.04 kW where it charges; its limit is 80 %."""
    is_charging = state == "Charging"
    return {
        "vehicle_id": "car",
        "timestamp": at(minute),
        "charging_state": state,
        "charge_energy_added": counter,
        "battery_level": level,
        "odometer": 1000.0,
        "charge_limit_soc": 80,
        "charger_power": 11.0 if is_charging else 0.0,
        **(AC_11_KW if is_charging else {}),
        **others,
    }


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    """Samples as a frame, nulls where they say nothing."""
    return pl.DataFrame([dict.fromkeys(SAMPLES) | row for row in rows], SAMPLES)


def charging(
    start: int, end: int, counter: float = 0.0, kw: float = 10.0, step: int = 5, **others: Any
) -> list[dict[str, Any]]:
    """Samples of steady charging, `kw` into the battery, from one minute up to another."""
    return [
        sample(minute, "Charging", round(counter + kw * (minute - start) / 60, 2), **others)
        for minute in range(start, end + 1, step)
    ]
