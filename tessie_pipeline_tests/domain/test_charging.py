"""Plug-ins and segments: where they begin and end, how they end, and what is drawn in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.charging import Charging, detect, usable_capacities
from tessie_pipeline.domain.charging_frames import (
    CHARGING_PIECES,
    CHARGING_SEGMENTS,
    CHARGING_SESSIONS,
)
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data
from tessie_pipeline_tests.domain.charging_samples import SAMPLES, at, charging, frame, sample
from tessie_pipeline_tests.tesla.captured import captured

BEFORE = sample(-5, "Disconnected", 9.0, 40)


def detected(*rows: dict[str, Any]) -> Charging:
    return detect(frame(*rows))


def only(charging: Charging) -> dict[str, Any]:
    """The only plug-in."""
    assert charging.sessions.height == 1
    return charging.sessions.row(0, named=True)


def test_no_samples_give_empty_frames_of_the_declared_columns() -> None:
    found = detected()
    assert found.sessions.schema == CHARGING_SESSIONS
    assert found.segments.schema == CHARGING_SEGMENTS
    assert found.pieces.schema == CHARGING_PIECES


def test_frames_have_the_declared_columns() -> None:
    found = detected(BEFORE, *charging(0, 60), sample(65, "Disconnected", 10.0))
    assert found.sessions.schema == CHARGING_SESSIONS
    assert found.segments.schema == CHARGING_SEGMENTS
    assert found.pieces.schema == CHARGING_PIECES


def test_a_plug_in_has_what_its_samples_say() -> None:
    there: dict[str, Any] = {
        "latitude": 52.5,
        "longitude": 13.4,
        "outside_temp": 8.0,
        "conn_charge_cable": "IEC",
    }
    found = detected(
        BEFORE,
        *charging(0, 60, level=50, **there),
        sample(65, "Complete", 10.0, 63, **there | {"outside_temp": 21.0}),
        sample(70, "Disconnected", 10.0, 63),
    )
    session = only(found)
    # An hour at 11.04 kW, 10 kWh of it into the battery: 90.6 %. 13 readings of 8, one of 21 C.
    assert session["energy_used_kwh"] == pytest.approx(11.04)
    assert session["efficiency_pct"] == pytest.approx(90.58, abs=0.01)
    assert session["charge_rate_kw_avg"] == pytest.approx(11.04)
    assert session["energy_used_coverage_pct"] == pytest.approx(100.0)
    assert (session["latitude"], session["longitude"]) == (52.5, 13.4)
    assert session["outside_temp"] == pytest.approx((13 * 8 + 21) / 14)
    assert (session["phases"], session["samples"], session["segments"]) == (3, 14, 1)
    assert (session["start_battery_level"], session["end_battery_level"]) == (50, 63)
    assert (session["odometer"], session["charge_limit_soc"]) == (1000.0, 80)
    assert session["duration_minutes"] == 70.0


def test_a_segment_begins_when_the_counter_says_so() -> None:
    # 10 kW: 0.5 kWh at minute 0 take 3 minutes; another 0.25 after minute 60 take 1.5.
    found = detected(
        BEFORE, *charging(0, 60, counter=0.5), sample(65, "Complete", 10.75), sample(70, None, None)
    )
    segment = found.segments.row(0, named=True)
    assert segment["started_at"] == at(-3)
    assert (segment["started_after"], segment["started_by"]) == (at(-5), at(0))
    assert segment["ended_at"] == pytest.approx(at(61.5), abs=timedelta(seconds=1))
    assert (segment["ended_after"], segment["ended_by"]) == (at(60), at(65))
    assert only(found)["started_at"] == at(-3)


def test_a_plug_in_ends_when_it_is_first_seen_unplugged() -> None:
    found = detected(
        BEFORE, *charging(0, 60), sample(65, "Complete", 10.0), sample(700, "Disconnected", 10.0)
    )
    session = only(found)
    assert (session["ended_after"], session["ended_by"]) == (at(65), at(700))
    assert session["ended_at"] == at(700)


def test_a_plug_in_is_in_progress_until_it_is_seen_unplugged_and_grows() -> None:
    rows = [BEFORE, *charging(0, 60)]
    first, later = only(detected(*rows[:7])), only(detected(*rows))
    assert (first["status"], later["status"]) == ("in_progress", "in_progress")
    assert (first["ended_at"], first["ended_by"]) == (None, None)
    assert first["energy_added_kwh"] < later["energy_added_kwh"]
    assert first["started_at"] == later["started_at"]


def test_samples_without_a_word_about_the_cable_decide_nothing() -> None:
    rows = [BEFORE, *charging(0, 60), sample(65, "Disconnected", 10.0)]
    mute = [sample(minute, state, None) for minute in (12, 33) for state in (None, "Calibrating")]
    assert_frame_equal(detected(*rows).sessions, detected(*rows, mute[0], mute[3]).sessions)


@pytest.mark.parametrize(
    "between",
    [sample(30, None, None, shift_state="D"), sample(30, "Disconnected", 5.0)],
    ids=["driven", "unplugged"],
)
def test_a_car_that_left_in_between_was_plugged_in_twice(between: dict[str, Any]) -> None:
    found = detected(
        BEFORE, *charging(0, 25), between, *charging(40, 60, 0.5), sample(65, "Disconnected", 3.83)
    )
    # 4.17 kWh to minute 25 and, at the second plug, 0.5 + 3.33.
    assert found.sessions["ended_at"].to_list() == [at(30), at(65)]
    if between["charging_state"] is None:
        assert found.sessions["energy_added_kwh"].to_list() == pytest.approx([4.17, 3.83])


def test_a_car_whose_odometer_moved_was_plugged_in_twice() -> None:
    found = detected(
        BEFORE,
        *charging(0, 25),
        sample(28, "Complete", 4.3),
        *charging(60, 70, 0.5, odometer=1008.0),
        sample(75, "Disconnected", 2.17, odometer=1008.0),
    )
    # 4.3 kWh, then 0.5 + 10 minutes at 10 kW.
    assert found.sessions["energy_added_kwh"].to_list() == pytest.approx([4.3, 2.17])
    assert found.sessions["status"].to_list() == ["completed", "completed"]
    first, second = found.sessions.iter_rows(named=True)
    assert first["ended_at"] == at(28)
    assert first["ended_by"] == at(60)
    assert (second["started_after"], second["started_at"]) == (at(28), at(57))


def test_what_was_added_after_the_last_sample_before_a_ride_is_not_counted_twice() -> None:
    found = detected(
        BEFORE,
        *charging(0, 60),
        sample(120, "Stopped", 12.0, odometer=1008.0),
        sample(130, "Disconnected", 12.0, odometer=1008.0),
    )
    assert found.sessions["energy_added_kwh"].to_list() == pytest.approx([12.0, 0.0])


def test_preheating_in_the_state_charging_is_not_charging() -> None:
    # 10 kWh up to minute 60; then 20 minutes of 3.45 kW flow and nothing is stored: 1.15 kWh.
    heat: dict[str, Any] = {"charger_actual_current": 5.0, "charger_power": 3.0}
    found = detected(
        BEFORE,
        *charging(0, 60),
        sample(65, "Complete", 10.0),
        *(sample(minute, "Charging", 10.0, **heat) for minute in range(400, 421, 5)),
        sample(422, "Disconnected", 10.0),
    )
    session = only(found)
    assert session["segments"] == 1
    assert session["energy_added_kwh"] == pytest.approx(10.0)
    assert session["idle_energy_used_kwh"] == pytest.approx(3.45 * 20 / 60)
    assert session["energy_used_kwh"] == pytest.approx(11.04)


@pytest.mark.parametrize("state", ["Complete", "Stopped", "NoPower"])
def test_power_in_any_other_state_is_not_charging(state: str) -> None:
    # 15 minutes at 2 kW, as the charger says.
    heat: dict[str, Any] = {"charger_power": 2.0}
    found = detected(
        BEFORE,
        *(sample(minute, state, 9.0, 80, **heat) for minute in range(0, 16, 5)),
        sample(20, "Disconnected", 9.0, 80),
    )
    session = only(found)
    assert (session["segments"], session["energy_added_kwh"]) == (0, 0.0)
    assert session["idle_energy_used_kwh"] == pytest.approx(0.5)


LEVEL_70 = charging(0, 60, level=70)
ENDS = {
    "complete": ([sample(65, "Complete", 10.0, 80)], "completed"),
    "unplugged while charging": ([], "completed"),
    "stopped": ([sample(65, "Stopped", 10.0, 70)], "completed"),
    "power lost": ([sample(65, "NoPower", 10.0, 70)], "interrupted"),
    "power lost, then stopped": (
        [sample(65, "NoPower", 10.0, 70), sample(70, "Stopped", 10.0, 70)],
        "interrupted",
    ),
    "power lost one percent below": ([sample(65, "NoPower", 10.0, 79)], "completed"),
    "power lost and back": (
        [sample(65, "NoPower", 10.0, 70), *charging(70, 90, 10.0, level=70)],
        "completed",
    ),
}


@pytest.mark.parametrize(("rows", "status"), ENDS.values(), ids=ENDS)
def test_status_is_how_a_plug_in_ended(rows: list[dict[str, Any]], status: str) -> None:
    end = sample(100, "Disconnected", None, None)
    assert only(detected(BEFORE, *LEVEL_70, *rows, end))["status"] == status


@pytest.mark.parametrize(
    "night",
    [datetime(2026, 3, 28, 21, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)],
    ids=["clocks go forward", "clocks go back"],
)
def test_a_night_in_which_clocks_change_is_as_long_as_it_is(night: datetime) -> None:
    rows = frame(BEFORE, *charging(0, 360), sample(365, "Disconnected", 60.0))
    moved = rows.with_columns(pl.col("timestamp") + (night - at(0)))
    session = only(detect(moved))
    # Six hours of charging from 21:00 UTC; the cable is out 365 minutes after it went in.
    assert session["started_at"] == night
    assert session["duration_minutes"] == 365.0
    assert session["energy_added_kwh"] == pytest.approx(60.0)


def test_vehicles_do_not_touch_each_other() -> None:
    one = frame(BEFORE, *charging(0, 60), sample(65, "Disconnected", 10.0))
    other = frame(
        sample(-2, "Disconnected", 1.0), *charging(2, 42), sample(47, "Complete", 7.0)
    ).with_columns(vehicle_id=pl.lit("another"))
    both = detect(pl.concat([one, other]).sort("timestamp"))
    assert_frame_equal(both.sessions, pl.concat([detect(other).sessions, detect(one).sessions]))
    assert_frame_equal(both.pieces, pl.concat([detect(other).pieces, detect(one).pieces]))


def test_capacity_is_the_median_of_energy_over_rise() -> None:
    sessions = pl.DataFrame(
        {
            "vehicle_id": ["car"] * 6,
            "is_inferred": [False, False, False, True, False, False],
            "is_estimated": [False, False, False, False, False, True],
            "start_battery_level": [50, 20, 10, 10, 50, 10],
            "end_battery_level": [80, 70, 90, 90, 60, 90],
            # 70, 74 and 75 kWh; one inferred, one of only 10 % and one estimated.
            "energy_added_kwh": [21.0, 37.0, 60.0, 8.0, 1.0, 80.0],
        }
    )
    assert usable_capacities(sessions).rows() == [("car", 74.0)]


CAPTURED = {
    "ac_complete_model_s_2015": ("completed at 80 %", 15.59, None, False),
    "no_location_firmware_2023_38": ("completed at 80 %", 0.13, None, False),
    "supercharging_100kw": ("charging", 14.54, 100.0, True),
}


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_answer_gives_what_a_person_reads_in_it(name: str) -> None:
    _, energy_kwh, power_kw, is_dc = CAPTURED[name]
    row = decode_vehicle_data(captured(f"vehicle_data/{name}")).row
    known = {column: row[column] for column in SAMPLES if column != "vehicle_id"}
    found = detect(pl.DataFrame([{"vehicle_id": "car"} | known], SAMPLES))
    session = only(found)
    assert session["status"] == "in_progress"
    assert session["energy_added_kwh"] == energy_kwh
    assert session["charge_rate_kw_max"] == power_kw
    assert session["is_dc"] == is_dc
    if is_dc:
        # 14.54 kWh at 100 kW of which 96 arrive took 9.1 minutes.
        before = known["timestamp"] - session["started_at"]
        assert before == pytest.approx(timedelta(minutes=9.09), abs=timedelta(seconds=2))
