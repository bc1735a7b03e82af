"""Where an order line stands: what its order wants of it, against what was promised, left, back.

A channel may lower a line's quantity when it refunds (`taken_off`), and may say so before or after
the unit comes back. What left once has been served, wherever it is now.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.ledger.rules.order import ASKED_FOR
from hub.storage.sql import Row, Transaction
from hub.vocabulary import OrderState

LEFT = ("shipped", "sold")
# Repeats are not served: the order that came first is.
REPEATED = ("suspected", "same")


@dataclass(slots=True, kw_only=True)
class Standing:
    """One line. `promised` and `left` are rows of units, those that are to leave first first."""

    line: Row
    wanted: int = 0
    promised: list[Row] = field(default_factory=list)
    left: list[Row] = field(default_factory=list)
    strange: list[Row] = field(default_factory=list)  # promised, and of a product not asked for
    back: int = 0  # units that left on it and came back
    taken_off: int = 0  # of the quantity, because of returns
    awaited: int = 0  # units of returns that are not back: refunded, kept, or on their way

    @property
    def lacking(self) -> int:
        """Return how many units still have to be promised; below zero: so many too many are."""
        served = self._right + self.back
        return self.wanted + self.taken_off - served - len(self.promised)

    @property
    def excess(self) -> int:
        """Return how many units are with the customer that nothing explains."""
        wrong = len(self.left) - self._right
        return max(0, max(0, self._right - self.wanted) + wrong - self.awaited)

    @property
    def is_done(self) -> bool:
        """Say whether as many left as the line asks for; what a return took off had left too."""
        return bool(self._right + self.back >= self.line["quantity"] + self.taken_off)

    @property
    def _right(self) -> int:
        """Return how many of the units that left are of a product that it asks for."""
        return sum(bool(unit["asked_for"]) for unit in self.left)


def of_lines(tx: Transaction, order: Row, lines: Sequence[Row]) -> list[Standing]:
    """Work out where the lines of one order stand."""
    ids = [line["id"] for line in lines]
    units = tx.rows(
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
        for row in tx.rows(
            "SELECT order_line_id, SUM(times) AS units FROM line_return "
            "WHERE order_line_id IN (:lines...) GROUP BY order_line_id",
            lines=ids,
        )
    }
    returns = _returns(tx, order)
    wants = order["state"] != OrderState.CANCELLED and order["same_verdict"] not in REPEATED
    found = []
    for line in lines:
        one = Standing(line=line, back=back.get(line["id"], 0))
        one.wanted = line["quantity"] if wants else 0
        for unit in (each for each in units if each["order_line_id"] == line["id"]):
            if unit["status"] in LEFT:
                one.left.append(unit)
            elif unit["asked_for"] and unit["named"]:
                one.promised.append(unit)
            else:
                one.strange.append(unit)
        said = returns.get(line["ref"])
        if said is not None:
            _explain(one, said)
        found.append(one)
    return found


def _explain(one: Standing, said: Row) -> None:
    """Note what returns say of a line.

    A refund of what never left is a cancellation: nothing was taken off for a return.
    """
    left_once = len(one.left) + one.back
    kept_there = max(0, left_once - one.line["remote_fulfilled"])
    one.taken_off = min(said["taken_off"], kept_there)
    one.awaited = max(0, said["quantity"] - one.back)


def _returns(tx: Transaction, order: Row) -> dict[str, Row]:
    """Sum up the returns of an order by line; what was taken off after the order was read waits."""
    rows = tx.rows(
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


def reopen_if_not_done(tx: Transaction, order: Row) -> None:
    """Open an order again of which, as it turns out, a unit is still to leave."""
    if order["state"] != OrderState.FULFILLED:
        return
    lines = tx.rows("SELECT * FROM order_line WHERE order_id = :id", id=order["id"])
    if not all(one.is_done for one in of_lines(tx, order, lines)):
        tx.run("UPDATE sales_order SET state = 'open' WHERE id = :id", id=order["id"])


def close_if_done(tx: Transaction, order_ids: Sequence[str]) -> None:
    """Mark orders fulfilled when as many units left as their lines ask for; what came back left."""
    if not order_ids:
        return
    tx.run(
        "UPDATE sales_order SET state = 'fulfilled' WHERE id IN (:ids...) "
        "AND state IN ('open', 'pending') AND NOT EXISTS (SELECT 1 FROM channel_return "
        "WHERE channel_return.order_id = sales_order.id) AND NOT EXISTS (SELECT 1 FROM order_line "
        "WHERE order_line.order_id = sales_order.id AND order_line.quantity > "
        "(SELECT COUNT(*) FROM unit WHERE unit.order_line_id = order_line.id "
        f"AND unit.status IN ('shipped', 'sold') AND {ASKED_FOR}) "
        "+ (SELECT COALESCE(SUM(line_return.times), 0) FROM line_return "
        "WHERE line_return.order_line_id = order_line.id))",
        ids=list(order_ids),
    )
    for order in tx.rows(
        "SELECT * FROM sales_order WHERE id IN (:ids...) AND state IN ('open', 'pending') "
        "AND EXISTS (SELECT 1 FROM channel_return WHERE channel_return.order_id = sales_order.id)",
        ids=list(order_ids),
    ):
        lines = tx.rows("SELECT * FROM order_line WHERE order_id = :id", id=order["id"])
        if all(one.is_done for one in of_lines(tx, order, lines)):
            tx.run("UPDATE sales_order SET state = 'fulfilled' WHERE id = :id", id=order["id"])
