"""Partners are told of events; channels work facts off as jobs; devices that were looked up."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Go forward."""
    _endpoints()
    _messages()
    op.add_column("outbox", sa.Column("job", sa.String(length=200), nullable=True))
    op.create_index(
        "outbox_told",
        "outbox",
        ["settled_at"],
        sqlite_where=sa.text("state = 'sent' AND topic = 'event'"),
        postgresql_where=sa.text("state = 'sent' AND topic = 'event'"),
    )
    op.create_table(
        "device_record",
        sa.Column("identifier", sa.String(length=40), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("stale_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.PrimaryKeyConstraint("identifier"),
    )


def _number(name: str, default: str = "0") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text(default), nullable=False)


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.String(length=200), server_default="", nullable=False),
        sa.Column("topics", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("site_ids", sa.Text(), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="active", nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        _number("failures"),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        _number("rests_until"),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        _number("cursor_transaction"),
        _number("cursor_seq"),
        _number("lease_until"),
        _number("fence"),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"]),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"]),
        sa.PrimaryKeyConstraint("id"),
    )


def _messages() -> None:
    op.create_table(
        "webhook_message",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("endpoint_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=True),
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="waiting", nullable=False),
        _number("due_at"),
        _number("attempts"),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoint.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("endpoint_id", "event_id"),
    )
    op.create_index(
        "webhook_message_due",
        "webhook_message",
        ["endpoint_id", "due_at"],
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("webhook_message_recent", "webhook_message", ["endpoint_id", "id"])
    op.create_index(
        "webhook_message_old",
        "webhook_message",
        ["settled_at"],
        sqlite_where=sa.text("state <> 'waiting'"),
        postgresql_where=sa.text("state <> 'waiting'"),
    )
    op.create_table(
        "webhook_attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        _number("number"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        _number("duration_ms"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["webhook_message.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_attempt_message", "webhook_attempt", ["message_id", "id"])
    op.create_index("webhook_attempt_old", "webhook_attempt", ["at"])
