"""The Fleet API's answers about cars: the vehicle object and `vehicle_data`'s sub-states.

Units are Tesla's: miles, mi/h, kW, kWh, C. The keys that never change here are in
`vehicle_template.json`, in the shape of the captured answers of gak/teslatte.
"""

import copy
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import outside_temperature_c
from tessie_pipeline.simulator.localdays import local_date
from tessie_pipeline.simulator.motion import CarState, car_state, odometer_mi
from tessie_pipeline.simulator.trips import Car

LOCATION = "location_data"
_DRIVE_KEYS_WITH_LOCATION = ("latitude", "longitude", "heading", "gps_as_of")
_LAG_MS = {
    "charge_state": 120,
    "climate_state": 410,
    "drive_state": 35,
    "gui_settings": 890,
    "vehicle_config": 730,
    "vehicle_state": 205,
    "charge_schedule_data": 640,
    "preconditioning_schedule_data": 655,
}
_ONLY_ON_REQUEST = {"charge_schedule_data", "preconditioning_schedule_data"}
DEFAULT_ENDPOINTS = frozenset(_LAG_MS) - _ONLY_ON_REQUEST
ENDPOINTS = frozenset(_LAG_MS) | {LOCATION, "closures_state", "vehicle_data_combo"}


@cache
def _template() -> dict[str, Any]:
    path = Path(__file__).with_name("vehicle_template.json")
    template: dict[str, Any] = json.loads(path.read_text())
    return template


def vehicle_object(car: Car, state: str) -> dict[str, Any]:
    """The car as `/vehicles`, `/products` and the top of `vehicle_data` give it."""
    return {
        "id": car.vehicle_id,
        "user_id": 429_511_308_124,
        "vehicle_id": 1_690_000_000 + car.index,
        "vin": car.vin,
        "color": None,
        "access_type": "OWNER",
        "display_name": car.name,
        "option_codes": None,
        "cached_data": None,
        "granular_access": {"hide_private": False},
        "tokens": ["0123456789abcdef", "fedcba9876543210"],
        "state": state,
        "in_service": False,
        "id_s": str(car.vehicle_id),
        "calendar_enabled": True,
        "api_version": 71,
        "backseat_token": None,
        "backseat_token_updated_at": None,
        "ble_autopair_enrolled": False,
        "command_signing": "required",
        "release_notes_supported": True,
    }


def vehicle_data(
    fleet: Fleet, car: Car, at_s: float, endpoints: frozenset[str], has_location: bool
) -> dict[str, Any]:
    """The answer of an online car: the vehicle object and the sub-states asked for.

    Coordinates are there only if `location_data` is asked for and `has_location` (the token's
    scope) allows it; otherwise their keys are absent.
    """
    now = car_state(car, at_s)
    makers = {
        "charge_state": _charge_state,
        "climate_state": _climate_state,
        "drive_state": _drive_state,
        "vehicle_config": _vehicle_config,
        "vehicle_state": _vehicle_state,
    }
    wanted = set(endpoints)
    if "vehicle_data_combo" in endpoints:
        wanted |= DEFAULT_ENDPOINTS
    if LOCATION in endpoints:
        wanted.add("drive_state")
    answer = vehicle_object(car, "online")
    for name in sorted(wanted & _LAG_MS.keys()):
        state = copy.deepcopy(_template().get(name, {}))
        maker = makers.get(name)
        if maker is not None:
            state |= maker(fleet, car, now)
        state["timestamp"] = int(at_s * 1000) - _LAG_MS[name]
        answer[name] = dict(sorted(state.items()))
    if "drive_state" in answer and not (has_location and LOCATION in endpoints):
        for key in list(answer["drive_state"]):
            if key in _DRIVE_KEYS_WITH_LOCATION or key.startswith("native_"):
                del answer["drive_state"][key]
    return answer


def _charge_state(_: Fleet, car: Car, now: CarState) -> dict[str, Any]:
    """Charging; cars on three phases report 2, as real ones do, and DC reports 2 V and 0 A."""
    plug_in, last = now.plug_in, now.last_plug_in
    is_fast = plug_in is not None and plug_in.place.is_supercharger
    is_ac = plug_in is not None and not is_fast
    added_kwh = last.added_wh(now.at_s) / 1000 if last else 0.0
    added_mi = round(added_kwh * 1000 / car.rated_wh_per_mi, 1)
    into_battery_w = now.piece.power_w * plug_in.efficiency if plug_in and now.piece else 0.0
    limit_wh = car.usable_wh * car.limit_pct / 100
    hours_left = max(0.0, limit_wh - now.stored_wh) / into_battery_w if into_battery_w else 0.0
    volts = car.volts if is_ac and now.plug_w else 2 if plug_in else 0
    amps = round(now.plug_w / car.volts / car.phases) if is_ac else 0
    full_mi = car.usable_wh / car.rated_wh_per_mi
    return {
        "battery_level": round(now.soc_pct),
        "usable_battery_level": round(now.soc_pct - (0.7 if _is_cold(car, now.at_s) else 0.0)),
        "battery_range": round(full_mi * now.soc_pct / 100, 2),
        "ideal_battery_range": round(full_mi * now.soc_pct / 100, 2),
        "est_battery_range": round(0.86 * full_mi * now.soc_pct / 100, 2),
        "charge_amps": car.amps,
        "charge_current_request": car.amps,
        "charge_current_request_max": car.amps,
        "charge_energy_added": round(added_kwh, 2),
        "charge_limit_soc": car.limit_pct,
        "charge_miles_added_ideal": added_mi,
        "charge_miles_added_rated": added_mi,
        "charge_port_door_open": plug_in is not None,
        "charge_port_latch": "Engaged",
        "charge_rate": round(into_battery_w / car.rated_wh_per_mi, 1),
        "charger_actual_current": amps,
        "charger_phases": (2 if car.phases == 3 else 1) if is_ac else None,
        "charger_pilot_current": car.amps if plug_in else None,
        "charger_power": round(now.plug_w / 1000),
        "charger_voltage": volts,
        "charging_state": now.charging_state,
        "conn_charge_cable": ("SAE" if car.volts == 240 else "IEC") if plug_in else "<invalid>",
        "fast_charger_brand": "Tesla" if is_fast else "" if plug_in else "<invalid>",
        "fast_charger_present": is_fast,
        "fast_charger_type": _charger_type(car, is_fast, is_ac),
        "minutes_to_full_charge": round(hours_left * 60),
        "time_to_full_charge": round(hours_left, 2),
        "scheduled_charging_mode": "StartAt" if car.has_night_tariff else "Off",
        "scheduled_charging_pending": now.charging_state == "Stopped" and now.is_charge_pending,
        "scheduled_charging_start_time": _scheduled_s(now),
        "scheduled_charging_start_time_app": 30 if car.has_night_tariff else 0,
        "supercharger_session_trip_planner": is_fast,
        "trip_charging": is_fast,
    }


def _charger_type(car: Car, is_fast: bool, is_ac: bool) -> str:
    if is_fast:
        return "Tesla" if car.volts == 240 else "Combo"
    return "ACSingleWireCAN" if is_ac else "<invalid>"


def _scheduled_s(now: CarState) -> int | None:
    return now.plug_in.charge_start_s if now.plug_in and now.is_charge_pending else None


def _is_cold(car: Car, at_s: float) -> bool:
    month = local_date(car.zone, at_s).month
    return month in ((6, 7, 8) if car.home.latitude_deg < 0 else (12, 1, 2))


def _climate_state(fleet: Fleet, car: Car, now: CarState) -> dict[str, Any]:
    outside_c = 15.0
    if fleet.sites:
        site = fleet.sites[car.site_index]
        clock = datetime.fromtimestamp(now.at_s, ZoneInfo(car.zone))
        seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
        outside_c = outside_temperature_c(site, clock.date(), seconds)
    is_on = now.trip is not None or now.preheating is not None
    return {
        "fan_status": 3 if is_on else 0,
        "inside_temp": round(21.0 if is_on else 0.7 * outside_c + 6.3, 1),
        "outside_temp": round(outside_c * 2) / 2,
        "is_auto_conditioning_on": is_on,
        "is_climate_on": is_on,
        "is_preconditioning": now.preheating is not None,
    }


def _drive_state(_: Fleet, car: Car, now: CarState) -> dict[str, Any]:
    latitude, longitude = round(now.latitude_deg, 6), round(now.longitude_deg, 6)
    state = {
        "active_route_traffic_minutes_delay": 0.0,
        "gps_as_of": int(now.at_s) - 1,
        "heading": now.heading_deg,
        "latitude": latitude,
        "longitude": longitude,
        "native_latitude": latitude,
        "native_location_supported": 1,
        "native_longitude": longitude,
        "native_type": "wgs",
        "power": round(now.power_w / 1000),
        "shift_state": None,
        "speed": None,
    }
    if now.trip is not None:
        state |= {"shift_state": "D", "speed": round(now.speed_mph)}
    elif seeded(car.seed, "gear", car.index, int(now.at_s // 60)).random() < 0.1:
        state["shift_state"] = "P"
    return state


def _vehicle_config(_: Fleet, car: Car, now: CarState) -> dict[str, Any]:
    return vehicle_config(car, now.at_s)


def vehicle_config(car: Car, at_s: float) -> dict[str, Any]:
    """What the car is built like; `/products` gives it for sleeping cars too."""
    offset = datetime.fromtimestamp(at_s, ZoneInfo(car.zone)).utcoffset()
    is_european = car.zone.startswith("Europe")
    fixed: dict[str, Any] = _template()["vehicle_config"]
    return fixed | {
        "timestamp": int(at_s * 1000) - _LAG_MS["vehicle_config"],
        "car_type": car.model,
        "trim_badging": car.trim,
        "exterior_color": car.color,
        "charge_port_type": "US" if car.volts == 240 else "CCS",
        "eu_vehicle": is_european,
        "rhd": car.zone.startswith("Australia"),
        "utc_offset": int(offset.total_seconds()) if offset else 0,
    }


def _vehicle_state(_: Fleet, car: Car, now: CarState) -> dict[str, Any]:
    is_driving = now.trip is not None
    return {
        "center_display_state": 2 if is_driving else 0,
        "is_user_present": is_driving,
        "locked": not is_driving,
        "odometer": round(odometer_mi(car, now.at_s), 6),
        "homelink_nearby": not is_driving and now.latitude_deg == car.home.latitude_deg,
        "tpms_last_seen_pressure_time_fl": int(now.at_s) // 60 * 60,
        "vehicle_name": car.name,
    }
