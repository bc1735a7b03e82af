"""Orders: what a channel sold becomes promises on named units, and what left is told to it.

Nothing here ever raises for an order that can not be served: it is kept, and a case is opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hub import cases, ledger
from hub.cases import CaseKind
from hub.clock import micros
from hub.commands.context import CommandContext
from hub.commands.work import Work
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.orders import duplicates, line_status, lines, order_lookup, order_store, unmapped
from hub.orders.allocation import allocate
from hub.orders.back_orders import retry as retry_backorders
from hub.storage.sql import Row, Transaction
from hub.sync import channels, listings, mappings, outbox
from hub.vocabulary import Order

__all__ = [
    "TOPIC",
    "Shipment",
    "accept",
    "allocate",
    "bind_waiting",
    "decide_duplicate",
    "push_fulfillment",
    "recheck",
    "retry_backorders",
    "settle",
    "ship",
]
TOPIC = "fulfillment"


@dataclass(frozen=True, slots=True)
class Shipment:
    """How a parcel travels."""

    carrier: str | None = None
    tracking: str | None = None


def accept(tx: Transaction, context: CommandContext, channel: Row, order: Order) -> str | None:
    """Work an order, as its channel states it now, into the ledger; return its id.

    An older state than the one known is ignored (None). The same state again changes nothing.
    """
    order = mappings.order(channel, order)
    known = tx.row(
        "SELECT * FROM sales_order WHERE channel_id = :channel AND ref = :ref FOR UPDATE",
        channel=channel["id"],
        ref=order.ref,
    )
    if order_store.is_old(known, order):
        return None
    order_id = order_store.keep(tx, context, channel, order)
    if known is None:
        # A return may have come before its order.
        tx.run(
            "UPDATE channel_return SET order_id = :id WHERE channel_id = :channel "
            "AND order_ref = :ref AND order_id IS NULL",
            id=order_id,
            channel=channel["id"],
            ref=order.ref,
        )
    settle(tx, context, order_id)
    if known is None or micros(order.updated_at) > known["remote_updated_at"]:
        # What waits for a unit that is to come leaves the less for those who would order it.
        listings.touch_early(tx, _products(tx, order_id), context.now)
    return order_id


def _products(tx: Transaction, order_id: str) -> set[str]:
    rows = tx.rows(
        "SELECT product_id FROM order_line WHERE order_id = :id AND product_id IS NOT NULL",
        id=order_id,
    )
    return {row["product_id"] for row in rows}


def settle(tx: Transaction, context: CommandContext, order_id: str) -> None:
    """Bring the promises of an order to what its channel asks for, as it is known now."""
    order = tx.row("SELECT * FROM sales_order WHERE id = :id FOR UPDATE", id=order_id)
    assert order is not None  # orders are never deleted
    order = duplicates.suspect(tx, context, order)
    lines.settle(tx, context, channels.by_id(tx, order["channel_id"]), order)


def decide_duplicate(
    tx: Transaction, context: CommandContext, order_id: str, *, different: bool
) -> None:
    """Decide whether an order repeats another one; a different one is served from now on."""
    order = order_lookup.order_of(tx, order_id)
    duplicates.decide(tx, context, order, different=different)
    settle(tx, context, order_id)


def bind_waiting(
    tx: Transaction, context: CommandContext, *, limit: int, channel_id: str | None = None
) -> int:
    """Serve lines whose SKU has become known since; return how many orders were concerned."""
    found = unmapped.orders_to_bind(tx, limit=limit, channel_id=channel_id)
    for order_id in found:
        settle(tx, context, order_id)
    return len(found)


def recheck(tx: Transaction, context: CommandContext, *, limit: int) -> None:
    """Close the cases of orders of which too much had left, and came back or is awaited since."""
    rows = tx.rows(
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
    """Record that units left, and tell the channel of each order which serials left.

    A unit only leaves on the line that it is promised to, and only what that line asks for.
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
) -> None:
    """Queue one fulfillment for each order that the units belong to."""
    rows = tx.rows(
        "SELECT unit.serial, order_line.ref AS line_ref, sales_order.id AS order_id, "
        "sales_order.ref AS order_ref, sales_order.channel_id FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "WHERE unit.id IN (:ids...) ORDER BY sales_order.id, order_line.ref, unit.id",
        ids=list(unit_ids),
    )
    by_order: dict[str, list[Row]] = {}
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
                key=f"{TOPIC}:{reference}:{order_id}",
                payload={
                    "reference": f"{reference}-{order_id[-12:]}",
                    "order_ref": units[0]["order_ref"],
                    "lines": lines,
                    "carrier": shipment.carrier,
                    "tracking": shipment.tracking,
                    "shipped_at": micros(context.now),
                },
            )
        )
    outbox.put(tx, facts, context.now)
    line_status.close_if_done(tx, list(by_order))
