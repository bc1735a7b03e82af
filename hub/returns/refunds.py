"""Refunds of order lines, by the channel and over our own counter."""

from dataclasses import dataclass
from typing import TypedDict

from hub.clock import micros
from hub.commands.context import CommandContext
from hub.storage.sql import Transaction


class _ChannelRefunds(TypedDict):
    units: int
    ref: str | None


class _RefundedLine(TypedDict):
    id: str
    refunded: int
    refunded_at: int | None
    paid_ref: str


class _ReturnRefund(TypedDict):
    id: str
    refund_ref: str | None


@dataclass(frozen=True, slots=True)
class Paid:
    """Numbers of refunded units of a line; refunds of the channel are not counted twice."""

    there: int
    here: int
    left_once: int  # units that ever left on the line
    ref: str | None  # of the channel's newest refund

    @property
    def settled(self) -> bool:
        """Return whether every shipped unit is refunded."""
        return self.there > 0 and self.there + self.here >= self.left_once


def of_line(tx: Transaction, line_id: str) -> Paid:
    """Return the refunds of an order line."""
    there = tx.row_as(
        _ChannelRefunds,
        "SELECT COALESCE(SUM(line.refunded), 0) AS units, "
        "MAX(COALESCE(channel_return.refund_ref, channel_return.ref)) AS ref FROM order_line "
        "JOIN channel_return ON channel_return.order_id = order_line.order_id "
        "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
        "AND line.order_line_ref = order_line.ref "
        "WHERE order_line.id = :line AND channel_return.state <> 'cancelled' "
        "AND line.refunded > 0",
        line=line_id,
    )
    here = tx.value(
        "SELECT COUNT(*) FROM line_return "
        "JOIN return_case ON return_case.unit_id = line_return.unit_id "
        "WHERE line_return.order_line_id = :line AND return_case.refund_ref IS NOT NULL "
        "AND return_case.order_id = (SELECT order_id FROM order_line WHERE id = :line) "
        "AND NOT EXISTS (SELECT 1 FROM channel_return "
        "WHERE channel_return.order_id = return_case.order_id "
        "AND return_case.refund_ref IN (channel_return.refund_ref, channel_return.ref))",
        line=line_id,
    )
    left = tx.value(
        "SELECT COUNT(*) FROM (SELECT id FROM unit WHERE order_line_id = :line "
        "AND status IN ('shipped', 'sold') UNION SELECT unit_id FROM line_return "
        "WHERE order_line_id = :line) AS gone",
        line=line_id,
    )
    assert there is not None
    return Paid(int(there["units"]), here, left, there["ref"])


def is_asked_for(tx: Transaction, return_id: str) -> bool:
    """Return whether a channel was asked to refund a return, and did not refuse."""
    found = tx.value(
        "SELECT COUNT(*) FROM refund_request WHERE return_id = :id AND state <> 'refused'",
        id=return_id,
    )
    return bool(found)


def mark_return(tx: Transaction, context: CommandContext, return_id: str, reference: str) -> None:
    """Mark a return as refunded; it is closed where its unit is routed."""
    tx.run(
        "UPDATE return_case SET refund_ref = :reference, refunded_at = :now, "
        "state = CASE WHEN route IS NULL THEN 'refunded' ELSE 'closed' END, "
        "closed_at = CASE WHEN route IS NULL THEN closed_at ELSE :now END WHERE id = :id",
        reference=reference,
        now=micros(context.now),
        id=return_id,
    )


def paid_by_channel(tx: Transaction, context: CommandContext, order_id: str) -> None:
    """Mark accepted returns that the channel has refunded.

    A channel names no unit: the first unrefunded returns are marked.
    """
    for line in tx.rows_as(
        _RefundedLine,
        "SELECT order_line.id, line.refunded, channel_return.refunded_at, "
        "COALESCE(channel_return.refund_ref, channel_return.ref) AS paid_ref FROM channel_return "
        "JOIN channel_return_line AS line ON line.return_id = channel_return.id "
        "JOIN order_line ON order_line.order_id = channel_return.order_id "
        "AND order_line.ref = line.order_line_ref "
        "WHERE channel_return.order_id = :order AND channel_return.state <> 'cancelled' "
        "AND line.refunded > 0 AND line.comes_back ORDER BY channel_return.id",
        order=order_id,
    ):
        _mark(tx, context, order_id, line)


def _mark(tx: Transaction, context: CommandContext, order_id: str, line: _RefundedLine) -> None:
    rows = tx.rows_as(
        _ReturnRefund,
        "SELECT return_case.id, return_case.refund_ref FROM line_return "
        "JOIN return_case ON return_case.unit_id = line_return.unit_id "
        "AND return_case.order_id = :order AND return_case.received_at IS NOT NULL "
        "WHERE line_return.order_line_id = :line ORDER BY return_case.id",
        order=order_id,
        line=line["id"],
    )
    done = sum(row["refund_ref"] == line["paid_ref"] for row in rows)
    free = [row["id"] for row in rows if row["refund_ref"] is None]
    tx.run(
        "UPDATE return_case SET refund_ref = :ref, refunded_at = :at, "
        "state = CASE WHEN route IS NULL THEN 'refunded' ELSE 'closed' END, "
        "closed_at = CASE WHEN route IS NULL THEN closed_at ELSE :now END WHERE id IN (:ids...)",
        ref=line["paid_ref"],
        at=line["refunded_at"] or micros(context.now),
        now=micros(context.now),
        ids=free[: max(0, line["refunded"] - done)],
    )
