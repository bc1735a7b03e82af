"""Availability policies, and the trail, the owners and the rules of cases."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

AVAILABLE = "status = 'in_stock' AND promised_to IS NULL AND blocks = 0"


def upgrade() -> None:
    """Go forward."""
    op.add_column("channel", sa.Column("policy", sa.Text(), nullable=True))
    op.add_column("listing", sa.Column("policy", sa.Text(), nullable=True))
    _indexes()
    op.create_table(
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
        sa.ForeignKeyConstraint(["case_id"], ["exception_case.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("case_event_case", "case_event", ["case_id", "id"], unique=False)
    op.create_table(
        "case_owner",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("changed_by", sa.String(length=100), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind"),
    )
    op.create_table(
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
    op.create_table(
        "quality_mark",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=36), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    _protect_the_trail()


def _indexes() -> None:
    op.drop_index("unit_available", table_name="unit")
    op.create_index(
        "unit_available",
        "unit",
        [
            "product_id",
            "location_id",
            "client_id",
            "condition",
            "grade",
            "expires_on",
            "received_at",
            "blocks",
            "promised_to",
            "status",
        ],
        unique=False,
        sqlite_where=sa.text(AVAILABLE),
        postgresql_where=sa.text(AVAILABLE),
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
        "unit_unreceived",
        "unit",
        ["status"],
        unique=False,
        sqlite_where=sa.text("received_at IS NULL"),
        postgresql_where=sa.text("received_at IS NULL"),
    )
    op.create_index(
        op.f("ix_delivery_line_product_id"), "delivery_line", ["product_id"], unique=False
    )


def _protect_the_trail() -> None:
    """Let the database itself refuse to change or delete what is told of a case."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER case_event_refuses_{verb.lower()} BEFORE {verb} ON case_event "
                "BEGIN SELECT RAISE(ABORT, 'the trail of a case is never changed'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION case_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the trail of a case is never changed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER case_event_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON case_event FOR EACH STATEMENT EXECUTE FUNCTION case_event_is_append_only()"
    )
