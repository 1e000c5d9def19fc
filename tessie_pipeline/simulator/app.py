"""The simulator as a Starlette application: its routes, and errors as Tesla answers them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from tessie_pipeline.simulator import (
    account_routes,
    energy_routes,
    sign_in_routes,
    simulator_routes,
    switch_routes,
    vehicle_routes,
)
from tessie_pipeline.simulator.answer_middleware import AnswerMiddleware
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.errors import ApiError
from tessie_pipeline.simulator.fault_middleware import FaultMiddleware
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.world import World, answer


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette hands over what is registered
    return answer(error.body, error.status)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette hands over what is registered
    names = {404: "not_found", 405: "invalid_method"}
    name = names.get(error.status_code, "invalid_request")
    return answer({"response": None, "error": name, "error_description": ""}, error.status_code)


def create_app(fleet: Fleet, clock: Clock) -> Starlette:
    """A Fleet API for a fleet, at the clock's time; `app.state.world` holds both."""
    world = World(fleet, clock)
    app = Starlette(
        routes=[
            *sign_in_routes.ROUTES,
            *account_routes.ROUTES,
            *vehicle_routes.ROUTES,
            *energy_routes.ROUTES,
            *simulator_routes.ROUTES,
            *switch_routes.ROUTES,
        ],
        middleware=[
            Middleware(AnswerMiddleware, world=world),
            Middleware(FaultMiddleware, world=world),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error},
    )
    app.state.world = world
    return app
