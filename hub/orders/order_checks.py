"""What every step towards a customer is held against: the order line that a unit goes out on.

The ledger knows whether a unit may do a step; here it is asked whether its order wants it: the
line exists and is not full, asks for this product, and the order is not cancelled.
"""

from collections.abc import Sequence
from dataclasses import replace

from hub import ledger
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.errors import Refused, StepNotAllowed, UnknownReference, WrongUnit
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict, bounded, refused
from hub.ledger.units import Scan, UnitState, locate
from hub.lifecycle import LEAVING, LIFECYCLE
from hub.orders.line_status import ASKED_FOR
from hub.storage.sql import Row, Transaction

LINES = (
    "SELECT order_line.*, product.sku AS product_sku, sales_order.state AS order_state, "
    "sales_order.number, sales_order.channel_id, channel.code AS channel_code, "
    "(SELECT COUNT(*) FROM unit WHERE unit.order_line_id = order_line.id "
    f"AND unit.status IN ('shipped', 'sold') AND {ASKED_FOR}) AS units_left FROM order_line "
    "JOIN sales_order ON sales_order.id = order_line.order_id "
    "JOIN channel ON channel.id = sales_order.channel_id "
    "LEFT JOIN product ON product.id = order_line.product_id "
)


def line_of(tx: Transaction, line_id: str) -> Row:
    """Return an order line with its order, or raise UnknownReference."""
    row = tx.row(f"{LINES}WHERE order_line.id = :id", id=line_id)
    if row is None:
        raise UnknownReference(f"there is no order line {line_id!r}", field="order_line")
    return row


def order_of(tx: Transaction, order_id: str) -> Row:
    """Return an order with its channel's code, or raise UnknownReference."""
    row = tx.row(
        "SELECT sales_order.*, channel.code AS channel_code FROM sales_order "
        "JOIN channel ON channel.id = sales_order.channel_id WHERE sales_order.id = :id",
        id=order_id,
    )
    if row is None:
        raise UnknownReference(f"there is no order {order_id!r}", field="order")
    return row


def lines_of(tx: Transaction, order_id: str) -> dict[str, Row]:
    """Return the lines of an order, by their ids."""
    rows = tx.rows(f"{LINES}WHERE order_line.order_id = :id ORDER BY order_line.id", id=order_id)
    return {row["id"]: row for row in rows}


def alive(order: Row, state: str = "state") -> None:
    """Raise StepNotAllowed for an order that was cancelled."""
    if order[state] == "cancelled":
        raise StepNotAllowed(f"the order {order['number']} is cancelled", allowed=[])


def documented(context: CommandContext, number: str) -> CommandContext:
    """Name the order as the document of what is done, unless another one is named."""
    return context if context.document else replace(context, document=Document("inv", number))


def directed(tx: Transaction, line_id: str) -> list[Row]:
    """Return the units that are promised to a line and not picked yet, in walking order."""
    return tx.rows(
        "SELECT unit.id, unit.serial, unit.expires_on, unit.received_at, location.code FROM unit "
        "JOIN location ON location.id = unit.location_id WHERE unit.order_line_id = :line "
        "AND unit.promised_to IS NOT NULL AND unit.status = 'in_stock' "
        "ORDER BY location.code, unit.id",
        line=line_id,
    )


def record(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
) -> list[Verdict]:
    """Do a step with units as `ledger.record` does, unless the order of a unit forbids it."""
    bounded(scans)
    found = locate(work.tx, scans)
    verdicts = barred(work.tx, command, scans, found)
    return record_but(work, command, scans, verdicts, found)


def record_but(
    work: Work,
    command: UnitCommand,
    scans: Sequence[Scan],
    verdicts: dict[int, Verdict],
    found: Sequence[UnitState | Refused] | None = None,
) -> list[Verdict]:
    """Do a step with the units that have no verdict yet, and return all verdicts in order.

    `found`: what `locate` found for all the scans, where nothing was changed since.
    """
    free = [index for index in range(len(scans)) if index not in verdicts]
    given = [scans[index] for index in free]
    units = None if found is None else [found[index] for index in free]
    done = ledger.record(work, command, given, units) if free else []
    merged = verdicts | {
        index: replace(verdict, index=index) for index, verdict in zip(free, done, strict=True)
    }
    return [merged[index] for index in range(len(scans))]


def barred(
    tx: Transaction,
    command: UnitCommand,
    scans: Sequence[Scan],
    found: Sequence[UnitState | Refused],
) -> dict[int, Verdict]:
    """Return the refusals of units whose order does not want the step, by the place of the scan."""
    ids = {
        command.line or unit.order_line_id
        for unit in found
        if isinstance(unit, UnitState) and (command.line or unit.promised_to)
    }
    named = sorted(each for each in ids if each)
    if named and command.action in LEAVING:
        # Locked before its units are counted: two units of one line may leave at the same time.
        tx.rows("SELECT id FROM order_line WHERE id IN (:ids...) ORDER BY id FOR UPDATE", ids=named)
    rows = tx.rows(f"{LINES}WHERE order_line.id IN (:ids...)", ids=named) if named else []
    lines = {row["id"]: row for row in rows}
    going: dict[str, set[str]] = {}
    verdicts = {}
    for index, (scan, unit) in enumerate(zip(scans, found, strict=True)):
        if not isinstance(unit, UnitState):
            continue
        line_id = command.line or (unit.order_line_id if unit.promised_to else None)
        if line_id is None:
            continue
        try:
            _wanted(tx, command, unit, line_id, lines, going)
        except Refused as refusal:
            verdicts[index] = refused(index, scan.identifier, refusal, unit)
    return verdicts


def _wanted(
    tx: Transaction,
    command: UnitCommand,
    unit: UnitState,
    line_id: str,
    lines: dict[str, Row],
    going: dict[str, set[str]],
) -> None:
    line = lines.get(line_id)
    if line is None:
        raise UnknownReference(f"there is no order line {line_id!r}", field="order_line")
    alive(line, "order_state")
    if line["product_id"] != unit.product_id and not _may_replace(tx, line_id, unit.product_id):
        raise WrongUnit(
            f"the line asks for {line['product_sku'] or line['sku']}, and this is a {unit.sku}",
            directed=[each["serial"] for each in directed(tx, line_id)],
        )
    if command.action not in LEAVING or unit.status not in LIFECYCLE[command.action].when:
        return
    leaving = going.setdefault(line_id, set())
    if unit.id not in leaving and line["units_left"] + len(leaving) >= line["quantity"]:
        raise StepNotAllowed(
            f"all {line['quantity']} units of the line have left already", allowed=["release"]
        )
    leaving.add(unit.id)


def _may_replace(tx: Transaction, line_id: str, product_id: str) -> bool:
    """Say whether it was decided that a line is served with another product."""
    return bool(
        tx.value(
            "SELECT COUNT(*) FROM substitution WHERE order_line_id = :line "
            "AND product_id = :product",
            line=line_id,
            product=product_id,
        )
    )
