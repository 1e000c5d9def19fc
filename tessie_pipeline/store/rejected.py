"""Payloads that could not be decoded: kept once each, with the reason, so that nothing is lost."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.tables import rejected_payloads


@dataclass(frozen=True)
class RejectedPayload:
    """What was asked, whose answer it is, why it was refused, and its text."""

    endpoint: str
    subject: str
    reason: str
    body: str = field(repr=False)


def keep_rejected(connection: sa.Connection, payloads: Iterable[RejectedPayload]) -> int:
    """Keep refused payloads; one that came before is counted again. Returns how many came."""
    came = 0
    for payload in payloads:
        insert = pg.insert(rejected_payloads).values(
            **vars(payload), body_digest=hashlib.sha256(payload.body.encode()).hexdigest()
        )
        seen_again = {
            "times_seen": rejected_payloads.c.times_seen + 1,
            "reason": insert.excluded.reason,
        }
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["endpoint", "subject", "body_digest"], set_=seen_again
            )
        )
        came += 1
    return came
