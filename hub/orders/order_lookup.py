"""Order look-up: orders and lines by id, and the document of commands for an order."""

from dataclasses import replace

from hub.commands.context import CommandContext, Document
from hub.errors import UnknownReference
from hub.ledger.rules.order import ORDER_LINES, CheckedLineRow
from hub.storage.rows import OrderRow
from hub.storage.sql import Transaction


class ChannelOrderRow(OrderRow):
    """An order with the code of its channel."""

    channel_code: str


def line_of(tx: Transaction, line_id: str) -> CheckedLineRow:
    """Return an order line with its order; raise UnknownReference if there is none."""
    row = tx.row_as(CheckedLineRow, f"{ORDER_LINES}WHERE order_line.id = :id", id=line_id)
    if row is None:
        raise UnknownReference(f"there is no order line {line_id!r}", field="order_line")
    return row


def order_of(tx: Transaction, order_id: str) -> ChannelOrderRow:
    """Return an order with its channel's code; raise UnknownReference if there is none."""
    row = tx.row_as(
        ChannelOrderRow,
        "SELECT sales_order.*, channel.code AS channel_code FROM sales_order "
        "JOIN channel ON channel.id = sales_order.channel_id WHERE sales_order.id = :id",
        id=order_id,
    )
    if row is None:
        raise UnknownReference(f"there is no order {order_id!r}", field="order")
    return row


def lines_of(tx: Transaction, order_id: str) -> dict[str, CheckedLineRow]:
    """Return the lines of an order by their ids, in the order of the ids."""
    rows = tx.rows_as(
        CheckedLineRow,
        f"{ORDER_LINES}WHERE order_line.order_id = :id ORDER BY order_line.id",
        id=order_id,
    )
    return {row["id"]: row for row in rows}


def documented(context: CommandContext, number: str) -> CommandContext:
    """Return the context with the order as its document, unless it has a document."""
    return context if context.document else replace(context, document=Document("inv", number))


def state_of(tx: Transaction, channel_id: str, ref: str) -> str | None:
    """Return the state of a channel's order, None where it is not stored."""
    found: str | None = tx.value(
        "SELECT state FROM sales_order WHERE channel_id = :channel AND ref = :ref",
        channel=channel_id,
        ref=ref,
    )
    return found
