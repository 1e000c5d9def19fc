"""The origins of what cars draw at a simulated home, by a walk over its exact flows.

The reference for the battery ledger and for attribution: no rounding, no measured state of charge.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from tessie_pipeline.domain.attribution_policies import EV_LAST, PROPORTIONAL, SOLAR_TO_EV_FIRST
from tessie_pipeline.simulator.battery import STEP_H, Flows
from tessie_pipeline.simulator.powerwall import SiteDay

Powers = tuple[float, float, float]
"""Of solar, battery and generator, in the order in which who comes first takes them [W]."""

ORIGINS = ("solar", "grid", "generator")
SHARES = ("from_solar", "from_generator", *(f"from_battery_{origin}" for origin in ORIGINS))


def origins_of_charges(days: Iterable[SiteDay]) -> Iterator[dict[str, object]]:
    """Each step of consecutive days with cars in it, once per policy.

    `date`, `policy`, the `energy` that cars drew and `SHARES` of it [Wh]. What is in the battery at
    first is of no origin.
    """
    content = dict.fromkeys(ORIGINS, 0.0)
    for day in days:
        stored_wh = day.stored_start_wh
        for step, car_w in enumerate(day.car_w):
            flow = day.flows(step)
            into_wh = STEP_H * day.site.battery.charge_efficiency
            for origin in ORIGINS:
                content[origin] += getattr(flow, f"{origin}_to_battery_w") * into_wh
                stored_wh += getattr(flow, f"{origin}_to_battery_w") * into_wh
            shares = {origin: wh / stored_wh if wh else 0.0 for origin, wh in content.items()}
            stored_wh = flow.stored_wh
            content = {origin: share * stored_wh for origin, share in shares.items()}
            for policy, (solar_w, battery_w, generator_w) in _taken(flow, car_w).items():
                yield {
                    "date": day.day,
                    "policy": policy,
                    "energy": car_w * STEP_H,
                    "from_solar": solar_w * STEP_H,
                    "from_generator": generator_w * STEP_H,
                    **{f"from_battery_{o}": battery_w * shares[o] * STEP_H for o in ORIGINS},
                }


def _taken(flow: Flows, car_w: float) -> dict[str, Powers]:
    """What cars take of solar, battery and generator [W] under each policy; nothing if none do."""
    if car_w <= 0:
        return {}
    given_w = (flow.solar_to_home_w, flow.battery_to_home_w, flow.generator_to_home_w)
    home_w = sum(given_w) + flow.grid_to_home_w
    solar_w, battery_w, generator_w = _stacked(given_w, home_w - car_w, home_w)
    share = car_w / home_w
    return {
        PROPORTIONAL: (given_w[0] * share, given_w[1] * share, given_w[2] * share),
        EV_LAST: (max(0.0, solar_w - flow.grid_to_battery_w), battery_w, generator_w),
        SOLAR_TO_EV_FIRST: _stacked(given_w, 0.0, car_w),
    }


def _stacked(given_w: Powers, start_w: float, end_w: float) -> Powers:
    """What of each power lies between two levels when they are stacked upon each other."""
    solar_w, battery_w, generator_w = given_w
    levels = (0.0, solar_w, solar_w + battery_w, solar_w + battery_w + generator_w)
    first, second, third = (
        max(0.0, min(end_w, top_w) - max(start_w, foot_w)) for foot_w, top_w in pairwise(levels)
    )
    return first, second, third
