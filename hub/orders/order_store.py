"""Order store: store an order as its channel reports it, before any processing."""

from typing import TypedDict

import orjson

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.storage.rows import ChannelRow, OrderRow
from hub.storage.sql import Transaction
from hub.vocabulary import Order, OrderLine, OrderState

ORDERS = (
    "SELECT sales_order.*, channel.code AS channel_code FROM sales_order "
    "JOIN channel ON channel.id = sales_order.channel_id "
)


class _Id(TypedDict):
    id: str


class _LineRef(TypedDict):
    id: str
    ref: str


class _ListedItem(TypedDict):
    product_id: str
    unit_id: str | None


def is_old(known: OrderRow | None, order: Order) -> bool:
    """Return whether the stored order is newer; at the same time, a cancelled one is newer."""
    if known is None:
        return False
    updated_at = micros(order.updated_at)
    if updated_at != known["remote_updated_at"]:
        return updated_at < known["remote_updated_at"]
    return known["state"] == OrderState.CANCELLED and order.state is not OrderState.CANCELLED


def store(tx: Transaction, context: CommandContext, channel: ChannelRow, order: Order) -> str:
    """Store an order and its lines and return its id; removed lines get quantity 0."""
    row = tx.row_as(
        _Id,
        "INSERT INTO sales_order(id, channel_id, ref, number, state, remote_state, at_counter, "
        "handed_over, customer_ref, origin_ref, placed_at, remote_updated_at, recorded_at) "
        "VALUES(:id, :channel, :ref, :number, :state, :remote_state, :at_counter, :handed_over, "
        ":customer, :origin, :placed_at, :updated_at, :now) "
        "ON CONFLICT(channel_id, ref) DO UPDATE SET state = excluded.state, "
        "number = excluded.number, remote_state = excluded.remote_state, "
        "at_counter = excluded.at_counter, handed_over = excluded.handed_over, "
        "customer_ref = COALESCE(excluded.customer_ref, sales_order.customer_ref), "
        "origin_ref = COALESCE(excluded.origin_ref, sales_order.origin_ref), "
        "remote_updated_at = excluded.remote_updated_at RETURNING id",
        id=new_id(),
        channel=channel["id"],
        ref=order.ref,
        number=order.number[:100],
        # Our own units decide whether an order is fulfilled, not the channel.
        state=str(OrderState.OPEN if order.state is OrderState.FULFILLED else order.state),
        remote_state=order.remote_state[:100],
        at_counter=order.at_counter,
        handed_over=order.at_counter and order.state is OrderState.FULFILLED,
        customer=order.customer_ref,
        origin=order.origin_ref and order.origin_ref[:200],
        placed_at=micros(order.placed_at),
        updated_at=micros(order.updated_at),
        now=micros(context.now),
    )
    assert row is not None
    for line in order.lines:
        _store_line(tx, channel, row["id"], line)
    _drop_lines(tx, row["id"], {line.ref for line in order.lines})
    return row["id"]


def sold_as(tx: Transaction, channel_id: str, sku: str) -> tuple[str | None, str | None]:
    """Return the product id of a channel's SKU, and the unit id of a single-unit listing."""
    listing = tx.row_as(
        _ListedItem,
        "SELECT product_id, unit_id FROM listing WHERE channel_id = :channel AND sku = :sku",
        channel=channel_id,
        sku=sku,
    )
    if listing is not None:
        return listing["product_id"], listing["unit_id"]
    return tx.value("SELECT id FROM product WHERE sku = :sku", sku=sku), None


def _store_line(tx: Transaction, channel: ChannelRow, order_id: str, line: OrderLine) -> None:
    product_id, unit_id = sold_as(tx, channel["id"], line.sku)
    tx.run(
        "INSERT INTO order_line(id, order_id, ref, sku, title, product_id, unit_id, quantity, "
        "remote_fulfilled, serials) VALUES(:id, :order_id, :ref, :sku, :title, :product, :unit, "
        ":quantity, :fulfilled, :serials) ON CONFLICT(order_id, ref) DO UPDATE SET "
        "sku = excluded.sku, title = excluded.title, product_id = excluded.product_id, "
        "unit_id = excluded.unit_id, quantity = excluded.quantity, "
        "remote_fulfilled = excluded.remote_fulfilled, serials = excluded.serials",
        id=new_id(),
        order_id=order_id,
        ref=line.ref,
        sku=line.sku,
        title=line.title[:300],
        product=product_id,
        unit=unit_id,
        quantity=max(0, line.quantity),
        fulfilled=line.fulfilled,
        serials=orjson.dumps(line.serials).decode(),
    )


def _drop_lines(tx: Transaction, order_id: str, refs: set[str]) -> None:
    rows = tx.rows_as(
        _LineRef, "SELECT id, ref FROM order_line WHERE order_id = :order", order=order_id
    )
    gone = [row["id"] for row in rows if row["ref"] not in refs]
    if gone:
        tx.run("UPDATE order_line SET quantity = 0 WHERE id IN (:ids...)", ids=gone)
