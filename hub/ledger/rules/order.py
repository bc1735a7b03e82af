"""Orders: a unit takes a step towards a customer only where its order line wants it.

The line exists, belongs to an order that is neither cancelled nor on hold, asks for this product
(or a substitute that was decided on), and is not full.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, TypedDict

from hub.errors import OrderOnHold, Refused, StepNotAllowed, UnknownReference, WrongUnit
from hub.ledger.command import UnitCommand
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState
from hub.lifecycle import LEAVING, LIFECYCLE, Action
from hub.storage.rows import OrderLineRow
from hub.storage.sql import Transaction

# Steps of a unit towards the customer of its order line.
OUTWARD = LEAVING | {Action.PICK, Action.PACK}
# An order of which units may leave: it has no hold, or somebody let this very hold pass.
NOT_HELD = "(sales_order.hold IS NULL OR sales_order.hold = sales_order.hold_override)"
# A unit is one that its line asks for: of its product, or of a substitute that was decided on.
ASKED_FOR = (
    "(unit.product_id = order_line.product_id OR EXISTS (SELECT 1 FROM substitution "
    "WHERE substitution.order_line_id = order_line.id "
    "AND substitution.product_id = unit.product_id))"
)
ORDER_LINES = (
    "SELECT order_line.*, product.sku AS product_sku, sales_order.state AS order_state, "
    "sales_order.number, sales_order.hold, sales_order.hold_override, "
    "sales_order.channel_id, channel.code AS channel_code, "
    "(SELECT COUNT(*) FROM unit WHERE unit.order_line_id = order_line.id "
    f"AND unit.status IN ('shipped', 'sold') AND {ASKED_FOR}) AS units_left FROM order_line "
    "JOIN sales_order ON sales_order.id = order_line.order_id "
    "JOIN channel ON channel.id = sales_order.channel_id "
    "LEFT JOIN product ON product.id = order_line.product_id "
)


class CheckedLineRow(OrderLineRow):
    """A row of `ORDER_LINES`: an order line with its order and channel; `units_left` shipped."""

    product_sku: str | None
    order_state: str
    number: str
    hold: str | None
    hold_override: str | None
    channel_id: str
    channel_code: str
    units_left: int


class DirectedUnit(TypedDict):
    """An allocated unit that is still to pick; `code` is its bin."""

    id: str
    serial: str
    expires_on: str | None
    received_at: int | None
    code: str


@dataclass(slots=True)
class OrderRule(Rule):
    """The order lines of a command, and the units that leave on each of them in it."""

    tx: Transaction
    lines: dict[str, CheckedLineRow] = field(default_factory=dict)
    leaving: dict[str, set[str]] = field(default_factory=dict)
    applies: bool = True

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Read and, where units leave, lock the order lines of the units."""
        tx, command = attempt.work.tx, attempt.command
        if attempt.follows or command.action not in OUTWARD:
            return cls(tx, applies=False)
        ids = {line_id for unit in attempt.units if (line_id := _line_of(command, unit))}
        if not ids:
            return cls(tx)
        if command.action in LEAVING:
            # Locked before its units are counted: two of one line may leave at the same time.
            tx.rows(
                "SELECT id FROM order_line WHERE id IN (:ids...) ORDER BY id FOR UPDATE",
                ids=sorted(ids),
            )
        rows = tx.rows_as(
            CheckedLineRow, f"{ORDER_LINES}WHERE order_line.id IN (:ids...)", ids=sorted(ids)
        )
        return cls(tx, {row["id"]: row for row in rows})

    def check(self, command: UnitCommand, unit: UnitState) -> None:
        """Raise the refusal of a unit that may not leave on its line.

        UnknownReference, StepNotAllowed, OrderOnHold or WrongUnit.
        """
        line_id = _line_of(command, unit) if self.applies else None
        if line_id is None:
            return
        line = self.lines.get(line_id)
        if line is None:
            raise UnknownReference(f"there is no order line {line_id!r}", field="order_line")
        require_free(line["order_state"], line["number"], line["hold"], line["hold_override"])
        self._same_product(line, unit)
        if command.action in LEAVING and unit.status in LIFECYCLE[command.action].when:
            self._not_full(line, unit)

    def _same_product(self, line: CheckedLineRow, unit: UnitState) -> None:
        if line["product_id"] == unit.product_id:
            return
        if not _is_substitute(self.tx, line["id"], unit.product_id):
            raise WrongUnit(
                f"the line asks for {line['product_sku'] or line['sku']}, and this is a {unit.sku}",
                directed=[each["serial"] for each in directed(self.tx, line["id"])],
            )

    def _not_full(self, line: CheckedLineRow, unit: UnitState) -> None:
        leaving = self.leaving.setdefault(line["id"], set())
        if unit.id not in leaving and line["units_left"] + len(leaving) >= line["quantity"]:
            raise StepNotAllowed(
                f"all {line['quantity']} units of the line have left already", allowed=["release"]
            )
        leaving.add(unit.id)


def refusals(
    attempt: Attempt, found: Sequence[UnitState | Refused]
) -> dict[int, tuple[Refused, UnitState]]:
    """Return which units their orders refuse, and why, by their index in `found`."""
    rule = OrderRule.prepare(attempt)
    refused: dict[int, tuple[Refused, UnitState]] = {}
    for index, unit in enumerate(found):
        if isinstance(unit, UnitState):
            try:
                rule.check(attempt.command, unit)
            except Refused as refusal:
                refused[index] = (refusal, unit)
    return refused


def require_free(state: str, number: str, hold: str | None, override: str | None) -> None:
    """Raise StepNotAllowed for a cancelled order, OrderOnHold for one whose units may not leave.

    `override` is the hold that somebody lets pass: another hold stops the order again.
    """
    if state in ("cancelled", "draft"):
        what = "cancelled" if state == "cancelled" else "not placed"
        raise StepNotAllowed(f"the order {number} is {what}", allowed=[])
    if hold is not None and hold != override:
        raise OrderOnHold(
            f"nothing of the order {number} may leave: {hold.replace('_', ' ')}",
            hold=hold,
            order=number,
        )


def directed(tx: Transaction, line_id: str) -> list[DirectedUnit]:
    """Return the units that are promised to a line and not picked yet, in walking order."""
    return tx.rows_as(
        DirectedUnit,
        "SELECT unit.id, unit.serial, unit.expires_on, unit.received_at, location.code FROM unit "
        "JOIN location ON location.id = unit.location_id WHERE unit.order_line_id = :line "
        "AND unit.promised_to IS NOT NULL AND unit.status = 'in_stock' "
        "ORDER BY location.code, unit.id",
        line=line_id,
    )


def _line_of(command: UnitCommand, unit: UnitState) -> str | None:
    return command.line or (unit.order_line_id if unit.promised_to else None)


def _is_substitute(tx: Transaction, line_id: str, product_id: str) -> bool:
    """Say whether it was decided that a line is served with another product."""
    return bool(
        tx.value(
            "SELECT COUNT(*) FROM substitution WHERE order_line_id = :line "
            "AND product_id = :product",
            line=line_id,
            product=product_id,
        )
    )
