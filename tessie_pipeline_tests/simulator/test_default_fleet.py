"""What has been measured and pinned rests on the default household: it must never change."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tessie_pipeline.simulator.awake import awake_intervals
from tessie_pipeline.simulator.charging_history import connector_charges, supercharger_sessions
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.site_answers import live_status, product, site_info
from tessie_pipeline.simulator.truth import (
    charges_truth,
    day_truth,
    interval_truth,
    site_truth,
    trips_truth,
)
from tessie_pipeline.simulator.vehicle_answers import ENDPOINTS, vehicle_data

START = datetime(2026, 2, 23, tzinfo=UTC)
WEEKS = 5
AS_IT_WAS = "79def0f38b2fc661835fb0fceb1684b821e515f63261ffe166b96d69f239dd44"
LATER = {
    *("is_underground", "preheating", "without_power"),
    *("generator_w", "generator_wh", "generator_to_home_wh", "generator_to_battery_wh"),
}
"""Keys of the truth that came with later habits and generators."""


def _facts(fleet: Fleet) -> Iterator[Any]:
    end = START + timedelta(weeks=WEEKS)
    start_s, end_s = START.timestamp(), end.timestamp()
    (site,) = fleet.sites
    for at_s in range(int(start_s), int(end_s), 2213):
        yield live_status(fleet, site, at_s)
        for car in fleet.cars:
            yield vehicle_data(fleet, car, at_s, ENDPOINTS, True)
    described = site_info(fleet, site, start_s)
    described.pop("tariff_content_v2")  # which came later
    yield [product(fleet, site, start_s), described, _as_before(site_truth(site))]
    yield supercharger_sessions(fleet, fleet.cars, 0.0, end_s, end_s)
    yield connector_charges(fleet, site, start_s, end_s, end_s)
    for offset in range(7 * WEEKS):
        day = fleet.site_days.day(site, date(2026, 2, 23) + timedelta(days=offset))
        yield [_as_before(day_truth(fleet, day)), list(map(_as_before, interval_truth(day)))]
    for car in fleet.cars:
        for plug_in in charges_truth(car, START, end):
            yield _as_before(plug_in)
        yield trips_truth(car, START, end)
        yield awake_intervals(car, start_s, end_s)


def _as_before(truth: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in truth.items() if key not in LATER}


def test_the_default_household_is_as_it_was() -> None:
    digest = hashlib.sha256()
    for fact in _facts(Fleet()):
        # The last bits of a cosine differ between machines.
        rounded = json.loads(json.dumps(fact), parse_float=lambda text: round(float(text), 6))
        digest.update(json.dumps(rounded, sort_keys=True).encode())
    assert digest.hexdigest() == AS_IT_WAS
