"""How checks judge: by hand numbers, what is odd, how far and where, and parts as a whole."""

import polars as pl
import pytest

from tessie_pipeline.domain.findings import SHOWN, WORST, Bound, Finding, judged, merged, same
from tessie_pipeline_tests.domain.battery_rows import DAY, FIRST, MIDNIGHT, STEP
from tessie_pipeline_tests.domain.checked_rows import about, found, worst

NAN = float("nan")


def numbers(*values: float | None, other: float | None = None) -> pl.DataFrame:
    """A row of `number` and `other` for each value, five minutes apart."""
    times = [MIDNIGHT + row * STEP for row in range(len(values))]
    columns = {"site_id": "home", "timestamp": times, "number": values, "other": other}
    return pl.DataFrame(columns, schema_overrides={"number": pl.Float64(), "other": pl.Float64()})


def at_most(rows: pl.DataFrame, allowed: float = 50.0) -> Finding:
    return judged(rows, {"number": Bound(pl.col("number"), allowed)})


@pytest.mark.parametrize(
    ("bound", "odd", "excess"),
    [
        (Bound(pl.col("number"), 8), 1, 0.25),
        (Bound(pl.col("number"), 10), 0, 0),
        (Bound(pl.col("number"), 0), 1, 10),
        (Bound(pl.col("number"), -5), 1, 3),
        (Bound(pl.col("number"), pl.col("other")), 1, 1.5),
        (Bound(pl.col("number"), 8, is_least=True), 0, -0.25),
        (Bound(pl.col("number"), 20, is_least=True), 1, 0.5),
        (Bound(pl.col("number"), pl.col("other") * 4, is_least=True), 1, 0.375),
    ],
    ids=["above", "as much as is allowed", "above zero", "above what is below zero",
         "above a column", "more than the least", "less than the least", "below a column"],
)  # fmt: skip
def test_a_number_beyond_its_bound_is_odd_by_a_part_of_what_is_allowed(
    bound: Bound, odd: int, excess: float
) -> None:
    finding = judged(numbers(10.0, other=4.0), {"number": bound})
    assert (finding.checked, finding.odd) == (1, odd)
    assert worst(finding)["excess"] == pytest.approx(excess)


@pytest.mark.parametrize("is_least", [False, True], ids=["most", "least"])
def test_what_is_no_number_is_odd(is_least: bool) -> None:
    finding = judged(numbers(NAN), {"number": Bound(pl.col("number"), 5, is_least=is_least)})
    assert (finding.odd, worst(finding)["excess"]) == (1, float("inf"))


def test_a_row_is_judged_by_the_worst_of_its_numbers_and_not_where_it_has_none() -> None:
    bounds = {name: Bound(pl.col(name), 1) for name in ("number", "other")}
    assert found(judged(numbers(None, 5.0, other=3.0), bounds)) == (2, 2, "number", 5, 1)
    assert found(judged(numbers(None, 2.0, other=3.0), bounds)) == (2, 2, "other", 3, 1)
    assert found(judged(numbers(None, 2.0), bounds)) == (1, 1, "number", 2, 1)


def test_a_finding_tells_whose_when_and_what_kind_of_row_it_was() -> None:
    row = numbers(7.0).with_columns(date=FIRST + DAY, car=pl.lit("red"), source=pl.lit("a file"))
    bounds = {"number": Bound(pl.col("number"), 2)}
    by_time = worst(judged(row, bounds))
    assert [by_time[name] for name in ("subject_id", "at", "what")] == [
        "home", "2026-06-01 00:00 UTC", "number",
    ]  # fmt: skip
    by_date = worst(judged(row, bounds, subject="car", at="date", kind="source"))
    assert [by_date[name] for name in ("subject_id", "at", "what")] == [
        "red", "2026-06-02", "number (a file)",
    ]  # fmt: skip


def test_two_numbers_are_the_same_but_for_rounding() -> None:
    pair = same({"number": (pl.col("number"), pl.col("other"))})
    # A millionth of 999 and of one more.
    assert judged(numbers(999.0009, 998.9991, other=999.0), pair).odd == 0
    finding = judged(numbers(999.0011, 998.9, other=999.0), pair)
    assert found(finding)[:4] == (2, 2, "number", about(0.1))
    assert worst(finding)["allowed"] == pytest.approx(0.001)


def test_the_worst_come_first_and_only_some_are_shown() -> None:
    finding = at_most(numbers(*(51.0 + number for number in range(SHOWN + 5))))
    assert (finding.odd, finding.worst["found"].to_list()) == (
        SHOWN + 5,
        [51.0 + number for number in range(SHOWN + 4, 4, -1)],
    )


def test_parts_that_were_checked_one_by_one_are_one_finding() -> None:
    every = numbers(60.0, 5.0, 70.0, 80.0, 10.0)
    whole = at_most(every)
    parts = merged(at_most(part) for part in (every[:2], every[2:], every[:0]))
    assert (parts.checked, parts.odd) == (whole.checked, whole.odd) == (5, 3)
    assert parts.worst["found"].to_list() == whole.worst["found"].to_list()


def test_the_mean_of_parts_is_that_of_all_that_was_checked() -> None:
    nothing = WORST.to_frame()
    parts = [Finding(1, 0, nothing, 100.0), Finding(3, 0, nothing, 90.0), Finding(0, 0, nothing)]
    assert merged(parts).mean == 92.5


def test_nothing_to_check_is_nothing_odd() -> None:
    for nothing in (merged([]), at_most(numbers()), at_most(numbers(None))):
        assert (nothing.checked, nothing.odd, nothing.mean) == (0, 0, None)
        assert nothing.worst.equals(WORST.to_frame())
