"""What the routes share: one running simulator, and how requests are read and answered."""

import json
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from tessie_pipeline.simulator.account import Account
from tessie_pipeline.simulator.answer_log import AnswerLog
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.errors import (
    invalid_request,
    missing_scopes,
    not_found,
    not_registered,
    out_of_region,
)
from tessie_pipeline.simulator.faults import Faults
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.simulator.tokens import Tokens
from tessie_pipeline.simulator.trips import Car
from tessie_pipeline.simulator.waking import Waking

LAG = "simulator.lag_s"
"""Key in a request's scope: how old its answer is to be [s], for answers out of their time."""

Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True)
class World:
    """One running simulator."""

    fleet: Fleet
    clock: Clock
    tokens: Tokens = field(default_factory=Tokens)
    waking: Waking = field(default_factory=Waking)
    account: Account = field(default_factory=Account)
    faults: Faults = field(default_factory=Faults)
    answers: AnswerLog = field(default_factory=AnswerLog)

    def admitted(self, request: Request) -> set[str]:
        """Scopes of the request's access token, of an app and a user who belong here.

        Raises:
            ApiError: 401, 412 or 421 as Tesla answers.
        """
        granted = self.tokens.scopes(request.headers.get("authorization"), self.clock.wall_s())
        if not self.account.is_registered:
            raise not_registered()
        if self.account.base_url is not None:
            raise out_of_region(self.account.base_url)
        return granted

    def authorised(self, request: Request, scope: str) -> set[str]:
        """Scopes of the request's access token, which must hold `scope`.

        Raises:
            ApiError: 401, 403, 412 or 421 as Tesla answers.
        """
        granted = self.admitted(request)
        if scope not in granted:
            raise missing_scopes()
        return granted

    def shown_s(self, request: Request) -> float:
        """The instant the answer is about [unix s]: now, unless a fault makes it older."""
        return self.clock.now_s() - float(request.scope.get(LAG, 0.0))

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


async def body_of(request: Request, model: type[Body]) -> Body:
    """The request's JSON body; an empty one is `{}`.

    Raises:
        ApiError: 400, the body is not what the model takes.
    """
    try:
        return model.model_validate_json(await request.body() or b"{}")
    except ValidationError as error:
        wrong = ", ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise invalid_request(wrong) from error


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
