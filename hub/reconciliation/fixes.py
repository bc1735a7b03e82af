"""Fixes of differences between a channel and the ledger: each repeats a normal step of the hub."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import orjson

from hub import orders
from hub.clock import moment
from hub.commands.context import CommandContext
from hub.errors import StepNotAllowed
from hub.orders import Shipment, parcels
from hub.orders.parcels import LeftUnit
from hub.reconciliation.kinds import Fix
from hub.reconciliation.rows import Identified
from hub.storage.rows import ObservedListingRow, ReconciliationDifferenceRow
from hub.storage.sql import Transaction
from hub.sync import bindings, channels, listings, outbox, registrations


def listing_of(difference: ReconciliationDifferenceRow) -> str:
    """Return the id of the listing; raises StepNotAllowed if its binding was ended."""
    listing_id = difference["listing_id"]
    if listing_id is None:
        raise StepNotAllowed("the listing is not bound any more", allowed=["dismiss"])
    return listing_id


@dataclass(frozen=True, slots=True)
class _Observed:
    sku: str
    remote: dict[str, str]
    quantity: int


def _observed(tx: Transaction, difference: ReconciliationDifferenceRow) -> _Observed:
    """Return a listing as the channel showed it last; raises StepNotAllowed if it is gone."""
    row = tx.row_as(
        ObservedListingRow,
        "SELECT * FROM observed_listing WHERE channel_id = :channel AND about = :about",
        channel=difference["channel_id"],
        about=difference["about"],
    )
    if row is None:
        raise StepNotAllowed("the channel does not list it any more", allowed=["dismiss"])
    return _Observed(row["sku"], orjson.loads(row["remote"]), row["quantity"])


def bind(tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow) -> None:
    """Bind a listing to its product."""
    product_id = difference["product_id"]
    assert product_id is not None  # as comparison finds it
    seen = _observed(tx, difference)
    listing_id = bindings.bind(
        tx,
        difference["channel_id"],
        product_id,
        seen.sku,
        seen.remote,
        context.now,
        observed=seen.quantity,
    )
    _concerns(tx, difference, listing_id)


def bind_copy(
    tx: Transaction,
    context: CommandContext,
    difference: ReconciliationDifferenceRow,
    *,
    shares: bool,
) -> None:
    """Bind a further listing of a SKU; where none of them is bound yet, it becomes the first."""
    original = tx.value(
        "SELECT id FROM listing WHERE channel_id = :channel AND product_id = :product "
        "AND unit_id IS NULL AND copy_of IS NULL",
        channel=difference["channel_id"],
        product=difference["product_id"],
    )
    if original is None:
        bind(tx, context, difference)
        return
    seen = _observed(tx, difference)
    listing_id = bindings.bind_copy(
        tx, str(original), seen.remote, seen.quantity, context.now, shares=shares
    )
    _concerns(tx, difference, listing_id)


def _concerns(tx: Transaction, difference: ReconciliationDifferenceRow, listing_id: str) -> None:
    tx.run(
        "UPDATE reconciliation_difference SET listing_id = :listing WHERE id = :id",
        listing=listing_id,
        id=difference["id"],
    )


def rebind(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """Bind a listing to the channel's new reference of the same SKU."""
    seen = _observed(tx, difference)
    bindings.refer(tx, listing_of(difference), seen.remote, seen.quantity, context.now)


def rename(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """Give a listing the SKU that its channel uses for it now."""
    sku = str(orjson.loads(difference["remote_claim"])["sku"])
    bindings.rename(tx, listing_of(difference), sku, context.now)


def unbind(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """End the binding of a listing that the channel does not show any more."""
    bindings.unbind(tx, listing_of(difference), context.now)


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
    """Queue the shipments of an order again: those that were given up, else all of them.

    Each keeps its reference, carrier, tracking number and time, as the events of its units state
    them: a channel that still has one of them does not get it twice.
    """
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
    for command_id, units in parcels.left(tx, difference["order_id"] or "").items():
        ids = [row["id"] for row in units]
        repeat = _attempt(difference)
        orders.push_fulfillment(
            tx, context, ids, _parcel(units[0]), reference=command_id, repeat=repeat
        )


def _parcel(unit: LeftUnit) -> Shipment:
    details = orjson.loads(unit["details"]) if unit["details"] else {}
    left_at = moment(unit["occurred_at"])
    return Shipment(details.get("carrier"), details.get("tracking"), left_at)


def _attempt(difference: ReconciliationDifferenceRow) -> str:
    """Return what names the next attempt to heal a difference."""
    return f"{difference['id']}:{difference['heal_attempts']}"


def push_level(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """Queue the level of a listing again, from the quantity that its channel showed."""
    seen = orjson.loads(difference["remote_claim"])["quantity"]
    listings.correct(tx, listing_of(difference), seen, context.now)


def register_again(
    tx: Transaction, context: CommandContext, difference: ReconciliationDifferenceRow
) -> None:
    """Queue the registration of a unit again."""
    unit_id = difference["unit_id"]
    assert unit_id is not None  # as comparison finds it
    registrations.again(tx, unit_id, _attempt(difference), context.now)


Apply = Callable[[Transaction, CommandContext, ReconciliationDifferenceRow], None]
# An order that is to be accepted is read by the caller.
FIXES: Mapping[Fix, Apply] = {
    Fix.PUSH_LEVEL: push_level,
    Fix.BIND_LISTING: bind,
    Fix.BIND_NEAR_MATCH: bind,
    Fix.SELL_ON_ONE: partial(bind_copy, shares=False),
    Fix.SHARE_FIGURE: partial(bind_copy, shares=True),
    Fix.REBIND_LISTING: rebind,
    Fix.RENAME_LISTING: rename,
    Fix.UNBIND_LISTING: unbind,
    Fix.CANCEL_ORDER: cancel,
    Fix.PUSH_FULFILLMENT: push_again,
    Fix.REGISTER_AGAIN: register_again,
}
