from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tessie_pipeline.domain.charging import detect
from tessie_pipeline.domain.connectors import SEEN, connected, measured_by_connectors
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline_tests.domain.charging_samples import charging, frame, sample

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SPANS = {"vehicle_id": pl.String(), "started_at": UTC_TIME, "ended_at": UTC_TIME}


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def found(
    *seen: tuple[str, float, str, float | None], end: float | None = 120
) -> list[tuple[Any, ...]]:
    """Site and energy of car a's plug-in from noon on, and of b's an hour later."""
    spans = [("a", at(0), None if end is None else at(end)), ("b", at(60), None)]
    rows = [(car, at(minute), site, power_w) for car, minute, site, power_w in seen]
    sessions = pl.DataFrame(spans, SPANS, orient="row")
    return connected(sessions, pl.DataFrame(rows, SEEN, orient="row")).rows()


def test_the_energy_is_the_integral_of_the_power_between_answers() -> None:
    # 0 to 11 kW in 15 minutes: 1.375 kWh; 11 kW for 15: 2.75; down to 0 in 15: 1.375.
    seen = [("a", 45, "home", 0.0), ("a", 0, "home", 0.0), ("a", 15, "home", 11e3),
            ("a", 30, "home", 11e3)]  # fmt: skip
    assert found(*seen) == [("home", pytest.approx(5.5)), (None, None)]


def test_what_lies_between_answers_far_apart_is_not_known() -> None:
    seen = [("a", 0, "home", 6e3), ("a", 10, "home", 6e3), ("a", 40, "home", 6e3)]
    assert found(*seen)[0] == ("home", pytest.approx(1.0))
    assert found(("a", 0, "home", 6e3))[0] == ("home", None)


def test_an_answer_belongs_to_the_plug_in_that_lasts_then() -> None:
    seen = [("a", -5, "cabin", 1e3), ("a", 5, "home", None), ("a", 121, "cabin", 1e3),
            ("b", 70, "cabin", 2e3), ("b", 76, "cabin", 2e3)]  # fmt: skip
    assert found(*seen) == [("home", None), ("cabin", pytest.approx(0.2))]


def test_the_site_is_the_one_that_named_the_vehicle_most_often() -> None:
    seen = [("a", 1, "cabin", 0.0), ("a", 2, "home", 0.0), ("a", 3, "home", 0.0)]
    assert found(*seen, end=None)[0][0] == "home"


@pytest.mark.parametrize(
    ("live_kwh", "used_kwh", "drawn_kwh"),
    [
        # 10 kWh went into the battery of 12.5 from the wall: 80 %.
        pytest.param(12.5, 12.5, 12.5, id="seen all the time"),
        pytest.param(9.0, None, 10.0, id="seen in part"),
        pytest.param(None, None, 10.0, id="never seen"),
    ],
)
def test_where_the_car_tells_no_power_the_connector_does(
    live_kwh: float | None, used_kwh: float | None, drawn_kwh: float
) -> None:
    dark: dict[str, Any] = {
        "charger_power": None,
        "charger_voltage": None,
        "charger_actual_current": None,
    }
    rows = charging(5, 65, kw=10.0, **dark)
    found = detect(frame(sample(0, "Disconnected", 0.0), *rows, sample(90, "Disconnected", 10.0)))
    connectors = pl.DataFrame({"connector_site_id": ["home"], "connector_live_kwh": [live_kwh]})
    measured = measured_by_connectors(found, connectors)
    session = measured.sessions.row(0, named=True)
    assert session["energy_used_kwh"] == used_kwh
    assert session["efficiency_pct"] == (None if used_kwh is None else pytest.approx(80))
    assert measured.pieces["energy_kwh"].sum() == pytest.approx(drawn_kwh)
    assert measured.pieces.columns == found.pieces.columns


def test_what_the_car_measured_itself_stands() -> None:
    rows = charging(5, 65, kw=10.0)
    found = detect(frame(sample(0, "Disconnected", 0.0), *rows, sample(90, "Disconnected", 10.0)))
    connectors = pl.DataFrame({"connector_site_id": ["home"], "connector_live_kwh": [12.5]})
    measured = measured_by_connectors(found, connectors)
    assert measured.sessions.equals(found.sessions)
    assert measured.pieces.equals(found.pieces)
