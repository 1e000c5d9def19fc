"""Samples of simulated cars as polling would bring them, without HTTP and without its time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from tessie_pipeline.domain.samples import VEHICLE_STATES
from tessie_pipeline.simulator.awake import has_signal, is_naturally_awake
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.vehicle_answers import vehicle_data
from tessie_pipeline.tesla.client import VEHICLE_DATA_ENDPOINTS
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data


def samples_of(
    fleet: Fleet,
    ids: Mapping[int, str],
    start: datetime,
    end: datetime,
    spacing: timedelta = timedelta(minutes=5),
) -> pl.DataFrame:
    """Decoded answers of the cars while they are awake and have signal, as `VEHICLE_STATES`.

    `ids` are our ids by Tesla's; `is_stale` is left out, as for samples that are to be added.
    """
    rows = []
    for car in fleet.cars:
        at = start
        while at < end:
            at_s = at.timestamp()
            if is_naturally_awake(car, at_s) and has_signal(car, at_s):
                body = vehicle_data(fleet, car, at_s, frozenset(VEHICLE_DATA_ENDPOINTS), True)
                row = decode_vehicle_data(body).row
                rows.append({"vehicle_id": ids[car.vehicle_id], **row})
            at += spacing
    schema = {name: kind for name, kind in VEHICLE_STATES.items() if name != "is_stale"}
    return pl.DataFrame(rows, schema)


def utc(text: str) -> datetime:
    """An instant given in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
