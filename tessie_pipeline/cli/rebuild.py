"""`tessie rebuild`: derive again from all samples, and say what came out differently.

What Postgres no longer has comes back from the archive for as long as it is needed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from tessie_pipeline.cli.environment import Environment, environment
from tessie_pipeline.cli.named import vehicle_named
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.domain.samples import UTC_TIME
from tessie_pipeline.store import migrations
from tessie_pipeline.store.archive.parquet import Archive
from tessie_pipeline.store.energy.dirty_days import mark_days
from tessie_pipeline.store.partitions import BusyError, partitions_of
from tessie_pipeline.store.registries import read_zones, vehicle_names
from tessie_pipeline.store.retention.restoring import restore
from tessie_pipeline.store.retention.retiring import retire_samples
from tessie_pipeline.store.sample_changes import Reader, mark
from tessie_pipeline.store.tables.columns import metadata
from tessie_pipeline.store.vehicle_samples import sampled_spans

DAY = timedelta(days=1)
LOOK_BACK = timedelta(days=7)
"""What began before is found in samples of so long ago: cars are parked once a week."""

SHOWN = 40
"""The most plug-ins that are listed."""


def sessions(console: Console, vehicle: str | None, since: date | None) -> None:
    """Derive plug-ins again, with what they cost.

    Raises:
        CliError: there is no such vehicle.
    """
    from tessie_pipeline.orchestration.charging import derive_sessions
    from tessie_pipeline.orchestration.costs import derive_costs

    with environment() as env, _archived(console, env, since, VEHICLE_SERIES, ENERGY_SERIES):
        names = _mark(env, "charging_sessions", vehicle, since)
        replaced = derive_sessions(env.database)
        with env.database.frames() as connection:
            costed = derive_costs(connection)
    for reason in costed.not_understood:
        console.print(f"Left out: {reason}", markup=False, highlight=False)
    if replaced.is_empty():
        console.print("No plug-in came out differently.")
    else:
        console.print(_table(replaced, names))
    console.print(f"{costed.sessions} costed.")


def drives(console: Console, vehicle: str | None, since: date | None) -> None:
    """Derive drives again.

    Raises:
        CliError: there is no such vehicle.
    """
    from tessie_pipeline.orchestration.drives import derive_drives

    with environment() as env, _archived(console, env, since, VEHICLE_SERIES):
        _mark(env, "drives", vehicle, since)
        console.print(f"{derive_drives(env.database, env.settings.time_zone)} drives derived.")


def energy(console: Console, start: date, end: date) -> None:
    """Have the energy of start <= day < end computed again, of samples and Tesla's history.

    Samples that come back from the archive stay until that is done and retention runs again.
    """
    with environment() as env:
        migrations.upgrade(env.database)
        archive = Archive(env.settings.archive)
        # A local day reaches into the days of UTC on either side.
        back = list(restore(env.database, ENERGY_SERIES, archive, start - DAY, end + DAY))
        with env.database.frames() as connection:
            days = day_windows(read_zones(connection), start, end)
            mark_days(connection, days)
    console.print(f"{days.height} days of sites will be computed anew while `tessie up` runs.")
    if back:
        console.print(f"For them {len(back)} days of samples came back from the archive.")


@contextmanager
def _archived(
    console: Console, env: Environment, since: date | None, *series: Series
) -> Iterator[None]:
    """The archived samples in Postgres for the block, with those from a while before `since`."""
    migrations.upgrade(env.database)
    archive, zone = Archive(env.settings.archive), env.settings.time_zone
    start = None if since is None else since - LOOK_BACK
    back = [(one, set(restore(env.database, one, archive, start, None))) for one in series]
    yield
    for one, days in back:
        with env.database.frames() as connection:
            there = partitions_of(connection, metadata.tables[one.name])
        for partition in (partition for partition in there if partition.start in days):
            try:
                retire_samples(env.database, one, partition, archive, zone)
            except BusyError as error:
                console.print(f"{error}; retention will drop it.", markup=False, highlight=False)


def _mark(
    env: Environment, reader: Reader, vehicle: str | None, since: date | None
) -> dict[str, str]:
    """Mark the samples of the vehicles as new; returns the vehicles' names by our id."""
    with env.database.rows() as connection:
        only = [] if vehicle is None else [vehicle_named(connection, vehicle)[0]]
    with env.database.frames() as connection:
        names = vehicle_names(connection)
        spans = sampled_spans(connection, only or list(names))
        if since is not None:
            first = pl.lit(datetime.combine(since, time.min, UTC), UTC_TIME)
            spans = spans.filter(pl.col("last") >= first).with_columns(
                first=pl.max_horizontal("first", first)
            )
        samples = spans.unpivot(["first", "last"], index="vehicle_id", value_name="timestamp")
        mark(connection, samples, [reader])
    return names


def _table(replaced: pl.DataFrame, names: dict[str, str]) -> Table:
    table = Table(title="Plug-ins that changed", box=box.SIMPLE_HEAD, title_justify="left")
    for column in ("vehicle", "began (UTC)", "what", "kWh before", "kWh now"):
        table.add_column(column, justify="right" if "kWh" in column else "left")
    for row in replaced.head(SHOWN).iter_rows(named=True):
        what = "changed" if row["is_old"] and row["is_new"] else "new" if row["is_new"] else "gone"
        energies = (row["energy_before_kwh"], row["energy_kwh"])
        table.add_row(
            names.get(row["vehicle_id"], row["vehicle_id"]),
            f"{row['started_at']:%Y-%m-%d %H:%M}",
            what,
            *("" if energy is None else f"{energy:.2f}" for energy in energies),
        )
    if replaced.height > SHOWN:
        table.caption = f"and {replaced.height - SHOWN} more"
    return table
