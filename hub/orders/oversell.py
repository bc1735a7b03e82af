"""Oversales: apply the channel's policy to order lines that lack units; a case is always open.

BACK_ORDER keeps the order waiting. ALTERNATIVE allocates units of alternative products and records
the substitution. CANCEL asks the channel to cancel, as long as nothing has left.
"""

from typing import TypedDict

from hub import cases
from hub.availability.demand import WANTS_UNITS
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.orders import allocation
from hub.storage.rows import ChannelRow, OrderLineRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import channels, outbox
from hub.sync.channels import Oversell

TOPIC = "cancellation"
REASON = "out of stock"


class _Alternative(TypedDict):
    id: str
    sku: str


def apply_policy(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    order: OrderRow,
    line: OrderLineRow,
    lacking: int,
) -> None:
    """Apply the channel's oversell policy to a line that lacks units, and report it."""
    policy = Oversell(channel["oversell"])
    if order["handed_over"]:
        policy = Oversell.BACK_ORDER  # the goods have left already
    if policy is Oversell.ALTERNATIVE and line["unit_id"] is None:
        lacking -= _substitute(tx, context, channel, order, line, lacking)
    subject = f"{order['ref']}/{line['ref']}"
    if lacking <= 0:
        cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], context.now)
        return
    note = ""
    if policy is Oversell.CANCEL:
        note = _ask_to_cancel(tx, context, channel, order)
    finding = Finding(
        kind=CaseKind.OVERSOLD,
        subject=subject,
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"Order {order['number']} needs {lacking} more of {line['sku']} than there "
        f"are.{note}",
        details={
            "order": order["number"],
            "sku": line["sku"],
            "lacking": lacking,
            "policy": str(policy),
        },
    )
    cases.report(tx, finding, context.now)


def _substitute(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    order: OrderRow,
    line: OrderLineRow,
    lacking: int,
) -> int:
    """Allocate units of alternative products to a line; return their number."""
    found = 0
    for other in tx.rows_as(
        _Alternative,
        "SELECT product.id, product.sku FROM product_alternative "
        "JOIN product ON product.id = product_alternative.alternative_id "
        "WHERE product_alternative.product_id = :product "
        "ORDER BY product_alternative.rank, product.sku",
        product=line["product_id"],
    ):
        instead: OrderLineRow = {**line, "product_id": other["id"]}
        taken = allocation.allocate(tx, context, channel, instead, lacking - found, order["number"])
        if taken:
            _record_substitution(tx, context, order, line, other, taken)
            found += taken
        if found >= lacking:
            break
    return found


def _record_substitution(
    tx: Transaction,
    context: CommandContext,
    order: OrderRow,
    line: OrderLineRow,
    other: _Alternative,
    taken: int,
) -> None:
    """Record a substitution, and open a case so that a person informs the customer."""
    tx.run(
        "INSERT INTO substitution(order_line_id, product_id, decided_by, decided_at) "
        "VALUES(:line, :product, :actor, :now) ON CONFLICT(order_line_id, product_id) DO NOTHING",
        line=line["id"],
        product=other["id"],
        actor=context.actor,
        now=micros(context.now),
    )
    finding = Finding(
        kind=CaseKind.SUBSTITUTION,
        subject=f"{order['ref']}/{line['ref']}",
        channel_id=order["channel_id"],
        summary=f"Order {order['number']} is served with {taken} of {other['sku']} in the place "
        f"of {line['sku']}: inform the customer.",
        details={"order": order["number"], "sku": line["sku"], "instead": other["sku"]},
    )
    cases.report(tx, finding, context.now)


def _ask_to_cancel(
    tx: Transaction, context: CommandContext, channel: ChannelRow, order: OrderRow
) -> str:
    """Queue the cancellation request, once for each order; return a note for the case."""
    left = _left(tx, order["id"])
    if left:
        return f" It cannot be cancelled: {left} units have left already."
    if not channels.can(channel, "cancel_orders"):
        return f" {channel['name']} cannot cancel orders over its API: cancel it there by hand."
    fact = outbox.Fact(
        channel_id=channel["id"],
        topic=TOPIC,
        subject=order["id"],
        key=f"{TOPIC}:{order['id']}",
        payload={"reference": order["id"], "order_ref": order["ref"], "reason": REASON},
    )
    outbox.put(tx, [fact], context.now)
    return f" {channel['name']} is asked to cancel it."


def still_wanted(tx: Transaction, order_id: str) -> bool:
    """Return whether a cancellation still applies: the order lacks units, and none has left."""
    lacks = tx.value(
        "SELECT COUNT(*) FROM sales_order JOIN order_line ON order_line.order_id = sales_order.id "
        "JOIN exception_case ON exception_case.channel_id = sales_order.channel_id "
        "AND exception_case.subject = sales_order.ref || '/' || order_line.ref "
        f"WHERE sales_order.id = :order AND {WANTS_UNITS} "
        "AND exception_case.kind = 'oversold' AND exception_case.state <> 'resolved'",
        order=order_id,
    )
    return bool(lacks) and not _left(tx, order_id)


def _left(tx: Transaction, order_id: str) -> int:
    return int(
        tx.value(
            "SELECT COUNT(*) FROM unit JOIN order_line ON order_line.id = unit.order_line_id "
            "WHERE order_line.order_id = :order AND unit.status IN ('shipped', 'sold')",
            order=order_id,
        )
    )
