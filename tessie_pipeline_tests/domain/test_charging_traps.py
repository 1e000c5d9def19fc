"""What is known to go wrong with charging detection, with energies worked out by hand."""

import math
from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.charging import Charging, detect
from tessie_pipeline_tests.domain.charging_samples import at, charging, frame, sample

CAPACITY = pl.DataFrame({"vehicle_id": ["car"], "usable_kwh": [75.0]})


def detected(*rows: dict[str, Any]) -> Charging:
    return detect(frame(*rows), CAPACITY)


def only(charging: Charging) -> dict[str, Any]:
    """The only plug-in."""
    assert charging.sessions.height == 1
    return charging.sessions.row(0, named=True)


def added(charging: Charging) -> list[float]:
    return charging.sessions["energy_added_kwh"].round(6).to_list()


def test_a_counter_that_restarts_at_the_plug_in_counts_from_zero() -> None:
    # 12.3 is left over; at minute 15 it shows 1.25 of this plug-in, at 30 it shows 3.75.
    found = detected(
        sample(0, "Disconnected", 12.3),
        sample(15, "Charging", 1.25),
        sample(30, "Charging", 3.75),
        sample(35, "Complete", 4.0, 80),
        sample(60, "Disconnected", 4.0, 80),
    )
    assert added(found) == [4.0]


def test_a_counter_left_over_from_before_is_not_this_plug_ins() -> None:
    # 12.3 stays until charging begins; then 0.4 and 5.0 are counted.
    found = detected(
        sample(0, "Disconnected", 12.3),
        sample(5, "Stopped", 12.3),
        sample(240, "Charging", 0.4),
        sample(270, "Charging", 5.0),
        sample(300, "Stopped", 5.0),
        sample(600, "Disconnected", 5.0),
    )
    assert added(found) == [5.0]


def test_a_charge_on_the_next_plug_counts_there_though_the_counter_had_risen() -> None:
    # 0.25 kWh at home and 1 kWh elsewhere, of which only these were seen.
    home, elsewhere = detect(
        frame(
            sample(30, "Charging", 0.25, odometer=1000.0),
            sample(55, "Charging", 0.75, odometer=1012.0),
            sample(60, "Charging", 1.0, odometer=1012.0),
        )
    ).sessions["energy_added_kwh"]
    assert (home, elsewhere) == (0.25, 1.0)


def test_a_counter_that_restarts_after_charging_began_on_the_next_plug_still_told_of_the_last() -> (
    None
):
    # 11.9 kWh at home, of which 1.9 were not seen, and 3 elsewhere.
    home, elsewhere = detect(
        frame(
            sample(30, "Charging", 10.0, odometer=1000.0),
            sample(60, "Charging", 11.9, odometer=1012.0),
            sample(62, "Charging", 0.5, odometer=1012.0),
            sample(75, "Charging", 3.0, odometer=1012.0),
        )
    ).sessions["energy_added_kwh"]
    assert (home, elsewhere) == (11.9, 3.0)


def test_slow_charging_from_zero_is_counted_once_however_often_it_is_sampled() -> None:
    # 1.8 kW are 0.03 kWh a minute, too little to be a change; from minute 40 on it is 6 kW.
    slow = charging(5, 40, kw=1.8, step=1)
    fast = charging(41, 60, counter=1.05 + 0.1, kw=6.0, step=1)
    found = detected(
        sample(0, "Disconnected", 0.0), sample(2, "Stopped", 0.0), *slow, *fast,
        sample(61, "Complete", 3.05, 80), sample(90, "Disconnected", 3.05, 80),
    )  # fmt: skip
    assert added(found) == [3.05]


def test_an_unseen_charge_after_a_plug_in_that_charged_nothing_is_its_own() -> None:
    found = detected(
        sample(0, "Disconnected", 0.0),
        sample(5, "Complete", 0.0, 80),
        sample(60, "Disconnected", 0.0, 80),
        sample(70, "Disconnected", 0.0, 76, odometer=1010.0),
        sample(500, "Disconnected", 5.8, 84, odometer=1010.0),
    )
    assert added(found) == [0.0, 5.8]
    assert found.sessions["is_inferred"].to_list() == [False, True]


@pytest.mark.parametrize(("level", "energies"), [(90, [2.53]), (88, [])])
def test_a_counter_that_moved_a_little_unseen_tells_of_a_charge_if_the_level_rose(
    level: int, energies: list[float]
) -> None:
    found = detected(
        sample(0, "Disconnected", 2.78, 88, shift_state="D"),
        sample(500, "Disconnected", 2.53, level, odometer=1002.0, shift_state="D"),
    )
    assert added(found) == energies


def test_a_gear_beside_a_cable_is_older_than_it() -> None:
    found = detected(
        sample(0, "Disconnected", 0.0, shift_state="D"),
        sample(5, "Charging", 0.5, shift_state="D"),
        sample(10, "Charging", 1.3, shift_state="D"),
        sample(15, "Charging", 2.1),
        sample(20, "Disconnected", 2.9),
    )
    assert added(found) == [2.9]


def test_a_plug_in_that_does_not_charge_has_no_energy_and_no_segment() -> None:
    found = detected(
        sample(0, "Disconnected", 12.3),
        sample(5, "Complete", 12.3, 80),
        sample(300, "Disconnected", 12.3, 80),
    )
    assert added(found) == [0.0]
    assert only(found)["segments"] == 0
    assert found.pieces.is_empty()


def test_a_counter_that_lags_at_the_start_is_not_counted_twice() -> None:
    # The first answer still shows the 12.3 of before; then it counts from zero to 3.
    found = detected(
        sample(0, "Disconnected", 12.3),
        sample(5, "Charging", 12.3),
        sample(10, "Charging", 0.9),
        sample(25, "Complete", 3.0),
        sample(30, "Disconnected", 3.0),
    )
    assert added(found) == [3.0]


def test_a_small_step_down_neither_takes_nor_adds_energy() -> None:
    # 0 to 5.0, down to 4.8, up again to 6.0: 6.0, not 5.0 + 1.2.
    found = detected(
        sample(0, "Disconnected", 9.0),
        sample(5, "Charging", 0.0),
        sample(35, "Charging", 5.0),
        sample(40, "Charging", 4.8),
        sample(45, "Charging", 6.0),
        sample(50, "Disconnected", 6.0),
    )
    assert added(found) == [6.0]


def test_a_restart_within_a_plug_in_adds_both_counts() -> None:
    # 8.0 before and 3.0 after the restart.
    found = detected(
        sample(0, "Disconnected", 20.0),
        sample(5, "Charging", 0.4),
        sample(60, "Charging", 8.0),
        sample(70, "Charging", 0.5),
        sample(90, "Charging", 3.0),
        sample(95, "Disconnected", 3.0),
    )
    assert added(found) == [11.0]


@pytest.mark.parametrize("state", ["Charging", "Complete"])
def test_a_counter_that_falls_to_zero_for_a_moment_restarts_nothing(state: str) -> None:
    found = detected(
        sample(0, "Disconnected", 20.0),
        sample(5, "Charging", 0.4),
        sample(60, "Charging", 8.0),
        sample(65, state, 0.0),
        sample(70, state, 8.2),
        sample(95, "Disconnected", 8.2),
    )
    assert added(found) == [8.2]


def test_a_counter_of_zero_while_unplugged_is_no_counter() -> None:
    found = detected(
        sample(0, "Disconnected", 20.0),
        sample(5, "Disconnected", 0.0),
        sample(10, "Disconnected", 20.0),
        sample(15, "Stopped", 20.0),
        sample(20, "Disconnected", 20.0),
    )
    assert added(found) == [0.0]


def test_a_lifetime_counter_is_not_a_plug_ins() -> None:
    found = detected(
        sample(0, "Disconnected", 20.0),
        sample(5, "Charging", 0.5),
        sample(10, "Charging", 23456.7),
        sample(30, "Charging", 4.5),
        sample(35, "Disconnected", 4.5),
    )
    assert added(found) == [4.5]


def test_a_spike_of_the_counter_is_not_energy() -> None:
    # 95 kWh in five minutes would be 1140 kW.
    found = detected(
        sample(0, "Disconnected", 20.0),
        sample(5, "Charging", 0.5),
        sample(10, "Charging", 95.5),
        sample(15, "Charging", 2.0),
        sample(35, "Disconnected", 2.0),
    )
    assert added(found) == [2.0]


def stuck(*after: tuple[int, float, int]) -> Charging:
    """A counter at zero for 37 minutes, in which the level rises from 50 to 58 %."""
    zeros = [sample(minute, "Charging", 0.0, 50 + minute * 8 // 37) for minute in range(0, 38)]
    return detected(
        sample(-1, "Disconnected", 9.0),
        *zeros,
        *(sample(minute, "Charging", counter, level) for minute, counter, level in after),
        sample(98, "Disconnected", after[-1][1], after[-1][2]),
    )


def test_a_stuck_counter_that_catches_up_is_right_in_the_end() -> None:
    # The jump to 6.2 kWh is spread over the 38 minutes that it took.
    found = stuck((38, 6.2, 58), (97, 16.2, 71))
    assert added(found) == [16.2]
    in_half_an_hour = found.pieces.filter(pl.col("end") <= at(30))["energy_added_kwh"].sum()
    assert in_half_an_hour == pytest.approx(6.2 * 30 / 38)


def test_a_stuck_counter_that_never_catches_up_is_completed_from_the_state_of_charge() -> None:
    # 8 % of 75 kWh are 6 kWh up to the counter's first step, of which it counted 0.1;
    # from 0.1 to 10.0 it counted 9.9 more.
    found = stuck((38, 0.1, 58), (97, 10.0, 71))
    assert added(found) == [15.9]


def test_a_stuck_counter_is_left_as_it_is_without_a_capacity() -> None:
    rows = [sample(minute, "Charging", 0.0, 50 + minute // 4) for minute in range(0, 37)]
    found = detect(frame(*rows, sample(38, "Charging", 0.1, 59)))
    assert added(found) == [0.1]


def test_a_counter_that_is_missing_for_a_while_loses_nothing() -> None:
    found = detected(
        sample(0, "Disconnected", 9.0),
        sample(5, "Charging", None),
        sample(20, "Charging", None),
        sample(35, "Charging", 5.0),
        sample(50, "Charging", None),
        sample(65, "Disconnected", 8.0),
    )
    assert added(found) == [8.0]


def test_a_car_without_a_counter_is_measured_by_its_state_of_charge() -> None:
    # 50 to 60 % of 75 kWh.
    rows = [sample(5 + 6 * n, "Charging", None, 50 + n) for n in range(11)]
    found = detected(sample(0, "Disconnected", None), *rows, sample(70, "Disconnected", None, 60))
    assert added(found) == [7.5]
    assert found.pieces["energy_added_kwh"].sum() == pytest.approx(7.5)


def test_without_counter_and_capacity_energy_is_unknown() -> None:
    rows = [sample(5 + 6 * n, "Charging", None, 50 + n) for n in range(11)]
    found = detect(frame(*rows))
    assert found.sessions["energy_added_kwh"].to_list() == [None]


def test_a_night_with_two_segments_is_one_plug_in() -> None:
    # Plugged in at 20:00; 03:00 to 03:35 at 10 kW is 5.83; from 06:00 to 06:30 another 5.0.
    found = detected(
        sample(-5, "Disconnected", 22.0, 40),
        *(sample(minute, "Stopped", 22.0, 40) for minute in range(0, 420, 60)),
        *charging(420, 455, 0.0),
        *(sample(minute, "Stopped", 5.83, 48) for minute in range(460, 600, 20)),
        *charging(600, 630, 5.83),
        sample(640, "Complete", 10.83, 55),
        sample(700, "Disconnected", 10.83, 55),
    )
    night = only(found)
    assert night["started_at"] == at(0)
    assert night["ended_at"] == at(700)
    assert night["energy_added_kwh"] == pytest.approx(10.83)
    assert found.segments["started_at"].to_list() == [at(420), at(600)]
    assert found.segments["ended_at"].to_list() == [at(455), at(630)]
    assert found.segments["energy_added_kwh"].round(6).to_list() == [5.83, 5.0]


def test_charge_on_solar_reconciles_to_the_counter_though_starts_are_missed() -> None:
    # On for 4 of 10 minutes at 3 kW: 0.2 kWh each; every second start is seen.
    rows, counter = [], 0.0
    for turn in range(12):
        if turn % 2:
            rows.append(sample(10 * turn + 2, "Charging", round(counter + 0.1, 2)))
        counter = round(counter + 0.2, 2)
        rows.append(sample(10 * turn + 7, "Stopped", counter))
    found = detected(
        sample(-3, "Disconnected", 7.0),
        sample(-1, "Stopped", 7.0),
        *rows,
        sample(125, "Disconnected", 2.4),
    )
    assert added(found) == [2.4]
    assert found.segments.height == 12
    assert found.segments["is_inferred"].to_list() == [True, False] * 6
    assert found.segments["energy_added_kwh"].round(6).to_list() == [0.2] * 12


def test_a_charge_where_there_is_no_signal_is_inferred() -> None:
    # 40 to 60 % of 75 kWh, and the counter says the same.
    found = detected(
        sample(0, "Disconnected", 3.0, 40),
        sample(480, "Disconnected", 15.0, 60),
    )
    garage = only(found)
    assert garage["is_inferred"]
    assert garage["energy_added_kwh"] == 15.0
    assert (garage["started_at"], garage["ended_at"]) == (at(0), at(480))
    assert (garage["started_after"], garage["ended_by"]) == (at(0), at(480))
    assert garage["status"] == "completed"
    assert found.segments["is_inferred"].to_list() == [True]


def test_a_charge_that_only_the_state_of_charge_shows_is_inferred() -> None:
    # 20 % of 75 kWh.
    found = detected(sample(0, "Disconnected", None, 40), sample(480, "Disconnected", None, 60))
    assert only(found)["is_inferred"]
    assert added(found) == [15.0]
    assert found.pieces["basis"].to_list() == ["soc"]


@pytest.mark.parametrize(
    "after",
    [
        sample(480, "Disconnected", None, 53),
        sample(480, "Disconnected", None, 60, odometer=1010.0),
        sample(480, "Disconnected", None, 60, shift_state="D"),
    ],
    ids=["a pack that warms", "recuperation", "driving"],
)
def test_a_rise_that_may_be_something_else_is_no_charge(after: dict[str, Any]) -> None:
    assert detected(sample(0, "Disconnected", None, 50), after).sessions.is_empty()


def test_a_charge_before_the_first_plugged_sample_belongs_to_the_plug_in() -> None:
    found = detected(
        sample(0, "Disconnected", 3.0, 40),
        sample(480, "Complete", 15.0, 60),
        sample(500, "Disconnected", 15.0, 60),
    )
    assert added(found) == [15.0]
    assert only(found)["started_at"] == at(0)
    assert not only(found)["is_inferred"]
    assert found.segments["is_inferred"].to_list() == [True]


def test_a_gap_of_hours_is_charged_by_the_counter_and_not_covered_at_the_wall() -> None:
    # 20 minutes are measured of 320, at 11.04 kW: 3.68 kWh. The counter goes on over the gap.
    found = detected(
        sample(-5, "Disconnected", 9.0),
        *charging(0, 10, 0.0),
        *charging(310, 320, 21.67),
        sample(321, "Complete", 23.34),
        sample(330, "Disconnected", 23.34),
    )
    session = only(found)
    assert session["energy_added_kwh"] == pytest.approx(23.34)
    assert session["energy_used_kwh"] == pytest.approx(11.04 * 20 / 60)
    assert session["energy_used_coverage_pct"] == pytest.approx(100 * 20 / 320)
    gap = found.pieces.filter(pl.col("energy_used_kwh").is_null()).row(0, named=True)
    assert (gap["start"], gap["end"]) == (at(10), at(310))
    assert gap["basis"] == "counter"
    # 20 kWh at the 90.7 % of the rest: 3.34 kWh were added for 3.68.
    assert gap["energy_kwh"] == pytest.approx(20.0 / (3.34 / 3.68))


PHASES = {
    "one phase": (1, 230.0, 32.0, 7.0, 7.36),
    "three phases reported as two": (2, 230.0, 16.0, 11.0, 11.04),
    "three phases reported as none": (None, 230.0, 16.0, 11.0, 11.04),
    "three phases reported as zero": (0, 230.0, 16.0, 11.0, 11.04),
    "volts between phases": (3, 400.0, 16.0, 11.0, 400 * 16 * math.sqrt(3) / 1000),
    "without power": (2, 230.0, 16.0, None, 11.04),
    "more than a small integer of watts": (1, 230.0, 155.0, 36.0, 35.65),
    "without volts": (1, None, 16.0, 11.0, 11.0),
}


@pytest.mark.parametrize(
    ("phases", "volts", "amps", "power", "expected_kw"), PHASES.values(), ids=PHASES
)
def test_phases_are_corrected(
    phases: int | None, volts: float | None, amps: float, power: float | None, expected_kw: float
) -> None:
    others: dict[str, Any] = {
        "charger_phases": phases,
        "charger_voltage": volts,
        "charger_actual_current": amps,
        "charger_power": power,
    }
    found = detected(sample(-5, "Disconnected", 9.0), *charging(0, 60, **others))
    assert only(found)["charge_rate_kw_max"] == pytest.approx(expected_kw)
    assert only(found)["energy_used_kwh"] == pytest.approx(expected_kw)
    assert not only(found)["is_dc"]


def test_dc_has_no_phases_and_its_power_is_the_chargers() -> None:
    others: dict[str, Any] = {
        "charger_phases": None,
        "charger_voltage": 2.0,
        "charger_actual_current": 0.0,
        "charger_power": 100.0,
        "fast_charger_present": True,
        "fast_charger_type": "Combo",
    }
    found = detected(sample(-5, "Disconnected", 9.0), *charging(0, 30, kw=96.0, **others))
    session = only(found)
    # Half an hour at 100 kW, 48 kWh of them into the battery.
    assert session["is_dc"]
    assert session["phases"] is None
    assert session["energy_used_kwh"] == pytest.approx(50.0)
    assert session["efficiency_pct"] == pytest.approx(96.0)
