"""What is not to be asked for a while, which every process looks up before it asks.

An empty endpoint stands for all endpoints, 0 for all vehicles, sites and the account. Not here:
which answers lead to a hold.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.domain.calls import Hold
from tessie_pipeline.store.tables.api import api_holds


def put_hold(connection: sa.Connection, hold: Hold) -> None:
    """Keep `hold`, unless one that lasts longer stands for the same endpoint and subject."""
    insert = pg.insert(api_holds).values(asdict(hold))
    new, old = insert.excluded, api_holds.c
    lasts_as_long = sa.or_(
        new.held_until.is_(None),
        sa.and_(old.held_until.is_not(None), new.held_until >= old.held_until),
    )
    changed = {name: new[name] for name in ("held_until", "code", "reason", "created_at")}
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["endpoint", "tesla_id"], set_=changed, where=lasts_as_long
        )
    )


def holds_against(
    connection: sa.Connection, endpoint: str, tesla_id: int, now: datetime
) -> Hold | None:
    """The hold that stands longest against asking; None if none does.

    Args:
        connection: the transaction.
        endpoint: method and path, with {id} for the vehicle or site.
        tesla_id: Tesla's id of the vehicle or site; 0 for the account.
        now: the present; what has ended by then does not count.
    """
    query = _standing(now).where(
        api_holds.c.endpoint.in_(["", endpoint]), api_holds.c.tesla_id.in_([0, tesla_id])
    )
    row = connection.execute(query.limit(1)).first()
    return None if row is None else Hold(*row)


def standing_holds(connection: sa.Connection, now: datetime) -> list[Hold]:
    """All holds that have not ended by `now`, the longest first."""
    return [Hold(*row) for row in connection.execute(_standing(now))]


def lift_holds(
    connection: sa.Connection,
    *,
    codes: Collection[str] | None = None,
    endpoint: str | None = None,
    tesla_id: int | None = None,
) -> int:
    """Remove the holds of these codes, this endpoint and this subject; returns how many.

    None is any; '' and 0 are here the holds on all. Without arguments all holds are removed.
    """
    remove = sa.delete(api_holds)
    if codes is not None:
        remove = remove.where(api_holds.c.code.in_(codes))
    if endpoint is not None:
        remove = remove.where(api_holds.c.endpoint == endpoint)
    if tesla_id is not None:
        remove = remove.where(api_holds.c.tesla_id == tesla_id)
    return connection.execute(remove).rowcount


def _standing(now: datetime) -> sa.Select[str, int, datetime | None, str, str]:
    c = api_holds.c
    return (
        sa.select(c.endpoint, c.tesla_id, c.held_until, c.code, c.reason)
        .where(sa.or_(c.held_until.is_(None), c.held_until > now))
        .order_by(c.held_until.desc().nulls_first(), c.endpoint, c.tesla_id)
    )
