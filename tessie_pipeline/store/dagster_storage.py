"""Where Dagster keeps its own rows: a schema of the same database, so that one backup holds all.

Also what deletes old rows in bulk, which Dagster only does run by run, and then with all that is
known of assets. What is the newest of its kind stays, and with it the run that it is of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tessie_pipeline.store.database import Database

SCHEMA = "dagster"
"""Made by `migrations.upgrade`; Dagster makes its tables in it."""

RUNS_AT_ONCE = 500
"""What is deleted in one transaction: some 20,000 rows."""

RUNLESS = ""
"""Dagster's id of the run of events that are of none, such as that an asset is stale."""


@dataclass(frozen=True)
class OldRun:
    """A finished run: `number` counts runs as they were made, `run_id` is what Dagster calls it."""

    number: int
    run_id: str


@dataclass(frozen=True)
class Deleted:
    """How many rows were deleted."""

    runs: int
    events: int
    checks: int


def dagster_url(database: Database) -> str:
    """The URL, with its password, that dagster.yaml takes.

    The driver is named: dagster-postgres 0.29 does not know psycopg 3, SQLAlchemy 2.1's default.
    """
    url = sa.make_url(database.url("psycopg2"))
    options = {"options": f"-c search_path={SCHEMA}"}
    return url.update_query_dict(options).render_as_string(hide_password=False)


_OLD_RUNS = sa.text("""
    select id, run_id from dagster.runs
    where id > :after
        and (status = 'SUCCESS' and update_timestamp < :succeeded_before
            or status in ('FAILURE', 'CANCELED') and update_timestamp < :others_before)
    order by id limit :at_most
""")


def old_runs(
    connection: sa.Connection, succeeded_before: datetime, others_before: datetime, after: int
) -> list[OldRun]:
    """At most `RUNS_AT_ONCE` runs that finished before a time, the oldest first.

    Args:
        connection: to the database.
        succeeded_before: for runs that succeeded.
        others_before: for runs that failed or were cancelled.
        after: only runs with a greater number.
    """
    given = {
        "succeeded_before": succeeded_before,
        "others_before": others_before,
        "after": after,
        "at_most": RUNS_AT_ONCE,
    }
    return [OldRun(*row) for row in connection.execute(_OLD_RUNS, given)]


# A check's newest row may be of a run that never came to it, so its newest answer stays, too. Of a
# check of many dates there is a planned row for each date that no answer ever replaces.
_DELETE_CHECKS = sa.text("""
    delete from dagster.asset_check_executions
    where run_id = any(:runs)
        and evaluation_event_timestamp < :before
        and id not in (
            select max(id) from dagster.asset_check_executions group by asset_key, check_name
            union all
            select max(id) from dagster.asset_check_executions
            where execution_status <> 'PLANNED' group by asset_key, check_name, partition
        )
""")

# Two conditions on the partition, each of which has an index.
_DELETE_EVENTS = sa.text("""
    with deleted as (
        delete from dagster.event_logs e
        where e.run_id = any(:runs)
            and e.timestamp < :before
            and case when e.asset_key is null
                then e.id not in (
                    select c.evaluation_event_storage_id from dagster.asset_check_executions c
                    where c.run_id = any(:runs) and c.evaluation_event_storage_id is not null
                )
                else (e.partition is null and exists (
                    select from dagster.event_logs n
                    where n.asset_key = e.asset_key and n.dagster_event_type = e.dagster_event_type
                        and n.partition is null and n.id > e.id
                )) or exists (
                    select from dagster.event_logs n
                    where n.asset_key = e.asset_key and n.dagster_event_type = e.dagster_event_type
                        and n.partition = e.partition and n.id > e.id
                )
            end
        returning e.id
    ), untagged as (
        delete from dagster.asset_event_tags t using deleted where t.event_id = deleted.id
    )
    select count(*) from deleted
""")

_DELETE_RUNS = sa.text("""
    delete from dagster.runs r
    where r.run_id = any(:runs)
        and not exists (select from dagster.event_logs e where e.run_id = r.run_id)
""")


def delete_run_rows(connection: sa.Connection, run_ids: Sequence[str], before: datetime) -> Deleted:
    """Delete what finished runs, or `RUNLESS`, left; returns how many rows.

    Of each asset and partition the newest event of every kind stays, of each check the newest
    answer and attempt; so do the runs of which something stays, and events since `before`.
    """
    given = {"runs": list(run_ids), "before": before}
    checks = connection.execute(_DELETE_CHECKS, given).rowcount
    events = connection.scalar(_DELETE_EVENTS, given) or 0
    runs = connection.execute(_DELETE_RUNS, given).rowcount
    return Deleted(runs, events, checks)


def delete_ticks(connection: sa.Connection, before: datetime) -> int:
    """Delete ticks before a time; returns how many there were."""
    query = sa.text("delete from dagster.job_ticks where timestamp < :before")
    return connection.execute(query, {"before": before}).rowcount


_SHRINKING = (
    "asset_check_executions",
    "asset_event_tags",
    "event_logs",
    "job_ticks",
    "run_tags",
    "runs",
)


def free_deleted(database: Database) -> None:
    """Give the space of deleted rows to new ones, without waiting until a fifth is deleted.

    Raises:
        TimeoutError: others held a lock for so long that indexes stay as large as they are.
    """
    tables = [f"{SCHEMA}.{table}" for table in _SHRINKING]
    engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"vacuum (analyze) {', '.join(tables)}"))
    for table in tables:
        # One newest event among hundreds keeps a page of an index from becoming free.
        with database.locking_rows(5, 60, "Dagster's rows were locked") as connection:
            connection.execute(sa.text(f"reindex table {table}"))


_BYTES = sa.text("""
    select coalesce(sum(pg_total_relation_size(oid)), 0)::bigint from pg_class
    where relnamespace = cast(:schema as regnamespace) and relkind = 'r'
""")


def dagster_bytes(connection: sa.Connection) -> int:
    """What Dagster's tables take on disk, with their indexes [bytes]."""
    return int(connection.scalar(_BYTES, {"schema": SCHEMA}) or 0)
