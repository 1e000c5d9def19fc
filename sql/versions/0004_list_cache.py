"""When an answer was last asked for, and the newest list of products."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "list_cache",
        sa.Column("endpoint", sa.Text(), nullable=False, comment="The list's endpoint."),
        sa.Column(
            "answer",
            sa.JSON(),
            nullable=True,
            comment="The newest answer, without tokens; null before the first.",
        ),
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When Tesla was last asked for it and said something, or 408 (UTC).",
        ),
        sa.Column(
            "received_at", sa.DateTime(timezone=True), nullable=True, comment="When it came (UTC)."
        ),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("list_cache_pkey")),
        comment="The newest list of the account's vehicles and sites, for all that a poll does.",
    )
    op.add_column(
        "energy_data_cache",
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When Tesla was last asked for it and said something, or 408 (UTC).",
        ),
    )
    op.add_column(
        "vehicle_data_cache",
        sa.Column(
            "asked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="When Tesla was last asked for it and said something, or 408 (UTC).",
        ),
    )


def downgrade() -> None:
    op.drop_column("vehicle_data_cache", "asked_at")
    op.drop_column("energy_data_cache", "asked_at")
    op.drop_table("list_cache")
