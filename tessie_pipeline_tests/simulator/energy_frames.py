"""Days of a simulated home as frames: what happened, what Tesla answers, what a poll sees."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from tessie_pipeline.domain.charging_frames import CHARGING_PIECES
from tessie_pipeline.domain.samples import ENERGY_STATES, UTC_TIME
from tessie_pipeline.simulator.battery import Flows
from tessie_pipeline.simulator.calendar_history import (
    energy_series,
    power_series,
    soe_series,
    window,
)
from tessie_pipeline.simulator.charging_history import plug_ins
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.localdays import STEP_S
from tessie_pipeline.simulator.powerwall import SiteDays
from tessie_pipeline.tesla.answers import Rejected
from tessie_pipeline.tesla.history import (
    decode_energy_history,
    decode_power_history,
    decode_soe_history,
)

LONGEST_STAY = timedelta(days=7)
FIRST_SAMPLE_S, EVERY_S = 17, 60
"""Into each step of five minutes, at whose start power changes: polls do not fall there."""


@dataclass(frozen=True)
class History:
    """Decoded `calendar_history` of whole days: whole Wh, whole W and whole %."""

    energy: pl.DataFrame
    power: pl.DataFrame
    soe: pl.DataFrame


def history_of(site_days: SiteDays, site: Site, days: pl.DataFrame) -> History:
    """What Tesla answers of a site's `DAY_WINDOWS` once they are over."""
    energy, power, soe = [], [], []
    for start, end in days.select("start", "end").iter_rows():
        now_s = end.timestamp() + 3600
        asked = window(site, "day", start.isoformat(), None, site.zone, now_s)
        energy.append(energy_series(site_days, site, asked, "day", now_s))
        power.append(power_series(site_days, site, asked, now_s))
        soe.append(soe_series(site_days, site, asked, now_s))
    return History(
        _decoded(decode_energy_history, site, energy),
        _decoded(decode_power_history, site, power),
        _decoded(decode_soe_history, site, soe),
    )


def _decoded(
    decode: Callable[[pl.DataFrame], tuple[pl.DataFrame, list[Rejected]]],
    site: Site,
    series: list[list[dict[str, Any]]],
) -> pl.DataFrame:
    bodies = [json.dumps({"response": {"period": "day", "time_series": day}}) for day in series]
    found, refused = decode(pl.DataFrame({"site_id": [site.name] * len(bodies), "body": bodies}))
    assert refused == []
    return found


def steps_of(site_days: SiteDays, site: Site, days: pl.DataFrame) -> pl.DataFrame:
    """Each step of a site's `DAY_WINDOWS`: its start, the fields of `Flows` and `before_wh`."""
    frames = []
    for date in days["date"]:
        day = site_days.day(site, date)
        columns = dict(zip(Flows._fields, map(list, day.columns), strict=True))
        start_s = range(day.start_s, day.end_s, STEP_S)
        frames.append(
            pl.DataFrame({"start_s": start_s, **columns}).with_columns(
                before_wh=pl.col("stored_wh").shift(fill_value=day.stored_start_wh)
            )
        )
    return pl.concat(frames)


def samples_of_steps(site: Site, steps: pl.DataFrame) -> pl.DataFrame:
    """What `live_status` answers once a minute, in whole W, as `ENERGY_STATES`."""
    into, at_s = pl.col("into_s"), pl.col("start_s") + pl.col("into_s")
    stored = pl.col("before_wh") + (pl.col("stored_wh") - pl.col("before_wh")) * into / STEP_S
    powers = {
        "solar_power_w": _sum("solar_to_home", "solar_to_battery", "solar_to_grid"),
        "battery_power_w": _sum("battery_to_home", "battery_to_grid")
        - _sum("solar_to_battery", "grid_to_battery", "generator_to_battery"),
        "grid_power_w": _sum("grid_to_home", "grid_to_battery")
        - _sum("solar_to_grid", "battery_to_grid"),
        "generator_power_w": _sum("generator_to_home", "generator_to_battery"),
    }
    found = (
        steps.with_columns(into_s=pl.lit(list(range(FIRST_SAMPLE_S, STEP_S, EVERY_S))))
        .explode("into_s")
        .select(
            *(power.round().alias(name) for name, power in powers.items()),
            site_id=pl.lit(site.name),
            timestamp=(1_000_000 * at_s).cast(UTC_TIME),
            battery_percentage=100 * stored / site.battery.capacity_wh,
        )
        .with_columns(load_power_w=pl.sum_horizontal(powers.keys()))
    )
    return found.match_to_schema(ENERGY_STATES, missing_columns="insert").select(
        ENERGY_STATES.names()
    )


def charges_of(fleet: Fleet, site: Site, days: pl.DataFrame) -> pl.DataFrame:
    """What cars draw at a site in its `DAY_WINDOWS`, as `CHARGING_PIECES` with `site_id`."""
    start, end = days.select(pl.col("start").min(), pl.col("end").max()).row(0)
    rows = [
        {
            "vehicle_id": car.vin,
            "session_started_at": datetime.fromtimestamp(plug_in.start_s, UTC),
            "start": datetime.fromtimestamp(piece.start_s, UTC),
            "end": datetime.fromtimestamp(piece.end_s, UTC),
            "energy_kwh": piece.energy_wh / 1000,
            "site_id": site.name,
        }
        for car in fleet.cars_at_site[site.index]
        for plug_in in plug_ins(car, (start - LONGEST_STAY).timestamp(), end.timestamp())
        if plug_in.place.is_home
        for piece in plug_in.drawn
        if start.timestamp() <= piece.start_s < end.timestamp()
    ]
    return pl.DataFrame(rows, {**CHARGING_PIECES, "site_id": pl.String()})


def _sum(*flows: str) -> pl.Expr:
    return pl.sum_horizontal(f"{flow}_w" for flow in flows)
