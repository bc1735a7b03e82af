"""Order reads: orders with their channels, lines and units."""

from collections.abc import Sequence
from typing import TypedDict

from hub.ledger.units import UNITS, UnitViewRow
from hub.storage.paging import Filter, page_size
from hub.storage.rows import OrderLineRow, OrderRow
from hub.storage.sql import Transaction


class OrderViewRow(OrderRow):
    """An order with the code and name of its channel."""

    channel_code: str
    channel_name: str


class _LineOrder(TypedDict):
    id: str
    order_id: str


def orders(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    channel: str | None = None,
    state: str | None = None,
    number: str | None = None,
    hold: str | None = None,
) -> list[OrderViewRow]:
    """Return orders, newest first, up to `first` plus one."""
    wanted = Filter()
    wanted.add("sales_order.id < :before", before=before)
    wanted.add("channel.code = :channel", channel=channel)
    wanted.add("sales_order.state = :state", state=state)
    wanted.add("sales_order.number = :number", number=number)
    wanted.add("sales_order.hold = :hold", hold=hold)
    return tx.rows_as(
        OrderViewRow,
        "SELECT sales_order.*, channel.code AS channel_code, channel.name AS channel_name "
        f"FROM sales_order JOIN channel ON channel.id = sales_order.channel_id {wanted.where()}"
        "ORDER BY sales_order.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def orders_by_id(tx: Transaction, order_ids: Sequence[str]) -> dict[str, OrderViewRow]:
    """Return orders with their channels, by id."""
    rows = tx.rows_as(
        OrderViewRow,
        "SELECT sales_order.*, channel.code AS channel_code, channel.name AS channel_name "
        "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
        "WHERE sales_order.id IN (:ids...)",
        ids=list(order_ids),
    )
    return {row["id"]: row for row in rows}


def order_lines(tx: Transaction, order_ids: Sequence[str]) -> dict[str, list[OrderLineRow]]:
    """Return the lines of orders by order id."""
    found: dict[str, list[OrderLineRow]] = {order_id: [] for order_id in order_ids}
    lines = tx.rows_as(
        OrderLineRow,
        "SELECT * FROM order_line WHERE order_id IN (:ids...) ORDER BY id",
        ids=list(order_ids),
    )
    for row in lines:
        found[row["order_id"]].append(row)
    return found


def line_units(tx: Transaction, line_ids: Sequence[str]) -> dict[str, list[UnitViewRow]]:
    """Return the units of order lines by line id."""
    found: dict[str, list[UnitViewRow]] = {line_id: [] for line_id in line_ids}
    rows = tx.rows_as(
        UnitViewRow,
        f"{UNITS}WHERE unit.order_line_id IN (:ids...) ORDER BY unit.id",
        ids=list(line_ids),
    )
    for row in rows:
        assert row["order_line_id"] is not None  # selected by it
        found[row["order_line_id"]].append(row)
    return found


def line_orders(tx: Transaction, line_ids: Sequence[str]) -> dict[str, str]:
    """Return the order ids of order lines by line id."""
    rows = tx.rows_as(
        _LineOrder, "SELECT id, order_id FROM order_line WHERE id IN (:ids...)", ids=list(line_ids)
    )
    return {row["id"]: row["order_id"] for row in rows}
