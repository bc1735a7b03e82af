"""The baseline: every table, the places outside all sites, and what the database itself refuses.

Later revisions only go forward.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

IN_HOUSE = "status NOT IN ('shipped', 'sold', 'at_supplier', 'written_off')"
PLACES = (
    ("00000000-0000-7000-8000-000000000001", "CUSTOMER", "With a customer", "customer"),
    ("00000000-0000-7000-8000-000000000002", "IN-TRANSIT", "Between two sites", "in_transit"),
    ("00000000-0000-7000-8000-000000000003", "SUPPLIER", "At the supplier", "supplier"),
)


# Tables of settings, whose changes are noted for the trail: the key, columns, hidden columns.
TRAILED = {
    "channel": (
        "id",
        "code name connector capabilities account shares_account manufacturer_id client_id "
        "safety_buffer oversell unpaid_promise_hours gone_orders gone_order_minutes "
        "serves_test_orders site_ids policy mappings state paused_reason",
        "settings",
    ),
    "api_key": (
        "id",
        "name scopes client_id origins location_id commands addresses created_by expires_at "
        "revoked_at",
        "digest",
    ),
    "approval": ("id", "command state requested_by decided_by reason", ""),
    "case_owner": ("id", "kind owner", ""),
    "case_rule": ("id", "code name rank conditions action parameters", ""),
    "client": ("id", "code name", ""),
    "decision_rule": ("id", "topic code name rank conditions outcome", ""),
    "location": ("id", "code name kind site_id time_zone", ""),
    "manufacturer": ("id", "code name serial_pattern serial_period", ""),
    "person": ("ref", "ref erased_at erased_by erased_because", "contact"),
    "product": (
        "id",
        "sku name manufacturer_id gtin model_number serial_pattern serial_case category value "
        "currency traits warranty_months warranty_start replacement_cover return_days picking "
        "tracked_since tracking capture_points",
        "",
    ),
    "recall": ("id", "ref title predicate instructions state closed_because", ""),
    "reconciliation_promise": ("channel_id", "channel_id measure promised", ""),
    "reconciliation_schedule": (
        "channel_id",
        "channel_id scope every_seconds jitter_seconds blackouts",
        "",
    ),
    "trusted_document": ("sha256", "name", "text"),
    "webhook_endpoint": (
        "id",
        "url description topics product_id site_ids client_id state disabled_reason",
        "secrets",
    ),
}


def upgrade() -> None:
    """Create the tables."""
    _case_owner()
    _case_rule()
    _checkpoint()
    _client()
    _command()
    _decision_rule()
    _delivery()
    _import_run()
    _job_run()
    _location()
    _manufacturer()
    _person()
    _quality_mark()
    _trusted_document()
    _api_key()
    _login_session()
    _failed_attempt()
    _approval()
    _trail_change()
    _trail_entry()
    _channel()
    _import_row()
    _product()
    _budget()
    _channel_stream()
    _channel_token()
    _circuit()
    _cursor()
    _delivery_line()
    _device_record()
    _exception_case()
    _inbox()
    _listing()
    _outbox()
    _product_alternative()
    _push_attempt()
    _recall()
    _reconciliation_run()
    _reconciliation_mark()
    _sales_order()
    _stock_count()
    _unserialized_stock()
    _webhook_endpoint()
    _case_event()
    _channel_return()
    _checkout()
    _listing_level()
    _notice()
    _order_line()
    _webhook_message()
    _channel_return_line()
    _substitution()
    _unit()
    _webhook_attempt()
    _count_result()
    _count_scan()
    _entitlement()
    _event()
    _hold()
    _identifier()
    _kit_membership()
    _line_return()
    _recall_unit()
    _reconciliation_difference()
    _observed_listing()
    _observed_order()
    _reconciliation_finding()
    _reconciliation_promise()
    _reconciliation_schedule()
    _return_case()
    _refund_request()
    _sensor_reading()
    _unit_cost()
    _unit_field()
    _warranty_claim()
    _warranty_record()
    _append_only("event", "an event is never changed")
    _append_only("case_event", "the trail of a case is never changed")
    _append_only("trail_entry", "the trail is never changed")
    _number_transactions()
    _places()
    for table, (key, columns, hidden) in TRAILED.items():
        _note_changes(table, key, columns.split(), hidden.split())


def _create(name: str, *parts: sa.schema.SchemaItem) -> None:
    """Create a table; on SQLite a strict one, which takes no value of another type."""
    op.create_table(name, *parts, sqlite_strict=True)


def _case_owner() -> None:
    _create(
        "case_owner",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind"),
    )


def _case_rule() -> None:
    _create(
        "case_rule",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("rank", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("conditions", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("parameters", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )


def _checkpoint() -> None:
    _create(
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


def _client() -> None:
    _create(
        "client",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )


def _command() -> None:
    _create(
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


def _decision_rule() -> None:
    _create(
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


def _delivery() -> None:
    _create(
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


def _import_run() -> None:
    _create(
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
        sa.Column("warned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("started_by", sa.String(length=100), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", "dry_run"),
    )


def _job_run() -> None:
    _create(
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


def _location() -> None:
    _create(
        "location",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("site_id", sa.String(length=36), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )
    op.create_index(op.f("ix_location_site_id"), "location", ["site_id"], unique=False)


def _manufacturer() -> None:
    _create(
        "manufacturer",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("serial_pattern", sa.String(length=200), nullable=True),
        sa.Column("serial_period", sa.String(length=100), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )


def _person() -> None:
    _create(
        "person",
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.Column("erased_by", sa.String(length=100), nullable=True),
        sa.Column("erased_because", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("ref"),
    )


def _quality_mark() -> None:
    _create(
        "quality_mark",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=36), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )


def _trusted_document() -> None:
    _create(
        "trusted_document",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("pushed_by", sa.String(length=100), nullable=False),
        sa.Column("pushed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )


def _api_key() -> None:
    _create(
        "api_key",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("origins", sa.Text(), nullable=True),
        sa.Column("location_id", sa.String(length=36), nullable=True),
        sa.Column("commands", sa.Text(), nullable=True),
        sa.Column("addresses", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), server_default=sa.text("'hub'"), nullable=False),
        sa.Column("created_by_key", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_from", sa.String(length=64), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["location_id"],
            ["location.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def _login_session() -> None:
    _create(
        "login_session",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("owner_kind", sa.String(length=10), nullable=False),
        sa.Column("owner_id", sa.String(length=36), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(
        "login_session_owner", "login_session", ["owner_kind", "owner_id"], unique=False
    )
    op.create_index(
        op.f("ix_login_session_expires_at"), "login_session", ["expires_at"], unique=False
    )


def _failed_attempt() -> None:
    _create(
        "failed_attempt",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _approval() -> None:
    _create(
        "approval",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("command", sa.String(length=60), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("arguments", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("requested_by_key", sa.String(length=36), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "approval_asked", "approval", ["command", "digest", "requested_by_key"], unique=False
    )


def _trail_change() -> None:
    _create(
        "trail_change",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("row_id", sa.String(length=100), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
    )


def _trail_entry() -> None:
    _create(
        "trail_entry",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("key_id", sa.String(length=36), nullable=True),
        sa.Column("session_id", sa.String(length=36), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("command", sa.String(length=60), nullable=False),
        sa.Column("command_id", sa.String(length=36), nullable=True),
        sa.Column("arguments", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("changes", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )


def _channel() -> None:
    _create(
        "channel",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("connector", sa.String(length=64), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("capabilities", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column(
            "shares_account", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column("manufacturer_id", sa.String(length=36), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("safety_buffer", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "oversell", sa.String(length=20), server_default=sa.text("'back_order'"), nullable=False
        ),
        sa.Column("unpaid_promise_hours", sa.Integer(), nullable=True),
        sa.Column(
            "gone_orders", sa.String(length=20), server_default=sa.text("'cancel'"), nullable=False
        ),
        sa.Column("gone_order_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "serves_test_orders", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column("site_ids", sa.Text(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
        sa.Column("mappings", sa.Text(), nullable=True),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'active'"), nullable=False
        ),
        sa.Column("paused_reason", sa.String(length=300), nullable=True),
        sa.Column("waits_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["manufacturer_id"],
            ["manufacturer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
    )


def _import_row() -> None:
    _create(
        "import_row",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("serial", sa.String(length=200), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("warning", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["import_run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", "number"),
    )
    op.create_index("import_row_code", "import_row", ["run_id", "code", "number"], unique=False)


def _product() -> None:
    _create(
        "product",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("manufacturer_id", sa.String(length=36), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=True),
        sa.Column("model_number", sa.String(length=100), nullable=True),
        sa.Column("serial_pattern", sa.String(length=200), nullable=True),
        sa.Column(
            "serial_case", sa.String(length=10), server_default=sa.text("'folded'"), nullable=False
        ),
        sa.Column("category", sa.String(length=60), nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("traits", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("warranty_months", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "warranty_start", sa.String(length=20), server_default=sa.text("'sale'"), nullable=False
        ),
        sa.Column(
            "replacement_cover",
            sa.String(length=20),
            server_default=sa.text("'remainder'"),
            nullable=False,
        ),
        sa.Column("return_days", sa.Integer(), server_default=sa.text("(30)"), nullable=False),
        sa.Column(
            "picking", sa.String(length=10), server_default=sa.text("'fifo'"), nullable=False
        ),
        sa.Column("tracked_since", sa.BigInteger(), nullable=True),
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
    op.create_index(op.f("ix_product_category"), "product", ["category"], unique=False)
    op.create_index(
        op.f("ix_product_manufacturer_id"), "product", ["manufacturer_id"], unique=False
    )
    op.create_index(op.f("ix_product_model_number"), "product", ["model_number"], unique=False)


def _budget() -> None:
    _create(
        "budget",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "name"),
    )


def _channel_token() -> None:
    _create(
        "channel_token",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id"),
    )


def _channel_stream() -> None:
    _create(
        "channel_stream",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("page_divisor", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("shrunk_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "stream"),
    )


def _circuit() -> None:
    _create(
        "circuit",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_failed", sa.String(length=200), nullable=True),
        sa.Column("openings", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("probe_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id"),
    )


def _cursor() -> None:
    _create(
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


def _delivery_line() -> None:
    _create(
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
    op.create_index(
        op.f("ix_delivery_line_product_id"), "delivery_line", ["product_id"], unique=False
    )


def _device_record() -> None:
    _create(
        "device_record",
        sa.Column("identifier", sa.String(length=40), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=False),
        sa.Column("stale_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("identifier"),
    )


def _exception_case() -> None:
    _create(
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


def _inbox() -> None:
    _create(
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("delivery", sa.String(length=300), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("topic", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=True),
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
        "inbox_content",
        "inbox",
        ["channel_id", "content"],
        unique=False,
        sqlite_where=sa.text("content IS NOT NULL"),
        postgresql_where=sa.text("content IS NOT NULL"),
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
        "inbox_unreadable",
        "inbox",
        ["received_at"],
        unique=False,
        sqlite_where=sa.text("source = 'unreadable'"),
        postgresql_where=sa.text("source = 'unreadable'"),
    )
    op.create_index(
        "inbox_subject",
        "inbox",
        ["channel_id", "subject"],
        unique=False,
        sqlite_where=sa.text("subject IS NOT NULL"),
        postgresql_where=sa.text("subject IS NOT NULL"),
    )


def _listing() -> None:
    _create(
        "listing",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False),
        sa.Column(
            "reference", sa.String(length=200), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column("copy_of", sa.String(length=36), nullable=True),
        sa.Column("policy", sa.Text(), nullable=True),
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
    )
    op.create_index(op.f("ix_listing_product_id"), "listing", ["product_id"], unique=False)
    op.create_index(
        "listing_copy",
        "listing",
        ["copy_of"],
        unique=False,
        sqlite_where=sa.text("copy_of IS NOT NULL"),
        postgresql_where=sa.text("copy_of IS NOT NULL"),
    )
    op.create_index(
        "listing_of_product",
        "listing",
        ["channel_id", "product_id"],
        unique=True,
        sqlite_where=sa.text("unit_id IS NULL AND copy_of IS NULL"),
        postgresql_where=sa.text("unit_id IS NULL AND copy_of IS NULL"),
    )
    op.create_index("listing_of_reference", "listing", ["channel_id", "reference"], unique=False)
    op.create_index(
        "listing_of_sku",
        "listing",
        ["channel_id", "sku"],
        unique=True,
        sqlite_where=sa.text("copy_of IS NULL"),
        postgresql_where=sa.text("copy_of IS NULL"),
    )
    op.create_index(
        "listing_of_unit",
        "listing",
        ["unit_id", "channel_id"],
        unique=True,
        sqlite_where=sa.text("unit_id IS NOT NULL"),
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )


def _outbox() -> None:
    _create(
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
        sa.Column("job", sa.String(length=200), nullable=True),
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
        "outbox_of_subject",
        "outbox",
        ["channel_id", "topic", "subject"],
        unique=False,
        sqlite_where=sa.text("topic IN ('registration', 'fulfillment')"),
        postgresql_where=sa.text("topic IN ('registration', 'fulfillment')"),
    )
    op.create_index(
        "outbox_order",
        "outbox",
        ["channel_id", "subject", "seq"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'leased')"),
        postgresql_where=sa.text("state IN ('waiting', 'leased')"),
    )
    op.create_index(
        "outbox_told",
        "outbox",
        ["settled_at"],
        unique=False,
        sqlite_where=sa.text("state = 'sent' AND topic = 'event'"),
        postgresql_where=sa.text("state = 'sent' AND topic = 'event'"),
    )


def _product_alternative() -> None:
    _create(
        "product_alternative",
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("alternative_id", sa.String(length=36), nullable=False),
        sa.Column("rank", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["alternative_id"],
            ["product.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("product_id", "alternative_id"),
    )


def _push_attempt() -> None:
    _create(
        "push_attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("sent", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("push_attempt_old", "push_attempt", ["at"], unique=False)
    op.create_index("push_attempt_recent", "push_attempt", ["channel_id", "id"], unique=False)
    op.create_index(
        "push_attempt_subject", "push_attempt", ["channel_id", "subject", "id"], unique=False
    )


def _recall() -> None:
    _create(
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


def _reconciliation_run() -> None:
    _create(
        "reconciliation_run",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'running'"), nullable=False
        ),
        sa.Column("trigger", sa.String(length=100), nullable=False),
        sa.Column("compared", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("matched", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("in_flight", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_kept", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("explained", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("differences", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_compared", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("skipped", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("healed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("closed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("window_from", sa.BigInteger(), nullable=True),
        sa.Column("window_until", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("asked", sa.String(length=200), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resumes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("resumed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state <> 'finished' OR compared = matched + in_flight + explained + differences",
            name="reconciliation_run_adds_up",
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "reconciliation_run_of_channel",
        "reconciliation_run",
        ["channel_id", "scope", "started_at"],
        unique=False,
    )
    op.create_index("reconciliation_run_recent", "reconciliation_run", ["started_at"], unique=False)
    op.create_index(
        "reconciliation_run_running",
        "reconciliation_run",
        ["channel_id", "scope"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )


def _reconciliation_mark() -> None:
    _create(
        "reconciliation_mark",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "about"),
    )


def _sales_order() -> None:
    _create(
        "sales_order",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("remote_state", sa.String(length=100), nullable=False),
        sa.Column(
            "payment_state", sa.String(length=100), server_default=sa.text("''"), nullable=False
        ),
        sa.Column(
            "shipment_state", sa.String(length=100), server_default=sa.text("''"), nullable=False
        ),
        sa.Column("at_counter", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("customer_ref", sa.String(length=200), nullable=True),
        sa.Column("staff_ref", sa.String(length=200), nullable=True),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("remote_updated_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("tags", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("promised_on", sa.String(length=10), nullable=True),
        sa.Column("remote_done", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("handed_over", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("origin_ref", sa.String(length=200), nullable=True),
        sa.Column("same_as", sa.String(length=36), nullable=True),
        sa.Column("same_verdict", sa.String(length=20), nullable=True),
        sa.Column("hold", sa.String(length=30), nullable=True),
        sa.Column("hold_override", sa.String(length=30), nullable=True),
        sa.Column("hold_override_reason", sa.String(length=200), nullable=True),
        sa.Column("hold_override_by", sa.String(length=100), nullable=True),
        sa.Column("hold_override_at", sa.BigInteger(), nullable=True),
        sa.Column("is_test", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("promises_ended_at", sa.BigInteger(), nullable=True),
        sa.Column("promises_from", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("total", sa.String(length=40), nullable=True),
        sa.Column("discount", sa.String(length=40), nullable=True),
        sa.Column("tax", sa.String(length=40), nullable=True),
        sa.Column("shipping", sa.String(length=40), nullable=True),
        sa.Column("refunded", sa.String(length=40), nullable=True),
        sa.Column("tax_included", sa.Boolean(), nullable=True),
        sa.Column("ship_by", sa.BigInteger(), nullable=True),
        sa.Column("deliver_by", sa.BigInteger(), nullable=True),
        sa.Column("is_gift", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("has_note", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("location_ref", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "ref"),
    )
    op.create_index(op.f("ix_sales_order_number"), "sales_order", ["number"], unique=False)
    op.create_index(
        "sales_order_customer",
        "sales_order",
        ["customer_ref"],
        unique=False,
        sqlite_where=sa.text("customer_ref IS NOT NULL"),
        postgresql_where=sa.text("customer_ref IS NOT NULL"),
    )
    op.create_index(
        "sales_order_origin",
        "sales_order",
        ["origin_ref"],
        unique=False,
        sqlite_where=sa.text("origin_ref IS NOT NULL"),
        postgresql_where=sa.text("origin_ref IS NOT NULL"),
    )
    op.create_index("sales_order_placed", "sales_order", ["placed_at"], unique=False)


def _stock_count() -> None:
    _create(
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


def _unserialized_stock() -> None:
    _create(
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


def _webhook_endpoint() -> None:
    _create(
        "webhook_endpoint",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "description", sa.String(length=200), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column("topics", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("site_ids", sa.Text(), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'active'"), nullable=False
        ),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("rests_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_success_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "cursor_transaction", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("cursor_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )


def _case_event() -> None:
    _create(
        "case_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("rule", sa.String(length=60), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=True),
        sa.Column("occurrences", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("happened_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["exception_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_event_case", "case_event", ["case_id", "id"], unique=False)


def _channel_return() -> None:
    _create(
        "channel_return",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("order_ref", sa.String(length=200), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("remote_state", sa.String(length=100), nullable=False),
        sa.Column("refund_ref", sa.String(length=200), nullable=True),
        sa.Column("refunded_at", sa.BigInteger(), nullable=True),
        sa.Column("exchange_order_ref", sa.String(length=200), nullable=True),
        sa.Column("exchange_line_refs", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("remote_updated_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "ref"),
    )
    op.create_index(
        "channel_return_of_ref", "channel_return", ["channel_id", "order_ref"], unique=False
    )
    op.create_index(
        op.f("ix_channel_return_order_id"), "channel_return", ["order_id"], unique=False
    )


def _listing_level() -> None:
    _create(
        "listing_level",
        sa.Column("listing_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("parts", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("part", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("wanted_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("done_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("acknowledged", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("observed", sa.Integer(), nullable=True),
        sa.Column("observed_at", sa.BigInteger(), nullable=True),
        sa.Column("urgency", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("observations", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'live'"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("job", sa.String(length=500), nullable=True),
        sa.Column("job_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("job_quantity", sa.Integer(), nullable=True),
        sa.Column("job_at", sa.BigInteger(), nullable=True),
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
        ["channel_id", "urgency", "due_at"],
        unique=False,
        sqlite_where=sa.text("wanted_version > done_version"),
        postgresql_where=sa.text("wanted_version > done_version"),
    )
    op.create_index("listing_level_of_product", "listing_level", ["product_id"], unique=False)
    op.create_index(
        "listing_level_of_unit",
        "listing_level",
        ["unit_id"],
        unique=False,
        sqlite_where=sa.text("unit_id IS NOT NULL"),
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )


def _notice() -> None:
    _create(
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


def _checkout() -> None:
    _create(
        "checkout",
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=36), nullable=False),
        sa.Column("cart", sa.String(length=200), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.PrimaryKeyConstraint("order_id"),
        sa.UniqueConstraint("token_digest"),
    )


def _order_line() -> None:
    _create(
        "order_line",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=300), server_default=sa.text("('')"), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("quantity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("remote_fulfilled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("serials", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=20), server_default=sa.text("'goods'"), nullable=False),
        sa.Column("withheld", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unit_price", sa.String(length=40), nullable=True),
        sa.Column("discount", sa.String(length=40), nullable=True),
        sa.Column("tax", sa.String(length=40), nullable=True),
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


def _webhook_message() -> None:
    _create(
        "webhook_message",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("endpoint_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=True),
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "state", sa.String(length=20), server_default=sa.text("'waiting'"), nullable=False
        ),
        sa.Column("due_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("endpoint_id", "event_id"),
    )
    op.create_index(
        "webhook_message_due",
        "webhook_message",
        ["endpoint_id", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "webhook_message_old",
        "webhook_message",
        ["settled_at"],
        unique=False,
        sqlite_where=sa.text("state <> 'waiting'"),
        postgresql_where=sa.text("state <> 'waiting'"),
    )
    op.create_index(
        "webhook_message_recent", "webhook_message", ["endpoint_id", "id"], unique=False
    )


def _channel_return_line() -> None:
    _create(
        "channel_return_line",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("return_id", sa.String(length=36), nullable=False),
        sa.Column("order_line_ref", sa.String(length=200), nullable=False),
        sa.Column("quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("comes_back", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("arrived", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("taken_off", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("restock", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("reason", sa.String(length=200), server_default=sa.text("('')"), nullable=False),
        sa.Column("serials", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["return_id"],
            ["channel_return.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "channel_return_line_of",
        "channel_return_line",
        ["return_id", "order_line_ref"],
        unique=False,
    )


def _substitution() -> None:
    _create(
        "substitution",
        sa.Column("order_line_id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_line_id"],
            ["order_line.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
        ),
        sa.PrimaryKeyConstraint("order_line_id", "product_id"),
    )


def _unit() -> None:
    _create(
        "unit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("manufacturer_id", sa.String(length=36), nullable=False),
        sa.Column("serial", sa.String(length=100), nullable=False),
        sa.Column("serial_canonical", sa.String(length=100), nullable=False),
        sa.Column(
            "serial_exact", sa.String(length=100), server_default=sa.text("''"), nullable=False
        ),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("disposition", sa.String(length=40), nullable=False),
        sa.Column("location_id", sa.String(length=36), nullable=False),
        sa.Column("promised_to", sa.String(length=36), nullable=True),
        sa.Column("promised_until", sa.BigInteger(), nullable=True),
        sa.Column("order_line_id", sa.String(length=36), nullable=True),
        sa.Column("blocks", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("grade", sa.String(length=20), nullable=True),
        sa.Column(
            "condition", sa.String(length=20), server_default=sa.text("'new'"), nullable=False
        ),
        sa.Column(
            "origin", sa.String(length=20), server_default=sa.text("'receiving'"), nullable=False
        ),
        sa.Column("delivery_id", sa.String(length=36), nullable=True),
        sa.Column("delivery_line_id", sa.String(length=36), nullable=True),
        sa.Column("supplier", sa.String(length=100), nullable=True),
        sa.Column("purchase_order", sa.String(length=200), nullable=True),
        sa.Column("client_id", sa.String(length=36), nullable=True),
        sa.Column("client_since", sa.BigInteger(), nullable=True),
        sa.Column("kit_id", sa.String(length=36), nullable=True),
        sa.Column("members", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("merged_into", sa.String(length=36), nullable=True),
        sa.Column("skeleton", sa.String(length=100), nullable=False),
        sa.Column("lot", sa.String(length=50), nullable=True),
        sa.Column("produced_on", sa.String(length=10), nullable=True),
        sa.Column("expires_on", sa.String(length=10), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=True),
        sa.Column("sold_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.id"],
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["delivery.id"],
        ),
        sa.ForeignKeyConstraint(
            ["delivery_line_id"],
            ["delivery_line.id"],
        ),
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
        sa.UniqueConstraint("serial_canonical", "manufacturer_id", "product_id", "serial_exact"),
    )
    op.create_index(op.f("ix_unit_product_id"), "unit", ["product_id"], unique=False)
    op.create_index(op.f("ix_unit_skeleton"), "unit", ["skeleton"], unique=False)
    op.create_index("unit_at", "unit", ["location_id", "product_id"], unique=False)
    op.create_index(
        "unit_available",
        "unit",
        [
            "product_id",
            "received_at",
            "id",
            "location_id",
            "client_id",
            "condition",
            "grade",
            "expires_on",
            "blocks",
            "promised_to",
            "status",
        ],
        unique=False,
        sqlite_where=sa.text("status = 'in_stock' AND promised_to IS NULL AND blocks = 0"),
        postgresql_where=sa.text("status = 'in_stock' AND promised_to IS NULL AND blocks = 0"),
    )
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
        "unit_expected",
        "unit",
        ["product_id"],
        unique=False,
        sqlite_where=sa.text("status = 'expected'"),
        postgresql_where=sa.text("status = 'expected'"),
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
        "unit_merged_into",
        "unit",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into IS NOT NULL"),
        postgresql_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index(
        "unit_order_line_id",
        "unit",
        ["order_line_id"],
        unique=False,
        sqlite_where=sa.text("order_line_id IS NOT NULL"),
        postgresql_where=sa.text("order_line_id IS NOT NULL"),
    )
    op.create_index(
        "unit_in_house",
        "unit",
        ["product_id"],
        unique=False,
        sqlite_where=sa.text(IN_HOUSE),
        postgresql_where=sa.text(IN_HOUSE),
    )
    op.create_index(
        "unit_lapsing",
        "unit",
        ["product_id", "promised_until"],
        unique=False,
        sqlite_where=sa.text("promised_until IS NOT NULL"),
        postgresql_where=sa.text("promised_until IS NOT NULL"),
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
    op.create_index(
        "unit_unreceived",
        "unit",
        ["status"],
        unique=False,
        sqlite_where=sa.text("received_at IS NULL"),
        postgresql_where=sa.text("received_at IS NULL"),
    )


def _webhook_attempt() -> None:
    _create(
        "webhook_attempt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["webhook_message.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "webhook_attempt_message", "webhook_attempt", ["message_id", "id"], unique=False
    )
    op.create_index("webhook_attempt_old", "webhook_attempt", ["at"], unique=False)


def _count_result() -> None:
    _create(
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


def _count_scan() -> None:
    _create(
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


def _entitlement() -> None:
    _create(
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
        "license_now",
        "entitlement",
        ["reference", "provider"],
        unique=True,
        sqlite_where=sa.text("kind = 'license' AND revoked_at IS NULL"),
        postgresql_where=sa.text("kind = 'license' AND revoked_at IS NULL"),
    )


def _event() -> None:
    _create(
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
        "event_corrects",
        "event",
        ["corrects"],
        unique=False,
        sqlite_where=sa.text("corrects IS NOT NULL"),
        postgresql_where=sa.text("corrects IS NOT NULL"),
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
    op.create_index("event_occurred", "event", ["occurred_at"], unique=False)


def _hold() -> None:
    _create(
        "hold",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=True),
        sa.Column("order_line_id", sa.String(length=36), nullable=True),
        sa.Column("owner", sa.String(length=36), nullable=True),
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
    op.create_index(
        "hold_of_cart",
        "hold",
        ["owner", "reference"],
        unique=False,
        sqlite_where=sa.text("released_at IS NULL AND owner IS NOT NULL"),
        postgresql_where=sa.text("released_at IS NULL AND owner IS NOT NULL"),
    )
    op.create_index(op.f("ix_hold_order_line_id"), "hold", ["order_line_id"], unique=False)


def _identifier() -> None:
    _create(
        "identifier",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("scheme", sa.String(length=20), nullable=False),
        sa.Column("space", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("canonical", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("space", "canonical"),
    )
    op.create_index("identifier_canonical", "identifier", ["canonical"], unique=False)
    op.create_index("identifier_unit", "identifier", ["unit_id"], unique=False)


def _kit_membership() -> None:
    _create(
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


def _line_return() -> None:
    _create(
        "line_return",
        sa.Column("order_line_id", sa.String(length=36), nullable=False),
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("returned_at", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_line_id"],
            ["order_line.id"],
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"],
            ["unit.id"],
        ),
        sa.PrimaryKeyConstraint("order_line_id", "unit_id"),
    )


def _recall_unit() -> None:
    _create(
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


def _reconciliation_difference() -> None:
    _create(
        "reconciliation_difference",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("last_run_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("listing_id", sa.String(length=36), nullable=True),
        sa.Column("product_id", sa.String(length=36), nullable=True),
        sa.Column("unit_id", sa.String(length=36), nullable=True),
        sa.Column("order_id", sa.String(length=36), nullable=True),
        sa.Column("ledger_claim", sa.Text(), nullable=False),
        sa.Column("remote_claim", sa.Text(), nullable=False),
        sa.Column("surplus", sa.Integer(), nullable=True),
        sa.Column("cause", sa.String(length=30), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("proofs", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("fix", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), server_default=sa.text("'open'"), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("heal_attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("repeats", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("heal_error", sa.Text(), nullable=True),
        sa.Column("healed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_run_id", sa.String(length=36), nullable=True),
        sa.Column("previous_id", sa.String(length=36), nullable=True),
        sa.Column("resolved_by", sa.String(length=100), nullable=True),
        sa.Column("fix_rule", sa.String(length=60), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("case_id", sa.String(length=36), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["exception_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.ForeignKeyConstraint(
            ["closed_run_id"],
            ["reconciliation_run.id"],
        ),
        sa.ForeignKeyConstraint(
            ["last_run_id"],
            ["reconciliation_run.id"],
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
        "difference_ended",
        "reconciliation_difference",
        ["channel_id", "closed_at"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "difference_found",
        "reconciliation_difference",
        ["channel_id", "found_at"],
        unique=False,
    )
    op.create_index(
        "difference_live",
        "reconciliation_difference",
        ["channel_id", "scope", "about"],
        unique=True,
        sqlite_where=sa.text("live"),
        postgresql_where=sa.text("live"),
    )
    op.create_index(
        "difference_of_listing",
        "reconciliation_difference",
        ["listing_id"],
        unique=False,
        sqlite_where=sa.text("state = 'healing'"),
        postgresql_where=sa.text("state = 'healing'"),
    )
    op.create_index(
        "difference_of_order",
        "reconciliation_difference",
        ["order_id"],
        unique=False,
        sqlite_where=sa.text("state = 'healing'"),
        postgresql_where=sa.text("state = 'healing'"),
    )
    op.create_index(
        "difference_of_unit",
        "reconciliation_difference",
        ["unit_id"],
        unique=False,
        sqlite_where=sa.text("state = 'healing'"),
        postgresql_where=sa.text("state = 'healing'"),
    )
    op.create_index(
        "difference_closed_run",
        "reconciliation_difference",
        ["closed_run_id"],
        unique=False,
        sqlite_where=sa.text("closed_run_id IS NOT NULL"),
        postgresql_where=sa.text("closed_run_id IS NOT NULL"),
    )
    op.create_index(
        "difference_last_run", "reconciliation_difference", ["last_run_id"], unique=False
    )
    op.create_index(
        "difference_past",
        "reconciliation_difference",
        ["channel_id", "scope", "about", "id"],
        unique=False,
    )
    op.create_index(
        "difference_run", "reconciliation_difference", ["run_id", "subject"], unique=False
    )
    op.create_index(
        "difference_with_case",
        "reconciliation_difference",
        ["case_id"],
        unique=False,
        sqlite_where=sa.text("case_id IS NOT NULL"),
        postgresql_where=sa.text("case_id IS NOT NULL"),
    )


def _observed_listing() -> None:
    _create(
        "observed_listing",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("sku", sa.String(length=200), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("suspect", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("unbound", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "about"),
    )
    op.create_index("observed_listing_sku", "observed_listing", ["channel_id", "sku"], unique=False)


def _observed_order() -> None:
    _create(
        "observed_order",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("gone_since", sa.BigInteger(), nullable=True),
        sa.Column("serials", sa.Text(), nullable=True),
        sa.Column("suspect", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "scope", "ref"),
    )
    op.create_index(
        "observed_order_gone",
        "observed_order",
        ["channel_id", "scope", "ref"],
        unique=False,
        sqlite_where=sa.text("gone_since IS NOT NULL"),
        postgresql_where=sa.text("gone_since IS NOT NULL"),
    )


def _reconciliation_finding() -> None:
    _create(
        "reconciliation_finding",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("difference_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(
            ["difference_id"],
            ["reconciliation_difference.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "difference_id"),
    )
    op.create_index(
        "finding_of_difference", "reconciliation_finding", ["difference_id"], unique=False
    )


def _reconciliation_promise() -> None:
    _create(
        "reconciliation_promise",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("measure", sa.String(length=20), nullable=False),
        sa.Column("promised", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("broken_since", sa.BigInteger(), nullable=True),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "measure"),
    )


def _reconciliation_schedule() -> None:
    _create(
        "reconciliation_schedule",
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("every_seconds", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("jitter_seconds", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("blackouts", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"],
            ["channel.id"],
        ),
        sa.PrimaryKeyConstraint("channel_id", "scope"),
    )


def _return_case() -> None:
    _create(
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


def _refund_request() -> None:
    _create(
        "refund_request",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("order_id", sa.String(length=36), nullable=False),
        sa.Column("return_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("amount", sa.String(length=40), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("refunded_before", sa.String(length=40), nullable=True),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("refund_ref", sa.String(length=200), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.Column("requested_by", sa.String(length=100), nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.ForeignKeyConstraint(
            ["return_id"],
            ["return_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_refund_request_order_id"), "refund_request", ["order_id"], unique=False
    )
    op.create_index(
        op.f("ix_refund_request_return_id"), "refund_request", ["return_id"], unique=False
    )
    op.create_index(
        "refund_request_state", "refund_request", ["state", "requested_at"], unique=False
    )


def _sensor_reading() -> None:
    _create(
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


def _unit_cost() -> None:
    _create(
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


def _unit_field() -> None:
    _create(
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


def _warranty_claim() -> None:
    _create(
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


def _warranty_record() -> None:
    _create(
        "warranty_record",
        sa.Column("unit_id", sa.String(length=36), nullable=False),
        sa.Column("channel_id", sa.String(length=36), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("registered", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("starts_on", sa.String(length=10), nullable=True),
        sa.Column("ends_on", sa.String(length=10), nullable=True),
        sa.Column("latest_ends_on", sa.String(length=10), nullable=True),
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


def _append_only(table: str, refusal: str) -> None:
    """Have the database refuse to change or delete rows of a table."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{refusal}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
    )


def _number_transactions() -> None:
    """Store each event's transaction on PostgreSQL.

    Feeds follow the order of commits: a reader never passes the oldest running transaction.
    """
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE event ALTER COLUMN transaction_id "
            "SET DEFAULT (pg_current_xact_id()::text)::bigint"
        )


def _places() -> None:
    """Store the places outside all sites; each is its own site."""
    for place_id, code, name, kind in PLACES:
        op.execute(
            "INSERT INTO location(id, code, name, kind, site_id, created_at) "
            f"VALUES ('{place_id}', '{code}', '{name}', '{kind}', '{place_id}', 0)"
        )


def _note_changes(table: str, key: str, columns: list[str], hidden: list[str]) -> None:
    """Have the database note who changed what in a table, whoever asks for it.

    `hidden` columns hold secrets, or what belongs to a person: only that they changed is noted.
    """
    if op.get_bind().dialect.name == "sqlite":
        _note_changes_in_sqlite(table, key, columns, hidden)
        return
    shown = ", ".join(f"'{name}', (noted.{name})::text" for name in columns)
    digests = ", ".join(f"'{name}', left(md5(noted.{name}::text), 8)" for name in hidden)
    op.execute(
        f"CREATE FUNCTION {table}_as_noted(noted {table}) RETURNS text LANGUAGE sql AS "
        f"$$ SELECT jsonb_build_object({', '.join(filter(None, (shown, digests)))})::text $$"
    )
    op.execute(
        f"CREATE FUNCTION {table}_is_noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO trail_change(transaction_id, subject, row_id, before, after) VALUES("
        f"(pg_current_xact_id()::text)::bigint, '{table}', "
        f"CASE TG_OP WHEN 'DELETE' THEN OLD.{key} ELSE NEW.{key} END, "
        f"CASE TG_OP WHEN 'INSERT' THEN NULL ELSE {table}_as_noted(OLD) END, "
        f"CASE TG_OP WHEN 'DELETE' THEN NULL ELSE {table}_as_noted(NEW) END); "
        "RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_changes AFTER INSERT OR DELETE OR "
        f"UPDATE OF {', '.join((*columns, *hidden))} ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_noted()"
    )


def _note_changes_in_sqlite(table: str, key: str, columns: list[str], hidden: list[str]) -> None:
    def noted(row: str) -> str:
        shown = [f"'{name}', CAST({row}.{name} AS TEXT)" for name in columns]
        marks = [f"'{name}', '(hidden)'" for name in hidden]
        return f"json_object({', '.join((*shown, *marks))})"

    def changed() -> str:
        shown = [f"'{name}', CAST(NEW.{name} AS TEXT)" for name in columns]
        marks = [
            f"'{name}', CASE WHEN NEW.{name} IS OLD.{name} THEN '(hidden)' "
            "ELSE '(hidden, changed)' END"
            for name in hidden
        ]
        return f"json_object({', '.join((*shown, *marks))})"

    for verb, of, before, after in (
        ("INSERT", "NEW", "NULL", noted("NEW")),
        ("DELETE", "OLD", noted("OLD"), "NULL"),
        (f"UPDATE OF {', '.join((*columns, *hidden))}", "NEW", noted("OLD"), changed()),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_notes_{verb.split()[0].lower()} AFTER {verb} ON {table} BEGIN "
            f"INSERT INTO trail_change(subject, row_id, before, after) "
            f"VALUES('{table}', {of}.{key}, {before}, {after}); END"
        )
