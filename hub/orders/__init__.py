"""Orders: allocate units to the orders of channels, and push what was shipped to the channels.

Nothing here raises for an order that cannot be served: the order is stored, and a case is opened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

from hub import cases, ledger
from hub.cases import CaseKind
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import (
    duplicates,
    line_status,
    lines,
    order_holds,
    order_lookup,
    order_store,
    parcels,
    unmapped,
)
from hub.orders.allocation import allocate
from hub.orders.back_orders import retry as retry_backorders
from hub.storage.rows import ChannelRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import channels, listings, mappings, outbox
from hub.vocabulary import Order, OrderState

__all__ = [
    "TOPIC",
    "Shipment",
    "accept",
    "allocate",
    "allocate_again",
    "apply_line_kinds",
    "bind_waiting",
    "decide_duplicate",
    "delete",
    "end_unpaid_promises",
    "push_fulfillment",
    "recheck",
    "retry_backorders",
    "settle",
    "ship",
]
TOPIC = "fulfillment"


class _ProductId(TypedDict):
    product_id: str


class _ShippedTooMany(TypedDict):
    subject: str
    order_id: str
    line_id: str
    channel_id: str


class _ShippedUnit(TypedDict):
    serial: str
    line_ref: str
    order_id: str
    order_ref: str
    channel_id: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """Carrier and tracking number of a parcel, and when it left if that was before."""

    carrier: str | None = None
    tracking: str | None = None
    left_at: datetime | None = None


def accept(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    order: Order,
    *,
    is_back: bool = False,
    bind: Callable[[str], None] | None = None,
) -> str | None:
    """Store the current state of an order from its channel and allocate its units; return its id.

    Returns None for a state older than the stored one. The same state again changes nothing, unless
    `is_back`: the channel had deleted the order, and was just seen to have it again. `bind` is
    called with the id once the order is stored: it gives the lines units that are promised to the
    buyer already, and only what then lacks is allocated.
    """
    order = mappings.order(channel, order)
    known = tx.row_as(
        OrderRow,
        "SELECT * FROM sales_order WHERE channel_id = :channel AND ref = :ref FOR UPDATE",
        channel=channel["id"],
        ref=order.ref,
    )
    returns = is_back and known is not None and known["remote_state"] == order_holds.DELETED
    if not returns and order_store.is_old(known, order):
        return None
    order_id = order_store.store(tx, context, channel, order)
    if known is None:
        # A return may arrive before its order.
        tx.run(
            "UPDATE channel_return SET order_id = :id WHERE channel_id = :channel "
            "AND order_ref = :ref AND order_id IS NULL",
            id=order_id,
            channel=channel["id"],
            ref=order.ref,
        )
    if bind is not None:
        bind(order_id)
    settle(tx, context, order_id)
    if known is None or micros(order.updated_at) > known["remote_updated_at"]:
        # Orders that wait for incoming units reduce the quantity for pre-orders.
        listings.touch_early(tx, _products(tx, order_id), context.now)
    return order_id


def _products(tx: Transaction, order_id: str) -> set[str]:
    rows = tx.rows_as(
        _ProductId,
        "SELECT product_id FROM order_line WHERE order_id = :id AND product_id IS NOT NULL",
        id=order_id,
    )
    return {row["product_id"] for row in rows}


def settle(tx: Transaction, context: CommandContext, order_id: str) -> None:
    """Bring the allocations of an order to the quantities that its channel currently requests."""
    order = tx.row_as(OrderRow, "SELECT * FROM sales_order WHERE id = :id FOR UPDATE", id=order_id)
    assert order is not None  # orders are never deleted
    order = duplicates.suspect(tx, context, order)
    lines.settle(tx, context, channels.by_id(tx, order["channel_id"]), order)


def decide_duplicate(
    tx: Transaction, context: CommandContext, order_id: str, *, different: bool
) -> None:
    """Decide whether an order is a duplicate; a different order is served from now on.

    Raise UnknownReference for an unknown order, StepNotAllowed for an order without a suspicion.
    """
    order = order_lookup.order_of(tx, order_id)
    duplicates.decide(tx, context, order, different=different)
    settle(tx, context, order_id)


def delete(tx: Transaction, context: CommandContext, channel: ChannelRow, ref: str) -> str | None:
    """Cancel an order that its channel has deleted, and free its units; return its id.

    Returns None for an order that is unknown or cancelled already.
    """
    order_id = order_holds.cancel_deleted(tx, channel["id"], ref)
    if order_id is not None:
        settle(tx, replace(context, reason="deleted in its channel"), order_id)
    return order_id


def allocate_again(work: Work, order_id: str) -> None:
    """Allocate the units that a person took off an order, and those that ended with its promises.

    Raises UnknownReference for an unknown order, StepNotAllowed for a cancelled one.
    """
    order = order_lookup.order_of(work.tx, order_id)
    if order["state"] in (OrderState.CANCELLED, OrderState.DRAFT):
        raise StepNotAllowed(f"the order {order['number']} takes no units", allowed=[])
    work.tx.run(
        "UPDATE sales_order SET promises_ended_at = NULL, promises_from = :now WHERE id = :id",
        now=micros(work.context.now),
        id=order_id,
    )
    work.tx.run("UPDATE order_line SET withheld = 0 WHERE order_id = :id", id=order_id)
    settle(work.tx, work.context, order_id)


def end_unpaid_promises(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Free the units of orders that were not paid in time; return the number of orders."""
    ended = order_holds.unpaid_too_long(tx, context, limit=limit)
    for order_id in ended:
        settle(tx, replace(context, reason="not paid in time"), order_id)
    return len(ended)


def apply_line_kinds(
    tx: Transaction, context: CommandContext, channel: ChannelRow, *, limit: int
) -> int:
    """Apply the channel's mapping of line kinds to stored lines; return the number of orders."""
    changed = order_store.apply_line_kinds(tx, channel, limit=limit)
    for order_id in changed:
        settle(tx, context, order_id)
    return len(changed)


def bind_waiting(
    tx: Transaction, context: CommandContext, *, limit: int, channel_id: str | None = None
) -> int:
    """Serve order lines whose SKU is mapped now; return the number of orders."""
    found = unmapped.orders_to_bind(tx, limit=limit, channel_id=channel_id)
    for order_id in found:
        settle(tx, context, order_id)
    return len(found)


def recheck(tx: Transaction, context: CommandContext, *, limit: int) -> None:
    """Close the cases of orders with excess shipments whose units are returned or expected back."""
    rows = tx.rows_as(
        _ShippedTooMany,
        "SELECT exception_case.subject, sales_order.id AS order_id, order_line.id AS line_id, "
        "exception_case.channel_id FROM exception_case "
        "JOIN sales_order ON sales_order.channel_id = exception_case.channel_id "
        "JOIN order_line ON order_line.order_id = sales_order.id "
        "AND exception_case.subject = sales_order.ref || '/' || order_line.ref "
        "WHERE exception_case.kind = 'shipped_too_many' AND exception_case.state <> 'resolved' "
        "LIMIT :limit",
        limit=limit,
    )
    for row in rows:
        line = order_lookup.line_of(tx, row["line_id"])
        (one,) = line_status.of_lines(tx, order_lookup.order_of(tx, row["order_id"]), [line])
        if not one.excess:
            cases.settle(
                tx,
                CaseKind.SHIPPED_TOO_MANY,
                row["subject"],
                row["channel_id"],
                context.now,
            )


def ship(
    work: Work,
    scans: Sequence[Scan],
    shipment: Shipment,
    *,
    line: str | None = None,
) -> list[Verdict]:
    """Record that units were shipped, and push the serials to the channels of their orders.

    A unit is shipped only on the line it is allocated to. Returns one verdict for each scan; raises
    InvalidInput for no scans or too many.
    """
    verdicts = ledger.record(
        work,
        UnitCommand(
            action=Action.SHIP,
            line=line,
            details={"carrier": shipment.carrier, "tracking": shipment.tracking},
        ),
        scans,
    )
    left = [verdict.unit_id for verdict in verdicts if verdict.accepted and verdict.unit_id]
    push_fulfillment(work.tx, work.context, left, shipment, reference=work.command_id)
    return verdicts


def push_fulfillment(
    tx: Transaction,
    context: CommandContext,
    unit_ids: Sequence[str],
    shipment: Shipment,
    *,
    reference: str,
    repeat: str = "",
) -> None:
    """Queue one fulfillment message for each order of the units.

    `reference` names the shipment to the channels; `repeat` makes a message about the same shipment
    another message.
    """
    rows = tx.rows_as(
        _ShippedUnit,
        "SELECT unit.serial, order_line.ref AS line_ref, sales_order.id AS order_id, "
        "sales_order.ref AS order_ref, sales_order.channel_id FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE unit.id IN (:ids...) ORDER BY sales_order.id, order_line.ref, unit.id",
        ids=list(unit_ids),
    )
    by_order: dict[str, list[_ShippedUnit]] = {}
    for row in rows:
        by_order.setdefault(row["order_id"], []).append(row)
    facts = []
    for order_id, units in by_order.items():
        if not channels.can(channels.by_id(tx, units[0]["channel_id"]), "push_fulfillment"):
            continue
        lines: dict[str, list[str]] = {}
        for unit in units:
            lines.setdefault(unit["line_ref"], []).append(unit["serial"])
        facts.append(
            outbox.Fact(
                channel_id=units[0]["channel_id"],
                topic=TOPIC,
                subject=order_id,
                key=f"{TOPIC}:{reference}:{order_id}{repeat and f':{repeat}'}",
                payload={
                    "reference": parcels.reference_of(reference, order_id),
                    "order_ref": units[0]["order_ref"],
                    "lines": lines,
                    "other_lines": line_status.refs_without_units(tx, order_id),
                    "carrier": shipment.carrier,
                    "tracking": shipment.tracking,
                    "shipped_at": micros(shipment.left_at or context.now),
                },
            )
        )
    outbox.put(tx, facts, context.now)
    line_status.close_if_done(tx, list(by_order))
