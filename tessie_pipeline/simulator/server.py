"""Serves the simulator over HTTP with uvicorn: until stopped, or in a thread for a while."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from tessie_pipeline.simulator.app import create_app
from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.wire import ConnectionProtocol

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4433


def _server(host: str, port: int, fleet: Fleet, clock: Clock) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(fleet, clock),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        http=ConnectionProtocol,
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def serve(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    fleet: Fleet | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve until stopped; without a fleet a household of one site and two cars, now."""
    _server(host, port, fleet or Fleet(), clock or Clock()).run()


@contextmanager
def serving(fleet: Fleet, clock: Clock, host: str = DEFAULT_HOST, port: int = 0) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the base URL. Port 0 takes a free one.

    Raises:
        RuntimeError: the server did not start within 10 s.
    """
    server = _server(host, port, fleet, clock)
    thread = threading.Thread(target=server.run, name="simulator", daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the simulator did not start on {host}:{port}")
            time.sleep(0.01)
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{host}:{bound}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
