"""What the content of a battery cost, by hand: 0.95 of it gets in, and 0.95 of that out."""

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.battery import Ledger, ledger
from tessie_pipeline.domain.battery_costs import with_costs
from tessie_pipeline.domain.battery_frames import NO_LEDGER
from tessie_pipeline.domain.prices import INTERVAL_PRICES, NO_PRICES
from tessie_pipeline_tests.domain.battery_rows import (
    DAY,
    FIRST,
    MIDNIGHT,
    STEP,
    Row,
    batteries,
    intervals,
    windows,
)

EMPTY: Row = {"soc_pct": 0.0}
GRID: Row = {"grid_to_battery_wh": 1000.0}
SOLAR: Row = {"solar_to_battery_wh": 1000.0}
OUT: Row = {"battery_to_home_wh": 475.0}


def prices(*rows: tuple[float | None, float | None]) -> pl.DataFrame:
    """To buy and to sell, one interval after the other."""
    full = [("home", MIDNIGHT + number * STEP, *row, "EUR") for number, row in enumerate(rows)]
    return pl.DataFrame(full, INTERVAL_PRICES, orient="row")


def costed(rows: tuple[Row, ...], *at: tuple[float | None, float | None]) -> Ledger:
    return with_costs(ledger(intervals(*rows), batteries(), windows()), prices(*at))


def closing(found: Ledger, origin: str) -> dict[str, Any]:
    return found.days.filter(origin=origin).row(0, named=True)


def test_grid_energy_costs_what_was_paid_when_it_went_in() -> None:
    found = costed((EMPTY, GRID, GRID, OUT), (1.0, 1.0), (0.2, 1.0), (0.4, 1.0), (9.0, 1.0))
    # 0.20 and 0.40 were paid for 1.9 kWh inside, so 0.60 / 1.9 / 0.95 for a kWh that comes out.
    assert found.mix["grid_cost"][3] == pytest.approx(0.6 / 1.9 / 0.95)
    # Of 1900 Wh 500 are drawn, with 500 / 1900 of the money.
    assert closing(found, "grid")["closing_cost"] == pytest.approx(0.6 * 1400 / 1900)
    assert closing(found, "grid")["closing_priced_wh"] == pytest.approx(1400)


def test_solar_energy_costs_what_its_export_would_have_earned() -> None:
    found = costed((EMPTY, SOLAR, GRID, OUT), (1.0, 1.0), (0.3, 0.08), (0.2, 0.05), (0.3, 0.07))
    assert found.mix["solar_cost"][3] == pytest.approx(0.08 / 0.95 / 0.95)
    assert found.mix["grid_cost"][3] == pytest.approx(0.2 / 0.95 / 0.95)


def test_money_comes_out_with_the_energy_to_the_cent() -> None:
    rows = (EMPTY, GRID, OUT, GRID, OUT)
    found = costed(rows, *[(0.25, None)] * 5)
    out_kwh = found.steps["discharged"] / 1000 * found.mix["grid_share"].fill_null(0)
    left = closing(found, "grid")["closing_cost"]
    assert (out_kwh * found.mix["grid_cost"]).sum() + left == pytest.approx(0.5)


def test_energy_of_unknown_price_has_no_part_in_the_cost_of_the_rest() -> None:
    found = costed((EMPTY, GRID, GRID, OUT), (1.0, 1.0), (0.2, 1.0), (None, 1.0), (1.0, 1.0))
    assert found.mix["grid_cost"][3] == pytest.approx(0.2 / 0.95 / 0.95)
    # 950 of 1900, less the quarter and more that comes out.
    assert closing(found, "grid")["closing_priced_wh"] == pytest.approx(950 * 1400 / 1900)


def test_without_prices_no_cost_is_known() -> None:
    found = with_costs(ledger(intervals(EMPTY, GRID), batteries(), windows()), NO_PRICES)
    assert found.mix["grid_cost"].null_count() == 2
    assert closing(found, "grid")["closing_priced_wh"] == 0


def test_energy_that_only_the_state_of_charge_adds_brings_no_money() -> None:
    # 950 booked, 1150 at least measured: 200 more, which is no jump.
    found = costed((EMPTY, GRID, {"soc_pct": 12.5}), *[(0.2, 0.1)] * 3)
    assert closing(found, "grid")["closing_wh"] == pytest.approx(1150)
    assert closing(found, "grid")["closing_cost"] == pytest.approx(0.2)


def test_each_day_from_the_one_before_is_exactly_all_days_at_once() -> None:
    rows = pl.concat(
        [
            intervals(EMPTY, GRID, SOLAR, OUT),
            intervals(OUT, SOLAR, {"soc_pct": 12.0}, start=MIDNIGHT + DAY),
        ]
    )
    at = pl.concat(
        [
            prices(*[(0.2, 0.1)] * 4),
            prices(*[(0.3, 0.2)] * 3).with_columns(pl.col("timestamp") + DAY),
        ]
    )
    at_once = with_costs(ledger(rows, batteries(), windows(2)), at)
    first = with_costs(ledger(rows, batteries(), windows(1)), at)
    second = with_costs(
        ledger(rows, batteries(), windows(1, FIRST + DAY), first.days), at, first.days
    )
    by_day = pl.concat([first.days, second.days])
    assert_frame_equal(by_day, at_once.days.sort("date", "origin"), check_exact=True)
    assert_frame_equal(pl.concat([first.mix, second.mix]), at_once.mix, check_exact=True)
    assert NO_LEDGER.schema == by_day.schema
