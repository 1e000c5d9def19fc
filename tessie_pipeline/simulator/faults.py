"""Which requests go wrong and how: by a plan, or at random from a seed.

What each kind of fault is stands in `fault_kinds.py`; `fault_middleware.py` does it.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.fault_kinds import KINDS, PASSING, fits

EUROPE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
LATENCY_S = 2.0
KEPT_INJECTIONS = 10_000


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"unknown fault {kind}: one of {', '.join(sorted(KINDS))}")
    return kind


Kind = Annotated[str, AfterValidator(_known)]


class Options(BaseModel):
    """How a fault is: delay before the answer, what a 429 and a 421 say, the age of `stale`."""

    model_config = ConfigDict(extra="forbid")

    latency_s: float | None = Field(None, ge=0)
    retry_after_s: int = Field(60, ge=0)
    base_url: str = EUROPE
    lag_s: float = Field(600, gt=0)


class Planned(Options):
    """A fault for the next `times` requests whose path and query hold `match`, after `skip`."""

    match: str
    fault: Kind
    times: int = Field(1, ge=0)
    skip: int = Field(0, ge=0)


class Chance(Options):
    """Faults at random: a share `rate` of the requests, each of one of `kinds`."""

    seed: int
    rate: float = Field(ge=0, le=1)
    kinds: tuple[Kind, ...] = tuple(sorted(PASSING))
    retry_after_s: int = Field(1, ge=0)


class FaultPlan(BaseModel):
    """What `POST /simulator/faults` takes."""

    model_config = ConfigDict(extra="forbid")

    plan: list[Planned] = []
    random: Chance | None = None


@dataclass(frozen=True)
class Fault:
    """A fault to be done to one request; `number` seeds what is spoiled."""

    kind: str
    options: Options
    number: int

    @property
    def delay_s(self) -> float:
        """Seconds by which the answer comes late."""
        if self.options.latency_s is not None:
            return self.options.latency_s
        return LATENCY_S if self.kind == "latency" else 0.0


class Faults:
    """The faults still to come and those that were done."""

    def __init__(self) -> None:
        self._to_come = FaultPlan()
        self._requests = 0
        self._done: deque[dict[str, Any]] = deque(maxlen=KEPT_INJECTIONS)
        self._counts: Counter[str] = Counter()

    def replace(self, plan: FaultPlan) -> None:
        """Take a new plan; chance starts again from its seed."""
        self._to_come = plan
        self._requests = 0

    def clear(self) -> None:
        """Drop the plan and the list of what was done."""
        self.replace(FaultPlan())
        self._done.clear()
        self._counts.clear()

    def take(self, path: str, query: str) -> Fault | None:
        """The next request's fault: the plan's first that matches, else what chance draws."""
        self._requests += 1
        target = f"{path}?{query}" if query else path
        for planned in self._to_come.plan:
            if planned.match not in target or not planned.times:
                continue
            if planned.skip:
                planned.skip -= 1
                continue
            planned.times -= 1
            return Fault(planned.fault, planned, self._requests)
        return self._drawn(path)

    def _drawn(self, path: str) -> Fault | None:
        chance = self._to_come.random
        if chance is None:
            return None
        draw = seeded(chance.seed, "fault", self._requests)
        kinds = [kind for kind in chance.kinds if fits(kind, path)]
        if draw.random() >= chance.rate or not kinds:
            return None
        return Fault(draw.choice(kinds), chance, self._requests)

    def put_back(self, fault: Fault) -> None:
        """Keep for a later request what could not be done to this one."""
        if isinstance(fault.options, Planned):
            fault.options.times += 1

    def note(self, fault: Fault, at: str, method: str, path: str) -> None:
        """A fault is being done."""
        self._counts[fault.kind] += 1
        self._done.append({"at": at, "method": method, "path": path, "fault": fault.kind})

    def report(self) -> dict[str, Any]:
        """What is left of the plan, what was done and how often, and the kinds there are."""
        left = [planned.model_dump() for planned in self._to_come.plan if planned.times]
        chance = self._to_come.random
        return {
            "plan": left,
            "random": chance.model_dump() if chance else None,
            "counts": dict(sorted(self._counts.items())),
            "injected": list(self._done),
            "kinds": sorted(KINDS),
        }
