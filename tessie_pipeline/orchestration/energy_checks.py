"""The checks of energy, its ledger and its attribution as Dagster shows them.

An error is a broken identity of our own computation and keeps what is downstream from running; a
warning is odd data. Not here: how it is checked (`domain.energy_checks`, `domain.ledger_checks`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import dagster as dg
import polars as pl

from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.energy_checks import (
    coverages,
    day_balances,
    day_splits,
    missing_days,
    repeated_days,
)
from tessie_pipeline.domain.findings import Finding, merged
from tessie_pipeline.domain.ledger_checks import origins, whole_charges
from tessie_pipeline.orchestration.calendar import FIRST_DAY
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.days import stored_days
from tessie_pipeline.store.energy.intervals import first_after
from tessie_pipeline.store.registries import known_sites

Findings = Mapping[str, Finding]
"""What checks of an asset found, by their names; one that is not there had nothing to check."""


@dataclass(frozen=True)
class EnergyCheck:
    """A check of an asset.

    Attributes:
        name: as Dagster shows it.
        idea: what holds if it passes.
        figure: the number that is judged, with its unit.
        is_error: whether what is downstream does not run if it fails.
    """

    name: str
    idea: str
    figure: str
    is_error: bool = False


INTERVALS = (
    EnergyCheck(
        "intervals_do_not_overlap",
        "Each five minutes of a site are there once, as they are stored.",
        "minutes off",
        is_error=True,
    ),
    EnergyCheck(
        "no_energy_is_negative",
        "No energy that we measured or split is below zero.",
        "energy [Wh]",
        is_error=True,
    ),
    EnergyCheck(
        "flows_add_up",
        "What we split adds up: solar is its three uses, home is its sources, and so on.",
        "unexplained [Wh]",
        is_error=True,
    ),
    EnergyCheck(
        "no_tesla_energy_is_negative", "No energy of Tesla's is below zero.", "energy [Wh]"
    ),
    EnergyCheck(
        "tesla_flows_add_up", "Tesla's flows add up to Tesla's totals.", "unexplained [Wh]"
    ),
    EnergyCheck(
        "energy_balances", "Each interval takes in as much as it gives out.", "residual [Wh]"
    ),
    EnergyCheck(
        "sources_agree_with_tesla",
        "Days from samples and from mean powers have the energy that Tesla says, where both exist.",
        "difference [kWh]",
    ),
)
HOURS = (
    EnergyCheck(
        "hours_add_up",
        "A day's hours are the sum of its intervals.",
        "difference [kWh]",
        is_error=True,
    ),
)
DAYS = (
    EnergyCheck("one_row_a_day", "A site's day has one row.", "rows", is_error=True),
    EnergyCheck("energy_balances", "Each day takes in as much as it gives out.", "residual [kWh]"),
    EnergyCheck(
        "flows_add_up",
        "A day's solar is its three uses, its home is its sources, and so on.",
        "unexplained [kWh]",
    ),
    EnergyCheck("days_are_covered", "Days that are over were measured.", "coverage [%]"),
    EnergyCheck(
        "no_day_is_missing",
        "Days that are over have a row, from the first that is known of a site on.",
        "days in a row",
    ),
)
LEDGER = (
    EnergyCheck(
        "ledger_adds_up",
        "Opening + charged - discharged - lost + adjusted is closing.",
        "difference [Wh]",
        is_error=True,
    ),
    EnergyCheck(
        "days_open_as_they_closed",
        "A day opens with what the day before closed with.",
        "difference [Wh]",
        is_error=True,
    ),
    EnergyCheck(
        "content_fits_the_battery",
        "The content is between zero and the capacity.",
        "content [Wh]",
        is_error=True,
    ),
    EnergyCheck(
        "content_is_state_of_charge",
        "The content is what the state of charge says.",
        "difference [% of capacity]",
    ),
    EnergyCheck(
        "bookings_explain_content",
        "What went in and out, less what the efficiency takes, explains the content: the state of "
        "charge corrects little.",
        "adjusted [Wh]",
    ),
)
ATTRIBUTION = (
    EnergyCheck(
        "origins_add_up",
        "The origins of an energy, and what is unattributed, add up to it.",
        "difference [kWh]",
        is_error=True,
    ),
    EnergyCheck(
        "origins_are_flows",
        "Home and cars together took what solar, battery, generator and grid gave to the home.",
        "difference [kWh]",
        is_error=True,
    ),
)
SESSIONS = (
    ATTRIBUTION[0],
    EnergyCheck(
        "charges_are_attributed_whole",
        "What is attributed of a charge is what its pieces drew.",
        "energy [kWh]",
        is_error=True,
    ),
)


def specs(asset: str, checks: Iterable[EnergyCheck]) -> list[dg.AssetCheckSpec]:
    """The specs of an asset's checks."""
    return [
        dg.AssetCheckSpec(check.name, asset=asset, description=check.idea, blocking=check.is_error)
        for check in checks
    ]


def results(
    checks: Iterable[EnergyCheck],
    parts: Iterable[Findings],
    names: Mapping[str, str],
    asset: str | None = None,
) -> list[dg.AssetCheckResult]:
    """The results of all checks, each over all parts of a run.

    Args:
        checks: of one asset.
        parts: what each part found.
        names: what people call sites, or vehicles, by our ids.
        asset: whose checks they are, where a step has several assets.
    """
    found = list(parts)
    return [
        _result(
            check, merged(part[check.name] for part in found if check.name in part), names, asset
        )
        for check in checks
    ]


def are_broken(checks: Iterable[EnergyCheck], findings: Findings) -> bool:
    """Whether any error was found."""
    errors = (findings[check.name] for check in checks if check.is_error and check.name in findings)
    return any(finding.odd for finding in errors)


def site_names(database: Database) -> dict[str, str]:
    """What people call the sites, by our ids."""
    with database.rows() as connection:
        return {
            site.site_id: site.site_name or str(site.tesla_site_id)
            for site in known_sites(connection)
        }


def of_days(computed: pl.DataFrame, days: pl.DataFrame, now: datetime) -> dict[str, Finding]:
    """What is to be said of computed days by themselves; days in progress are not to be covered.

    Args:
        computed: `ENERGY_DAILY`.
        days: `DAY_WINDOWS`.
        now: what the clock shows (UTC).
    """
    over = computed.join(days.filter(pl.col("end") <= now), on=["site_id", "date"], how="semi")
    return {
        "one_row_a_day": repeated_days(computed),
        "energy_balances": day_balances(computed),
        "flows_add_up": day_splits(computed),
        "days_are_covered": coverages(over),
    }


def of_sessions(attribution: pl.DataFrame, pieces: pl.DataFrame) -> dict[str, Finding]:
    """What is to be said of where the energy of charges came from.

    Args:
        attribution: `CHARGING_ATTRIBUTION`.
        pieces: `CHARGING_PIECES` of these charges.
    """
    return {
        "origins_add_up": origins(attribution, "vehicle_id", "session_started_at"),
        "charges_are_attributed_whole": whole_charges(attribution, pieces),
    }


def of_missing_days(
    database: Database, start: date, end: date, now: datetime
) -> dict[str, Finding]:
    """What is to be said of days that are over and have no row in `energy_daily`.

    A site's first interval tells from when on its days are to be there; those of a site that the
    account lists no more are not.

    Args:
        database: where the days are.
        start: first date.
        end: the date after the last one.
        now: what the clock shows (UTC).
    """
    with database.rows() as rows:
        listed = [
            (site.site_id, site.time_zone)
            for site in known_sites(rows)
            if site.time_zone is not None and site.removed_at is None
        ]
    zones = pl.DataFrame(listed, dict.fromkeys(("site_id", "time_zone"), pl.String()), orient="row")
    since = datetime.combine(FIRST_DAY, time(), UTC)
    with database.frames() as frames:
        first = first_after(frames, zones.select("site_id", end=since))
        known = stored_days(frames, start, end)
    expected = (
        day_windows(zones, start, end)
        .join(first, on="site_id")
        .filter(pl.col("end") > pl.col("timestamp"), pl.col("end") <= now)
    )
    return {"no_day_is_missing": missing_days(expected.select(known.columns), known)}


def _result(
    check: EnergyCheck, finding: Finding, names: Mapping[str, str], asset: str | None
) -> dg.AssetCheckResult:
    odd = finding.worst.filter(pl.col("excess") > 0)
    metadata: dict[str, dg.MetadataValue | int | float] = {
        "checked": finding.checked,
        "odd": finding.odd,
    }
    for found, allowed in finding.worst.select("found", "allowed").head(1).iter_rows():
        metadata |= {f"worst {check.figure}": round(found, 6), "allowed": round(allowed, 6)}
    if finding.mean is not None:
        metadata[f"mean {check.figure}"] = round(finding.mean, 6)
    if not odd.is_empty():
        metadata["where"] = dg.MetadataValue.md(_table(check, odd, names))
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=asset,
        passed=finding.odd == 0,
        severity=dg.AssetCheckSeverity.ERROR if check.is_error else dg.AssetCheckSeverity.WARN,
        description=f"{finding.odd} of {finding.checked} are odd."
        if finding.checked
        else "Nothing to check.",
        metadata=metadata,
    )


def _table(check: EnergyCheck, odd: pl.DataFrame, names: Mapping[str, str]) -> str:
    """A row for each of the worst, as markdown."""
    head = ("whose", "when", "what", check.figure, "allowed")
    rows = [
        (names.get(subject, subject).replace("|", "/"), at, what, f"{found:.6g}", f"{allowed:.6g}")
        for subject, at, what, found, allowed in odd.drop("excess").iter_rows()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))
