"""The captured answers under `tessie_pipeline_tests/data`, read for tests."""

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data"


def captured_text(name: str) -> str:
    """The text of a captured answer, for example "live_status/fleet_2024_05"."""
    return (DATA / f"{name}.json").read_text(encoding="utf-8")


def captured(name: str) -> Any:
    """The parsed JSON of a captured answer; each call gives a copy of its own."""
    return json.loads(captured_text(name))
