"""How long time series are kept, and what still needs their samples.

Not here: which partitions are old (`domain/retention.py`), making hours and days of them
(`store/retention/retiring.py`).
"""

# ruff: noqa: S608 - what is put into the queries are names of tables and dates

from collections.abc import Sequence
from datetime import date

import adbc_driver_postgresql.dbapi as adbc
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.retention import Policy
from tessie_pipeline.domain.rollups import ENERGY_SERIES, VEHICLE_SERIES, Series
from tessie_pipeline.settings import Settings
from tessie_pipeline.store.frames import execute, read_frame
from tessie_pipeline.store.tables.rollups import retention_policies

WAITS = pl.Schema({"day": pl.Date(), "reason": pl.String()})
"""One row per day (UTC) whose samples have to stay, and reason."""

_NAMED = {
    VEHICLE_SERIES.name: "select id, coalesce(display_name, vin) as name from vehicles "
    "where removed_at is null",
    ENERGY_SERIES.name: "select id, coalesce(site_name, tesla_site_id::text) as name "
    "from energy_sites where removed_at is null",
}
_HAS_NEWEST = """
    select day, 'it has the newest sample of ' || name
    from ({named}) as subject
    cross join lateral (
        select timestamp from {series} where {subject} = subject.id order by timestamp desc limit 1
    ) as newest
    join days on day = newest.timestamp::date
"""
_GOES_ON = """
    select day, '{what} of ' || name || ' goes on since ' || since::date
    from {table} as lasting
    join ({named}) as subject on subject.id = lasting.vehicle_id
    cross join lateral (select coalesce(started_after, started_by) as since) as begun
    join days on day >= since::date
    where ended_by is null
"""
_TO_DERIVE = """
    select day, 'samples of ' || name || ' are new to {readers}'
    from sample_changes
    join ({named}) as subject on subject.id = vehicle_id
    join days on day between changed_from::date - 1 and changed_to::date + 1
    where reader in ({quoted})
"""
_TO_COMPUTE = """
    select day, 'energy of ' || name || ' is to be computed anew for ' || date
    from dirty_days
    join ({named}) as subject on subject.id = site_id
    join days on day between date - 1 and date + 1
    where reader = 'energy_intervals'
"""
_HAS_NO_CLOCK = """
    select day, 'the time zone of ' || name || ' is not known'
    from ({named}) as subject
    join energy_sites using (id)
    cross join days
    where time_zone is null and exists (
        select from energy_states
        where site_id = id and timestamp >= day and timestamp < day + 1
    )
"""


def policies_of(settings: Settings) -> list[Policy]:
    """How long the settings let each time series be kept in which detail."""
    return [
        Policy(
            VEHICLE_SERIES,
            settings.vehicle_hourly_after,
            settings.vehicle_daily_after,
            settings.archives_vehicles,
        ),
        Policy(
            ENERGY_SERIES,
            settings.energy_hourly_after,
            settings.energy_daily_after,
            settings.archives_energy,
        ),
    ]


def save_policies(connection: sa.Connection, policies: Sequence[Policy]) -> None:
    """Let `retention_policies` say what the settings say."""
    for policy in policies:
        ages = {"hourly_after": policy.hourly_after, "daily_after": policy.daily_after}
        values = {
            "series": policy.series.name,
            "is_archived": policy.is_archived,
            **{name: sa.cast(age and str(age), pg.INTERVAL) for name, age in ages.items()},
        }
        insert = pg.insert(retention_policies).values(values)
        given = {name: insert.excluded[name] for name in values if name != "series"}
        connection.execute(insert.on_conflict_do_update(index_elements=["series"], set_=given))


def read_waits(connection: adbc.Connection, series: Series, days: Sequence[date]) -> pl.DataFrame:
    """Which of the days (UTC) have to stay with all their samples, as `WAITS`.

    The newest sample of a subject stays, since the next one is compared with it, and so does all
    that charges, drives and days are still to be derived from.
    """
    if not days:
        return WAITS.to_frame()
    of_vehicles, named = _NAMED[VEHICLE_SERIES.name], _NAMED[series.name]
    reasons = [
        _HAS_NEWEST.format(named=named, series=series.name, subject=series.subject),
        _GOES_ON.format(what="a charge", table="charging_sessions", named=of_vehicles),
    ]
    if series is VEHICLE_SERIES:
        reasons.append(_GOES_ON.format(what="a drive", table="drives", named=named))
        reasons.append(_to_derive("charging_sessions", "drives"))
    else:
        reasons.append(_to_derive("charging_sessions"))
        reasons.append(_TO_COMPUTE.format(named=named))
        reasons.append(_HAS_NO_CLOCK.format(named=named))
    given = ",".join(day.isoformat() for day in days)
    query = (
        f"with days as (select unnest('{{{given}}}'::date[]) as day) "
        f"select distinct day, reason from ({' union all '.join(reasons)}) as waits (day, reason)"
    )
    execute(connection, "set local timezone = 'UTC'")  # by which times become days
    return read_frame(connection, query, WAITS).sort("day", "reason")


def _to_derive(*readers: str) -> str:
    return _TO_DERIVE.format(
        named=_NAMED[VEHICLE_SERIES.name],
        readers=" and ".join(readers).replace("_", " "),
        quoted=", ".join(f"'{reader}'" for reader in readers),
    )
