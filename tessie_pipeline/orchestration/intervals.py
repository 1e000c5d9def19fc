"""Deriving the intervals of sites' days from all that is known of them, and telling who follows.

Not here: the sources themselves, and which of them is better (`domain.interval_sources`).
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import adbc_driver_postgresql.dbapi as adbc
import polars as pl

from tessie_pipeline.domain.days import in_their_days, rows_by_date
from tessie_pipeline.domain.energy_checks import (
    disagreements,
    interval_balances,
    negative_energies,
    overlaps,
    own_splits,
    tesla_splits,
)
from tessie_pipeline.domain.findings import Finding
from tessie_pipeline.domain.flows import CALENDAR_HISTORY, intervals_from_history
from tessie_pipeline.domain.interval_sources import best_intervals, intervals_from_power
from tessie_pipeline.domain.live_intervals import LONGEST_GAP, intervals_from_samples
from tessie_pipeline.domain.rollups import ENERGY_SERIES
from tessie_pipeline.domain.samples import ENERGY_INTERVALS, ENERGY_STATES
from tessie_pipeline.orchestration.energy_checks import Findings
from tessie_pipeline.store.energy.attribution import price_again
from tessie_pipeline.store.energy.dirty_days import OF_INTERVALS, mark_days
from tessie_pipeline.store.energy.history import read_answers
from tessie_pipeline.store.energy.intervals import keep_better
from tessie_pipeline.store.energy.site_rows import read_site_rows, read_site_rows_ahead
from tessie_pipeline.store.retention.log import gone_days
from tessie_pipeline.store.tables import energy_states
from tessie_pipeline.store.tables.energy import energy_intervals
from tessie_pipeline.tesla.answers import Rejected
from tessie_pipeline.tesla.history import (
    decode_energy_history,
    decode_power_history,
    decode_soe_history,
)

SAMPLES = pl.Schema(
    {
        name: kind
        for name, kind in ENERGY_STATES.items()
        if name in ("site_id", "timestamp", "battery_percentage") or name.endswith("_power_w")
    }
)
"""What intervals are made of."""

_TIMES = pl.Schema({name: ENERGY_INTERVALS[name] for name in ("site_id", "timestamp")})


@dataclass(frozen=True)
class DerivedIntervals:
    """What came of deriving.

    Attributes:
        rows: how many by `date`.
        changed: `CHANGED_DAYS`.
        refused: answers that are no history.
        findings: what checks found.
    """

    rows: pl.DataFrame
    changed: pl.DataFrame
    refused: list[Rejected]
    findings: Findings


def derive_intervals(connection: adbc.Connection, days: pl.DataFrame) -> DerivedIntervals:
    """Let what is known of the days replace what was known less well, in the caller's transaction.

    Days that changed are marked for all that is made of intervals, and charges at their sites
    are to be priced again.

    Args:
        connection: the transaction.
        days: `DAY_WINDOWS`.
    """
    energy, power, refused = _intervals_of_tesla(connection, days)
    others = pl.concat([power, _intervals_of_samples(connection, days)])
    found = best_intervals(pl.concat([energy, others]))
    changed = keep_better(connection, found, days)
    if not changed.is_empty():
        # What a morning charges, the home battery gives in the evening.
        until_midnight = changed.join(days, on=["site_id", "date"])
        price_again(connection, until_midnight.select("site_id", "end", start="first"))
        mark_days(connection, changed, OF_INTERVALS)
    stored = read_site_rows(connection, energy_intervals, days, _TIMES)
    findings = _findings(found) | {
        "intervals_do_not_overlap": overlaps(in_their_days(stored, days)),
        "sources_agree_with_tesla": disagreements(energy, others, days),
    }
    return DerivedIntervals(rows_by_date(found, days), changed, refused, findings)


def _findings(intervals: pl.DataFrame) -> dict[str, Finding]:
    """What is to be said of `ENERGY_INTERVALS` by themselves."""
    is_teslas = pl.col("source") == CALENDAR_HISTORY
    own, teslas = intervals.filter(~is_teslas), intervals.filter(is_teslas)
    return {
        "no_energy_is_negative": negative_energies(own),
        "flows_add_up": own_splits(own),
        "no_tesla_energy_is_negative": negative_energies(teslas),
        "tesla_flows_add_up": tesla_splits(teslas),
        "energy_balances": interval_balances(intervals),
    }


def _intervals_of_tesla(
    connection: adbc.Connection, days: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, list[Rejected]]:
    """What Tesla's energies and powers say, and the answers that say nothing."""
    answers = {kind: read_answers(connection, kind, days) for kind in ("energy", "power", "soe")}
    energy, refused_energy = decode_energy_history(answers["energy"])
    power, refused_power = decode_power_history(answers["power"])
    soe, refused_soe = decode_soe_history(answers["soe"])
    answered = {
        kind: days.join(found.select("site_id", "date", "received_at"), on=["site_id", "date"])
        for kind, found in answers.items()
    }
    return (
        intervals_from_history(energy, soe, answered["energy"]),
        intervals_from_power(power, soe, answered["power"]),
        [*refused_energy, *refused_power, *refused_soe],
    )


def read_samples(
    connection: adbc.Connection, days: pl.DataFrame, schema: pl.Schema = SAMPLES
) -> Generator[tuple[pl.DataFrame, pl.DataFrame], None, None]:
    """Some of the days at a time, with what `intervals_from_samples` takes for them.

    That is the days' samples and the next ones on either side. While the caller computes the
    intervals of some days, the next ones are read.

    Args:
        connection: the transaction; not to be used by others until all is read, or this closed.
        days: `DAY_WINDOWS`.
        schema: of the samples.
    """
    wider = days.with_columns(pl.col("start") - LONGEST_GAP, pl.col("end") + LONGEST_GAP)
    with closing(read_site_rows_ahead(connection, energy_states, wider, schema)) as parts:
        for numbers, samples in parts:
            yield days[numbers], samples


def _intervals_of_samples(connection: adbc.Connection, days: pl.DataFrame) -> pl.DataFrame:
    """What our samples say of the days.

    Of days that are gone they say less than what came late for them was to add to.
    """
    is_gone = pl.col("timestamp").dt.date().is_in(gone_days(connection, ENERGY_SERIES))
    with closing(read_samples(connection, days)) as parts:
        found = [
            in_their_days(intervals_from_samples(samples.filter(~is_gone)), own).select(
                ENERGY_INTERVALS.names()
            )
            for own, samples in parts
        ]
    return pl.concat([ENERGY_INTERVALS.to_frame(), *found])
