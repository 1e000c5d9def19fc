"""The ends of an HTTP exchange, for faults: whole answers, cut ones, and connections that break.

Breaking a connection needs its transport, which `ConnectionProtocol` puts into every request's
ASGI scope; without a server behind it the request raises ConnectionResetError instead.
"""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tessie_pipeline.simulator.fault_kinds import Answer

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionProtocol(H11Protocol):
    """Uvicorn's HTTP protocol, with the connection's transport in `scope["state"]`."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        """A client connected."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def is_gone(scope: Scope) -> bool:
    """Whether the client has left already."""
    transport = _transport(scope)
    return transport is not None and transport.is_closing()


async def asked(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The app's whole answer."""
    start: dict[str, Any] = {}
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, keep)
    headers = tuple((name.decode(), value.decode()) for name, value in start["headers"])
    return Answer(start["status"], headers, bytes(body))


async def give(answer: Answer, send: Send) -> None:
    """Send an answer."""
    await _start(answer, send)
    await send({"type": "http.response.body", "body": answer.body})


async def give_half(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Promise a whole answer, send half of it and close the connection."""
    transport = _transport(scope)
    if transport is None:
        raise ConnectionResetError("the simulator cut an answer off")
    await _start(answer, send)
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    transport.close()
    await _disconnected(receive)


async def reset(scope: Scope, receive: Receive) -> None:
    """Break the connection without an answer, so that the client gets ECONNRESET."""
    transport = _transport(scope)
    if transport is None:
        raise ConnectionResetError("the simulator reset the connection")
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
    await _disconnected(receive)


def _transport(scope: Scope) -> asyncio.Transport | None:
    transport: asyncio.Transport | None = scope.get("state", {}).get("transport")
    return transport


async def _start(answer: Answer, send: Send) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _disconnected(receive: Receive) -> None:
    """Wait until the server knows that the client is gone; else it logs a missing answer."""
    while (await receive())["type"] != "http.disconnect":
        pass
