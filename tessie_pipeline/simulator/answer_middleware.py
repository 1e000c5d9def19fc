"""Writes down what was answered, as it leaves, before the client can ask for the list."""

from urllib.parse import parse_qsl

from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessie_pipeline.simulator.answer_log import ENDPOINTS
from tessie_pipeline.simulator.fault_middleware import FAULT
from tessie_pipeline.simulator.wire import is_gone
from tessie_pipeline.simulator.world import World

NO_ANSWER = "none"
UNKNOWN = "other"


class AnswerMiddleware:
    """Fills `world.answers`, around everything that answers; /simulator routes do not count."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and write down its answer; one cut off or lost counts as none."""
        if scope["type"] != "http" or scope["path"].startswith("/simulator/"):
            await self._app(scope, receive, send)
            return
        route, parameters = _route(scope)
        status = NO_ANSWER
        body = bytearray()
        is_counted = False

        async def watch(message: Message) -> None:
            nonlocal status, is_counted
            if message["type"] == "http.response.start":
                status = str(message["status"])
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False) and not is_gone(scope):
                    is_counted = True
                    self._world.answers.count(route, status)
                    if status == "200" and route in ENDPOINTS:
                        self._keep(scope, route, parameters, bytes(body))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            if not is_counted:
                self._world.answers.count(route, NO_ANSWER)

    def _keep(self, scope: Scope, route: str, parameters: dict[str, str], body: bytes) -> None:
        car = self._world.fleet.car_by_tag(parameters.get("tag", ""))
        site = self._world.fleet.site_by_id(parameters.get("site", ""))
        tesla_id = car.vehicle_id if car else site.energy_site_id if site else None
        query = dict(parse_qsl(scope["query_string"].decode()))
        at = self._world.clock.now().isoformat()
        self._world.answers.keep(route, tesla_id, query, body, at, scope.get(FAULT))


def _route(scope: Scope) -> tuple[str, dict[str, str]]:
    """The route a request is for and the parameters in its path."""
    for route in scope["app"].routes:
        match, child = route.matches(scope)
        if match is not Match.NONE and isinstance(route, Route):
            return route.path, child["path_params"]
    return UNKNOWN, {}
