"""Orders and their returns: what channels say of them, oversold orders, listings of one unit."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# SQLite keeps no names of unique constraints: they get one so that one can be dropped.
NAMES = {"uq": "uq_%(table_name)s_%(column_0_N_name)s"}


def upgrade() -> None:
    """Go forward."""
    _channels_and_listings()
    _orders()
    _returns()


def _channels_and_listings() -> None:
    op.add_column(
        "channel",
        sa.Column(
            "oversell",
            sa.String(length=20),
            server_default=sa.text("'back_order'"),
            nullable=False,
        ),
    )
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("listing", naming_convention=NAMES) as table:
            table.drop_constraint("uq_listing_channel_id_product_id", type_="unique")
    else:
        op.drop_constraint("listing_channel_id_product_id_key", "listing")
    op.add_column("listing", sa.Column("unit_id", sa.String(length=36), nullable=True))
    op.create_index(
        "listing_of_product",
        "listing",
        ["channel_id", "product_id"],
        unique=True,
        sqlite_where=sa.text("unit_id IS NULL"),
        postgresql_where=sa.text("unit_id IS NULL"),
    )
    op.create_index(
        "listing_of_unit",
        "listing",
        ["unit_id", "channel_id"],
        unique=True,
        sqlite_where=sa.text("unit_id IS NOT NULL"),
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )
    op.add_column("listing_level", sa.Column("unit_id", sa.String(length=36), nullable=True))
    op.create_index(
        "listing_level_of_unit",
        "listing_level",
        ["unit_id"],
        unique=False,
        sqlite_where=sa.text("unit_id IS NOT NULL"),
        postgresql_where=sa.text("unit_id IS NOT NULL"),
    )


def _orders() -> None:
    op.add_column(
        "sales_order",
        sa.Column("handed_over", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
    )
    op.add_column("sales_order", sa.Column("origin_ref", sa.String(length=200), nullable=True))
    op.add_column("sales_order", sa.Column("same_as", sa.String(length=36), nullable=True))
    op.add_column("sales_order", sa.Column("same_verdict", sa.String(length=20), nullable=True))
    op.create_index(
        "sales_order_origin",
        "sales_order",
        ["origin_ref"],
        unique=False,
        sqlite_where=sa.text("origin_ref IS NOT NULL"),
        postgresql_where=sa.text("origin_ref IS NOT NULL"),
    )
    op.add_column(
        "order_line",
        sa.Column("serials", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
    )
    op.add_column("order_line", sa.Column("unit_id", sa.String(length=36), nullable=True))
    for name, column in (("line_return", "unit_id"), ("substitution", "product_id")):
        op.create_table(
            name,
            sa.Column("order_line_id", sa.String(length=36), nullable=False),
            sa.Column(column, sa.String(length=36), nullable=False),
            *(
                [
                    sa.Column("returned_at", sa.BigInteger(), nullable=False),
                    sa.Column(
                        "times", sa.BigInteger(), server_default=sa.text("1"), nullable=False
                    ),
                ]
                if name == "line_return"
                else [
                    sa.Column("decided_by", sa.String(length=100), nullable=False),
                    sa.Column("decided_at", sa.BigInteger(), nullable=False),
                ]
            ),
            sa.ForeignKeyConstraint(["order_line_id"], ["order_line.id"]),
            sa.ForeignKeyConstraint([column], [f"{column.removesuffix('_id')}.id"]),
            sa.PrimaryKeyConstraint("order_line_id", column),
        )
    # Units that are back and not in stock again still know their line.
    op.execute(
        "INSERT INTO line_return(order_line_id, unit_id, returned_at) "
        "SELECT order_line_id, id, changed_at FROM unit WHERE order_line_id IS NOT NULL "
        "AND promised_to IS NULL AND status IN ('returned', 'in_repair', 'condemned')"
    )
    op.create_table(
        "product_alternative",
        sa.Column("product_id", sa.String(length=36), nullable=False),
        sa.Column("alternative_id", sa.String(length=36), nullable=False),
        sa.Column("rank", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"]),
        sa.ForeignKeyConstraint(["alternative_id"], ["product.id"]),
        sa.PrimaryKeyConstraint("product_id", "alternative_id"),
    )


def _returns() -> None:
    op.create_table(
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
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"]),
        sa.ForeignKeyConstraint(["order_id"], ["sales_order.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel_id", "ref"),
    )
    op.create_index(
        op.f("ix_channel_return_order_id"), "channel_return", ["order_id"], unique=False
    )
    op.create_index(
        "channel_return_of_ref", "channel_return", ["channel_id", "order_ref"], unique=False
    )
    numbers = [
        sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        for name in ("quantity", "arrived", "refunded", "taken_off")
    ]
    op.create_table(
        "channel_return_line",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("return_id", sa.String(length=36), nullable=False),
        sa.Column("order_line_ref", sa.String(length=200), nullable=False),
        *numbers,
        sa.Column("comes_back", sa.Boolean(), server_default=sa.text("(true)"), nullable=False),
        sa.Column("restock", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("reason", sa.String(length=200), server_default=sa.text("('')"), nullable=False),
        sa.Column("serials", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(["return_id"], ["channel_return.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "channel_return_line_of",
        "channel_return_line",
        ["return_id", "order_line_ref"],
        unique=False,
    )
