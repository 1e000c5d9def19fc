"""Routes about cars: lists, live data, waking and Supercharger history.

Lists look at no car. `vehicle_data` is a live call: it needs the car online and keeps it so.
"""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessie_pipeline.simulator.charging_history import supercharger_sessions
from tessie_pipeline.simulator.errors import invalid_request, not_found, vehicle_unavailable
from tessie_pipeline.simulator.vehicle_answers import (
    DEFAULT_ENDPOINTS,
    ENDPOINTS,
    vehicle_data,
    vehicle_object,
)
from tessie_pipeline.simulator.world import positive_int, response, world_of

DEVICE_DATA = "vehicle_device_data"


async def vehicles(request: Request) -> Response:
    """`GET /api/1/vehicles?page&per_page`: the cars, by pages of at most 100."""
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    now_s = world.clock.now_s()
    page = positive_int(request, "page", 1)
    per_page = min(100, positive_int(request, "per_page", 100))
    cars = world.fleet.cars
    pages = max(1, -(-len(cars) // per_page))
    shown = cars[(page - 1) * per_page : page * per_page]
    return response(
        [vehicle_object(car, world.waking.state(car, now_s)) for car in shown],
        pagination={
            "previous": page - 1 if page > 1 else None,
            "next": page + 1 if page < pages else None,
            "current": page,
            "per_page": per_page,
            "count": len(cars),
            "pages": pages,
        },
        count=len(shown),
    )


async def vehicle(request: Request) -> Response:
    """`GET /api/1/vehicles/{tag}`: one car, by id or VIN; does not reach the car."""
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    car = world.car(request)
    return response(vehicle_object(car, world.waking.state(car, world.clock.now_s())))


async def live_data(request: Request) -> Response:
    """`GET /api/1/vehicles/{tag}/vehicle_data?endpoints=a%3Bb`: a live call to the car.

    408 unless the car is online; then its sleep timer starts again.
    """
    world = world_of(request)
    granted = world.authorised(request, DEVICE_DATA)
    car = world.car(request)
    now_s = world.clock.now_s()
    asked = request.query_params.get("endpoints", "")
    endpoints = frozenset(filter(None, asked.split(";"))) or DEFAULT_ENDPOINTS
    if endpoints - ENDPOINTS:
        raise invalid_request(f"unknown endpoints: {', '.join(sorted(endpoints - ENDPOINTS))}")
    if world.waking.state(car, now_s) != "online":
        raise vehicle_unavailable()
    world.waking.touch(car, now_s)
    has_location = "vehicle_location" in granted
    data = vehicle_data(world.fleet, car, world.shown_s(request), endpoints, has_location)
    return response(data)


async def wake_up(request: Request) -> Response:
    """`POST /api/1/vehicles/{tag}/wake_up`: the car is online some seconds later."""
    world = world_of(request)
    world.authorised(request, DEVICE_DATA)
    car = world.car(request)
    now_s = world.clock.now_s()
    world.waking.wake_up(car, now_s)
    return response(vehicle_object(car, world.waking.state(car, now_s)))


async def charging_history(request: Request) -> Response:
    """`GET /api/1/dx/charging/history?vin&startTime&endTime&pageNo&pageSize`.

    Finished Supercharger sessions only, newest first; without startTime of the last 365 days.
    """
    world = world_of(request)
    world.authorised(request, "vehicle_charging_cmds")
    now_s = world.clock.now_s()
    vin = request.query_params.get("vin")
    cars = [car for car in world.fleet.cars if vin in (None, "", car.vin)]
    if not cars and vin:
        raise not_found()
    start_s = _instant_s(request, "startTime", now_s - 365 * 86400)
    end_s = _instant_s(request, "endTime", now_s)
    sessions = supercharger_sessions(world.fleet, cars, start_s, end_s, now_s)
    page = positive_int(request, "pageNo", 1)
    size = min(100, positive_int(request, "pageSize", 50))
    shown = sessions[(page - 1) * size : page * size]
    return response({"data": shown, "totalResults": len(sessions)})


def _instant_s(request: Request, name: str, default_s: float) -> float:
    text = request.query_params.get(name)
    if not text:
        return default_s
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise invalid_request(f"{name} is not ISO 8601: {text}") from error
    if instant.tzinfo is None:
        raise invalid_request(f"{name} has no UTC offset: {text}")
    return instant.timestamp()


ROUTES = [
    Route("/api/1/vehicles", vehicles),
    Route("/api/1/vehicles/{tag}", vehicle),
    Route("/api/1/vehicles/{tag}/vehicle_data", live_data),
    Route("/api/1/vehicles/{tag}/wake_up", wake_up, methods=["POST"]),
    Route("/api/1/dx/charging/history", charging_history),
]
