"""Days whose inputs come late, in any order: asked for, computed, and nothing else with them."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from tessie_pipeline.domain.tariffs import Rate, Tariff, tariff_id_of
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.store.charging.tariffs import save_tariffs
from tessie_pipeline.store.database import Database
from tessie_pipeline_tests.conftest import new_database
from tessie_pipeline_tests.orchestration import changed_days_process
from tessie_pipeline_tests.orchestration.two_homes import (
    AFTER,
    COMPUTED,
    DAY,
    FIRST,
    FLEET,
    SITES,
    Home,
    dates_of,
    register,
    samples,
    two_homes,
)

KILLS = int(os.environ.get("TESSIE_TEST_KILLS", "5"))
SACRAMENTO, BERLIN = FLEET.sites
WITHIN = {"battery_ledger": 0.02, "solar_attribution_daily": 1e-4}
"""Wh and kWh: days after a changed one are computed until that changes less than 0.01 Wh."""


def late_samples(first: datetime, last: datetime) -> pl.Expr:
    """Those of Sacramento between two times."""
    return (pl.col("site_id") == SITES[SACRAMENTO.name]) & pl.col("timestamp").is_between(
        first, last
    )


LATE_AT_NOON = late_samples(
    datetime(2026, 3, 27, 19, tzinfo=UTC), datetime(2026, 3, 27, 23, tzinfo=UTC)
)
LATE_IN_THE_MORNING = late_samples(
    datetime(2026, 3, 29, 18, tzinfo=UTC), datetime(2026, 3, 29, 19, tzinfo=UTC)
)


@pytest.fixture
def home(database: Database) -> Iterator[Home]:
    """Two sites of which nothing is known."""
    register(database)
    with two_homes(database) as home:
        home.settle()
        yield home


@pytest.fixture(scope="module")
def settled_once(server_url: sa.URL, template: str) -> Iterator[str]:
    """Name of a database to copy, in which all is computed of all samples but the late ones."""
    for database in new_database(server_url, f"template {template}"):
        register(database)
        with two_homes(database) as home:
            home.add(samples().filter(~LATE_AT_NOON & ~LATE_IN_THE_MORNING))
            home.settle()
        database.dispose()
        yield str(database.engine.url.database)


@pytest.fixture
def settled(server_url: sa.URL, settled_once: str) -> Iterator[Home]:
    """Two sites whose days are computed, of all samples but the late ones."""
    for database in new_database(server_url, f"template {settled_once}"):
        with two_homes(database) as home:
            yield home


def rebuilt(home: Home) -> dict[str, pl.DataFrame]:
    """What is computed from the same inputs when nothing was before."""
    home.execute(f"truncate {', '.join(COMPUTED)}")
    home.execute(
        "insert into dirty_days (reader, site_id, date) "  # noqa: S608
        "select 'energy_intervals', id, day::date from energy_sites, "
        f"generate_series(date '{FIRST}' - 1, date '{AFTER}', '1 day') as day"
    )
    assert home.settle()
    return home.computed()


def assert_same(found: dict[str, pl.DataFrame], expected: dict[str, pl.DataFrame]) -> None:
    for name, frame in expected.items():
        assert frame.height > 0, name
        assert_frame_equal(found[name], frame, rel_tol=0, abs_tol=WITHIN.get(name, 0.0))


@pytest.mark.parametrize("seed", range(2))
def test_in_whatever_order_inputs_come_the_tables_equal_a_rebuild(home: Home, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret depends on it
    pieces = samples().sample(fraction=1, shuffle=True, seed=seed).iter_slices(4000)
    writes = [partial(home.add, piece) for piece in pieces]
    writes += [
        partial(home.answer, site, day) for site in FLEET.sites for day in (FIRST, FIRST + 2 * DAY)
    ]
    chance.shuffle(writes)
    for write in writes:
        write()
        if chance.random() < 0.5:
            home.settle()
    home.settle()

    assert_same(home.computed(), rebuilt(home))


def test_a_late_sample_has_only_its_day_computed_again(settled: Home) -> None:
    before = {name: settled.versions(name) for name in ("energy_intervals", "energy_daily")}
    settled.add(samples().filter(LATE_IN_THE_MORNING))

    runs = settled.settle()

    assert runs[0] == ("2026-03-29", "2026-03-29")
    for name, versions in before.items():
        after = settled.versions(name)
        touched = {key for key in after if after[key] != versions.get(key)}
        days = {
            (site, (key - timedelta(hours=7)).date() if isinstance(key, datetime) else key)
            for site, key in touched
        }
        assert days == {(SITES[SACRAMENTO.name], date(2026, 3, 29))}, name


def test_days_that_follow_each_other_are_one_run_and_others_another(home: Home) -> None:
    for day in (FIRST, FIRST + DAY, FIRST + 3 * DAY):
        home.answer(BERLIN, day)

    requests = home.look()

    assert not isinstance(requests, str)
    assert [dates_of(request) for request in requests] == [
        ("2026-03-27", "2026-03-28"),
        ("2026-03-30", "2026-03-30"),
    ]


@pytest.mark.parametrize(
    ("site", "over_at"),
    [(BERLIN, "2026-03-29T22:00+00:00"), (SACRAMENTO, "2026-03-30T07:00+00:00")],
    ids=["Berlin", "Sacramento"],
)
def test_a_day_is_asked_for_a_quarter_of_an_hour_after_it_is_over_there(
    home: Home, site: Site, over_at: str
) -> None:
    day = pl.col("timestamp").dt.convert_time_zone(site.zone).dt.date() == date(2026, 3, 29)
    home.add(samples().filter(site_id=SITES[site.name]).filter(day).slice(600, 100))
    home.now = datetime.fromisoformat(over_at) + timedelta(minutes=14)
    assert home.look() == "Nothing has changed."
    home.now += timedelta(minutes=1)
    assert home.settle() == [("2026-03-29", "2026-03-29")]


def test_a_changed_day_of_one_site_leaves_the_other_alone(settled: Home) -> None:
    before = settled.versions("energy_daily")

    settled.answer(BERLIN, FIRST)
    settled.settle()

    after = settled.versions("energy_daily")
    assert [key for key in after if after[key] != before[key]] == [(SITES[BERLIN.name], FIRST)]


def test_what_tesla_metered_replaces_samples_and_samples_never_replace_it(home: Home) -> None:
    home.answer(BERLIN, FIRST)
    home.settle()
    metered = home.computed()["energy_daily"]
    home.add(samples())
    home.settle()
    days = home.computed()["energy_daily"].filter(site_id=SITES[BERLIN.name], date=FIRST)
    assert_frame_equal(days, metered)


def test_a_day_that_closes_otherwise_has_those_after_it_computed_until_nothing_changes(
    settled: Home,
) -> None:
    before = settled.computed()["battery_ledger"]
    settled.add(samples().filter(LATE_AT_NOON))

    runs = settled.settle()

    assert runs[0] == ("2026-03-27", "2026-03-27")
    changed = settled.computed()["battery_ledger"].join(
        before, on=before.columns, how="anti", nulls_equal=True
    )
    days = changed["date"].unique().sort().to_list()
    assert days == [FIRST + n * DAY for n in range(len(days))]
    assert len(days) > 1
    assert_same(settled.computed(), rebuilt(settled))


def test_a_new_price_has_the_days_from_its_date_on_computed_again(settled: Home) -> None:
    _price(settled, _tariff("0.30"))
    settled.settle()
    before = settled.versions("solar_attribution_daily")

    _price(settled, _tariff("0.30"), _tariff("0.50", FIRST + 3 * DAY))
    settled.settle()

    after = settled.versions("solar_attribution_daily")
    touched = {(key[0], key[1]) for key in after if after[key] != before.get(key)}
    # The tariff's clock may be a day ahead of the site's, so the day before is looked at, too.
    assert touched == {(SITES[BERLIN.name], FIRST + n * DAY) for n in (2, 3, 4)}
    bought = settled.read(
        "select date, sum(grid_cost) / sum(from_grid_kwh) as price "  # noqa: S608
        "from solar_attribution_daily "
        f"where site_id = '{SITES[BERLIN.name]}' and policy = 'ev_last' and from_grid_kwh > 0 "
        "and from_battery_grid_kwh = 0 group by 1 order by 1"
    )
    for day, price in bought.iter_rows():
        assert price == pytest.approx(0.5 if day >= FIRST + 3 * DAY else 0.3), day


def test_a_run_that_is_killed_anywhere_is_completed_by_the_next(home: Home) -> None:
    home.add(samples())
    _price(home, _tariff("0.30"))
    program = [sys.executable, "-m", changed_days_process.__name__, home.database.url(), str(KILLS)]
    ended = subprocess.run(program, check=False, timeout=300, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_site_of_another_time_zone_has_all_its_days_again(settled: Home) -> None:
    settled.execute("update energy_sites set time_zone = 'Asia/Kolkata' where site_name like 'B%'")
    settled.settle()
    assert_same(settled.computed(), rebuilt(settled))


def _tariff(price: str, valid_from: date | None = None) -> Tariff:
    rates = (Rate("buy", Decimal(price)), Rate("sell", Decimal("0.08")))
    own = tariff_id_of("Berlin", valid_from)
    site = SITES[BERLIN.name]
    return Tariff(own, "Berlin", "EUR", BERLIN.zone, rates, valid_from=valid_from, site_id=site)


def _price(home: Home, *versions: Tariff) -> None:
    with home.database.frames() as connection:
        save_tariffs(connection, versions)
