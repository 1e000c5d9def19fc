import json
from datetime import UTC, datetime

import polars as pl
import pytest

from tessie_pipeline.domain.samples import VEHICLE_STATES
from tessie_pipeline.tesla.vehicle_answers import (
    Vehicle,
    decode_vehicle_data,
)
from tessie_pipeline_tests.tesla.captured import captured

ROW_SCHEMA = {
    name: dtype for name, dtype in VEHICLE_STATES.items() if name not in {"vehicle_id", "is_stale"}
}

MODEL_S_AFTER_AN_AC_CHARGE = {
    "timestamp": datetime(2023, 9, 19, 13, 20, 45, 329_000, tzinfo=UTC),
    "latitude": 47.0,
    "longitude": 8.6,
    "gps_timestamp": datetime(2023, 9, 19, 13, 20, 43, tzinfo=UTC),
    "heading": 107,
    "speed": 0.0,
    "power": 0.0,
    "shift_state": None,
    "odometer": 104374.713449,
    "battery_level": 80,
    "usable_battery_level": 80,
    "battery_range": 218.21,
    "ideal_battery_range": 174.57,
    "est_battery_range": 177.86,
    "charging_state": "Complete",
    "charge_rate": 0.0,
    "charger_power": 0.0,
    "charger_voltage": 0.0,
    "charger_actual_current": 0.0,
    "charger_phases": None,
    "charge_energy_added": 15.59,
    "charge_limit_soc": 80,
    "fast_charger_present": False,
    "fast_charger_type": None,
    "fast_charger_brand": None,
    "conn_charge_cable": "IEC",
    "destination_name": None,
    "destination_latitude": None,
    "destination_longitude": None,
    "destination_eta": None,
    "destination_distance": None,
    "inside_temp": 23.9,
    "outside_temp": 19.5,
    "is_locked": True,
    "sentry_mode": None,
    "firmware": "2022.8.10.16",
    "tpms_pressure_fl": None,
    "tpms_pressure_fr": None,
    "tpms_pressure_rl": None,
    "tpms_pressure_rr": None,
}

MODEL_3_WITHOUT_LOCATION = {
    "timestamp": datetime(2023, 11, 10, 22, 4, 53, 260_000, tzinfo=UTC),
    "latitude": None,
    "longitude": None,
    "gps_timestamp": None,
    "heading": None,
    "speed": 0.0,
    "power": 0.0,
    "shift_state": None,
    "odometer": 11643.048901,
    "battery_level": 80,
    "usable_battery_level": 80,
    "battery_range": 276.41,
    "ideal_battery_range": 276.41,
    "est_battery_range": 227.57,
    "charging_state": "Complete",
    "charge_rate": 0.0,
    "charger_power": 0.0,
    "charger_voltage": 2.0,
    "charger_actual_current": 0.0,
    "charger_phases": 2,
    "charge_energy_added": 0.13,
    "charge_limit_soc": 80,
    "fast_charger_present": False,
    "fast_charger_type": "ACSingleWireCAN",
    "fast_charger_brand": None,
    "conn_charge_cable": "IEC",
    "destination_name": None,
    "destination_latitude": None,
    "destination_longitude": None,
    "destination_eta": None,
    "destination_distance": None,
    "inside_temp": 24.2,
    "outside_temp": 21.5,
    "is_locked": True,
    "sentry_mode": True,
    "firmware": "2023.38.6",
    "tpms_pressure_fl": 2.925,
    "tpms_pressure_fr": 2.925,
    "tpms_pressure_rl": 2.9,
    "tpms_pressure_rr": 2.9,
}

MODEL_3_ON_A_SUPERCHARGER = {
    "timestamp": datetime(2019, 10, 1, 17, 48, 17, 456_000, tzinfo=UTC),
    "latitude": 52.531951,
    "longitude": 6.156999,
    "gps_timestamp": datetime(2019, 10, 1, 17, 48, 16, tzinfo=UTC),
    "heading": 240,
    "speed": 0.0,
    "power": -100.0,
    "shift_state": None,
    "odometer": 6963.081561,
    "battery_level": 44,
    "usable_battery_level": 44,
    "battery_range": 99.84,
    "ideal_battery_range": 99.84,
    "est_battery_range": 78.13,
    "charging_state": "Charging",
    "charge_rate": 455.7,
    "charger_power": 100.0,
    "charger_voltage": 2.0,
    "charger_actual_current": 0.0,
    "charger_phases": None,
    "charge_energy_added": 14.54,
    "charge_limit_soc": 90,
    "fast_charger_present": True,
    "fast_charger_type": "Combo",
    "fast_charger_brand": "Tesla",
    "conn_charge_cable": "IEC",
    "destination_name": None,
    "destination_latitude": None,
    "destination_longitude": None,
    "destination_eta": None,
    "destination_distance": None,
    "inside_temp": 21.0,
    "outside_temp": 13.5,
    "is_locked": False,
    "sentry_mode": False,
    "firmware": "2019.32.11.1",
    "tpms_pressure_fl": None,
    "tpms_pressure_fr": None,
    "tpms_pressure_rl": None,
    "tpms_pressure_rr": None,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ac_complete_model_s_2015", MODEL_S_AFTER_AN_AC_CHARGE),
        ("no_location_firmware_2023_38", MODEL_3_WITHOUT_LOCATION),
        ("supercharging_100kw", MODEL_3_ON_A_SUPERCHARGER),
    ],
)
def test_a_captured_answer_decodes_to_what_a_person_reads_in_it(
    name: str, expected: dict[str, object]
) -> None:
    row = decode_vehicle_data(captured(f"vehicle_data/{name}")).row
    assert {key: value for key, value in row.items() if key != "raw_data"} == expected
    assert list(row) == list(ROW_SCHEMA)
    assert pl.DataFrame([row], schema=ROW_SCHEMA).to_dicts() == [row]


def test_an_answer_says_whose_it_is() -> None:
    sample = decode_vehicle_data(captured("vehicle_data/ac_complete_model_s_2015"))
    assert (sample.tesla_id, sample.vin) == (1492000000000000, "5YJSA7H4XFF000000")
    assert sample.vehicle == Vehicle(
        tesla_id=1492000000000000,
        vin="5YJSA7H4XFF000000",
        display_name="HTLC",
        state="online",
        model="Model S",
        year=2015,
        color="MetallicBlack",
        trim="p85d",
        in_service=False,
        access_type="OWNER",
    )


def test_an_answer_without_vin_is_a_sample_all_the_same() -> None:
    answer = captured("vehicle_data/supercharging_100kw")
    del answer["vin"]
    sample = decode_vehicle_data(answer)
    assert (sample.vehicle, sample.vin, sample.tesla_id) == (None, None, 12345678901234567)
    assert sample.row["battery_level"] == 44


def test_raw_data_is_the_answer_without_envelope_and_tokens() -> None:
    answer = captured("vehicle_data/no_location_firmware_2023_38")
    raw_data = decode_vehicle_data(answer).row["raw_data"]
    assert isinstance(raw_data, str)
    kept = answer["response"]
    del kept["tokens"], kept["backseat_token"]
    assert json.loads(raw_data) == kept
