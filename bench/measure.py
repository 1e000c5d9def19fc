"""Time two ways of doing the same work in turn, and tell how they compare.

Only here is a clock read. Not here: what is compared.
"""

from collections.abc import Callable
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
    """

    prepare: Callable[[], object]
    work: Callable[[], int]
    counts: int

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
    """Our way beside a reference, each timed `runs` times."""

    ours: Side
    reference: Side
    runs: int


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


def compare(name: str, contest: Contest, done: Callable[[], object]) -> Figure:
    """The contest's figure.

    Args:
        name: the benchmark's.
        contest: the two sides; each works once more at first, which does not count.
        done: called after each round of both, `runs` + 1 times.
    """
    ours_s, reference_s = [], []
    for _ in range(contest.runs + 1):
        ours_s.append(contest.ours.time_s())
        reference_s.append(contest.reference.time_s())
        done()
    ours, reference = median(ours_s[1:]), median(reference_s[1:])
    return Figure(name, ours, reference, "s", reference / ours, contest.runs)
