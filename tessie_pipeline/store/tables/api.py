"""The tables about calls to Tesla, with the conventions of `tables`.

What was asked and what it cost, what stands against asking, what was answered a moment ago, and how
polling goes. Not here: the data that came of it.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from tessie_pipeline.store.tables.columns import (
    asked_at,
    column,
    created_at,
    identity,
    metadata,
    number,
    site_id,
    text,
    time,
    vehicle_id,
    whole,
)

api_calls = sa.Table(
    "api_calls",
    metadata,
    column("id", sa.BigInteger, "Identity of the call.", sa.Identity(), primary_key=True),
    time("requested_at", "When the request was sent (UTC).", nullable=False),
    text("endpoint", "Method and path, with {id} for the vehicle or site.", nullable=False),
    column("tesla_id", sa.BigInteger, "Tesla's id of the vehicle or site; null for the account."),
    whole("status", "HTTP status; null when no answer came."),
    column("duration_ms", sa.Integer, "From the request to the whole answer, ms.", nullable=False),
    text("category", "How Tesla bills it: free, data, wake or command.", nullable=False),
    number("cost_usd", "What it cost, US dollars; answers of 500 and more are free.",
           nullable=False),
    text("txid", "Tesla's x-txid, which its support asks for."),
    text("error", "What went wrong, in a sentence without secrets; null if nothing did."),
    sa.Index(None, "requested_at"),
    comment="Every request to Tesla, also the failed ones, as it was billed.",
)  # fmt: skip

api_holds = sa.Table(
    "api_holds",
    metadata,
    text("endpoint", "The endpoint that is not called; empty for all.", primary_key=True),
    column("tesla_id", sa.BigInteger, "The vehicle or site that is not asked; 0 for all.",
           primary_key=True, autoincrement=False),
    time("held_until", "Until when (UTC); null until the next login."),
    text("code", "Why, in a word: rate_limit, login_required, billing_limit, missing_scope …",
         nullable=False),
    text("reason", "Why, in a sentence that says what mends it.", nullable=False),
    created_at(),
    comment="What Tesla has asked us not to call for a while; every process asks here first.",
)  # fmt: skip

vehicle_data_cache = sa.Table(
    "vehicle_data_cache",
    metadata,
    vehicle_id(primary_key=True),
    column("answer", sa.JSON, "The newest vehicle_data as received; null before the first."),
    asked_at(),
    time("received_at", "When it came (UTC)."),
    comment="The newest answer of each vehicle, so that nobody pays for the same twice.",
)

energy_data_cache = sa.Table(
    "energy_data_cache",
    metadata,
    site_id(primary_key=True),
    text("kind", "live_status or site_info.", primary_key=True),
    column("answer", sa.JSON, "The newest answer as received; null before the first."),
    asked_at(),
    time("received_at", "When it came (UTC)."),
    comment="The newest answers of each energy site, so that nobody pays for the same twice.",
)

list_cache = sa.Table(
    "list_cache",
    metadata,
    text("endpoint", "The list's endpoint.", primary_key=True),
    column("answer", sa.JSON, "The newest answer, without tokens; null before the first."),
    asked_at(),
    time("received_at", "When it came (UTC)."),
    comment="The newest list of the account's vehicles and sites, for all that a poll does.",
)

polling_status = sa.Table(
    "polling_status",
    metadata,
    column("subject_id", sa.Uuid, "vehicles.id or energy_sites.id.", primary_key=True,
           autoincrement=False),
    text("kind", "vehicle or energy_site.", nullable=False),
    text("decision", "What the last poll decided: vehicle_data, live_status or wait.",
         nullable=False),
    text("reason", "Why, in a few words.", nullable=False),
    time("decided_at", "When it decided (UTC).", nullable=False),
    time("next_look_at", "When the subject may be asked for its data again (UTC)."),
    time("last_attempt_at", "When it was last asked for its data (UTC)."),
    time("last_success_at", "When data last came (UTC)."),
    text("last_error", "What the last failed attempt said; null after a success."),
    column("failures_in_a_row", sa.Integer, "Failed attempts since the last success.",
           nullable=False, server_default="0"),
    column("unanswered_in_a_row", sa.Integer, "Attempts since data last came that told something.",
           nullable=False, server_default="0"),
    time("idle_since", "Since when a vehicle's answers say that it is idle (UTC); null if busy."),
    comment="How polling of each vehicle and site goes.",
)  # fmt: skip

vehicle_availability = sa.Table(
    "vehicle_availability",
    metadata,
    vehicle_id(primary_key=True),
    time("started_at", "The first poll that saw the vehicle in this state (UTC).",
         primary_key=True),
    text("state", "online, asleep or offline, as /products says.", nullable=False),
    time("last_seen_at", "The last poll that saw it so (UTC); it changed after that.",
         nullable=False),
    time("ended_at", "The first poll that saw another state, or the last one before a gap "
         "(UTC); null while it lasts."),
    sa.Index(None, "vehicle_id", unique=True, postgresql_where=sa.text("ended_at is null")),
    comment="When each vehicle was online, asleep or offline: a row per stretch, not per poll.",
)  # fmt: skip

alerts = sa.Table(
    "alerts",
    metadata,
    identity("alert"),
    text("severity", "warning or critical.", nullable=False),
    text("category", "account, budget or data.", nullable=False),
    text("code", "What it is, such as login_required, budget or stale_source.", nullable=False),
    text("subject", "Whom it is about: a vehicle's or site's id; empty for the account.",
         nullable=False, server_default=""),
    text("message", "What happened and what to do, in a sentence.", nullable=False),
    column("context", pg.JSONB, "Figures that explain it; never a secret.", nullable=False,
           server_default="{}"),
    text("status", "active, acknowledged or resolved.", nullable=False, server_default="active"),
    time("opened_at", "When the cause was first seen (UTC).", nullable=False),
    time("last_seen_at", "When the cause was last seen (UTC).", nullable=False),
    time("acknowledged_at", "When a person took note (UTC)."),
    time("resolved_at", "When the cause was gone (UTC)."),
    time("posted_at", "When the webhook took it (UTC); null before."),
    sa.CheckConstraint("status in ('active', 'acknowledged', 'resolved')", name="status"),
    sa.Index(None, "code", "subject", unique=True,
             postgresql_where=sa.text("status <> 'resolved'")),
    comment="What a person should know of; one open alert per cause.",
)  # fmt: skip
