"""The checks of energy as Dagster runs them: what they show, and what an error stops."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import dagster as dg
import polars as pl
import pytest

from tessie_pipeline.domain.energy_checks import coverages
from tessie_pipeline.orchestration import energy_checks as checks
from tessie_pipeline.orchestration.calendar import range_tags
from tessie_pipeline.orchestration.site_days import ONLY_CHANGED
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.domain.checked_rows import SPLIT
from tessie_pipeline_tests.orchestration.two_homes import (
    AFTER,
    COMPUTED,
    DAY,
    FIRST,
    FLEET,
    SITES,
    Home,
    register,
    samples,
    two_homes,
)

SACRAMENTO, BERLIN = FLEET.sites
ALL_DAYS = range_tags(FIRST, AFTER - DAY)
OF_ASSET = {
    "energy_intervals": checks.INTERVALS,
    "energy_hourly": checks.HOURS,
    "energy_daily": checks.DAYS,
    "battery_ledger": checks.LEDGER,
    "solar_attribution_daily": checks.ATTRIBUTION,
}


@pytest.fixture
def home(database: Database) -> Iterator[Home]:
    """Two sites of which nothing is known."""
    register(database)
    with two_homes(database) as home:
        yield home


def run(home: Home, tags: dict[str, str] = ALL_DAYS) -> dg.ExecuteInProcessResult:
    return home.run(dg.RunRequest(tags=tags))


def evaluations(
    result: dg.ExecuteInProcessResult,
) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    return {
        (one.asset_key.to_user_string(), one.check_name): one
        for one in result.get_asset_check_evaluations()
    }


def shown(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    """What a person sees of a check."""
    return {name: value.value for name, value in evaluation.metadata.items()}


def failed(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckSeverity]:
    return {key: one.severity for key, one in evaluations(result).items() if not one.passed}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.step_materialization_data.materialization.asset_key.to_user_string()
        for event in result.all_events
        if event.is_step_materialization
    }


def rows_of(table: object) -> list[list[str]]:
    """The cells of a markdown table, without its head."""
    assert isinstance(table, str)
    lines = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert lines[0][:3] == ["whose", "when", "what"]
    return lines[2:]


def test_all_checks_pass_on_simulated_days_and_tell_their_numbers(home: Home) -> None:
    home.add(samples())
    for site in FLEET.sites:
        home.answer(site, FIRST)

    result = run(home)

    assert result.success
    assert failed(result) == {}
    found = evaluations(result)
    assert set(found) == {(asset, one.name) for asset, own in OF_ASSET.items() for one in own}
    assert [key for key, one in found.items() if not shown(one)["checked"]] == []
    agreement = shown(found["energy_intervals", "sources_agree_with_tesla"])
    assert agreement["checked"] == 2
    difference = agreement["worst difference [kWh]"]
    assert isinstance(difference, float)
    assert 0 < difference < 0.1
    # The samples begin 17 s into a site's first local day, and end 43 s before the end of its last.
    coverage = shown(found["energy_daily", "days_are_covered"])
    assert coverage["checked"] == 10
    assert coverage["worst coverage [%]"] == pytest.approx(100 * (1 - 43 / 86400), abs=0.03)
    assert shown(found["energy_daily", "no_day_is_missing"]) == {"checked": 10, "odd": 0}


def test_an_interval_that_overlaps_another_stops_what_is_downstream(home: Home) -> None:
    home.add(samples())
    assert run(home).success
    home.execute(
        "insert into energy_intervals (site_id, timestamp, source, coverage, solar_wh) "
        "select id, '2026-03-28 12:02+00', 'a file', 1, 5 from energy_sites "
        "where site_name = 'Berlin 2'"
    )

    result = run(home)

    assert not result.success
    name = "energy_intervals", "intervals_do_not_overlap"
    assert failed(result) == {name: dg.AssetCheckSeverity.ERROR}
    evaluation = evaluations(result)[name]
    assert evaluation.description == "2 of 2869 are odd."
    assert rows_of(shown(evaluation)["where"]) == [
        ["Berlin 2", "2026-03-28 12:02 UTC", "begins before the last ends", "3", "0"],
        ["Berlin 2", "2026-03-28 12:05 UTC", "begins before the last ends", "2", "0"],
    ]
    assert materialized(result) == {"energy_intervals"}


def test_odd_data_are_told_and_stop_nothing(home: Home) -> None:
    outage = (pl.col("site_id") == SITES[SACRAMENTO.name]) & pl.col("timestamp").is_between(
        datetime(2026, 3, 28, 16, tzinfo=UTC), datetime(2026, 3, 28, 22, tzinfo=UTC)
    )
    home.add(samples().filter(~outage))
    home.answer(BERLIN, FIRST)
    home.execute(
        "update energy_history set answer = replace(answer::text, "
        """'"total_home_usage": ', '"total_home_usage": 9')::json where kind = 'energy'"""
    )

    result = run(home)

    assert result.success
    assert materialized(result) == set(COMPUTED)
    found = evaluations(result)
    assert set(failed(result).values()) == {dg.AssetCheckSeverity.WARN}
    assert set(failed(result)) >= {
        ("energy_intervals", "tesla_flows_add_up"),
        ("energy_intervals", "energy_balances"),
        ("energy_intervals", "sources_agree_with_tesla"),
        ("energy_daily", "energy_balances"),
        ("energy_daily", "flows_add_up"),
        ("energy_daily", "days_are_covered"),
    }
    ((whose, when, what, covered, least),) = rows_of(
        shown(found["energy_daily", "days_are_covered"])["where"]
    )
    assert (whose, when, what, least) == ("Sacramento 1", "2026-03-28", "coverage", "95")
    # Six of 24 hours, and the minutes up to the next samples.
    assert float(covered) == pytest.approx(75, abs=0.2)
    ((whose, when, what, _, _),) = rows_of(shown(found["energy_daily", "flows_add_up"])["where"])
    assert (whose, when, what) == ("Berlin 2", "2026-03-27", "home")
    tesla = rows_of(shown(found["energy_intervals", "tesla_flows_add_up"])["where"])
    assert {(row[0], row[2]) for row in tesla} == {("Berlin 2", "home")}
    assert len(tesla) == 10


def test_a_day_that_is_over_and_has_no_row_is_named(home: Home) -> None:
    home.add(samples())
    assert run(home).success
    home.execute("delete from energy_daily where date in ('2026-03-28', '2026-03-29')")
    home.execute(
        "delete from energy_daily d using energy_sites e "
        "where e.id = d.site_id and site_name = 'Berlin 2'"
    )
    home.execute(
        "insert into dirty_days (reader, site_id, date) "
        "select 'energy_daily', id, '2026-03-30' from energy_sites where site_name = 'Berlin 2'"
    )

    result = run(home, ALL_DAYS | ONLY_CHANGED)

    assert result.success
    name = "energy_daily", "no_day_is_missing"
    assert failed(result) == {name: dg.AssetCheckSeverity.WARN}
    missing = shown(evaluations(result)[name])
    assert (missing["checked"], missing["odd"]) == (10, 6)
    assert [row[:2] for row in rows_of(missing["where"])] == [
        ["Berlin 2", "2026-03-27 to 2026-03-29"],
        ["Sacramento 1", "2026-03-28 to 2026-03-29"],
        ["Berlin 2", "2026-03-31"],
    ]


def test_days_before_the_first_that_is_known_are_not_missing(home: Home) -> None:
    home.add(samples())

    result = run(home, range_tags(FIRST - 3 * DAY, AFTER - DAY))

    assert failed(result) == {}
    assert shown(evaluations(result)["energy_daily", "no_day_is_missing"])["checked"] == 10


def test_a_site_that_the_account_lists_no_more_misses_no_day(home: Home) -> None:
    home.add(samples().filter(pl.col("timestamp") < datetime(2026, 3, 29, tzinfo=UTC)))
    missing = "energy_daily", "no_day_is_missing"
    assert failed(run(home))[missing] is dg.AssetCheckSeverity.WARN

    home.execute("update energy_sites set removed_at = now()")

    assert shown(evaluations(run(home))[missing]) == {"checked": 0, "odd": 0}


def test_a_day_in_progress_is_not_to_be_covered_yet(home: Home) -> None:
    home.now = datetime(2026, 3, 31, 20, tzinfo=UTC)
    home.add(samples().filter(pl.col("timestamp") < home.now))

    result = run(home)

    assert failed(result) == {}
    # The 31st goes on in Sacramento and, for two more hours, in Berlin.
    found = evaluations(result)
    assert shown(found["energy_daily", "days_are_covered"])["checked"] == 8
    assert shown(found["energy_daily", "no_day_is_missing"])["checked"] == 8


def test_a_run_without_anything_to_compute_passes(home: Home) -> None:
    result = run(home, ALL_DAYS | ONLY_CHANGED)

    assert result.success
    found = evaluations(result)
    assert len(found) == sum(map(len, OF_ASSET.values()))
    assert {(one.passed, one.description) for one in found.values()} == {
        (True, "Nothing to check.")
    }


def test_only_errors_stop_what_is_downstream() -> None:
    for asset, own in OF_ASSET.items():
        for spec, one in zip(checks.specs(asset, own), own, strict=True):
            assert (spec.name, spec.blocking) == (one.name, one.is_error)
            assert spec.asset_key == dg.AssetKey(asset)


def test_a_session_that_does_not_add_up_is_named_by_its_car() -> None:
    start = datetime(2026, 3, 28, 18, 30, tzinfo=UTC)
    row = {"vehicle_id": "1f", "session_started_at": start, "policy": "ev_last"} | SPLIT
    sessions = pl.DataFrame([row | {"energy_kwh": 12.0}])
    rest = {f"{name}_kwh": 0.0 for name in ("from_battery_grid", "from_battery_generator")}
    rest |= {f"{name}_kwh": 0.0 for name in ("from_battery_unknown", "from_generator")}
    pieces = sessions.select("vehicle_id", "session_started_at", energy_kwh=pl.lit(12.5))
    found = checks.of_sessions(sessions.with_columns(**rest), pieces)

    results = checks.results(checks.SESSIONS, [found], {"1f": "Red"}, "charging_attribution")

    for result, kwh in zip(results, ("2", "0.5"), strict=True):
        assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert result.asset_key == dg.AssetKey("charging_attribution")
        ((subject, at, what, off, _),) = rows_of(result.metadata["where"].value)
        assert (subject, at) == ("Red", "2026-03-28 18:30 UTC")
        assert (what, off) == ("energy (ev_last)", kwh)


def test_a_check_of_many_parts_is_one_result() -> None:
    day = pl.DataFrame([{"site_id": "a", "date": date(2026, 3, 1), "coverage_pct": 90.0}])
    parts = [{"days_are_covered": coverages(day)}] * 2
    by_name = {one.check_name: one for one in checks.results(checks.DAYS, parts, {"a": "Home"})}
    assert by_name["days_are_covered"].description == "2 of 2 are odd."
    assert by_name["one_row_a_day"].passed
