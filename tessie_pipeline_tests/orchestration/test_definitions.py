"""What Dagster's UI shows: groups, descriptions, kinds, columns, jobs and schedules."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import dagster as dg
import pytest

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration.calendar import CALENDAR_DAYS, in_parts, range_tags
from tessie_pipeline.orchestration.jobs import (
    COMPUTED_BY_DAY,
    energy_days_schedule,
    energy_refresh_schedule,
    logging_from,
)
from tessie_pipeline.orchestration.local_dagster import LocalDagster
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline_tests.orchestration.conftest import KEY, Pipeline, settings

GRAPH = {
    "charging_sessions": ("charging", {"vehicle_states"}),
    "tariffs": ("charging", {"energy_sites"}),
    "charging_costs": (
        "charging",
        {
            "charging_sessions",
            "charging_bills",
            "wall_connector_charges",
            "tariffs",
            "charging_attribution",
        },
    ),
    "charging_attribution": (
        "charging",
        {"charging_sessions", "energy_intervals", "battery_ledger"},
    ),
    "drives": ("drives", {"vehicle_states", "charging_sessions"}),
    "vehicles": ("registries", set()),
    "energy_sites": ("registries", set()),
    "vehicle_states": ("live", {"vehicles"}),
    "energy_states": ("live", {"energy_sites"}),
    "energy_history": ("energy", {"energy_sites"}),
    "energy_intervals": ("energy", {"energy_history", "energy_states"}),
    "energy_hourly": ("energy", {"energy_intervals"}),
    "energy_daily": ("energy", {"energy_intervals"}),
    "battery_ledger": ("energy", {"energy_intervals", "tariffs"}),
    "solar_attribution_daily": ("energy", {"battery_ledger", "charging_sessions", "tariffs"}),
    "charging_bills": ("charging", {"vehicles"}),
    "wall_connector_charges": ("charging", {"energy_sites"}),
    "vehicle_states_hourly": ("retention", {"vehicle_states", "charging_sessions", "drives"}),
    "vehicle_states_daily": ("retention", {"vehicle_states_hourly"}),
    "energy_states_hourly": (
        "retention",
        {"energy_states", "charging_sessions", "energy_intervals"},
    ),
    "energy_states_daily": ("retention", {"energy_states_hourly"}),
}
ALSO: dict[str, tuple[str, set[str]]] = {"time_series_partitions": ("retention", set())}
"""What is no table."""


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs(settings(TESSIE_POLL_CRON="*/7 * * * *"))


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_dagster_can_load_all_of_it(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_graph_is_the_design(specs: dict[str, dg.AssetSpec]) -> None:
    found = {
        name: (spec.group_name, {dep.asset_key.to_user_string() for dep in spec.deps})
        for name, spec in specs.items()
    }
    assert found == GRAPH | ALSO


@pytest.mark.parametrize("name", GRAPH)
def test_every_asset_says_what_it_is(specs: dict[str, dg.AssetSpec], name: str) -> None:
    spec = specs[name]

    assert spec.description
    assert "postgres" in spec.kinds
    schema = spec.metadata["dagster/column_schema"]
    table = metadata.tables[name]
    assert [column.name for column in schema.columns] == [column.name for column in table.columns]
    assert all(column.description for column in schema.columns)


def test_the_energy_chain_backfills_a_range_as_one_run(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    chain = [graph.get(dg.AssetKey(name)) for name in ("energy_history", *COMPUTED_BY_DAY)]

    assert {node.partitions_def for node in chain} == {CALENDAR_DAYS}
    assert [node.backfill_policy for node in chain] == [dg.BackfillPolicy.single_run()] * 6


def test_jobs_run_in_one_process(defs: dg.Definitions) -> None:
    for name in ("live_poll", "energy_days", "charging_records"):
        assert defs.resolve_job_def(name).executor_def is dg.in_process_executor


def test_polling_follows_the_setting(defs: dg.Definitions) -> None:
    polling = defs.resolve_schedule_def("live_poll_schedule")

    assert polling.cron_schedule == "*/7 * * * *"
    assert polling.default_status is dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_polls_log_from_the_level_of_the_settings(
    pipeline: Pipeline, capfd: pytest.CaptureFixture[str], level: str
) -> None:
    resources = {name: getattr(pipeline, name) for name in ("database", "fleet_api", "clock")}
    job = build_defs(settings(LOG_LEVEL=level), **resources).resolve_job_def("live_poll")

    job.execute_in_process(instance=pipeline.instance)

    assert ("STEP_SUCCESS" in capfd.readouterr().err) == (level == "DEBUG")


@pytest.fixture
def ticking() -> Iterator[dg.DagsterInstance]:
    """An instance that schedules can look at."""
    with dg.instance_for_test() as instance:
        yield instance


def tick(
    schedule: dg.ScheduleDefinition, instance: dg.DagsterInstance, at: datetime, **given: Any
) -> Any:
    """What a schedule asks for."""
    with dg.build_schedule_context(
        instance, scheduled_execution_time=at, resources=given
    ) as context:
        return schedule(context)


def test_the_daily_run_is_of_yesterday_if_there_are_no_gaps(
    ticking: dg.DagsterInstance, database: Database
) -> None:
    noon = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)

    (request,) = tick(energy_days_schedule("WARNING"), ticking, noon, database=database)

    assert request.tags == range_tags(date(2026, 11, 20), date(2026, 11, 20)) | ONLY_CHANGED
    assert request.run_config["loggers"] == logging_from("WARNING")["loggers"]


def test_the_hourly_run_is_of_all_days_in_progress_and_of_those_before_them(
    ticking: dg.DagsterInstance,
) -> None:
    # At 0:37 it is the 20th west of Greenwich, and the 19th has ended there last. From 10:00 on it
    # will be the 22nd on Kiritimati.
    early = datetime(2026, 11, 21, 0, 37, tzinfo=UTC)

    request = tick(energy_refresh_schedule("WARNING"), ticking, early)

    range_of_days = range_tags(date(2026, 11, 19), date(2026, 11, 22))
    assert request.tags == range_of_days | ONLY_CHANGED | {"dagster/max_runtime": "21600"}
    assert request.run_config["loggers"] == logging_from("WARNING")["loggers"]
    assert CALENDAR_DAYS.get_partition_keys(current_time=early)[-1] == "2026-11-22"


def test_the_daily_run_waits_for_its_own_and_the_hourly_one_for_any(
    defs: dg.Definitions, ticking: dg.DagsterInstance, database: Database
) -> None:
    job = defs.resolve_job_def("energy_days")
    daily, hourly = energy_days_schedule("WARNING"), energy_refresh_schedule("WARNING")
    now = datetime.now(UTC)

    def are_left_out(at: datetime) -> tuple[bool, bool]:
        asked = tick(daily, ticking, at, database=database), tick(hourly, ticking, at)
        return isinstance(asked[0], dg.SkipReason), isinstance(asked[1], dg.SkipReason)

    idle = are_left_out(now)
    ticking.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/schedule_name": hourly.name}
    )
    refreshing = are_left_out(now)
    ticking.create_run_for_job(
        job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/schedule_name": daily.name}
    )

    assert idle == (False, False)
    assert refreshing == (False, True)
    assert are_left_out(now) == (True, True)
    assert are_left_out(now + timedelta(hours=7)) == (True, False)
    assert are_left_out(now + timedelta(hours=25)) == (False, False)


def test_a_poll_is_left_out_while_the_one_before_still_runs(
    defs: dg.Definitions, ticking: dg.DagsterInstance
) -> None:
    schedule = defs.resolve_schedule_def("live_poll_schedule")
    now = datetime.now(UTC)

    idle = tick(schedule, ticking, now)
    ticking.create_run_for_job(
        defs.resolve_job_def("live_poll"), status=dg.DagsterRunStatus.STARTED
    )
    busy = tick(schedule, ticking, now)
    dead = tick(schedule, ticking, now + timedelta(minutes=11))

    assert isinstance(idle, dg.RunRequest)
    assert isinstance(busy, dg.SkipReason)
    assert isinstance(dead, dg.RunRequest), "a run that died holds nothing up for long"


def test_runs_of_processes_that_ended_are_marked_as_failed(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("live_poll")
    with dg.DagsterInstance.ephemeral() as instance:
        died = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        ended = instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
        slots = instance.event_log_storage
        slots.set_concurrency_slots("tesla_live", 1)
        slots.claim_concurrency_slot("tesla_live", died.run_id, "vehicle_states")

        assert LocalDagster(instance).fail_interrupted_runs() == 1

        assert slots.get_concurrency_info("tesla_live").active_slot_count == 0
        found = [instance.get_run_by_id(run.run_id) for run in (died, ended)]
    assert [run.status.value for run in found if run] == ["FAILURE", "SUCCESS"]


def test_a_large_range_is_written_in_parts_that_tile_it() -> None:
    parts = list(in_parts(date(2026, 1, 1), date(2027, 1, 1), sites=100))

    assert parts[0] == (date(2026, 1, 1), date(2026, 1, 21))
    assert parts[-1][1] == date(2027, 1, 1)
    assert all(before[1] == after[0] for before, after in pairwise(parts))


def test_nothing_secret_reaches_dagster(known: Pipeline) -> None:
    known.run("energy_days", date(2026, 11, 10))

    shown = json.dumps(
        [
            str(record.event_log_entry)
            for run in known.instance.get_runs()
            for record in known.instance.get_records_for_run(run.run_id).records
        ]
    )
    tokens = known.fleet_api._http.auth._tokens  # type: ignore[union-attr]
    password = known.database.url().split(":")[2].split("@")[0]
    for secret in (KEY, tokens.access_token, tokens.refresh_token, password):
        assert len(secret) > 8
        assert secret not in shown
