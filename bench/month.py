"""A month of two simulated cars and their site: what it costs, what is found, how the cars sleep.

Ours is the pipeline itself, polling the simulator over HTTP every five minutes with the default
settings. The reference is TeslaMate's intervals, for the cars only, at equal prices.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import sqlalchemy as sa

from bench import teslamate
from bench.measure import Figure
from bench.scratch import Scratch
from tessie_pipeline.cli.environment import Environment, prepare
from tessie_pipeline.definitions import build_defs
from tessie_pipeline.domain.budget import month_of
from tessie_pipeline.orchestration.history_download import download, missing_answers
from tessie_pipeline.orchestration.jobs import LIVE_POLL
from tessie_pipeline.orchestration.local_dagster import local_dagster
from tessie_pipeline.orchestration.resources import connect_fleet_api
from tessie_pipeline.orchestration.sampling import sample_sites, sample_vehicles
from tessie_pipeline.settings import Settings
from tessie_pipeline.simulator.charging_history import plug_ins
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.server import serving
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline.simulator.truth import awake_truth
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables import vehicle_states, vehicles
from tessie_pipeline.store.tables.api import api_calls
from tessie_pipeline.tesla.client import FleetApi

MONTH = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = (month_of(MONTH)[1] - MONTH).days
TICK = timedelta(minutes=5)
Samples = Mapping[str, Iterable[tuple[float, float]]]
"""By VIN, when [unix s] how much [kWh] had been charged since the cable went in."""


@dataclass(frozen=True)
class Outcome:
    """What a month came to.

    Attributes:
        cost_usd: of all calls.
        found: how many charges a sample shows.
        energy_error_pct: of the worst charge, by the highest sample; 100 for one not found.
        asleep_pct: time asleep over the time asleep with no calls at all.
    """

    cost_usd: float
    found: int
    energy_error_pct: float
    asleep_pct: float


def figures(scratch: Scratch, done: Callable[[], object]) -> list[Figure]:
    """The month's figures; a ratio above 1 means that ours is better. `done` after each day."""
    ours = _ours(scratch, Fleet(), done)
    reference = _teslamates(Fleet())
    return [
        _figure(ours, reference, "cost_usd", "USD", is_less_better=True),
        _figure(ours, reference, "energy_error_pct", "%", is_less_better=True),
        _figure(ours, reference, "asleep_pct", "%", is_less_better=False),
        _figure(ours, reference, "found", "charges", is_less_better=False),
    ]


def _ours(scratch: Scratch, fleet: Fleet, done: Callable[[], object]) -> Outcome:
    """The pipeline's month; what only Dagster adds, a run around each poll, is left out."""
    database, clock, end = scratch.database, Clock(MONTH, speed=0), month_of(MONTH)[1]
    base = Settings.load(TESSIE_HOME=scratch.home, DATABASE_URL=database.url())
    environment = Environment(base, database)
    prepare(environment)
    with serving(fleet, clock) as url:
        settings = Settings.load(**environment.variables(url))
        with local_dagster(environment.variables(url)) as dagster:
            dagster.run(build_defs(settings, clock=clock.now), LIVE_POLL)
        with connect_fleet_api(settings, database, clock.now) as fleet_api:
            while (now := clock.now()) < end:
                sample_vehicles(database, fleet_api, settings, now)
                sample_sites(database, fleet_api, settings, now)
                if (now.hour, now.minute) == (12, 30):
                    _fetch_yesterday(database, fleet_api, clock)
                    done()
                clock.set(start=now + TICK)
        awake = [_awake(url, car, end) for car in fleet.cars]
    return _outcome(fleet, _cost_usd(database), _samples(database), awake)


def _teslamates(fleet: Fleet) -> Outcome:
    end = month_of(MONTH)[1]
    account = teslamate.poll(fleet, MONTH, end)
    price_usd = float(Settings.model_fields["price_data_usd"].default)
    awake = [awake_truth(car, account.waking.held_s(car), MONTH, end) for car in fleet.cars]
    return _outcome(fleet, account.calls * price_usd, account.added_kwh, awake)


def _fetch_yesterday(database: Database, fleet_api: FleetApi, clock: Clock) -> None:
    """What the daily job asks for."""
    today = clock.now().date()
    yesterday = today - timedelta(days=1)
    missing = missing_answers(database, yesterday, today, clock.now(), refetch=False)
    download(database, fleet_api, missing, clock.now, logging.getLogger(__name__))


def _cost_usd(database: Database) -> float:
    c = api_calls.c
    with database.rows() as connection:
        in_month = c.requested_at < month_of(MONTH)[1]
        return connection.scalar(sa.select(sa.func.sum(c.cost_usd)).where(in_month)) or 0.0


def _samples(database: Database) -> Samples:
    states = vehicle_states.c
    query = (
        sa.select(vehicles.c.vin, states.timestamp, states.charge_energy_added)
        .join(vehicles, vehicles.c.id == states.vehicle_id)
        .where(states.charge_energy_added.is_not(None))
    )
    found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    with database.rows() as connection:
        for vin, at, added_kwh in connection.execute(query):
            found[vin].append((at.timestamp(), added_kwh))
    return found


def _awake(url: str, car: Car, end: datetime) -> dict[str, float]:
    window = {"start": MONTH.isoformat(), "end": end.isoformat()}
    answer = httpx.get(f"{url}/simulator/truth/vehicles/{car.vin}/awake", params=window)
    awake: dict[str, float] = answer.raise_for_status().json()
    return awake


def _outcome(
    fleet: Fleet, cost_usd: float, samples: Samples, awake: Iterable[Mapping[str, float]]
) -> Outcome:
    errors_pct = [
        error_pct for car in fleet.cars for error_pct in _energy_errors_pct(car, samples[car.vin])
    ]
    month_min = (month_of(MONTH)[1] - MONTH) / timedelta(minutes=1)
    asleep_min = sum(month_min - car["actual_min"] for car in awake)
    undisturbed_min = sum(month_min - car["natural_min"] for car in awake)
    return Outcome(
        cost_usd=cost_usd,
        found=sum(error_pct < 100 for error_pct in errors_pct),
        energy_error_pct=max(errors_pct, default=0.0),
        asleep_pct=100 * asleep_min / undisturbed_min,
    )


def _energy_errors_pct(car: Car, samples: Iterable[tuple[float, float]]) -> list[float]:
    """The error of each charge of the month by its highest sample before the next plug-in."""
    samples = list(samples)
    end_s = month_of(MONTH)[1].timestamp()
    errors_pct = []
    for plug_in, following in pairwise(plug_ins(car, MONTH.timestamp(), end_s + 86400 * 7)):
        if plug_in.charge_end_s is None or plug_in.charge_end_s + 3600 > end_s:
            continue
        added_kwh = [
            added for at_s, added in samples if plug_in.start_s <= at_s < following.start_s
        ]
        true_kwh = plug_in.added_wh(plug_in.end_s) / 1000
        errors_pct.append(100 * abs(max(added_kwh, default=0.0) - true_kwh) / true_kwh)
    return errors_pct


def _figure(
    ours: Outcome, reference: Outcome, name: str, unit: str, *, is_less_better: bool
) -> Figure:
    mine, theirs = float(getattr(ours, name)), float(getattr(reference, name))
    better, worse = (theirs, mine) if is_less_better else (mine, theirs)
    return Figure(f"month_{name}", mine, theirs, unit, better / worse if worse else 1.0, runs=1)
