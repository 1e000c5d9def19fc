"""Detection in samples of simulated cars against what the simulator knows to be true."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.charging import Charging, detect
from tessie_pipeline.simulator.awake import is_naturally_awake
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.truth import charges_truth
from tessie_pipeline.simulator.vehicle_answers import vehicle_data
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data
from tessie_pipeline_tests.domain.charging_samples import SAMPLES

START = datetime(2025, 1, 6, 12, tzinfo=UTC)
END = START + timedelta(days=14)

ENDPOINTS = frozenset(
    {"charge_state", "climate_state", "drive_state", "vehicle_state", "location_data"}
)
FLEET = Fleet(seed=1, sites=2, vehicles=3)
CARS = FLEET.cars[1:]
"""One charges on three phases, the other at night, on one, and at Superchargers."""

TOLERANCES = {1: 0.01, 5: 0.03}
"""Of energy, by minutes between samples."""


@cache
def samples() -> pl.DataFrame:
    """All cars every minute in which they are awake by themselves."""
    rows = [
        {
            "vehicle_id": car.vin,
            **decode_vehicle_data(vehicle_data(FLEET, car, at_s, ENDPOINTS, True)).row,
        }
        for car in CARS
        for at_s in range(int(START.timestamp()) + 7 * car.index, int(END.timestamp()), 60)
        if is_naturally_awake(car, at_s)
    ]
    return pl.DataFrame([{name: row[name] for name in SAMPLES} for row in rows], SAMPLES)


@cache
def detected(minutes: int) -> Charging:
    every = samples().gather_every(minutes) if minutes > 1 else samples()
    return detect(every)


def pairs(minutes: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What is true and what was found of each plug-in that was seen from in to out."""
    found = detected(minutes).sessions.filter(
        pl.col("started_after").is_not_null() & pl.col("ended_by").is_not_null()
    )
    true = [
        charge
        for car in CARS
        for charge in charges_truth(car, START, END)
        if moment(charge["unplugged"]) < END - timedelta(minutes=5)
    ]
    true.sort(key=lambda charge: (charge["vin"], charge["plugged"]))
    assert any(charge["is_supercharger"] for charge in true)
    assert len(true) == found.height > 15
    return list(zip(true, found.iter_rows(named=True), strict=True))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("minutes", TOLERANCES)
def test_every_plug_in_is_found_once_within_one_interval(minutes: int) -> None:
    interval = timedelta(minutes=minutes)
    for true, found in pairs(minutes):
        assert found["vehicle_id"] == true["vin"]
        assert abs(found["started_at"] - moment(true["plugged"])) <= interval
        assert abs(found["ended_at"] - moment(true["unplugged"])) <= interval
        assert found["segments"] == len(true["segments"])
        assert found["is_dc"] == true["is_supercharger"] or not true["segments"]


@pytest.mark.parametrize(("minutes", "tolerance"), TOLERANCES.items())
def test_energy_is_that_of_the_car(minutes: int, tolerance: float) -> None:
    for true, found in pairs(minutes):
        assert found["energy_added_kwh"] == pytest.approx(
            true["added_wh"] / 1000, rel=tolerance, abs=0.02
        )


@pytest.mark.parametrize("minutes", TOLERANCES)
def test_energy_from_the_wall_is_within_a_kilowatts_rounding(minutes: int) -> None:
    """On DC a car tells power in whole kW, and the simulator's falls in steps of a minute."""
    for true, found in pairs(minutes):
        tolerance = 0.03 if true["is_supercharger"] else TOLERANCES[minutes]
        assert found["energy_used_kwh"] == pytest.approx(
            true["used_wh"] / 1000, rel=tolerance, abs=0.03
        )


@pytest.mark.parametrize("minutes", TOLERANCES)
def test_segments_are_timed_better_than_they_were_sampled(minutes: int) -> None:
    segments = detected(minutes).segments
    errors_s = []
    for true, found in pairs(minutes):
        own = segments.filter(
            (pl.col("vehicle_id") == true["vin"])
            & (pl.col("session_started_at") == found["started_at"])
        )
        for expected, segment in zip(true["segments"], own.iter_rows(named=True), strict=True):
            errors_s += [
                abs((segment["started_at"] - moment(expected["start"])).total_seconds()),
                abs((segment["ended_at"] - moment(expected["end"])).total_seconds()),
            ]
    assert max(errors_s) <= 60 * minutes
    assert sum(errors_s) / len(errors_s) <= 60 * minutes / 4
