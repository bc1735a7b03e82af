"""Unmapped order lines: open a case for an unknown SKU, bind the line once the SKU is known."""

from typing import TypedDict

from hub import cases
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.orders.order_store import sold_as
from hub.storage.rows import OrderLineRow, OrderRow
from hub.storage.sql import Transaction

WAITING = (
    "FROM order_line JOIN sales_order ON sales_order.id = order_line.order_id "
    "WHERE order_line.product_id IS NULL AND order_line.quantity > 0 "
    "AND order_line.kind = 'goods' AND sales_order.state NOT IN ('cancelled', 'draft') "
    "AND COALESCE(sales_order.same_verdict, '') NOT IN ('suspected', 'same') "
)


class _Subject(TypedDict):
    subject: str


class _Requested(TypedDict):
    sku: str
    title: str


class _BoundLine(TypedDict):
    id: str
    sku: str
    order_id: str
    channel_id: str


def report(tx: Transaction, context: CommandContext, order: OrderRow, line: OrderLineRow) -> None:
    """Open a case for a line with an unknown SKU."""
    asked = line["sku"] or line["title"]
    finding = Finding(
        kind=CaseKind.UNMAPPED_LISTING,
        subject=asked,
        channel_id=order["channel_id"],
        severity=Severity.HIGH,
        summary=f"Order {order['number']} asks for {asked!r}, which is no product.",
        details={"order": order["number"], "line": line["ref"], "quantity": line["quantity"]},
    )
    cases.report(tx, finding, context.now)


def close(tx: Transaction, context: CommandContext, channel_id: str) -> None:
    """Close the cases of SKUs that no line of a channel waits for."""
    open_cases = tx.rows_as(
        _Subject,
        "SELECT subject FROM exception_case WHERE kind = 'unmapped_listing' "
        "AND channel_key = :channel AND state <> 'resolved'",
        channel=channel_id,
    )
    if not open_cases:
        return
    waiting = tx.rows_as(
        _Requested,
        f"SELECT DISTINCT order_line.sku, order_line.title {WAITING}"
        "AND sales_order.channel_id = :channel",
        channel=channel_id,
    )
    still = {(row["sku"] or row["title"])[:200] for row in waiting}
    done = [row["subject"] for row in open_cases if row["subject"] not in still]
    cases.settle_many(tx, CaseKind.UNMAPPED_LISTING, done, channel_id, context.now)


def orders_to_bind(tx: Transaction, *, limit: int, channel_id: str | None = None) -> list[str]:
    """Bind waiting lines to the product that their SKU now names; return the ids of their orders.

    Allocates nothing: the caller settles the orders.
    """
    rows = tx.rows_as(
        _BoundLine,
        f"SELECT order_line.id, order_line.sku, order_line.order_id, sales_order.channel_id "
        f"{WAITING}AND order_line.sku <> '' "
        f"{'' if channel_id is None else 'AND sales_order.channel_id = :channel '}"
        "AND (EXISTS (SELECT 1 FROM listing WHERE listing.channel_id = sales_order.channel_id "
        "AND listing.sku = order_line.sku) "
        "OR EXISTS (SELECT 1 FROM product WHERE product.sku = order_line.sku)) "
        "ORDER BY sales_order.placed_at, order_line.id LIMIT :limit",
        limit=limit,
        **({} if channel_id is None else {"channel": channel_id}),
    )
    for row in rows:
        product_id, unit_id = sold_as(tx, row["channel_id"], row["sku"])
        tx.run(
            "UPDATE order_line SET product_id = :product, unit_id = :unit WHERE id = :id",
            product=product_id,
            unit=unit_id,
            id=row["id"],
        )
    return list(dict.fromkeys(row["order_id"] for row in rows))
