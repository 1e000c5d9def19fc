"""`tessie import app-export`: daily exports of the Tesla app, into `energy_daily`."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from rich.console import Console

from tessie_pipeline.cli.environment import CliError, Environment
from tessie_pipeline.cli.named import site_called, site_named
from tessie_pipeline.domain.samples import ENERGY_DAILY
from tessie_pipeline.store.energy.days import save_imported_days
from tessie_pipeline.store.registries import KnownSite, create_imported_site, known_sites
from tessie_pipeline.tesla.app_export import APP_EXPORT_DAYS, NotAnAppExport, read_app_export

IMPORTED_SITE = "Home"
"""Name of the site that is made for an import into a database without any."""


def load(
    console: Console,
    environment: Environment,
    files: Sequence[Path],
    site_wanted: str | None,
    *,
    overwrite: bool,
) -> None:
    """Load the files; a broken row or file is reported, and the others are loaded.

    Raises:
        CliError: the site is not clear, or a file could not be read.
    """
    parts: list[pl.DataFrame] = []
    unread: list[str] = []
    for file in files:
        try:
            export = read_app_export(file)
        except (NotAnAppExport, OSError) as error:
            unread.append(str(error))
            continue
        parts.append(export.days)
        for row in export.bad_rows:
            console.print(f"{row.file}:{row.line}: {row.reason}", style="yellow", markup=False)
    days = _without_repetition(console, parts)
    if not days.is_empty():
        site = _site(environment, site_wanted)
        days = days.with_columns(site_id=pl.lit(site.site_id)).select(ENERGY_DAILY.names())
        with environment.database.frames() as connection:
            written = save_imported_days(connection, days, overwrite=overwrite)
        console.print(_summary(days, written, site), markup=False, highlight=False)
    elif not unread:
        unread.append("There is no day in these files")
    if unread:
        raise CliError("\n".join(unread))


def _without_repetition(console: Console, parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Each day once, as the last file has it; days that files tell differently are named."""
    days = pl.concat(parts) if parts else APP_EXPORT_DAYS.to_frame()
    versions = days.unique().group_by("date").len().filter(pl.col("len") > 1).sort("date")
    for day in versions["date"]:
        console.print(f"{day}: files differ, the last one given is taken", style="yellow")
    return days.unique("date", keep="last", maintain_order=True).sort("date")


def _site(environment: Environment, wanted: str | None) -> KnownSite:
    with environment.database.rows() as connection:
        if wanted is not None:
            return site_named(connection, wanted)
        known = known_sites(connection)
        if not known:
            return create_imported_site(connection, IMPORTED_SITE, environment.settings.time_zone)
    if len(known) == 1:
        return known[0]
    names = ", ".join(map(site_called, known))
    raise CliError(f"There are several energy sites, choose one with --site: {names}")


def _summary(days: pl.DataFrame, written: int, site: KnownSite) -> str:
    first, last = days.select(pl.col("date").min(), last=pl.col("date").max()).row(0)
    read = f"{days.height} days from {first} to {last}"
    kept = days.height - written
    others = f"; {kept} were there already or are computed" if kept else ""
    return f"{read}: {written} written to {site.site_name}{others}."
