"""The lines of a cost: how pieces become lines, and what holds of lines whatever the pieces."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.charging_costs import COSTED_PIECES, COSTED_SESSIONS, session_costs
from tessie_pipeline.domain.cost_lines import cost_lines
from tessie_pipeline_tests.domain.priced import (
    CAR,
    NIGHT,
    WORKDAYS,
    bill,
    buy,
    cost,
    costs,
    local,
    pieces,
    sell,
    session,
    tariff,
)


def test_a_change_of_price_within_a_piece_divides_its_energy_by_time() -> None:
    # 5 minutes of 0.9 kWh, 2 of them before 22:00: 0.36 x 0.35 + 0.54 x 0.22 = 0.126 + 0.1188.
    lines, total = costs(NIGHT, ("2026-06-01T21:58", "2026-06-01T22:03", 0.9))
    assert [line["energy_kwh"] for line in lines] == [0.36, 0.54]
    assert str(total["cost_grid"]) == "0.24"


def test_no_more_energy_can_be_solar_than_was_drawn() -> None:
    lines, _ = costs(NIGHT, ("2026-06-01T11:00", "2026-06-01T13:00", 12.0, 12.1))
    assert (lines[0]["solar_kwh"], lines[0]["grid_kwh"]) == (12.0, 0.0)


def test_a_night_of_minutes_is_explained_in_one_line_for_each_price_also_across_pauses() -> None:
    # 20:00 to 6:00 in minutes of 0.1 kWh without every tenth: 108 before 22:00, 432 after.
    first = local("2026-06-01T20:00")
    minutes = [n for n in range(600) if n % 10]
    rows = [(CAR, first, _at(first, n), _at(first, n + 1), 0.1) for n in minutes]
    drawn = pl.DataFrame(rows, COSTED_PIECES, orient="row").sample(fraction=1, shuffle=True, seed=2)
    lines = cost_lines(session(), drawn, [NIGHT])
    assert lines.select("energy_kwh", "minutes", "amount_grid").rows() == [
        (10.8, 108.0, Decimal("3.78")),
        (43.2, 432.0, Decimal("9.504")),
    ]


def _at(first: datetime, minute: int) -> datetime:
    return first + minute * timedelta(minutes=1)


def test_a_line_does_not_span_a_time_of_another_price() -> None:
    lines, _ = costs(
        NIGHT,
        ("2026-06-01T23:00", "2026-06-02T01:00", 1.0),
        ("2026-06-02T23:00", "2026-06-02T23:30", 1.0),
    )
    assert [line["end"] for line in lines] == [
        local("2026-06-02T01:00"),
        local("2026-06-02T23:30"),
    ]


def test_energy_of_one_moment_costs_the_price_of_that_moment() -> None:
    assert cost(NIGHT, ("2026-06-01T22:00", "2026-06-01T22:00", 10.0)) == "2.20"


def test_a_real_bill_counts_and_not_the_tariff_and_its_fees_are_lines() -> None:
    # 41 kWh x 0.43 = 17.63, 3 minutes x 1.00; congestion 12 minutes x 0.5 = 6.00.
    fees = bill(
        ("PARKING", 3, "min", "1", "3"),
        ("CHARGING", 41, "kwh", "0.43", "17.63"),
        ("CONGESTION", 12, "min", "0.5", "6"),
    )
    lines, total = costs(NIGHT, ("2026-06-01T20:00", "2026-06-01T21:00", 38.6), bills=fees)
    shown = ("kind", "energy_kwh", "minutes", "unit", "amount_solar", "tariff_id", "is_paid")
    assert [tuple(line[name] for name in shown) for line in lines] == [
        ("bill", 41.0, None, "kwh", Decimal("17.63"), None, True),
        ("congestion_fee", None, 12.0, "minute", Decimal(6), None, True),
        ("idle_fee", None, 3.0, "minute", Decimal(3), None, True),
    ]
    assert (total["cost_grid"], total["currency"]) == (Decimal("26.63"), "USD")


def test_sessions_of_several_cars_and_tariffs_are_costed_together_as_each_alone() -> None:
    flat = tariff(buy("0.3"), name="Flat", zone="America/Denver")
    asked, drawn = [], []
    for number, name in enumerate(["Night", "Flat", None, "Night"]):
        at = f"2026-06-0{number + 1}T20:00"
        own = {"vehicle_id": pl.lit(f"car {number % 2}")}
        asked.append(session(name, at).with_columns(**own))
        span = (at, f"2026-06-0{number + 2}T05:00", 18.0 + number)
        drawn.append(pieces(span, at=at).with_columns(**own))
    together = cost_lines(pl.concat(asked), pl.concat(drawn), [flat, NIGHT])
    alone = [cost_lines(one, part, [NIGHT, flat]) for one, part in zip(asked, drawn, strict=True)]
    order = ["vehicle_id", "session_started_at", "line"]
    assert_frame_equal(together, pl.concat(alone).sort(order))


PRICED = [
    tariff(buy("0.21", "23:30", "05:45"), buy("-0.05", "12:00", "14:30"), buy("0.37"),
           sell("0.09")),
    tariff(buy("0.4", "17:00", "20:00", weekdays=WORKDAYS), buy("0.2"), sell("0.03"),
           valid_from=date(2026, 3, 29)),
]  # fmt: skip
SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)


@st.composite
def charges(draw: st.DrawFn) -> pl.DataFrame:
    """A session's pieces within two days around a change of clock and of version, some solar."""
    edges = sorted(draw(st.lists(st.integers(0, 2880), min_size=2, max_size=12, unique=True)))
    rows = []
    for start, end in pairwise(edges):
        kwh = draw(st.integers(0, 20_000)) / 1000
        share = draw(st.sampled_from([0.0, 0.25, 1.0]))
        if draw(st.booleans()):
            rows.append((CAR, SPRING, _at(SPRING, start), _at(SPRING, end), kwh, kwh * share))
    schema = {**COSTED_PIECES, "solar_kwh": pl.Float64()}
    return pl.DataFrame(rows, schema, orient="row")


def spring_costs(drawn: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    asked = pl.DataFrame([(CAR, SPRING, None, "Home")], COSTED_SESSIONS, orient="row")
    lines = cost_lines(asked, drawn, PRICED, drawn)
    return lines, session_costs(asked, lines)


@settings(max_examples=50, deadline=None)
@given(charges())
def test_the_energy_of_the_lines_is_the_energy_of_the_session(drawn: pl.DataFrame) -> None:
    lines, _ = spring_costs(drawn)
    for name in ("energy_kwh", "solar_kwh"):
        assert lines[name].sum() == pytest.approx(drawn[name].sum(), abs=1e-8)
    by_source = lines.select((pl.col("grid_kwh") + pl.col("solar_kwh")).sum()).item()
    assert by_source == pytest.approx(drawn["energy_kwh"].sum(), abs=1e-8)


@settings(max_examples=50, deadline=None)
@given(charges(), st.integers(2, 6))
def test_pieces_cut_finer_cost_the_same(drawn: pl.DataFrame, cuts: int) -> None:
    part = (pl.col("end") - pl.col("start")) / cuts
    number = pl.int_ranges(pl.lit(0), pl.lit(cuts))
    finer = (
        drawn.with_columns(number=number)
        .explode("number")
        .with_columns(
            pl.col("start") + part * pl.col("number"),
            end=pl.when(pl.col("number") == cuts - 1)
            .then("end")
            .otherwise(pl.col("start") + part * (pl.col("number") + 1)),
            energy_kwh=pl.col("energy_kwh") / cuts,
            solar_kwh=pl.col("solar_kwh") / cuts,
        )
    )
    coarse_lines, coarse_total = spring_costs(drawn)
    finer_lines, finer_total = spring_costs(finer)
    for amount in ("amount_grid", "amount_solar"):
        whole, parts = coarse_lines[amount].sum(), finer_lines[amount].sum()
        assert float(whole) == pytest.approx(float(parts), abs=2e-9)
    assert_frame_equal(coarse_total, finer_total)


@settings(max_examples=50, deadline=None)
@given(charges())
def test_a_cost_is_the_sum_of_its_lines_rounded_once(drawn: pl.DataFrame) -> None:
    lines, total = spring_costs(drawn)
    for row in lines.iter_rows(named=True):
        energy, solar = (
            Decimal(str(row[name])).quantize(Decimal("1e-9"))
            for name in ("energy_kwh", "solar_kwh")
        )
        assert row["amount_grid"] == energy * row["buy_price"]
        if solar:
            by_source = (energy - solar) * row["buy_price"] + solar * row["sell_price"]
            assert row["amount_solar"] == by_source
    exact = sum(lines["amount_grid"], Decimal(0))
    millionths = exact.quantize(Decimal("1e-6"), ROUND_HALF_UP)
    assert total["cost_grid"].item() == millionths.quantize(Decimal("0.01"), ROUND_HALF_UP)
