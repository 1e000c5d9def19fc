"""A site's day in whole Wh per 5 minutes, as kind=energy gives it.

Each flow is rounded cumulatively over the local day, so that the rounded day differs from the
exact one by at most half a Wh per flow; totals are sums of rounded flows, so that Tesla's
identities hold to the Wh in every bucket.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from tessie_pipeline.simulator.battery import FLOW_COUNT, STEP_H
from tessie_pipeline.simulator.powerwall import SiteDay


class Bucket(NamedTuple):
    """Energy of the flows in one bucket [whole Wh], all non-negative."""

    solar_to_home_wh: int
    solar_to_battery_wh: int
    solar_to_grid_wh: int
    battery_to_home_wh: int
    battery_to_grid_wh: int
    grid_to_home_wh: int
    grid_to_battery_wh: int
    generator_to_home_wh: int
    generator_to_battery_wh: int

    def answer(self) -> dict[str, int]:
        """The bucket under Tesla's names; totals are absent when 0."""
        solar = self.solar_to_home_wh + self.solar_to_battery_wh + self.solar_to_grid_wh
        discharge = self.battery_to_home_wh + self.battery_to_grid_wh
        charge = self.solar_to_battery_wh + self.grid_to_battery_wh + self.generator_to_battery_wh
        totals = {
            "total_home_usage": self.solar_to_home_wh
            + self.battery_to_home_wh
            + self.grid_to_home_wh
            + self.generator_to_home_wh,
            "total_solar_generation": solar,
            "total_battery_charge": charge,
            "total_battery_discharge": discharge,
            "total_grid_energy_exported": self.solar_to_grid_wh + self.battery_to_grid_wh,
        }
        return {
            "solar_energy_exported": solar,
            "generator_energy_exported": self.generator_to_home_wh + self.generator_to_battery_wh,
            "grid_energy_imported": self.grid_to_home_wh + self.grid_to_battery_wh,
            "grid_services_energy_imported": 0,
            "grid_services_energy_exported": 0,
            "grid_energy_exported_from_solar": self.solar_to_grid_wh,
            "grid_energy_exported_from_generator": 0,
            "grid_energy_exported_from_battery": self.battery_to_grid_wh,
            "battery_energy_exported": discharge,
            "battery_energy_imported_from_grid": self.grid_to_battery_wh,
            "battery_energy_imported_from_solar": self.solar_to_battery_wh,
            "battery_energy_imported_from_generator": self.generator_to_battery_wh,
            "consumer_energy_imported_from_grid": self.grid_to_home_wh,
            "consumer_energy_imported_from_solar": self.solar_to_home_wh,
            "consumer_energy_imported_from_battery": self.battery_to_home_wh,
            "consumer_energy_imported_from_generator": self.generator_to_home_wh,
        } | {name: wh for name, wh in totals.items() if wh}


def rounded_cumulatively(powers_w: Iterable[float]) -> list[int]:
    """Whole Wh per 5-minute step whose running sum never strays over half a Wh."""
    reached_wh, marks = 0.0, [0]
    for power_w in powers_w:
        reached_wh += power_w * STEP_H
        marks.append(round(reached_wh))
    return [after - before for before, after in pairwise(marks)]


def day_buckets(day: SiteDay) -> list[Bucket]:
    """The buckets of a site's local day."""
    rounded = [rounded_cumulatively(powers_w) for powers_w in day.columns[:FLOW_COUNT]]
    return [Bucket(*step) for step in zip(*rounded, strict=True)]


def total(buckets: Iterable[Bucket]) -> Bucket:
    """The sum of buckets."""
    columns = list(zip(*buckets, strict=True)) or [()] * FLOW_COUNT
    return Bucket(*(sum(column) for column in columns))
