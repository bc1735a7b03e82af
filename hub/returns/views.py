"""Reads of channel returns with their lines, and of refunds that channels were asked for."""

from collections.abc import Sequence
from typing import TypedDict

from hub.storage.documents import values
from hub.storage.paging import Filter, page_size
from hub.storage.rows import ChannelReturnLineRow, ChannelReturnRow, RefundRequestRow
from hub.storage.sql import Transaction


class _ReturnRow(ChannelReturnRow):
    channel_code: str
    order_number: str | None
    exchange_order_id: str | None


class _ReturnLineRow(ChannelReturnLineRow):
    order_line_id: str | None
    sku: str | None
    came_back: int


class ReturnLineView(TypedDict):
    """A line of a channel return with its order line; `came_back` counts returned units."""

    id: str
    return_id: str
    order_line_ref: str
    quantity: int
    comes_back: bool
    arrived: int
    refunded: int
    taken_off: int
    restock: bool
    reason: str
    serials: list[str]
    order_line_id: str | None
    sku: str | None
    came_back: int


class ReturnView(TypedDict):
    """A channel return with its lines, channel and orders."""

    id: str
    channel_id: str
    ref: str
    order_ref: str
    order_id: str | None
    state: str
    remote_state: str
    refund_ref: str | None
    refunded_at: int | None
    exchange_order_ref: str | None
    exchange_line_refs: list[str]
    remote_updated_at: int
    recorded_at: int
    channel_code: str
    order_number: str | None
    exchange_order_id: str | None
    lines: list[ReturnLineView]


RETURNS = (
    "SELECT channel_return.*, channel.code AS channel_code, sales_order.number AS order_number, "
    "(SELECT id FROM sales_order AS other WHERE other.channel_id = channel_return.channel_id "
    "AND other.ref = channel_return.exchange_order_ref) AS exchange_order_id "
    "FROM channel_return JOIN channel ON channel.id = channel_return.channel_id "
    "LEFT JOIN sales_order ON sales_order.id = channel_return.order_id "
)
# More units of its lines were announced than came back.
EXPECTED_BACK = (
    "channel_return.state IN ('open', 'closed') AND EXISTS (SELECT 1 FROM channel_return_line "
    "JOIN order_line ON order_line.order_id = channel_return.order_id "
    "AND order_line.ref = channel_return_line.order_line_ref "
    "WHERE channel_return_line.return_id = channel_return.id AND channel_return_line.comes_back "
    "AND (SELECT SUM(every.quantity) FROM channel_return AS another "
    "JOIN channel_return_line AS every ON every.return_id = another.id "
    "WHERE another.order_id = order_line.order_id AND another.state <> 'cancelled' "
    "AND every.comes_back AND every.order_line_ref = order_line.ref) > "
    "(SELECT COUNT(*) FROM line_return WHERE line_return.order_line_id = order_line.id))"
)


def page(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    channel: str | None = None,
    state: str | None = None,
    awaited: bool = False,
) -> list[ReturnView]:
    """Return channel returns with their lines, newest first, up to `first` plus one."""
    wanted = Filter()
    wanted.add("channel_return.id < :before", before=before)
    wanted.add("channel.code = :channel", channel=channel)
    wanted.add("channel_return.state = :state", state=state)
    if awaited:
        wanted.add(EXPECTED_BACK)
    rows = tx.rows_as(
        _ReturnRow,
        f"{RETURNS}{wanted.where()}ORDER BY channel_return.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )
    return _with_lines(tx, rows)


def returns_of_orders(tx: Transaction, order_ids: Sequence[str]) -> dict[str, list[ReturnView]]:
    """Return the channel returns of orders by order id, oldest first."""
    found: dict[str, list[ReturnView]] = {order_id: [] for order_id in order_ids}
    rows = tx.rows_as(
        _ReturnRow,
        f"{RETURNS}WHERE channel_return.order_id IN (:ids...) ORDER BY channel_return.id",
        ids=list(order_ids),
    )
    for row in _with_lines(tx, rows):
        assert row["order_id"] is not None  # selected by it
        found[row["order_id"]].append(row)
    return found


def _with_lines(tx: Transaction, rows: Sequence[_ReturnRow]) -> list[ReturnView]:
    lines: dict[str, list[ReturnLineView]] = {row["id"]: [] for row in rows}
    for line in tx.rows_as(
        _ReturnLineRow,
        "SELECT channel_return_line.*, order_line.id AS order_line_id, order_line.sku, "
        "(SELECT COUNT(*) FROM line_return WHERE line_return.order_line_id = order_line.id) "
        "AS came_back FROM channel_return_line "
        "JOIN channel_return ON channel_return.id = channel_return_line.return_id "
        "LEFT JOIN order_line ON order_line.order_id = channel_return.order_id "
        "AND order_line.ref = channel_return_line.order_line_ref "
        "WHERE channel_return_line.return_id IN (:ids...) ORDER BY channel_return_line.id",
        ids=list(lines),
    ):
        lines[line["return_id"]].append({**line, "serials": values(line["serials"])})
    return [
        {
            **row,
            "lines": lines[row["id"]],
            "exchange_line_refs": values(row["exchange_line_refs"]),
        }
        for row in rows
    ]


class RefundView(RefundRequestRow):
    """A refund request with its order and channel."""

    order_number: str
    channel_code: str


REFUNDS = (
    "SELECT refund_request.*, sales_order.number AS order_number, channel.code AS channel_code "
    "FROM refund_request JOIN sales_order ON sales_order.id = refund_request.order_id "
    "JOIN channel ON channel.id = sales_order.channel_id "
)


def refund(tx: Transaction, refund_id: str) -> RefundView | None:
    """Return a refund request by its id, None for an unknown one."""
    return tx.row_as(RefundView, f"{REFUNDS}WHERE refund_request.id = :id", id=refund_id)


def refunds(
    tx: Transaction,
    *,
    first: int,
    before: str | None,
    order: str | None = None,
    state: str | None = None,
) -> list[RefundView]:
    """Return refund requests, newest first, up to `first` plus one."""
    wanted = Filter()
    wanted.add("refund_request.id < :before", before=before)
    wanted.add("refund_request.order_id = :order", order=order)
    wanted.add("refund_request.state = :state", state=state)
    return tx.rows_as(
        RefundView,
        f"{REFUNDS}{wanted.where()}ORDER BY refund_request.id DESC LIMIT :limit",
        limit=page_size(first) + 1,
        **wanted.values,
    )
