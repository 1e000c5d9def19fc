"""The Fleet API's answers about energy sites: the product, `live_status` and `site_info`.

Powers in W, energies in Wh; battery > 0 discharges, grid > 0 imports.
"""

from typing import Any

from tessie_pipeline.simulator.charging_history import connector_din
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import STEP_S, local_date, local_iso
from tessie_pipeline.simulator.motion import car_state
from tessie_pipeline.simulator.rate_plan import rate_plan
from tessie_pipeline.simulator.trips import Car

VERSION = "26.34.1 eb113390"
CHARGING, NOT_CONNECTED, CONNECTED, SCHEDULED, ERROR, FINISHED = 1, 2, 4, 5, 7, 8


def live_status(fleet: Fleet, site: Site, at_s: float) -> dict[str, Any]:
    """The site now. Power is the 5-minute step's, so load = solar + battery + grid + generator."""
    day = fleet.site_days.day(site, local_date(site.zone, at_s))
    flow = day.flows(int(at_s - day.start_s) // STEP_S)
    solar, generator = round(flow.solar_w), round(flow.generator_w)
    battery, grid = round(flow.battery_w), round(flow.grid_w)
    stored_wh = day.stored_wh(at_s)
    is_out = day.outage is not None and day.outage.start_s <= at_s < day.outage.end_s
    return {
        "solar_power": solar,
        "energy_left": stored_wh,
        "total_pack_energy": round(site.battery.capacity_wh),
        "percentage_charged": 100 * stored_wh / site.battery.capacity_wh,
        "backup_capable": True,
        "battery_power": battery,
        "load_power": solar + battery + grid + generator,
        "grid_status": "Inactive" if is_out else "Active",
        "grid_services_active": False,
        "grid_power": grid,
        "grid_services_power": 0,
        "generator_power": generator,
        "island_status": "off_grid" if is_out else "on_grid",
        "storm_mode_active": False,
        "timestamp": local_iso(site.zone, at_s),
        "wall_connectors": [
            _wall_connector(car, at_s) for car in fleet.cars_at_site.get(site.index, ())
        ],
    }


def _wall_connector(car: Car, at_s: float) -> dict[str, Any]:
    now = car_state(car, at_s)
    connector: dict[str, Any] = {"din": connector_din(car)}
    is_here = now.plug_in is not None and now.plug_in.place.is_home
    if is_here:
        connector["vin"] = car.vin
    state = NOT_CONNECTED
    if is_here:
        by_word = {"Charging": CHARGING, "Complete": FINISHED, "NoPower": ERROR}
        state = by_word.get(now.charging_state, SCHEDULED if now.is_charge_pending else CONNECTED)
    return connector | {
        "wall_connector_state": state,
        "wall_connector_fault_state": 2,
        "wall_connector_power": round(now.plug_w if is_here else 0.0),
    }


def _connectors(fleet: Fleet, site: Site) -> list[dict[str, Any]]:
    return [
        {
            "device_id": f"00000000-0000-4000-8000-{car.index:012d}",
            "din": connector_din(car),
            "is_active": True,
        }
        for car in fleet.cars_at_site.get(site.index, ())
    ]


def _site_key(site: Site) -> str:
    return f"STE202001{site.index:02d}-{site.energy_site_id % 100_000:05d}"


def product(fleet: Fleet, site: Site, at_s: float) -> dict[str, Any]:
    """The site as `/products` lists it."""
    now = live_status(fleet, site, at_s)
    return {
        "energy_site_id": site.energy_site_id,
        "resource_type": "battery",
        "site_name": site.name,
        "id": _site_key(site),
        "gateway_id": f"1232100-00-E--TG12{site.index:010d}",
        "asset_site_id": f"00000000-0000-4000-9000-{site.index:012d}",
        "warp_site_number": _site_key(site),
        "energy_left": now["energy_left"],
        "total_pack_energy": now["total_pack_energy"],
        "percentage_charged": now["percentage_charged"],
        "battery_type": "ac_powerwall",
        "backup_capable": True,
        "battery_power": now["battery_power"],
        "go_off_grid_test_banner_enabled": None,
        "storm_mode_enabled": False,
        "powerwall_onboarding_settings_set": True,
        "powerwall_tesla_electric_interested_in": None,
        "vpp_tour_enabled": None,
        "sync_grid_alert_enabled": True,
        "breaker_alert_enabled": False,
        "components": {
            "battery": True,
            "battery_type": "ac_powerwall",
            "solar": True,
            "solar_type": "pv_panel",
            "grid": True,
            "load_meter": True,
            "market_type": "residential",
            "wall_connectors": _connectors(fleet, site),
        },
        "features": {"rate_plan_manager_no_pricing_constraint": True},
    }


def site_info(fleet: Fleet, site: Site, at_s: float) -> dict[str, Any]:
    """What is installed at the site and how it is set."""
    battery = site.battery
    may_charge_from_grid = site.night_charge_pct is not None
    may_export = site.evening_export_pct is not None
    return {
        "id": _site_key(site),
        "site_name": site.name,
        "backup_reserve_percent": round(battery.reserve_pct),
        "default_real_mode": "autonomous" if may_charge_from_grid else "self_consumption",
        "installation_date": f"{site.installed.isoformat()}T10:00:00+00:00",
        "user_settings": {
            "go_off_grid_test_banner_enabled": False,
            "storm_mode_enabled": False,
            "powerwall_onboarding_settings_set": True,
            "powerwall_tesla_electric_interested_in": False,
            "vpp_tour_enabled": True,
            "sync_grid_alert_enabled": True,
            "breaker_alert_enabled": False,
        },
        "components": _components(fleet, site)
        | {
            "disallow_charge_from_grid_with_solar_installed": not may_charge_from_grid,
            "customer_preferred_export_rule": "battery_ok" if may_export else "pv_only",
            "net_meter_mode": "battery_ok",
        },
        "version": VERSION,
        "battery_count": battery.count,
        "nameplate_power": round(battery.power_w),
        "nameplate_energy": round(battery.capacity_wh),
        "installation_time_zone": site.zone,
        "time_zone_offset": _offset_min(site, at_s),
        "max_site_meter_power_ac": 1_000_000_000,
        "min_site_meter_power_ac": -1_000_000_000,
        "vpp_backup_reserve_percent": round(battery.reserve_pct),
        "tou_settings": {"optimization_strategy": "economics", "schedule": []},
        "tariff_content": {},
        "tariff_content_v2": rate_plan(site),
    }


def _offset_min(site: Site, at_s: float) -> int:
    stamp = local_iso(site.zone, at_s)[-6:]
    minutes = int(stamp[1:3]) * 60 + int(stamp[4:6])
    return -minutes if stamp[0] == "-" else minutes


def _components(fleet: Fleet, site: Site) -> dict[str, Any]:
    gateway = f"1232100-00-E--TG12{site.index:010d}"
    return {
        "solar": True,
        "solar_type": "pv_panel",
        "battery": True,
        "grid": True,
        "backup": True,
        "gateway": "teg",
        "load_meter": True,
        "tou_capable": True,
        "storm_mode_capable": True,
        "flex_energy_request_capable": False,
        "car_charging_data_supported": False,
        "off_grid_vehicle_charging_reserve_supported": False,
        "solar_value_enabled": True,
        "set_islanding_mode_enabled": True,
        "backup_time_remaining_enabled": True,
        "battery_type": "ac_powerwall",
        "configurable": True,
        "grid_services_enabled": False,
        "wall_connectors": _connectors(fleet, site),
        "gateways": [
            {
                "device_id": f"00000000-0000-4000-a000-{site.index:012d}",
                "din": gateway,
                "serial_number": gateway[-14:],
                "part_number": "1232100-00-E",
                "part_type": 10,
                "part_name": "Tesla Backup Gateway 2",
                "is_active": True,
                "firmware_version": VERSION,
            }
        ],
        "batteries": [
            {
                "device_id": f"00000000-0000-4000-b000-{site.index:08d}{unit:04d}",
                "din": f"3012170-05-B--TG12{site.index:06d}{unit:04d}",
                "part_number": "3012170-05-B",
                "part_type": 2,
                "part_name": "Powerwall 2",
                "nameplate_max_charge_power": round(site.battery.unit_power_w),
                "nameplate_max_discharge_power": round(site.battery.unit_power_w),
                "nameplate_energy": round(site.battery.unit_capacity_wh),
            }
            for unit in range(site.battery.count)
        ],
    }
