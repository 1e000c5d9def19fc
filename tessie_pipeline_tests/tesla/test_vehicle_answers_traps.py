import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.vehicle_answers import (
    VehicleSample,
    decode_vehicle,
    decode_vehicle_data,
)
from tessie_pipeline_tests.tesla.captured import captured


def sample_with(**changes: object) -> VehicleSample:
    """The captured Supercharger sample with changed drive_state fields, decoded."""
    return changed("drive_state", **changes)


def changed(sub_state: str, **changes: object) -> VehicleSample:
    answer = captured("vehicle_data/supercharging_100kw")
    answer[sub_state] |= changes
    return decode_vehicle_data(answer)


def reason_of(answer: object) -> str:
    with pytest.raises(UndecodableAnswer) as refusal:
        decode_vehicle_data(answer)
    return str(refusal.value)


def test_raw_data_holds_no_character_that_postgres_refuses() -> None:
    sample = changed("vehicle_state", vehicle_name="a\x00b\ud800c", note="\\u0000 stays")
    raw_data = sample.row["raw_data"]
    assert isinstance(raw_data, str)
    assert json.loads(raw_data)["vehicle_state"]["vehicle_name"] == "a\ufffdb?c"
    assert json.loads(raw_data)["vehicle_state"]["note"] == "\\u0000 stays"


def test_the_newest_sub_state_dates_the_sample() -> None:
    sample = changed("gui_settings", timestamp=1569952100001)
    assert sample.row["timestamp"] == datetime(2019, 10, 1, 17, 48, 20, 1_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("drive", "speed_mph"),
    [
        ({"shift_state": "D", "speed": 63}, 63.0),
        ({"shift_state": "D", "speed": None}, None),
        ({"shift_state": "R", "speed": 0}, 0.0),
        ({"shift_state": "P", "speed": None}, 0.0),
        ({"shift_state": None, "speed": None}, 0.0),
        ({"shift_state": "P", "speed": None, "timestamp": 1569952097456 - 300_000}, 0.0),
        ({"shift_state": "P", "speed": None, "timestamp": 1569952097456 - 300_001}, None),
        ({"shift_state": "P", "speed": None, "timestamp": None}, None),
    ],
    ids=[
        "driving",
        "driving, speed unknown",
        "standing in reverse",
        "parked",
        "no gear",
        "parked five minutes ago",
        "parked, but too long ago",
        "parked, no one knows when",
    ],
)
def test_a_missing_speed_is_zero_only_for_a_car_known_to_be_parked(
    drive: dict[str, object], speed_mph: float | None
) -> None:
    assert sample_with(**drive).row["speed"] == speed_mph


def test_no_drive_state_means_no_speed() -> None:
    answer = captured("vehicle_data/supercharging_100kw")
    del answer["drive_state"]
    row = decode_vehicle_data(answer).row
    assert (row["speed"], row["latitude"], row["power"]) == (None, None, None)


@pytest.mark.parametrize(
    ("drive", "position"),
    [
        ({"latitude": 31.2304, "longitude": 121.4737}, (52.531951, 6.156999)),
        ({"latitude": 52.531950}, (52.531950, 6.156999)),
        ({"latitude": None}, (52.531951, 6.156999)),
        (
            {"latitude": 31.2304, "longitude": 121.4737, "native_type": "gcj"},
            (31.2304, 121.4737),
        ),
        ({"latitude": None, "native_type": "gcj"}, (None, None)),
        ({"native_longitude": None}, (52.531951, 6.156999)),
    ],
    ids=["shifted", "rounded", "only native", "native shifted", "only shifted", "half native"],
)
def test_the_position_is_the_unshifted_one(
    drive: dict[str, object], position: tuple[float | None, float | None]
) -> None:
    row = sample_with(**drive).row
    assert (row["latitude"], row["longitude"]) == position


def test_a_route_gives_destination_distance_and_arrival() -> None:
    row = sample_with(
        active_route_destination="Home",
        active_route_latitude=52.1,
        active_route_longitude=6.2,
        active_route_miles_to_arrival=19.8,
        active_route_minutes_to_arrival=34.5,
    ).row
    assert row["destination_name"] == "Home"
    assert (row["destination_latitude"], row["destination_longitude"]) == (52.1, 6.2)
    assert row["destination_distance"] == 19.8
    assert row["destination_eta"] == datetime(2019, 10, 1, 18, 22, 47, 456_000, tzinfo=UTC)


def test_coordinates_left_over_from_an_old_route_are_no_destination() -> None:
    row = sample_with(
        active_route_latitude=37.7765494,
        active_route_longitude=-122.4195418,
        active_route_minutes_to_arrival=3,
        active_route_traffic_minutes_delay=0,
    ).row
    assert row["destination_latitude"] is None
    assert row["destination_longitude"] is None
    assert row["destination_eta"] is None


@pytest.mark.parametrize("unknown", [None, "", "<invalid>", "  "])
def test_every_way_of_not_knowing_is_null(unknown: object) -> None:
    row = changed(
        "charge_state",
        battery_level=unknown,
        charge_rate=unknown,
        fast_charger_present=unknown,
        conn_charge_cable=unknown,
    ).row
    assert row["battery_level"] is None
    assert row["charge_rate"] is None
    assert row["fast_charger_present"] is None
    assert row["conn_charge_cable"] is None


def test_numbers_may_come_as_text_and_whole_numbers_with_a_zero_fraction() -> None:
    row = changed("charge_state", battery_level=80.0, charge_rate="17.4", charger_phases="3").row
    assert (row["battery_level"], row["charge_rate"], row["charger_phases"]) == (80, 17.4, 3)
    assert isinstance(row["battery_level"], int)


@pytest.mark.parametrize(
    ("sub_state", "change", "reason"),
    [
        ("charge_state", {"battery_level": 101}, "charge_state.battery_level is 101, expected"),
        ("charge_state", {"battery_level": -1}, "charge_state.battery_level is -1, expected"),
        ("charge_state", {"battery_level": 80.5}, "charge_state.battery_level is 80.5, "),
        ("charge_state", {"battery_level": True}, "battery_level is True, expected a number"),
        ("charge_state", {"charge_rate": "fast"}, "charge_state.charge_rate is 'fast', expected"),
        ("charge_state", {"charge_rate": "NaN"}, "charge_rate is 'NaN', expected greater"),
        ("charge_state", {"charger_phases": 40_000}, "charger_phases is 40000, expected"),
        ("charge_state", {"fast_charger_present": 1}, "fast_charger_present is 1, expected"),
        ("charge_state", {"charging_state": 5}, "charging_state is 5, expected a valid string"),
        ("charge_state", {"charge_energy_added": [1]}, "charge_energy_added is a list, expected"),
        ("vehicle_state", {"locked": "true"}, "vehicle_state.locked is 'true', expected"),
        ("vehicle_state", {"odometer": 10**400}, "is a number of more than 77 digits, "),
        ("drive_state", {"latitude": 90.5}, "drive_state.latitude is 90.5, expected"),
        ("drive_state", {"timestamp": 1569952097}, "drive_state.timestamp is 1569952097, "),
        ("drive_state", {"timestamp": 4102444800000}, "timestamp is 4102444800000, expected"),
        ("drive_state", {"gps_as_of": 1569952096000}, "gps_as_of is 1569952096000, expected"),
        ("drive_state", {"active_route_minutes_to_arrival": 1e11}, "minutes_to_arrival is "),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(
    sub_state: str, change: dict[str, object], reason: str
) -> None:
    answer = captured("vehicle_data/supercharging_100kw")
    answer[sub_state] |= change
    assert reason in reason_of(answer)


def test_a_refusal_names_every_bad_field_and_shows_no_good_one() -> None:
    answer = captured("vehicle_data/supercharging_100kw")
    answer["charge_state"]["battery_level"] = "x" * 500
    answer["drive_state"]["speed"] = {"mph": 5}
    reason = reason_of(answer)
    assert "charge_state.battery_level" in reason
    assert "drive_state.speed is an object" in reason
    assert "x" * 81 not in reason
    assert "52.53" not in reason
    assert "abcdef1234567890" not in reason


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_json_is_refused_wherever_it_stands(value: float) -> None:
    answer = captured("vehicle_data/supercharging_100kw")
    answer["vehicle_state"]["media_state"]["volume"] = value
    assert "JSON" in reason_of(answer)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"response": None, "error": "vehicle unavailable"}, "'vehicle unavailable'"),
        ({"response": {"id_s": "1", "vin": "XXX", "state": "asleep"}}, "no sub-state has a time"),
        ({"response": []}, "the answer is a list"),
        ("Retry in 5 seconds", "the answer is 'Retry in 5 seconds'"),
        (None, "the answer is None"),
        ({"response": {"charge_state": []}}, "charge_state is a list"),
    ],
)
def test_an_answer_that_is_no_sample_is_refused(answer: object, reason: str) -> None:
    assert reason in reason_of(answer)


def test_endless_nesting_is_refused() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    answer = captured("vehicle_data/supercharging_100kw")
    answer["junk"] = nested
    assert "JSON" in reason_of(answer)


@pytest.mark.parametrize(
    ("car_type", "model"),
    [
        ("models2", "Model S"),
        ("lychee", "Model S"),
        ("tamarind", "Model X"),
        ("modely", "Model Y"),
        ("cybertruck", "Cybertruck"),
        ("unheard of", "Model 3"),
        (None, "Model 3"),
    ],
)
def test_the_car_type_names_the_model_and_else_the_vin_does(
    car_type: str | None, model: str
) -> None:
    vehicle = decode_vehicle(
        {"id": 7, "vin": "LRW3F7EK4NC700000", "vehicle_config": {"car_type": car_type}}
    )
    assert (vehicle.model, vehicle.year) == (model, 2022)


def test_a_single_vehicle_answer_has_an_envelope() -> None:
    vehicle = decode_vehicle({"response": {"id_s": "7", "vin": "XXX", "state": "offline"}})
    assert (vehicle.tesla_id, vehicle.state, vehicle.model) == (7, "offline", None)
