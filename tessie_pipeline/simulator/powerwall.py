"""A site's days in full: flows and state of charge per step, with the battery's past.

The battery's content at the start of a day comes from coupling from the past (Propp & Wilson
1996): an empty and a full battery are run forward from earlier and earlier days until both
arrive at the same content. So no epoch is needed: any day can be computed alone, exactly.
"""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tessie_pipeline.simulator.battery import (
    Demand,
    Flows,
    dispatch,
    dispatch_all,
    stored_after,
)
from tessie_pipeline.simulator.household import Outage, Site, demands, outage_on
from tessie_pipeline.simulator.localdays import STEP_S, day_bounds_s

CarPowers = Callable[[Site, date], list[float]]
KEPT_DAYS = 2048


@dataclass(frozen=True)
class SiteDay:
    """A site's local day: 5-minute steps of constant power.

    `columns` are the fields of `Flows`, each over the day's steps; `car_w` is what cars draw
    at the wall [W], part of the home's consumption.
    """

    site: Site
    day: date
    start_s: int
    stored_start_wh: float
    columns: tuple[Sequence[float], ...]
    car_w: Sequence[float]
    outage: Outage | None

    @property
    def end_s(self) -> int:
        """End of the local day [unix s]."""
        return self.start_s + self.steps * STEP_S

    @property
    def steps(self) -> int:
        """Number of 5-minute steps: 276, 288 or 300."""
        return len(self.car_w)

    @property
    def stored_end_wh(self) -> float:
        """Energy in the battery at the end of the day [Wh]."""
        return self.columns[-1][-1]

    def flows(self, step: int) -> Flows:
        """The flows of a step."""
        return Flows(*(column[step] for column in self.columns))

    def stored_wh(self, at_s: float) -> float:
        """Energy in the battery [Wh] at an instant of the day."""
        step, rest_s = divmod(at_s - self.start_s, STEP_S)
        index = int(step)
        stored = self.columns[-1]
        before_wh = self.stored_start_wh if index == 0 else stored[index - 1]
        if index >= self.steps:
            return before_wh
        return before_wh + (stored[index] - before_wh) * rest_s / STEP_S


class SiteDays:
    """The days of all sites, computed when asked for and kept for a while."""

    def __init__(self, car_powers_w: CarPowers) -> None:
        """Take the cars' charging power at the wall [W] per step of a site's local day."""
        self._car_powers_w = car_powers_w
        self._days: OrderedDict[tuple[int, date], SiteDay] = OrderedDict()
        self._stored_end_wh: dict[tuple[int, date], float] = {}

    def day(self, site: Site, day: date) -> SiteDay:
        """The site's local day, the same whenever and in whatever order it is asked for."""
        key = (site.index, day)
        found = self._days.get(key)
        if found is not None:
            self._days.move_to_end(key)
            return found
        car_w, outage, needs = self._demands(site, day)
        stored_start_wh = self._stored_at_start_wh(site, day)
        flows = dispatch_all(site.battery, needs, stored_start_wh)
        start_s, _ = day_bounds_s(site.zone, day)
        columns = tuple(array("d", column) for column in zip(*flows, strict=True))
        found = SiteDay(site, day, start_s, stored_start_wh, columns, array("d", car_w), outage)
        self._stored_end_wh[key] = found.stored_end_wh
        self._days[key] = found
        while len(self._days) > KEPT_DAYS:
            self._days.popitem(last=False)
        return found

    def _demands(self, site: Site, day: date) -> tuple[list[float], Outage | None, list[Demand]]:
        car_w = self._car_powers_w(site, day)
        outage = outage_on(site, day, car_w)
        return car_w, outage, demands(site, day, car_w, outage)

    def _stored_at_start_wh(self, site: Site, day: date) -> float:
        """Energy in the battery at the start of a local day [Wh]."""
        battery = site.battery
        needs: list[Demand] = []
        back = day
        while back > site.installed:
            back -= timedelta(days=1)
            known_wh = self._stored_end_wh.get((site.index, back))
            if known_wh is not None:
                return stored_after(battery, needs, known_wh)
            needs = self._demands(site, back)[2] + needs
            met_wh = _met_wh(site, needs)
            if met_wh is not None:
                return met_wh
        return stored_after(battery, needs, battery.reserve_wh)


def _met_wh(site: Site, needs: list[Demand]) -> float | None:
    """Content [Wh] in which an empty and a full battery end alike, or None."""
    low_wh, high_wh = 0.0, site.battery.capacity_wh
    for need in needs:
        if low_wh == high_wh:
            low_wh = high_wh = dispatch(site.battery, need, low_wh).stored_wh
        else:
            low_wh = dispatch(site.battery, need, low_wh).stored_wh
            high_wh = dispatch(site.battery, need, high_wh).stored_wh
    return low_wh if low_wh == high_wh else None
