from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.charging import Charging, detect
from tessie_pipeline.domain.connectors import SEEN, connected, measured_by_connectors
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline_tests.domain.charging_samples import EVENING, charging, frame, sample

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


DARK: dict[str, Any] = {
    "charger_power": None,
    "charger_voltage": None,
    "charger_actual_current": None,
}


@cache
def charged(*, is_dark: bool = False, step: int = 5) -> Charging:
    """An hour from five past on, in which 10 kWh go into the battery of car "car"."""
    told = DARK if is_dark else {}
    rows = charging(5, 65, kw=10.0, step=step, **told)
    return detect(frame(sample(0, "Disconnected", 0.0), *rows, sample(90, "Disconnected", 10.0)))


def answers(*powers: tuple[float, float | None]) -> pl.DataFrame:
    """What a connector said of the car, by minutes after 20:00 [kW]."""
    rows = [
        ("car", EVENING + timedelta(minutes=minute), "home", None if kw is None else 1000 * kw)
        for minute, kw in powers
    ]
    return pl.DataFrame(rows, SEEN, orient="row")


def steadily(kw: float, first: int = 5, last: int = 65, step: int = 10) -> pl.DataFrame:
    return answers(*((minute, kw) for minute in range(first, last + 1, step)))


def measured(found: Charging, seen: pl.DataFrame) -> Charging:
    return measured_by_connectors(found, connected(found.sessions, seen), seen)


def drawn_kwh(found: Charging, start: float, end: float) -> float:
    """What was drawn from one minute after 20:00 to another, at the same power within a piece."""
    first, last = (pl.lit(EVENING + timedelta(minutes=minute)) for minute in (start, end))
    within = pl.min_horizontal("end", last) - pl.max_horizontal("start", first)
    share = (within / (pl.col("end") - pl.col("start"))).clip(0)
    return float(found.pieces.select(pl.col("energy_kwh") * share).sum().item())


def test_the_pieces_follow_the_power_of_a_connector_that_was_seen_all_the_time() -> None:
    # 12 kW for half an hour, down to 6 in a quarter, 6 for a quarter: 6 + 2.25 + 1.5 kWh.
    seen = answers(
        (5, 12), (15, 12), (25, 12), (35, 12), (42.5, 9), (50, 6), (57.5, 6), (65, 6)
    )  # fmt: skip
    found = measured(charged(), seen)
    assert drawn_kwh(found, 5, 35) == pytest.approx(6)
    assert drawn_kwh(found, 35, 50) == pytest.approx(2.25)
    assert drawn_kwh(found, 50, 65) == pytest.approx(1.5)
    assert found.pieces["energy_kwh"].sum() == pytest.approx(9.75)
    assert found.pieces["basis"].unique().to_list() == ["connector"]


def test_what_the_car_told_of_its_session_stands_beside_the_connector() -> None:
    before = charged()
    found = measured(before, steadily(12.0))
    assert found.sessions.equals(before.sessions)
    for name in ("energy_added_kwh", "energy_used_kwh"):
        assert found.pieces[name].sum() == pytest.approx(before.pieces[name].sum())


def test_before_its_first_and_after_its_last_answer_a_connector_gave_what_they_say() -> None:
    # The hour from 5 to 65 at 12 kW, of which answers show 40 minutes.
    found = measured(charged(), steadily(12.0, first=15, last=55))
    assert found.pieces["energy_kwh"].sum() == pytest.approx(12)


def test_a_charge_does_not_begin_or_end_gradually() -> None:
    # The first and last answer are seconds off: 12 kW all the time.
    powers = [(minute, 12.0) for minute in range(10, 61, 10)]
    seen = answers((5, 0), *powers, (65, 0))
    assert measured(charged(), seen).pieces["energy_kwh"].sum() == pytest.approx(12)


def test_where_the_car_tells_no_power_the_connector_tells_the_energy_from_the_wall() -> None:
    session = measured(charged(is_dark=True), steadily(12.5)).sessions.row(0, named=True)
    # 10 kWh went into the battery of 12.5 from the wall.
    assert session["energy_used_kwh"] == pytest.approx(12.5)
    assert session["efficiency_pct"] == pytest.approx(80)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(answers((5, 12), (35, 12), (65, 12)), id="half an hour between answers"),
        pytest.param(steadily(12.0, first=35), id="first seen after half an hour"),
        pytest.param(steadily(12.0, last=40), id="last seen half an hour before the end"),
        pytest.param(answers((5, None), (20, None), (35, None), (50, None)), id="without a power"),
        pytest.param(steadily(0.0), id="no power"),
        # 9 kWh for 10 in the battery.
        pytest.param(steadily(9.0), id="less than came out"),
        pytest.param(answers(), id="never seen"),
    ],
)
@pytest.mark.parametrize("is_dark", [True, False], ids=["dark", "told"])
def test_a_connector_that_was_not_seen_all_the_time_changes_nothing(
    seen: pl.DataFrame, is_dark: bool
) -> None:
    before = charged(is_dark=is_dark)
    found = measured(before, seen)
    assert found.sessions.equals(before.sessions)
    assert found.pieces.equals(before.pieces)


def test_answers_a_quarter_of_an_hour_apart_tell_more_than_a_car_that_tells_nothing() -> None:
    sparse = steadily(12.0, step=15)
    assert measured(charged(is_dark=True), sparse).pieces["energy_kwh"].sum() == pytest.approx(12)
    told = charged()
    assert measured(told, sparse).pieces.equals(told.pieces)


def test_of_a_plug_in_that_nobody_saw_the_connector_tells_when_it_charged() -> None:
    """Between 20:00 and 03:00 the car is not seen; its connector names it from 22:00 to 1:00."""
    unseen = detect(frame(sample(0, "Disconnected", 0.0), sample(420, "Disconnected", 10.0)))
    assert unseen.sessions["is_inferred"].all()
    powers = [(120, 0.0), (135, 0.0), *((minute, 11.0) for minute in range(150, 196, 15))]
    quiet = [(minute, 0.0) for minute in range(210, 301, 15)]
    found = measured(unseen, answers(*powers, *quiet))
    # Up to 11 kW in a quarter of an hour, three quarters of an hour of it, and down: 11 kWh.
    assert found.pieces["energy_kwh"].sum() == pytest.approx(11)
    assert drawn_kwh(found, 135, 210) == pytest.approx(11)
    assert drawn_kwh(found, 150, 195) == pytest.approx(11 * 0.75)
    assert found.sessions["energy_used_kwh"].item() == pytest.approx(11)


def test_two_plug_ins_are_measured_each_by_itself() -> None:
    second = charging(125, 185, kw=10.0)
    rows = [*charging(5, 65, kw=10.0), sample(90, "Disconnected", 10.0, odometer=1001.0)]
    first = frame(sample(0, "Disconnected", 0.0), *rows)
    both = detect(
        pl.concat([first, frame(*second, sample(200, "Disconnected", 10.0, odometer=1001.0))])
    )
    found = measured(both, steadily(12.0))
    assert found.sessions.height == 2
    basis = found.pieces.group_by("session_started_at").agg(pl.col("basis").unique())
    assert basis.sort("session_started_at")["basis"].to_list() == [["connector"], ["wall"]]


minutes = st.lists(st.integers(6, 64), min_size=3, max_size=20, unique=True)
powers, some_power = st.floats(0, 20), st.floats(0.1, 20)


@st.composite
def polls(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Answers from before the charge to after it, none further apart than is known of."""
    between = draw(minutes)
    times = sorted({15, 25, 35, 45, 55, *between})
    first, last = draw(some_power), draw(some_power)
    return [(5, first), *((minute, draw(powers)) for minute in times), (65, last)]


def integral_kwh(curve: list[tuple[float, float]], start: float, end: float) -> float:
    """The energy from one minute to another of the power that changes evenly between answers."""
    inside = [start, *(minute for minute, _ in curve if start < minute < end), end]
    steps = ((b - a) * (power(curve, a) + power(curve, b)) / 2 for a, b in pairwise(inside))
    return sum(steps) / 60


def power(curve: list[tuple[float, float]], minute: float) -> float:
    """The power at a minute [kW]."""
    right = next(i for i, (later, _) in enumerate(curve) if later >= minute and i > 0)
    (before, low), (after, high) = curve[right - 1], curve[right]
    return low + (high - low) * (minute - before) / (after - before)


@settings(max_examples=25)
@given(polls(), st.booleans())
def test_the_energy_of_the_pieces_is_that_of_the_connectors_power(
    curve: list[tuple[float, float]], is_dark: bool
) -> None:
    before = charged(is_dark=is_dark)
    found = measured(before, answers(*curve))
    if integral_kwh(curve, 5, 65) * 1.05 < 10:
        assert found.pieces.equals(before.pieces)
        return
    for start, end in ((5, 65), (5, 20), (20, 50), (40, 45)):
        expected = integral_kwh(curve, start, end)
        assert drawn_kwh(found, start, end) == pytest.approx(expected, abs=1e-9)
    for name in ("energy_added_kwh", "energy_used_kwh"):
        assert found.pieces[name].sum() == pytest.approx(before.pieces[name].sum())
    starts, ends = (found.pieces[name].to_list() for name in ("start", "end"))
    assert starts[1:] == ends[:-1]


@settings(max_examples=25)
@given(polls(), st.integers(6, 64), st.randoms())
def test_an_answer_that_was_expected_and_the_order_of_answers_change_nothing(
    curve: list[tuple[float, float]], minute: int, chance: Any
) -> None:
    more = list({**dict(curve), minute: power(curve, minute)}.items())
    chance.shuffle(more)
    before = charged(is_dark=True, step=20)
    one, other = (measured(before, answers(*rows)) for rows in (curve, more))
    assert_frame_equal(one.pieces, other.pieces, abs_tol=1e-9)
