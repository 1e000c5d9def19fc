"""Routes that no Tesla server has: the clock and the truth, for tests and demos.

They need no token. Instants are ISO 8601 with an offset, dates are the site's local days.
"""

import json
from datetime import date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessie_pipeline.simulator import truth
from tessie_pipeline.simulator.errors import invalid_request
from tessie_pipeline.simulator.world import World, answer, world_of

MAX_DAYS = 800
LONG_JUMP_S = 86_400


def _date(text: str | None) -> date:
    try:
        return date.fromisoformat(text or "")
    except ValueError as error:
        raise invalid_request(f"not a date: {text}") from error


def _instant(text: str | None) -> datetime:
    try:
        instant = datetime.fromisoformat((text or "").replace(" ", "+"))
    except ValueError as error:
        raise invalid_request(f"not an instant: {text}") from error
    if instant.tzinfo is None:
        raise invalid_request(f"no UTC offset: {text}")
    return instant


def _clock(world: World) -> Response:
    return answer({"now": world.clock.now().isoformat(), "speed": world.clock.speed})


async def read_clock(request: Request) -> Response:
    """`GET /simulator/clock`: {now, speed}."""
    return _clock(world_of(request))


async def set_clock(request: Request) -> Response:
    """`POST /simulator/clock` with {now?, speed?}.

    What calls did to cars is forgotten if the clock goes back or ahead by more than a day.
    """
    world = world_of(request)
    before_s = world.clock.now_s()
    try:
        body = json.loads(await request.body())
        start = _instant(body["now"]) if "now" in body else None
        world.clock.set(start=start, speed=float(body["speed"]) if "speed" in body else None)
    except (ValueError, TypeError) as error:
        raise invalid_request(f"expected {{now, speed}}: {error}") from error
    if start is not None and not 0 <= start.timestamp() - before_s <= LONG_JUMP_S:
        world.waking.forget()
    return _clock(world)


async def sites(request: Request) -> Response:
    """`GET /simulator/truth/sites`: what is installed where."""
    return answer([truth.site_truth(site) for site in world_of(request).fleet.sites])


async def site_day(request: Request) -> Response:
    """`GET /simulator/truth/sites/{site}/days/{date}`: exact energies of a local day [Wh]."""
    world = world_of(request)
    day = world.fleet.site_days.day(world.site(request), _date(request.path_params["date"]))
    return answer(truth.day_truth(world.fleet, day))


async def site_days(request: Request) -> Response:
    """`GET /simulator/truth/sites/{site}/days?start&end`: the same for half-open dates."""
    world = world_of(request)
    site = world.site(request)
    start, end = (_date(request.query_params.get(name)) for name in ("start", "end"))
    if not 0 <= (end - start).days <= MAX_DAYS:
        raise invalid_request(f"0 to {MAX_DAYS} days at a time")
    days = (start + timedelta(days=offset) for offset in range((end - start).days))
    return answer(
        [truth.day_truth(world.fleet, world.fleet.site_days.day(site, day)) for day in days]
    )


async def site_intervals(request: Request) -> Response:
    """`GET /simulator/truth/sites/{site}/intervals/{date}`: a local day by 5 minutes [Wh]."""
    world = world_of(request)
    day = world.fleet.site_days.day(world.site(request), _date(request.path_params["date"]))
    return answer(truth.interval_truth(day))


async def vehicles(request: Request) -> Response:
    """`GET /simulator/truth/vehicles`: what the cars are and where they live."""
    fleet = world_of(request).fleet
    return answer([truth.car_truth(fleet, car) for car in fleet.cars])


async def plug_ins(request: Request) -> Response:
    """`GET /simulator/truth/vehicles/{tag}/plug_ins?start&end`: those that begin in there."""
    car = world_of(request).car(request)
    start, end = (_instant(request.query_params.get(name)) for name in ("start", "end"))
    return answer(truth.charges_truth(car, start, end))


async def trips(request: Request) -> Response:
    """`GET /simulator/truth/vehicles/{tag}/trips?start&end`: those that begin in there."""
    car = world_of(request).car(request)
    start, end = (_instant(request.query_params.get(name)) for name in ("start", "end"))
    return answer(truth.trips_truth(car, start, end))


async def state(request: Request) -> Response:
    """`GET /simulator/truth/vehicles/{tag}/state?at`: the car at an instant, or now."""
    world = world_of(request)
    car = world.car(request)
    at = request.query_params.get("at")
    at_s = _instant(at).timestamp() if at else world.clock.now_s()
    availability = world.waking.state(car, at_s)
    return answer(truth.state_truth(car, at_s) | {"state": availability})


async def awake(request: Request) -> Response:
    """`GET /simulator/truth/vehicles/{tag}/awake?start&end`: minutes awake, by whose doing."""
    world = world_of(request)
    car = world.car(request)
    start, end = (_instant(request.query_params.get(name)) for name in ("start", "end"))
    if not timedelta(0) <= end - start <= timedelta(days=MAX_DAYS):
        raise invalid_request(f"0 to {MAX_DAYS} days at a time")
    return answer(truth.awake_truth(car, world.waking.held_s(car), start, end))


ROUTES = [
    Route("/simulator/clock", read_clock, methods=["GET"]),
    Route("/simulator/clock", set_clock, methods=["POST"]),
    Route("/simulator/truth/sites", sites),
    Route("/simulator/truth/sites/{site}/days", site_days),
    Route("/simulator/truth/sites/{site}/days/{date}", site_day),
    Route("/simulator/truth/sites/{site}/intervals/{date}", site_intervals),
    Route("/simulator/truth/vehicles", vehicles),
    Route("/simulator/truth/vehicles/{tag}/plug_ins", plug_ins),
    Route("/simulator/truth/vehicles/{tag}/trips", trips),
    Route("/simulator/truth/vehicles/{tag}/state", state),
    Route("/simulator/truth/vehicles/{tag}/awake", awake),
]
