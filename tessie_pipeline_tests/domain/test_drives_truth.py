"""The drives found in samples of simulated cars, against the trips that they made."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from tessie_pipeline.domain.drives import drives, unseen_distance
from tessie_pipeline.simulator.awake import is_naturally_awake
from tessie_pipeline.simulator.charging import trip_energy_wh
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.motion import car_state, odometer_mi
from tessie_pipeline.simulator.trips import Car, Trip, week_start_s, week_trips
from tessie_pipeline_tests.domain.test_drives import SAMPLES, Row

# In the first week a car makes a trip that no sample at five minutes sees.
MONDAY = date(2026, 1, 12)
WEEKS = 3


def sample(car: Car, at_s: float) -> Row:
    """What a car's answer says at an instant, rounded as Tesla rounds."""
    now = car_state(car, at_s)
    is_driven = now.trip is not None
    return {
        "vehicle_id": car.vin,
        "timestamp": datetime.fromtimestamp(at_s, UTC),
        "shift_state": "D" if is_driven else None,
        "speed": float(round(now.speed_mph)),
        "power": float(round(now.power_w / 1000)),
        "odometer": round(odometer_mi(car, at_s), 6),
        "battery_level": round(now.soc_pct),
        "charging_state": now.charging_state,
        "latitude": round(now.latitude_deg, 6),
        "longitude": round(now.longitude_deg, 6),
        "outside_temp": 10.0,
    }


def trips(car: Car) -> list[Trip]:
    weeks = (MONDAY + timedelta(weeks=number) for number in range(WEEKS))
    return [trip for monday in weeks for trip in week_trips(car, monday)]


@pytest.mark.parametrize("only_awake", [False, True], ids=["always", "only awake"])
@pytest.mark.parametrize("spacing_s", [60, 300])
def test_every_trip_is_one_drive_with_its_distance_times_places_and_energy(
    spacing_s: int, only_awake: bool
) -> None:
    for car in Fleet(seed=7, sites=2, vehicles=3).cars:
        start_s = week_start_s(car, MONDAY)
        end_s = week_start_s(car, MONDAY + timedelta(weeks=WEEKS))
        rows = [
            sample(car, at_s)
            for at_s in range(start_s + 17, end_s, spacing_s)
            if not only_awake or at_s < start_s + spacing_s or is_naturally_awake(car, at_s)
        ]
        samples = pl.DataFrame(rows, SAMPLES)
        capacities = pl.DataFrame({"vehicle_id": [car.vin], "usable_kwh": [car.usable_wh / 1000]})
        found = drives(samples, capacities)
        true = trips(car)
        assert found.height == len(true)
        assert unseen_distance(samples).is_empty()
        near = timedelta(seconds=spacing_s)
        for drive, trip in zip(found.to_dicts(), true, strict=True):
            started_at, ended_at = (
                datetime.fromtimestamp(at_s, UTC) for at_s in (trip.start_s, trip.end_s)
            )
            assert abs(drive["started_at"] - started_at) <= near
            assert abs(drive["ended_at"] - ended_at) <= near
            assert drive["started_after"] <= started_at <= drive["started_by"]
            assert drive["ended_after"] <= ended_at <= drive["ended_by"]
            assert drive["distance_miles"] == pytest.approx(trip.distance_mi, rel=0.01)
            assert drive["start_latitude"] == pytest.approx(trip.origin.latitude_deg, abs=1e-5)
            assert drive["end_longitude"] == pytest.approx(trip.destination.longitude_deg, abs=1e-5)
            assert drive["is_inferred"] == (drive["samples"] == 0)
        used_kwh = sum(trip_energy_wh(car, trip) for trip in true) / 1000
        assert found["energy_used_kwh"].sum() == pytest.approx(used_kwh, rel=0.05)
