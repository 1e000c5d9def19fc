"""What drives used, how fast they were and how cold it was, by hand; times as in `test_drives`."""

from typing import Any

import pytest

from tessie_pipeline_tests.domain.test_drives import HOUR, Row, driving, minute, only, parked

DAY = 24 * HOUR


def energy(*rows: Row) -> tuple[Any, ...]:
    """Energy, its source, and how much of the time power covers [%]."""
    drive = only(*rows)
    return drive["energy_used_kwh"], drive["energy_source"], drive["power_coverage_pct"]


def trip(*powers: float | None, step: float = 1, levels: tuple[int, int] = (80, 76)) -> list[Row]:
    """A drive of one sample per step at 30 mph, parked a step before and after."""
    ways = [
        driving(number * step, 100 + number * step / 2, power=power, battery_level=levels[0])
        for number, power in enumerate(powers, 1)
    ]
    end = (len(powers) + 1) * step
    return [
        parked(0, 100, battery_level=levels[0]),
        *ways,
        parked(end, 100 + end / 2, battery_level=levels[1]),
    ]


def test_energy_is_the_integral_of_power_where_there_is_a_sample_a_minute() -> None:
    # 12 kW for the first minute, (12 + 30) / 2 = 21, (30 - 6) / 2 = 12, and -6 for the last:
    # 39 kW x 1/60 h = 0.65 kWh.
    assert energy(*trip(12, 30, -6)) == (pytest.approx(0.65), "power", 100)


def test_a_drive_downhill_gives_energy_back() -> None:
    # 2 minutes at -15 kW are -0.5 kWh, over 1 mile.
    rows = trip(-15)
    assert energy(*rows)[0] == pytest.approx(-0.5)
    assert only(*rows)["efficiency_wh_per_mile"] == pytest.approx(-500)


def test_energy_is_the_fall_of_the_state_of_charge_where_samples_are_sparse() -> None:
    # 4 % of 75 kWh.
    assert energy(*trip(12, 30, -6, step=5)) == (pytest.approx(3), "soc", 0)


def test_power_has_to_cover_nine_tenths_of_the_time() -> None:
    ends = [parked(0, 100, battery_level=80), parked(20, 110, battery_level=76)]
    ways = [driving(number, 100 + number / 2, power=30) for number in range(1, 20)]
    # Without the sample at 10 there are 2 of 20 minutes without power; without 11, 3 of them.
    nine_tenths = [row for row in ways if row["timestamp"] != minute(10)]
    assert energy(*ends, *nine_tenths) == (pytest.approx(9), "power", pytest.approx(90))
    fewer = [row for row in nine_tenths if row["timestamp"] != minute(11)]
    assert energy(*ends, *fewer) == (pytest.approx(3), "soc", pytest.approx(85))


def test_power_that_is_not_given_covers_nothing() -> None:
    assert energy(*trip(None, None, None)) == (pytest.approx(3), "soc", 0)


def test_energy_is_unknown_without_a_capacity_a_state_of_charge_or_a_fall_of_it() -> None:
    rows = trip(None)
    assert energy(*(row | {"vehicle_id": "new"} for row in rows)) == (None, None, 0)
    assert energy(*(row | {"battery_level": None} for row in rows)) == (None, None, 0)
    assert energy(*trip(None, levels=(80, 80))) == (0, "soc", 0)
    rising = [driving(number, 100 + number, battery_level=80 + number) for number in range(3)]
    assert energy(*(row | {"power": None} for row in rising)) == (None, None, 0)


def test_efficiency_is_energy_over_distance_but_not_below_a_mile() -> None:
    # 1 mile takes 2 minutes at 30 mph; at 9 kW that is 0.3 kWh.
    assert only(*trip(9))["efficiency_wh_per_mile"] == pytest.approx(300)
    assert only(*trip(9, step=0.5))["efficiency_wh_per_mile"] is None


def levels(before: Row, *ways: Row, after: Row) -> list[int]:
    drive = only(before, *ways, after)
    return [drive["start_battery_level"], drive["end_battery_level"]]


def test_states_of_charge_are_those_of_the_parked_car_before_and_after() -> None:
    way = driving(1, 100.5, battery_level=70)
    ends = parked(0, 100, battery_level=71), parked(2, 101, battery_level=69)
    assert levels(ends[0], way, after=ends[1]) == [71, 69]


def test_a_charge_just_before_or_after_is_not_energy_that_the_drive_used() -> None:
    way = driving(1, 100.5, battery_level=70)
    ends = parked(0, 100, battery_level=60), parked(2, 101, battery_level=75)
    assert levels(ends[0], way, after=ends[1]) == [70, 70]


def test_what_a_car_lost_in_days_of_standing_is_not_energy_that_the_drive_used() -> None:
    way = driving(1, 100.5, battery_level=70)
    night = parked(-10 * HOUR, 100, battery_level=71), parked(10 * HOUR, 101, battery_level=69)
    assert levels(night[0], way, after=night[1]) == [71, 69]
    days = parked(-3 * DAY, 100, battery_level=73), parked(3 * DAY, 101, battery_level=66)
    assert levels(days[0], way, after=days[1]) == [70, 70]


def test_the_highest_speed_is_one_that_was_seen() -> None:
    rows = [parked(0, 100), driving(1, 100.5, speed=31.0), driving(2, 101, speed=44.0)]
    drive = only(*rows, parked(3, 101.5))
    assert (drive["speed_max_mph"], drive["speed_avg_mph"]) == (44, pytest.approx(30))


def test_the_outside_temperature_is_weighted_by_time() -> None:
    # A minute at 10, a minute at (10 + 14) / 2, ten minutes at (14 + 20) / 2, two at 20:
    # (10 + 12 + 170 + 40) / 14 = 232 / 14.
    drive = only(
        parked(0, 100, outside_temp=-30.0),
        driving(1, 100.5, outside_temp=10.0),
        driving(2, 101, outside_temp=14.0),
        driving(12, 106, outside_temp=20.0),
        parked(14, 107, outside_temp=-30.0),
    )
    assert drive["outside_temp_avg"] == pytest.approx(232 / 14)


def test_an_outside_temperature_that_is_not_given_weighs_nothing() -> None:
    rows = [parked(0, 100), driving(1, 100.5), driving(2, 101, outside_temp=14.0), driving(9, 104)]
    assert only(*rows)["outside_temp_avg"] == 14
    assert only(driving(1, 100.5, outside_temp=3.0))["outside_temp_avg"] == 3
    assert only(driving(1, 100.5))["outside_temp_avg"] is None
