"""Days that heal by themselves, and days in progress: what the schedules ask for, and when."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.tesla.errors import TerminalApiError
from tessie_pipeline_tests.orchestration.conftest import Pipeline, Simulator, settings
from tessie_pipeline_tests.orchestration.test_energy_faults import History, check, disturb, sites

DAILY, HOURLY = "energy_days_schedule", "energy_refresh_schedule"
DAY = timedelta(days=1)
TODAY = date(2026, 11, 21)
ASKED = "api_calls where endpoint like '%calendar_history%'"


def tick(pipeline: Pipeline, name: str) -> Sequence[dg.RunRequest]:
    """What a schedule asks for now."""
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(
            instance,
            scheduled_execution_time=pipeline.clock(),
            resources={"database": pipeline.database},
        ) as context,
    ):
        asked: Any = definitions(pipeline).resolve_schedule_def(name)(context)
    assert not isinstance(asked, dg.SkipReason), asked
    requests = asked if isinstance(asked, list) else [asked]
    assert all(isinstance(request, dg.RunRequest) for request in requests)
    return requests


def execute(pipeline: Pipeline, requests: Sequence[dg.RunRequest]) -> dg.ExecuteInProcessResult:
    """Run what a schedule asked for, one run after the other; the last one's result."""
    job = definitions(pipeline).resolve_job_def("energy_days")
    for request in requests:
        result = job.execute_in_process(
            run_config=request.run_config,
            instance=pipeline.instance,
            tags=request.tags,
            raise_on_error=False,
        )
        assert result.success
    return result


def definitions(pipeline: Pipeline) -> dg.Definitions:
    resources = {name: getattr(pipeline, name) for name in ("database", "fleet_api", "clock")}
    return build_defs(settings(), **resources)


def days(request: dg.RunRequest) -> tuple[date, date]:
    """The first and the last date of a run."""
    bounds = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    first, last = (date.fromisoformat(bound) for bound in bounds)
    return first, last


def answered(pipeline: Pipeline) -> list[date]:
    """The dates of which all kinds of all sites are stored."""
    query = "select date from energy_history group by date having count(*) = 6 order by date"
    return pipeline.read(query)["date"].to_list()


def coverage(pipeline: Pipeline, day: date) -> dict[str, float]:
    """Of each town's home."""
    found = pipeline.read("select site_name, date, coverage_pct from bi.energy_daily")
    return {name.split()[0]: pct for name, date, pct in found.iter_rows() if date == day}


@pytest.fixture
def left_alone(pipeline: Pipeline, simulator: Simulator) -> Pipeline:
    """A pipeline whose sites became known on October 20, and that did nothing since."""
    simulator.set_now("2026-10-20T20:00:00+00:00")
    assert pipeline.run("live_poll").success
    return pipeline


def test_an_outage_of_a_month_heals_with_one_run(
    left_alone: Pipeline, simulator: Simulator
) -> None:
    simulator.set_now("2026-11-21T12:30:00+00:00")

    (request,) = tick(left_alone, DAILY)
    execute(left_alone, [request])

    assert days(request) == (date(2026, 10, 20), date(2026, 11, 20))
    stored = left_alone.read("select date, coverage_pct from energy_daily order by date")
    assert stored["date"].unique(maintain_order=True).len() == 32
    assert stored["coverage_pct"].to_list() == [100.0] * (2 * 32)
    assert left_alone.count(ASKED) == 3 * 32 * 2
    simulator.set_now("2026-11-22T12:30:00+00:00")
    assert [days(one) for one in tick(left_alone, DAILY)] == [(TODAY, TODAY)]


def test_what_the_budget_does_not_allow_is_asked_for_when_it_does(
    left_alone: Pipeline, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0.1")
    simulator.set_now("2026-10-31T12:30:00+00:00")

    result = execute(left_alone, tick(left_alone, DAILY))

    spent = left_alone.read("select sum(cost_usd) as usd from api_calls").item()
    assert 0.1 - 0.002 < spent + 1e-9 <= 0.1 + 1e-9
    healed = answered(left_alone)
    assert len(healed) == left_alone.count(ASKED) // 6
    assert healed == [date(2026, 10, 31) - n * DAY for n in range(len(healed), 0, -1)]
    assert not check(result, "every_answer_came").passed

    # Half of a new month's money is the cars', the other half pays what is still missing.
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0.15")
    simulator.set_now("2026-11-01T12:30:00+00:00")
    result = execute(left_alone, tick(left_alone, DAILY))

    assert len(answered(left_alone)) == 12
    assert left_alone.count(ASKED) == 6 * 12
    assert check(result, "every_answer_came").passed


def test_days_long_past_cost_nothing_that_the_cars_need(
    left_alone: Pipeline, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0.5")
    simulator.set_now("2026-11-21T12:30:00+00:00")
    # Half the money is left, and the cars spend as much in a week.
    with left_alone.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into api_calls (requested_at, endpoint, status, duration_ms, category, "
            "cost_usd) values ('2026-11-18T12:00Z', 'GET /api/1/vehicles/{id}/vehicle_data', 200, "
            "100, 'data', 0.25)"
        )

    for _ in range(2):
        result = execute(left_alone, tick(left_alone, DAILY))

    assert answered(left_alone) == [TODAY - n * DAY for n in range(8, 0, -1)]
    assert left_alone.count(ASKED) == 8 * 6
    assert not check(result, "every_answer_came").passed


def test_gaps_that_are_apart_are_runs_of_their_own_the_newest_first(
    left_alone: Pipeline, simulator: Simulator
) -> None:
    simulator.set_now("2026-11-21T12:30:00+00:00")
    for number in range(1, 12):
        known_day = date(2026, 11, 21) - 2 * number * DAY
        with left_alone.database.frames() as connection, connection.cursor() as cursor:
            cursor.execute(
                "insert into energy_history (site_id, kind, date, answer, received_at) "  # noqa: S608
                f"select id, kind, '{known_day}', '{{}}', now() from energy_sites, "
                "unnest(array['energy', 'power', 'soe']) kind"
            )

    requests = tick(left_alone, DAILY)

    newest = [date(2026, 11, 20) - 2 * n * DAY for n in range(10)]
    assert [days(request) for request in requests] == [(day, day) for day in newest]
    assert len({request.run_key for request in requests}) == 10


def test_an_hour_costs_a_call_per_site_and_the_day_in_progress_is_known_so_far(
    known: Pipeline, simulator: Simulator
) -> None:
    known.run("energy_days", TODAY - 2 * DAY, TODAY - DAY)
    asked = [known.count(ASKED)]
    for hour in (21, 22):
        simulator.set_now(f"2026-11-21T{hour}:00:00+00:00")
        execute(known, tick(known, HOURLY))
        asked.append(known.count(ASKED))
        hours_gone = {"Berlin": hour + 1, "Sacramento": hour - 8}
        expected = {town: 100 * hours / 24 for town, hours in hours_gone.items()}
        assert coverage(known, TODAY) == pytest.approx(expected)

    assert asked == [12, 14, 16]
    kinds = known.read("select kind from energy_history where date = '2026-11-21'")
    assert kinds["kind"].to_list() == ["energy", "energy"]


def test_a_day_that_has_ended_is_completed_within_the_hour_and_once(
    known: Pipeline, simulator: Simulator
) -> None:
    execute(known, tick(known, HOURLY))
    before = known.count(ASKED)
    simulator.set_now("2026-11-21T23:37:00+00:00")  # 0:37 in Berlin

    execute(known, tick(known, HOURLY))
    execute(known, tick(known, HOURLY))

    ended = known.read(
        "select kind from energy_history h join energy_sites e on e.id = h.site_id "
        "where date = '2026-11-21' and site_name like 'Berlin%' order by kind"
    )
    assert ended["kind"].to_list() == ["energy", "power", "soe"]
    assert known.count(ASKED) == before + 3 + 4, "Berlin's day once, those begun with each run"
    assert coverage(known, TODAY)["Berlin"] == 100.0
    in_berlin = coverage(known, TODAY + DAY)
    assert in_berlin == {"Berlin": pytest.approx(100 * 35 / (24 * 60))}, "where it is 0:37"


def test_without_money_an_hour_asks_nothing_fails_nothing_and_computes_our_samples(
    known: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.run("energy_days", TODAY - 2 * DAY, TODAY - DAY)
    with known.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into energy_states (site_id, timestamp, solar_power_w, battery_power_w, "
            "grid_power_w, load_power_w) select site_id, timestamp + interval '6 minutes', "
            "solar_power_w, battery_power_w, grid_power_w, load_power_w from energy_states"
        )
    calls = known.count("api_calls")
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0")

    result = execute(known, tick(known, HOURLY))

    assert known.count("api_calls") == calls
    assert check(result, "every_answer_came").passed
    sampled_pct = 100 * 6 / (24 * 60)
    expected = {"Berlin": sampled_pct, "Sacramento": sampled_pct}
    assert coverage(known, TODAY) == pytest.approx(expected)


def test_money_that_polling_needs_is_spent_on_the_record_but_not_on_days_in_progress(
    known: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_BUDGET_USD", "1")

    execute(known, tick(known, HOURLY))

    assert answered(known) == [TODAY - 2 * DAY, TODAY - DAY]
    assert known.count(ASKED) == 12


def test_sites_that_are_free_are_asked_without_money(
    known: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0")
    monkeypatch.setenv("TESSIE_ENERGY_CALLS_FREE", "true")

    execute(known, tick(known, HOURLY))

    assert known.count(ASKED) == 12 + 2


def test_by_hand_a_day_in_progress_is_asked_for_all_kinds(known: Pipeline) -> None:
    known.run("energy_days", TODAY)
    assert answered(known) == [TODAY]


def test_a_site_that_refuses_costs_little_and_leaves_the_others_their_days(
    known: Pipeline, simulator: Simulator
) -> None:
    broken, kept = sites(known)
    asked: list[int] = []

    def refuse(answer: History, site: int, kind: str) -> object:
        asked.append(site)
        if site == broken:
            raise TerminalApiError("404 not found")
        return answer(site, kind, TODAY, ZoneInfo("UTC"))

    disturb(known, refuse)
    of_broken = []
    for hour in (18, 19, 20, 21):
        simulator.set_now(f"2026-11-21T{hour}:37:00+00:00")
        execute(known, tick(known, HOURLY))
        of_broken.append(asked.count(broken))

    # Two days that have ended with three kinds each, then the energy of the one in progress.
    assert of_broken == [3, 6, 7, 7]
    assert asked.count(kept) == 6 + 4
    simulator.set_now("2026-11-22T12:30:00+00:00")
    execute(known, tick(known, DAILY))
    assert (asked.count(broken), asked.count(kept)) == (7 + 3, 6 + 4 + 3)


def test_an_answer_that_is_none_is_not_asked_for_every_hour(known: Pipeline) -> None:
    spoiled, _ = sites(known)

    def spoil(answer: History, site: int, kind: str) -> object:
        if site == spoiled and kind == "power":
            return {"response": {"period": "day"}}
        return answer(site, kind, TODAY, ZoneInfo("UTC"))

    disturb(known, spoil)
    execute(known, tick(known, HOURLY))
    first = known.count("rejected_payloads")
    seen = "select sum(times_seen)::int as n from rejected_payloads"
    assert (first, known.read(seen).item()) == (1, 2), "the power of two days"

    execute(known, tick(known, HOURLY))
    assert known.read(seen).item() == 2
    # The view goes by Postgres's clock, which may be past the simulated today.
    missing = known.read(
        "select distinct missing, asked_in_vain, is_fillable from bi.energy_gaps "
        "where date < '2026-11-21'"
    )
    assert missing.rows() == [("power", 1, True)]

    known.run("energy_days", TODAY - DAY)
    assert known.read(seen).item() == 3, "by hand it is"
