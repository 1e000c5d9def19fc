"""The newest answer of each vehicle and site, so that nobody pays for the same twice.

Who asks holds the lock of the answer's row: of two processes that ask at once, the second waits and
finds what the first was given. Not here: what answers mean, and who may be asked.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.tables.api import (
    energy_data_cache,
    list_cache,
    vehicle_data_cache,
)

TIME_TO_LIVE = timedelta(seconds=120)
CLOCKS_DIFFER = timedelta(minutes=1)
"""An answer so little ahead came to another process; one further ahead is of a wrong clock."""

LOCK_PATIENCE_S, HOLDER_PATIENCE_S = 180, 600
"""How long a process waits for another that asks, and how long one that hangs is let ask."""


@dataclass(frozen=True)
class CachedAnswer:
    """An answer and when it came.

    Attributes:
        body: the answer; None if there has never been one.
        received_at: when it came (UTC); None if there has never been one.
        asked_at: when it was last asked for (UTC), also in vain; None if never.
    """

    body: object | None
    received_at: datetime | None
    asked_at: datetime | None = None

    def age(self, now: datetime) -> timedelta | None:
        """How old it is at `now`."""
        return None if self.received_at is None else now - self.received_at

    def is_stale(self, now: datetime, time_to_live: timedelta = TIME_TO_LIVE) -> bool:
        """Whether it is older than an answer may be that stands for the present."""
        return not _is_recent(self.received_at, now, time_to_live)

    def is_due(self, now: datetime, time_to_live: timedelta) -> bool:
        """Whether it is stale and was not asked for in vain a moment ago, which was billed too."""
        was_asked = _is_recent(self.asked_at, now, time_to_live)
        return self.is_stale(now, time_to_live) and not was_asked


def _is_recent(at: datetime | None, now: datetime, time_to_live: timedelta) -> bool:
    return at is not None and -CLOCKS_DIFFER <= now - at < time_to_live


@dataclass(frozen=True)
class AnswerCache:
    """The cached answers of the account; `text_of` gives an answer's JSON, None if it has none."""

    database: Database
    text_of: Callable[[object], str | None]

    def vehicle_data(
        self, vehicle_id: str, now: datetime, ask: Callable[[], object | None] | None
    ) -> CachedAnswer:
        """A vehicle's data: the stored answer if it is fresh, else what `ask` gives.

        Args:
            vehicle_id: vehicles.id.
            now: the present (UTC).
            ask: a paid call, None where the vehicle is not to be asked; that it gives None means
                that the vehicle cannot be reached. The stored answer stands then, however old.

        Raises:
            TimeoutError: another process has been asking for too long.
        """
        return self._through(vehicle_data_cache, {"vehicle_id": vehicle_id}, now, ask)

    def energy_data(
        self,
        site_id: str,
        kind: str,
        now: datetime,
        ask: Callable[[], object | None] | None,
        time_to_live: timedelta = TIME_TO_LIVE,
    ) -> CachedAnswer:
        """A site's `live_status` or `site_info`, as `vehicle_data`."""
        key = {"site_id": site_id, "kind": kind}
        return self._through(energy_data_cache, key, now, ask, time_to_live)

    def products(
        self, now: datetime, ask: Callable[[], object | None] | None, time_to_live: timedelta
    ) -> CachedAnswer:
        """The account's list of vehicles and sites, as `vehicle_data`."""
        return self._through(list_cache, {"endpoint": "/products"}, now, ask, time_to_live)

    def _turn(self) -> AbstractContextManager[sa.Connection]:
        busy = "Others have been asking for the same"
        return self.database.locking_rows(LOCK_PATIENCE_S, HOLDER_PATIENCE_S, busy)

    def _through(
        self,
        table: sa.Table,
        key: Mapping[str, str],
        now: datetime,
        ask: Callable[[], object | None] | None,
        time_to_live: timedelta = TIME_TO_LIVE,
    ) -> CachedAnswer:
        is_it = sa.and_(*(table.c[name] == value for name, value in key.items()))
        query = sa.select(
            sa.cast(table.c.answer, sa.Text), table.c.received_at, table.c.asked_at
        ).where(is_it)
        with self._turn() as connection:
            if ask is not None:
                connection.execute(pg.insert(table).values(**key).on_conflict_do_nothing())
                query = query.with_for_update()
            text, *times = connection.execute(query).one_or_none() or (None, None, None)
            stored = CachedAnswer(None if text is None else json.loads(text), *times)
            if ask is None or not stored.is_due(now, time_to_live):
                return stored
            body = ask()
            keep = sa.update(table).where(is_it).values(asked_at=now)
            if body is None:
                connection.execute(keep)
                return replace(stored, asked_at=now)
            text = self.text_of(body)
            if text is not None:
                answer = sa.cast(sa.literal(text, sa.Text), sa.JSON)
                connection.execute(keep.values(answer=answer, received_at=now))
            return CachedAnswer(body, now, now)
