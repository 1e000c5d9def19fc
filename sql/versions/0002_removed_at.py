"""Since when the account no longer lists a vehicle or site."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("vehicles", "energy_sites")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(
            table,
            sa.Column(
                "removed_at",
                sa.DateTime(timezone=True),
                nullable=True,
                comment="Since when the account no longer lists it (UTC); null while it does.",
            ),
        )


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "removed_at")
