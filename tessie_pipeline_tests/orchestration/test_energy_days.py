"""The chain from Tesla's history to daily energy, as Dagster runs it."""

from datetime import date, timedelta

import polars as pl
import pytest

from tessie_pipeline_tests.orchestration.conftest import Pipeline, Simulator

TRUTH = {
    "solar_wh": "solar_produced_kwh",
    "home_wh": "home_consumed_kwh",
    "battery_charge_wh": "battery_charged_kwh",
    "battery_discharge_wh": "battery_discharged_kwh",
    "grid_import_wh": "grid_imported_kwh",
    "grid_export_wh": "grid_exported_kwh",
    "solar_to_home_wh": "solar_to_home_kwh",
    "solar_to_battery_wh": "solar_to_battery_kwh",
    "solar_to_grid_wh": "solar_to_grid_kwh",
    "battery_to_home_wh": "battery_to_home_kwh",
    "battery_to_grid_wh": "battery_to_grid_kwh",
    "grid_to_home_wh": "grid_to_home_kwh",
    "grid_to_battery_wh": "grid_to_battery_kwh",
}
DAYS = "select *, xmin::text as version from energy_daily order by site_id, date"
INTERVALS = "select * from energy_intervals order by site_id, timestamp"


def test_three_weeks_are_one_run_and_equal_the_truth(known: Pipeline, simulator: Simulator) -> None:
    """They are those in which both homes' clocks change."""
    first, last = date(2026, 10, 18), date(2026, 11, 7)

    assert known.run("energy_days", first, last).success

    runs = known.instance.get_runs()
    assert [run.job_name for run in runs] == ["energy_days"]
    days = known.read(
        "select e.tesla_site_id, d.* from energy_daily d join energy_sites e on e.id = d.site_id"
    )
    assert days.height == 2 * 21
    assert days["coverage_pct"].to_list() == [100.0] * 42
    for site in simulator.truth("sites"):
        own = days.filter(tesla_site_id=site["energy_site_id"]).sort("date")
        true_days = simulator.truth(
            f"sites/{site['energy_site_id']}/days",
            start=first.isoformat(),
            end=(last + timedelta(days=1)).isoformat(),
        )
        for stored, true in zip(own.iter_rows(named=True), true_days, strict=True):
            expected = {column: true[name] / 1000 for name, column in TRUTH.items()}
            found = {column: stored[column] for column in TRUTH.values()}
            assert found == pytest.approx(expected, rel=1e-3, abs=0.0015), stored["date"]


def test_days_of_clock_change_have_25_hours(known: Pipeline) -> None:
    known.run("energy_days", date(2026, 10, 25), date(2026, 11, 1))

    buckets = known.read(
        """
        select site_name, (timestamp at time zone time_zone)::date as day, count(*) as n
        from energy_intervals i join energy_sites e on e.id = i.site_id group by 1, 2
        """
    )
    long_days = {(site.split()[0], day) for site, day, n in buckets.iter_rows() if n == 300}
    assert long_days == {("Berlin", date(2026, 10, 25)), ("Sacramento", date(2026, 11, 1))}
    assert buckets.filter(pl.col("n") != 300)["n"].unique().to_list() == [288]


def test_the_same_days_again_ask_nothing_and_change_nothing(known: Pipeline) -> None:
    first, last = date(2026, 11, 10), date(2026, 11, 14)
    known.run("energy_days", first, last)
    before = known.read(DAYS), known.read(INTERVALS).drop("created_at")

    again = known.run("energy_days", first, last)

    assert _metadata(again, "energy_history")["asked"] == 0
    after = known.read(DAYS), known.read(INTERVALS).drop("created_at")
    assert after[0].equals(before[0])
    assert after[1].equals(before[1])


def test_days_one_by_one_give_the_same_as_a_range(known: Pipeline) -> None:
    first = date(2026, 10, 31)
    known.run("energy_days", first, first + timedelta(days=2))
    at_once = known.read(INTERVALS).drop("created_at")
    with known.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute("truncate energy_intervals, energy_daily, energy_history")

    for offset in (2, 0, 1):
        known.run("energy_days", first + timedelta(days=offset))

    assert known.read(INTERVALS).drop("created_at").equals(at_once)
    assert known.count("energy_daily") == 6


def test_a_day_in_progress_is_known_in_part_and_completed_later(
    known: Pipeline, simulator: Simulator
) -> None:
    today = date(2026, 11, 20)
    simulator.set_now("2026-11-20T20:00:00+00:00")
    known.run("energy_days", today)
    noon = _coverage(known, today)

    simulator.set_now("2026-11-21T20:00:00+00:00")
    known.run("energy_days", today)

    assert noon == {"Sacramento": pytest.approx(50.0), "Berlin": pytest.approx(100 * 21 / 24)}
    assert _coverage(known, today) == {"Sacramento": 100.0, "Berlin": 100.0}


def test_a_finished_day_is_fetched_again_only_when_asked_to(known: Pipeline) -> None:
    day = date(2026, 11, 10)
    known.run("energy_days", day)

    refetched = known.run("energy_days", day, energy_history={"refetch": True})

    assert _metadata(refetched, "energy_history")["asked"] == 6
    assert _metadata(refetched, "energy_history")["kept"] == 6


def test_a_day_that_has_not_begun_is_not_asked_for(known: Pipeline, simulator: Simulator) -> None:
    simulator.set_now("2026-11-19T23:30:00+00:00")

    result = known.run("energy_days", date(2026, 11, 20))

    asked = known.read(
        "select distinct site_name from energy_history h join energy_sites e on e.id = h.site_id"
    )
    assert result.success
    assert [name.split()[0] for name in asked["site_name"]] == ["Berlin"]


def test_imported_days_stay_until_the_computed_day_is_complete(known: Pipeline) -> None:
    with known.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into energy_daily (site_id, date, solar_produced_kwh, source) "
            "select id, date '2026-11-10', 1.5, 'app_export' from energy_sites"
        )

    known.run("energy_days", date(2026, 11, 10))

    sources = known.read("select distinct source from energy_daily")["source"].to_list()
    assert sources == ["calendar_history_energy"]


def _coverage(pipeline: Pipeline, day: date) -> dict[str, float]:
    days = pipeline.read(
        f"select site_name, coverage_pct from bi.energy_daily where date = '{day}'"  # noqa: S608
    )
    return {name.split()[0]: coverage for name, coverage in days.iter_rows()}


def _metadata(result: object, asset: str) -> dict[str, object]:
    materializations = result.asset_materializations_for_node(asset)  # type: ignore[attr-defined]
    return {name: value.value for name, value in materializations[0].metadata.items()}
