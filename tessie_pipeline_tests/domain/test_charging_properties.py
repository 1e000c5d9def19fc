"""What holds of charging detection whatever the samples are."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.charging import Charging, detect, parts_charging
from tessie_pipeline.domain.sample_windows import CHANGES, windows_between
from tessie_pipeline_tests.domain.charging_samples import SAMPLES, at, frame, sample

STATES = ("Disconnected", "Starting", "Charging", "Charging", "Stopped", "Complete", "NoPower")
CAPACITIES = pl.DataFrame({"vehicle_id": ["car", "van"], "usable_kwh": [75.0, 60.0]})

anything = st.lists(
    st.builds(
        sample,
        minute=st.integers(0, 3000),
        state=st.sampled_from([*STATES, None, "Unheard"]),
        counter=st.none() | st.floats(0, 60).map(lambda kwh: round(kwh, 2)),
        level=st.none() | st.integers(0, 100),
        vehicle_id=st.sampled_from(["car", "van"]),
        odometer=st.none() | st.sampled_from([1000.0, 1000.1, 1003.0]),
        shift_state=st.sampled_from([None, None, None, "P", "D"]),
        charger_power=st.none() | st.integers(0, 250).map(float),
    ),
    max_size=40,
    unique_by=lambda row: (row["vehicle_id"], row["timestamp"]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A car that drives and charges, sampled every five minutes, and what its counter shows.

    The counter is true: it restarts when a plug-in begins to charge, and has no glitches.
    """
    rows: list[dict[str, Any]] = []
    minute, miles, level, counter = 0, 1000.0, 40.0, draw(st.sampled_from([0.4, 7.0, 31.0]))

    def see(count: int, state: str, kw: float = 0.0) -> None:
        nonlocal minute, level, counter
        for _ in range(count):
            minute += 5
            counter += kw / 12
            level += kw / 12 / 0.75
            rows.append(
                sample(minute, state, round(counter, 2), round(level), odometer=round(miles, 1))
            )

    see(1, "Disconnected")
    for _ in range(draw(st.integers(1, 4))):
        see(draw(st.integers(0, 3)), "Stopped")
        if draw(st.booleans()):
            counter = 0.0
            for _ in range(draw(st.integers(1, 3))):
                see(draw(st.integers(1, 8)), "Charging", draw(st.sampled_from([3.0, 10.0])))
                see(draw(st.integers(0, 4)), draw(st.sampled_from(["Stopped", "Complete"])))
        see(draw(st.integers(1, 3)), "Disconnected")
        miles += draw(st.sampled_from([0.0, 12.0]))
        level = 40.0
        see(1, "Disconnected")
    return rows


def tables(charging: Charging) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return charging.sessions, charging.segments, charging.pieces


@settings(deadline=None, max_examples=40)
@given(anything, st.randoms())
def test_order_and_repeats_of_samples_change_nothing(
    rows: list[dict[str, Any]], chance: Any
) -> None:
    again = [*rows, *rows[::2]]
    chance.shuffle(again)
    for one, other in zip(
        tables(detect(frame(*rows), CAPACITIES)),
        tables(detect(frame(*again), CAPACITIES)),
        strict=True,
    ):
        assert_frame_equal(one, other)


@settings(deadline=None, max_examples=40)
@given(anything)
def test_energies_are_not_negative_and_pieces_add_up(rows: list[dict[str, Any]]) -> None:
    found = detect(frame(*rows), CAPACITIES)
    for table in tables(found):
        for name in (name for name in table.columns if name.endswith("_kwh")):
            assert table[name].drop_nulls().ge(0).all()
    sums = found.pieces.group_by("vehicle_id", session_started_at="session_started_at").agg(
        pl.col("energy_added_kwh", "energy_used_kwh").sum()
    )
    for parts in (
        sums,
        found.segments.group_by("vehicle_id", "session_started_at").agg(
            pl.col("energy_added_kwh", "energy_used_kwh").sum()
        ),
    ):
        both = found.sessions.join(
            parts,
            left_on=["vehicle_id", "started_at"],
            right_on=["vehicle_id", "session_started_at"],
            how="left",
        ).fill_null(0)
        for name in ("energy_added_kwh", "energy_used_kwh"):
            assert (both[name] - both[f"{name}_right"]).abs().lt(1e-9).all()


@settings(deadline=None, max_examples=40)
@given(anything)
def test_nothing_overlaps_and_parts_lie_within(rows: list[dict[str, Any]]) -> None:
    found = detect(frame(*rows), CAPACITIES)
    last = pl.lit(at(3001))
    for table, start, end in (
        (found.sessions, "started_at", "ended_at"),
        (found.segments, "started_at", "ended_at"),
        (found.pieces, "start", "end"),
    ):
        ordered = table.sort("vehicle_id", start, end).with_columns(pl.col(end).fill_null(last))
        before = pl.col(end).shift().over("vehicle_id")
        assert ordered.filter(pl.col(start) < before).is_empty()
        assert ordered.filter(pl.col(start) > pl.col(end)).is_empty()
        if start == "started_at":
            for bound in ("started", "ended"):
                after, by = pl.col(f"{bound}_after"), pl.col(f"{bound}_by")
                estimate = pl.col(f"{bound}_at")
                assert table.filter((estimate < after) | (estimate > by)).is_empty()
    sessions = found.sessions.select(
        "vehicle_id", session_started_at="started_at", cable_out=pl.col("ended_at").fill_null(last)
    )
    assert sessions.is_duplicated().any() is False
    for table, start, end in (
        (found.segments, "started_at", "ended_at"),
        (found.pieces, "start", "end"),
    ):
        inside = table.join(sessions, on=["vehicle_id", "session_started_at"])
        assert inside.height == table.height
        assert inside.filter(pl.col(start) < pl.col("session_started_at")).is_empty()
        assert inside.filter(pl.col(end) > pl.col("cable_out")).is_empty()


@settings(deadline=None, max_examples=40)
@given(anything, st.integers(0, 3000), st.integers(0, 300))
def test_a_window_gives_what_a_full_rebuild_gives(
    rows: list[dict[str, Any]], first: int, length: int
) -> None:
    samples = frame(*rows)
    changes = pl.DataFrame(
        [(vehicle, at(first), at(first + length)) for vehicle in ("car", "van")],
        CHANGES,
        orient="row",
    )
    windows = windows_between(samples, changes, parts_charging())
    start, end = pl.col("start"), pl.col("end")
    time = pl.col("timestamp")
    read = samples.join(windows, on="vehicle_id").filter(
        (start.is_null() | (time >= start)) & (end.is_null() | (time <= end))
    )
    part = detect(read.select(SAMPLES.names()), CAPACITIES)
    whole = detect(samples, CAPACITIES)

    def inside(table: pl.DataFrame, column: str) -> pl.DataFrame:
        key = pl.col(column)
        return (
            table.join(windows, on="vehicle_id", suffix="_of_window")
            .filter(
                (pl.col(table_start).is_null() | (key >= pl.col(table_start)))
                & (pl.col(table_end).is_null() | (key < pl.col(table_end)))
            )
            .select(table.columns)
        )

    for name, column in (
        ("sessions", "started_at"),
        ("segments", "session_started_at"),
        ("pieces", "session_started_at"),
    ):
        expected, got = getattr(whole, name), getattr(part, name)
        table_start = "start_of_window" if "start" in expected.columns else "start"
        table_end = "end_of_window" if "end" in expected.columns else "end"
        assert_frame_equal(inside(expected, column), inside(got, column), abs_tol=1e-9)


@given(lives())
@settings(max_examples=30, deadline=None)
def test_day_by_day_gives_what_all_at_once_gives(rows: list[dict[str, Any]]) -> None:
    """Samples arrive in turns; each time the window is detected anew and replaced."""
    kept = detect(frame()).sessions
    for arrived in range(0, len(rows), 7):
        there = frame(*rows[: arrived + 7])
        news = rows[arrived : arrived + 7]
        changes = pl.DataFrame(
            [("car", news[0]["timestamp"], news[-1]["timestamp"])], CHANGES, orient="row"
        )
        start = windows_between(there, changes, parts_charging())["start"].item() or at(-1)
        rebuilt = detect(there.filter(pl.col("timestamp") >= start)).sessions
        kept = pl.concat([kept.filter(pl.col("started_at") < start), rebuilt])
    assert_frame_equal(kept, detect(frame(*rows)).sessions)


@pytest.mark.parametrize(
    "after",
    [
        [("Disconnected", 0.0), ("Stopped", 9.9), ("Disconnected", 9.9)],
        [("Disconnected", 200.0), ("Disconnected", 9.9), ("Disconnected", 9.9)],
        [("Disconnected", 0.0), ("Disconnected", 0.0), ("Charging", 0.5), ("Disconnected", 0.5)],
    ],
    ids=["a zero and back", "a spike", "zeros until the next charge"],
)
def test_a_glitch_after_a_plug_in_is_one_whatever_was_there_when_it_came(
    after: list[tuple[str, float]],
) -> None:
    before = [("Disconnected", 3.0), ("Charging", 2.0), ("Complete", 9.9)]
    told = [*before, *[("Disconnected", 9.9)] * 3, *after]
    rows = [sample(10 * number, *state) for number, state in enumerate(told)]
    kept = detect(frame()).sessions
    for number, row in enumerate(rows):
        there = frame(*rows[: number + 1])
        changes = pl.DataFrame([("car", row["timestamp"], row["timestamp"])], CHANGES, orient="row")
        start = windows_between(there, changes, parts_charging())["start"].item() or at(-1)
        rebuilt = detect(there.filter(pl.col("timestamp") >= start)).sessions
        kept = pl.concat([kept.filter(pl.col("started_at") < start), rebuilt])
    assert_frame_equal(kept, detect(frame(*rows)).sessions)


@given(lives(), st.data())
@settings(max_examples=40, deadline=None)
def test_removing_samples_adds_no_energy(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    kept = [row for row in rows if data.draw(st.booleans())]
    # Without the first sample, what it shows as left over may be taken for a charge of its own.
    allowance_kwh = 0.0 if rows[0] in kept else rows[0]["charge_energy_added"]
    assert added_kwh(kept) <= added_kwh(rows) + allowance_kwh + 1e-6


def added_kwh(rows: list[dict[str, Any]]) -> float:
    return sum(detect(frame(*rows)).sessions["energy_added_kwh"])
