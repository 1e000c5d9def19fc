"""Charging on what the sun gives beyond the home's own use, in steps of one ampere.

Other cars at the site are not looked at: while they charge, this one may take more than is left.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from itertools import groupby

from tessie_pipeline.simulator.battery import STEP_H
from tessie_pipeline.simulator.household import Site, home_powers_w, solar_powers_w
from tessie_pipeline.simulator.localdays import STEP_S, day_bounds_s, local_date
from tessie_pipeline.simulator.plug_in import Segment, pieces
from tessie_pipeline.simulator.trips import Car

LEAST_A = 5
START_A = 7
"""It goes on down to `LEAST_A`, and begins only when a little more is there."""


def solar_segments(
    car: Car, site: Site, start_s: int, end_s: int, need_wh: float
) -> tuple[Segment, ...]:
    """Charges between two 5-minute steps [unix s] until `need_wh` is drawn at the plug."""
    powers: list[tuple[int, float]] = []
    ampere_w = car.volts * car.phases
    is_on = False
    for at_s, surplus_w in _surplus(site, start_s, end_s):
        amps = min(car.amps, int(surplus_w // ampere_w))
        is_on = amps >= (LEAST_A if is_on else START_A)
        power_w = min(float(amps * ampere_w), need_wh / STEP_H) if is_on else 0.0
        powers.append((at_s, power_w))
        need_wh -= power_w * STEP_H
        if need_wh < 1e-6:
            break
    runs = [list(run) for is_charge, run in groupby(powers, lambda step: step[1] > 0) if is_charge]
    return tuple(pieces(run[0][0], STEP_S, [power_w for _, power_w in run]) for run in runs)


def _surplus(site: Site, start_s: int, end_s: int) -> Iterator[tuple[int, float]]:
    """Steps and the power left over in them [W]; negative where the home uses more."""
    day = local_date(site.zone, start_s)
    while (first_s := day_bounds_s(site.zone, day)[0]) < end_s:
        for step, power_w in enumerate(_day_surplus_w(site, day)):
            if start_s <= first_s + step * STEP_S < end_s:
                yield first_s + step * STEP_S, power_w
        day += timedelta(days=1)


@lru_cache(maxsize=512)
def _day_surplus_w(site: Site, day: date) -> tuple[float, ...]:
    sun_w, home_w = solar_powers_w(site, day), home_powers_w(site, day)
    return tuple(sun - home for sun, home in zip(sun_w, home_w, strict=True))
