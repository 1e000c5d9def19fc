"""What the routes share: the fleet, the clock, tokens, wakefulness, and how answers are made."""

import json
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.errors import not_found
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.tokens import Tokens
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline.simulator.waking import Waking


@dataclass(frozen=True)
class World:
    """One running simulator."""

    fleet: Fleet
    clock: Clock
    tokens: Tokens = field(default_factory=Tokens)
    waking: Waking = field(default_factory=Waking)

    def authorised(self, request: Request, scope: str) -> set[str]:
        """Scopes of the request's access token, which must hold `scope`.

        Raises:
            ApiError: 401 or 403 as Tesla answers.
        """
        header = request.headers.get("authorization")
        return self.tokens.require(header, scope, self.clock.wall_s())

    def site(self, request: Request) -> Site:
        """The site in the request's path.

        Raises:
            ApiError: 404, there is no such site.
        """
        site = self.fleet.site_by_id(request.path_params["site"])
        if site is None:
            raise not_found()
        return site

    def car(self, request: Request) -> Car:
        """The car in the request's path, by id or VIN.

        Raises:
            ApiError: 404, there is no such car.
        """
        car = self.fleet.car_by_tag(request.path_params["tag"])
        if car is None:
            raise not_found()
        return car


def world_of(request: Request) -> World:
    """The simulator a request came to."""
    world = request.app.state.world
    assert isinstance(world, World)  # noqa: S101 - narrows Starlette's untyped state
    return world


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer with Tesla's transaction header."""
    return Response(
        json.dumps(body, separators=(",", ":")),
        status_code=status,
        media_type="application/json",
        headers={"x-txid": token_hex(16)},
    )


def response(body: Any, **beside: Any) -> Response:
    """A JSON answer in Tesla's envelope, with keys beside `response`."""
    return answer({"response": body, **beside})


def positive_int(request: Request, name: str, default: int) -> int:
    """A query parameter that counts from one, or its default."""
    text = request.query_params.get(name, "")
    return max(1, int(text)) if text.isdecimal() else default
