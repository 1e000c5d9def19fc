"""What really happened, exactly: energies in float Wh, charges, trips and cars' states.

For tests and demos under `/simulator/truth`; the pipeline never reads it. Unlike Tesla's
answers it is unrounded and knows whole days, also ones that are not over yet.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tessie_pipeline.simulator.awake import (
    Interval,
    awake_intervals,
    merged,
    minutes,
    outside,
    without_signal,
)
from tessie_pipeline.simulator.battery import FLOW_COUNT, STEP_H
from tessie_pipeline.simulator.charging import car_week, trip_energy_wh
from tessie_pipeline.simulator.charging_history import plug_ins
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import STEP_S, local_iso, utc_iso
from tessie_pipeline.simulator.motion import car_state, home_charging_w, odometer_mi
from tessie_pipeline.simulator.plug_in import PlugIn, energy_wh
from tessie_pipeline.simulator.powerwall import SiteDay
from tessie_pipeline.simulator.trips import Car, monday_of

FLOWS = (
    "solar_to_home_wh",
    "solar_to_battery_wh",
    "solar_to_grid_wh",
    "battery_to_home_wh",
    "battery_to_grid_wh",
    "grid_to_home_wh",
    "grid_to_battery_wh",
    "generator_to_home_wh",
    "generator_to_battery_wh",
)


def _energies(flows_wh: list[float]) -> dict[str, float]:
    """The flows and the totals they add up to [Wh]."""
    named = dict(zip(FLOWS, flows_wh, strict=True))
    return named | {
        "solar_wh": named["solar_to_home_wh"]
        + named["solar_to_battery_wh"]
        + named["solar_to_grid_wh"],
        "home_wh": named["solar_to_home_wh"]
        + named["battery_to_home_wh"]
        + named["grid_to_home_wh"]
        + named["generator_to_home_wh"],
        "battery_charge_wh": named["solar_to_battery_wh"]
        + named["grid_to_battery_wh"]
        + named["generator_to_battery_wh"],
        "battery_discharge_wh": named["battery_to_home_wh"] + named["battery_to_grid_wh"],
        "grid_import_wh": named["grid_to_home_wh"] + named["grid_to_battery_wh"],
        "grid_export_wh": named["solar_to_grid_wh"] + named["battery_to_grid_wh"],
        "generator_wh": named["generator_to_home_wh"] + named["generator_to_battery_wh"],
    }


def day_truth(fleet: Fleet, day: SiteDay) -> dict[str, Any]:
    """A site's local day: energies [Wh], battery content at both ends, cars' share of home.

    Stored energy changes by charge * charge_efficiency - discharge / discharge_efficiency.
    """
    site = day.site
    flows_wh = [sum(powers_w) * STEP_H for powers_w in day.columns[:FLOW_COUNT]]
    outage = day.outage
    return {
        "energy_site_id": site.energy_site_id,
        "date": day.day.isoformat(),
        "time_zone": site.zone,
        "start": local_iso(site.zone, day.start_s),
        "end": local_iso(site.zone, day.end_s),
        "buckets": day.steps,
        **_energies(flows_wh),
        "cars_wh": {
            car.vin: sum(home_charging_w(car, day.start_s, day.steps, STEP_S).values()) * STEP_H
            for car in fleet.cars_at_site.get(site.index, ())
        },
        "stored_start_wh": day.stored_start_wh,
        "stored_end_wh": day.stored_end_wh,
        "outage": outage and [utc_iso(outage.start_s), utc_iso(outage.end_s)],
    }


def interval_truth(day: SiteDay) -> list[dict[str, Any]]:
    """A site's local day in 5-minute intervals: energies [Wh] and stored energy at the end."""
    return [
        {
            "start": local_iso(day.site.zone, day.start_s + index * STEP_S),
            **_energies([power_w * STEP_H for power_w in flow[:FLOW_COUNT]]),
            "cars_wh": day.car_w[index] * STEP_H,
            "stored_wh": flow.stored_wh,
            "soc_pct": 100 * flow.stored_wh / day.site.battery.capacity_wh,
        }
        for index, flow in enumerate(map(day.flows, range(day.steps)))
    ]


def site_truth(site: Site) -> dict[str, Any]:
    """What is installed at a site."""
    return {
        "energy_site_id": site.energy_site_id,
        "name": site.name,
        "time_zone": site.zone,
        "latitude": site.latitude_deg,
        "longitude": site.longitude_deg,
        "installed": site.installed.isoformat(),
        "solar_peak_w": site.array.peak_w,
        "inverter_w": site.array.inverter_w,
        "battery_capacity_wh": site.battery.capacity_wh,
        "battery_power_w": site.battery.power_w,
        "battery_reserve_wh": site.battery.reserve_wh,
        "generator_w": site.generator_w,
        "charge_efficiency": site.battery.charge_efficiency,
        "discharge_efficiency": site.battery.discharge_efficiency,
    }


def car_truth(fleet: Fleet, car: Car) -> dict[str, Any]:
    """What a car is and where it lives."""
    site = fleet.sites[car.site_index] if fleet.sites else None
    return {
        "vin": car.vin,
        "id": car.vehicle_id,
        "name": car.name,
        "energy_site_id": site.energy_site_id if site else None,
        "time_zone": car.zone,
        "home": [car.home.latitude_deg, car.home.longitude_deg],
        "usable_wh": car.usable_wh,
        "limit_pct": car.limit_pct,
        "plug_w": car.plug_w,
        "phases": car.phases,
        "has_night_tariff": car.has_night_tariff,
        "habits": car.habits.names,
    }


def plug_in_truth(plug_in: PlugIn, vin: str) -> dict[str, Any]:
    """A plug-in with its segments: exact instants, energy at the plug and into the battery.

    `used_wh` is what charging drew; preheating drew its own, of which the battery got nothing.
    """
    used_wh = plug_in.used_wh(plug_in.end_s)
    return {
        "vin": vin,
        "place": plug_in.place.name,
        "is_home": plug_in.place.is_home,
        "is_supercharger": plug_in.place.is_supercharger,
        "is_underground": plug_in.place.is_underground,
        "latitude": plug_in.place.latitude_deg,
        "longitude": plug_in.place.longitude_deg,
        "plugged": utc_iso(plug_in.start_s),
        "unplugged": utc_iso(plug_in.end_s),
        "used_wh": used_wh,
        "added_wh": used_wh * plug_in.efficiency,
        "efficiency": plug_in.efficiency,
        "is_complete": plug_in.is_complete,
        "without_power": plug_in.without_power and [*map(utc_iso, plug_in.without_power)],
        "preheating": [
            {
                "start": utc_iso(piece.start_s),
                "end": utc_iso(piece.end_s),
                "used_wh": piece.energy_wh,
            }
            for piece in plug_in.preheating
        ],
        "segments": [
            {
                "start": utc_iso(segment[0].start_s),
                "end": utc_iso(segment[-1].end_s),
                "used_wh": energy_wh([segment]),
                "added_wh": energy_wh([segment]) * plug_in.efficiency,
                "max_power_w": max(piece.power_w for piece in segment),
            }
            for segment in plug_in.segments
        ],
    }


def charges_truth(car: Car, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The car's plug-ins that begin in a half-open window."""
    found = plug_ins(car, start.timestamp(), end.timestamp())
    return [plug_in_truth(plug_in, car.vin) for plug_in in found]


def trips_truth(car: Car, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """The car's trips that begin in a half-open window; distance in miles."""
    start_s, end_s = start.timestamp(), end.timestamp()
    monday: date = monday_of(car, start_s)
    trips = []
    while monday <= monday_of(car, end_s):
        week = car_week(car, monday)
        for trip, stored_wh in zip(week.trips, week.stored_at_trip_wh, strict=True):
            if start_s <= trip.start_s < end_s:
                trips.append(
                    {
                        "vin": car.vin,
                        "start": utc_iso(trip.start_s),
                        "end": utc_iso(trip.end_s),
                        "origin": trip.origin.name,
                        "destination": trip.destination.name,
                        "distance_mi": trip.distance_mi,
                        "energy_wh": trip_energy_wh(car, trip),
                        "soc_start_pct": 100 * stored_wh / car.usable_wh,
                    }
                )
        monday += timedelta(days=7)
    return trips


def state_truth(car: Car, at_s: float) -> dict[str, Any]:
    """What the car does at an instant; power in W, positive when the battery gives it."""
    now = car_state(car, at_s)
    return {
        "vin": car.vin,
        "at": datetime.fromtimestamp(at_s, UTC).isoformat(),
        "is_driving": now.trip is not None,
        "latitude": now.latitude_deg,
        "longitude": now.longitude_deg,
        "speed_mph": now.speed_mph,
        "power_w": now.power_w,
        "odometer_mi": odometer_mi(car, at_s),
        "soc_pct": now.soc_pct,
        "stored_wh": now.stored_wh,
        "charging_state": now.charging_state,
        "is_plugged_in": now.plug_in is not None,
    }


def awake_truth(
    car: Car, held_s: list[Interval], start: datetime, end: datetime
) -> dict[str, float]:
    """Minutes awake in a half-open window: without any calls, with those made, the difference."""
    start_s, end_s = start.timestamp(), end.timestamp()
    natural = awake_intervals(car, start_s, end_s)
    actual = outside(
        merged([*natural, *held_s], start_s, end_s), without_signal(car, start_s, end_s)
    )
    natural_min, actual_min = minutes(natural), minutes(actual)
    return {
        "natural_min": natural_min,
        "actual_min": actual_min,
        "held_min": actual_min - natural_min,
    }
