"""Two simulated homes whose samples and answers come when a test wants; what is made of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from uuid import NAMESPACE_URL, uuid5

import dagster as dg
import polars as pl
import sqlalchemy as sa

from tessie_pipeline.definitions import build_defs
from tessie_pipeline.domain.days import day_windows
from tessie_pipeline.orchestration.jobs import logging_from
from tessie_pipeline.simulator.calendar_history import energy_series, soe_series, window
from tessie_pipeline.simulator.fleet import Fleet
from tessie_pipeline.simulator.household import Site
from tessie_pipeline.store import tables
from tessie_pipeline.store.database import Database
from tessie_pipeline.store.energy.history import save_answer
from tessie_pipeline.store.frames import read_frame
from tessie_pipeline.store.states import add_states
from tessie_pipeline_tests.orchestration.conftest import settings
from tessie_pipeline_tests.simulator.energy_frames import samples_of_steps, steps_of

FLEET = Fleet(seed=5, sites=2, vehicles=2)
SITES = {site.name: uuid5(NAMESPACE_URL, site.name).hex for site in FLEET.sites}
FIRST, DAYS = date(2026, 3, 27), 5
"""With the day on which Berlin's clocks go forward."""

AFTER = FIRST + timedelta(days=DAYS)
NOW = datetime(2026, 4, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)

COMPUTED = {
    "energy_intervals": ["site_id", "timestamp"],
    "energy_hourly": ["site_id", "timestamp"],
    "energy_daily": ["site_id", "date"],
    "battery_ledger": ["site_id", "date", "origin"],
    "solar_attribution_daily": ["site_id", "date", "policy", "vehicle_id"],
}


@dataclass
class Home:
    """A database of two sites, and what Dagster's sensor and job do on it."""

    database: Database
    instance: dg.DagsterInstance
    now: datetime = NOW

    @cached_property
    def defs(self) -> dg.Definitions:
        """The project's definitions on the database, at `now`."""
        return build_defs(settings(), database=self.database, clock=lambda: self.now)

    def look(self) -> list[dg.RunRequest] | str:
        """What the sensor asks for, or why for nothing."""
        resources = {"database": self.database, "clock": lambda: self.now}
        with dg.build_sensor_context(self.instance, resources=resources) as context:
            found = self.defs.resolve_sensor_def("changed_days_sensor")(context)
        if isinstance(found, dg.SkipReason):
            return str(found.skip_message)
        assert isinstance(found, list)
        return found

    def settle(self) -> list[tuple[str, str]]:
        """Do all that is asked for until nothing is; returns the first and last dates of runs."""
        done = []
        while not isinstance(requests := self.look(), str):
            for request in requests:
                assert self.run(request).success
                done.append(dates_of(request))
        assert requests == "Nothing has changed."
        return done

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do what is asked for."""
        job = self.defs.resolve_job_def("changed_days")
        return job.execute_in_process(
            instance=self.instance,
            run_config=logging_from("ERROR"),
            tags=request.tags,
            raise_on_error=False,
        )

    def add(self, samples: pl.DataFrame) -> None:
        """Store samples as a poll does."""
        with self.database.frames() as connection:
            add_states(connection, tables.energy_states, samples)

    def answer(self, site: Site, day: date) -> None:
        """Store Tesla's history of a local day as the download does."""
        for kind, body in answers(site, day).items():
            with self.database.rows() as connection:
                save_answer(connection, SITES[site.name], kind, day, body, NOW)

    def execute(self, statement: str) -> None:
        """Run SQL as a person would."""
        with self.database.rows() as connection:
            connection.execute(sa.text(statement))

    def read(self, query: str) -> pl.DataFrame:
        """The rows of a query."""
        with self.database.frames() as connection:
            return read_frame(connection, query)

    def computed(self) -> dict[str, pl.DataFrame]:
        """All that is computed by days, but for when and under which id it was written."""
        rows = {name: self.read(f"select * from {name}") for name in COMPUTED}  # noqa: S608
        return {
            name: rows[name].drop("created_at", "id", strict=False).sort(key)
            for name, key in COMPUTED.items()
        }

    def versions(self, table: str) -> dict[tuple[object, ...], str]:
        """Which write each row of a table is of, by its key."""
        key = COMPUTED[table]
        rows = self.read(f"select {', '.join(key)}, xmin::text as version from {table}")  # noqa: S608
        return {tuple(row[:-1]): row[-1] for row in rows.iter_rows()}


def dates_of(request: dg.RunRequest) -> tuple[str, str]:
    first, last = (f"dagster/asset_partition_range_{end}" for end in ("start", "end"))
    return request.tags[first], request.tags[last]


def windows_of(site: Site, start: date, end: date) -> pl.DataFrame:
    """The local days of a site, by its name."""
    zones = pl.DataFrame({"site_id": [site.name], "time_zone": [site.zone]})
    return day_windows(zones, start, end)


@cache
def samples() -> pl.DataFrame:
    """One sample a minute of both sites, local day by local day."""
    found = [
        samples_of_steps(site, steps_of(FLEET.site_days, site, windows_of(site, FIRST, AFTER)))
        for site in FLEET.sites
    ]
    return pl.concat(found).with_columns(
        pl.col("site_id").replace_strict(SITES), raw_data=pl.lit("{}"), is_stale=pl.lit(value=False)
    )


@cache
def answers(site: Site, day: date) -> dict[str, str]:
    """Tesla's history of a local day by kind, as JSON texts."""
    windows = windows_of(site, day, day + DAY)
    now_s = NOW.timestamp()
    asked = window(site, "day", windows["start"][0].isoformat(), None, site.zone, now_s)
    series = {
        "energy": energy_series(FLEET.site_days, site, asked, "day", now_s),
        "soe": soe_series(FLEET.site_days, site, asked, now_s),
    }
    return {
        kind: json.dumps({"period": "day", "time_series": rows}) for kind, rows in series.items()
    }


def register(database: Database) -> None:
    """Let the database know the two sites."""
    with database.rows() as connection:
        connection.execute(
            sa.insert(tables.energy_sites),
            [
                {
                    "id": SITES[site.name],
                    "tesla_site_id": site.energy_site_id,
                    "site_name": site.name,
                    "time_zone": site.zone,
                    "battery_count": site.battery.count,
                    "total_battery_capacity_kwh": site.battery.capacity_wh / 1000,
                }
                for site in FLEET.sites
            ],
        )


@contextmanager
def two_homes(database: Database) -> Iterator[Home]:
    """What is known of the two sites, with a Dagster that has run nothing."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(database, instance)
