"""Waking a vehicle on request, and never otherwise."""

import pytest

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.waking import wake_vehicle
from tessie_pipeline.tesla.errors import TerminalApiError
from tessie_pipeline_tests.orchestration.conftest import Pipeline, Simulator, settings


def sleeping(simulator: Simulator) -> tuple[str, str, int]:
    """Name, VIN and Tesla's id of a car that sleeps."""
    for car in simulator.truth("vehicles"):
        if simulator.truth(f"vehicles/{car['id']}/state")["state"] != "online":
            return car["name"], car["vin"], car["id"]
    raise AssertionError("no car sleeps")


@pytest.mark.parametrize("how", ["name", "VIN"])
def test_a_car_wakes_when_a_person_asks_for_it(
    known: Pipeline, simulator: Simulator, how: str
) -> None:
    name, vin, tesla_id = sleeping(simulator)
    said = name.upper() if how == "name" else vin.lower()

    now = simulator.now()
    assert wake_vehicle(known.database, known.fleet_api, settings(), said, now) == name

    at = "2026-11-21T20:01:00+00:00"
    assert simulator.truth(f"vehicles/{tesla_id}/state", at=at)["state"] == "online"
    call = known.read("select endpoint, cost_usd, category from api_calls order by id desc limit 1")
    assert call.row(0) == ("POST /api/1/vehicles/{id}/wake_up", 0.02, "wake")


def test_the_job_wakes_the_car_that_its_configuration_names(
    known: Pipeline, simulator: Simulator
) -> None:
    name, _, tesla_id = sleeping(simulator)
    resources = {name: getattr(known, name) for name in ("database", "fleet_api", "clock")}

    result = (
        build_defs(settings(), **resources)
        .resolve_job_def("wake")
        .execute_in_process(
            run_config={"ops": {"wake_up": {"config": {"vehicle": name}}}}, instance=known.instance
        )
    )

    assert result.success
    at = "2026-11-21T20:01:00+00:00"
    assert simulator.truth(f"vehicles/{tesla_id}/state", at=at)["state"] == "online"


@pytest.mark.parametrize(
    ("name", "budget_usd", "sentence"),
    [
        ("Nobody", "10", "There is no vehicle Nobody"),
        ("", "0.02", "The budget of 0.02 USD is spent: raise TESSIE_BUDGET_USD"),
    ],
    ids=["no such car", "no money"],
)
def test_why_a_car_is_not_woken_is_said_in_a_sentence(
    known: Pipeline, simulator: Simulator, name: str, budget_usd: str, sentence: str
) -> None:
    name = name or sleeping(simulator)[0]
    budget = settings(TESSIE_BUDGET_USD=budget_usd)
    with pytest.raises(TerminalApiError, match=sentence):
        wake_vehicle(known.database, known.fleet_api, budget, name, simulator.now())


def test_nothing_else_ever_wakes_a_car(known: Pipeline, simulator: Simulator) -> None:
    for minute in range(0, 60, 10):
        simulator.set_now(f"2026-11-22T03:{minute:02}:00+00:00")
        assert known.run("live_poll").success

    woken = known.read("select count(*) as n from api_calls where category = 'wake'").item()
    assert woken == 0
