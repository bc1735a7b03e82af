"""Orders with their channel, their lines and their units."""

from collections.abc import Sequence

from hub.ledger.units import UNITS
from hub.storage.paging import Filter, page_size
from hub.storage.sql import Row, Transaction


def orders(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    channel: str | None = None,
    state: str | None = None,
    number: str | None = None,
) -> list[Row]:
    """Return orders, the newest first, one more than asked for."""
    wanted = Filter()
    wanted.add("sales_order.id < :before", before=before)
    wanted.add("channel.code = :channel", channel=channel)
    wanted.add("sales_order.state = :state", state=state)
    wanted.add("sales_order.number = :number", number=number)
    return tx.rows(
        "SELECT sales_order.*, channel.code AS channel_code, channel.name AS channel_name "
        f"FROM sales_order JOIN channel ON channel.id = sales_order.channel_id {wanted.where()}"
        "ORDER BY sales_order.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )


def orders_by_id(tx: Transaction, order_ids: Sequence[str]) -> dict[str, Row]:
    """Return orders with their channels, by id."""
    rows = tx.rows(
        "SELECT sales_order.*, channel.code AS channel_code, channel.name AS channel_name "
        "FROM sales_order JOIN channel ON channel.id = sales_order.channel_id "
        "WHERE sales_order.id IN (:ids...)",
        ids=list(order_ids),
    )
    return {row["id"]: row for row in rows}


def order_lines(tx: Transaction, order_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the lines of orders with their bound units' ids."""
    found: dict[str, list[Row]] = {order_id: [] for order_id in order_ids}
    lines = tx.rows(
        "SELECT * FROM order_line WHERE order_id IN (:ids...) ORDER BY id", ids=list(order_ids)
    )
    for row in lines:
        found[row["order_id"]].append(row)
    return found


def line_units(tx: Transaction, line_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the units bound to order lines."""
    found: dict[str, list[Row]] = {line_id: [] for line_id in line_ids}
    rows = tx.rows(
        f"{UNITS}WHERE unit.order_line_id IN (:ids...) ORDER BY unit.id", ids=list(line_ids)
    )
    for row in rows:
        found[row["order_line_id"]].append(row)
    return found


def line_orders(tx: Transaction, line_ids: Sequence[str]) -> dict[str, str]:
    """Return the order's id of each order line."""
    rows = tx.rows("SELECT id, order_id FROM order_line WHERE id IN (:ids...)", ids=list(line_ids))
    return {row["id"]: row["order_id"] for row in rows}
