"""Holds and promises of orders: what stops an order, and what ends the promises of its units.

A channel states the hold (`hub.vocabulary.HoldReason`). A person with the right may let it pass,
with a reason that stays in the history of each promised unit. An order that is not paid in time
loses its promises until it is paid; what a person takes off an order stays off.
"""

from collections.abc import Sequence
from typing import TypedDict

from hub import cases, ledger
from hub.cases import CaseKind, Finding, Severity
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import InvalidInput, StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import order_lookup
from hub.storage.rows import OrderRow
from hub.storage.sql import Transaction
from hub.vocabulary import HoldReason

REASON_CHARS_MAX = 200
DELETED = "deleted"  # in the place of the channel's word for the state of an order
HOUR_MICROS = 3_600_000_000
# A person has to act on these: the buyer waits for an answer, or money went back.
ASKS_FOR_A_PERSON = (
    HoldReason.CANCELLATION_REQUESTED,
    HoldReason.REFUNDED,
    HoldReason.FRAUD_REVIEW,
)
# Without the buyer's money: the promises have an end.
UNPAID = (HoldReason.PAYMENT_PENDING, HoldReason.REFUNDED)


class _Id(TypedDict):
    id: str


class _PromisedUnit(TypedDict):
    id: str
    order_line_id: str


class _Picked(TypedDict):
    serial: str


def review(tx: Transaction, context: CommandContext, order: OrderRow) -> None:
    """Open the case of an order that a person has to stop or decide on, or close it."""
    hold = order["hold"]
    held = hold is not None and hold != order["hold_override"]
    picked = _picked(tx, order["id"]) if held else []
    if hold is None or not held or not (picked or hold in ASKS_FOR_A_PERSON):
        cases.settle(tx, CaseKind.ORDER_ON_HOLD, order["ref"], order["channel_id"], context.now)
        return
    stop = f" Stop what is picked: {', '.join(picked[:10])}." if picked else ""
    finding = Finding(
        kind=CaseKind.ORDER_ON_HOLD,
        subject=order["ref"],
        channel_id=order["channel_id"],
        severity=Severity.HIGH,
        summary=f"Nothing of order {order['number']} may leave: {hold.replace('_', ' ')}.{stop}",
        details={
            "order": order["number"],
            "order_id": order["id"],
            "hold": hold,
            "remote_state": order["remote_state"],
            "picked": picked,
        },
    )
    cases.report(tx, finding, context.now)


def _picked(tx: Transaction, order_id: str) -> list[str]:
    rows = tx.rows_as(
        _Picked,
        "SELECT unit.serial FROM unit JOIN order_line ON order_line.id = unit.order_line_id "
        "WHERE order_line.order_id = :order AND unit.promised_to IS NOT NULL "
        "AND unit.status IN ('picked', 'packed') ORDER BY unit.id",
        order=order_id,
    )
    return [row["serial"] for row in rows]


def override(work: Work, order_id: str) -> None:
    """Let the present hold of an order pass; the reason is that of the command context.

    The history of each promised unit keeps it. Another hold stops the order again. Raises
    UnknownReference for an unknown order, InvalidInput for a missing reason, StepNotAllowed for an
    order that is not on hold.
    """
    reason = (work.context.reason or "").strip()
    if not 0 < len(reason) <= REASON_CHARS_MAX:
        raise InvalidInput(
            f"give the reason, in 1 to {REASON_CHARS_MAX} characters", field="reason"
        )
    order = order_lookup.order_of(work.tx, order_id)
    if order["hold"] is None:
        raise StepNotAllowed(f"the order {order['number']} is not on hold", allowed=[])
    work.tx.run(
        "UPDATE sales_order SET hold_override = hold, hold_override_reason = :reason, "
        "hold_override_by = :by, hold_override_at = :now WHERE id = :id",
        reason=reason,
        by=work.context.actor,
        now=micros(work.context.now),
        id=order_id,
    )
    promised = _promised(work.tx, order_id)
    if promised:
        noted = order_lookup.documented(work.context, order["number"])
        details = {"order_hold_overridden": order["hold"]}
        ledger.record(
            work.within(noted),
            UnitCommand(action=Action.ANNOTATE, details=details),
            [Scan(row["id"]) for row in promised],
        )
    review(work.tx, work.context, order_lookup.order_of(work.tx, order_id))


def _promised(tx: Transaction, order_id: str) -> list[_PromisedUnit]:
    return tx.rows_as(
        _PromisedUnit,
        "SELECT unit.id, unit.order_line_id FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "WHERE order_line.order_id = :order AND unit.promised_to IS NOT NULL ORDER BY unit.id",
        order=order_id,
    )


def release(work: Work, scans: Sequence[Scan]) -> list[Verdict]:
    """Take promises back by hand; order lines do not get other units in their place.

    Returns one verdict for each scan. Somebody allocates the order again (`orders.allocate_again`),
    or its channel changes it.
    """
    found = ledger.units.locate(work.tx, scans)
    lines = {
        unit.id: unit.order_line_id
        for unit in found
        if isinstance(unit, ledger.units.UnitState) and unit.promised_to and unit.order_line_id
    }
    verdicts = ledger.record(work, UnitCommand(action=Action.RELEASE), scans, found=found)
    for verdict in verdicts:
        line = lines.get(verdict.unit_id or "")
        if verdict.accepted and line is not None:
            work.tx.run("UPDATE order_line SET withheld = withheld + 1 WHERE id = :id", id=line)
    return verdicts


def unpaid_too_long(tx: Transaction, context: CommandContext, *, limit: int) -> list[str]:
    """End the promises of orders that were not paid in time; return their ids, oldest first.

    Each channel says how long an unpaid order keeps its units (`unpaid_promise_hours`): from its
    placing, from its arrival here where that is later, or from when a person allocated it again.
    The caller settles the orders.
    """
    rows = tx.rows_as(
        _Id,
        "SELECT sales_order.id FROM sales_order "
        "JOIN channel ON channel.id = sales_order.channel_id "
        "WHERE sales_order.state = 'pending' AND sales_order.hold IN (:unpaid...) "
        "AND COALESCE(sales_order.hold_override, '') <> sales_order.hold "
        "AND sales_order.promises_ended_at IS NULL AND channel.unpaid_promise_hours IS NOT NULL "
        "AND COALESCE(sales_order.promises_from, CASE WHEN sales_order.placed_at > "
        "sales_order.recorded_at THEN sales_order.placed_at ELSE sales_order.recorded_at END) "
        "+ channel.unpaid_promise_hours * :hour <= :now "
        "ORDER BY sales_order.placed_at, sales_order.id LIMIT :limit",
        unpaid=[str(each) for each in UNPAID],
        hour=HOUR_MICROS,
        now=micros(context.now),
        limit=limit,
    )
    ids = [row["id"] for row in rows]
    if ids:
        tx.run(
            "UPDATE sales_order SET promises_ended_at = :now WHERE id IN (:ids...)",
            now=micros(context.now),
            ids=ids,
        )
    return ids


def cancel_deleted(tx: Transaction, channel_id: str, ref: str) -> str | None:
    """Cancel an order that its channel has deleted; return its id, None for an unknown order.

    The caller settles the order, which frees its units.
    """
    row = tx.row_as(
        _Id,
        "UPDATE sales_order SET state = 'cancelled', hold = NULL, remote_state = :deleted "
        "WHERE channel_id = :channel AND ref = :ref AND state <> 'cancelled' RETURNING id",
        channel=channel_id,
        ref=ref,
        deleted=DELETED,
    )
    return None if row is None else row["id"]
