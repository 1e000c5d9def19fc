"""Time ways of doing the same work in turn, and tell how ours compares with the others.

Only here is a clock read. Not here: what is compared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter


@dataclass(frozen=True)
class Side:
    """One way of doing the work.

    Attributes:
        prepare: brings everything into the state before the work; not timed.
        work: what is timed; returns what it counted.
        counts: what `work` has to return.
        units: how many of the contest's unit the work is; its time is told for one.
    """

    prepare: Callable[[], object]
    work: Callable[[], int]
    counts: int
    units: float = 1

    def time_s(self) -> float:
        """How long the work took, s.

        Raises:
            RuntimeError: if the work did not do what it should.
        """
        self.prepare()
        start_s = perf_counter()
        counted = self.work()
        duration_s = perf_counter() - start_s
        if counted != self.counts:
            raise RuntimeError(f"{self.work} counted {counted} instead of {self.counts}")
        return duration_s


@dataclass(frozen=True)
class Contest:
    """Our way beside a reference, or beside several by name, each timed `runs` times.

    Attributes:
        ours: our way.
        reference: the other way or ways.
        runs: how often each is timed.
        unit: of the times, where a side's `units` are not one.
    """

    ours: Side
    reference: Side | Mapping[str, Side]
    runs: int
    unit: str = "s"


@dataclass(frozen=True)
class Figure:
    """What a contest came to.

    Attributes:
        name: the benchmark's.
        ours: the median of ours, in `unit`.
        reference: the median of the reference, in `unit`.
        unit: of both medians.
        ratio: reference / ours; above 1 means that ours is faster.
        runs: how often each was timed.
    """

    name: str
    ours: float
    reference: float
    unit: str
    ratio: float
    runs: int


def compare(name: str, contest: Contest, done: Callable[[], object]) -> list[Figure]:
    """The contest's figures, one for each reference; one of several names is `name_vs_it`.

    Args:
        name: the benchmark's.
        contest: the sides; each works once more at first, which does not count.
        done: called after each round of all, `runs` + 1 times.
    """
    others = contest.reference
    references = (
        {name: others}
        if isinstance(others, Side)
        else {f"{name}_vs_{other}": side for other, side in others.items()}
    )
    rounds = []
    for _ in range(contest.runs + 1):
        rounds.append([side.time_s() for side in (contest.ours, *references.values())])
        done()
    ours, *medians = (
        median(times) / side.units
        for side, times in zip(
            (contest.ours, *references.values()), zip(*rounds[1:], strict=True), strict=True
        )
    )
    return [
        Figure(figure, ours, reference, contest.unit, reference / ours, contest.runs)
        for figure, reference in zip(references, medians, strict=True)
    ]
