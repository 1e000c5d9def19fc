"""Tesla's history as intervals, against hand sums and a captured answer.

The hand-made site is at UTC, so that its day starts at 0:00.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.flows import (
    daily_totals,
    intervals_from_history,
)
from tessie_pipeline.domain.samples import (
    ENERGY_INTERVALS,
    FLOWS_WH,
    TOTALS_WH,
    UTC_TIME,
)
from tessie_pipeline.tesla.history import ENERGY_FIELDS, decode_energy_history
from tessie_pipeline_tests.tesla.captured import captured_text

MIDNIGHT = datetime(2026, 6, 1, tzinfo=UTC)
FIRST = MIDNIGHT.date()
STEP, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
LATER = MIDNIGHT + 10 * DAY

# What Tesla calls each flow, in the order of FLOWS_WH.
TESLAS = (
    "consumer_energy_imported_from_solar",
    "battery_energy_imported_from_solar",
    "grid_energy_exported_from_solar",
    "consumer_energy_imported_from_battery",
    "grid_energy_exported_from_battery",
    "consumer_energy_imported_from_grid",
    "battery_energy_imported_from_grid",
    "consumer_energy_imported_from_generator",
    "battery_energy_imported_from_generator",
    "grid_energy_exported_from_generator",
)
NOTHING = {TESLAS[0]: 0.0}
"""A bucket in which nothing flows, as far as it says."""
POWERS_OF_TWO = tuple(2.0**n for n in range(10))
"""A value for each flow, such that each sum of some of them is of no others."""


def windows(
    days: int = 1, zone: str = "UTC", start: date = FIRST, site: str = "home"
) -> pl.DataFrame:
    sites = pl.DataFrame({"site_id": [site], "time_zone": [zone]})
    return day_windows(sites, start, start + days * DAY)


def energy(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Buckets at home, from midnight on unless they say when, with Tesla's fields."""
    schema = {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        **dict.fromkeys(ENERGY_FIELDS, pl.Float64()),
    }
    full = [
        {"site_id": "home", "timestamp": MIDNIGHT + number * STEP} | dict(row)
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema)


def charge(*rows: tuple[datetime, float]) -> pl.DataFrame:
    """States of charge at home."""
    schema = {"site_id": pl.String(), "timestamp": UTC_TIME, "soe": pl.Float64()}
    return pl.DataFrame([("home", *row) for row in rows], schema, orient="row")


def history(
    *rows: Mapping[str, Any], received_at: datetime = LATER, days: int = 1, soe: Any = None
) -> pl.DataFrame:
    """The intervals of buckets at home."""
    answers = windows(days).with_columns(received_at=pl.lit(received_at, UTC_TIME))
    return intervals_from_history(energy(*rows), charge() if soe is None else soe, answers)


def intervals(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Intervals at home, from midnight on, fully covered unless they say otherwise."""
    full = [
        {
            "site_id": "home",
            "timestamp": MIDNIGHT + number * STEP,
            "source": "calendar_history_energy",
            "coverage": 1.0,
        }
        | dict(row)
        for number, row in enumerate(rows)
    ]
    return pl.DataFrame(full, ENERGY_INTERVALS)


def the_only(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True) if frame.height == 1 else {"rows": frame.height}


def test_each_flow_and_each_total_of_flows_is_where_it_belongs() -> None:
    found = history(dict(zip(TESLAS, POWERS_OF_TWO, strict=True)))
    assert found.schema == ENERGY_INTERVALS
    assert the_only(found) == dict(zip(FLOWS_WH, POWERS_OF_TWO, strict=True)) | {
        "site_id": "home",
        "timestamp": MIDNIGHT,
        "solar_wh": 1 + 2 + 4,
        "battery_discharged_wh": 8 + 16,
        "grid_imported_wh": 32 + 64,
        "generator_wh": 128 + 256 + 512,
        "home_wh": 1 + 8 + 32 + 128,
        "battery_charged_wh": 2 + 64 + 256,
        "grid_exported_wh": 4 + 16 + 512,
        "residual_wh": 0.0,
        "soc_pct": None,
        "source": "calendar_history_energy",
        "coverage": 1.0,
    }


TESLAS_TOTALS = {
    "solar_energy_exported": "solar_wh",
    "generator_energy_exported": "generator_wh",
    "battery_energy_exported": "battery_discharged_wh",
    "total_battery_charge": "battery_charged_wh",
    "grid_energy_imported": "grid_imported_wh",
    "total_grid_energy_exported": "grid_exported_wh",
    "total_home_usage": "home_wh",
}


@pytest.mark.parametrize("field", TESLAS_TOTALS)
def test_a_total_that_tesla_gives_counts_more_than_the_sum_of_its_flows(field: str) -> None:
    flows = dict(zip(TESLAS, POWERS_OF_TWO, strict=True))
    with_total, without = history(flows | {field: 5000.0}), history(flows)
    name = TESLAS_TOTALS[field]
    assert with_total[name].to_list() == [5000.0]
    more = 5000.0 - without[name].item()
    is_source = name in ("solar_wh", "generator_wh", "battery_discharged_wh", "grid_imported_wh")
    assert with_total["residual_wh"].to_list() == [more if is_source else -more]
    changed = [name, "residual_wh"]
    assert_frame_equal(with_total.drop(changed), without.drop(changed))


def test_totals_without_a_split_are_split_by_us() -> None:
    totals = {
        "solar_energy_exported": 100.0,
        "battery_energy_exported": 0.0,
        "total_battery_charge": 20.0,
        "grid_energy_imported": 0.0,
        "total_grid_energy_exported": 10.0,
        "total_home_usage": 70.0,
    }
    split = dict(zip(TESLAS[:3], (5.0, 6.0, 7.0), strict=True))
    ours, teslas = history(totals, totals | split).rows(named=True)
    assert [ours[flow] for flow in FLOWS_WH[:3]] == [70, 20, 10]
    assert [teslas[flow] for flow in FLOWS_WH[:3]] == [5, 6, 7]
    assert (ours["coverage"], ours["source"], ours["residual_wh"]) == (1, teslas["source"], 0)


def test_a_total_without_a_split_leaves_the_flows_unknown_and_is_not_covered() -> None:
    found = the_only(history({"solar_energy_exported": 7.0, "total_home_usage": 0.0}))
    known = {name: value for name, value in found.items() if value is not None}
    energies = {"solar_wh": 7.0, "home_wh": 0.0, "residual_wh": 7.0}
    assert set(known) == {"site_id", "timestamp", "source", "coverage", *energies}
    assert {name: known[name] for name in energies} == energies
    assert known["coverage"] == 0


def test_a_bucket_that_says_nothing_covers_nothing() -> None:
    found = the_only(history({}))
    assert found["coverage"] == 0
    assert {found[name] for name in (*TOTALS_WH, *FLOWS_WH)} == {None}


def test_a_total_that_is_absent_is_the_sum_of_the_flows_that_are_known_even_when_it_is_zero() -> (
    None
):
    zeros = dict.fromkeys(TESLAS, 0.0)
    assert the_only(history(zeros))["battery_charged_wh"] == 0.0
    only_solar = the_only(history({"consumer_energy_imported_from_solar": 3.0}))
    assert {name: only_solar[name] for name in TOTALS_WH} == dict.fromkeys(TOTALS_WH) | {
        "solar_wh": 3.0,
        "home_wh": 3.0,
    }


@pytest.mark.parametrize(
    ("received_at", "coverages"),
    [
        (MIDNIGHT + 15 * timedelta(minutes=1), [1.0, 1.0, 1.0]),
        (MIDNIGHT + 12 * timedelta(minutes=1), [1.0, 1.0, 0.4]),
        (MIDNIGHT + 10 * timedelta(minutes=1), [1.0, 1.0]),
        (MIDNIGHT + timedelta(seconds=75), [0.25]),
        (MIDNIGHT, []),
        (MIDNIGHT - DAY, []),
    ],
    ids=["all over", "the last runs", "the last begins", "the first runs", "none began", "early"],
)
def test_a_bucket_is_covered_as_far_as_it_had_run_when_the_answer_came(
    received_at: datetime, coverages: list[float]
) -> None:
    found = history(NOTHING, NOTHING, NOTHING, received_at=received_at)
    assert found["coverage"].to_list() == pytest.approx(coverages)
    assert found["timestamp"].to_list() == [MIDNIGHT + n * STEP for n in range(len(coverages))]


def test_each_day_is_covered_by_its_own_answer() -> None:
    answers = windows(days=2).with_columns(
        received_at=pl.Series([MIDNIGHT + 5 * DAY, MIDNIGHT + DAY + STEP / 2], dtype=UTC_TIME)
    )
    rows = [{"timestamp": MIDNIGHT + DAY + n * STEP, **NOTHING} for n in (-1, 0, 1)]
    found = intervals_from_history(energy(*rows), charge(), answers)
    assert found["coverage"].to_list() == [1.0, 0.5]


def test_the_bucket_at_the_next_midnight_and_those_of_other_sites_and_days_are_left_out() -> None:
    rows = [{"timestamp": MIDNIGHT + n * STEP} for n in (-1, 0, 287, 288)]
    found = history(*rows, {"timestamp": MIDNIGHT, "site_id": "cabin"})
    assert found.select("site_id", "timestamp").rows() == [
        ("home", MIDNIGHT),
        ("home", MIDNIGHT + 287 * STEP),
    ]


def test_the_state_of_charge_is_the_one_at_the_intervals_end() -> None:
    soe = charge((MIDNIGHT, 40), (MIDNIGHT + 3 * STEP, 41), (MIDNIGHT + 6 * STEP, 39.5))
    found = history(*({} for _ in range(7)), soe=soe)
    assert found["soc_pct"].to_list() == [None, None, 41.0, None, None, 39.5, None]


def test_each_site_has_a_state_of_charge_of_its_own() -> None:
    at_home = charge((MIDNIGHT + STEP, 40), (MIDNIGHT + 2 * STEP, 41))
    at_the_cabin = charge((MIDNIGHT + STEP, 90)).with_columns(site_id=pl.lit("cabin"))
    rows = [{"site_id": site, "timestamp": MIDNIGHT + n * STEP}
            for site in ("cabin", "home", "hut") for n in (0, 1)]  # fmt: skip
    days = pl.concat([windows(site=site) for site in ("cabin", "home", "hut")])
    found = intervals_from_history(
        energy(*rows),
        pl.concat([at_home, at_the_cabin]),
        days.with_columns(received_at=pl.lit(LATER, UTC_TIME)),
    )
    assert found["soc_pct"].to_list() == [90.0, None, 40.0, 41.0, None, None]


def test_the_state_of_charge_at_midnight_is_the_next_days_and_nothing_before_it() -> None:
    rows = [{"timestamp": MIDNIGHT + DAY + n * STEP} for n in (-2, -1, 2)]
    soe = charge((MIDNIGHT + DAY - STEP, 11), (MIDNIGHT + DAY, 12), (MIDNIGHT + DAY + 3 * STEP, 13))
    both_days = history(*rows, days=2, soe=soe)
    assert both_days["soc_pct"].to_list() == [11.0, None, 13.0]
    assert_frame_equal(history(*rows, days=1, soe=soe), both_days[:2])


def test_the_captured_day_balances_to_the_watt_hour() -> None:
    """Every identity of `fleet_api.md` section 4.4 holds in the intervals."""
    text = captured_text("calendar_history/energy_two_buckets")
    buckets, _ = decode_energy_history(pl.DataFrame({"site_id": ["home"], "body": [text]}))
    answers = windows(1, "Australia/Brisbane", date(2024, 9, 18))
    found = intervals_from_history(
        buckets, charge(), answers.with_columns(received_at=pl.lit(LATER, UTC_TIME))
    )
    assert found["timestamp"].to_list() == [
        datetime(2024, 9, 17, 14, tzinfo=UTC),
        datetime(2024, 9, 17, 22, 45, tzinfo=UTC),
    ]
    assert found.select(TOTALS_WH).rows(named=True) == [
        dict.fromkeys(TOTALS_WH, 0.0) | {"battery_discharged_wh": 36.0, "home_wh": 36.0},
        dict.fromkeys(TOTALS_WH, 0.0)
        | {
            "solar_wh": 724.0,
            "battery_charged_wh": 684.0,
            "grid_exported_wh": 2.0,
            "home_wh": 38.0,
        },
    ]
    flows = [dict.fromkeys(FLOWS_WH, 0.0) for _ in range(2)]
    flows[0] |= {"battery_to_home_wh": 36.0}
    flows[1] |= {"solar_to_home_wh": 38.0, "solar_to_battery_wh": 684.0, "solar_to_grid_wh": 2.0}
    assert found.select(FLOWS_WH).rows(named=True) == flows
    assert found["residual_wh"].to_list() == [0.0, 0.0]
    day = the_only(daily_totals(found, answers))
    assert day["self_consumption_pct"] == pytest.approx(100 * 722 / 724)
    assert day["solar_offset_pct"] == pytest.approx(100 * 38 / 74)
    assert day["coverage_pct"] == pytest.approx(100 * 2 / 288)
