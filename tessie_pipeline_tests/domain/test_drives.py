"""Where drives begin and end, and what odometers moved unseen, by hand.

Times are in minutes from noon; the car drives at 30 mph, half a mile a minute, if not said.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.drives import DRIVES, UNSEEN_DISTANCE, drives, unseen_distance
from tessie_pipeline.domain.drives_steps import SAMPLE_COLUMNS
from tessie_pipeline.domain.samples import VEHICLE_STATES

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR, DAY = 60, 24 * 60
CAPACITIES = pl.DataFrame({"vehicle_id": ["car"], "usable_kwh": [75.0]})
SAMPLES = pl.Schema({name: VEHICLE_STATES[name] for name in SAMPLE_COLUMNS})

Row = dict[str, Any]


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def parked(at: float, odometer: float | None, **fields: Any) -> Row:
    """A sample of the parked car, which usually gives no gear."""
    return {
        "vehicle_id": "car", "timestamp": minute(at), "odometer": odometer, "speed": 0.0,
        "power": 0.0, "charging_state": "Disconnected",
    } | fields  # fmt: skip


def driving(at: float, odometer: float | None, **fields: Any) -> Row:
    return parked(at, odometer, shift_state="D", speed=30.0, power=10.0) | fields


def samples(*rows: Row) -> pl.DataFrame:
    return pl.DataFrame(rows, SAMPLES)


def found(*rows: Row) -> list[Row]:
    """The drives of samples."""
    frame = drives(samples(*rows), CAPACITIES)
    assert frame.schema == DRIVES
    return frame.to_dicts()


def only(*rows: Row) -> Row:
    """The only drive of samples."""
    (drive,) = found(*rows)
    return drive


def minutes(drive: Row, *names: str) -> list[float | None]:
    """Times of a drive in minutes from noon."""
    times = [drive[name] for name in names]
    return [None if time is None else (time - NOON) / timedelta(minutes=1) for time in times]


def unseen(*rows: Row) -> list[tuple[float | None, ...]]:
    """Between which minutes how many miles were driven unseen."""
    frame = unseen_distance(samples(*rows))
    assert frame.schema == UNSEEN_DISTANCE
    return [(*minutes(row, "after", "before"), row["distance_miles"]) for row in frame.to_dicts()]


BOUNDS = ("started_after", "started_by", "ended_after", "ended_by")


def test_a_drive_begins_and_ends_between_two_samples_where_the_odometer_says() -> None:
    # 1 mile in 2 minutes is 30 mph, so that 1/4 mile before and after takes half a minute each.
    rows = [parked(0, 100), driving(1, 100.25), driving(3, 101.25), parked(4, 101.5)]
    drive = only(*rows)
    assert minutes(drive, *BOUNDS) == [0, 1, 3, 4]
    assert minutes(drive, "started_at", "ended_at") == [0.5, 3.5]
    assert drive["duration_minutes"] == 3
    assert (drive["start_odometer"], drive["end_odometer"]) == (100, 101.5)
    assert (drive["distance_miles"], drive["speed_avg_mph"], drive["samples"]) == (1.5, 30, 2)
    assert not drive["is_inferred"]
    assert unseen(*rows) == []


def test_a_start_is_never_before_the_last_sample_of_the_parked_car() -> None:
    # 2 miles at 30 mph take 4 minutes, more than there were.
    drive = only(parked(0, 100), driving(2, 102), driving(4, 103), parked(5, 105))
    assert minutes(drive, "started_at", "ended_at") == [0, 5]
    assert drive["distance_miles"] == 5


def test_a_single_driving_sample_tells_the_pace_by_its_speed_unless_it_waits_at_a_light() -> None:
    # 1 mile takes 3 minutes at 20 mph, and 2.4 at the 25 mph that are taken for town.
    slow = only(parked(0, 100), driving(5, 101, speed=20.0), parked(10, 102))
    assert minutes(slow, "started_at", "ended_at") == [2, 8]
    waiting = only(parked(0, 100), driving(5, 101, speed=0.0), parked(10, 102))
    assert minutes(waiting, "started_at", "ended_at") == pytest.approx([2.6, 7.4])


@pytest.mark.parametrize("gear", ["D", "N", "R"])
def test_a_gear_makes_a_drive_also_at_a_standstill(gear: str) -> None:
    standing = {"shift_state": gear, "speed": None}
    drive = only(parked(0, 100), parked(1, 100, **standing), parked(2, 100))
    assert minutes(drive, *BOUNDS) == [0, 1, 1, 2]
    assert (drive["distance_miles"], drive["efficiency_wh_per_mile"]) == (0, None)


def test_speed_makes_a_drive_where_no_gear_is_given_but_not_in_p() -> None:
    moving = {"shift_state": None, "speed": 3.0}
    assert only(parked(0, 100), parked(1, 100, **moving), parked(2, 100))["samples"] == 1
    assert found(parked(0, 100), parked(1, 100, shift_state="P", speed=3.0)) == []


@pytest.mark.parametrize(
    "stop",
    [
        {"shift_state": "P", "speed": 0.0},
        {"shift_state": "P", "speed": None},
        {"shift_state": None, "speed": None},
        {"shift_state": None, "speed": 0.0},
        {"shift_state": "D", "charging_state": "Charging"},
        {"shift_state": "D", "charging_state": "Starting"},
        {"shift_state": "D", "charging_state": "Complete"},
    ],
)
def test_a_stop_or_a_cable_ends_a_drive_and_the_next_begins_after_it(stop: Row) -> None:
    rows = [
        parked(0, 100), driving(1, 100.5), driving(2, 101), parked(3, 101.25, **stop),
        driving(4, 101.5), driving(5, 102), parked(6, 102.5),
    ]  # fmt: skip
    first, second = found(*rows)
    assert minutes(first, *BOUNDS) == [0, 1, 2, 3]
    assert minutes(second, *BOUNDS) == [3, 4, 5, 6]
    assert (first["distance_miles"], second["distance_miles"]) == (1.25, 1.25)


def test_a_car_that_is_not_seen_for_a_quarter_of_an_hour_drives_on() -> None:
    # 1 mile in 15 minutes is only 4 mph: a jam.
    drive = only(parked(0, 100), driving(1, 100.5), driving(16, 101.5), parked(17, 102))
    assert minutes(drive, *BOUNDS) == [0, 1, 16, 17]


def test_a_car_that_is_not_seen_for_longer_drives_on_if_it_got_on() -> None:
    # 30 miles in an hour are 30 mph.
    drive = only(parked(0, 100), driving(1, 100.5), driving(61, 130.5), parked(62, 131))
    assert (drive["distance_miles"], drive["duration_minutes"]) == (31, 62)


def test_a_car_that_is_not_seen_for_longer_and_got_nowhere_has_ended_its_drive() -> None:
    # 4 miles in an hour are 4 mph, less than driving.
    rows = [
        parked(0, 100), driving(1, 100.5), driving(3, 101.5),
        driving(63, 105.5), driving(65, 106.5), parked(66, 107),
    ]  # fmt: skip
    first, second = found(*rows)
    assert minutes(first, *BOUNDS) == [0, 1, 3, 63]
    assert minutes(second, *BOUNDS) == [3, 63, 65, 66]
    assert minutes(first, "ended_at") == [3]
    assert minutes(second, "started_at") == [63]
    assert (first["distance_miles"], second["distance_miles"]) == (1.5, 1.5)
    assert unseen(*rows) == [(3, 63, 4)]


def test_a_drive_after_a_night_asleep_has_what_was_driven_before_it_was_seen() -> None:
    # 2 miles at 30 mph take 4 minutes.
    rows = [parked(-8 * HOUR, 100), driving(0, 102), driving(2, 103), parked(3, 103)]
    drive = only(*rows)
    assert minutes(drive, "started_after", "started_at") == [-8 * HOUR, -4]
    assert drive["distance_miles"] == 3
    assert unseen(*rows) == []


def test_what_was_driven_during_an_outage_is_not_given_to_the_drive_after_it() -> None:
    # 8 miles at 30 mph take 16 minutes, more than a car may go unseen; 8 mi / 8 h is no driving.
    rows = [parked(-8 * HOUR, 100), driving(0, 108), driving(2, 109), parked(3, 109)]
    drive = only(*rows)
    assert minutes(drive, "started_at") == [0]
    assert (drive["start_odometer"], drive["distance_miles"]) == (108, 1)
    assert unseen(*rows) == [(-8 * HOUR, 0, 8)]


def test_a_car_that_is_lost_at_its_goal_drove_on_to_where_it_is_found() -> None:
    # An underground garage: 3 miles more at 30 mph took 6 minutes of the night.
    rows = [parked(0, 100), driving(1, 100.5), driving(3, 101.5), parked(9 * HOUR, 104.5)]
    drive = only(*rows)
    assert minutes(drive, *BOUNDS, "ended_at") == [0, 1, 3, 9 * HOUR, 9]
    assert drive["end_odometer"] == 104.5


def test_a_drive_between_two_samples_of_the_parked_car_is_inferred() -> None:
    # 1 mile at the 25 mph of town takes 2.4 minutes, in the middle of 5.
    rows = [parked(0, 100, latitude=52.0), parked(5, 101, latitude=52.01), parked(10, 101)]
    drive = only(*rows)
    assert drive["is_inferred"]
    assert minutes(drive, *BOUNDS) == [0, 5, 0, 5]
    assert minutes(drive, "started_at", "ended_at") == pytest.approx([1.3, 3.7])
    assert drive["duration_minutes"] == pytest.approx(2.4)
    assert (drive["distance_miles"], drive["samples"]) == (1, 0)
    assert (drive["start_latitude"], drive["end_latitude"]) == (52, 52.01)
    assert (drive["speed_avg_mph"], drive["speed_max_mph"]) == (None, None)
    assert unseen(*rows) == []


def test_a_car_that_is_elsewhere_after_an_hour_was_driven_but_not_after_a_week() -> None:
    # 20 miles in an hour are 20 mph; the same in a week are none.
    drive = only(parked(0, 100), parked(HOUR, 120))
    assert minutes(drive, "started_at", "ended_at") == pytest.approx([6, 54])
    week = [parked(0, 100, battery_level=80), parked(7 * DAY, 120, battery_level=50)]
    assert found(*week) == []
    assert unseen_distance(samples(*week)).rows() == [
        ("car", minute(0), minute(7 * DAY), 100, 120, 20, 80, 50)
    ]


def test_a_manoeuvre_of_a_tenth_of_a_mile_is_no_drive_but_distance() -> None:
    rows = [parked(0, 100), parked(1, 100.0625), parked(2, 100.0625)]
    assert found(*rows) == []
    assert unseen(*rows) == [(0, 1, 0.0625)]


def test_an_odometer_that_goes_back_or_leaps_is_no_drive() -> None:
    rows = [parked(0, 100), parked(1, 90), parked(2, 190), parked(3, 190)]
    assert found(*rows) == []
    assert unseen(*rows) == [(0, 1, -10), (1, 2, 100)]


def test_a_drive_under_way_has_no_end_yet_and_grows() -> None:
    rows = [parked(0, 100), driving(1, 100.5), driving(3, 101.5)]
    drive = only(*rows)
    assert minutes(drive, *BOUNDS, "started_at", "ended_at") == [0, 1, 3, None, 0, None]
    assert (drive["duration_minutes"], drive["distance_miles"]) == (3, 1.5)
    later = only(*rows, driving(4, 102))
    assert (later["started_at"], later["distance_miles"]) == (drive["started_at"], 2)


def test_the_first_sample_of_all_may_be_of_a_drive() -> None:
    drive = only(driving(1, 100.5))
    assert minutes(drive, *BOUNDS, "started_at") == [None, 1, 1, None, 1]
    assert (drive["duration_minutes"], drive["distance_miles"]) == (0, 0)
    assert (drive["speed_avg_mph"], drive["speed_max_mph"]) == (None, 30)


def test_a_drive_has_the_position_of_the_parked_car_at_both_ends() -> None:
    drive = only(
        parked(0, 100, latitude=52.0, longitude=13.0),
        driving(1, 100.5, latitude=52.1, longitude=13.1),
        driving(2, 101, latitude=52.2, longitude=13.2),
        parked(3, 101.25, latitude=52.3, longitude=13.3),
    )
    assert [drive[f"{end}_latitude"] for end in ("start", "end")] == [52, 52.3]
    assert [drive[f"{end}_longitude"] for end in ("start", "end")] == [13, 13.3]


def test_a_position_that_the_parked_car_does_not_give_is_that_of_the_drive() -> None:
    drive = only(parked(0, 100), driving(1, 100.5, latitude=52.1), parked(2, 101))
    assert (drive["start_latitude"], drive["end_latitude"]) == (52.1, 52.1)


def test_an_odometer_that_some_samples_lack_is_interpolated_or_unknown() -> None:
    drive = only(parked(0, 100), driving(1, None), driving(2, None), parked(4, 102))
    assert (drive["start_odometer"], drive["end_odometer"]) == (100, 102)
    assert (drive["distance_miles"], drive["speed_avg_mph"]) == (2, 30)
    without = only(parked(0, None), driving(1, None), driving(2, None), parked(3, None))
    assert (without["start_odometer"], without["distance_miles"]) == (None, None)
    assert minutes(without, "started_at", "ended_at") == [1, 2]
    assert unseen(parked(0, None), parked(1, None)) == []


def test_vehicles_do_not_mix_and_neither_order_nor_repetition_of_samples_matters() -> None:
    red = [parked(0, 100), driving(1, 100.5), driving(3, 101.5), parked(4, 102)]
    blue = [driving(0.5, 9000), driving(2, 9001), parked(3.5, 9002), parked(8 * DAY, 9100)]
    both = samples(*red, *(row | {"vehicle_id": "blue"} for row in blue))
    apart = [both.filter(vehicle_id=vehicle) for vehicle in ("blue", "car")]
    mixed = pl.concat([both, both]).sample(fraction=1, shuffle=True, seed=1)
    for of in (lambda frame: drives(frame, CAPACITIES), unseen_distance):
        assert_frame_equal(of(mixed), pl.concat([of(frame) for frame in apart]))


def test_without_samples_there_is_nothing() -> None:
    assert found() == []
    assert unseen() == []
