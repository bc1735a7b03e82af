"""Comparison of the orders of a channel with those of the ledger, one by one."""

from collections.abc import Collection
from datetime import datetime, timedelta

from hub.cases import Severity
from hub.clock import micros
from hub.orders.line_status import REPEATED
from hub.reconciliation.kinds import (
    Cause,
    Compared,
    Difference,
    Fix,
    Kind,
    different,
    in_flight,
    matched,
)
from hub.storage.rows import ChannelRow, OrderLineRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import channels, mappings
from hub.vocabulary import Order, OrderState


class ComparedLine(OrderLineRow):
    """An order line with the units that left, came back and were deducted by returns."""

    left_here: int
    back_here: int
    taken_off: int


def order(
    tx: Transaction, channel: ChannelRow, remote: Order, now: datetime, grace: timedelta
) -> Compared:
    """Compare one order.

    `now` is when the reading of the channel started. An unknown order is in flight for `grace`, and
    so is a shipment that was sent since then.
    """
    remote = mappings.order(channel, remote)
    known = tx.row_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE channel_id = :channel AND ref = :ref",
        channel=channel["id"],
        ref=remote.ref,
    )
    if known is None:
        if now - remote.placed_at < grace:
            return in_flight(remote.ref)
        return _missing_order(tx, channel, remote)
    lines = _lines(tx, known["id"])
    if _edited(remote, known, lines):
        return _order_state(remote, known, lines)
    return _fulfillment(tx, channel, remote, known, lines, now - grace)


def _missing_order(tx: Transaction, channel: ChannelRow, remote: Order) -> Compared:
    hints = tx.value(
        "SELECT COUNT(*) FROM inbox WHERE channel_id = :channel AND subject = :ref "
        "AND source IN ('webhook', 'queue')",
        channel=channel["id"],
        ref=remote.ref,
    )
    able = channels.can(channel, "receive_webhooks") or channels.can(channel, "receive_queue")
    lost = able and not hints
    return different(
        Difference(
            kind=Kind.MISSING_ORDER,
            about=remote.ref,
            subject=remote.number,
            ledger={},
            remote={
                "ref": remote.ref,
                "state": remote.remote_state,
                "placed_at": remote.placed_at.isoformat(),
                "lines": {line.sku: line.quantity for line in remote.lines},
            },
            cause=Cause.LOST_WEBHOOK if lost else Cause.MISSED_ORDER,
            evidence=f"Order {remote.number} was placed at "
            f"{remote.placed_at:%Y-%m-%d %H:%M:%S} UTC "
            + ("and no webhook for it ever came." if lost else "and was never processed."),
            fix=Fix.ACCEPT_ORDER,
            severity=Severity.HIGH,
        )
    )


def _lines(tx: Transaction, order_id: str) -> dict[str, ComparedLine]:
    return {
        row["ref"]: row
        for row in tx.rows_as(
            ComparedLine,
            "SELECT order_line.*, (SELECT COUNT(*) FROM unit WHERE unit.order_line_id = "
            "order_line.id AND unit.status IN ('shipped', 'sold')) AS left_here, "
            "(SELECT COALESCE(SUM(line_return.times), 0) FROM line_return "
            "WHERE line_return.order_line_id = order_line.id) AS back_here, "
            "(SELECT COALESCE(SUM(channel_return_line.taken_off), 0) FROM channel_return "
            "JOIN channel_return_line ON channel_return_line.return_id = channel_return.id "
            "WHERE channel_return.order_id = order_line.order_id "
            "AND channel_return.state <> 'cancelled' "
            "AND channel_return_line.order_line_ref = order_line.ref) AS taken_off "
            "FROM order_line WHERE order_id = :id",
            id=order_id,
        )
    }


def _edited(remote: Order, known: OrderRow, lines: dict[str, ComparedLine]) -> bool:
    cancelled = remote.state is OrderState.CANCELLED
    if cancelled != (known["state"] == OrderState.CANCELLED):
        return True
    if cancelled:
        return False
    there = {line.ref: line.quantity for line in remote.lines}
    here = {ref: row["quantity"] for ref, row in lines.items()}
    return any(there.get(ref, 0) != here.get(ref, 0) for ref in there.keys() | here.keys())


def _order_state(remote: Order, known: OrderRow, lines: dict[str, ComparedLine]) -> Compared:
    return different(
        Difference(
            kind=Kind.ORDER_STATE,
            about=remote.ref,
            subject=remote.number,
            ledger={
                "state": known["state"],
                "lines": {row["sku"]: row["quantity"] for row in lines.values()},
            },
            remote={
                "ref": remote.ref,
                "state": remote.remote_state,
                "lines": {line.sku: line.quantity for line in remote.lines},
            },
            cause=Cause.MISSED_ORDER,
            evidence=f"Order {remote.number} was changed there and the change never came here.",
            fix=Fix.ACCEPT_ORDER,
            severity=Severity.HIGH,
            order_id=known["id"],
        )
    )


def _fulfillment(
    tx: Transaction,
    channel: ChannelRow,
    remote: Order,
    known: OrderRow,
    lines: dict[str, ComparedLine],
    since: datetime,
) -> Compared:
    if remote.at_counter or not channels.can(channel, "push_fulfillment"):
        return matched(remote.ref)
    if known["same_verdict"] in REPEATED:
        return matched(remote.ref)  # the order that it repeats is served, and its channel informed
    there = sum(line.fulfilled for line in remote.lines)
    here = sum(row["left_here"] for row in lines.values())
    back = sum(row["back_here"] for row in lines.values())
    taken_off = sum(row["taken_off"] for row in lines.values())
    # A channel may count returned units as fulfilled or not: both match.
    if here - taken_off <= there <= here + back:
        return matched(remote.ref)
    if here > there and _is_pushing(tx, channel, known, since):
        return in_flight(remote.ref)
    unsent = here > there
    return different(
        Difference(
            kind=Kind.MISSING_FULFILLMENT if unsent else Kind.FOREIGN_FULFILLMENT,
            about=remote.ref,
            subject=remote.number,
            ledger={"left": here},
            remote={"ref": remote.ref, "fulfilled": there, "state": remote.remote_state},
            cause=Cause.FAILED_PUSH if unsent else Cause.FOREIGN_EDIT,
            evidence=f"{here} units of order {remote.number} left here, the channel says {there}.",
            fix=Fix.PUSH_FULFILLMENT if unsent else Fix.ASK,
            severity=Severity.MEDIUM if unsent else Severity.HIGH,
            order_id=known["id"],
        )
    )


def _is_pushing(tx: Transaction, channel: ChannelRow, known: OrderRow, since: datetime) -> bool:
    """Return whether a shipment of an order is queued, or was sent since the channel was read.

    What the channel showed before proves nothing; sending again would create a second shipment.
    """
    return bool(
        tx.value(
            "SELECT COUNT(*) FROM outbox WHERE channel_id = :channel AND subject = :order_id "
            "AND (state IN ('waiting', 'leased') OR (state = 'sent' AND settled_at >= :since))",
            channel=channel["id"],
            order_id=known["id"],
            since=micros(since),
        )
    )


def unseen_orders(
    tx: Transaction,
    channel: ChannelRow,
    since: datetime,
    until: datetime,
    seen: Collection[str],
    *,
    limit: int,
) -> list[OrderRow]:
    """Return open orders and drafts of a period that the channel did not list, oldest first."""
    rows = tx.rows_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE channel_id = :channel "
        "AND state IN ('open', 'pending', 'draft') AND placed_at >= :since "
        "AND placed_at <= :until ORDER BY placed_at, id",
        channel=channel["id"],
        since=micros(since),
        until=micros(until),
    )
    return [row for row in rows if row["ref"] not in seen][:limit]


def deleted_order(known: OrderRow) -> Compared:
    """Return the difference of an order that its channel no longer has."""
    return different(
        Difference(
            kind=Kind.UNKNOWN_ORDER,
            about=known["ref"],
            subject=known["number"],
            ledger={"state": known["state"]},
            remote={"ref": known["ref"]},
            cause=Cause.FOREIGN_EDIT,
            evidence=f"The channel neither lists order {known['number']} nor finds it: it was "
            "deleted there.",
            fix=Fix.CANCEL_ORDER,
            severity=Severity.HIGH,
            order_id=known["id"],
        )
    )


def gone(tx: Transaction, channel: ChannelRow, ref: str) -> Compared:
    """Return the outcome of an order that its channel does not find."""
    known = tx.row_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE channel_id = :channel AND ref = :ref",
        channel=channel["id"],
        ref=ref,
    )
    if known is None or known["state"] not in {OrderState.OPEN, OrderState.PENDING}:
        return matched(ref)
    return deleted_order(known)
