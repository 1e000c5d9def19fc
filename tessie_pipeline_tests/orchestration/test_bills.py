"""Tesla's bills and the charges of wall connectors, as Dagster runs them on the simulator."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.orchestration.reconciliation import reconcile, sessions_reconcile
from tessie_pipeline.orchestration.resources import connect_fleet_api
from tessie_pipeline.store.accounts import SealedTokens
from tessie_pipeline.store.charging.bills import read_billed
from tessie_pipeline.store.tables.charging import charging_sessions
from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError
from tessie_pipeline_tests.orchestration.conftest import KEY, NOW, Pipeline, Simulator, settings

JOB = "charging_records"
PRESENT = datetime.fromisoformat(NOW)
Pages = Callable[[int, datetime], Any]


class Disturbed:
    """A Fleet API that does to one method what a test wants."""

    def __init__(self, fleet_api: Any, **methods: Any) -> None:
        self._fleet_api = fleet_api
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fleet_api, name)


def disturb(pipeline: Pipeline, **methods: Any) -> None:
    pipeline.fleet_api = Disturbed(pipeline.fleet_api, **methods)  # type: ignore[assignment]


def shown(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    (found,) = [one for one in result.get_asset_check_evaluations() if one.check_name == name]
    return found


def plug_ins(simulator: Simulator, start: str, end: str = NOW) -> list[dict[str, Any]]:
    """What really happened: all cars' plug-ins that ended by now."""
    found = [
        plug_in
        for car in simulator.truth("vehicles")
        for plug_in in simulator.truth(f"vehicles/{car['id']}/plug_ins", start=start, end=end)
    ]
    return [one for one in found if instant(one["unplugged"]) <= PRESENT]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_first_run_fetches_all_bills(known: Pipeline, simulator: Simulator) -> None:
    billed = [
        one
        for one in plug_ins(simulator, "2019-01-01T00:00:00+00:00")
        if one["is_supercharger"] and one["segments"]
    ]

    result = known.run(JOB)

    assert result.success
    stored = known.read(
        "select vin, started_at, energy_kwh from bi.charging_bills order by vin, started_at"
    )
    truth = sorted(
        (one["vin"], instant(one["segments"][0]["start"]), round(one["used_wh"] / 1000))
        for one in billed
    )
    assert stored.rows() == truth
    assert stored.height > 300, "several pages"
    assert shown(result, "charging_bills")["bills"] == stored.height
    due = known.read(
        "select currency, sum(total_due)::float as due from bi.charging_bills group by 1"
    )
    assert {f"due {currency}": pytest.approx(usd) for currency, usd in due.rows()}.items() <= (
        shown(result, "charging_bills").items()
    )
    assert check(result, "bills_came").passed


def test_the_first_run_fetches_what_wall_connectors_gave(
    known: Pipeline, simulator: Simulator
) -> None:
    result = known.run(JOB)

    given = known.read("select vin, sum(energy_wh) as wh from wall_connector_charges group by 1")
    truth: dict[str, float] = {}
    for one in plug_ins(simulator, "2020-01-01T08:00:00+00:00"):
        if one["is_home"]:
            preheated = sum(part["used_wh"] for part in one["preheating"])
            truth[one["vin"]] = truth.get(one["vin"], 0) + one["used_wh"] + preheated
    # Charges of plug-ins that last are listed too: at most a full battery per car.
    assert {vin: wh - truth[vin] for vin, wh in given.rows()} == pytest.approx(
        dict.fromkeys(truth, 0), abs=90_000
    )
    assert {vin: wh / truth[vin] for vin, wh in given.rows()} == pytest.approx(
        dict.fromkeys(truth, 1), rel=0.01
    )
    assert check(result, "connectors_answered").passed
    assert shown(result, "wall_connector_charges")["energy_kwh"] == pytest.approx(
        given["wh"].sum() / 1000, abs=0.1
    )


def test_later_runs_go_back_a_month_before_the_newest(known: Pipeline) -> None:
    known.run(JOB)
    newest = known.read("select max(started_at) from charging_bills").item()
    connectors = known.read(
        "select s.tesla_site_id, max(started_at) from wall_connector_charges c "
        "join energy_sites s on s.id = c.site_id group by 1"
    )
    pages: list[tuple[int, datetime]] = []
    days: dict[int, date] = {}
    answer, charges = known.fleet_api.charging_history, known.fleet_api.charge_telemetry

    def page(number: int, since: datetime) -> object:
        pages.append((number, since))
        return answer(number, since)

    def of_site(site: int, first: date, last: date, zone: Any) -> object:
        days[site] = first
        return charges(site, first, last, zone)

    disturb(known, charging_history=page, charge_telemetry=of_site)
    again = known.run(JOB)

    assert pages == [(1, newest - timedelta(days=30))]
    assert days == {site: (at - timedelta(days=30)).date() for site, at in connectors.rows()}
    assert shown(again, "charging_bills")["written"] == 0
    assert shown(again, "wall_connector_charges")["written"] == 0


def test_a_bill_that_is_paid_later_is_paid_then(known: Pipeline) -> None:
    answer = known.fleet_api.charging_history

    def unpaid(number: int, since: datetime) -> object:
        body: Any = answer(number, since)
        if number == 1:
            body["response"]["data"][0]["fees"][0]["isPaid"] = False
        return body

    disturb(known, charging_history=unpaid)
    known.run(JOB)
    is_paid = "select is_paid, count(*) as n from bi.charging_bills group by 1 order by 1"
    assert known.read(is_paid).row(0) == (False, 1)

    disturb(known, charging_history=answer)
    assert shown(known.run(JOB), "charging_bills")["written"] == 1
    assert known.read(is_paid)["is_paid"].to_list() == [True]


def test_without_the_scope_no_bills_are_asked_for(known: Pipeline, simulator: Simulator) -> None:
    SealedTokens(known.database, KEY).remember(scopes=("openid", "energy_device_data"))
    urls = {
        "TESSIE_FLEET_API_URL": simulator.url,
        "TESSIE_TOKEN_URL": f"{simulator.url}/oauth2/v3/token",
    }
    with connect_fleet_api(settings(**urls), known.database, simulator.now) as known.fleet_api:
        result = known.run(JOB)

    assert result.success
    assert "vehicle_charging_cmds" in shown(result, "charging_bills")["note"]
    assert check(result, "bills_came").passed
    assert known.count("charging_bills") == 0
    assert known.count("api_holds") == 0
    assert known.read("select 1 from api_calls where endpoint like '%charging/history'").is_empty()
    assert known.count("wall_connector_charges") > 0


def test_a_bill_that_cannot_be_read_is_kept_aside(known: Pipeline) -> None:
    answer = known.fleet_api.charging_history

    def without_start(number: int, since: datetime) -> object:
        body: Any = answer(number, since)
        if number == 1:
            body["response"]["data"][0]["chargeStartDateTime"] = "soon"
        return body

    disturb(known, charging_history=without_start)
    result = known.run(JOB)

    assert result.success
    figures = shown(result, "charging_bills")
    assert (figures["refused"], figures["bills"]) == (1, known.count("charging_bills"))
    (kept,) = known.read("select endpoint, reason from rejected_payloads").rows()
    assert kept[0] == "charging_history"
    assert "chargeStartDateTime is 'soon'" in kept[1]


def fails(error: Exception) -> Callable[[Pages], Pages]:
    def disturbed(answer: Pages) -> Pages:
        def page(number: int, since: datetime) -> Any:
            if number == 2:
                raise error
            return answer(number, since)

        return page

    return disturbed


def breaks(answer: Pages) -> Pages:
    return lambda number, since: answer(number, since) if number == 1 else {"response": None}


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(fails(TransientApiError("502 bad gateway")), id="Tesla fails"),
        pytest.param(fails(TerminalApiError("403 forbidden")), id="Tesla refuses"),
        pytest.param(breaks, id="no page of bills"),
    ],
)
def test_bills_that_do_not_all_come_are_not_stored_and_come_with_the_next_run(
    known: Pipeline, how: Callable[[Pages], Pages]
) -> None:
    answer = known.fleet_api.charging_history
    disturb(known, charging_history=how(answer))
    failed = known.run(JOB)

    assert not failed.success
    assert known.count("charging_bills") == 0
    assert known.count("wall_connector_charges") > 0, "the one does not cost the other"

    disturb(known, charging_history=answer)
    assert known.run(JOB).success
    assert known.count("charging_bills") > 300


@pytest.mark.parametrize("total", [None, 1_000_000])
def test_a_server_that_knows_no_pages_is_not_asked_for_ever(
    known: Pipeline, total: int | None
) -> None:
    asked: list[int] = []
    answer = known.fleet_api.charging_history

    def always_the_same(number: int, since: datetime) -> object:
        asked.append(number)
        body: Any = answer(1, since)
        body["response"]["totalResults"] = total
        return body

    disturb(known, charging_history=always_the_same)

    assert known.run(JOB).success
    assert asked == [1, 2]
    assert known.count("charging_bills") == 50


def test_nothing_is_asked_once_the_budget_is_spent(
    known: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSIE_BUDGET_USD", "0")
    monkeypatch.setenv("TESSIE_ENERGY_CALLS_FREE", "false")
    before = known.count("api_calls")

    result = known.run(JOB)

    assert result.success
    assert known.count("api_calls") == before
    assert check(result, "bills_came").metadata["not asked"].value == 1
    assert check(result, "connectors_answered").metadata["not asked"].value == 2


def test_a_silent_site_does_not_cost_the_other_its_charges(known: Pipeline) -> None:
    answer = known.fleet_api.charge_telemetry
    silent = known.read("select min(tesla_site_id) from energy_sites").item()

    def one_is_silent(site: int, *days: Any) -> object:
        if site == silent:
            raise TerminalApiError("404 not found")
        return answer(site, *days)

    disturb(known, charge_telemetry=one_is_silent)
    result = known.run(JOB)

    assert result.success
    assert not check(result, "connectors_answered").passed
    sites = known.read("select count(distinct site_id) from wall_connector_charges").item()
    assert sites == 1


@pytest.fixture
def charged(known: Pipeline, simulator: Simulator) -> list[dict[str, Any]]:
    """The plug-ins of two months as cars polled every five minutes show them, in the database."""
    known.run(JOB)
    ids = dict(known.read("select vin, id from vehicles").rows())
    found = plug_ins(simulator, "2026-09-20T00:00:00+00:00")
    rows = [
        {
            "vehicle_id": ids[one["vin"]],
            "started_at": instant(one["plugged"]) + timedelta(minutes=2.5),
            "started_by": instant(one["plugged"]) + timedelta(minutes=5),
            "ended_at": instant(one["unplugged"]) - timedelta(minutes=2.5),
            "energy_added_kwh": one["added_wh"] / 1000,
            "energy_used_kwh": one["used_wh"] / 1000,
            "energy_used_coverage_pct": 100.0,
            "idle_energy_used_kwh": sum(part["used_wh"] for part in one["preheating"]) / 1000,
            "is_dc": one["is_supercharger"],
            "is_inferred": False,
            "segments": len(one["segments"]),
            "samples": 10,
            "status": "completed",
        }
        for one in found
    ]
    with known.database.rows() as connection:
        connection.execute(sa.insert(charging_sessions), rows)
    return found


def test_every_record_finds_its_plug_in(known: Pipeline, charged: list[dict[str, Any]]) -> None:
    with known.database.frames() as connection:
        found = reconcile(connection)

    compared = known.read(
        "select vin, started_at, connector_kwh, billed_kwh from bi.charging_reconciliation"
        " order by vin, started_at"
    )
    truth = sorted(charged, key=lambda one: (one["vin"], one["plugged"]))
    billed = [one["is_supercharger"] and bool(one["segments"]) for one in truth]
    assert compared["billed_kwh"].is_not_null().to_list() == billed
    assert sum(billed) > 5
    for row, one in zip(compared.rows(), truth, strict=True):
        if row[3] is not None:
            assert row[3] == round(one["used_wh"] / 1000)
        preheated = sum(part["used_wh"] for part in one["preheating"])
        given = one["used_wh"] + preheated if one["is_home"] else 0.0
        # A wall connector counts whole Wh of each of its charges.
        assert 1000 * (row[2] or 0) == pytest.approx(given, abs=30)
    lost = known.read(
        "select count(*) from charging_bills b where session_started_at is null and started_at > "
        "(select min(started_at) from charging_sessions)"
    )
    assert lost.item() == 0
    result = sessions_reconcile(found)
    assert result.passed
    assert result.metadata["with a bill"].value == sum(billed)


def test_matching_again_changes_nothing_and_a_window_gives_the_same(
    known: Pipeline, charged: list[dict[str, Any]]
) -> None:
    start = PRESENT - timedelta(days=20)
    with known.database.frames() as connection:
        whole = reconcile(connection)
    records = "select ctid::text, xmin::text from charging_bills order by session_id"
    before = known.read(records)

    with known.database.frames() as connection:
        part = reconcile(connection, start)

    assert known.read(records).equals(before)
    is_asked_for = pl.col("session_started_at") >= start
    assert part.sessions.equals(whole.sessions.filter(is_asked_for))
    assert 0 < part.sessions.height < whole.sessions.height == len(charged)


@pytest.mark.usefixtures("charged")
def test_the_check_names_the_oddest_plug_ins(known: Pipeline) -> None:
    # Ten kWh less from the wall than before: not what the wall connector gave.
    with known.database.rows() as connection:
        oddest = connection.execute(
            sa.text(
                "update charging_sessions set energy_used_kwh = energy_used_kwh - 10, "
                "energy_added_kwh = energy_added_kwh - 10 where id = (select id from "
                "charging_sessions where energy_used_kwh > 25 and not is_dc "
                "order by started_at limit 1) returning started_at"
            )
        ).scalar_one()
    with known.database.frames() as connection:
        result = sessions_reconcile(reconcile(connection))

    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert result.metadata["odd"].value == 1
    (named,) = [name for name in result.metadata if name.endswith("UTC")]
    assert named.endswith(f"{oddest.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    assert "10.0 kWh apart" in str(result.metadata[named].value)


def test_a_record_without_a_plug_in_finds_it_once_it_is_known(
    known: Pipeline, charged: list[dict[str, Any]]
) -> None:
    with known.database.rows() as connection:
        gone = sa.select(charging_sessions).where(charging_sessions.c.is_dc)
        rows = [dict(row) for row in connection.execute(gone).mappings()]
        connection.execute(sa.delete(charging_sessions).where(charging_sessions.c.is_dc))
    with known.database.frames() as connection:
        reconcile(connection)
        assert read_billed(connection).is_empty()
    with known.database.rows() as connection:
        connection.execute(sa.insert(charging_sessions), rows)
    with known.database.frames() as connection:
        reconcile(connection)
        billed = read_billed(connection).filter(pl.col("fee_type") == "CHARGING")
    assert billed.height == sum(one["is_supercharger"] and bool(one["segments"]) for one in charged)
