"""Order store: store an order as its channel reports it, before any processing."""

from decimal import Decimal
from typing import TypedDict

import orjson

from hub.clock import micros, new_id
from hub.commands.context import CommandContext
from hub.storage.rows import ChannelRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import bindings, mappings
from hub.vocabulary import HoldReason, LineKind, Order, OrderLine, OrderState

ORDERS = (
    "SELECT sales_order.*, channel.code AS channel_code FROM sales_order "
    "JOIN channel ON channel.id = sales_order.channel_id "
)

# What an order said once, and does not say again.
NEVER_FORGOTTEN = ("customer_ref", "staff_ref", "origin_ref")


class _Id(TypedDict):
    id: str


class _LineRef(TypedDict):
    id: str
    ref: str


class _KindOfLine(TypedDict):
    id: str
    order_id: str
    sku: str
    title: str
    kind: str


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
    """Store an order and its lines and return its id; removed lines get quantity 0.

    The end of its promises is forgotten once it is no longer unpaid.
    """
    columns = {**_facts(channel, order), "recorded_at": micros(context.now)}
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    kept = {"channel_id", "ref", "placed_at", "recorded_at", *NEVER_FORGOTTEN}
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in kept)
    remembered = ", ".join(
        f"{name} = COALESCE(excluded.{name}, sales_order.{name})" for name in NEVER_FORGOTTEN
    )
    row = tx.row_as(
        _Id,  # the names are constants of this module, never input
        f"INSERT INTO sales_order(id, {names}) VALUES(:id, {values}) "
        f"ON CONFLICT(channel_id, ref) DO UPDATE SET {changed}, "
        f"{remembered}, "
        "hold_override = CASE WHEN excluded.hold = sales_order.hold_override "
        "THEN sales_order.hold_override END, "
        "promises_ended_at = CASE WHEN excluded.state = 'pending' "
        "THEN sales_order.promises_ended_at END RETURNING id",
        id=new_id(),
        **columns,
    )
    assert row is not None
    for line in order.lines:
        _store_line(tx, channel, row["id"], line)
    _drop_lines(tx, row["id"], {line.ref for line in order.lines})
    return row["id"]


def state_and_hold(channel: ChannelRow, order: Order) -> tuple[OrderState, HoldReason | None]:
    """Return the stored state of a reported order, and why nothing of it may leave.

    Our own units decide whether an order is fulfilled, not the channel. An order with a hold is
    pending, and a pending order has one. A test order is a draft, unless its channel serves them.
    """
    if order.state is OrderState.CANCELLED:
        return order.state, None
    if order.state is OrderState.DRAFT or (order.test and not channel["serves_test_orders"]):
        return OrderState.DRAFT, None
    if order.state is OrderState.FULFILLED:
        return OrderState.OPEN, None
    hold = order.hold
    if hold is None and order.state is OrderState.PENDING:
        hold = HoldReason.PAYMENT_PENDING
    if hold is HoldReason.PAYMENT_PENDING and order.total == 0:
        hold = None  # a free order: nobody has to pay
    if hold is None and _is_paid_back(order):
        hold = HoldReason.REFUNDED
    return (OrderState.OPEN, None) if hold is None else (OrderState.PENDING, hold)


def _is_paid_back(order: Order) -> bool:
    """Return whether all that the buyer paid was refunded, where the channel shows both amounts."""
    return bool(order.total and order.refunded and order.refunded >= order.total)


def _facts(channel: ChannelRow, order: Order) -> dict[str, str | int | None]:
    """Return the columns of an order, as its channel reports it."""
    state, hold = state_and_hold(channel, order)
    fulfilled = order.state is OrderState.FULFILLED
    return {
        "channel_id": channel["id"],
        "ref": order.ref,
        "number": order.number[:100],
        "state": str(state),
        "hold": None if hold is None else str(hold),
        "is_test": order.test,
        "remote_state": order.remote_state[:100],
        "payment_state": order.payment_state[:100],
        "shipment_state": order.shipment_state[:100],
        "remote_done": fulfilled,
        "at_counter": order.at_counter,
        "handed_over": order.at_counter and fulfilled and state is OrderState.OPEN,
        "customer_ref": order.customer_ref and order.customer_ref[:200],
        "staff_ref": order.staff_ref and order.staff_ref[:200],
        "origin_ref": order.origin_ref and order.origin_ref[:200],
        "placed_at": micros(order.placed_at),
        "remote_updated_at": micros(order.updated_at),
        "currency": order.currency,
        "total": _amount(order.total),
        "discount": _amount(order.discount),
        "tax": _amount(order.tax),
        "shipping": _amount(order.shipping),
        "refunded": _amount(order.refunded),
        "tax_included": order.tax_included,
        "ship_by": None if order.ship_by is None else micros(order.ship_by),
        "deliver_by": None if order.deliver_by is None else micros(order.deliver_by),
        "is_gift": order.is_gift,
        "has_note": order.has_note,
        "location_ref": order.location_ref and order.location_ref[:200],
    }


def _amount(value: Decimal | None) -> str | None:
    """Return an exact amount as plain text: no exponent, all decimals as the channel wrote them."""
    return None if value is None else f"{value:f}"[:40]


def sold_as(tx: Transaction, channel_id: str, sku: str) -> tuple[str | None, str | None]:
    """Return the product id of a channel's SKU, and the unit id of a single-unit listing."""
    listing = tx.row_as(
        _ListedItem,
        # A copy sells what its original does.
        "SELECT product_id, unit_id FROM listing WHERE channel_id = :channel AND sku = :sku "
        "AND copy_of IS NULL",
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
        "remote_fulfilled, serials, kind, unit_price, discount, tax) VALUES(:id, :order_id, :ref, "
        ":sku, :title, :product, :unit, :quantity, :fulfilled, :serials, :kind, :unit_price, "
        ":discount, :tax) ON CONFLICT(order_id, ref) DO UPDATE SET "
        "sku = excluded.sku, title = excluded.title, product_id = excluded.product_id, "
        "unit_id = excluded.unit_id, quantity = excluded.quantity, "
        "remote_fulfilled = excluded.remote_fulfilled, serials = excluded.serials, "
        "kind = excluded.kind, unit_price = excluded.unit_price, discount = excluded.discount, "
        "tax = excluded.tax",
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
        kind=str(_kind(tx, channel, line, product_id)),
        unit_price=_amount(line.unit_price),
        discount=_amount(line.discount),
        tax=_amount(line.tax),
    )


def _kind(
    tx: Transaction, channel: ChannelRow, line: OrderLine, product_id: str | None
) -> LineKind:
    """Return what a line sells: a product that is tracked by serial is goods.

    Shops mark goods that they never ship as if these were services. What people mapped counts.
    """
    if line.kind is LineKind.GOODS or product_id is None:
        return line.kind
    if mappings.line_kind(channel, line.sku, line.title) is not None:
        return line.kind
    return LineKind.GOODS if bindings.is_kept(tx, product_id) else line.kind


def _drop_lines(tx: Transaction, order_id: str, refs: set[str]) -> None:
    rows = tx.rows_as(
        _LineRef, "SELECT id, ref FROM order_line WHERE order_id = :order", order=order_id
    )
    gone = [row["id"] for row in rows if row["ref"] not in refs]
    if gone:
        tx.run("UPDATE order_line SET quantity = 0 WHERE id IN (:ids...)", ids=gone)


def apply_line_kinds(tx: Transaction, channel: ChannelRow, *, limit: int) -> list[str]:
    """Apply a channel's mapping of line kinds to its stored lines; return the changed orders.

    The newest `limit` lines without a product or with a kind of their own are looked at: the
    channel states the others again with their orders.
    """
    rows = tx.rows_as(
        _KindOfLine,
        "SELECT order_line.id, order_line.order_id, order_line.sku, order_line.title, "
        "order_line.kind FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE sales_order.channel_id = :channel AND sales_order.state IN ('open', 'pending') "
        "AND (order_line.product_id IS NULL OR order_line.kind <> 'goods') "
        "ORDER BY sales_order.placed_at DESC, order_line.id LIMIT :limit",
        channel=channel["id"],
        limit=limit,
    )
    changed: dict[str, None] = {}
    for row in rows:
        kind = mappings.line_kind(channel, row["sku"], row["title"])
        if kind is not None and kind != row["kind"]:
            tx.run(
                "UPDATE order_line SET kind = :kind WHERE id = :id", kind=str(kind), id=row["id"]
            )
            changed[row["order_id"]] = None
    return list(changed)
