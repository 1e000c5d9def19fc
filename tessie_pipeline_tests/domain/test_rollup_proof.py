"""Totals of samples and of their hours by hand, and that no difference goes unnoticed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.downsample import hours_of
from tessie_pipeline.domain.rollup_proof import differences, rollup_totals, sample_totals
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES
from tessie_pipeline.domain.samples import ENERGY_STATES, VEHICLE_STATES

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONES = pl.DataFrame({"site_id": ["home", "cabin"], "time_zone": "Asia/Kolkata"})
ROWS = [(50, 600.0), (58, -200.0), (66, -200.0), (80, 100.0), (84, None), (88, 50.0)]
FIGURES = rollup_totals(ENERGY_SERIES.schema.to_frame(), ENERGY_SERIES).columns[1:]


def states(*rows: tuple[int, float | None], site: str = "home") -> pl.DataFrame:
    """Samples of a site: the minute after noon and the grid's power."""
    full = [
        {"site_id": site, "timestamp": NOON + minute * MINUTE, "grid_power_w": power}
        for minute, power in rows
    ]
    return pl.DataFrame(full, ENERGY_STATES)


def hours(samples: pl.DataFrame) -> pl.DataFrame:
    return hours_of(samples, samples.clear(), ENERGY_SERIES, ZONES)


def totals_by_hand() -> dict[str, Any]:
    """Those of `ROWS`: a stretch crosses zero after 6 of 8 minutes, one is too long."""
    return {
        "sample_count": 6,
        "covered_s": (8 + 8 + 4 + 4) * 60,
        "first_at": NOON + 50 * MINUTE,
        "last_at": NOON + 88 * MINUTE,
        "grid_power_min_w": -200,
        "grid_power_max_w": 600,
        "grid_imported_wh": pytest.approx(300 * 6 / 60),
        "grid_exported_wh": pytest.approx(100 * 2 / 60 + 200 * 8 / 60),
        "load_power_min_w": None,
        "load_wh": None,
    }


def test_samples_come_to_what_their_lines_and_values_are() -> None:
    samples = states(*ROWS)
    row = sample_totals(samples, samples.clear(), ENERGY_SERIES).row(0, named=True)
    expected = totals_by_hand()
    assert {name: row[name] for name in expected} == expected


def test_hours_come_to_the_same() -> None:
    row = rollup_totals(hours(states(*ROWS)), ENERGY_SERIES).row(0, named=True)
    expected = totals_by_hand()
    assert {name: row[name] for name in expected} == expected


def test_samples_beside_begin_or_end_a_stretch_and_count_for_nothing_else() -> None:
    own, beside = states((6, 60.0)), states((0, 120.0), (3, 120.0), (12, 120.0), (15, 9999.0))
    row = sample_totals(own, beside, ENERGY_SERIES).row(0, named=True)
    # Three minutes before it and six after it, at 90 W.
    assert (row["sample_count"], row["covered_s"], row["grid_power_max_w"]) == (1, 540, 60)
    assert row["grid_imported_wh"] == pytest.approx(13.5)
    assert row["first_at"] == row["last_at"]


def test_samples_of_one_time_are_joined_by_no_line() -> None:
    samples = states((0, 60.0), (0, 60.0))
    row = sample_totals(samples, samples.clear(), ENERGY_SERIES).row(0, named=True)
    assert (row["sample_count"], row["covered_s"], row["grid_imported_wh"]) == (2, 0, None)


def test_flags_come_to_the_time_that_they_hold() -> None:
    locked = [(0, True), (5, False), (9, None), (11, True), (40, True)]
    samples = pl.DataFrame(
        [
            {"vehicle_id": "car", "timestamp": NOON + minute * MINUTE, "is_locked": is_locked}
            for minute, is_locked in locked
        ],
        VEHICLE_STATES,
    )
    row = sample_totals(samples, samples.clear(), VEHICLE_SERIES).row(0, named=True)
    assert (row["locked_s"], row["sentry_mode_s"], row["covered_s"]) == (300, None, 660)


def test_totals_that_agree_have_no_differences() -> None:
    samples = pl.concat([states(*ROWS), states((0, 1e7 / 3), (7, -1e-3), site="cabin")])
    of_samples = sample_totals(samples, samples.clear(), ENERGY_SERIES)
    of_hours = rollup_totals(hours(samples), ENERGY_SERIES)
    assert_frame_equal(of_samples.clear(), of_hours.clear())
    assert differences(of_samples, of_hours, ENERGY_SERIES) == []


@pytest.mark.parametrize("figure", FIGURES)
def test_a_difference_in_any_figure_is_told_with_both_values(figure: str) -> None:
    totals = rollup_totals(hours(states(*ROWS)), ENERGY_SERIES).with_columns(
        pl.col(pl.Float64).fill_null(5.0)
    )
    is_time = totals.schema[figure].is_temporal()
    more: Any = timedelta(microseconds=1) if is_time else 1
    other = totals.with_columns(pl.col(figure) + more)
    assert differences(totals, other, ENERGY_SERIES) == [
        f"{figure} of site_id home should be {totals[figure][0]} and is {other[figure][0]}"
    ]


@pytest.mark.parametrize(
    ("figure", "wanted", "given", "is_told"),
    [
        ("load_wh", 1000.0, 1000.0 + 2e-6, True),
        ("load_wh", 1000.0, 1000.0 + 5e-7, False),
        ("load_wh", 0.0, 5e-10, False),
        ("load_wh", 0.0, 2e-9, True),
        ("load_wh", None, 0.0, True),
        ("load_wh", 0.0, None, True),
        ("load_wh", None, None, False),
        ("load_power_max_w", 1000.0, 1000.0 + 1e-9, True),
        ("load_power_max_w", None, 0.0, True),
        ("load_power_max_w", None, None, False),
        ("sample_count", 1_000_000_000, 1_000_000_001, True),
    ],
)
def test_sums_may_be_off_by_roundings_and_nothing_else_may(
    figure: str, wanted: float | None, given: float | None, is_told: bool
) -> None:
    totals = rollup_totals(hours(states(*ROWS)), ENERGY_SERIES)
    kind = totals.schema[figure]
    expected, found = (
        totals.with_columns(pl.lit(value, kind).alias(figure)) for value in (wanted, given)
    )
    assert bool(differences(expected, found, ENERGY_SERIES)) is is_told


def test_a_subject_that_is_missing_or_one_too_many_is_named() -> None:
    home, cabin = (rollup_totals(hours(states(*ROWS, site=site)), ENERGY_SERIES)
                   for site in ("home", "cabin"))  # fmt: skip
    assert differences(home, cabin, ENERGY_SERIES) == [
        "site_id home is missing",
        "site_id cabin should not be there",
    ]


def test_no_rows_have_no_totals_and_no_differences() -> None:
    nothing = ENERGY_STATES.to_frame()
    of_samples = sample_totals(nothing, nothing, ENERGY_SERIES)
    of_hours = rollup_totals(ENERGY_SERIES.schema.to_frame(), ENERGY_SERIES)
    assert_frame_equal(of_samples, of_hours)
    assert differences(of_samples, of_hours, ENERGY_SERIES) == []
