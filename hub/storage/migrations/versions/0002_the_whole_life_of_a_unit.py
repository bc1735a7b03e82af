"""The whole life of a unit."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "client",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_table(
        "decision_rule",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("rank", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("conditions", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("outcome", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topic", "code"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("purchase_order", sa.String(length=200), nullable=True),
        sa.Column("supplier", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("expected_on", sa.String(length=10), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("supplier", "ref"),
    )
    op.create_index(
        op.f("ix_delivery_purchase_order"), "delivery", ["purchase_order"], unique=False
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'running'"), nullable=False
        ),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("accepted", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_by", sa.String(length=100), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", "dry_run"),
    )
    op.create_table(
        "person",
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.Column("erased_by", sa.String(length=100), nullable=True),
        sa.Column("erased_because", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )
    op.create_table(
        "import_row",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("serial", sa.String(length=200), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "number"),
    )
    op.create_index("import_row_code", "import_row", ["run_id", "code", "number"], unique=False)
    op.create_table(
        "delivery_line",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=60), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lot", sa.String(length=50), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("delivery_id", "ref"),
    )
    op.create_table(
        "recall",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("predicate", sa.Text(), nullable=False),
        sa.Column("instructions", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_by", sa.String(length=100), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_by", sa.String(length=100), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_because", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
    )
    op.create_index(op.f("ix_recall_product_id"), "recall", ["product_id"], unique=False)
    op.create_table(
        "stock_count",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=100), nullable=False),
        sa.Column("location_id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("category", sa.String(length=60), nullable=True),
        sa.Column("value_from", sa.BigInteger(), nullable=True),
        sa.Column("blind", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_by", sa.String(length=100), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("compared_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
    )
    op.create_index(
        op.f("ix_stock_count_location_id"), "stock_count", ["location_id"], unique=False
    )
    op.create_table(
        "unserialized_stock",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("location_id", sa.String(length=36), nullable=False),
        sa.Column("quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("product_id", "location_id"),
    )
    op.create_index(
        op.f("ix_unserialized_stock_location_id"),
        "unserialized_stock",
        ["location_id"],
        unique=False,
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recall_id", sa.String(length=36), nullable=False),
        sa.Column("customer_ref", sa.String(length=200), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("remote_ref", sa.String(length=200), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["recall_id"],
            ["recall.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("recall_id", "customer_ref"),
    )
    op.create_index("notice_reference", "notice", ["channel_id", "remote_ref"], unique=False)
    op.create_index("notice_state", "notice", ["recall_id", "state"], unique=False)
    op.create_table(
        "count_result",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("count_id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("expected_at", sa.String(length=36), nullable=True),
        sa.Column("found_at", sa.String(length=36), nullable=True),
        sa.Column("evidence", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("resolved_by", sa.String(length=100), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["count_id"],
            ["stock_count.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("count_id", "subject"),
    )
    op.create_index("count_result_kind", "count_result", ["count_id", "kind"], unique=False)
    op.create_index(
        "count_result_open",
        "count_result",
        ["count_id"],
        unique=False,
        sqlite_where=sa.text("kind <> 'confirmed' AND state = 'open'"),
        postgresql_where=sa.text("kind <> 'confirmed' AND state = 'open'"),
    )
    op.create_table(
        "count_scan",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("count_id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("location_id", sa.String(length=36), nullable=False),
        sa.Column("counter", sa.String(length=100), nullable=False),
        sa.Column("captured_by", sa.String(length=20), nullable=False),
        sa.Column("reads", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("scanned_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["count_id"],
            ["stock_count.id"],
        ),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("count_id", "subject", "location_id"),
    )
    op.create_table(
        "entitlement",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=True),
        sa.Column("starts_on", sa.String(length=10), nullable=True),
        sa.Column("ends_on", sa.String(length=10), nullable=True),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "reference", "unit_id"),
    )
    op.create_index("entitlement_reference", "entitlement", ["reference"], unique=False)
    op.create_index("entitlement_unit", "entitlement", ["unit_id"], unique=False)
    op.create_index(
        "licence_now",
        "entitlement",
        ["reference", "provider"],
        unique=True,
        sqlite_where=sa.text("kind = 'licence' AND revoked_at IS NULL"),
        postgresql_where=sa.text("kind = 'licence' AND revoked_at IS NULL"),
    )
    op.create_table(
        "kit_membership",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("parent_id", sa.String(length=36), nullable=False),
        sa.Column("child_id", sa.String(length=36), nullable=False),
        sa.Column("role", sa.String(length=60), server_default=sa.text("('')"), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("left_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["child_id"],
            ["unit.id"],
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_kit_membership_child_id"), "kit_membership", ["child_id"], unique=False
    )
    op.create_index(
        "kit_member_now",
        "kit_membership",
        ["child_id"],
        unique=True,
        sqlite_where=sa.text("left_at IS NULL"),
        postgresql_where=sa.text("left_at IS NULL"),
    )
    op.create_index(
        "kit_membership_parent", "kit_membership", ["parent_id", "joined_at"], unique=False
    )
    op.create_table(
        "recall_unit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recall_id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("status_when_caught", sa.String(length=20), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=True),
        sa.Column("customer_ref", sa.String(length=200), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("caught_at", sa.BigInteger(), nullable=False),
        sa.Column("returned_at", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.String(length=20), nullable=True),
        sa.Column("resolved_by", sa.String(length=100), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["recall_id"],
            ["recall.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("recall_id", "unit_id"),
    )
    op.create_index(
        "recall_unit_customer", "recall_unit", ["recall_id", "customer_ref"], unique=False
    )
    op.create_index("recall_unit_unit", "recall_unit", ["unit_id"], unique=False)
    op.create_table(
        "return_case",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("customer_ref", sa.String(length=200), nullable=True),
        sa.Column("location_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("route", sa.String(length=20), nullable=True),
        sa.Column("route_rule", sa.String(length=60), nullable=True),
        sa.Column("refund_ref", sa.String(length=200), nullable=True),
        sa.Column("replacement_id", sa.String(length=36), nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("refunded_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_return_case_order_id"), "return_case", ["order_id"], unique=False)
    op.create_index("return_case_open", "return_case", ["state", "decided_at"], unique=False)
    op.create_index("return_case_unit", "return_case", ["unit_id", "decided_at"], unique=False)
    op.create_table(
        "sensor_reading",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("unit_of_measure", sa.String(length=10), nullable=False),
        sa.Column("device", sa.String(length=100), nullable=True),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "sensor_reading_unit", "sensor_reading", ["unit_id", "measured_at"], unique=False
    )
    op.create_table(
        "unit_cost",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("takes_back", sa.String(length=36), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("document_type", sa.String(length=40), nullable=True),
        sa.Column("document_ref", sa.String(length=200), nullable=True),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("takes_back"),
    )
    op.create_index("unit_cost_unit", "unit_cost", ["unit_id"], unique=False)
    op.create_table(
        "warranty_claim",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("customer_ref", sa.String(length=200), nullable=True),
        sa.Column("fault", sa.String(length=300), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("rule", sa.String(length=60), nullable=True),
        sa.Column("evidence", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("replacement_id", sa.String(length=36), nullable=True),
        sa.Column("disputes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("opened_by", sa.String(length=100), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("warranty_claim_state", "warranty_claim", ["state", "opened_at"], unique=False)
    op.create_index("warranty_claim_unit", "warranty_claim", ["unit_id", "opened_at"], unique=False)
    op.add_column(
        "api_key",
        sa.Column("client_id", sa.String(length=36), sa.ForeignKey("client.id"), nullable=True),
        inline_references=True,
    )
    op.add_column(
        "channel",
        sa.Column("client_id", sa.String(length=36), sa.ForeignKey("client.id"), nullable=True),
        inline_references=True,
    )
    op.drop_index(op.f("ix_event_corrects"), table_name="event")
    op.create_index(
        "event_corrects",
        "event",
        ["corrects"],
        unique=False,
        sqlite_where=sa.text("corrects IS NOT NULL"),
        postgresql_where=sa.text("corrects IS NOT NULL"),
    )
    op.create_index("event_occurred", "event", ["occurred_at"], unique=False)
    op.add_column("product", sa.Column("serial_pattern", sa.String(length=200), nullable=True))
    op.add_column("product", sa.Column("category", sa.String(length=60), nullable=True))
    op.add_column("product", sa.Column("value", sa.BigInteger(), nullable=True))
    op.add_column("product", sa.Column("currency", sa.String(length=3), nullable=True))
    op.add_column(
        "product", sa.Column("traits", sa.Text(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.add_column(
        "product",
        sa.Column(
            "warranty_start", sa.String(length=20), server_default=sa.text("'sale'"), nullable=False
        ),
    )
    op.add_column(
        "product",
        sa.Column(
            "replacement_cover",
            sa.String(length=20),
            server_default=sa.text("'remainder'"),
            nullable=False,
        ),
    )
    op.add_column(
        "product",
        sa.Column("return_days", sa.Integer(), server_default=sa.text("30"), nullable=False),
    )
    op.add_column(
        "product",
        sa.Column(
            "picking", sa.String(length=10), server_default=sa.text("'fifo'"), nullable=False
        ),
    )
    op.add_column("product", sa.Column("tracked_since", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_product_category"), "product", ["category"], unique=False)
    op.create_index(op.f("ix_product_model_number"), "product", ["model_number"], unique=False)
    op.add_column(
        "sales_order", sa.Column("tags", sa.Text(), server_default=sa.text("'[]'"), nullable=False)
    )
    op.add_column("sales_order", sa.Column("promised_on", sa.String(length=10), nullable=True))
    op.add_column(
        "unit",
        sa.Column(
            "condition", sa.String(length=20), server_default=sa.text("'new'"), nullable=False
        ),
    )
    op.add_column(
        "unit",
        sa.Column(
            "birth", sa.String(length=20), server_default=sa.text("'receiving'"), nullable=False
        ),
    )
    op.add_column(
        "unit",
        sa.Column("delivery_id", sa.String(length=36), sa.ForeignKey("delivery.id"), nullable=True),
        inline_references=True,
    )
    op.add_column(
        "unit",
        sa.Column(
            "delivery_line_id",
            sa.String(length=36),
            sa.ForeignKey("delivery_line.id"),
            nullable=True,
        ),
        inline_references=True,
    )
    op.add_column("unit", sa.Column("supplier", sa.String(length=100), nullable=True))
    op.add_column("unit", sa.Column("purchase_order", sa.String(length=200), nullable=True))
    op.add_column(
        "unit",
        sa.Column("client_id", sa.String(length=36), sa.ForeignKey("client.id"), nullable=True),
        inline_references=True,
    )
    op.add_column("unit", sa.Column("client_since", sa.BigInteger(), nullable=True))
    op.add_column("unit", sa.Column("kit_id", sa.String(length=36), nullable=True))
    op.add_column(
        "unit", sa.Column("members", sa.Integer(), server_default=sa.text("0"), nullable=False)
    )
    op.drop_index(op.f("ix_unit_lot"), table_name="unit")
    op.drop_index(op.f("ix_unit_order_line_id"), table_name="unit")
    op.create_index(
        "unit_client_id",
        "unit",
        ["client_id"],
        unique=False,
        sqlite_where=sa.text("client_id IS NOT NULL"),
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index(
        "unit_delivery_id",
        "unit",
        ["delivery_id"],
        unique=False,
        sqlite_where=sa.text("delivery_id IS NOT NULL"),
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
    )
    op.create_index(
        "unit_expiring",
        "unit",
        ["expires_on"],
        unique=False,
        sqlite_where=sa.text("status = 'in_stock' AND blocks = 0 AND expires_on IS NOT NULL"),
        postgresql_where=sa.text("status = 'in_stock' AND blocks = 0 AND expires_on IS NOT NULL"),
    )
    op.create_index(
        "unit_kit_id",
        "unit",
        ["kit_id"],
        unique=False,
        sqlite_where=sa.text("kit_id IS NOT NULL"),
        postgresql_where=sa.text("kit_id IS NOT NULL"),
    )
    op.create_index(
        "unit_lot",
        "unit",
        ["lot"],
        unique=False,
        sqlite_where=sa.text("lot IS NOT NULL"),
        postgresql_where=sa.text("lot IS NOT NULL"),
    )
    op.create_index(
        "unit_order_line_id",
        "unit",
        ["order_line_id"],
        unique=False,
        sqlite_where=sa.text("order_line_id IS NOT NULL"),
        postgresql_where=sa.text("order_line_id IS NOT NULL"),
    )
    op.execute(
        "INSERT INTO location(id, code, name, kind, site_id, created_at) VALUES "
        "('00000000-0000-7000-8000-000000000003', 'SUPPLIER', 'At the supplier', 'supplier', "
        "'00000000-0000-7000-8000-000000000003', 0)"
    )
