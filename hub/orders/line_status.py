"""Fulfillment status of an order line: ordered, allocated, shipped, returned.

A channel may reduce a line's quantity on a refund (`taken_off`), before or after the unit comes
back. A unit that was shipped once counts as served, wherever it is now.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from hub.catalogue import SERIAL_TRACKED
from hub.errors import InvalidBarcode
from hub.identifiers.numbers import FOLDED, serial_key
from hub.ledger.rules.order import ASKED_FOR
from hub.storage.rows import OrderLineRow, OrderRow
from hub.storage.sql import Transaction
from hub.vocabulary import LineKind, OrderState

LEFT = ("shipped", "sold")
# A line of the order that takes units: goods of a serialized product, or of none that is known yet.
TAKING_LINE = (
    "SELECT 1 FROM order_line WHERE order_line.order_id = sales_order.id "
    "AND order_line.kind = 'goods' AND (order_line.product_id IS NULL OR EXISTS (SELECT 1 "
    "FROM product WHERE product.id = order_line.product_id "
    "AND product.tracking IN ('serial', 'serial_lot')))"
)
# Duplicates are not served; the first order is.
REPEATED = ("suspected", "same")


class LineUnit(TypedDict):
    """A unit on an order line; `asked_for`: of a requested product, `named`: the listed unit."""

    id: str
    status: str
    serial: str
    serial_canonical: str
    promised_to: str | None
    order_line_id: str
    asked_for: bool
    named: bool


class _SerializedProduct(TypedDict):
    id: str
    serial_case: str


class _LineRef(TypedDict):
    ref: str


class _LineReturns(TypedDict):
    order_line_id: str
    units: int


class _AnnouncedReturns(TypedDict):
    ref: str
    quantity: int
    taken_off: int


@dataclass(slots=True, kw_only=True)
class LineStatus:
    """Status of one line; `promised` and `left` are units in leaving order."""

    line: OrderLineRow
    takes_units: bool = True
    serial_case: str = FOLDED  # of its product
    wanted: int = 0
    promised: list[LineUnit] = field(default_factory=list)
    left: list[LineUnit] = field(default_factory=list)
    strange: list[LineUnit] = field(
        default_factory=list
    )  # allocated, and of another product than requested
    back: int = 0  # shipped and returned units
    taken_off: int = 0  # reduction of the quantity by returns
    expected_back: int = 0  # units of returns that are not back: refunded, kept or in transit

    def key(self, serial: str) -> str:
        """Return the key by which serials of the line are compared; odd text is its own key."""
        try:
            return serial_key(serial, self.serial_case)
        except InvalidBarcode:
            return serial

    @property
    def lacking(self) -> int:
        """Return the number of units still to allocate; negative: the surplus."""
        missing = self.wanted + self.taken_off - self._right - self.back - len(self.promised)
        # What a person took off the line stays off; it never makes a surplus.
        return min(missing, max(0, missing - self.line["withheld"]))

    @property
    def excess(self) -> int:
        """Return the number of units at the customer beyond the order and its returns."""
        wrong = len(self.left) - self._right
        return max(0, max(0, self._right - self.wanted) + wrong - self.expected_back)

    @property
    def is_done(self) -> bool:
        """Return whether the line is fully shipped, including units that a return took off.

        A line that takes no units is done; so the serialized lines alone decide about an order.
        """
        if not self.takes_units:
            return True
        return self._right + self.back >= self.line["quantity"] + self.taken_off

    @property
    def _right(self) -> int:
        """Return the number of shipped units of a requested product."""
        return sum(bool(unit["asked_for"]) for unit in self.left)


def of_lines(tx: Transaction, order: OrderRow, lines: Sequence[OrderLineRow]) -> list[LineStatus]:
    """Return the status of lines of one order, in the given order."""
    ids = [line["id"] for line in lines]
    units = tx.rows_as(
        LineUnit,
        "SELECT unit.id, unit.status, unit.serial, unit.serial_canonical, unit.promised_to, "
        f"unit.order_line_id, {ASKED_FOR} AS asked_for, "
        "(order_line.unit_id IS NULL OR order_line.unit_id = unit.id) AS named FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN product ON product.id = unit.product_id "
        "WHERE unit.order_line_id IN (:lines...) "
        "AND (unit.promised_to IS NOT NULL OR unit.status IN ('shipped', 'sold')) "
        "ORDER BY CASE WHEN unit.status = 'in_stock' THEN 1 ELSE 0 END, "
        "CASE WHEN product.picking = 'fefo' THEN COALESCE(unit.expires_on, '9999-12-31') "
        "ELSE '' END, unit.received_at, unit.id",
        lines=ids,
    )
    back = {
        row["order_line_id"]: int(row["units"])
        for row in tx.rows_as(
            _LineReturns,
            "SELECT order_line_id, SUM(times) AS units FROM line_return "
            "WHERE order_line_id IN (:lines...) GROUP BY order_line_id",
            lines=ids,
        )
    }
    returns = _returns(tx, order)
    wants = wants_units(order) and order["same_verdict"] not in REPEATED
    serialized = _serialized(tx, lines)
    found = []
    for line in lines:
        one = LineStatus(line=line, back=back.get(line["id"], 0))
        one.serial_case = serialized.get(line["product_id"] or "", FOLDED)
        one.takes_units = line["kind"] == LineKind.GOODS and (
            line["product_id"] is None or line["product_id"] in serialized
        )
        one.wanted = line["quantity"] if wants and one.takes_units else 0
        for unit in (each for each in units if each["order_line_id"] == line["id"]):
            if unit["status"] in LEFT:
                one.left.append(unit)
            elif unit["asked_for"] and unit["named"]:
                one.promised.append(unit)
            else:
                one.strange.append(unit)
        returned = returns.get(line["ref"])
        if returned is not None:
            _apply_returns(one, returned)
        found.append(one)
    return found


def wants_units(order: OrderRow) -> bool:
    """Return whether an order takes units: it is placed, and was not left unpaid for too long."""
    ended = order["state"] == OrderState.PENDING and order["promises_ended_at"] is not None
    return order["state"] not in (OrderState.CANCELLED, OrderState.DRAFT) and not ended


def _serialized(tx: Transaction, lines: Sequence[OrderLineRow]) -> dict[str, str]:
    """Return the products of which the hub keeps units, with the case of their serials.

    Channels count the other products of the lines.
    """
    ids = sorted({line["product_id"] for line in lines if line["product_id"] is not None})
    rows = tx.rows_as(
        _SerializedProduct,
        "SELECT id, serial_case FROM product WHERE id IN (:ids...) AND tracking IN (:kept...)",
        ids=ids,
        kept=[str(each) for each in SERIAL_TRACKED],
    )
    return {row["id"]: row["serial_case"] for row in rows}


def refs_without_units(tx: Transaction, order_id: str) -> list[str]:
    """Return the references of the lines of an order that take no units, in their order."""
    rows = tx.rows_as(
        _LineRef,
        "SELECT order_line.ref FROM order_line "
        "LEFT JOIN product ON product.id = order_line.product_id "
        "WHERE order_line.order_id = :order AND (order_line.kind <> 'goods' "
        "OR (product.id IS NOT NULL AND NOT product.tracking IN (:kept...))) "
        "ORDER BY order_line.id",
        order=order_id,
        kept=[str(each) for each in SERIAL_TRACKED],
    )
    return [row["ref"] for row in rows]


def _apply_returns(one: LineStatus, returned: _AnnouncedReturns) -> None:
    """Apply the returns of a line to its status.

    A refund of a unit that never left is a cancellation, and takes nothing off for a return.
    """
    left_once = len(one.left) + one.back
    kept_there = max(0, left_once - one.line["remote_fulfilled"])
    one.taken_off = min(returned["taken_off"], kept_there)
    one.expected_back = max(0, returned["quantity"] - one.back)


def _returns(tx: Transaction, order: OrderRow) -> dict[str, _AnnouncedReturns]:
    """Return the sums of an order's returns by line, without reductions newer than the order."""
    rows = tx.rows_as(
        _AnnouncedReturns,
        "SELECT line.order_line_ref AS ref, SUM(line.quantity) AS quantity, "
        "SUM(CASE WHEN channel_return.refunded_at <= :read THEN line.taken_off ELSE 0 END) "
        "AS taken_off FROM channel_return "
        "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
        "WHERE channel_return.order_id = :order AND channel_return.state <> 'cancelled' "
        "GROUP BY line.order_line_ref",
        order=order["id"],
        read=order["remote_updated_at"],
    )
    return {row["ref"]: row for row in rows}


def reopen_if_not_done(tx: Transaction, order: OrderRow) -> None:
    """Reopen a fulfilled order that still lacks a shipped unit."""
    if order["state"] != OrderState.FULFILLED:
        return
    lines = tx.rows_as(
        OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id", id=order["id"]
    )
    if not _is_done(order, of_lines(tx, order, lines)):
        tx.run("UPDATE sales_order SET state = 'open' WHERE id = :id", id=order["id"])


def close_if_done(tx: Transaction, order_ids: Sequence[str]) -> None:
    """Mark orders as fulfilled if all serialized lines are shipped.

    Returned units count as shipped. An order without such lines is as done as its channel says,
    and one whose lines are not known yet is never done.
    """
    if not order_ids:
        return
    tx.run(  # most orders: one statement for all of them
        "UPDATE sales_order SET state = 'fulfilled' WHERE id IN (:ids...) "
        "AND state IN ('open', 'pending') AND NOT EXISTS (SELECT 1 FROM channel_return "
        f"WHERE channel_return.order_id = sales_order.id) AND EXISTS ({TAKING_LINE}) "
        f"AND NOT EXISTS ({TAKING_LINE} AND order_line.quantity > "
        "(SELECT COUNT(*) FROM unit WHERE unit.order_line_id = order_line.id "
        f"AND unit.status IN ('shipped', 'sold') AND {ASKED_FOR}) "
        "+ (SELECT COALESCE(SUM(line_return.times), 0) FROM line_return "
        "WHERE line_return.order_line_id = order_line.id))",
        ids=list(order_ids),
    )
    for order in tx.rows_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE id IN (:ids...) AND state IN ('open', 'pending') "
        "AND (EXISTS (SELECT 1 FROM channel_return WHERE channel_return.order_id = sales_order.id) "
        f"OR (remote_done AND NOT EXISTS ({TAKING_LINE})))",
        ids=list(order_ids),
    ):
        lines = tx.rows_as(
            OrderLineRow, "SELECT * FROM order_line WHERE order_id = :id", id=order["id"]
        )
        if lines and _is_done(order, of_lines(tx, order, lines)):
            tx.run("UPDATE sales_order SET state = 'fulfilled' WHERE id = :id", id=order["id"])


def _is_done(order: OrderRow, lines: Sequence[LineStatus]) -> bool:
    if any(one.takes_units for one in lines):
        return all(one.is_done for one in lines)
    return bool(order["remote_done"])
