"""Checks of the battery ledger and of origins find what is broken, by hand numbers."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.attribution_frames import (
    CHARGING_ATTRIBUTION,
    NO_MIX,
    SOLAR_ATTRIBUTION_DAILY,
)
from tessie_pipeline.domain.battery import Ledger
from tessie_pipeline.domain.battery_frames import BATTERY_LEDGER
from tessie_pipeline.domain.ledger_checks import (
    adjustments,
    contents,
    ledger_sums,
    openings,
    origins,
    origins_of_flows,
    states_of_charge,
)
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline_tests.domain.battery_rows import (
    DAY,
    FIRST,
    MIDNIGHT,
    STEP,
    batteries,
    windows,
)
from tessie_pipeline_tests.domain.checked_rows import SPLIT, about, found, ours, worst


def of_ledger(*rows: tuple[date, float, float]) -> pl.DataFrame:
    """A ledger of solar alone: each day's opening, and closing with 100 in, 40 out and 7 lost."""
    columns = ["date", "opening_wh", "closing_wh"]
    return (
        pl.DataFrame(rows, columns, orient="row")
        .with_columns(
            site_id=pl.lit("home"),
            origin=pl.lit("solar"),
            charged_wh=100.0,
            discharged_wh=40.0,
            lost_wh=7.0,
            adjusted_wh=-3.0,
        )
        .match_to_schema(BATTERY_LEDGER, missing_columns="insert", integer_cast="upcast")
        .select(BATTERY_LEDGER.names())
    )


def test_a_ledger_that_does_not_add_up_is_found() -> None:
    # 500 + 100 - 40 - 7 - 3 = 550.
    assert ledger_sums(of_ledger((FIRST, 500.0, 550.0))).odd == 0
    finding = ledger_sums(of_ledger((FIRST, 500.0, 548.0)))
    assert found(finding) == (1, 1, "closing (solar)", about(2), about(0))


def test_a_day_that_opens_otherwise_than_the_last_one_closed_is_found() -> None:
    second, third = FIRST + DAY, FIRST + 3 * DAY
    closed = [(FIRST, 500.0, 550.0), (second, 550.0, 600.0)]
    assert openings(of_ledger(*closed, (third, 600.0, 650.0))[::-1]).odd == 0
    finding = openings(of_ledger(*closed, (third, 590.0, 640.0)))
    assert found(finding)[:4] == (2, 1, "opening (solar)", 10)
    assert worst(finding)["at"] == "2026-06-04"


def steps(*after: tuple[float, float | None]) -> pl.DataFrame:
    """Steps of a ledger: solar content after each and what the state of charge says [Wh]."""
    rows = [("home", MIDNIGHT + number * STEP, *row) for number, row in enumerate(after)]
    schema = {
        "site_id": pl.String(),
        "timestamp": UTC_TIME,
        "after_solar": pl.Float64(),
        "measured": pl.Float64(),
    }
    return pl.DataFrame(rows, schema, orient="row").with_columns(after_unknown=pl.lit(500.0))


def test_a_content_is_between_zero_and_the_capacity() -> None:
    assert contents(steps((-500.0, None), (9500.0, None)), batteries()).odd == 0
    above = contents(steps((9501.0, None), (100.0, None)), batteries())
    assert found(above) == (2, 1, "above the capacity", 10_001, about(10_000.01))
    below = contents(steps((-501.0, None), (100.0, None)), batteries())
    assert found(below) == (2, 1, "below zero", -1, about(0))


def test_a_battery_of_unknown_capacity_holds_anything_but_less_than_nothing() -> None:
    assert contents(steps((1e6, None)), batteries(None)).odd == 0
    assert contents(steps((-501.0, None)), batteries(None)).odd == 1


def test_a_content_away_from_the_state_of_charge_is_found() -> None:
    # 5,000 Wh are 50 % of 10 kWh; 5,200 are 2 % more.
    finding = states_of_charge(
        steps((4500.0, 5000.0), (4700.0, 5000.0), (4500.0, None)), batteries()
    )
    assert found(finding) == (2, 1, "content less state of charge", about(2), about(1))


def day_of(steps: int, *corrections: float, **columns: float) -> Ledger:
    """A ledger of a day with so many steps, of which the first are corrected.

    In each the battery takes in 9 and gives out 4 Wh. Columns of the day may be others.
    """
    day = of_ledger((FIRST, 500.0, 550.0)).with_columns(**columns)
    every = pl.DataFrame({"site_id": ["home"] * steps, "date": [FIRST] * steps}).with_columns(
        pl.Series("after_solar", [*corrections, *[0] * (steps - len(corrections))], pl.Float64)
        + 505,
        before_solar=500.0,
        stored_solar=9.0,
        drawn=4.0,
    )
    return Ledger(day, NO_MIX, every)


def test_a_day_that_the_state_of_charge_corrects_by_much_is_found() -> None:
    # 140 Wh passed: 14 of them and 2 % of 10 kWh are allowed.
    assert adjustments(day_of(288, -200, 14), batteries()).odd == 0
    finding = adjustments(day_of(276, -215), batteries())
    assert found(finding) == (1, 1, "adjusted", 215, about(214))


def test_corrections_up_and_down_do_not_make_up_for_each_other() -> None:
    finding = adjustments(day_of(288, 300, -300), batteries())
    assert found(finding) == (1, 1, "adjusted", 600, about(214))


def test_a_day_that_lacks_an_hour_may_be_corrected() -> None:
    assert adjustments(day_of(270, -5000), batteries()).checked == 0


def test_an_idle_battery_of_unknown_capacity_is_not_odd() -> None:
    idle = day_of(288, charged_wh=0.0, discharged_wh=0.0)
    finding = adjustments(idle, batteries(None))
    assert (finding.checked, finding.odd) == (1, 0)


def attribution(**columns: Any) -> pl.DataFrame:
    row = {"site_id": "home", "date": FIRST, "policy": "ev_last"} | SPLIT | columns
    return pl.DataFrame([row], SOLAR_ATTRIBUTION_DAILY)


@pytest.mark.parametrize(
    ("broken", "what", "kwh"),
    [
        ({"from_grid_kwh": 2.5}, "energy", 0.5),
        ({"from_generator_kwh": 1.0}, "energy", 1),
        ({"unattributed_kwh": 0.0}, "energy", 2),
        ({"solar_kwh": 4.0}, "solar", 1),
    ],
    ids=["too little", "too much", "nothing unattributed", "solar without the battery"],
)
def test_origins_that_do_not_add_up_to_their_energy_are_found(
    broken: dict[str, float], what: str, kwh: float
) -> None:
    rows = pl.concat([attribution(), attribution(**broken)])
    assert found(origins(rows)) == (2, 1, f"{what} (ev_last)", about(kwh), about(0))


def test_a_session_whose_origins_do_not_add_up_is_found_by_its_car_and_start() -> None:
    row = {"vehicle_id": "car", "session_started_at": MIDNIGHT, "policy": "ev_last"} | SPLIT
    rows = pl.DataFrame([row, row | {"energy_kwh": 11.0}], CHARGING_ATTRIBUTION)
    finding = origins(rows, "vehicle_id", "session_started_at")
    assert found(finding) == (2, 1, "energy (ev_last)", about(1), about(0))
    assert (worst(finding)["subject_id"], worst(finding)["at"]) == ("car", "2026-06-01 00:00 UTC")


def test_an_energy_of_which_nothing_is_known_is_all_unattributed() -> None:
    unknown = dict.fromkeys(SPLIT) | {"energy_kwh": 3.0, "unattributed_kwh": 3.0}
    assert origins(attribution(**unknown)).odd == 0


def test_more_solar_than_came_to_the_home_is_found() -> None:
    flows = {"solar_to_home_wh": 4000.0, "battery_to_home_wh": 1000.0, "grid_to_home_wh": 3000.0}
    rows = attribution(policy="proportional")
    assert origins_of_flows(rows, ours(flows), windows()).odd == 0
    finding = origins_of_flows(rows, ours(flows | {"solar_to_home_wh": 3500.0}), windows())
    assert found(finding) == (1, 1, "solar (proportional)", about(0.5), about(0))


def test_solar_may_pass_for_grid_energy_only_where_the_car_comes_last() -> None:
    flows = {"solar_to_home_wh": 4500.0, "battery_to_home_wh": 1000.0, "grid_to_home_wh": 2500.0}
    assert origins_of_flows(attribution(), ours(flows), windows()).odd == 0
    rows = attribution(policy="solar_to_ev_first")
    assert origins_of_flows(rows, ours(flows), windows()).odd == 1
    more = origins_of_flows(attribution(), ours(flows | {"grid_to_home_wh": 3000.0}), windows())
    assert found(more) == (1, 1, "solar and grid (ev_last)", about(0.5), about(0))
