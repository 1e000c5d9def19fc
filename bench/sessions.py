"""Charges, costs and drives of a year of one car at one minute: 525,600 samples less two days.

Whether the time is linear: ours is the year in one go, the reference its thirteen times four weeks
one by one. What a new sample costs: ours is one more sample, the reference the whole year again.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from math import ceil
from uuid import NAMESPACE_URL, uuid5

import polars as pl
import sqlalchemy as sa

from bench.measure import Contest, Side
from bench.scratch import Scratch
from tessie_pipeline.orchestration.charging import derive_sessions
from tessie_pipeline.orchestration.costs import derive_costs
from tessie_pipeline.orchestration.drives import derive_drives
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.vehicle_answers import vehicle_data
from tessie_pipeline.store.sample_changes import mark
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables import vehicle_states, vehicles
from tessie_pipeline.tesla.client import VEHICLE_DATA_ENDPOINTS
from tessie_pipeline.tesla.vehicle_answers import decode_vehicle_data

CAR = uuid5(NAMESPACE_URL, "car").hex
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK, WEEKS, PARTS = timedelta(weeks=1), 52, 13


def sessions_year(scratch: Scratch) -> Contest:
    """The year at once beside the same year by four weeks."""
    _fill(scratch)
    part = WEEK * (WEEKS // PARTS)
    parts = [(MONDAY + part * number, MONDAY + part * (number + 1)) for number in range(PARTS)]
    year = [(MONDAY, MONDAY + WEEK * WEEKS)]
    return Contest(_derive(scratch, year), _derive(scratch, parts), runs=3)


def sessions_one_sample(scratch: Scratch) -> Contest:
    """One more sample beside the whole year again."""
    _fill(scratch)
    end = MONDAY + WEEK * WEEKS
    return Contest(
        _derive(scratch, [(end - timedelta(minutes=1), end)]),
        _derive(scratch, [(MONDAY, end)]),
        runs=3,
    )


def _derive(scratch: Scratch, spans: Iterable[tuple[datetime, datetime]]) -> Side:
    """Derive the sessions of spans, one by one; nothing comes out differently."""

    def work() -> int:
        replaced = 0
        for start, end in spans:
            ends = {"vehicle_id": [CAR, CAR], "timestamp": [start, end - timedelta(minutes=1)]}
            with scratch.database.frames() as connection:
                mark(connection, pl.DataFrame(ends))
            replaced += _derive_all(scratch)
        return replaced

    return Side(lambda: scratch.execute("checkpoint"), work, counts=0)


def _derive_all(scratch: Scratch) -> int:
    """What a run of the job derives; returns how many plug-ins differ."""
    replaced = derive_sessions(scratch.database)
    with scratch.database.frames() as connection:
        derive_costs(connection)
    derive_drives(scratch.database, "UTC")
    return replaced.height


def _fill(scratch: Scratch) -> None:
    with scratch.database.rows() as connection:
        connection.execute(sa.insert(vehicles).values(id=CAR, tesla_id=1, vin="5YJ3E1EA7KF000001"))
    with scratch.database.frames() as connection:
        add_states(connection, vehicle_states, _year())
    scratch.execute("vacuum analyze")
    _derive_all(scratch)


@cache
def _year() -> pl.DataFrame:
    """Weeks like the first one, the odometer going on."""
    week = _week()
    first, *_, last = week["odometer"].sort().to_list()
    return pl.concat(
        week.with_columns(
            pl.col("timestamp") + WEEK * number,
            pl.col("odometer") + ceil(last - first + 1) * number,
        )
        for number in range(WEEKS)
    )


def _week() -> pl.DataFrame:
    fleet = Fleet(sites=1, vehicles=1)
    asked = frozenset(VEHICLE_DATA_ENDPOINTS)
    minutes = (MONDAY + timedelta(minutes=minute) for minute in range(7 * 24 * 60))
    rows = [
        decode_vehicle_data(vehicle_data(fleet, fleet.cars[0], at.timestamp(), asked, True)).row
        for at in minutes
    ]
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        vehicle_id=pl.lit(CAR), raw_data=pl.lit(None, pl.String())
    )
