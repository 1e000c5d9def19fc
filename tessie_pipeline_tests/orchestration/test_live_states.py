"""Live samples of vehicles and sites, as Dagster runs them."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.orchestration.money import money
from tessie_pipeline.orchestration.polling import Round, close_round, poll_sites
from tessie_pipeline.store.registries import listed_sites
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TransientApiError
from tessie_pipeline_tests.orchestration.conftest import Pipeline, Simulator, settings

DRIVING = "2026-11-20T17:00:00+00:00"
"""Friday morning in Sacramento and evening in Berlin."""


class Selective:
    """A Fleet API that does to one method what a test wants."""

    def __init__(self, fleet_api: FleetApi, **methods: Any) -> None:
        self._fleet_api = fleet_api
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fleet_api, name)


def use(pipeline: Pipeline, **methods: Any) -> None:
    pipeline.fleet_api = Selective(pipeline.fleet_api, **methods)  # type: ignore[assignment]


@pytest.fixture
def awake(simulator: Simulator) -> dict[int, Any]:
    """The truth about the cars that are awake, by Tesla's id; at least one is."""
    for hour in range(24):
        simulator.set_now(f"2026-11-20T{hour:02}:00:00+00:00")
        states = {
            car["id"]: simulator.truth(f"vehicles/{car['id']}/state")
            for car in simulator.truth("vehicles")
        }
        online = {car: state for car, state in states.items() if state["state"] == "online"}
        if len(online) == 1:
            return online
    raise AssertionError("no hour at which just one car is awake")


def test_a_poll_stores_each_waking_vehicle_and_each_site(
    pipeline: Pipeline, awake: dict[int, Any]
) -> None:
    assert pipeline.run("live_poll").success

    cars = pipeline.read(
        "select v.tesla_id, s.battery_level, s.odometer, s.timestamp, s.is_stale, s.raw_data::text"
        " from vehicle_states s join vehicles v on v.id = s.vehicle_id"
    )
    assert cars["tesla_id"].to_list() == list(awake)
    (truth,) = awake.values()
    assert cars["battery_level"].item() == pytest.approx(truth["soc_pct"], abs=1)
    assert cars["odometer"].item() == pytest.approx(truth["odometer_mi"], abs=0.1)
    assert not cars["is_stale"].item()
    assert "charge_state" in cars["raw_data"].item()
    sites = pipeline.read("select * from energy_states")
    assert sites.height == 2
    balance = sites.select(
        sites["solar_power_w"] + sites["battery_power_w"] + sites["grid_power_w"]
    ).to_series()
    assert balance.to_list() == pytest.approx(sites["load_power_w"].to_list(), abs=2)


def test_registries_know_what_the_simulator_built(pipeline: Pipeline, simulator: Simulator) -> None:
    pipeline.run("live_poll")

    sites = pipeline.read("select tesla_site_id, time_zone, site_name from energy_sites order by 1")
    assert sites["time_zone"].to_list() == ["America/Los_Angeles", "Europe/Berlin"]
    assert sites["tesla_site_id"].to_list() == [
        site["energy_site_id"] for site in simulator.truth("sites")
    ]
    vins = pipeline.read("select vin from vehicles order by tesla_id")["vin"].to_list()
    assert vins == [car["vin"] for car in simulator.truth("vehicles")]


@pytest.mark.usefixtures("awake")
def test_a_repeated_poll_adds_nothing(pipeline: Pipeline) -> None:
    pipeline.run("live_poll")
    rows = pipeline.count("vehicle_states"), pipeline.count("energy_states")

    again = pipeline.run("live_poll")

    assert (pipeline.count("vehicle_states"), pipeline.count("energy_states")) == rows == (1, 2)
    (shown,) = again.asset_materializations_for_node("energy_states")
    assert shown.metadata["new"].value == 0
    assert shown.metadata["dagster/row_count"].value == 2


def test_a_sleeping_vehicle_is_neither_asked_nor_woken(
    pipeline: Pipeline, awake: dict[int, Any], simulator: Simulator
) -> None:
    asked: list[int] = []
    answer = pipeline.fleet_api.vehicle_data

    def note(tesla_id: int) -> object:
        asked.append(tesla_id)
        return answer(tesla_id)

    use(pipeline, vehicle_data=note)
    pipeline.run("live_poll")

    assert asked == list(awake)
    asleep = {car["id"] for car in simulator.truth("vehicles")} - set(awake)
    assert [simulator.truth(f"vehicles/{car}/state")["state"] for car in asleep] != ["online"]


@pytest.mark.usefixtures("awake")
def test_a_vehicle_that_falls_asleep_meanwhile_is_no_error(pipeline: Pipeline) -> None:
    use(pipeline, vehicle_data=lambda _: None)

    assert pipeline.run("live_poll").success
    assert pipeline.count("vehicle_states") == 0


@pytest.mark.usefixtures("awake")
def test_an_undecodable_sample_is_kept_aside_and_the_sites_are_stored(pipeline: Pipeline) -> None:
    use(
        pipeline, vehicle_data=lambda _: {"response": {"id": 1, "charge_state": {"timestamp": "?"}}}
    )

    assert pipeline.run("live_poll").success

    rejected = pipeline.read("select endpoint, reason from rejected_payloads").row(0)
    assert rejected[0] == "vehicle_data"
    assert "charge_state.timestamp" in rejected[1]
    assert pipeline.count("energy_states") == 2


def test_an_answer_of_another_vehicle_is_not_stored_as_this_one(
    pipeline: Pipeline, awake: dict[int, Any]
) -> None:
    answer = pipeline.fleet_api.vehicle_data
    (asked,) = awake

    def of_another(tesla_id: int) -> object:
        body: Any = answer(tesla_id)
        body["response"] |= {"id": asked + 1, "id_s": str(asked + 1)}
        return body

    use(pipeline, vehicle_data=of_another)
    pipeline.run("live_poll")

    assert pipeline.count("vehicle_states") == 0
    reason = pipeline.read("select reason from rejected_payloads").item()
    assert reason == "the answer is of another vehicle than was asked for"


def test_one_silent_site_does_not_cost_the_other_its_sample(pipeline: Pipeline) -> None:
    answer = pipeline.fleet_api.live_status
    silent: list[int] = []

    def first_is_silent(tesla_site_id: int) -> object:
        silent.append(tesla_site_id)
        if tesla_site_id == silent[0]:
            raise TransientApiError("504 upstream timeout")
        return answer(tesla_site_id)

    use(pipeline, live_status=first_is_silent)
    result = pipeline.run("live_poll")

    assert result.success
    assert pipeline.count("energy_states") == 1
    (check,) = [
        found
        for found in result.get_asset_check_evaluations()
        if found.check_name == "every_site_answered"
    ]
    assert not check.passed
    assert "504 upstream timeout" in str(check.metadata[str(silent[0])])


def test_when_nobody_answers_the_step_fails_with_the_reason(pipeline: Pipeline) -> None:
    tries: list[int] = []

    def silent(tesla_site_id: int) -> object:
        tries.append(tesla_site_id)
        raise TransientApiError("503 service unavailable")

    use(pipeline, live_status=silent)
    result = pipeline.run("live_poll")

    assert not result.success
    assert len(tries) == 2, "two sites; the client has tried again, and the next poll comes soon"
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_key == "energy_states"
    assert "503 service unavailable" in str(failure.step_failure_data.error)
    status = pipeline.read(
        "select last_error, failures_in_a_row from polling_status where kind = 'energy_site'"
    ).rows()
    assert status == [("503 service unavailable", 1)] * 2


def test_a_sample_of_the_future_is_kept_aside(pipeline: Pipeline, simulator: Simulator) -> None:
    answer = pipeline.fleet_api.live_status
    ahead = {"hours": 0}

    def dated_ahead(tesla_site_id: int) -> object:
        body: Any = answer(tesla_site_id)
        moment = simulator.now() + timedelta(**ahead)
        body["response"]["timestamp"] = moment.isoformat()
        return body

    use(pipeline, live_status=dated_ahead)
    for hours, now in ((23, "20:20"), (25, "20:40")):
        ahead["hours"] = hours
        simulator.set_now(f"2026-11-21T{now}:00+00:00")
        assert pipeline.run("live_poll").success

    assert pipeline.count("energy_states") == 2, "the clock of a gateway may be off by hours"
    reasons = pipeline.read("select reason from rejected_payloads")["reason"].to_list()
    assert reasons == ["its time is yet to come: 2026-11-22 21:40 UTC"] * 2


@pytest.mark.parametrize("how", ["silent", "unreadable"])
def test_what_is_known_stands_while_the_list_of_products_does_not_come(
    known: Pipeline, how: str, simulator: Simulator
) -> None:
    def products() -> object:
        if how == "unreadable":
            return {"response": "maintenance"}
        raise TransientApiError("502 bad gateway")

    simulator.set_now("2026-11-21T20:20:00+00:00")
    use(known, products=products)
    result = known.run("live_poll")

    failed = [event.step_key for event in result.all_events if event.is_step_failure]
    assert failed == ["vehicle_states"], "whether a vehicle is awake is not known"
    assert known.count("energy_states") == 4
    assert known.count("vehicles") == 2
    checks = {
        (check.asset_key.to_user_string(), check.passed)
        for check in result.get_asset_check_evaluations()
        if check.check_name == "tesla_answered"
    }
    assert checks == {("vehicles", False), ("energy_sites", False)}
    kept_aside = known.read("select distinct body from rejected_payloads")["body"].to_list()
    assert kept_aside == (['{"response":"maintenance"}'] if how == "unreadable" else [])


def test_a_site_that_was_sold_is_not_asked_and_keeps_its_past(
    known: Pipeline, simulator: Simulator
) -> None:
    answer = known.fleet_api.products
    simulator.set_now("2026-11-21T20:20:00+00:00")

    names = known.read("select site_name from energy_sites order by 1")["site_name"].to_list()
    assert names[0].startswith("Berlin")
    use(known, products=lambda: _without(answer(), names[0]))
    assert known.run("live_poll").success
    assert known.count("energy_states") == 2 + 1
    assert known.count("bi.energy_sites_now") == 1

    use(known, products=answer)
    simulator.set_now("2026-11-21T20:40:00+00:00")
    assert known.run("live_poll").success
    assert known.count("energy_states") == 3 + 2
    assert known.count("bi.energy_sites_now") == 2


def test_an_answer_that_a_killed_poll_has_left_is_stored_by_the_next(
    known: Pipeline, simulator: Simulator
) -> None:
    simulator.set_now("2026-11-21T20:20:00+00:00")
    with known.database.rows() as connection:
        sites = listed_sites(connection)
        account = money(connection, settings(), simulator.now())
    poll_sites(known.database, known.fleet_api, sites, account, simulator.now(), Round())

    simulator.set_now("2026-11-21T20:25:00+00:00")
    assert known.run("live_poll").success

    stored = known.read("select distinct timestamp from energy_states order by 1")
    times = [f"{moment:%H:%M}" for moment in stored["timestamp"]]
    assert times == ["20:00", "20:20"], "paid for once, and kept"
    asked_at = known.read(
        "select distinct last_success_at from polling_status where kind like 'e%'"
    )
    assert f"{asked_at.item():%H:%M}" == "20:20"


def test_no_second_poll_pays_within_two_minutes(known: Pipeline, simulator: Simulator) -> None:
    calls = known.count("api_calls")
    simulator.set_now("2026-11-21T20:01:59+00:00")
    with known.database.rows() as connection:
        connection.execute(sa.text("truncate polling_status"))
    assert known.run("live_poll").success
    paid = known.read("select count(*) as n from api_calls where cost_usd > 0").item()
    assert known.count("api_calls") == calls + 1, "the free list only"
    assert paid == 4, "two descriptions and two views, by the first poll"


def test_a_paid_list_is_read_once_and_not_again_before_it_is_due(
    known: Pipeline, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_LIST_CALLS_FREE", "false")
    lists = "select count(*) as n from api_calls where endpoint = 'GET /api/1/products'"
    read = [known.read(lists).item()]
    for moment in ("20:06:00", "20:07:00", "20:11:30"):
        simulator.set_now(f"2026-11-21T{moment}+00:00")
        assert known.run("live_poll").success
        read.append(known.read(lists).item() - read[0])
    assert read[1:] == [1, 1, 2]
    seen = known.read("select max(last_seen_at) as at from vehicle_availability").item()
    assert f"{seen:%H:%M:%S}" == "20:11:30"


def test_at_the_hard_limit_a_paid_list_is_not_read_and_what_is_known_stands(
    known: Pipeline, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_LIST_CALLS_FREE", "false")
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0")
    calls = known.count("api_calls")
    simulator.set_now("2026-11-21T20:40:00+00:00")
    assert known.run("live_poll").success
    assert known.count("api_calls") == calls
    assert known.count("vehicles where removed_at is null") == 2


def test_what_was_paid_for_is_stored_whatever_stops_the_poll(
    known: Pipeline, simulator: Simulator
) -> None:
    answer = known.fleet_api.live_status
    asked: list[int] = []

    def break_at_the_second(tesla_site_id: int) -> object:
        asked.append(tesla_site_id)
        if len(asked) == 2:
            raise RuntimeError("a bug of ours")
        return answer(tesla_site_id)

    simulator.set_now("2026-11-21T20:20:00+00:00")
    use(known, live_status=break_at_the_second)
    assert not known.run("live_poll").success
    assert known.count("energy_states") == 2 + 1


def test_who_does_not_answer_is_asked_at_longer_and_longer_intervals(
    known: Pipeline, simulator: Simulator
) -> None:
    asked: list[str] = []

    def silent(_: int) -> object:
        asked.append(f"{simulator.now():%H:%M}")
        raise TransientApiError("504 upstream timeout")

    use(known, live_status=silent)
    with known.database.rows() as connection:
        first = connection.scalar(sa.text("select min(tesla_site_id) from energy_sites"))
        connection.execute(
            sa.text("update energy_sites set removed_at = now() where tesla_site_id <> :it"),
            {"it": first},
        )
        sites = {first: listed_sites(connection)[first]}
        account = money(connection, settings(), simulator.now())
    for minute in range(0, 300, 5):
        simulator.set_now(f"2026-11-22T{minute // 60:02}:{minute % 60:02}:00+00:00")
        done = Round()
        poll_sites(known.database, known.fleet_api, sites, account, simulator.now(), done)
        close_round(known.database, done, simulator.now())

    # After 10, 20, 40, 80 and 120 minutes, and never sooner than the pace of fifteen.
    assert asked == ["00:00", "00:15", "00:35", "01:15", "02:35", "04:35"]


def test_a_clock_that_was_ahead_silences_nobody(known: Pipeline, simulator: Simulator) -> None:
    simulator.set_now("2026-12-21T20:00:00+00:00")
    assert known.run("live_poll").success
    simulator.set_now("2026-11-21T21:00:00+00:00")
    before = known.count("energy_states")

    assert known.run("live_poll").success

    assert known.count("energy_states") == before + 2
    stretches = known.read("select last_seen_at from vehicle_availability where ended_at is null")
    assert [f"{at:%m-%d %H:%M}" for at in stretches["last_seen_at"]] == ["11-21 21:00"] * 2
    simulator.set_now("2026-11-21T21:20:00+00:00")
    assert known.run("live_poll").success
    assert known.count("energy_states") == before + 4


def _without(body: Any, site_name: str) -> Any:
    products = body["response"]
    return {"response": [one for one in products if one.get("site_name") != site_name]}


def test_a_site_without_a_time_zone_gets_that_of_the_settings(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_TIME_ZONE", "Asia/Kolkata")
    answer = pipeline.fleet_api.site_info

    def without_zone(tesla_site_id: int) -> object:
        body: Any = answer(tesla_site_id)
        del body["response"]["installation_time_zone"]
        return body

    use(pipeline, site_info=without_zone)
    pipeline.run("live_poll")

    zones = pipeline.read("select time_zone from energy_sites")["time_zone"].to_list()
    assert zones == ["Asia/Kolkata"] * 2
