"""Failing requests and refused answers in the energy chain: they never cost the others."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import sqlalchemy as sa

from tessie_pipeline.store.tables import energy_sites
from tessie_pipeline.tesla.client import FleetApi
from tessie_pipeline.tesla.errors import TerminalApiError, TransientApiError
from tessie_pipeline_tests.orchestration.conftest import Pipeline

DAY = date(2026, 11, 10)
History = Callable[[int, str, date, ZoneInfo], object]


class Disturbed:
    """A Fleet API whose `calendar_history` is disturbed on its way."""

    def __init__(self, fleet_api: FleetApi, disturb: Callable[[History, int, str], object]) -> None:
        self._fleet_api = fleet_api
        self._disturb = disturb

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fleet_api, name)

    def calendar_history(self, site: int, kind: str, day: date, zone: ZoneInfo) -> object:
        """The answer, or what the disturbance makes of it."""

        def undisturbed() -> object:
            return self._fleet_api.calendar_history(site, kind, day, zone)  # type: ignore[arg-type]

        return self._disturb(lambda *_: undisturbed(), site, kind)


def disturb(pipeline: Pipeline, how: Callable[[History, int, str], object]) -> None:
    pipeline.fleet_api = Disturbed(pipeline.fleet_api, how)  # type: ignore[assignment]


def sites(pipeline: Pipeline) -> list[int]:
    ids = pipeline.read("select tesla_site_id from energy_sites order by site_name")
    return ids["tesla_site_id"].to_list()


def check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    found = [check for check in result.get_asset_check_evaluations() if check.check_name == name]
    assert len(found) == 1
    return found[0]


def test_a_site_that_is_gone_leaves_the_others_their_days(known: Pipeline) -> None:
    gone, kept = sites(known)
    asked: list[tuple[int, str]] = []

    def refuse(answer: History, site: int, kind: str) -> object:
        asked.append((site, kind))
        if site == gone:
            raise TerminalApiError("404 not found")
        return answer(site, "", DAY, ZoneInfo("UTC"))

    disturb(known, refuse)
    result = known.run("energy_days", DAY, DAY + timedelta(days=1))

    assert result.success
    kinds = sorted(kind for site, kind in asked if site == gone)
    assert kinds == ["energy", "power", "soe"], "a terminal error is not tried again"
    stored = known.read("select tesla_site_id from bi.energy_daily")["tesla_site_id"].to_list()
    assert stored == [kept, kept]
    assert not check(result, "every_answer_came").passed
    assert "404 not found" in str(check(result, "every_answer_came").metadata)


def test_what_a_site_refuses_of_one_kind_leaves_its_other_kinds(known: Pipeline) -> None:
    def refuse(answer: History, site: int, kind: str) -> object:
        if kind == "soe":
            raise TerminalApiError("403 forbidden")
        return answer(site, "", DAY, ZoneInfo("UTC"))

    disturb(known, refuse)

    assert known.run("energy_days", DAY, DAY + timedelta(days=1)).success
    kinds = known.read("select kind, count(*) as n from energy_history group by 1 order by 1")
    assert kinds.rows() == [("energy", 4), ("power", 4)]
    assert known.count("energy_daily") == 4


def test_a_site_that_fails_again_and_again_is_left_until_the_next_try(known: Pipeline) -> None:
    broken, kept = sites(known)
    asked: list[int] = []

    def fail(answer: History, site: int, kind: str) -> object:
        asked.append(site)
        if site == broken:
            raise TransientApiError("502 bad gateway")
        return answer(site, kind, DAY, ZoneInfo("UTC"))

    disturb(known, fail)
    result = known.run("energy_days", DAY, DAY + timedelta(days=9))

    assert result.success
    assert asked.count(broken) == 3 * 4, "three in a row, at one try and three more"
    assert asked.count(kept) == 10 * 3
    assert check(result, "every_answer_came").metadata["not asked"].value == 27


def test_nobody_is_asked_once_tesla_says_when_to_come_back(known: Pipeline) -> None:
    asked: list[int] = []

    def limit(answer: History, site: int, kind: str) -> object:
        asked.append(site)
        if len(asked) == 3:
            raise TransientApiError("429 too many requests", retry_after_s=0)
        return answer(site, kind, DAY, ZoneInfo("UTC"))

    disturb(known, limit)
    result = known.run("energy_days", DAY, DAY + timedelta(days=1))

    assert result.success
    retried = [event for event in result.all_events if event.is_step_up_for_retry]
    assert len(retried) == 1
    assert len(asked) == 12 + 1, "two came, the third and what was left came at the second try"


def test_a_wait_of_hours_ends_the_run_with_its_reason(known: Pipeline) -> None:
    def limit(_: History, __: int, ___: str) -> object:
        raise TransientApiError("429 Retry in 45983 seconds", retry_after_s=45_983)

    disturb(known, limit)
    result = known.run("energy_days", DAY)

    assert not result.success
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "429 Retry in 45983 seconds" in str(failure.step_failure_data.error)


def test_a_range_of_which_nothing_is_known_fails_when_nothing_comes(known: Pipeline) -> None:
    def fail(_: History, __: int, ___: str) -> object:
        raise TransientApiError("503 service unavailable")

    disturb(known, fail)
    result = known.run("energy_days", DAY)

    failures = [event.step_key for event in result.all_events if event.is_step_failure]
    assert failures == ["energy_history"]
    assert len([event for event in result.all_events if event.is_step_up_for_retry]) == 3


def test_a_site_that_the_account_no_longer_lists_is_not_asked(known: Pipeline) -> None:
    sold, _ = sites(known)
    gone = sa.update(energy_sites).where(energy_sites.c.tesla_site_id == sold)
    with known.database.rows() as connection:
        connection.execute(gone.values(removed_at=sa.func.now()))
    asked: list[int] = []

    def note(answer: History, site: int, kind: str) -> object:
        asked.append(site)
        return answer(site, kind, DAY, ZoneInfo("UTC"))

    disturb(known, note)
    known.run("energy_days", DAY)

    assert sold not in asked
    assert asked


def test_a_transient_failure_is_tried_again_without_asking_for_what_came(known: Pipeline) -> None:
    asked: list[tuple[int, str]] = []

    def fail_once(answer: History, site: int, kind: str) -> object:
        asked.append((site, kind))
        if asked.count((site, kind)) == 1 and kind == "energy":
            raise TransientApiError("502 bad gateway")
        return answer(site, kind, DAY, ZoneInfo("UTC"))

    disturb(known, fail_once)
    result = known.run("energy_days", DAY)

    assert result.success
    assert known.count("energy_daily") == 2
    assert sorted(kind for _, kind in asked) == ["energy"] * 4 + ["power"] * 2 + ["soe"] * 2
    assert check(result, "every_answer_came").passed


def test_a_failure_that_stays_is_reported_after_the_last_try(known: Pipeline) -> None:
    broken, kept = sites(known)

    def fail(answer: History, site: int, kind: str) -> object:
        if site == broken:
            raise TransientApiError("503 service unavailable")
        return answer(site, kind, DAY, ZoneInfo("UTC"))

    disturb(known, fail)
    result = known.run("energy_days", DAY)

    assert result.success
    assert known.read("select tesla_site_id from bi.energy_daily").item() == kept
    assert "503" in str(check(result, "every_answer_came").metadata)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"response": {"period": "week", "time_series": []}}, "period is week, expected day"),
        ({"response": {"period": "day"}}, "time_series is missing"),
        (
            {
                "response": {
                    "period": "day",
                    "time_series": [{"timestamp": "2026-11-09T00:00:00-08:00"}],
                }
            },
            "1 of 1 buckets are not of 2026-11-10",
        ),
    ],
    ids=["another period", "no series", "another day"],
)
def test_a_refused_answer_is_kept_with_its_reason(
    known: Pipeline, broken: object, reason: str
) -> None:
    spoiled, _ = sites(known)

    def spoil(answer: History, site: int, kind: str) -> object:
        if site == spoiled and kind == "energy":
            return broken
        return answer(site, kind, DAY, ZoneInfo("UTC"))

    disturb(known, spoil)
    assert known.run("energy_days", DAY).success

    rejected = known.read("select endpoint, reason, subject from rejected_payloads").row(0)
    own_id = known.read(
        f"select id from energy_sites where tesla_site_id = {spoiled}"  # noqa: S608
    ).item()
    assert rejected[0] == "calendar_history"
    assert reason in rejected[1]
    assert rejected[2] == own_id
    sources = known.read("select tesla_site_id, source from bi.energy_daily")
    assert dict(sources.iter_rows()) == {
        site: f"calendar_history_{'power' if site == spoiled else 'energy'}"
        for site in sites(known)
    }


def test_a_stored_answer_that_cannot_be_decoded_leaves_the_others_theirs(known: Pipeline) -> None:
    known.run("energy_days", DAY)
    with known.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            update energy_history
            set answer = '{"period": "day", "time_series": [{"timestamp": 5}]}'
            where kind = 'energy' and site_id = (select id from energy_sites order by id limit 1)
            """
        )
    before = known.read("select site_id, timestamp, solar_wh from energy_intervals order by 1, 2")

    assert known.run("energy_days", DAY).success

    after = known.read("select site_id, timestamp, solar_wh from energy_intervals order by 1, 2")
    assert after.equals(before), "what was known is not erased"
    assert known.count("rejected_payloads") == 1


def test_a_missing_account_is_said_in_a_sentence_and_not_tried_again(known: Pipeline) -> None:
    with known.database.frames() as connection, connection.cursor() as cursor:
        cursor.execute("delete from private.user_config")
    known.fleet_api._http.auth._tokens = None  # type: ignore[union-attr]

    result = known.run("energy_days", DAY)

    failures = [event for event in result.all_events if event.is_step_failure]
    assert [event.step_key for event in failures] == ["energy_history"]
    assert "log in first" in str(failures[0].step_failure_data.user_failure_data)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
