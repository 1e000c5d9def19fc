"""The facts that alerts follow from, as the tables tell them. Not here: what they mean."""

from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from tessie_pipeline.domain.alerts import Facts, KeptBackup, Pause, Source, Spend
from tessie_pipeline.domain.calls import Category
from tessie_pipeline.store.backup.files import backups_in
from tessie_pipeline.store.partitions import rows_in_default_partitions
from tessie_pipeline.store.tables import (
    energy_sites,
    energy_states,
    user_config,
    vehicle_states,
    vehicles,
)
from tessie_pipeline.store.tables.api import (
    api_calls,
    api_holds,
    polling_status,
    vehicle_availability,
)

LINGERING = timedelta(days=1)
"""A hold that has ended counts for so long, unless an answer has come since."""

MONEY = ("billing_limit", "payment_needed")
"""Holds that only an answer ends which is paid for: the list may come without money, too."""


def read_facts(
    connection: sa.Connection,
    now: datetime,
    spend: Spend,
    poll_interval: timedelta,
    backups: Path,
) -> Facts:
    """The facts at `now`.

    Args:
        connection: the transaction.
        now: the time.
        spend: what calls have cost.
        poll_interval: the longest time between two polls.
        backups: the directory of the backups.
    """
    return Facts(
        spend=spend,
        token_received_at=connection.scalar(
            sa.select(user_config.c.refresh_token_received_at).where(
                user_config.c.tesla_refresh_token_encrypted.is_not(None)
            )
        ),
        pauses=_pauses(connection, now),
        sources=[*_vehicles(connection), *_sites(connection)],
        poll_interval=poll_interval,
        backups=_backups(backups),
        rows_astray=rows_in_default_partitions(connection),
    )


def _backups(directory: Path) -> list[KeptBackup]:
    """The newest good backup and those made since; the others' manifests need not be read."""
    found: list[KeptBackup] = []
    for backup in reversed(backups_in(directory)):
        found.insert(0, KeptBackup(backup.name, backup.made_at, backup.state() == "good"))
        if found[0].is_good:
            break
    return found


def _pauses(connection: sa.Connection, now: datetime) -> list[Pause]:
    """The holds that stand, and those that have ended lately without an answer since."""
    hold, call = api_holds.c, api_calls.c
    has_answered = sa.exists().where(
        call.requested_at >= hold.held_until,
        call.status == 200,
        call.endpoint.contains("/api/1/"),
        sa.or_(call.category != Category.FREE, hold.code.not_in(MONEY)),
        sa.or_(hold.endpoint == "", hold.endpoint == call.endpoint),
        sa.or_(hold.tesla_id == 0, hold.tesla_id == call.tesla_id),
    )
    subjects = sa.union_all(
        sa.select(
            vehicles.c.tesla_id,
            vehicles.c.id,
            sa.func.coalesce(vehicles.c.display_name, vehicles.c.vin).label("name"),
        ),
        sa.select(energy_sites.c.tesla_site_id, energy_sites.c.id, _SITE_NAME),
    ).subquery()
    query = (
        sa.select(
            subjects.c.id,
            subjects.c.name,
            sa.case((hold.tesla_id == 0, ""), else_=sa.cast(hold.tesla_id, sa.Text)),
            *(hold.endpoint, hold.held_until, hold.code, hold.reason),
        )
        .select_from(api_holds.outerjoin(subjects, subjects.c.tesla_id == hold.tesla_id))
        .where(
            sa.or_(
                hold.held_until.is_(None),
                hold.held_until > now,
                sa.and_(hold.held_until > now - LINGERING, ~has_answered),
            )
        )
        .order_by(hold.endpoint, hold.tesla_id)
    )
    return [
        Pause(own.hex if own else shown, name or shown, *facts)
        for own, name, shown, *facts in connection.execute(query)
    ]


_SITE_NAME = sa.func.coalesce(
    energy_sites.c.site_name, sa.cast(energy_sites.c.tesla_site_id, sa.Text)
).label("name")


def _vehicles(connection: sa.Connection) -> list[Source]:
    """The vehicles that a poll has seen; one that is not online is excused while it is not."""
    stretch, newest = vehicle_availability.c, _newest(vehicle_states, vehicles)
    not_online_until = sa.case(
        (stretch.state == "online", stretch.started_at), else_=stretch.last_seen_at
    )
    query = (
        sa.select(
            vehicles.c.id,
            sa.func.coalesce(vehicles.c.display_name, vehicles.c.vin),
            sa.literal("vehicle_data"),
            newest.c.timestamp,
            vehicles.c.created_at,
            sa.func.greatest(not_online_until, polling_status.c.next_look_at),
            *_FAILURES,
        )
        .select_from(
            vehicles.join(
                vehicle_availability,
                sa.and_(stretch.vehicle_id == vehicles.c.id, stretch.ended_at.is_(None)),
            )
            .outerjoin(newest, sa.true())
            .outerjoin(polling_status, polling_status.c.subject_id == vehicles.c.id)
        )
        .where(vehicles.c.removed_at.is_(None))
        .order_by(vehicles.c.created_at, vehicles.c.id)
    )
    return [Source(own.hex, *facts) for own, *facts in connection.execute(query)]


def _sites(connection: sa.Connection) -> list[Source]:
    """The sites of the account, which never sleep."""
    newest = _newest(energy_states, energy_sites)
    query = (
        sa.select(
            energy_sites.c.id,
            _SITE_NAME,
            sa.literal("live_status"),
            newest.c.timestamp,
            energy_sites.c.created_at,
            polling_status.c.next_look_at,
            *_FAILURES,
        )
        .select_from(
            energy_sites.outerjoin(newest, sa.true()).outerjoin(
                polling_status, polling_status.c.subject_id == energy_sites.c.id
            )
        )
        .where(energy_sites.c.removed_at.is_(None), energy_sites.c.tesla_site_id.is_not(None))
        .order_by(energy_sites.c.created_at, energy_sites.c.id)
    )
    return [Source(own.hex, *facts) for own, *facts in connection.execute(query)]


_FAILURES = (
    sa.func.coalesce(polling_status.c.failures_in_a_row, 0),
    polling_status.c.last_error,
)


def _newest(states: sa.Table, subjects: sa.Table) -> sa.FromClause:
    """The time of the newest sample of each subject."""
    subject = next(iter(states.primary_key))
    return (
        sa.select(states.c.timestamp)
        .where(subject == subjects.c.id)
        .order_by(states.c.timestamp.desc())
        .limit(1)
        .lateral("newest")
    )
