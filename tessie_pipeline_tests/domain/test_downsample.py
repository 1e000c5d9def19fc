"""Samples as hours and days of a clock, and late ones merged: all numbers from hand sums."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.downsample import days_of_hours, hours_of, merged, with_length
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOUR_S = 3600.0
Row = Mapping[str, Any]


def states(*rows: Row, site: str = "home", since: datetime = NOON) -> pl.DataFrame:
    """Samples of a site, each at its `minute` after `since`."""
    full = [
        {"site_id": site, "timestamp": since + row["minute"] * MINUTE}
        | {name: value for name, value in row.items() if name != "minute"}
        for row in rows
    ]
    return pl.DataFrame(full, ENERGY_STATES)


def car_states(*rows: Row) -> pl.DataFrame:
    """Samples of a vehicle, each at its `minute` after noon."""
    full = [
        {"vehicle_id": "car", "timestamp": NOON + row["minute"] * MINUTE}
        | {name: value for name, value in row.items() if name != "minute"}
        for row in rows
    ]
    return pl.DataFrame(full, VEHICLE_STATES)


def clocks(series: Series = ENERGY_SERIES, **zone_of: str) -> pl.DataFrame:
    schema = {series.subject: pl.String(), "time_zone": pl.String()}
    return pl.DataFrame(list(zone_of.items()), schema, orient="row")


def hours(
    samples: pl.DataFrame, following: pl.DataFrame | None = None, zone: str = "UTC"
) -> list[dict[str, Any]]:
    """The hours at home."""
    after = samples.clear() if following is None else following
    found = hours_of(samples, after, ENERGY_SERIES, clocks(home=zone))
    assert found.schema == ENERGY_SERIES.schema
    return found.rows(named=True)


def car_hours(*rows: Row) -> list[dict[str, Any]]:
    samples = car_states(*rows)
    found = hours_of(samples, samples.clear(), VEHICLE_SERIES, clocks(VEHICLE_SERIES, car="UTC"))
    assert found.schema == VEHICLE_SERIES.schema
    return found.rows(named=True)


def hour(at: datetime = NOON, site: str = "home", **figures: Any) -> pl.DataFrame:
    """An hour with these figures, others unknown."""
    row = {"site_id": site, "timestamp": at, "sample_count": 1, "covered_s": HOUR_S} | figures
    return pl.DataFrame([row], ENERGY_SERIES.schema)


def one(known: pl.DataFrame, more: pl.DataFrame) -> dict[str, Any]:
    """The one hour that both are."""
    return merged(known, more, ENERGY_SERIES, HOUR_S).row(0, named=True)


def test_between_samples_power_changes_in_a_straight_line() -> None:
    (row,) = hours(
        states(
            {"minute": 0, "solar_power_w": 600.0},
            {"minute": 6, "solar_power_w": 1200.0},
            {"minute": 16, "solar_power_w": 0.0},
        )
    )
    assert (row["site_id"], row["timestamp"], row["sample_count"]) == ("home", NOON, 3)
    assert row["covered_s"] == 16 * 60
    # 900 W for 6 minutes and 600 W for 10.
    assert row["solar_wh"] == pytest.approx(90 + 100)
    assert row["solar_power_mean_w"] == pytest.approx(190 / (16 / 60))
    assert (row["solar_power_min_w"], row["solar_power_max_w"]) == (0, 1200)
    assert (row["first_at"], row["last_at"]) == (NOON, NOON + 16 * MINUTE)


def test_what_is_above_and_below_zero_is_measured_apart() -> None:
    (row,) = hours(
        states({"minute": 0, "grid_power_w": 900.0}, {"minute": 8, "grid_power_w": -300.0})
    )
    # The line is at zero after 6 of 8 minutes.
    assert row["grid_imported_wh"] == pytest.approx(450 * 6 / 60)
    assert row["grid_exported_wh"] == pytest.approx(150 * 2 / 60)
    assert row["grid_power_mean_w"] == pytest.approx(300)


def test_what_never_crosses_zero_is_nothing_on_its_other_side() -> None:
    (row,) = hours(
        states({"minute": 0, "battery_power_w": -0.1}, {"minute": 7, "battery_power_w": -1e6 / 3})
    )
    assert row["battery_discharged_wh"] == 0.0


def test_a_stretch_is_cut_where_the_hour_ends() -> None:
    first, second = hours(
        states({"minute": 54, "load_power_w": 1000.0}, {"minute": 64, "load_power_w": 2000.0})
    )
    # 1600 W when the hour ends: 1300 W for 6 minutes, then 1800 W for 4.
    assert (first["load_wh"], second["load_wh"]) == pytest.approx((130, 120))
    assert (first["load_power_mean_w"], second["load_power_mean_w"]) == pytest.approx((1300, 1800))
    assert (first["covered_s"], second["covered_s"]) == (360, 240)
    assert (first["sample_count"], second["sample_count"]) == (1, 1)


def test_a_stretch_that_ends_with_the_hour_leaves_nothing_to_the_next() -> None:
    ending = states({"minute": 55, "load_power_w": 600.0})
    next_one = states({"minute": 60, "load_power_w": 600.0})
    (row,) = hours(ending, next_one)
    assert (row["timestamp"], row["load_wh"]) == (NOON, pytest.approx(50))


def test_what_reaches_into_the_next_hour_is_a_row_of_it_without_samples() -> None:
    own, other = hours(
        states({"minute": 58, "solar_power_w": 60.0, "grid_status": "Active"}),
        states(
            {"minute": 63, "solar_power_w": 60.0, "grid_status": "Inactive"},
            {"minute": 65, "solar_power_w": 9999.0},
        ),
    )
    assert (own["covered_s"], other["covered_s"]) == (120, 180)
    assert (own["sample_count"], other["sample_count"]) == (1, 0)
    assert other["timestamp"] == NOON + HOUR
    assert other["solar_wh"] == pytest.approx(3)
    assert other["solar_power_mean_w"] == pytest.approx(60)
    nothing = ("first_at", "last_at", "solar_power_min_w", "solar_power_max_w", "grid_statuses")
    assert {other[name] for name in nothing} == {None}


def test_samples_beside_of_another_site_begin_and_end_no_stretch() -> None:
    own = states({"minute": 5, "solar_power_w": 60.0})
    (row,) = hours(own, states({"minute": 1}, {"minute": 8}, site="cabin"))
    assert row["covered_s"] == 0


def test_samples_beside_begin_and_end_stretches_but_have_none_among_themselves() -> None:
    own = states({"minute": 8, "solar_power_w": 60.0})
    beside = [{"minute": minute, "solar_power_w": 120.0} for minute in (1, 4, 12, 15)]
    (row,) = hours(own, states(*beside))
    # From the 4th minute to the 12th, 60 to 120 W.
    assert (row["sample_count"], row["covered_s"]) == (1, 480)
    assert row["solar_wh"] == pytest.approx(12)


def test_a_sample_of_the_hour_before_leads_into_the_hour() -> None:
    own = states({"minute": 63, "solar_power_w": 60.0})
    before, row = hours(own, states({"minute": 57, "solar_power_w": 60.0}))
    assert (before["sample_count"], before["covered_s"]) == (0, 180)
    assert (row["sample_count"], row["covered_s"]) == (1, 180)
    assert before["solar_wh"] == row["solar_wh"] == pytest.approx(3)


def test_further_apart_than_the_longest_gap_samples_cover_nothing() -> None:
    just = states({"minute": 0, "solar_power_w": 60.0}, {"minute": 10, "solar_power_w": 60.0})
    late = just.with_columns(
        timestamp=pl.when(pl.int_range(pl.len()) == 1)
        .then(pl.col("timestamp") + timedelta(microseconds=1))
        .otherwise("timestamp")
    )
    assert [row["covered_s"] for row in hours(just)] == [600]
    assert [row["covered_s"] for row in hours(late)] == [0]


def test_a_lone_reading_is_kept_but_no_energy_made_of_it() -> None:
    (row,) = hours(states({"minute": 5, "load_power_w": 400.0, "battery_percentage": 81.0}))
    assert (row["sample_count"], row["covered_s"]) == (1, 0)
    assert (row["load_power_mean_w"], row["load_power_min_w"]) == (400, 400)
    assert (row["battery_percentage_first_pct"], row["battery_percentage_last_pct"]) == (81, 81)
    assert row["load_wh"] is None


def test_readings_without_a_stretch_have_their_plain_mean() -> None:
    rows = (
        {"minute": minute, "load_power_w": power} for minute, power in ((5, 400.0), (40, 100.0))
    )
    assert [row["load_power_mean_w"] for row in hours(states(*rows))] == [250]


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_is_unknown_takes_part_in_nothing(unknown: float | None) -> None:
    (row,) = hours(
        states(
            {"minute": 0, "solar_power_w": 100.0, "load_power_w": unknown},
            {"minute": 5, "solar_power_w": 200.0, "load_power_w": unknown},
            {"minute": 10, "solar_power_w": unknown, "load_power_w": unknown},
            {"minute": 15, "solar_power_w": 900.0, "load_power_w": unknown},
        )
    )
    assert row["covered_s"] == 900
    assert (row["solar_power_mean_w"], row["solar_wh"]) == pytest.approx((150, 12.5))
    assert (row["solar_power_min_w"], row["solar_power_max_w"]) == (100, 900)
    assert [row[f"load_power_{kind}_w"] for kind in ("min", "mean", "max")] == [None] * 3
    assert row["load_wh"] is None


def test_first_and_last_are_those_of_time_that_are_known() -> None:
    (row,) = hours(
        states(
            {"minute": 50, "battery_percentage": None},
            {"minute": 20, "battery_percentage": 30.0},
            {"minute": 10, "battery_percentage": None},
            {"minute": 40, "battery_percentage": 10.0},
            {"minute": 30, "battery_percentage": 90.0},
        )
    )
    assert (row["battery_percentage_first_pct"], row["battery_percentage_last_pct"]) == (30, 10)


def test_the_states_seen_are_in_order_and_once() -> None:
    seen = ["up", "down", None, "up"]
    (row,) = hours(states(*({"minute": n, "grid_status": text} for n, text in enumerate(seen))))
    assert row["grid_statuses"] == "down+up"
    assert row["island_statuses"] is None


def test_sites_do_not_mix_and_come_in_order() -> None:
    both = pl.concat(
        [
            states({"minute": 6, "solar_power_w": 100.0}, site="home"),
            states(*({"minute": n, "solar_power_w": 300.0} for n in (0, 6, 65)), site="cabin"),
            states({"minute": 0, "solar_power_w": 100.0}, site="home"),
        ]
    )
    found = hours_of(both, both.clear(), ENERGY_SERIES, clocks(home="UTC", cabin="UTC"))
    assert found.select("site_id", "timestamp", "solar_wh").rows() == [
        ("cabin", NOON, pytest.approx(30)),
        ("cabin", NOON + HOUR, None),
        ("home", NOON, pytest.approx(10)),
    ]


def test_a_subject_without_a_time_zone_is_named() -> None:
    samples = states({"minute": 0})
    with pytest.raises(ValueError, match="site_id home has no time zone"):
        hours_of(samples, samples.clear(), ENERGY_SERIES, clocks(cabin="UTC"))


@pytest.mark.parametrize(
    ("zone", "at", "start"),
    [
        ("Europe/Berlin", "2026-06-01 12:10", "2026-06-01 12:00"),
        ("Asia/Kolkata", "2026-06-01 12:10", "2026-06-01 11:30"),
        ("Asia/Kathmandu", "2026-06-01 12:10", "2026-06-01 11:15"),
        ("America/St_Johns", "2026-06-01 12:35", "2026-06-01 12:30"),
        # The hours of Berlin before and after its clock is put forward, and those it repeats.
        ("Europe/Berlin", "2026-03-29 00:59", "2026-03-29 00:00"),
        ("Europe/Berlin", "2026-03-29 01:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-10-25 00:59", "2026-10-25 00:00"),
        ("Europe/Berlin", "2026-10-25 01:00", "2026-10-25 01:00"),
        # Lord Howe puts its clock forward by half an hour at 2:00, which is 15:30 UTC.
        ("Australia/Lord_Howe", "2026-10-03 15:29", "2026-10-03 14:30"),
        ("Australia/Lord_Howe", "2026-10-03 15:30", "2026-10-03 15:30"),
        ("Australia/Lord_Howe", "2026-10-03 16:00", "2026-10-03 16:00"),
    ],
)
def test_hours_are_those_of_the_clock(zone: str, at: str, start: str) -> None:
    time, expected = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, start))
    (row,) = hours(states({"minute": 0}, since=time), zone=zone)
    assert row["timestamp"] == expected


def test_each_site_has_its_own_clock() -> None:
    rows = ({"minute": 25, "load_power_w": 60.0}, {"minute": 35, "load_power_w": 60.0})
    both = pl.concat([states(*rows, site="delhi"), states(*rows, site="paris")])
    found = hours_of(
        both, both.clear(), ENERGY_SERIES, clocks(delhi="Asia/Kolkata", paris="Europe/Paris")
    )
    half = NOON + 30 * MINUTE
    assert found.select("site_id", "timestamp", "covered_s").rows() == [
        ("delhi", half - HOUR, 300),
        ("delhi", half, 300),
        ("paris", NOON, 600),
    ]


def test_a_flag_holds_until_the_next_sample() -> None:
    first, second = car_hours(
        {"minute": 40, "is_locked": True, "sentry_mode": None},
        {"minute": 45, "is_locked": False, "sentry_mode": None},
        {"minute": 52, "is_locked": True, "sentry_mode": None},
        {"minute": 63, "is_locked": None, "sentry_mode": True},
        {"minute": 66, "is_locked": True, "sentry_mode": True},
    )
    assert (first["locked_s"], second["locked_s"]) == ((5 + 8) * 60, 3 * 60)
    assert (first["sentry_mode_s"], second["sentry_mode_s"]) == (None, 3 * 60)


def test_a_drive_and_a_stop_have_the_speed_and_the_energies_of_the_drive() -> None:
    (row,) = car_hours(
        {"minute": 0, "speed": 30.0, "power": 20.0, "battery_level": 71, "firmware": "2026.8",
         "shift_state": "D"},
        {"minute": 6, "speed": 60.0, "power": -10.0, "battery_level": 70, "firmware": "2026.8",
         "shift_state": "D"},
        {"minute": 18, "speed": None, "power": 0.0, "battery_level": 70, "firmware": "2026.9",
         "shift_state": None},
    )  # fmt: skip
    assert (row["speed_mean_mph"], row["speed_max_mph"]) == (pytest.approx(45), 60)
    # 20 kW to zero in 4 minutes, zero to -10 kW in 2, and back in 12.
    assert row["power_out_kwh"] == pytest.approx(10 * 4 / 60)
    assert row["power_in_kwh"] == pytest.approx(5 * 14 / 60)
    assert (row["battery_level_first_pct"], row["battery_level_last_pct"]) == (71.0, 70.0)
    assert row["battery_level_mean_pct"] == pytest.approx((70.5 * 6 + 70 * 12) / 18)
    assert (row["shift_states"], row["firmware_last"]) == ("D", "2026.9")


def test_no_samples_are_no_hours_and_no_hours_no_days() -> None:
    nothing, zones = ENERGY_STATES.to_frame(), clocks(home="UTC")
    found = hours_of(nothing, nothing, ENERGY_SERIES, zones)
    assert_frame_equal(found, ENERGY_SERIES.schema.to_frame())
    assert_frame_equal(days_of_hours(found, ENERGY_SERIES, zones), found)
    assert_frame_equal(merged(found, found, ENERGY_SERIES, HOUR_S), found)


@pytest.mark.parametrize(
    ("zone", "at", "start", "hours_long"),
    [
        ("UTC", "2026-06-01 23:00", "2026-06-01 00:00", 24),
        ("Europe/Berlin", "2026-06-01 22:00", "2026-06-01 22:00", 24),
        ("Asia/Kolkata", "2026-06-01 18:30", "2026-06-01 18:30", 24),
        ("America/Los_Angeles", "2026-03-08 12:00", "2026-03-08 08:00", 23),
        ("Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", 25),
        # Havana's clock goes from 1:00 back to midnight, Beirut's from midnight to 1:00.
        ("America/Havana", "2026-11-01 05:00", "2026-11-01 04:00", 25),
        ("Asia/Beirut", "2026-03-28 23:00", "2026-03-28 22:00", 23),
    ],
)
def test_a_day_is_stamped_with_its_first_instant(
    zone: str, at: str, start: str, hours_long: int
) -> None:
    time, first = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, start))
    zones = clocks(home=zone)
    days = days_of_hours(hour(time), ENERGY_SERIES, zones)
    assert days["timestamp"].to_list() == [first]
    assert with_length(days, ENERGY_SERIES, zones)["length_s"].to_list() == [hours_long * 3600]


def test_hours_add_up_to_their_day() -> None:
    early: Row = {"first_at": NOON, "last_at": NOON + 50 * MINUTE, "sample_count": 11}
    late: Row = {"first_at": NOON + HOUR, "last_at": NOON + HOUR, "sample_count": 1}
    day = days_of_hours(
        pl.concat(
            [
                hour(NOON + HOUR, **late, covered_s=900.0, solar_wh=1.0, solar_power_mean_w=60.0,
                     solar_power_max_w=70.0, grid_statuses="b+c", energy_left_first_wh=5.0,
                     energy_left_last_wh=4.0),
                hour(**early, covered_s=2700.0, solar_wh=2.0, solar_power_mean_w=20.0,
                     solar_power_max_w=90.0, grid_statuses="a+c", energy_left_first_wh=9.0),
                hour(NOON + 24 * HOUR, solar_wh=50.0),
            ]
        ),
        ENERGY_SERIES,
        clocks(home="UTC"),
    ).row(0, named=True)  # fmt: skip
    assert (day["sample_count"], day["covered_s"], day["solar_wh"]) == (12, 3600, 3)
    assert day["solar_power_mean_w"] == pytest.approx(30)
    assert (day["solar_power_min_w"], day["solar_power_max_w"]) == (None, 90)
    assert (day["first_at"], day["last_at"]) == (NOON, NOON + HOUR)
    assert (day["energy_left_first_wh"], day["energy_left_last_wh"]) == (9, 4)
    assert (day["grid_statuses"], day["load_wh"]) == ("a+b+c", None)


def test_what_there_is_room_for_adds_up() -> None:
    row = one(hour(covered_s=600.0, solar_wh=1.5), hour(covered_s=3000.0, solar_wh=0.1))
    assert (row["covered_s"], row["solar_wh"], row["sample_count"]) == (3600, 1.5 + 0.1, 2)


def test_a_rounding_of_times_that_just_fit_scales_no_energy() -> None:
    first_s, second_s = 2749.061079, 850.938921
    assert HOUR_S - first_s < second_s
    row = one(hour(covered_s=first_s, solar_wh=0.0), hour(covered_s=second_s, solar_wh=0.3))
    assert (row["covered_s"], row["solar_wh"]) == (3600, 0.3)


def test_of_what_comes_late_only_what_there_is_room_for_adds_up() -> None:
    row = one(
        hour(covered_s=2700.0, solar_wh=6.0, solar_power_mean_w=8.0, solar_power_max_w=9.0),
        hour(covered_s=1800.0, solar_wh=4.0, solar_power_mean_w=16.0, solar_power_max_w=20.0),
    )
    # There is room for half of it.
    assert (row["covered_s"], row["solar_wh"], row["sample_count"]) == (3600, 8, 2)
    assert (row["solar_power_mean_w"], row["solar_power_max_w"]) == (pytest.approx(10), 20)


def test_to_an_hour_that_is_full_late_samples_add_no_energy() -> None:
    row = one(hour(solar_wh=6.0), hour(covered_s=60.0, solar_wh=4.0, solar_power_max_w=90.0))
    assert (row["covered_s"], row["solar_wh"], row["solar_power_max_w"]) == (3600, 6, 90)


def test_from_an_hour_that_is_longer_than_others_nothing_is_taken() -> None:
    row = one(hour(covered_s=5400.0, solar_wh=9.0), hour(covered_s=60.0, solar_wh=4.0))
    assert (row["covered_s"], row["solar_wh"]) == (5400, 9)


def test_the_length_may_be_told_by_the_rows() -> None:
    zones, midnight = clocks(home="Europe/Berlin"), datetime(2026, 10, 24, 22, tzinfo=UTC)
    known, more = (hour(midnight, covered_s=time * HOUR_S, load_wh=4.0) for time in (23, 4))
    row = merged(
        known, with_length(more, ENERGY_SERIES, zones), ENERGY_SERIES, pl.col("length_s")
    ).row(0, named=True)
    assert (row["covered_s"], row["load_wh"]) == (25 * HOUR_S, 6)


def test_where_nothing_is_covered_samples_have_equal_weight() -> None:
    row = one(
        hour(covered_s=0.0, sample_count=3, load_power_mean_w=10.0),
        hour(covered_s=0.0, sample_count=1, load_power_mean_w=50.0),
    )
    assert row["load_power_mean_w"] == pytest.approx(20)


def test_what_is_covered_outweighs_lone_samples() -> None:
    row = one(
        hour(covered_s=0.0, sample_count=3, load_power_mean_w=10.0),
        hour(covered_s=300.0, sample_count=1, load_power_mean_w=50.0),
    )
    assert row["load_power_mean_w"] == pytest.approx(50)


def test_samples_that_lie_between_those_known_change_neither_first_nor_last() -> None:
    outer = hour(first_at=NOON, last_at=NOON + 50 * MINUTE, energy_left_first_wh=1.0,
                 energy_left_last_wh=2.0)  # fmt: skip
    inner = hour(first_at=NOON + 9 * MINUTE, last_at=NOON + 9 * MINUTE, energy_left_first_wh=7.0,
                 energy_left_last_wh=7.0)  # fmt: skip
    for row in (one(outer, inner), one(inner, outer)):
        assert (row["energy_left_first_wh"], row["energy_left_last_wh"]) == (1, 2)


def test_rows_of_other_hours_and_sites_stay_as_they_are() -> None:
    known = pl.concat([hour(solar_wh=0.1), hour(NOON + HOUR, solar_wh=0.3)])
    more = pl.concat([hour(NOON - HOUR, solar_wh=0.7), hour(site="cabin", solar_wh=0.9)])
    expected = pl.concat([known, more]).sort("site_id", "timestamp")
    assert_frame_equal(merged(known, more, ENERGY_SERIES, HOUR_S), expected, check_exact=True)
