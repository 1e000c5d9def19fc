"""A home battery and Tesla's dispatch of it: solar to home, then battery, then grid.

A generator comes after solar and gives no more than home and battery take. Knows powers and
stored energy only, not days, houses or clocks. Stored energy after a step never decreases with
stored energy before it; `powerwall.py` rests on that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tessie_pipeline.simulator.localdays import STEP_S

STEP_H = STEP_S / 3600


@dataclass(frozen=True)
class Battery:
    """Powerwalls at one site, with one-way efficiencies (0.95 each way: 90 % round trip)."""

    count: int
    reserve_pct: float = 20.0
    unit_capacity_wh: float = 13_500.0
    unit_power_w: float = 5_000.0
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    recovery_w: float = 1_700.0

    @property
    def capacity_wh(self) -> float:
        """Energy the battery holds when full [Wh]."""
        return self.count * self.unit_capacity_wh

    @property
    def power_w(self) -> float:
        """Limit of charging and discharging [W]."""
        return self.count * self.unit_power_w

    @property
    def reserve_wh(self) -> float:
        """Stored energy that only an outage may use [Wh]."""
        return self.capacity_wh * self.reserve_pct / 100


class Demand(NamedTuple):
    """What the battery meets in one step: powers [W] and stored energy levels [Wh].

    `generator_w` is what a running generator could give. Discharge stops at `floor_wh`. Below it
    the grid may charge with `grid_charge_w`. Above `export_above_wh` the battery exports to the
    grid.
    """

    solar_w: float
    generator_w: float
    home_w: float
    floor_wh: float
    grid_charge_w: float
    export_above_wh: float
    is_grid_up: bool


class Flows(NamedTuple):
    """The flows of a step [W], all non-negative, and the stored energy after it [Wh]."""

    solar_to_home_w: float
    solar_to_battery_w: float
    solar_to_grid_w: float
    battery_to_home_w: float
    battery_to_grid_w: float
    grid_to_home_w: float
    grid_to_battery_w: float
    generator_to_home_w: float
    generator_to_battery_w: float
    stored_wh: float

    @property
    def solar_w(self) -> float:
        """What solar gives [W]."""
        return self.solar_to_home_w + self.solar_to_battery_w + self.solar_to_grid_w

    @property
    def generator_w(self) -> float:
        """What the generator gives [W]."""
        return self.generator_to_home_w + self.generator_to_battery_w

    @property
    def battery_w(self) -> float:
        """Power of the battery [W], > 0 when it discharges."""
        return (
            self.battery_to_home_w
            + self.battery_to_grid_w
            - self.solar_to_battery_w
            - self.grid_to_battery_w
            - self.generator_to_battery_w
        )

    @property
    def grid_w(self) -> float:
        """Power of the grid [W], > 0 when it is imported."""
        return (
            self.grid_to_home_w
            + self.grid_to_battery_w
            - self.solar_to_grid_w
            - self.battery_to_grid_w
        )


FLOW_COUNT = len(Flows._fields) - 1
"""How many of the fields of `Flows` are flows; they come first."""


def dispatch(battery: Battery, demand: Demand, stored_wh: float) -> Flows:
    """The flows of one step that begins with `stored_wh` in the battery.

    Charging and discharging, and import and export, never occur in the same step. While the
    grid is down, solar beyond what home and battery take is curtailed, and load beyond what
    solar, generator and battery give is shed.
    """
    solar_w, generator_w, home_w, floor_wh, grid_charge_w, export_above_wh, is_grid_up = demand
    capacity_wh, power_w = battery.capacity_wh, battery.power_w
    room_w = (capacity_wh - stored_wh) / battery.charge_efficiency / STEP_H
    above_floor_w = max(0.0, stored_wh - floor_wh) * battery.discharge_efficiency / STEP_H
    solar_to_home_w = min(solar_w, home_w)
    generator_to_home_w = min(generator_w, home_w - solar_to_home_w)
    surplus_w = solar_w - solar_to_home_w
    generator_left_w = generator_w - generator_to_home_w
    need_w = home_w - solar_to_home_w - generator_to_home_w
    solar_to_battery_w = min(surplus_w, power_w, room_w)
    generator_to_battery_w = min(generator_left_w, min(power_w, room_w) - solar_to_battery_w)
    solar_to_grid_w = surplus_w - solar_to_battery_w
    battery_to_home_w = min(need_w, power_w, above_floor_w)
    grid_to_home_w = need_w - battery_to_home_w
    battery_to_grid_w = grid_to_battery_w = 0.0
    if not is_grid_up:
        solar_to_grid_w = grid_to_home_w = 0.0
    elif stored_wh < floor_wh:
        gap_w = (floor_wh - stored_wh) / battery.charge_efficiency / STEP_H
        made_w = solar_to_battery_w + generator_to_battery_w
        grid_to_battery_w = max(0.0, min(power_w, grid_charge_w, gap_w) - made_w)
    elif surplus_w <= 0.0 and generator_left_w <= 0.0 and grid_to_home_w <= 0.0:
        spare_wh = stored_wh - export_above_wh
        spare_w = spare_wh * battery.discharge_efficiency / STEP_H - battery_to_home_w
        battery_to_grid_w = max(0.0, min(power_w - battery_to_home_w, spare_w))
    charge_w = solar_to_battery_w + generator_to_battery_w + grid_to_battery_w
    discharge_w = battery_to_home_w + battery_to_grid_w
    after_wh = stored_wh
    if charge_w > 0.0:
        charged_wh = stored_wh + charge_w * battery.charge_efficiency * STEP_H
        after_wh = _snap(charged_wh, capacity_wh, floor_wh)
    elif discharge_w > 0.0:
        left_wh = stored_wh - discharge_w / battery.discharge_efficiency * STEP_H
        after_wh = _snap(left_wh, floor_wh, export_above_wh)
    return Flows(
        solar_to_home_w,
        solar_to_battery_w,
        solar_to_grid_w,
        battery_to_home_w,
        battery_to_grid_w,
        grid_to_home_w,
        grid_to_battery_w,
        generator_to_home_w,
        generator_to_battery_w,
        after_wh,
    )


def _snap(stored_wh: float, *limits_wh: float) -> float:
    """The limit itself when `stored_wh` is a rounding error away from it."""
    for limit_wh in limits_wh:
        if abs(stored_wh - limit_wh) < 1e-6:
            return limit_wh
    return stored_wh


def stored_after(battery: Battery, demands: Iterable[Demand], stored_wh: float) -> float:
    """Stored energy [Wh] after a sequence of steps."""
    for demand in demands:
        stored_wh = dispatch(battery, demand, stored_wh).stored_wh
    return stored_wh


def dispatch_all(battery: Battery, demands: Sequence[Demand], stored_wh: float) -> list[Flows]:
    """The flows of each step in turn, beginning with `stored_wh` in the battery."""
    flows = []
    for demand in demands:
        step = dispatch(battery, demand, stored_wh)
        stored_wh = step.stored_wh
        flows.append(step)
    return flows
