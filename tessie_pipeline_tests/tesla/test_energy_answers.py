import json
from datetime import UTC, datetime

import polars as pl
import pytest

from tessie_pipeline.domain.samples import ENERGY_STATES
from tessie_pipeline.tesla.answers import UndecodableAnswer
from tessie_pipeline.tesla.energy_answers import (
    EnergySite,
    decode_backup_time_remaining,
    decode_live_status,
    decode_site_info,
)
from tessie_pipeline_tests.tesla.captured import captured

ROW_SCHEMA = {
    name: dtype for name, dtype in ENERGY_STATES.items() if name not in {"site_id", "is_stale"}
}

BATTERY_CHARGING = {
    "timestamp": datetime(2023, 11, 5, 23, 30, 11, tzinfo=UTC),
    "solar_power_w": 16176.0,
    "battery_power_w": -13950.0,
    "grid_power_w": 0.0,
    "load_power_w": 2226.0,
    "generator_power_w": 0.0,
    "battery_percentage": 90.21333866145918,
    "energy_left_wh": 37784.05263157895,
    "total_pack_energy_wh": 41883.0,
    "grid_status": "Active",
    "island_status": "on_grid",
}

BATTERY_AT_NIGHT = {
    "timestamp": datetime(2024, 5, 12, 7, 18, 19, tzinfo=UTC),
    "solar_power_w": 0.0,
    "battery_power_w": 780.0,
    "grid_power_w": 0.0,
    "load_power_w": 780.0,
    "generator_power_w": 0.0,
    "battery_percentage": 46.6731017783813,
    "energy_left_wh": None,
    "total_pack_energy_wh": None,
    "grid_status": "Active",
    "island_status": "on_grid",
}

SOLAR_ONLY_ANSWER = {
    "solar_power": 11892.01953125,
    "energy_left": 0,
    "total_pack_energy": 1,
    "percentage_charged": 0,
    "battery_power": 0,
    "load_power": 0,
    "grid_status": "Unknown",
    "grid_power": -11892.01953125,
    "generator_power": 0,
    "island_status": "island_status_unknown",
    "timestamp": "2022-08-15T17:12:26Z",
    "wall_connectors": None,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("battery_charging_car_plugged_in", BATTERY_CHARGING),
        ("fleet_2024_05", BATTERY_AT_NIGHT),
    ],
)
def test_a_captured_live_status_decodes_to_what_a_person_reads_in_it(
    name: str, expected: dict[str, object]
) -> None:
    answer = captured(f"live_status/{name}")
    row = decode_live_status(answer).row
    assert {key: value for key, value in row.items() if key != "raw_data"} == expected
    assert list(row) == list(ROW_SCHEMA)
    assert pl.DataFrame([row], schema=ROW_SCHEMA).to_dicts() == [row]
    assert json.loads(str(row["raw_data"])) == answer["response"]


def test_a_site_without_battery_has_no_charge() -> None:
    row = decode_live_status(SOLAR_ONLY_ANSWER).row
    assert row["timestamp"] == datetime(2022, 8, 15, 17, 12, 26, tzinfo=UTC)
    assert row["solar_power_w"] == 11892.01953125
    assert row["load_power_w"] == 0.0
    assert row["grid_status"] == "Unknown"
    assert row["battery_percentage"] is None
    assert row["energy_left_wh"] is None
    assert row["total_pack_energy_wh"] is None


@pytest.mark.parametrize(
    ("stamp", "instant"),
    [
        ("2024-01-01T00:00:00+00:00", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-01-01T05:45:00+05:45", datetime(2024, 1, 1, tzinfo=UTC)),
        ("2024-05-11T09:20:26.225Z", datetime(2024, 5, 11, 9, 20, 26, 225_000, tzinfo=UTC)),
    ],
)
def test_the_time_of_a_live_status_becomes_utc(stamp: str, instant: datetime) -> None:
    row = decode_live_status({"timestamp": stamp, "solar_power": 5}).row
    assert row["timestamp"] == instant
    assert row["battery_power_w"] is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timestamp": "2011-01-01"}, "timestamp is '2011-01-01', expected an ISO 8601 time"),
        ({"timestamp": "2024-01-01T00:00:00"}, "expected an ISO 8601 time with an offset"),
        ({"timestamp": 1705707520}, "timestamp is 1705707520, expected an ISO 8601 time"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "expected a time from 2010 to 2099"),
        ({"timestamp": "9999-12-31T23:59:59-14:00"}, "expected a time from 2010 to 2099"),
        ({"timestamp": None}, "timestamp is missing"),
        ({"solar_power": True}, "solar_power is True, expected a number"),
        ({"percentage_charged": 450}, "percentage_charged is 450, expected"),
        ({"grid_status": 1}, "grid_status is 1, expected a valid string"),
        ({"load_power": 1e300}, "load_power is 1e+300, expected"),
    ],
)
def test_an_impossible_live_status_is_refused_by_name(
    change: dict[str, object], reason: str
) -> None:
    with pytest.raises(UndecodableAnswer) as refusal:
        decode_live_status(SOLAR_ONLY_ANSWER | change)
    assert reason in str(refusal.value)


def test_the_remaining_backup_time_is_no_live_status_but_hours() -> None:
    answer = captured("live_status/backup_time_remaining")
    with pytest.raises(UndecodableAnswer, match="timestamp is missing"):
        decode_live_status(answer)
    assert decode_backup_time_remaining(answer) == 9.863332186566478


def test_a_site_info_without_envelope_zone_and_nameplate_is_read_from_its_batteries() -> None:
    info = captured("site_info/two_batteries_gateway_inverter")
    assert decode_site_info(info, 429124) == EnergySite(
        tesla_site_id=429124,
        site_name="TeslaEnergyGateway",
        battery_count=2,
        total_battery_capacity_kwh=27.0,
        solar_capacity_kw=None,
        time_zone=None,
        time_zone_as_given=None,
    )


def test_a_site_info_with_a_nameplate_and_an_empty_zone() -> None:
    info = captured("site_info/three_batteries_two_wall_connectors")
    assert decode_site_info(info, 123456) == EnergySite(
        tesla_site_id=123456,
        site_name="Site",
        battery_count=3,
        total_battery_capacity_kwh=40.5,
        solar_capacity_kw=None,
        time_zone=None,
        time_zone_as_given=None,
    )


@pytest.mark.parametrize(
    ("given", "zone"),
    [
        ("Australia/Sydney", "Australia/Sydney"),
        ("Asia/Kolkata", "Asia/Kolkata"),
        ("America/Pacific", None),
        ("GMT-08:00", None),
        ("America", None),
        ("../../etc/passwd", None),
    ],
)
def test_only_a_zone_that_exists_is_a_zone(given: str, zone: str | None) -> None:
    site = decode_site_info({"installation_time_zone": given}, 1)
    assert (site.time_zone, site.time_zone_as_given) == (zone, given)


@pytest.mark.parametrize(
    ("info", "count", "capacity_kwh"),
    [
        ({"battery_count": 1, "nameplate_energy": 13500}, 1, 13.5),
        ({"components": {"batteries": [{"nameplate_energy": 13500}] * 2}}, 2, 27.0),
        ({"components": {"batteries": [{"nameplate_energy": 13500}, {}]}}, 2, None),
        (
            {
                "nameplate_energy": 0.0,
                "components": {
                    "batteries": [{"nameplate_energy": 0.0}],
                    "gateways": [{"nameplate_energy_watts": 13500.0}],
                },
            },
            1,
            13.5,
        ),
        ({"battery_count": 0, "nameplate_energy": 0}, 0, None),
        ({}, None, None),
    ],
    ids=["nameplate", "batteries", "a battery unknown", "Powerwall 3", "none", "unknown"],
)
def test_the_capacity_is_the_first_that_is_known(
    info: dict[str, object], count: int | None, capacity_kwh: float | None
) -> None:
    site = decode_site_info(info, 1)
    assert (site.battery_count, site.total_battery_capacity_kwh) == (count, capacity_kwh)


def test_the_site_info_completes_what_the_product_list_knows() -> None:
    listed = EnergySite(7, site_name="Home", total_battery_capacity_kwh=41.883)
    info = EnergySite(7, battery_count=3, total_battery_capacity_kwh=40.5, time_zone="Asia/Tokyo")
    assert listed.completed_by(info) == EnergySite(
        7,
        site_name="Home",
        battery_count=3,
        total_battery_capacity_kwh=40.5,
        time_zone="Asia/Tokyo",
    )
