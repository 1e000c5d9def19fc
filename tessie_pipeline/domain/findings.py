"""What a check found: how many rows it judged, how many are odd, and which are the worst.

A check sets numbers beside what they may be; all checks judge and tell alike. Not here: what is
checked (`energy_checks`, `ledger_checks`), and what a finding stops.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf

import polars as pl

ROUNDING = 1e-6
"""Numbers that differ by no more than this part, or by so many units, are the same."""

SHOWN = 10
"""At most so many of the worst are named."""

WORST = pl.Schema(
    {
        "subject_id": pl.String(),
        "at": pl.String(),
        "what": pl.String(),
        "found": pl.Float64(),
        "allowed": pl.Float64(),
        "excess": pl.Float64(),
    }
)
"""Numbers that were judged: whose, when (UTC, or a local date) and of what.

`excess` is how far the number is beyond what is allowed, as a part of that unless it is zero; at
most 0 where the number is within.
"""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        checked: how many were judged.
        odd: how many of them are beyond what is allowed.
        worst: `WORST`, the worst first, at most `SHOWN`.
        mean: the mean of what was judged, where that says something.
    """

    checked: int
    odd: int
    worst: pl.DataFrame
    mean: float | None = None


@dataclass(frozen=True)
class Bound:
    """A number, and the most or the least that it may be.

    Attributes:
        found: the number; it is not judged where it is null.
        allowed: what it may be; an expression is above zero.
        is_least: whether it may be no less than `allowed`, instead of no more.
    """

    found: pl.Expr
    allowed: pl.Expr | float
    is_least: bool = False

    def excess(self) -> pl.Expr:
        """How far the number is beyond the bound, as in `WORST`; infinitely if it is NaN."""
        beyond = self.found - self.allowed
        if isinstance(self.allowed, pl.Expr):
            part = beyond / self.allowed
        else:
            part = beyond * (1 / (abs(self.allowed) or 1))
        return (-part if self.is_least else part).fill_nan(inf)


def rounding(size: pl.Expr) -> pl.Expr:
    """How much a number of that size may be off by rounding, in its unit."""
    return ROUNDING * (1 + size.abs().fill_null(0))


def same(pairs: Mapping[str, tuple[pl.Expr, pl.Expr]]) -> dict[str, Bound]:
    """The bounds, by name, within which the two of each pair are the same but for rounding."""
    return {
        name: Bound((one - other).abs(), rounding(other)) for name, (one, other) in pairs.items()
    }


def judged(
    rows: pl.DataFrame,
    bounds: Mapping[str, Bound],
    *,
    subject: str = "site_id",
    at: str = "timestamp",
    kind: str | None = None,
) -> Finding:
    """The finding of rows, each by the worst of its numbers; rows without any are not judged.

    Args:
        rows: `subject`, `at`, `kind` and what the bounds are made of.
        bounds: each number by its name.
        subject: the column of whose it is.
        at: the column of its time (UTC) or date.
        kind: a column that tells rows of the same subject and time apart.
    """
    if rows.is_empty():
        return Finding(0, 0, WORST.to_frame())
    excess = pl.max_horizontal(bound.excess() for bound in bounds.values())
    known = rows.select(excess=excess).with_row_index("row").drop_nulls()
    most = known.top_k(SHOWN, by="excess")
    found = rows[most["row"].to_list()].with_row_index("row")
    is_date = rows.schema[at] == pl.Date()
    time = pl.col(at).dt.to_string() if is_date else pl.col(at).dt.strftime("%Y-%m-%d %H:%M UTC")
    by_number = [
        found.select(
            "row",
            subject_id=subject,
            at=time,
            what=pl.lit(name) if kind is None else pl.format("{} ({})", pl.lit(name), kind),
            found=bound.found,
            allowed=bound.allowed,
            excess=bound.excess(),
        ).cast({"found": pl.Float64(), "allowed": pl.Float64()})
        for name, bound in bounds.items()
    ]
    worst = pl.concat(by_number).drop_nulls().sort("excess", descending=True, maintain_order=True)
    by_row = worst.unique("row", keep="first", maintain_order=True).select(WORST.names())
    odd = known.filter(pl.col("excess") > 0)
    return Finding(known.height, odd.height, worst_first(by_row.cast(WORST)))


def merged(findings: Iterable[Finding]) -> Finding:
    """The finding of all parts that were checked one by one."""
    parts = list(findings)
    checked = sum(part.checked for part in parts)
    odd = sum(part.odd for part in parts)
    worst = worst_first(pl.concat([WORST.to_frame(), *(part.worst for part in parts)]))
    sums = [part.mean * part.checked for part in parts if part.mean is not None]
    return Finding(checked, odd, worst, sum(sums) / checked if sums else None)


def worst_first(worst: pl.DataFrame) -> pl.DataFrame:
    """The first `SHOWN` of `WORST` by excess; of equals the latest come first."""
    keys = ["excess", "at", "subject_id", "what"]
    return worst.sort(keys, descending=[True, True, False, False]).head(SHOWN)
