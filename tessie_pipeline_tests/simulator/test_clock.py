from datetime import UTC, datetime, timedelta

import pytest

from tessie_pipeline.simulator.clock import Clock
from tessie_pipeline_tests.simulator.client import SimulatorClient, WallTime

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_a_fast_clock_runs_ahead_of_the_wall() -> None:
    wall = WallTime()
    clock = Clock(START, speed=60.0, wall=wall)
    wall.at_s += 30
    assert clock.now() == START + timedelta(minutes=30)


def test_a_change_of_speed_does_not_move_the_hands() -> None:
    wall = WallTime()
    clock = Clock(START, speed=60.0, wall=wall)
    wall.at_s += 30
    clock.set(speed=1.0)
    wall.at_s += 30
    assert clock.now() == START + timedelta(minutes=30, seconds=30)


def test_a_clock_without_a_start_shows_wall_time() -> None:
    wall = WallTime()
    assert Clock(wall=wall).now_s() == wall.at_s


def test_a_clock_needs_a_time_zone_and_runs_forward() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock(datetime(2026, 3, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="backwards"):
        Clock(START, speed=-1.0)


def test_the_clock_is_read_and_set_over_http() -> None:
    client = SimulatorClient("2026-06-10T12:00:00-07:00")
    body = {"now": "2026-07-01T00:00:00+00:00", "speed": 600}
    answer = client.call("POST", "/simulator/clock", authorised=False, json=body)
    assert answer.json() == {"now": "2026-07-01T00:00:00+00:00", "speed": 600.0}
    client.wall.at_s += 6
    assert client.get("/simulator/clock")["now"] == "2026-07-01T01:00:00+00:00"
    for wrong in ({"now": "noon"}, {"speed": -1}, {"now": "2026-07-01T00:00:00"}):
        answer = client.call("POST", "/simulator/clock", authorised=False, json=wrong)
        assert answer.status_code == 400


def test_the_server_says_it_is_up() -> None:
    client = SimulatorClient("2026-06-10T12:00:00-07:00")
    assert client.call("GET", "/status", authorised=False).text == "ok"
    unknown = client.call("GET", "/api/1/nothing")
    assert (unknown.status_code, unknown.json()["error"]) == (404, "not_found")
