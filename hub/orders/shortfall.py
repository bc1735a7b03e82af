"""Shortfalls: allocate another unit to order lines that lost one, or open a case."""

from collections.abc import Sequence
from dataclasses import replace

from hub import cases, orders
from hub.availability.demand import WANTS_UNITS
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.orders import line_status, order_lookup
from hub.storage.rows import OrderLineRow
from hub.storage.sql import Transaction
from hub.sync import channels


class _ShortLineRow(OrderLineRow):
    channel_id: str
    number: str
    order_ref: str


def promise_anew(tx: Transaction, context: CommandContext, line_ids: Sequence[str]) -> None:
    """Allocate other units to open order lines, and open cases for missing ones."""
    rows = tx.rows_as(
        _ShortLineRow,
        "SELECT order_line.*, sales_order.channel_id, sales_order.number, "
        "sales_order.ref AS order_ref FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        f"WHERE order_line.id IN (:lines...) AND {WANTS_UNITS} "
        "AND order_line.product_id IS NOT NULL ORDER BY sales_order.placed_at, order_line.id",
        lines=list(line_ids),
    )
    for row in rows:
        channel = channels.by_id(tx, row["channel_id"])
        (one,) = line_status.of_lines(tx, order_lookup.order_of(tx, row["order_id"]), [row])
        lacking = one.lacking
        if lacking > 0:
            # The document explains the loss, not the allocation after it.
            afresh = replace(context, document=None)
            lacking -= orders.allocate(tx, afresh, channel, row, lacking, row["number"])
        if lacking <= 0:
            continue
        finding = Finding(
            kind=CaseKind.OVERSOLD,
            subject=f"{row['order_ref']}/{row['ref']}",
            channel_id=channel["id"],
            severity=Severity.HIGH,
            summary=f"Order {row['number']} lost a unit of {row['sku']}, and needs "
            f"{lacking} more than there are.",
            details={"order": row["number"], "sku": row["sku"], "lacking": lacking},
        )
        cases.report(tx, finding, context.now)
