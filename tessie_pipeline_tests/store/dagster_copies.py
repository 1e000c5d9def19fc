"""Many runs of Dagster made of one that really ran: its rows once more, at other times."""

from datetime import datetime, timedelta

import sqlalchemy as sa

_MODELS = (
    "create schema copies",
    """create table copies.run as
    select distinct on (pipeline_name) * from dagster.runs
    where status = 'SUCCESS' order by pipeline_name, id desc""",
    """create table copies.event as
    select e.*, row_number() over (partition by run_id order by e.id) as rank
    from dagster.event_logs e join copies.run using (run_id)""",
    """create table copies.run_tag as
    select t.* from dagster.run_tags t join copies.run using (run_id)""",
    """create table copies.event_tag as
    select t.*, e.run_id, e.rank from dagster.asset_event_tags t
    join copies.event e on e.id = t.event_id""",
    """create table copies.check as
    select c.*, e.rank from dagster.asset_check_executions c
    join copies.event e on e.id = c.evaluation_event_storage_id""",
)

# `first_id` leaves room for the events of all copies, in the order of the runs.
_MADE = """
    create temporary table made on commit drop as
    select m.run_id as model, n, m.create_timestamp as model_at,
        md5(:job || :first || n)::uuid::text as run_id,
        cast(:first as timestamp) + n * cast(:every as interval) as at,
        (cast(:first as timestamp) + n * cast(:every as interval))::date
            - m.create_timestamp::date as days,
        (select max(id) from dagster.event_logs)
            + n * (select count(*) from copies.event e where e.run_id = m.run_id) as first_id
    from copies.run m, generate_series(0, :times - 1) n
    where m.pipeline_name = :job
"""

_COPY = (
    """insert into dagster.runs (run_id, snapshot_id, pipeline_name, status, run_body, start_time,
        end_time, create_timestamp, update_timestamp)
    select m.run_id, snapshot_id, pipeline_name, status, replace(run_body, model, m.run_id),
        extract(epoch from at), extract(epoch from at) + 5, at, at + interval '5 s'
    from made m join copies.run r on r.run_id = model order by n""",
    """insert into dagster.run_tags (run_id, key, value)
    select m.run_id, key, case when key like 'dagster/asset_partition_range_%'
        then (value::date + days)::text else value end
    from made m join copies.run_tag t on t.run_id = model""",
    """insert into dagster.event_logs (id, run_id, event, dagster_event_type, timestamp, step_key,
        asset_key, partition)
    select first_id + rank, m.run_id, replace(event, model, m.run_id), dagster_event_type,
        at + (timestamp - model_at), step_key, asset_key, (partition::date + days)::text
    from made m join copies.event e on e.run_id = model order by 1""",
    """insert into dagster.asset_event_tags (event_id, asset_key, key, value, event_timestamp)
    select first_id + rank, asset_key, key, value, at + (event_timestamp - model_at)
    from made m join copies.event_tag t on t.run_id = model""",
    """insert into dagster.asset_check_executions (asset_key, check_name, partition, run_id,
        execution_status, evaluation_event, evaluation_event_timestamp,
        evaluation_event_storage_id)
    select asset_key, check_name, (partition::date + days)::text, m.run_id, execution_status,
        replace(evaluation_event, model, m.run_id), at + (evaluation_event_timestamp - model_at),
        first_id + rank
    from made m join copies.check c on c.run_id = model order by n, c.id""",
    "select setval('dagster.event_logs_id_seq', (select max(id) from dagster.event_logs))",
    # Dagster writes the newest materialization here, too.
    """update dagster.asset_keys k set last_run_id = (
        select e.run_id from dagster.event_logs e where e.asset_key = k.asset_key
        order by e.id desc limit 1
    )""",
)


def keep_models(connection: sa.Connection) -> None:
    """Keep the newest successful run of each job as what `copy_runs` copies."""
    for statement in _MODELS:
        connection.execute(sa.text(statement))


def copy_runs(
    connection: sa.Connection, job: str, first: datetime, every: timedelta, times: int
) -> None:
    """Write the rows of a job's model again, with other ids and times; partitions move by days.

    Args:
        connection: to a database in which `keep_models` has been.
        job: its name.
        first: when the first copy ran.
        every: how long after it the next one did.
        times: how many there are.
    """
    given = {"job": job, "first": f"{first:%Y-%m-%d %H:%M:%S}", "every": every, "times": times}
    connection.execute(sa.text(_MADE), given)
    for statement in _COPY:
        connection.execute(sa.text(statement))
    connection.execute(sa.text("drop table made"))
