"""Fixes of differences between a channel and the ledger: each repeats a normal step of the hub."""

import orjson

from hub import cases, orders
from hub.cases import CaseKind
from hub.commands.context import CommandContext
from hub.orders import Shipment
from hub.reconciliation.rows import Identified
from hub.storage.rows import ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import channels, listings, outbox


def bind(tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow) -> None:
    """Bind a listing; the difference is healed once the channel accepted the listing's level."""
    product_id = difference["product_id"]
    assert product_id is not None  # as comparison finds it
    remote = orjson.loads(difference["remote_claim"])
    subject, channel_id = difference["subject"], difference["channel_id"]
    listing_id = listings.bind(
        tx,
        channel_id,
        product_id,
        subject,
        remote["remote"],
        context.now,
        observed=remote["quantity"],
    )
    tx.run(
        "UPDATE reconciliation_difference SET listing_id = :listing WHERE id = :id",
        listing=listing_id,
        id=difference["id"],
    )
    cases.settle(tx, CaseKind.DISAGREEMENT, subject, channel_id, context.now)


def cancel(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """Cancel an order that its channel no longer has, which frees its units."""
    channel = channels.by_id(tx, difference["channel_id"])
    ref = str(orjson.loads(difference["remote_claim"])["ref"])
    orders.delete(tx, context, channel, ref)


def push_again(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """Queue the shipments of an order again: those that were given up, else all of them."""
    dead = [
        row["id"]
        for row in tx.rows_as(
            Identified,
            "SELECT id FROM outbox WHERE channel_id = :channel AND subject = :subject "
            "AND topic = :topic AND state = 'dead'",
            channel=difference["channel_id"],
            subject=difference["order_id"],
            topic=orders.TOPIC,
        )
    ]
    if dead:
        outbox.replay(tx, dead, context.now)
        return
    units = tx.rows_as(
        Identified,
        "SELECT unit.id FROM unit JOIN order_line ON order_line.id = unit.order_line_id "
        "WHERE order_line.order_id = :order_id AND unit.status IN ('shipped', 'sold')",
        order_id=difference["order_id"],
    )
    orders.push_fulfillment(
        tx, context, [row["id"] for row in units], Shipment(), reference=difference["id"]
    )
