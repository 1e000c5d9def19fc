"""Charges as Tesla's servers list them: Supercharger sessions, and a site's wall connectors.

Home charging is not in the Supercharger history, and cars are not asked for either list.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from tessie_pipeline.simulator.charging import car_week
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import local_iso
from tessie_pipeline.simulator.plug_in import PlugIn, energy_wh
from tessie_pipeline.simulator.trips import Car, monday_of

_PRICES = {"US": ("USD", 0.42), "DE": ("EUR", 0.49), "AU": ("AUD", 0.66)}
IDLE_PRICE, IDLE_GRACE_MIN = 0.5, 5
"""Per minute; nothing is due for a car that leaves within the grace."""
LONGEST_STAY_S = 7 * 86400


def plug_ins(car: Car, start_s: float, end_s: float) -> Iterator[PlugIn]:
    """The car's plug-ins that begin in a half-open window [unix s], in order."""
    monday, last = monday_of(car, start_s), monday_of(car, end_s)
    while monday <= last:
        for plug_in in car_week(car, monday).plug_ins:
            if start_s <= plug_in.start_s < end_s:
                yield plug_in
        monday += timedelta(days=7)


def supercharger_sessions(
    fleet: Fleet, cars: list[Car], start_s: float, end_s: float, now_s: float
) -> list[dict[str, Any]]:
    """Finished Supercharger sessions in a window, newest first, in Tesla's shape."""
    countries = {site.index: site.country for site in fleet.sites}
    sessions = [
        (plug_in.start_s, _session(car, plug_in, countries.get(car.site_index, "US")))
        for car in cars
        for plug_in in plug_ins(car, start_s, min(end_s, now_s))
        if plug_in.place.is_supercharger and plug_in.segments and plug_in.end_s <= now_s
    ]
    sessions.sort(key=lambda pair: -pair[0])
    return [session for _, session in sessions]


def _session(car: Car, plug_in: PlugIn, country: str) -> dict[str, Any]:
    currency, price = _PRICES[country]
    energy_kwh = round(plug_in.used_wh(plug_in.end_s) / 1000)
    idle_min = _idle_min(plug_in) if car.habits.overstays else 0
    session_id = 500_000_000 + (plug_in.start_s * 31 + car.index) % 400_000_000
    return {
        "sessionId": session_id,
        "vin": car.vin,
        "siteLocationName": plug_in.place.name,
        "chargeStartDateTime": local_iso(car.zone, plug_in.charge_start_s or plug_in.start_s),
        "chargeStopDateTime": local_iso(car.zone, plug_in.charge_end_s or plug_in.end_s),
        "unlatchDateTime": local_iso(car.zone, plug_in.end_s),
        "countryCode": country,
        "fees": [
            _fee(session_id * 10, "CHARGING", "PAYMENT", currency, "kwh", price, energy_kwh),
            _fee(
                session_id * 10 + 1,
                "PARKING",
                "PAYMENT" if idle_min else "NO_CHARGE",
                currency,
                "min",
                IDLE_PRICE if idle_min else 0.0,
                idle_min,
            ),
        ],
        "billingType": "IMMEDIATE",
        "invoices": [
            {
                "fileName": f"3000P{session_id}.pdf",
                "contentId": f"{session_id:08x}-0000-4000-8000-000000000000",
                "invoiceType": "IMMEDIATE",
            }
        ],
        "vehicleMakeType": "TSLA",
    }


def _idle_min(plug_in: PlugIn) -> int:
    """Whole minutes on the cable after charging; none where it was left within the grace."""
    idle_min = (plug_in.end_s - (plug_in.charge_end_s or plug_in.end_s)) // 60
    return idle_min if idle_min > IDLE_GRACE_MIN else 0


def _fee(
    fee_id: int, kind: str, pricing: str, currency: str, unit: str, price: float, usage: int
) -> dict[str, Any]:
    total = round(price * usage, 2)
    return {
        "sessionFeeId": fee_id,
        "feeType": kind,
        "currencyCode": currency,
        "pricingType": pricing,
        "rateBase": price,
        "rateTier1": 0,
        "rateTier2": 0,
        "rateTier3": None,
        "rateTier4": None,
        "usageBase": usage,
        "usageTier1": 0,
        "usageTier2": 0,
        "usageTier3": None,
        "usageTier4": None,
        "totalBase": total,
        "totalTier1": 0,
        "totalTier2": 0,
        "totalTier3": 0,
        "totalTier4": 0,
        "totalDue": total,
        "netDue": total,
        "uom": unit,
        "isPaid": True,
        "status": "PAID",
    }


def connector_din(car: Car) -> str:
    """Serial name of the wall connector a car uses at home."""
    return f"1529455-02-D--PGT2312{1000 + car.index:07d}"


def connector_charges(
    fleet: Fleet, site: Site, start_s: float, end_s: float, now_s: float
) -> list[dict[str, Any]]:
    """Finished charges at a site's wall connectors, oldest first: one per segment or preheating.

    A connector does not know what a car does with what it draws.
    """
    charges = [
        {
            "charge_start_time": {"seconds": segment[0].start_s},
            "charge_duration": {"seconds": segment[-1].end_s - segment[0].start_s},
            "energy_added_wh": round(energy_wh([segment])),
            "din": connector_din(car),
            "vin": car.vin,
        }
        for car in fleet.cars_at_site.get(site.index, ())
        for plug_in in plug_ins(car, start_s - LONGEST_STAY_S, end_s)
        if plug_in.place.is_home
        for segment in (*plug_in.segments, plug_in.preheating)
        if segment and start_s <= segment[0].start_s < end_s and segment[-1].end_s <= now_s
    ]
    return sorted(charges, key=lambda charge: str(charge["charge_start_time"]))
