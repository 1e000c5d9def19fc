"""Routes of the account: region, products and the server's status."""

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tessie_pipeline.simulator.errors import missing_scopes, not_registered
from tessie_pipeline.simulator.site_answers import product
from tessie_pipeline.simulator.vehicle_answers import vehicle_config, vehicle_object
from tessie_pipeline.simulator.world import response, world_of


async def region(request: Request) -> Response:
    """`GET /api/1/users/region`: this very server, unless the user's region is another."""
    world = world_of(request)
    header, now_s = request.headers.get("authorization"), world.clock.wall_s()
    granted = world.tokens.scopes(header, now_s)
    if not world.account.is_registered:
        raise not_registered()
    if "openid" not in granted:
        raise missing_scopes()
    base_url = world.account.base_url or str(request.base_url).rstrip("/")
    return response({"region": world.account.region, "fleet_api_base_url": base_url})


async def products(request: Request) -> Response:
    """`GET /api/1/products`: cars and energy sites in one list. Wakes no car."""
    world = world_of(request)
    granted = world.admitted(request)
    now_s, shown_s = world.clock.now_s(), world.shown_s(request)
    found: list[dict[str, Any]] = []
    if "vehicle_device_data" in granted:
        found += [
            vehicle_object(car, world.waking.state(car, now_s))
            | {"vehicle_config": vehicle_config(car, shown_s)}
            for car in world.fleet.cars
        ]
    if "energy_device_data" in granted:
        found += [product(world.fleet, site, shown_s) for site in world.fleet.sites]
    return response(found, count=len(found))


async def status(_: Request) -> Response:
    """`GET /status`: ok."""
    return PlainTextResponse("ok")


ROUTES = [
    Route("/api/1/users/region", region),
    Route("/api/1/products", products),
    Route("/status", status),
]
