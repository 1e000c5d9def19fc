"""Facts for alerts, and the views about calls and polling, from the tables that tell them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.alerts import Alert, Facts, Pause, Source, Spend
from tessie_pipeline.domain.budget import month_of
from tessie_pipeline.domain.calls import ApiCall, Category, Hold
from tessie_pipeline.store.alert_facts import read_facts
from tessie_pipeline.store.alerts import reconcile
from tessie_pipeline.store.availability import save_sightings
from tessie_pipeline.store.calls.holds import put_hold
from tessie_pipeline.store.calls.log import record
from tessie_pipeline.store.calls.polling_status import (
    PollDecision,
    PollOutcome,
    save_decisions,
    save_outcomes,
)
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.partitions import ensure_partitions
from tessie_pipeline.store.tables import (
    energy_sites,
    energy_states,
    user_config,
    vehicle_states,
    vehicles,
)
from tessie_pipeline.store.tables.api import vehicle_availability

NOW = datetime(2026, 5, 21, 12, tzinfo=UTC)
KNOWN = datetime(2026, 1, 1, tzinfo=UTC)
SPEND = Spend(1.0, 2.0, 10.0)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ADA, HOME = "0a" * 16, "0b" * 16
DATA = "GET /api/1/vehicles/{id}/vehicle_data"


@pytest.fixture
def known(database: Database) -> Database:
    """A database that knows a car and a site."""
    with database.rows() as connection:
        connection.execute(
            sa.insert(vehicles).values(
                id=ADA, tesla_id=1, vin="5YJ3E1EA7LF000316", display_name="Ada", created_at=KNOWN
            )
        )
        connection.execute(
            sa.insert(energy_sites).values(
                id=HOME, tesla_site_id=2, site_name="Home", created_at=KNOWN
            )
        )
    return database


def facts(database: Database) -> Facts:
    with database.rows() as connection:
        return read_facts(connection, NOW, SPEND, 5 * MINUTE, Path("no backups"))


def call(at: datetime, cost_usd: float = 0.0, status: int | None = 200) -> ApiCall:
    return ApiCall(at, DATA, 1, status, 100, Category.DATA, cost_usd)


def record_all(database: Database, *calls: ApiCall) -> None:
    with database.rows() as connection:
        for one in calls:
            record(connection, one)


def add_sample(database: Database, table: sa.Table, own: str, at: datetime) -> None:
    with database.frames() as connection:
        ensure_partitions(connection, table, [at])
    subject = next(iter(table.primary_key)).name
    with database.rows() as connection:
        connection.execute(sa.insert(table).values({subject: own, "timestamp": at}))


def select(database: Database, query: str) -> list[dict[str, Any]]:
    with database.rows() as connection:
        return [dict(row) for row in connection.execute(sa.text(query)).mappings()]


def test_nothing_is_known_of_an_empty_database(database: Database) -> None:
    assert facts(database) == Facts(SPEND, None, [], [], 5 * MINUTE, [])


@pytest.mark.parametrize(("token", "is_told"), [(b"sealed", True), (None, False)])
def test_the_age_of_a_token_is_told_while_there_is_one(
    database: Database, token: bytes | None, is_told: bool
) -> None:
    with database.rows() as connection:
        connection.execute(
            sa.insert(user_config).values(
                tesla_refresh_token_encrypted=token, refresh_token_received_at=KNOWN
            )
        )
    assert facts(database).token_received_at == (KNOWN if is_told else None)


@pytest.mark.parametrize(
    ("hold", "pause"),
    [
        (
            Hold("", 0, None, "login_required", "log in"),
            Pause("", "", "", None, "login_required", "log in"),
        ),
        (
            Hold(DATA, 1, NOW + HOUR, "forbidden", "no"),
            Pause(ADA, "Ada", DATA, NOW + HOUR, "forbidden", "no"),
        ),
        (
            Hold("", 2, NOW + HOUR, "not_found", "gone"),
            Pause(HOME, "Home", "", NOW + HOUR, "not_found", "gone"),
        ),
        (
            Hold("", 77, None, "not_found", "gone"),
            Pause("77", "77", "", None, "not_found", "gone"),
        ),
    ],
    ids=["account", "vehicle", "site", "unknown"],
)
def test_a_hold_is_told_with_our_name_of_its_subject(
    known: Database, hold: Hold, pause: Pause
) -> None:
    with known.rows() as connection:
        put_hold(connection, hold)
    assert facts(known).pauses == [pause]


@pytest.mark.parametrize(
    ("ended", "calls", "is_told"),
    [
        (5 * MINUTE, [], True),
        (5 * MINUTE, [call(NOW - MINUTE)], False),
        (5 * MINUTE, [call(NOW - 6 * MINUTE)], True),
        (5 * MINUTE, [call(NOW - MINUTE, status=403), call(NOW - MINUTE, status=None)], True),
        (25 * HOUR, [], False),
    ],
    ids=["nothing asked", "answered", "answered before", "refused", "long ago"],
)
@pytest.mark.parametrize(("endpoint", "tesla_id"), [("", 0), (DATA, 1), (DATA, 0), ("", 1)])
def test_a_hold_that_ended_is_told_until_an_answer_comes(
    known: Database,
    endpoint: str,
    tesla_id: int,
    ended: timedelta,
    calls: list[ApiCall],
    is_told: bool,
) -> None:
    record_all(known, *calls)
    with known.rows() as connection:
        put_hold(connection, Hold(endpoint, tesla_id, NOW - ended, "billing_limit", "raise it"))
    assert [pause.code for pause in facts(known).pauses] == ["billing_limit"] * is_told


@pytest.mark.parametrize(("endpoint", "tesla_id"), [("GET /other", 0), ("", 2), (DATA, 2)])
def test_an_answer_of_something_else_does_not_end_a_hold(
    known: Database, endpoint: str, tesla_id: int
) -> None:
    record_all(known, call(NOW - MINUTE))
    with known.rows() as connection:
        put_hold(connection, Hold(endpoint, tesla_id, NOW - HOUR, "forbidden", "no"))
    assert len(facts(known).pauses) == 1


@pytest.mark.parametrize(
    ("code", "endpoint", "category", "is_told"),
    [
        ("billing_limit", "GET /api/1/products", Category.FREE, True),
        ("billing_limit", DATA, Category.DATA, False),
        ("payment_needed", "GET /api/1/products", Category.FREE, True),
        ("unauthorized", "GET /api/1/products", Category.FREE, False),
        ("unauthorized", "POST /oauth2/v3/token", Category.FREE, True),
    ],
)
def test_a_pause_of_the_account_ends_with_an_answer_that_shows_it_is_over(
    known: Database, code: str, endpoint: str, category: Category, is_told: bool
) -> None:
    with known.rows() as connection:
        put_hold(connection, Hold("", 0, NOW - 5 * MINUTE, code, "mend it"))
    record_all(known, ApiCall(NOW - MINUTE, endpoint, None, 200, 100, category, 0.0))
    assert bool(facts(known).pauses) is is_told


@pytest.mark.parametrize(
    ("state", "excused_until"),
    [("online", NOW - HOUR), ("asleep", NOW - 5 * MINUTE), ("offline", NOW - 5 * MINUTE)],
)
def test_a_vehicle_is_excused_while_it_is_not_online(
    known: Database, state: str, excused_until: datetime
) -> None:
    for at in (NOW - DAY, NOW - 2 * DAY):
        add_sample(known, vehicle_states, ADA, at)
    with known.rows() as connection:
        for at in (NOW - HOUR, NOW - 5 * MINUTE):
            save_sightings(connection, {ADA: state}, at)
    car = Source(ADA, "Ada", "vehicle_data", NOW - DAY, KNOWN, excused_until)
    assert facts(known).sources[0] == car


def test_a_vehicle_that_no_poll_has_seen_is_no_source(known: Database) -> None:
    assert facts(known).sources == [Source(HOME, "Home", "live_status", None, KNOWN)]


def test_what_polling_has_decided_and_met_is_told(known: Database) -> None:
    add_sample(known, energy_states, HOME, NOW - HOUR)
    with known.rows() as connection:
        save_sightings(connection, {ADA: "online"}, NOW - HOUR)
        wait = PollDecision(ADA, "vehicle", "nothing", "it may fall asleep", NOW + HOUR)
        save_decisions(connection, [wait], NOW)
        save_outcomes(connection, [PollOutcome(HOME, "energy_site", "503")], NOW)
    assert facts(known).sources == [
        Source(ADA, "Ada", "vehicle_data", None, KNOWN, NOW + HOUR),
        Source(HOME, "Home", "live_status", NOW - HOUR, KNOWN, None, 1, "503"),
    ]


def test_what_is_gone_or_only_imported_is_no_source(known: Database) -> None:
    with known.rows() as connection:
        save_sightings(connection, {ADA: "online"}, NOW)
        connection.execute(sa.update(vehicles).values(removed_at=NOW))
        connection.execute(sa.update(energy_sites).values(removed_at=NOW))
        connection.execute(sa.insert(energy_sites).values(site_name="From the app"))
    assert facts(known).sources == []


def test_the_view_of_spending_is_by_utc_day_and_endpoint(database: Database) -> None:
    late = datetime(2026, 5, 3, 23, 59, tzinfo=UTC)
    record_all(database, call(late, 0.25), call(late, 0.5, 408), call(late + HOUR, 0.0, None))
    rows = select(
        database, "select day::text, calls, failed, cost_usd from bi.api_spend order by 1"
    )
    assert [tuple(row.values()) for row in rows] == [("2026-05-03", 2, 1, 0.75),
                                                     ("2026-05-04", 1, 1, 0.0)]  # fmt: skip


def test_the_view_of_the_budget_is_of_this_month(database: Database) -> None:
    now = datetime.now(UTC)
    start, end = month_of(now)
    record_all(database, call(start, 0.25), call(now, 0.5), call(start - MINUTE, 7.0))
    (row,) = select(database, "select * from bi.budget")
    assert (row["month"], row["calls"], row["spent_usd"]) == (start.date(), 2, 0.75)
    assert row["days_gone"] == pytest.approx((now - start) / DAY, abs=0.01)
    assert row["days_in_month"] == (end - start).days
    # All of it was spent in the last seven days if the month is younger, else the 0.50 of now.
    is_young = now - start < 7 * DAY
    recent_usd, since = (7.75, start - MINUTE) if is_young else (0.5, now - 7 * DAY)
    usd_per_day = recent_usd / max(1.0, (now - since) / DAY)
    assert row["usd_per_day"] == pytest.approx(usd_per_day, rel=0.01)
    assert row["forecast_usd"] == pytest.approx(0.75 + usd_per_day * ((end - now) / DAY), rel=0.01)


def test_the_view_of_polling_has_a_row_for_each_vehicle_and_site(known: Database) -> None:
    with known.rows() as connection:
        save_sightings(connection, {ADA: "asleep"}, NOW)
        save_outcomes(connection, [PollOutcome(HOME, "energy_site", "503")], NOW)
    query = "select kind, name, state, state_since, failures_in_a_row, reason from bi.polling"
    assert [tuple(row.values()) for row in select(known, f"{query} order by kind")] == [
        ("energy_site", "Home", None, None, 1, "asked"),
        ("vehicle", "Ada", "asleep", NOW, 0, None),
    ]


def test_the_view_of_availability_tells_how_long_each_state_lasted(known: Database) -> None:
    with known.rows() as connection:
        save_sightings(connection, {ADA: "asleep"}, NOW)
        save_sightings(connection, {ADA: "online"}, NOW + HOUR)
        save_sightings(connection, {ADA: "online"}, NOW + HOUR + MINUTE)
        assert connection.scalar(sa.select(sa.func.count()).select_from(vehicle_availability)) == 2
    query = "select display_name, state, started_at, ended_at, duration"
    rows = select(known, f"{query} from bi.vehicle_availability order by started_at")
    assert [tuple(row.values()) for row in rows] == [
        ("Ada", "asleep", NOW, NOW + HOUR, HOUR),
        ("Ada", "online", NOW + HOUR, None, MINUTE),
    ]


def test_the_view_of_alerts_names_the_vehicle_and_has_open_ones_first(known: Database) -> None:
    gone = Alert("critical", "budget", "budget_spent", "", "Spent")
    stale = Alert("warning", "data", "stale_source", ADA, "Nothing new of Ada")
    login = Alert("critical", "account", "login_required", "", "Log in")
    with known.rows() as connection:
        reconcile(connection, [gone], NOW)
        reconcile(connection, [stale, login], NOW + HOUR)
    rows = select(known, "select status, code, name from bi.alerts")
    assert [tuple(row.values()) for row in rows] == [
        ("active", "login_required", None),
        ("active", "stale_source", "Ada"),
        ("resolved", "budget_spent", None),
    ]
