"""Order lines: allocate, release or hand over units until each line matches its order.

Only stored state decides: settling an order again changes nothing, and messages in any sequence
lead to the same allocations.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

from hub import cases, ledger
from hub.cases import CaseKind, Finding, Severity
from hub.clock import new_id
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import allocation, line_status, order_holds, oversell, pre_orders, unmapped
from hub.orders.line_status import LineStatus
from hub.storage.documents import values
from hub.storage.rows import ChannelRow, OrderLineRow, OrderRow
from hub.storage.sql import Transaction
from hub.vocabulary import CaptureMethod


class _Serial(TypedDict):
    serial: str


def settle(tx: Transaction, context: CommandContext, channel: ChannelRow, order: OrderRow) -> None:
    """Bring each line of an order to its quantity; open cases for lines that cannot be served."""
    context = replace(
        context, document=Document("inv", order["number"]), captured_by=CaptureMethod.API
    )
    rows = tx.rows_as(
        OrderLineRow,
        "SELECT * FROM order_line WHERE order_id = :id ORDER BY id",
        id=order["id"],
    )
    found = line_status.of_lines(tx, order, rows)
    for one in found:
        _release_surplus(tx, context, one)
    whole = None if order["handed_over"] else _site(tx, context, channel, found)
    for one in found:
        if not one.takes_units:
            continue  # the channel's own stock, or no goods at all
        if one.line["product_id"] is None:
            _report_unmapped(tx, context, order, one)
        elif order["handed_over"] and one.wanted:
            _hand_over(tx, context, channel, order, one)
        else:
            _capture_settled(tx, context, order, one.line)
            _allocate(tx, context, channel, order, one, whole)
        _report_excess(tx, context, order, one)
    unmapped.close(tx, context, channel["id"])
    order_holds.review(tx, context, order)
    line_status.reopen_if_not_done(tx, order)
    line_status.close_if_done(tx, [order["id"]])


def _site(
    tx: Transaction, context: CommandContext, channel: ChannelRow, found: Sequence[LineStatus]
) -> str | None:
    """Return the site that can serve everything an order still lacks, or None."""
    wanted: dict[str, int] = {}
    for one in found:
        product_id = one.line["product_id"]
        if product_id is not None and one.lacking > 0:
            wanted[product_id] = wanted.get(product_id, 0) + one.lacking
    return allocation.whole_site(tx, context, channel, wanted) if wanted else None


def _release_surplus(tx: Transaction, context: CommandContext, one: LineStatus) -> None:
    """Release surplus allocations: of other products first, then the last to leave."""
    surplus = min(len(one.promised), max(0, -one.lacking))
    kept = len(one.promised) - surplus
    gone = [*one.strange, *one.promised[kept:]]
    if gone:
        ledger.record(
            Work(tx, replace(context, reason=context.reason or "order changed"), new_id()),
            UnitCommand(action=Action.RELEASE),
            [Scan(unit["id"]) for unit in gone],
        )
    one.promised, one.strange = one.promised[:kept], []


def _allocate(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    order: OrderRow,
    one: LineStatus,
    site: str | None = None,
) -> None:
    """Allocate the units that a line lacks; apply the channel's oversell policy to the rest."""
    subject = f"{order['ref']}/{one.line['ref']}"
    lacking = one.lacking
    if lacking > 0:
        lacking -= allocation.allocate(
            tx, context, channel, one.line, lacking, order["number"], site=site
        )
    product_id = one.line["product_id"]
    assert product_id is not None  # unmapped lines are reported instead
    if lacking > 0 and not pre_orders.covers(tx, channel, product_id):
        oversell.apply_policy(tx, context, channel, order, one.line, lacking)
    else:
        cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], context.now)


def _hand_over(
    tx: Transaction, context: CommandContext, channel: ChannelRow, order: OrderRow, one: LineStatus
) -> None:
    """Record a counter sale: sell the named serials, allocate units for the unnamed ones."""
    line = one.line
    served = {one.key(unit["serial"]) for unit in one.left}
    served |= {one.key(serial) for serial in _came_back(tx, line)}
    serials = values(line["serials"])
    for serial in serials:
        if one.key(serial) not in served:
            _sell(tx, context, channel, order, line, serial)
    (now,) = line_status.of_lines(tx, order, [line])
    # Units sold without a serial stay allocated, so that no other channel sells them.
    _release_surplus(tx, context, now)
    _allocate(tx, context, channel, order, now)
    missing = line["quantity"] - len(serials)
    if missing <= 0:
        _capture_settled(tx, context, order, line)
        return
    finding = Finding(
        kind=CaseKind.MISSING_CAPTURE,
        subject=f"{order['ref']}/{line['ref']}",
        channel_id=channel["id"],
        summary=f"{missing} of {line['sku']} left on {order['number']} without a serial being "
        "read.",
        details={"order": order["number"], "sku": line["sku"], "missing": missing},
    )
    cases.report(tx, finding, context.now)


def _capture_settled(
    tx: Transaction, context: CommandContext, order: OrderRow, line: OrderLineRow
) -> None:
    subject = f"{order['ref']}/{line['ref']}"
    cases.settle(tx, CaseKind.MISSING_CAPTURE, subject, order["channel_id"], context.now)


def _came_back(tx: Transaction, line: OrderLineRow) -> set[str]:
    rows = tx.rows_as(
        _Serial,
        "SELECT unit.serial FROM line_return "
        "JOIN unit ON unit.id = line_return.unit_id WHERE line_return.order_line_id = :line",
        line=line["id"],
    )
    return {row["serial"] for row in rows}


def _sell(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    order: OrderRow,
    line: OrderLineRow,
    serial: str,
) -> None:
    sku = str(tx.value("SELECT sku FROM product WHERE id = :id", id=line["product_id"]))
    from_channel = {"channel": channel["code"]}
    (verdict,) = ledger.record(
        Work(tx, context, new_id()),
        UnitCommand(action=Action.SELL, line=line["id"], details=from_channel),
        [Scan(serial, sku=sku)],
    )
    if verdict.accepted:
        cases.settle(tx, CaseKind.UNKNOWN_SERIAL, serial, channel["id"], context.now)
        cases.settle(tx, CaseKind.WRONG_STATUS, serial, channel["id"], context.now)
        return
    finding = Finding(
        kind=CaseKind.WRONG_STATUS if verdict.unit_id else CaseKind.UNKNOWN_SERIAL,
        subject=serial,
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"{channel['name']} sold {serial} on {order['number']}, but {verdict.message}.",
        details={"order": order["number"], "sku": line["sku"], "code": verdict.code},
    )
    cases.report(tx, finding, context.now)


def _report_unmapped(
    tx: Transaction, context: CommandContext, order: OrderRow, one: LineStatus
) -> None:
    """Report a line with an unmapped SKU; close the shortage of its previous product."""
    subject = f"{order['ref']}/{one.line['ref']}"
    cases.settle(tx, CaseKind.OVERSOLD, subject, order["channel_id"], context.now)
    if one.wanted > 0:
        unmapped.report(tx, context, order, one.line)


def _report_excess(
    tx: Transaction, context: CommandContext, order: OrderRow, one: LineStatus
) -> None:
    """Open a case for shipped units that the order no longer requests."""
    subject = f"{order['ref']}/{one.line['ref']}"
    (now,) = line_status.of_lines(tx, order, [one.line]) if one.left else (one,)
    if not now.excess:
        cases.settle(tx, CaseKind.SHIPPED_TOO_MANY, subject, order["channel_id"], context.now)
        return
    what = "was cancelled" if order["state"] == "cancelled" else "was changed"
    finding = Finding(
        kind=CaseKind.SHIPPED_TOO_MANY,
        subject=subject,
        channel_id=order["channel_id"],
        severity=Severity.HIGH,
        summary=f"Order {order['number']} {what} after {now.excess} of {one.line['sku']} had "
        "left: get them back, or have the channel agree.",
        details={
            "order": order["number"],
            "order_id": order["id"],
            "sku": one.line["sku"],
            "too_many": now.excess,
            "serials": [unit["serial"] for unit in now.left],
        },
    )
    cases.report(tx, finding, context.now)
