"""Routes of the account: tokens, region, products and the server's status."""

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tessie_pipeline.simulator.errors import oauth_error
from tessie_pipeline.simulator.site_answers import product
from tessie_pipeline.simulator.vehicle_answers import vehicle_config, vehicle_object
from tessie_pipeline.simulator.world import answer, response, world_of


async def _form(request: Request) -> dict[str, str]:
    """The body's fields, url-encoded or JSON."""
    body = await request.body()
    if "json" in request.headers.get("content-type", ""):
        try:
            fields: Any = json.loads(body)
        except ValueError as error:
            raise oauth_error(400, "invalid_request", "The body is not JSON.") from error
        return {str(key): str(value) for key, value in dict(fields).items()}
    return dict(parse_qsl(body.decode()))


async def token(request: Request) -> Response:
    """`POST /oauth2/v3/token`: authorization_code, refresh_token or client_credentials.

    Any authorization code with a region prefix is taken; a refresh token works once, and the
    last one used for 24 h more.
    """
    world = world_of(request)
    fields = await _form(request)
    now_s = world.clock.wall_s()
    client_id, scopes = fields.get("client_id", ""), fields.get("scope", "")
    grant = fields.get("grant_type", "")
    if not client_id:
        raise oauth_error(400, "invalid_request", "client_id is missing.")
    if grant == "authorization_code":
        if "_" not in fields.get("code", ""):
            raise oauth_error(400, "invalid_auth_code", "The code is not valid.")
        return answer(world.tokens.sign_in(client_id, scopes, now_s))
    if grant == "refresh_token":
        return answer(world.tokens.refresh(fields.get("refresh_token", ""), client_id, now_s))
    if grant == "client_credentials":
        return answer(world.tokens.partner(client_id, scopes, now_s))
    raise oauth_error(400, "unsupported_grant_type", f"unknown grant_type: {grant}")


async def region(request: Request) -> Response:
    """`GET /api/1/users/region`: this very server is the region's."""
    world = world_of(request)
    world.authorised(request, "openid")
    base_url = str(request.base_url).rstrip("/")
    return response({"region": "na", "fleet_api_base_url": base_url})


async def products(request: Request) -> Response:
    """`GET /api/1/products`: cars and energy sites in one list. Wakes no car."""
    world = world_of(request)
    granted = world.tokens.scopes(request.headers.get("authorization"), world.clock.wall_s())
    now_s = world.clock.now_s()
    found: list[dict[str, Any]] = []
    if "vehicle_device_data" in granted:
        found += [
            vehicle_object(car, world.waking.state(car, now_s))
            | {"vehicle_config": vehicle_config(car, now_s)}
            for car in world.fleet.cars
        ]
    if "energy_device_data" in granted:
        found += [product(world.fleet, site, now_s) for site in world.fleet.sites]
    return response(found, count=len(found))


async def status(_: Request) -> Response:
    """`GET /status`: ok."""
    return PlainTextResponse("ok")


ROUTES = [
    Route("/oauth2/v3/token", token, methods=["POST"]),
    Route("/api/1/users/region", region),
    Route("/api/1/products", products),
    Route("/status", status),
]
