"""What is deleted of Dagster's own rows, and what has to stay."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.orchestration import dagster_rows
from tessie_pipeline.orchestration.dagster_rows import purge
from tessie_pipeline.orchestration.local_dagster import local_dagster
from tessie_pipeline.store import dagster_storage
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration.conftest import (
    NOW,
    Pipeline,
    Simulator,
    piped,
    settings,
)
from tessie_pipeline_tests.store.dagster_copies import copy_runs, keep_models

DAYS, POLLS_A_DAY = 50, 4
POLLED = ["vehicles", "energy_sites", "vehicle_states", "energy_states"]
CHECKED = {
    "vehicle_states": "every_vehicle_answered",
    "energy_history": "every_answer_came",
    "energy_daily": "energy_balances",
}
BY_DAY = ["energy_history", "energy_intervals", "energy_hourly", "energy_daily"]
FIRST, LAST = date(2026, 11, 16), date(2026, 11, 19)
RUN_IDS = "select run_id from dagster.runs order by id"
EVENTS = """
    select id, asset_key, dagster_event_type as type, partition
    from dagster.event_logs order by id
"""
CHECKS = """
    select evaluation_event_storage_id as id, asset_key, check_name, execution_status as status
    from dagster.asset_check_executions c order by c.id
"""


@pytest.fixture(scope="module")
def ran_once(server_url: sa.URL, polled_once: str, simulator_of_all: Simulator) -> Iterator[str]:
    """Name of a database to copy, in which Dagster keeps a poll and a run of four days."""
    simulator_of_all.set_now(NOW)
    for database in new_database(server_url, f"template {polled_once}"):
        with (
            TemporaryDirectory() as directory,
            piped(database, simulator_of_all, simulator_of_all.sign_in()) as pipeline,
            local_dagster(variables(database, Path(directory))) as dagster,
        ):
            on_postgres = replace(pipeline, instance=dagster.instance)
            assert on_postgres.run("live_poll").success
            assert on_postgres.run("energy_days", FIRST, LAST).success
            with database.rows() as connection:
                keep_models(connection)
        database.dispose()
        yield str(database.engine.url.database)


@pytest.fixture
def stored(
    server_url: sa.URL, ran_once: str, simulator: Simulator, tmp_path: Path
) -> Iterator[Pipeline]:
    """A pipeline whose Dagster is on Postgres, with the runs of `ran_once`."""
    for database in new_database(server_url, f"template {ran_once}"):
        with (
            piped(database, simulator, simulator.sign_in()) as pipeline,
            local_dagster(variables(database, tmp_path)) as dagster,
        ):
            yield replace(pipeline, instance=dagster.instance)


def variables(database: Database, directory: Path) -> dict[str, str]:
    """Those that dagster.yaml reads."""
    return {
        "DAGSTER_HOME": str(Path(__file__).parents[2]),
        "TESSIE_DAGSTER_URL": dagster_storage.dagster_url(database),
        "TESSIE_DAGSTER_DIR": str(directory),
    }


@pytest.fixture
def start() -> datetime:
    """Midnight (UTC) after what really ran."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)


def run_a_day(pipeline: Pipeline, day: datetime) -> None:
    """The rows of a day: polls, and a refresh of four days."""
    with pipeline.database.rows() as connection:
        every = timedelta(days=1) / POLLS_A_DAY
        copy_runs(connection, "live_poll", day, every, POLLS_A_DAY)
        copy_runs(connection, "energy_days", day + timedelta(hours=1), timedelta(days=1), 1)


def log_of(directory: Path, run_id: str) -> Path:
    """A file where Dagster keeps what a run logs."""
    log = directory / run_id / "compute_logs" / "poll.err"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    return log


def known_of_assets(instance: dg.DagsterInstance) -> dict[str, Any]:
    """What the UI, freshness and schedules ask of assets and checks, by Dagster's own API."""
    keys = [dg.AssetKey(name) for name in (*POLLED, *BY_DAY)]
    newest = {key: instance.fetch_materializations(key, limit=1).records for key in keys}
    checks = {
        check: record.status
        for check, record in instance.event_log_storage.get_latest_asset_check_execution_by_key(
            [dg.AssetCheckKey(dg.AssetKey(asset), check) for asset, check in CHECKED.items()]
        ).items()
    }
    return {
        "materializations": {
            key: (records[0].storage_id, records[0].run_id, records[0].asset_materialization)
            for key, records in newest.items()
        },
        "runs": {
            record.asset_entry.asset_key: instance.has_run(record.asset_entry.last_run_id or "")
            for record in instance.get_asset_records(keys)
        },
        "partitions": {
            name: instance.get_materialized_partitions(dg.AssetKey(name)) for name in BY_DAY
        },
        "data versions": {
            name: instance.event_log_storage.get_latest_tags_by_partition(
                dg.AssetKey(name),
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                ["dagster/data_version"],
            )
            for name in BY_DAY
        },
        "checks": checks,
    }


def newest_of_all(pipeline: Pipeline) -> set[int]:
    """The events that have to stay however old they are, found one by one."""
    events, checks = pipeline.read(EVENTS), pipeline.read(CHECKS)
    kept: dict[object, int] = {}
    for event in events.drop_nulls("asset_key").iter_rows(named=True):
        kept[event["asset_key"], event["type"], event["partition"]] = event["id"]
    for check in checks.iter_rows(named=True):
        kept[check["asset_key"], check["check_name"]] = check["id"]
        if check["status"] != "PLANNED":
            kept[check["asset_key"], check["check_name"], "answered"] = check["id"]
    return set(kept.values())


def event_ids(pipeline: Pipeline) -> set[int]:
    return set(pipeline.read("select id from dagster.event_logs")["id"])


def test_what_there_is_of_seven_weeks_stays_as_large_as_it_was_after_one(
    stored: Pipeline, start: datetime, tmp_path: Path
) -> None:
    runs, purged = [], []
    for number in range(DAYS):
        day = start + timedelta(days=number)
        run_a_day(stored, day)
        purged.append(purge(stored.database, tmp_path, day + timedelta(days=1)))
        polls = "select count(*) as n from dagster.runs where pipeline_name = 'live_poll'"
        runs.append(stored.read(polls).item())

    # A poll of a week ago, to the second, is not older than a week.
    assert runs[8:] == [7 * POLLS_A_DAY] * (DAYS - 8)
    assert [day["runs"] for day in purged[10:]] == [POLLS_A_DAY] * (DAYS - 10)
    assert purged[-1]["bytes_after"] < 1.3 * purged[14]["bytes_after"]


def test_what_is_known_of_assets_and_checks_stays_however_old_it_is(
    stored: Pipeline, start: datetime, tmp_path: Path
) -> None:
    for number in range(5):
        run_a_day(stored, start + timedelta(days=number))
    before, kept = known_of_assets(stored.instance), newest_of_all(stored)

    purged = purge(stored.database, tmp_path, start + timedelta(days=400))

    assert known_of_assets(stored.instance) == before
    assert len(before["checks"]) == len(CHECKED)
    assert all(before["runs"].values())
    # Four days that really ran, and the days of five copies a day later each.
    assert len(before["partitions"]["energy_daily"]) >= 8
    assert event_ids(stored) == kept
    assert purged["events"] > 1000
    assert set(stored.read("select event_id from dagster.asset_event_tags")["event_id"]) < kept


def test_runs_that_failed_are_kept_for_a_month_and_unfinished_ones_for_ever(
    stored: Pipeline, start: datetime, tmp_path: Path
) -> None:
    for number in range(2):
        run_a_day(stored, start + timedelta(days=number))
    with stored.database.rows() as connection:
        first = "select run_id from dagster.runs where pipeline_name = 'live_poll' order by id"
        ids = connection.scalars(sa.text(first)).all()[1:6]
        names = ["FAILURE", "CANCELED", "STARTED", "QUEUED", "SUCCESS"]
        statuses = dict(zip(ids, names, strict=True))
        for run_id, status in statuses.items():
            change = sa.text("update dagster.runs set status = :status where run_id = :run_id")
            connection.execute(change, {"status": status, "run_id": run_id})

    def events() -> dict[str, int]:
        counts = stored.read("select run_id, count(*) as n from dagster.event_logs group by 1")
        by_run = dict(counts.iter_rows())
        return {status: by_run.get(run_id, 0) for run_id, status in statuses.items()}

    whole = events()
    purge(stored.database, tmp_path, start + timedelta(days=29))
    after_weeks = events()
    purge(stored.database, tmp_path, start + timedelta(days=33))
    after_a_month = events()

    assert after_weeks == whole | {"SUCCESS": 0}
    assert after_a_month == whole | {"SUCCESS": 0, "FAILURE": 0, "CANCELED": 0}
    assert stored.instance.get_run_by_id(ids[2]) is not None
    assert stored.instance.get_run_by_id(ids[0]) is None


@pytest.mark.parametrize(
    ("step", "calls"), [("_delete_files", 9), ("delete_run_rows", 4)], ids=["files", "rows"]
)
def test_a_purge_that_is_stopped_and_run_again_ends_as_if_undisturbed(
    stored: Pipeline,
    start: datetime,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    calls: int,
) -> None:
    for number in range(4):
        run_a_day(stored, start + timedelta(days=number))
    logs = [log_of(tmp_path, run_id) for run_id in stored.read(RUN_IDS)["run_id"]]
    kept, later = newest_of_all(stored), start + timedelta(days=400)
    monkeypatch.setattr(dagster_storage, "RUNS_AT_ONCE", 5)
    left = iter(range(calls, 0, -1))
    undisturbed = getattr(dagster_rows, step)

    def stopped(*arguments: Any) -> Any:
        done = undisturbed(*arguments)
        if next(left) == 1:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patched:
        patched.setattr(dagster_rows, step, stopped)
        with pytest.raises(KeyboardInterrupt):
            purge(stored.database, tmp_path, later)
    half = event_ids(stored)
    purge(stored.database, tmp_path, later)

    assert kept < half
    assert event_ids(stored) == kept
    assert not any(log.exists() for log in logs)


def test_the_job_deletes_logs_with_their_runs_and_tells_what_went(
    stored: Pipeline, start: datetime, tmp_path: Path, simulator: Simulator
) -> None:
    run_a_day(stored, start)
    old = [log_of(tmp_path, run_id) for run_id in stored.read(RUN_IDS)["run_id"]]
    run_a_day(stored, start + timedelta(days=20))
    new = [log_of(tmp_path, run_id) for run_id in stored.read(RUN_IDS)["run_id"][len(old) :]]
    simulator.set_now((start + timedelta(days=21)).isoformat())

    result = stored.run("purge_dagster_rows")

    assert result.success
    assert not any(log.exists() for log in old)
    assert all(log.exists() for log in new)
    (output,) = (event for event in result.all_events if event.is_successful_output)
    told = {name: value.value for name, value in output.step_output_data.metadata.items()}
    # All polls go; the four days of each refresh are other days, and keep their runs.
    assert (told["runs"], told["files"], told["ticks"]) == (1 + POLLS_A_DAY, len(old), 0)
    assert {"events", "checks", "bytes_before", "bytes_after"} <= told.keys()


def test_events_of_no_run_go_but_for_the_newest(stored: Pipeline, start: datetime) -> None:
    instance, key = stored.instance, dg.AssetKey("vehicle_states")
    for _ in range(3):
        instance.report_runless_asset_event(dg.AssetObservation(key))
    newest = instance.fetch_observations(key, limit=1).records[0].storage_id

    with stored.database.rows() as connection:
        deleted = dagster_storage.delete_run_rows(connection, [dagster_storage.RUNLESS], start)

    assert deleted == dagster_storage.Deleted(runs=0, events=2, checks=0)
    assert [one.storage_id for one in instance.fetch_observations(key, limit=9).records] == [newest]


def test_dagster_deletes_all_ticks_of_schedules_and_sensors_that_are_a_week_old(
    stored: Pipeline,
) -> None:
    kinds = [InstigatorType.SCHEDULE, InstigatorType.SENSOR]
    kept = [stored.instance.get_tick_retention_settings(kind) for kind in kinds]

    assert kept == [dict.fromkeys(TickStatus, 7)] * 2


def test_ticks_of_what_no_longer_exists_go_after_a_month(
    stored: Pipeline, start: datetime, tmp_path: Path
) -> None:
    for age in (29, 31):
        at = (start - timedelta(days=age)).timestamp()
        sensor = "gone", "gone", InstigatorType.SENSOR, TickStatus.SKIPPED
        stored.instance.create_tick(TickData(*sensor, at, selector_id="gone"))

    purged = purge(stored.database, tmp_path, start)

    assert purged["ticks"] == 1
    assert [tick.timestamp for tick in stored.instance.get_ticks("gone", "gone")] == [
        (start - timedelta(days=29)).timestamp()
    ]


def test_rows_are_purged_every_night_from_the_start() -> None:
    schedule = build_defs(settings()).resolve_schedule_def("purge_dagster_rows_schedule")

    assert schedule.job_name == "purge_dagster_rows"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
