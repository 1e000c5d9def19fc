"""The rate plan of a site, in the shape of Tesla's `tariff_content_v2`."""

from typing import Any

from tessie_pipeline.simulator.household import Site

_PLANS = {
    "US": ("USD", 0.24, 0.38, 0.58, 0.08),
    "DE": ("EUR", 0.22, 0.34, 0.42, 0.08),
    "AU": ("AUD", 0.18, 0.31, 0.46, 0.05),
}
"""Currency, and the prices of a kWh: by night, by day, in the evening, and of what is exported."""

_NIGHT, _DAY, _EVENING = "SUPER_OFF_PEAK", "OFF_PEAK", "ON_PEAK"
_HOURS = {_NIGHT: [(0, 6)], _DAY: [(6, 16), (21, 24)], _EVENING: [(16, 21)]}


def rate_plan(site: Site) -> dict[str, Any]:
    """Cheap nights for cars, dear evenings, the same all year; export earns little."""
    currency, night, day, evening, export = _PLANS[site.country]
    periods = {
        name: {
            "periods": [
                {"fromDayOfWeek": 0, "toDayOfWeek": 6, "fromHour": start, "toHour": end}
                for start, end in hours
            ]
        }
        for name, hours in _HOURS.items()
    }
    year = {"fromMonth": 1, "fromDay": 1, "toMonth": 12, "toDay": 31, "tou_periods": periods}
    return {
        "version": 1,
        "utility": "The simulated utility",
        "code": "EV-NIGHT",
        "name": "Nights for cars",
        "currency": currency,
        "daily_charges": [{"name": "Charge", "amount": 0.4}],
        "energy_charges": {
            "ALL": {"rates": {"ALL": 0}},
            "Year": {"rates": {_NIGHT: night, _DAY: day, _EVENING: evening}},
        },
        "seasons": {"Year": year},
        "sell_tariff": {
            "name": "Export",
            "energy_charges": {"ALL": {"rates": {"ALL": export}}},
            "seasons": {},
        },
    }
