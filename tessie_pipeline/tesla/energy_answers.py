"""Decoding of `live_status` and `site_info` answers (`fleet_api.md` sections 4.1 and 4.2).

Here: a site's description as `EnergySite`, its instant as a row of `ENERGY_STATES`. Powers are in W
and battery energies in Wh, signed as Tesla does: battery > 0 discharges, grid > 0 imports.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field

from tessie_pipeline.tesla.answers import (
    Answer,
    ChargedPercent,
    Flag,
    Instant,
    Number,
    SmallCount,
    TeslaId,
    Text,
    kept_text,
    read,
    unwrapped,
)

NO_PACK_WH = 1.0
"""`total_pack_energy` of a site without a battery (`fleet_api.md` 4.1)."""


class _Live(Answer):
    timestamp: Instant
    solar_power: Number | None = None
    battery_power: Number | None = None
    grid_power: Number | None = None
    load_power: Number | None = None
    generator_power: Number | None = None
    percentage_charged: ChargedPercent | None = None
    energy_left: Number | None = None
    total_pack_energy: Number | None = None
    grid_status: Text | None = None
    island_status: Text | None = None


class _BackupTime(Answer):
    time_remaining_hours: Number


class _Battery(Answer):
    nameplate_energy: Number | None = None


class _Gateway(Answer):
    nameplate_energy_watts: Number | None = None


class _Inverter(Answer):
    nameplate_power: Number | None = Field(
        default=None, validation_alias=AliasChoices("nameplate_power", "nameplate_power_watts")
    )


class _Components(Answer):
    battery: Flag | None = None
    solar: Flag | None = None
    grid: Flag | None = None
    load_meter: Flag | None = None
    wall_connectors: tuple[object, ...] = ()
    batteries: tuple[_Battery, ...] = ()
    gateways: tuple[_Gateway, ...] = ()
    inverters: tuple[_Inverter, ...] = ()


class _Site(Answer):
    site_name: Text | None = None
    components: _Components = _Components()


class _SiteInfo(_Site):
    battery_count: SmallCount | None = None
    nameplate_energy: Number | None = None
    installation_time_zone: Text | None = None


class _SiteProduct(_Site):
    energy_site_id: TeslaId
    resource_type: Text | None = None
    total_pack_energy: Number | None = None


@dataclass(frozen=True)
class EnergySite:
    """A home or business with solar, batteries or both.

    Attributes:
        tesla_site_id: `energy_site_id`.
        site_name: The owner's name for it.
        battery_count: Number of battery units.
        total_battery_capacity_kwh: Nameplate energy in kWh; from `/products`, which has no
            nameplate, what the pack holds when full today.
        solar_capacity_kw: Nameplate power of the inverters in kW; no captured answer has it.
        time_zone: IANA name, None where Tesla gives none or one that does not exist.
        time_zone_as_given: What Tesla wrote there.
        raw_data: The JSON of its `site_info`, None before that came.
    """

    tesla_site_id: int
    site_name: str | None = None
    battery_count: int | None = None
    total_battery_capacity_kwh: float | None = None
    solar_capacity_kw: float | None = None
    time_zone: str | None = None
    time_zone_as_given: str | None = None
    raw_data: str | None = field(default=None, repr=False, compare=False)

    def completed_by(self, info: "EnergySite") -> "EnergySite":
        """This site with everything that `info`, the better source, knows."""
        known = {name: value for name, value in vars(info).items() if value is not None}
        return replace(self, **known)


@dataclass(frozen=True)
class EnergySample:
    """One `live_status` answer: `row` is `ENERGY_STATES` but for `site_id` and `is_stale`."""

    row: dict[str, object]


def decode_live_status(body: object) -> EnergySample:
    """One sample of a site.

    `timestamp` is the answer's own, in UTC. Powers in W and energies in Wh as given; what is
    charged is unknown at a site without a battery, where Tesla writes 0 % of a pack of 1 Wh.
    `grid_status` and `island_status` are Tesla's words ("Active", "on_grid"). `raw_data` is the
    answer's JSON without envelope.

    Raises:
        UndecodableAnswer: The time is missing or a field is not what it should be.
    """
    text = kept_text(unwrapped(body))
    live = read(_Live, text)
    has_battery = live.total_pack_energy is None or live.total_pack_energy > NO_PACK_WH
    return EnergySample(
        {
            "timestamp": live.timestamp,
            "solar_power_w": live.solar_power,
            "battery_power_w": live.battery_power,
            "grid_power_w": live.grid_power,
            "load_power_w": live.load_power,
            "generator_power_w": live.generator_power,
            "battery_percentage": live.percentage_charged if has_battery else None,
            "energy_left_wh": live.energy_left if has_battery else None,
            "total_pack_energy_wh": live.total_pack_energy if has_battery else None,
            "grid_status": live.grid_status,
            "island_status": live.island_status,
            "raw_data": text,
        }
    )


def decode_backup_time_remaining(body: object) -> float:
    """Hours that the battery carries the home at its present load.

    Raises:
        UndecodableAnswer: There is no such number.
    """
    return read(_BackupTime, kept_text(unwrapped(body))).time_remaining_hours


def decode_site_info(body: object, tesla_site_id: int) -> EnergySite:
    """A site from its `site_info`, whose own `id` is the gateway's and not the site's.

    The capacity is `nameplate_energy`, else that of the batteries, else that of the gateways:
    a Powerwall 3 is listed as a gateway and its site's own nameplate may be 0.

    Raises:
        UndecodableAnswer: A field is not what it should be.
    """
    text = kept_text(unwrapped(body))
    info = read(_SiteInfo, text)
    parts = info.components
    capacities_wh = (
        info.nameplate_energy,
        _total([battery.nameplate_energy for battery in parts.batteries]),
        _total([gateway.nameplate_energy_watts for gateway in parts.gateways]),
    )
    zone = info.installation_time_zone
    return EnergySite(
        tesla_site_id=tesla_site_id,
        site_name=info.site_name,
        battery_count=info.battery_count or len(parts.batteries) or info.battery_count,
        total_battery_capacity_kwh=next((_kilo(wh) for wh in capacities_wh if wh), None),
        solar_capacity_kw=_kilo(_total([inverter.nameplate_power for inverter in parts.inverters])),
        time_zone=zone if zone in _zones() else None,
        time_zone_as_given=zone,
        raw_data=text,
    )


def decode_site_product(body: object) -> EnergySite | None:
    """A site from an element of `/products`; None for a ghost, which has no type and no part.

    Raises:
        UndecodableAnswer: A field is not what it should be.
    """
    product = read(_SiteProduct, kept_text(body))
    parts = product.components
    if product.resource_type is None and not any(
        (parts.battery, parts.solar, parts.grid, parts.load_meter, parts.wall_connectors)
    ):
        return None
    pack_wh = product.total_pack_energy
    return EnergySite(
        tesla_site_id=product.energy_site_id,
        site_name=product.site_name,
        total_battery_capacity_kwh=_kilo(pack_wh) if pack_wh and pack_wh > NO_PACK_WH else None,
    )


def _total(values: Sequence[float | None]) -> float | None:
    """The sum, None where a part or all of it is unknown or nothing."""
    known = [value for value in values if value]
    return sum(known) if known and len(known) == len(values) else None


def _kilo(value: float | None) -> float | None:
    return None if value is None else value / 1000


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
