"""Where charges had their energy from, on a real database: shared, through a battery, and late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from tessie_pipeline.domain.attribution_policies import (
    EV_LAST,
    POLICIES,
    PROPORTIONAL,
    SOLAR_TO_EV_FIRST,
)
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, ENERGY_STATES
from tessie_pipeline.orchestration.battery import derive_ledger
from tessie_pipeline.orchestration.costs import Costed, derive_costs
from tessie_pipeline.orchestration.intervals import derive_intervals
from tessie_pipeline.store.bases import outdated
from tessie_pipeline.store.charging.costs import are_due
from tessie_pipeline.store.charging.policy import choose_policy
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.attribution import follow_charges
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.migrations import READER_ROLE
from tessie_pipeline.store.states import add_states
from tessie_pipeline.store.tables import energy_sites, energy_states, user_config, vehicles
from tessie_pipeline.store.tables.charging import charging_pieces, charging_sessions
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline.store.writes import write_new

HOME, ADA, OTTO = (digit * 32 for digit in "abc")
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
STEP, DAY = timedelta(minutes=5), timedelta(days=1)
BOTH = {"solar_to_home_wh": 1000.0, "grid_to_home_wh": 1000.0, "home_wh": 2000.0}
"""Half solar, half grid; 400 Wh more than two cars take that draw 800 Wh each."""


@pytest.fixture
def household(database: Database) -> Database:
    """A home with a battery of 10 kWh, two cars, and an account."""
    with database.rows() as rows:
        site = {"id": HOME, "tesla_site_id": 1, "time_zone": "UTC"}
        rows.execute(sa.insert(energy_sites).values(site | {"total_battery_capacity_kwh": 10.0}))
        for number, car in enumerate((ADA, OTTO)):
            vin = f"5YJ3E1EA7KF00000{number}"
            rows.execute(sa.insert(vehicles).values(id=car, tesla_id=number, vin=vin))
        rows.execute(sa.insert(user_config).values(settings={"is_simulated": True}))
    return database


def charge(
    database: Database,
    start: datetime = NOON,
    car: str = ADA,
    kwh: float = 0.8,
    steps: int = 1,
    site: str | None = HOME,
) -> None:
    """A plug-in that draws so much, evenly over so many five minutes."""
    end = start + steps * STEP
    session = {
        "vehicle_id": car, "started_at": start, "started_by": start, "ended_at": end,
        "ended_by": end, "is_inferred": False, "segments": 1, "samples": 2, "status": "completed",
        "site_id": site,
    }  # fmt: skip
    piece = {"vehicle_id": car, "session_started_at": start, "start": start, "end": end}
    with database.rows() as rows:
        rows.execute(sa.insert(charging_sessions).values(session))
        energy = {"energy_kwh": kwh, "basis": "wall"}
        rows.execute(sa.insert(charging_pieces).values(piece | energy))


def measure(database: Database, start: datetime, *homes: dict[str, float]) -> None:
    """Five minutes of the site, one after the other."""
    rows = [
        dict.fromkeys(ENERGY_INTERVALS)
        | {"site_id": HOME, "timestamp": start + number * STEP, "source": "test", "coverage": 1.0}
        | home
        for number, home in enumerate(homes)
    ]
    with database.frames() as connection:
        write_new(connection, energy_intervals, pl.DataFrame(rows, ENERGY_INTERVALS))


def cost(database: Database) -> Costed:
    with database.frames() as connection:
        return derive_costs(connection)


def read(database: Database, query: str) -> pl.DataFrame:
    with database.frames() as connection:
        return read_frame(connection, query)


def solar(database: Database, car: str = ADA) -> dict[str, float | None]:
    """The solar energy of a car's plug-ins by policy."""
    query = "select policy, solar_kwh from charging_attribution"
    return dict(read(database, f"{query} where vehicle_id = '{car}'").iter_rows())


def sessions(database: Database) -> list[tuple[Any, ...]]:
    """Solar energy [kWh] and share [%] in the order of time and cars."""
    query = "select solar_energy_kwh, solar_percentage from charging_sessions"
    return read(database, f"{query} order by started_at, vehicle_id").rows()


def versions(database: Database) -> list[str]:
    """Which transaction wrote each plug-in last, in the order of time and cars."""
    query = "select xmin::text as version from charging_sessions order by started_at, vehicle_id"
    return read(database, query)["version"].to_list()


def test_two_cars_share_what_each_policy_gives_to_cars(household: Database) -> None:
    charge(household, car=ADA)
    charge(household, car=OTTO)
    measure(household, NOON, BOTH)
    cost(household)
    # Of 1000 Wh of solar the cars have 800; 1000 less the home's 400; or all: each a half.
    shared = {PROPORTIONAL: 0.4, EV_LAST: 0.3, SOLAR_TO_EV_FIRST: 0.5}
    assert solar(household, ADA) == solar(household, OTTO) == pytest.approx(shared)
    assert sessions(household) == [(pytest.approx(0.4), pytest.approx(50))] * 2


def test_a_car_that_is_not_due_has_its_share_of_what_another_is_costed_for(
    household: Database,
) -> None:
    charge(household, car=ADA)
    charge(household, car=OTTO)
    measure(household, NOON, BOTH)
    cost(household)
    before = versions(household)
    with household.rows() as rows:
        is_adas = charging_sessions.c.vehicle_id == ADA
        rows.execute(sa.update(charging_sessions).values(cost_basis=None).where(is_adas))

    assert cost(household).sessions == 1
    assert solar(household, ADA) == pytest.approx(solar(household, OTTO))
    assert versions(household)[1] == before[1]


def test_a_charge_in_the_same_five_minutes_as_one_that_changed_is_due(household: Database) -> None:
    """One ends half a minute after noon, another begins half a minute later, a third at 12:05."""
    began = NOON + timedelta(seconds=30) - STEP
    charge(household, began, car=ADA)
    charge(household, NOON + timedelta(minutes=1), car=OTTO)
    charge(household, NOON + STEP, car=ADA)
    cost(household)
    changed = {"site_id": [HOME], "start": [began], "end": [began + STEP]}
    with household.frames() as connection:
        follow_charges(connection, pl.DataFrame(changed))
    assert cost(household).sessions == 2
    assert read(household, "select distinct reader, date from dirty_days").rows() == [
        ("solar_attribution_daily", NOON.date())
    ]


@pytest.mark.parametrize(
    ("charged_from", "solar_kwh"),
    [pytest.param("grid", 0.0, id="at night"), pytest.param("solar", 0.36, id="in the sun")],
)
def test_the_battery_gives_a_car_in_the_evening_what_had_charged_it(
    household: Database, charged_from: str, solar_kwh: float
) -> None:
    night = {"soc_pct": 5.0, f"{charged_from}_to_battery_wh": 500.0}
    measure(household, NOON - 12 * timedelta(hours=1), {"soc_pct": 0.0}, night)
    evening = NOON + timedelta(hours=8)
    measure(household, evening, {"battery_to_home_wh": 450.0, "grid_to_home_wh": 50.0})
    charge(household, evening, kwh=0.4)
    cost(household)
    # Of 500 Wh the car has 400: of 450 from the battery 360.
    assert solar(household)[PROPORTIONAL] == pytest.approx(solar_kwh)
    assert sessions(household) == [(pytest.approx(solar_kwh), pytest.approx(250 * solar_kwh))]
    row = read(household, "select * from charging_attribution").row(
        by_predicate=pl.col("policy") == PROPORTIONAL, named=True
    )
    from_battery_kwh = row["from_battery_solar_kwh"] + row["from_battery_grid_kwh"]
    assert (from_battery_kwh, row["from_grid_kwh"]) == pytest.approx((0.36, 0.04))
    assert row["coverage_pct"] == pytest.approx(100)


def test_what_was_charged_while_the_site_was_not_measured_shows(household: Database) -> None:
    charge(household, kwh=1.6, steps=2)
    measure(household, NOON, BOTH)
    cost(household)
    # 800 Wh of 2000, of which half is solar; nobody knows of the other 800.
    shown = read(household, "select unattributed_kwh, coverage_pct from charging_attribution")
    assert shown.rows() == [pytest.approx((0.8, 50))] * len(POLICIES)
    assert sessions(household) == [(pytest.approx(0.4), pytest.approx(50))]
    view = read(household, "select solar_pct, solar_coverage_pct from bi.charging_sessions")
    assert view.row(0) == pytest.approx((50, 50))


def test_a_charge_of_which_the_site_measured_nothing_waits_for_no_run(household: Database) -> None:
    charge(household)
    assert cost(household).sessions == 1
    assert sessions(household) == [(None, None)]
    shown = read(household, "select coverage_pct from charging_attribution")
    assert shown.rows() == [(0,)] * len(POLICIES)
    with household.rows() as rows:
        assert not are_due(rows)


def test_a_charge_that_drew_nothing_or_was_elsewhere_has_no_attribution(
    household: Database,
) -> None:
    charge(household, site=None)
    charge(household, NOON + DAY)
    with household.rows() as rows:
        rows.execute(sa.delete(charging_pieces).where(charging_pieces.c.start == NOON + DAY))
    cost(household)
    assert sessions(household) == [(None, None), (0.0, None)]
    assert read(household, "select * from charging_attribution").is_empty()


def test_energy_that_comes_late_costs_the_charges_again_that_it_touches(
    household: Database,
) -> None:
    for start in (NOON - DAY, NOON, NOON + DAY):
        charge(household, start)
    measure(household, NOON - DAY, BOTH)
    cost(household)
    before = versions(household)
    assert sessions(household)[1:] == [(None, None)] * 2
    power = {
        "solar_power_w": 12e3,
        "load_power_w": 24e3,
        "grid_power_w": 12e3,
        "battery_power_w": 0.0,
    }
    samples = [
        dict.fromkeys(ENERGY_STATES)
        | {"site_id": HOME, "timestamp": NOON + timedelta(minutes=minute), "raw_data": "{}"}
        | power
        for minute in range(6)
    ]
    zones = pl.DataFrame({"site_id": [HOME], "time_zone": ["UTC"]})
    with household.frames() as connection:
        late = pl.DataFrame(samples, ENERGY_STATES).drop("is_stale")
        add_states(connection, energy_states, late)
        derive_intervals(connection, day_windows(zones, NOON.date(), (NOON + DAY).date()))

    assert cost(household).sessions == 1
    # 800 Wh of 2000, of which half is solar.
    assert sessions(household)[1] == (pytest.approx(0.4), pytest.approx(50))
    after = versions(household)
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]


def test_another_policy_changes_what_charges_at_sites_had_of_the_sun_and_no_others(
    household: Database,
) -> None:
    charge(household)
    charge(household, NOON + DAY, site=None)
    measure(household, NOON, BOTH)
    cost(household)
    before = versions(household)
    with household.rows() as rows:
        assert "charging_costs" not in outdated(rows, "UTC")
        choose_policy(rows, SOLAR_TO_EV_FIRST)
        assert "charging_costs" in outdated(rows, "UTC")

    assert cost(household).sessions == 1
    # All 800 Wh.
    assert sessions(household) == [(pytest.approx(0.8), pytest.approx(100)), (None, None)]
    assert versions(household)[1] == before[1]
    with household.rows() as rows:
        assert "charging_costs" not in outdated(rows, "UTC")
        settings = rows.scalar(sa.select(user_config.c.settings))
    assert settings == {"is_simulated": True, "attribution_policy": SOLAR_TO_EV_FIRST}


def test_a_policy_that_there_is_not_is_told_and_the_default_is_followed(
    household: Database,
) -> None:
    charge(household)
    measure(household, NOON, BOTH)
    with household.rows() as rows:
        choose_policy(rows, "greenest")

    (told,) = cost(household).not_understood
    assert all(name in told for name in ("greenest", "tessie policy", *POLICIES))
    assert sessions(household) == [(pytest.approx(0.4), pytest.approx(50))]


def test_a_long_history_is_costed_in_parts_as_at_once(
    household: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The battery holds on 30 May what the sun put in on the 28th, and gives it on 1 June.
    measure(household, NOON - 4 * DAY, {"soc_pct": 0.0}, {"soc_pct": 5, "solar_to_battery_wh": 500})
    for start in (NOON - 3 * DAY, NOON):
        measure(household, start, {"battery_to_home_wh": 200.0})
        charge(household, start - STEP / 2, kwh=0.2, steps=1)
    midnight = datetime(2026, 5, 31, tzinfo=UTC)
    measure(household, midnight - STEP, BOTH, BOTH)
    charge(household, midnight - STEP, steps=2)
    query = "select * from charging_attribution order by 1, 2, 3"
    cost(household)
    at_once = read(household, query)
    assert at_once["solar_kwh"].null_count() == 0
    with household.rows() as rows:
        rows.execute(sa.update(charging_sessions).values(cost_basis=None))

    monkeypatch.setattr("tessie_pipeline.orchestration.calendar.SITE_DAYS_AT_ONCE", 1)
    assert cost(household).sessions == 3
    assert read(household, query).equals(at_once)


def test_a_run_that_dies_before_it_commits_leaves_nothing(
    household: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(household)
    measure(household, NOON, BOTH)
    before = versions(household)
    with monkeypatch.context() as patch:
        patch.setattr("tessie_pipeline.orchestration.costs.keep_basis", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cost(household)
    assert versions(household) == before
    assert read(household, "select * from charging_attribution").is_empty()

    assert cost(household).sessions == 1
    assert solar(household)[PROPORTIONAL] == pytest.approx(0.4)


def test_readers_see_where_the_energy_of_a_charge_came_from(household: Database) -> None:
    with household.rows() as rows:
        zone = {"time_zone": "America/Los_Angeles", "site_name": "House"}
        rows.execute(sa.update(energy_sites).values(zone))
        is_adas = vehicles.c.id == ADA
        rows.execute(sa.update(vehicles).values(display_name="Blue").where(is_adas))
    charge(household)
    measure(household, NOON, BOTH)
    cost(household)
    with household.rows() as rows:
        query = sa.text("select * from bi.charging_attribution where policy = 'ev_last'")
        seen = rows.execute(query).mappings().one()
        granted = sa.func.has_table_privilege(READER_ROLE, sa.column("view"), "select")
        views = sa.values(sa.column("view", sa.Text), name="views").data(
            [("bi.charging_attribution",), ("bi.solar_attribution_daily",)]
        )
        assert rows.scalars(sa.select(granted).select_from(views)).all() == [True, True]
    # Noon in UTC is five in the morning. The home takes 1200 of 2000, so 800 of the grid remain.
    local = datetime(2026, 6, 1, 5)  # noqa: DTZ001
    assert (seen["display_name"], seen["site_name"]) == ("Blue", "House")
    assert seen["local_session_started_at"] == local
    assert (seen["energy_kwh"], seen["from_solar_kwh"], seen["from_grid_kwh"]) == (0.8, 0.0, 0.8)
    assert (seen["solar_pct"], seen["coverage_pct"]) == (0.0, pytest.approx(100))


def live(start: datetime, minutes: int, soc_from: float, soc_to: float, **powers: float) -> Any:
    """What a site says every five minutes while powers stay and its charge changes evenly."""
    steps = minutes // 5
    return [
        dict.fromkeys(ENERGY_STATES)
        | {"site_id": HOME, "timestamp": start + number * STEP, "is_stale": False}
        | dict.fromkeys((name for name in ENERGY_STATES if name.endswith("_power_w")), 0.0)
        | {f"{name}_power_w": power for name, power in powers.items()}
        | {"battery_percentage": soc_from + (soc_to - soc_from) * number / steps, "raw_data": "{}"}
        for number in range(steps + 1)
    ]


def test_a_late_morning_of_sun_is_in_what_the_battery_gives_that_evening(
    household: Database,
) -> None:
    morning, evening = NOON - timedelta(hours=3), NOON + timedelta(hours=8)
    sunny = live(morning, 60, 10.0, 57.5, solar=5000.0, battery=-5000.0)
    # 2.5 kWh come out of the battery, at 95 %: 26.3 of 57.5 %.
    dark = live(evening, 30, 57.5, 31.2, battery=5000.0, load=5000.0)
    charge(household, evening, kwh=2.5, steps=6)
    zones = pl.DataFrame({"site_id": [HOME], "time_zone": ["UTC"]})
    days = day_windows(zones, NOON.date(), NOON.date() + DAY).join(zones, on="site_id")
    found = []
    for samples in (dark, sunny):
        with household.frames() as connection:
            add_states(connection, energy_states, pl.DataFrame(samples, ENERGY_STATES))
        for derive in (derive_intervals, derive_ledger):
            with household.frames() as connection:
                derive(connection, days)
        assert cost(household).sessions == 1
        found.append(solar(household)[PROPORTIONAL])
    assert found[0] == 0
    # The sun's 4.75 kWh are with the 1 kWh of unknown origin that was there.
    assert found[1] == pytest.approx(2.5 * 4.75 / 5.75, rel=0.01)
