"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=100), nullable=False),
        sa.Column("public_key", sa.String(length=60), nullable=False),
        sa.Column(
            "through_transaction", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("through_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_table(
        "command",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("scope", "key"),
    )
    op.create_table(
        "job_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("job", sa.String(length=100), nullable=False),
        sa.Column("slot", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("holder", sa.String(length=100), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job", "slot"),
    )
    op.create_index("job_run_recent", "job_run", ["job", "started_at"], unique=False)
    op.create_table(
        "location",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_index(op.f("ix_location_site_id"), "location", ["site_id"], unique=False)
    op.create_table(
        "manufacturer",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("serial_pattern", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=False),
        sa.Column("manufacturer_id", sa.String(length=36), nullable=True),
        sa.Column("safety_buffer", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("site_ids", sa.Text(), nullable=True),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'active'"), nullable=False
        ),
        sa.Column("paused_reason", sa.String(length=300), nullable=True),
        sa.Column("waits_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["manufacturer_id"],
            ["manufacturer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "product",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("manufacturer_id", sa.String(length=36), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("model_number", sa.String(length=100), nullable=True),
        sa.Column("warranty_months", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "tracking", sa.String(length=20), server_default=sa.text("'serial'"), nullable=False
        ),
        sa.Column("capture_points", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["manufacturer_id"],
            ["manufacturer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("gtin"),
        sa.UniqueConstraint("sku"),
    )
    op.create_index(
        op.f("ix_product_manufacturer_id"), "product", ["manufacturer_id"], unique=False
    )
    op.create_table(
        "cursor",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "stream"),
    )
    op.create_table(
        "exception_case",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=True),
        sa.Column(
            "channel_key", sa.String(length=36), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("newest_at", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "case_open",
        "exception_case",
        ["kind", "subject", "channel_key"],
        unique=True,
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_index("case_recent", "exception_case", ["newest_at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("delivery", sa.String(length=300), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'waiting'"), nullable=False
        ),
        sa.Column("due_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "delivery"),
    )
    op.create_index(
        "inbox_due",
        "inbox",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'leased')"),
        postgresql_where=sa.text("state IN ('waiting', 'leased')"),
    )
    op.create_index(
        "inbox_subject",
        "inbox",
        ["channel_id", "subject"],
        unique=False,
        sqlite_where=sa.text("subject IS NOT NULL"),
        postgresql_where=sa.text("subject IS NOT NULL"),
    )
    op.create_table(
        "listing",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "product_id"),
        sa.UniqueConstraint("channel_id", "sku"),
    )
    op.create_index(op.f("ix_listing_product_id"), "listing", ["product_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'waiting'"), nullable=False
        ),
        sa.Column("due_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("channel_id", "key"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(
        "outbox_due",
        "outbox",
        ["channel_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'leased')"),
        postgresql_where=sa.text("state IN ('waiting', 'leased')"),
    )
    op.create_index(
        "outbox_order",
        "outbox",
        ["channel_id", "subject", "seq"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'leased')"),
        postgresql_where=sa.text("state IN ('waiting', 'leased')"),
    )
    op.create_table(
        "reconciliation_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'running'"), nullable=False
        ),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("compared", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("in_flight", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("differences", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("healed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'finished' OR compared = matched + in_flight + differences",
            name="reconciliation_run_adds_up",
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("reconciliation_run_recent", "reconciliation_run", ["started_at"], unique=False)
    op.create_table(
        "sales_order",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("remote_state", sa.String(length=100), nullable=False),
        sa.Column("at_counter", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("customer_ref", sa.String(length=200), nullable=True),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("remote_updated_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "ref"),
    )
    op.create_index(op.f("ix_sales_order_number"), "sales_order", ["number"], unique=False)
    op.create_index("sales_order_placed", "sales_order", ["placed_at"], unique=False)
    op.create_table(
        "listing_level",
        sa.Column("listing_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("wanted_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("done_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("acknowledged", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("observed", sa.Integer(), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("observations", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'live'"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["listing.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("listing_id"),
    )
    op.create_index(
        "listing_level_due",
        "listing_level",
        ["channel_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("wanted_version > done_version"),
        postgresql_where=sa.text("wanted_version > done_version"),
    )
    op.create_index("listing_level_of_product", "listing_level", ["product_id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=300), server_default=sa.text("('')"), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("remote_fulfilled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "ref"),
    )
    op.create_index(op.f("ix_order_line_product_id"), "order_line", ["product_id"], unique=False)
    op.create_table(
        "unit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("manufacturer_id", sa.String(length=36), nullable=False),
        sa.Column("serial", sa.String(length=100), nullable=False),
        sa.Column("serial_canonical", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=36), nullable=False),
        sa.Column("promised_to", sa.String(length=36), nullable=True),
        sa.Column("order_line_id", sa.String(length=36), nullable=True),
        sa.Column("blocks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=True),
        sa.Column("skeleton", sa.String(length=100), nullable=False),
        sa.Column("lot", sa.String(length=50), nullable=True),
        sa.Column("produced_on", sa.String(length=10), nullable=True),
        sa.Column("expires_on", sa.String(length=10), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("sold_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
        ),
        sa.ForeignKeyConstraint(
            ["manufacturer_id"],
            ["manufacturer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_line_id"],
            ["order_line.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("serial_canonical", "manufacturer_id", "product_id"),
    )
    op.create_index(op.f("ix_unit_lot"), "unit", ["lot"], unique=False)
    op.create_index(op.f("ix_unit_order_line_id"), "unit", ["order_line_id"], unique=False)
    op.create_index(op.f("ix_unit_product_id"), "unit", ["product_id"], unique=False)
    op.create_index(op.f("ix_unit_skeleton"), "unit", ["skeleton"], unique=False)
    op.create_index("unit_at", "unit", ["location_id", "product_id"], unique=False)
    op.create_index(
        "unit_available",
        "unit",
        ["product_id", "location_id", "received_at"],
        unique=False,
        sqlite_where=sa.text("status = 'in_stock' AND promised_to IS NULL AND blocks = 0"),
        postgresql_where=sa.text("status = 'in_stock' AND promised_to IS NULL AND blocks = 0"),
    )
    op.create_index(
        "unit_promised",
        "unit",
        ["promised_to"],
        unique=False,
        sqlite_where=sa.text("promised_to IS NOT NULL"),
        postgresql_where=sa.text("promised_to IS NOT NULL"),
    )
    op.create_index("unit_serial", "unit", ["serial"], unique=False)
    op.create_table(
        "event",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("action", sa.String(length=30), nullable=False),
        sa.Column("biz_step", sa.String(length=40), nullable=False),
        sa.Column("status_from", sa.String(length=20), nullable=True),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("disposition_from", sa.String(length=40), nullable=True),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("location_from", sa.String(length=36), nullable=True),
        sa.Column("location_to", sa.String(length=36), nullable=False),
        sa.Column("document_type", sa.String(length=40), nullable=True),
        sa.Column("document_ref", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("captured_by", sa.String(length=20), nullable=False),
        sa.Column("command_id", sa.String(length=36), nullable=False),
        sa.Column("corrects", sa.String(length=36), nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("unit_id", "version"),
    )
    op.create_index(
        "event_document",
        "event",
        ["document_ref"],
        unique=False,
        sqlite_where=sa.text("document_ref IS NOT NULL"),
        postgresql_where=sa.text("document_ref IS NOT NULL"),
    )
    op.create_index("event_feed", "event", ["transaction_id", "seq"], unique=False)
    op.create_index(op.f("ix_event_corrects"), "event", ["corrects"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("order_line_id", sa.String(length=36), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("placed_by", sa.String(length=100), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_line_id"],
            ["order_line.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "hold_active",
        "hold",
        ["unit_id", "kind"],
        unique=True,
        sqlite_where=sa.text("released_at IS NULL"),
        postgresql_where=sa.text("released_at IS NULL"),
    )
    op.create_index(
        "hold_expiring",
        "hold",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("released_at IS NULL AND expires_at IS NOT NULL"),
        postgresql_where=sa.text("released_at IS NULL AND expires_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_hold_order_line_id"), "hold", ["order_line_id"], unique=False)
    op.create_table(
        "identifier",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("scheme", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("canonical", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("scheme", "canonical"),
    )
    op.create_index("identifier_canonical", "identifier", ["canonical"], unique=False)
    op.create_index("identifier_unit", "identifier", ["unit_id"], unique=False)
    op.create_table(
        "reconciliation_difference",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("listing_id", sa.String(length=36), nullable=True),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("ledger_claim", sa.Text(), nullable=False),
        sa.Column("remote_claim", sa.Text(), nullable=False),
        sa.Column("cause", sa.String(length=30), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("fix", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("healed_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["listing_id"],
            ["listing.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "difference_open",
        "reconciliation_difference",
        ["channel_id", "kind", "subject"],
        unique=False,
        sqlite_where=sa.text("state <> 'healed'"),
        postgresql_where=sa.text("state <> 'healed'"),
    )
    op.create_index(
        "difference_run", "reconciliation_difference", ["run_id", "subject"], unique=False
    )
    op.create_table(
        "unit_field",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("unit_id", "name"),
    )
    op.create_index("unit_field_value", "unit_field", ["name", "value"], unique=False)
    op.create_table(
        "warranty_record",
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("registered", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("starts_on", sa.String(length=10), nullable=True),
        sa.Column("ends_on", sa.String(length=10), nullable=True),
        sa.Column("coverages", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("stale_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("unit_id"),
    )
    op.create_index(
        op.f("ix_warranty_record_channel_id"), "warranty_record", ["channel_id"], unique=False
    )
    _protect_events()
    _outside_places()


def _protect_events() -> None:
    """Let the database itself refuse to change or delete an event."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER event_refuses_{verb.lower()} BEFORE {verb} ON event "
                "BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'an event is never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER event_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON event "
        "FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only()"
    )
    # Feeds follow commit order: a reader never passes the oldest running transaction.
    op.execute(
        "ALTER TABLE event ALTER COLUMN transaction_id "
        "SET DEFAULT (pg_current_xact_id()::text)::bigint"
    )


def _outside_places() -> None:
    """Make the two places outside every building."""
    op.execute(
        "INSERT INTO location(id, code, name, kind, site_id, created_at) VALUES "
        "('00000000-0000-7000-8000-000000000001', 'CUSTOMER', 'With a customer', 'customer', "
        "'00000000-0000-7000-8000-000000000001', 0), "
        "('00000000-0000-7000-8000-000000000002', 'IN-TRANSIT', 'Between two sites', "
        "'in_transit', '00000000-0000-7000-8000-000000000002', 0)"
    )
