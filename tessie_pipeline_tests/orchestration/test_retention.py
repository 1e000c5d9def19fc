"""What Dagster does with old samples: which runs it asks for, and what they do and say."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.domain.downsample import hours_of
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES
from tessie_pipeline.orchestration.calendar import range_tags
from tessie_pipeline.orchestration.jobs import RETENTION, logging_from
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.retention import retiring
from tessie_pipeline_tests.orchestration import retention_process
from tessie_pipeline_tests.orchestration.conftest import settings
from tessie_pipeline_tests.store.retention.old_samples import (
    BOTH,
    DAY,
    DAYS,
    FIRST,
    add,
    register,
    samples_of,
)

NOW = datetime(2026, 5, 10, 5, 20, tzinfo=UTC)
LAST = FIRST + (DAYS - 1) * DAY
KILLS, CRASHES = 12, 3


@pytest.fixture
def instance(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """A Dagster that has run nothing, on five days of samples that are old."""
    monkeypatch.setenv("TESSIE_HOME", str(tmp_path))
    register(database)
    for series in BOTH:
        add(database, series, samples_of(series))
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def definitions(database: Database, now: datetime = NOW) -> dg.Definitions:
    return build_defs(settings(), database=database, clock=lambda: now)


def run(
    database: Database, instance: dg.DagsterInstance, first: date, last: date, now: datetime = NOW
) -> dg.ExecuteInProcessResult:
    job = definitions(database, now).resolve_job_def(RETENTION)
    return job.execute_in_process(
        instance=instance,
        run_config=logging_from("CRITICAL"),
        tags=range_tags(first, last),
        raise_on_error=False,
    )


def requests(database: Database) -> list[tuple[str, ...]]:
    """The ranges of dates of the runs that the schedule asks for."""
    schedule = definitions(database).resolve_schedule_def("retention_schedule")
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(
            instance, scheduled_execution_time=NOW, resources={"database": database}
        ) as context,
    ):
        found: Any = schedule(context)
    ends = [f"dagster/asset_partition_range_{end}" for end in ("start", "end")]
    return [tuple(request.tags[end] for end in ends) for request in found]


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    [event, *_] = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def checks_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dg.AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    return {one.check_name: one for one in found if one.asset_key == dg.AssetKey(asset)}


def days_left(database: Database, table: str) -> list[str]:
    query = f"select distinct timestamp::date::text from {table} order by 1"  # noqa: S608
    with database.rows() as connection:
        return list(connection.scalars(sa.text(query)))


def test_one_run_drops_what_can_go_and_says_what_has_to_wait(
    database: Database, instance: dg.DagsterInstance
) -> None:
    # The last day has the newest samples, with which the next ones are compared.
    assert requests(database) == [(str(FIRST), str(LAST - DAY))]
    result = run(database, instance, FIRST, LAST)

    assert result.success
    for series in BOTH:
        rows = samples_of(series).filter(pl.col("timestamp").dt.date() < LAST).height
        said = metadata_of(result, series.hourly)
        assert (said["partitions_dropped"], said["rows_dropped"]) == (DAYS - 1, rows)
        assert said["bytes_archived"]
        assert days_left(database, series.name) == [str(LAST)]
        checks = checks_of(result, series.hourly)
        assert checks["rollups_are_proved"].passed
        assert not checks["nothing_waits"].passed
        reason = str(checks["nothing_waits"].metadata[f"{series.name}_{LAST:%Y_%m_%d}"].value)
        assert "it has the newest sample of" in reason
    assert requests(database) == [(str(NOW.date()), str(NOW.date()))]


def test_what_fails_is_told_and_the_others_go(
    database: Database, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong_on_the_first_day(samples: pl.DataFrame, *rest: object) -> pl.DataFrame:
        is_first = samples["timestamp"].dt.date().min() == FIRST
        return hours_of(samples[1:] if is_first else samples, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(retiring, "hours_of", wrong_on_the_first_day)
    result = run(database, instance, FIRST, LAST)

    for series in BOTH:
        assert days_left(database, series.name) == [str(FIRST), str(LAST)]
        proved = checks_of(result, series.hourly)["rollups_are_proved"]
        assert not proved.passed
        assert proved.severity == dg.AssetCheckSeverity.ERROR
        said = str(proved.metadata[f"{series.name}_{FIRST:%Y_%m_%d}"].value)
        assert said.endswith("nothing was dropped")


def test_days_that_are_too_young_stay_though_somebody_runs_them(
    database: Database, instance: dg.DagsterInstance
) -> None:
    young = datetime(2026, 4, 20, tzinfo=UTC)
    assert run(database, instance, FIRST, LAST, young).success
    assert len(days_left(database, "energy_states")) == DAYS


def test_hours_become_days_when_they_are_old_and_their_samples_are_gone(
    database: Database, instance: dg.DagsterInstance
) -> None:
    with database.rows() as connection:
        for subjects in ("vehicles", "energy_sites"):
            connection.execute(sa.text(f"update {subjects} set removed_at = now()"))  # noqa: S608
    run(database, instance, FIRST, LAST)
    year_later = datetime(2027, 6, 1, tzinfo=UTC)
    result = run(database, instance, FIRST, LAST, year_later)

    for series in (ENERGY_SERIES, VEHICLE_SERIES):
        assert metadata_of(result, series.daily)["partitions_dropped"] == 1
        assert days_left(database, series.hourly) == []
        assert len(days_left(database, series.daily)) >= DAYS


def test_partitions_are_made_ahead_and_rows_astray_are_told(
    database: Database, instance: dg.DagsterInstance
) -> None:
    result = run(database, instance, NOW.date(), NOW.date())
    checks = checks_of(result, "time_series_partitions")
    assert checks["no_row_is_astray"].passed
    partition = f"energy_states_{NOW + DAY:%Y_%m_%d}"
    with database.rows() as connection:
        assert connection.scalar(sa.text(f"select count(*) from {partition}")) == 0  # noqa: S608
        connection.execute(sa.text("create table astray partition of energy_states default"))
        connection.execute(
            sa.text(
                "insert into energy_states (site_id, timestamp) "
                "select id, '1999-01-01' from energy_sites limit 1"
            )
        )
    again = checks_of(run(database, instance, NOW.date(), NOW.date()), "time_series_partitions")
    assert not again["no_row_is_astray"].passed
    assert again["no_row_is_astray"].metadata["astray"].value == 1


def test_what_is_killed_anywhere_ends_as_if_nothing_had_happened() -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="tessie-tests-") as home:
        Path(home).chmod(0o711)
        program = [sys.executable, "-m", retention_process.__name__, home, str(KILLS), str(CRASHES)]
        ended = subprocess.run(program, check=False, timeout=600, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
