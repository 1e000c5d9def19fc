from collections.abc import Iterator

import pytest

from tessie_pipeline_tests.simulator.live import LiveSimulator, live_simulator


@pytest.fixture
def simulator() -> Iterator[LiveSimulator]:
    """A household behind a real server, at noon."""
    with live_simulator() as simulator:
        yield simulator
