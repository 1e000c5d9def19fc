"""Checks of energy, ledger and attribution find nothing in simulated days of any source."""

import random
from datetime import UTC, date, datetime
from functools import cache

import polars as pl
import pytest

from tessie_pipeline.domain.attribution import attributed_parts, charging_attribution
from tessie_pipeline.domain.attribution_daily import daily_attribution
from tessie_pipeline.domain.battery import ledger
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.energy_checks import (
    coverages,
    day_balances,
    day_splits,
    disagreements,
    interval_balances,
    missing_days,
    negative_energies,
    overlaps,
    own_splits,
    repeated_days,
    sums_of_hours,
    tesla_splits,
)
from tessie_pipeline.domain.findings import Finding
from tessie_pipeline.domain.flows import (
    CALENDAR_HISTORY,
    daily_totals,
    hourly_totals,
    intervals_from_history,
)
from tessie_pipeline.domain.interval_sources import CALENDAR_HISTORY_POWER, intervals_from_power
from tessie_pipeline.domain.ledger_checks import (
    adjustments,
    contents,
    ledger_sums,
    openings,
    origins,
    origins_of_flows,
    states_of_charge,
)
from tessie_pipeline.domain.live_intervals import LIVE_STATUS, intervals_from_samples
from tessie_pipeline.domain.prices import NO_PRICES
from tessie_pipeline.domain.samples import FLOWS_WH, TOTALS_WH, UTC_TIME
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline_tests.domain.battery_rows import batteries
from tessie_pipeline_tests.simulator.energy_frames import (
    charges_of,
    history_of,
    samples_of_steps,
    steps_of,
)

FLEET = Fleet(seed=3, sites=2, vehicles=2)
START, END = date(2026, 10, 23), date(2026, 11, 3)
"""With the changes of the clocks of both sites."""
RECEIVED = pl.lit(datetime(2027, 1, 1, tzinfo=UTC)).cast(UTC_TIME)


def windows_of(site: Site) -> pl.DataFrame:
    zones = pl.DataFrame({"site_id": [site.name], "time_zone": [site.zone]})
    return day_windows(zones, START, END).with_columns(
        received_at=RECEIVED, time_zone=pl.lit(site.zone)
    )


@cache
def sources_of(site: Site) -> dict[str, pl.DataFrame]:
    """Simulated days as intervals of each source."""
    own = windows_of(site)
    history = history_of(FLEET.site_days, site, own)
    return {
        CALENDAR_HISTORY: intervals_from_history(history.energy, history.soe, own),
        CALENDAR_HISTORY_POWER: intervals_from_power(history.power, history.soe, own),
        LIVE_STATUS: intervals_from_samples(
            samples_of_steps(site, steps_of(FLEET.site_days, site, own))
        ),
    }


each_source = pytest.mark.parametrize(
    "source", [CALENDAR_HISTORY, CALENDAR_HISTORY_POWER, LIVE_STATUS]
)
each_site = pytest.mark.parametrize("site", FLEET.sites, ids=lambda site: site.name)


def assert_nothing_is_odd(findings: dict[str, Finding]) -> None:
    odd = {name: finding.worst.to_dicts() for name, finding in findings.items() if finding.odd}
    assert odd == {}
    assert [name for name, finding in findings.items() if not finding.checked] == []


@each_source
@each_site
def test_simulated_days_pass_every_check(site: Site, source: str) -> None:
    own, rows = windows_of(site), sources_of(site)[source]
    computed = daily_totals(rows, own)
    capacity = batteries(site.battery.capacity_wh, [site.name])
    booked = ledger(rows, capacity, own)
    charges = charges_of(FLEET, site, own)
    parts = attributed_parts(charges, rows, booked.mix)
    attributed = daily_attribution(parts, rows, booked.mix, own, NO_PRICES)
    sessions = charging_attribution(parts)
    assert_nothing_is_odd(
        {
            "overlaps": overlaps(rows.select("site_id", "timestamp")),
            "negative": negative_energies(rows),
            "splits": (tesla_splits if source == CALENDAR_HISTORY else own_splits)(rows),
            "balances": interval_balances(rows),
            "hours": sums_of_hours(hourly_totals(rows, own), rows, own),
            "repeated": repeated_days(computed),
            "day balances": day_balances(computed),
            "day splits": day_splits(computed),
            "coverage": coverages(computed),
            "missing": missing_days(own, computed),
            "ledger": ledger_sums(booked.days),
            "openings": openings(booked.days),
            "contents": contents(booked.steps, capacity),
            "states of charge": states_of_charge(booked.steps, capacity),
            "adjustments": adjustments(booked, capacity),
            "origins": origins(attributed),
            "flows": origins_of_flows(attributed, rows, own),
            "sessions": origins(sessions, "vehicle_id", "session_started_at"),
        }
    )


@pytest.mark.parametrize(
    "said",
    [pl.lit(None, pl.Float64()), pl.lit(-50.0), pl.lit(1e8)],
    ids=["nothing", "less than nothing", "far too much"],
)
def test_whatever_tesla_says_breaks_no_identity_of_ours(said: pl.Expr) -> None:
    """What fails here would stop the days of all other sites."""
    chance, site = random.Random(1), FLEET.sites[1]  # noqa: S311 - no secret depends on it
    own, rows = windows_of(site), sources_of(site)[CALENDAR_HISTORY]
    for name in (*TOTALS_WH, *FLOWS_WH, "soc_pct"):
        is_odd = pl.Series([chance.random() < 0.001 for _ in range(rows.height)])
        rows = rows.with_columns(pl.when(is_odd).then(said).otherwise(name).alias(name))
    booked = ledger(rows, batteries(site.battery.capacity_wh, [site.name]), own)
    parts = attributed_parts(charges_of(FLEET, site, own), rows, booked.mix)
    attributed = daily_attribution(parts, rows, booked.mix, own, NO_PRICES)
    assert_nothing_is_odd(
        {
            "hours": sums_of_hours(hourly_totals(rows, own), rows, own),
            "ledger": ledger_sums(booked.days),
            "openings": openings(booked.days),
            "contents": contents(booked.steps, batteries(site.battery.capacity_wh, [site.name])),
            "origins": origins(attributed),
            "flows": origins_of_flows(attributed, rows, own),
            "sessions": origins(charging_attribution(parts), "vehicle_id", "session_started_at"),
        }
    )


@each_site
def test_simulated_days_agree_with_tesla_by_far_less_than_allowed(site: Site) -> None:
    """Powers are of the same five minutes; between samples a minute apart little is unseen."""
    sources = sources_of(site)
    teslas = sources.pop(CALENDAR_HISTORY)
    for rows in sources.values():
        finding = disagreements(teslas, rows, windows_of(site))
        assert (finding.checked, finding.odd) == (11, 0)
        assert finding.worst.filter(pl.col("found") > 0.2 * pl.col("allowed")).is_empty()
