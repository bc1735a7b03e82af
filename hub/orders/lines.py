"""Lines brought to what their orders want: promised, released, handed over, or a case.

Only what is written down decides: the same order settled again changes nothing, and any order of
messages ends in the same promises.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from hub import cases, ledger
from hub.cases import CaseKind, Finding, Severity
from hub.clock import new_id
from hub.commands.context import CommandContext, Document
from hub.commands.work import Work
from hub.identifiers.numbers import canonical
from hub.ledger.command import UnitCommand
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import allocation, line_status, oversell, pre_orders, unmapped
from hub.orders.line_status import Standing
from hub.storage.sql import Row, Transaction
from hub.vocabulary import CaptureMethod


def settle(tx: Transaction, context: CommandContext, channel: Row, order: Row) -> None:
    """Bring every line of an order to its quantity, and report what can not be."""
    context = replace(
        context, document=Document("inv", order["number"]), captured_by=CaptureMethod.API
    )
    rows = tx.rows("SELECT * FROM order_line WHERE order_id = :id ORDER BY id", id=order["id"])
    found = line_status.of_lines(tx, order, rows)
    for one in found:
        _release_surplus(tx, context, one)
    whole = None if order["handed_over"] else _site(tx, context, channel, found)
    for one in found:
        if one.line["product_id"] is None:
            _unknown(tx, context, order, one)
        elif order["handed_over"] and one.wanted:
            _hand_over(tx, context, channel, order, one)
        else:
            _capture_settled(tx, context, order, one.line)
            _promise(tx, context, channel, order, one, whole)
        _report_excess(tx, context, order, one)
    unmapped.close(tx, context, channel["id"])
    line_status.reopen_if_not_done(tx, order)
    line_status.close_if_done(tx, [order["id"]])


def _site(
    tx: Transaction, context: CommandContext, channel: Row, found: Sequence[Standing]
) -> str | None:
    """Return the site that can serve all that an order still lacks, if one can."""
    wanted: dict[str, int] = {}
    for one in found:
        product_id = one.line["product_id"]
        if product_id is not None and one.lacking > 0:
            wanted[product_id] = wanted.get(product_id, 0) + one.lacking
    return allocation.whole_site(tx, context, channel, wanted) if wanted else None


def _release_surplus(tx: Transaction, context: CommandContext, one: Standing) -> None:
    """Take back promises that are too many: of other products, then the last that would leave."""
    surplus = min(len(one.promised), max(0, -one.lacking))
    kept = len(one.promised) - surplus
    gone = [*one.strange, *one.promised[kept:]]
    if gone:
        ledger.record(
            Work(tx, replace(context, reason="order changed"), new_id()),
            UnitCommand(action=Action.RELEASE),
            [Scan(unit["id"]) for unit in gone],
        )
    one.promised, one.strange = one.promised[:kept], []


def _promise(
    tx: Transaction,
    context: CommandContext,
    channel: Row,
    order: Row,
    one: Standing,
    site: str | None = None,
) -> None:
    """Promise what a line lacks; what there is not is dealt with as its channel's policy says."""
    subject = f"{order['ref']}/{one.line['ref']}"
    lacking = one.lacking
    if lacking > 0:
        lacking -= allocation.allocate(
            tx, context, channel, one.line, lacking, order["number"], site=site
        )
    if lacking > 0 and not pre_orders.covers(tx, channel, one.line["product_id"]):
        oversell.deal_with(tx, context, channel, order, one.line, lacking)
    else:
        cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], context.now)


def _hand_over(
    tx: Transaction, context: CommandContext, channel: Row, order: Row, one: Standing
) -> None:
    """Record what a counter sold: the serials that it names, a promise for those it does not."""
    line = one.line
    served = {unit["serial_canonical"] for unit in one.left} | _came_back(tx, line)
    serials = orjson.loads(line["serials"])
    for serial in serials:
        if canonical(serial) not in served:
            _sell(tx, context, channel, order, line, serial)
    (now,) = line_status.of_lines(tx, order, [line])
    # What left without a serial is held back, so that no other channel sells it meanwhile.
    _release_surplus(tx, context, now)
    _promise(tx, context, channel, order, now)
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


def _capture_settled(tx: Transaction, context: CommandContext, order: Row, line: Row) -> None:
    subject = f"{order['ref']}/{line['ref']}"
    cases.settle(tx, CaseKind.MISSING_CAPTURE, subject, order["channel_id"], context.now)


def _came_back(tx: Transaction, line: Row) -> set[str]:
    rows = tx.rows(
        "SELECT unit.serial_canonical FROM line_return "
        "JOIN unit ON unit.id = line_return.unit_id WHERE line_return.order_line_id = :line",
        line=line["id"],
    )
    return {row["serial_canonical"] for row in rows}


def _sell(
    tx: Transaction, context: CommandContext, channel: Row, order: Row, line: Row, serial: str
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


def _unknown(tx: Transaction, context: CommandContext, order: Row, one: Standing) -> None:
    """Report a line that is nobody's; a shortage of what it asked for before is over."""
    subject = f"{order['ref']}/{one.line['ref']}"
    cases.settle(tx, CaseKind.OVERSOLD, subject, order["channel_id"], context.now)
    if one.wanted > 0:
        unmapped.report(tx, context, order, one.line)


def _report_excess(tx: Transaction, context: CommandContext, order: Row, one: Standing) -> None:
    """Open a case for units that left and that the order no longer asks for."""
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
