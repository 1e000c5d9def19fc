"""Does faults to requests, around the whole app, never to /simulator routes.

What replaces an answer keeps the request from the app, so it reaches no car and spends no
token; all other faults spoil a true answer.
"""

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from tessie_pipeline.simulator.chance import seeded
from tessie_pipeline.simulator.content_faults import spoiled
from tessie_pipeline.simulator.fault_kinds import (
    OF_ANOTHER_TIME,
    REPLACING,
    SPOILING,
    Answer,
    replacing_answer,
)
from tessie_pipeline.simulator.faults import Fault
from tessie_pipeline.simulator.wire import asked, give, give_half, reset
from tessie_pipeline.simulator.world import LAG, World

FAULT = "simulator.fault"
BACK_S = 60.0
KEPT_ANSWERS = 400


@dataclass(frozen=True)
class _Given:
    """The last good answer to a question, and the newest instant [unix s] one was about."""

    answer: Answer
    newest_s: float


class FaultMiddleware:
    """Answers like Tesla on a bad day, as `world.faults` says."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world
        self._given: OrderedDict[str, _Given] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with the fault that is due; `scope` gets its name."""
        if scope["type"] != "http" or scope["path"].startswith("/simulator/"):
            await self._app(scope, receive, send)
            return
        path, query = scope["path"], scope["query_string"].decode()
        fault = self._world.faults.take(path, query) if path != "/status" else None
        if fault is None:
            await give(await self._true_answer(scope, receive), send)
            return
        if fault.kind == "connection_reset":
            await self._wait(fault, scope)
            await reset(scope, receive)
            return
        if fault.kind in REPLACING:
            options = fault.options
            await self._wait(fault, scope)
            await give(replacing_answer(fault.kind, options.retry_after_s, options.base_url), send)
            return
        await self._spoil(fault, scope, receive, send)

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the app and give its answer wrongly, or rightly if the fault cannot be done."""
        previous = self._given.get(_question(scope))
        lag_s = self._lag_s(fault, scope["method"], previous)
        answer = await self._true_answer(scope, receive, lag_s or 0.0)
        if fault.kind in ("latency", "cut_off", "answer_lost"):
            await self._wait(fault, scope)
            if fault.kind == "answer_lost":
                await reset(scope, receive)
            elif fault.kind == "cut_off":
                await give_half(answer, scope, receive, send)
            else:
                await give(answer, send)
            return
        if answer.status != 200 or lag_s is None:
            self._world.faults.put_back(fault)
            await give(answer, send)
            return
        if fault.kind == "repeated" and previous is not None:
            answer = previous.answer
            self._given[_question(scope)] = previous
        elif fault.kind == "truncated_json":
            answer = _with_body(answer, answer.body[: len(answer.body) // 2])
        elif fault.kind in SPOILING:
            chance = seeded("spoiled", fault.number)
            body = spoiled(fault.kind, json.loads(answer.body), chance)
            answer = _with_body(answer, json.dumps(body, separators=(",", ":")).encode())
        await self._wait(fault, scope)
        await give(answer, send)

    async def _true_answer(self, scope: Scope, receive: Receive, lag_s: float = 0.0) -> Answer:
        """The app's answer about `lag_s` before now; good ones are kept for later faults."""
        scope[LAG] = lag_s
        seen_s = self._world.clock.now_s() - lag_s
        answer = await asked(self._app, scope, receive)
        if scope["method"] == "GET" and answer.status == 200:
            question = _question(scope)
            before = self._given.pop(question, None)
            newest_s = max(seen_s, before.newest_s) if before else seen_s
            self._given[question] = _Given(answer, newest_s)
            if len(self._given) > KEPT_ANSWERS:
                self._given.popitem(last=False)
        return answer

    def _lag_s(self, fault: Fault, method: str, previous: _Given | None) -> float | None:
        """How old the answer is to be [s]; None if the fault cannot be done to this request."""
        if fault.kind not in OF_ANOTHER_TIME:
            return 0.0
        if method != "GET" or (previous is None and fault.kind != "stale"):
            return None
        if fault.kind == "out_of_order" and previous is not None:
            return max(0.0, self._world.clock.now_s() - previous.newest_s) + BACK_S
        return fault.options.lag_s if fault.kind == "stale" else 0.0

    async def _wait(self, fault: Fault, scope: Scope) -> None:
        """Note the fault and take the time it takes."""
        scope[FAULT] = fault.kind
        at = self._world.clock.now().isoformat()
        self._world.faults.note(fault, at, scope["method"], scope["path"])
        await asyncio.sleep(fault.delay_s)


def _question(scope: Scope) -> str:
    """What was asked: path and query."""
    return f"{scope['path']}?{scope['query_string'].decode()}"


def _with_body(answer: Answer, body: bytes) -> Answer:
    headers: list[Any] = [
        (name, str(len(body)) if name == "content-length" else value)
        for name, value in answer.headers
    ]
    return replace(answer, headers=tuple(headers), body=body)
