"""What workers share of a channel: budgets, tokens, circuits; and what is told first."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "budget",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("channel_id", "name"),
    )
    op.create_table(
        "channel_token",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("channel_id"),
    )
    op.create_table(
        "circuit",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_failed", sa.String(length=200), nullable=True),
        sa.Column("openings", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("probe_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("channel_id"),
    )
    op.add_column(
        "listing_level",
        sa.Column("urgency", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
    )
    op.drop_index("listing_level_due", table_name="listing_level")
    op.create_index(
        "listing_level_due",
        "listing_level",
        ["channel_id", "urgency", "due_at"],
        unique=False,
        sqlite_where=sa.text("wanted_version > done_version"),
        postgresql_where=sa.text("wanted_version > done_version"),
    )
    for subject in ("listing", "order", "unit"):
        op.create_index(
            f"difference_of_{subject}",
            "reconciliation_difference",
            [f"{subject}_id"],
            unique=False,
            sqlite_where=sa.text("state = 'healing'"),
            postgresql_where=sa.text("state = 'healing'"),
        )
