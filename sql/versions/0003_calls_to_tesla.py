"""Calls to Tesla, and how polling goes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Identity of the alert.",
        ),
        sa.Column("severity", sa.Text(), nullable=False, comment="warning or critical."),
        sa.Column("category", sa.Text(), nullable=False, comment="account, budget or data."),
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="What it is, such as login_required, budget or stale_source.",
        ),
        sa.Column(
            "subject",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="Whom it is about: a vehicle's or site's id; empty for the account.",
        ),
        sa.Column(
            "message",
            sa.Text(),
            nullable=False,
            comment="What happened and what to do, in a sentence.",
        ),
        sa.Column(
            "context",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Figures that explain it; never a secret.",
        ),
        sa.Column(
            "status",
            sa.Text(),
            server_default="active",
            nullable=False,
            comment="active, acknowledged or resolved.",
        ),
        sa.Column(
            "opened_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the cause was first seen (UTC).",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the cause was last seen (UTC).",
        ),
        sa.Column(
            "acknowledged_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When a person took note (UTC).",
        ),
        sa.Column(
            "resolved_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the cause was gone (UTC).",
        ),
        sa.Column(
            "posted_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the webhook took it (UTC); null before.",
        ),
        sa.CheckConstraint(
            "status in ('active', 'acknowledged', 'resolved')", name=op.f("alerts_status_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("alerts_pkey")),
        comment="What a person should know of; one open alert per cause.",
    )
    op.create_index(
        op.f("alerts_code_subject_idx"),
        "alerts",
        ["code", "subject"],
        unique=True,
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.create_table(
        "api_calls",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="Identity of the call.",
        ),
        sa.Column(
            "requested_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When the request was sent (UTC).",
        ),
        sa.Column(
            "endpoint",
            sa.Text(),
            nullable=False,
            comment="Method and path, with {id} for the vehicle or site.",
        ),
        sa.Column(
            "tesla_id",
            sa.BigInteger(),
            nullable=True,
            comment="Tesla's id of the vehicle or site; null for the account.",
        ),
        sa.Column(
            "status",
            sa.SmallInteger(),
            nullable=True,
            comment="HTTP status; null when no answer came.",
        ),
        sa.Column(
            "duration_ms",
            sa.Integer(),
            nullable=False,
            comment="From the request to the whole answer, ms.",
        ),
        sa.Column(
            "category",
            sa.Text(),
            nullable=False,
            comment="How Tesla bills it: free, data, wake or command.",
        ),
        sa.Column(
            "cost_usd",
            sa.Double(),
            nullable=False,
            comment="What it cost, US dollars; answers of 500 and more are free.",
        ),
        sa.Column(
            "txid", sa.Text(), nullable=True, comment="Tesla's x-txid, which its support asks for."
        ),
        sa.Column(
            "error",
            sa.Text(),
            nullable=True,
            comment="What went wrong, in a sentence without secrets; null if nothing did.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("api_calls_pkey")),
        comment="Every request to Tesla, also the failed ones, as it was billed.",
    )
    op.create_index(op.f("api_calls_requested_at_idx"), "api_calls", ["requested_at"], unique=False)
    op.create_table(
        "api_holds",
        sa.Column(
            "endpoint",
            sa.Text(),
            nullable=False,
            comment="The endpoint that is not called; empty for all.",
        ),
        sa.Column(
            "tesla_id",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="The vehicle or site that is not asked; 0 for all.",
        ),
        sa.Column(
            "held_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Until when (UTC); null until the next login.",
        ),
        sa.Column(
            "code",
            sa.Text(),
            nullable=False,
            comment="Why, in a word: rate_limit, login_required, billing_limit, missing_scope …",
        ),
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            comment="Why, in a sentence that says what mends it.",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When this row was written (UTC).",
        ),
        sa.PrimaryKeyConstraint("endpoint", "tesla_id", name=op.f("api_holds_pkey")),
        comment="What Tesla has asked us not to call for a while; every process asks here first.",
    )
    op.create_table(
        "energy_data_cache",
        sa.Column(
            "site_id", sa.Uuid(), nullable=False, comment="The energy site: energy_sites.id."
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="live_status or site_info."),
        sa.Column(
            "answer",
            sa.JSON(),
            nullable=True,
            comment="The newest answer as received; null before the first.",
        ),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), nullable=True, comment="When it came (UTC)."
        ),
        sa.PrimaryKeyConstraint("site_id", "kind", name=op.f("energy_data_cache_pkey")),
        comment="The newest answers of each energy site, so that nobody pays for the same twice.",
    )
    op.create_table(
        "polling_status",
        sa.Column(
            "subject_id",
            sa.Uuid(),
            autoincrement=False,
            nullable=False,
            comment="vehicles.id or energy_sites.id.",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="vehicle or energy_site."),
        sa.Column(
            "decision",
            sa.Text(),
            nullable=False,
            comment="What the last poll decided: vehicle_data, live_status or wait.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in a few words."),
        sa.Column(
            "decided_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="When it decided (UTC).",
        ),
        sa.Column(
            "next_look_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the subject may be asked for its data again (UTC).",
        ),
        sa.Column(
            "last_attempt_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When it was last asked for its data (UTC).",
        ),
        sa.Column(
            "last_success_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When data last came (UTC).",
        ),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="What the last failed attempt said; null after a success.",
        ),
        sa.Column(
            "failures_in_a_row",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Failed attempts since the last success.",
        ),
        sa.Column(
            "unanswered_in_a_row",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Attempts since data last came that told something.",
        ),
        sa.Column(
            "idle_since",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Since when a vehicle's answers say that it is idle (UTC); null if busy.",
        ),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("polling_status_pkey")),
        comment="How polling of each vehicle and site goes.",
    )
    op.create_table(
        "vehicle_availability",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The first poll that saw the vehicle in this state (UTC).",
        ),
        sa.Column(
            "state",
            sa.Text(),
            nullable=False,
            comment="online, asleep or offline, as /products says.",
        ),
        sa.Column(
            "last_seen_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="The last poll that saw it so (UTC); it changed after that.",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The first poll that saw another state, or the last one before a gap (UTC); null "
            "while it lasts.",
        ),
        sa.PrimaryKeyConstraint("vehicle_id", "started_at", name=op.f("vehicle_availability_pkey")),
        comment="When each vehicle was online, asleep or offline: a row per stretch, not per poll.",
    )
    op.create_index(
        op.f("vehicle_availability_vehicle_id_idx"),
        "vehicle_availability",
        ["vehicle_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "vehicle_data_cache",
        sa.Column("vehicle_id", sa.Uuid(), nullable=False, comment="The vehicle: vehicles.id."),
        sa.Column(
            "answer",
            sa.JSON(),
            nullable=True,
            comment="The newest vehicle_data as received; null before the first.",
        ),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), nullable=True, comment="When it came (UTC)."
        ),
        sa.PrimaryKeyConstraint("vehicle_id", name=op.f("vehicle_data_cache_pkey")),
        comment="The newest answer of each vehicle, so that nobody pays for the same twice.",
    )
    op.add_column(
        "user_config",
        sa.Column(
            "refresh_token_received_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When the refresh token came (UTC); it lasts three months.",
        ),
        schema="private",
    )


def downgrade() -> None:
    op.drop_column("user_config", "refresh_token_received_at", schema="private")
    op.drop_table("vehicle_data_cache")
    op.drop_index(
        op.f("vehicle_availability_vehicle_id_idx"),
        table_name="vehicle_availability",
        postgresql_where=sa.text("ended_at is null"),
    )
    op.drop_table("vehicle_availability")
    op.drop_table("polling_status")
    op.drop_table("energy_data_cache")
    op.drop_table("api_holds")
    op.drop_index(op.f("api_calls_requested_at_idx"), table_name="api_calls")
    op.drop_table("api_calls")
    op.drop_index(
        op.f("alerts_code_subject_idx"),
        table_name="alerts",
        postgresql_where=sa.text("status <> 'resolved'"),
    )
    op.drop_table("alerts")
