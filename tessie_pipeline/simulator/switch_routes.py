"""Routes that no Tesla server has: what goes wrong, what the user does, and what was answered.

For tests and demos; they need no token. Clock and truth are in `simulator_routes.py`.
"""

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tessie_pipeline.simulator.account import Consent
from tessie_pipeline.simulator.errors import invalid_request
from tessie_pipeline.simulator.faults import FaultPlan
from tessie_pipeline.simulator.world import World, answer, body_of, world_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Consent(_Strict):
    untick: frozenset[str] = frozenset()
    deny: bool = False


class _Region(_Strict):
    base_url: str | None


class _Registration(_Strict):
    is_registered: bool


async def read_faults(request: Request) -> Response:
    """`GET /simulator/faults`: what is left of the plan and what was done."""
    return answer(world_of(request).faults.report())


async def plan_faults(request: Request) -> Response:
    """`POST /simulator/faults` with {plan, random}: replaces the plan."""
    faults = world_of(request).faults
    faults.replace(await body_of(request, FaultPlan))
    return answer(faults.report())


async def clear_faults(request: Request) -> Response:
    """`DELETE /simulator/faults`: no more faults, and none on record."""
    faults = world_of(request).faults
    faults.clear()
    return answer(faults.report())


async def answers(request: Request) -> Response:
    """`GET /simulator/answers?since=N`: the good answers about data after the Nth."""
    since = request.query_params.get("since", "0")
    if not since.isdecimal():
        raise invalid_request(f"since is not a number: {since}")
    return answer(world_of(request).answers.since(int(since)))


async def requests(request: Request) -> Response:
    """`GET /simulator/requests`: how many requests by endpoint and status."""
    return answer(world_of(request).answers.statuses)


async def tokens(request: Request) -> Response:
    """`GET /simulator/tokens`: refresh tokens used, used again in their grace, and refused."""
    return answer(world_of(request).tokens.spent)


async def revoke(request: Request) -> Response:
    """`POST /simulator/revoke`: all tokens given so far are refused."""
    tokens = world_of(request).tokens
    tokens.revoke()
    return answer(tokens.spent)


def _account(world: World) -> Response:
    account = world.account
    return answer(
        {
            "is_registered": account.is_registered,
            "base_url": account.base_url,
            "untick": sorted(account.consent.unticked),
            "deny": account.consent.is_denied,
        }
    )


async def account(request: Request) -> Response:
    """`GET /simulator/account`: how consent, registration and region are set."""
    return _account(world_of(request))


async def set_consent(request: Request) -> Response:
    """`POST /simulator/consent` with {untick?, deny?}: what users do from now on."""
    world, body = world_of(request), await body_of(request, _Consent)
    world.account.consent = Consent(body.untick, body.deny)
    return _account(world)


async def set_region(request: Request) -> Response:
    """`POST /simulator/region` with {base_url}: where the user lives, null for here."""
    world, body = world_of(request), await body_of(request, _Region)
    world.account.base_url = body.base_url and body.base_url.rstrip("/")
    return _account(world)


async def set_registration(request: Request) -> Response:
    """`POST /simulator/registration` with {is_registered}: whether the app's domain is known."""
    world, body = world_of(request), await body_of(request, _Registration)
    world.account.is_registered = body.is_registered
    return _account(world)


ROUTES = [
    Route("/simulator/faults", read_faults, methods=["GET"]),
    Route("/simulator/faults", plan_faults, methods=["POST"]),
    Route("/simulator/faults", clear_faults, methods=["DELETE"]),
    Route("/simulator/answers", answers),
    Route("/simulator/requests", requests),
    Route("/simulator/tokens", tokens),
    Route("/simulator/revoke", revoke, methods=["POST"]),
    Route("/simulator/account", account),
    Route("/simulator/consent", set_consent, methods=["POST"]),
    Route("/simulator/region", set_region, methods=["POST"]),
    Route("/simulator/registration", set_registration, methods=["POST"]),
]
