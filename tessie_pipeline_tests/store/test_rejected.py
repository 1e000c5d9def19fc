"""Payloads that could not be decoded: each is kept once, with how often it came."""

from typing import Any

import sqlalchemy as sa

from tessie_pipeline.store.database import Database
from tessie_pipeline.store.rejected import RejectedPayload, keep_rejected
from tessie_pipeline.store.tables import rejected_payloads

BODY = '{"vin": "5YJ", "name": "Ad\\u00e4 🚗", "percent": "50 % :x %(y)s"}'
PAYLOAD = RejectedPayload("vehicle_data", "1234", "speed is 'fast', expected a number", BODY)


def keep(database: Database, *payloads: RejectedPayload) -> int:
    with database.rows() as connection:
        return keep_rejected(connection, payloads)


def kept(database: Database) -> list[dict[str, Any]]:
    query = sa.select(rejected_payloads).order_by(
        rejected_payloads.c.endpoint, rejected_payloads.c.subject, rejected_payloads.c.body
    )
    with database.rows() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def test_a_payload_is_kept_as_it_came_with_its_reason(database: Database) -> None:
    assert keep(database, PAYLOAD) == 1
    (row,) = kept(database)
    assert RejectedPayload(*(row[name] for name in vars(PAYLOAD))) == PAYLOAD
    assert row["times_seen"] == 1


def test_the_same_payload_is_counted_and_not_kept_twice(database: Database) -> None:
    keep(database, PAYLOAD)
    (first,) = kept(database)
    assert keep(database, PAYLOAD, PAYLOAD) == 2
    assert kept(database) == [first | {"times_seen": 3}]


def test_the_newest_reason_counts(database: Database) -> None:
    keep(database, PAYLOAD)
    (first,) = kept(database)
    better = RejectedPayload(PAYLOAD.endpoint, PAYLOAD.subject, "a better reason", BODY)
    keep(database, better)
    assert kept(database) == [first | {"times_seen": 2, "reason": "a better reason"}]


def test_another_endpoint_subject_or_body_is_another_payload(database: Database) -> None:
    others = [
        RejectedPayload("live_status", "1234", "reason", BODY),
        RejectedPayload("vehicle_data", "1234", "reason", BODY + " "),
        RejectedPayload("vehicle_data", "1235", "reason", BODY),
    ]
    assert keep(database, PAYLOAD, *others) == 4
    assert keep(database, *others, PAYLOAD) == 4
    assert [
        (row["endpoint"], row["subject"], row["body"], row["times_seen"]) for row in kept(database)
    ] == [
        ("live_status", "1234", BODY, 2),
        ("vehicle_data", "1234", BODY, 2),
        ("vehicle_data", "1234", BODY + " ", 2),
        ("vehicle_data", "1235", BODY, 2),
    ]


def test_no_body_is_a_body_too_and_a_large_one_is_kept_whole(database: Database) -> None:
    large = RejectedPayload("vehicle_data", "large", "reason", "0123456789ü" * 100_000)
    nothing = RejectedPayload("vehicle_data", "", "reason", "")
    assert keep(database, large, nothing, nothing) == 3
    assert [row["body"] for row in kept(database)] == ["", large.body]
    assert keep(database) == 0


def test_a_body_does_not_show_in_a_repr() -> None:
    assert "5YJ" not in repr(PAYLOAD)
    assert "speed is" in repr(PAYLOAD)
