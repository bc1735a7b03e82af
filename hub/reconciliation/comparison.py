"""Comparison of a channel with the ledger, item by item.

Each function takes a batch of items read from a channel and returns the matches, the items in
flight and the differences, with the cause that the records prove.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict

from hub.cases import Severity
from hub.clock import micros, moment
from hub.orders.line_status import REPEATED
from hub.reconciliation.differences import Cause, Difference, Fix, Kind
from hub.storage.rows import ChannelRow, ListingLevelRow, OrderLineRow, OrderRow
from hub.storage.sql import Transaction
from hub.sync import channels, listings, mappings
from hub.vocabulary import ObservedLevel, Order, OrderState, Warranty, WarrantyStatus


class BoundLevel(ListingLevelRow):
    """A level with the SKU of its listing."""

    sku: str


class ComparedLine(OrderLineRow):
    """An order line with the units that left, came back and were deducted by returns."""

    left_here: int
    back_here: int
    taken_off: int


class RegisteredUnit(TypedDict):
    """A sold unit; `telling` counts its registrations that are in flight."""

    id: str
    serial: str
    sku: str
    model_number: str | None
    product_id: str
    telling: int


class _ProductName(TypedDict):
    id: str
    name: str


@dataclass(slots=True)
class Compared:
    """Outcome of one batch."""

    matched: int = 0
    in_flight: int = 0
    differences: list[Difference] = field(default_factory=list)


def levels(
    tx: Transaction, channel: ChannelRow, observed: Sequence[ObservedLevel], now: datetime
) -> Compared:
    """Compare the quantities that a channel shows with those that it should show."""
    outcome = Compared()
    bound = {
        row["sku"]: row
        for row in tx.rows_as(
            BoundLevel,
            "SELECT listing.sku, listing_level.* FROM listing "
            "JOIN listing_level ON listing_level.listing_id = listing.id "
            "WHERE listing.channel_id = :channel AND listing.sku IN (:skus...)",
            channel=channel["id"],
            skus=[each.sku for each in observed],
        )
    }
    desired = listings.desired(tx, channel, list(bound.values()), now)
    for each in observed:
        level = bound.get(each.sku)
        if level is None:
            outcome.differences.append(_unbound(tx, each))
        elif each.quantity == desired[level["listing_id"]]:
            outcome.matched += 1
        elif level["wanted_version"] > level["done_version"] and level["state"] == "live":
            outcome.in_flight += 1
        else:
            outcome.differences.append(_quantity(each, level, desired[level["listing_id"]]))
    listings.saw(tx, [row["listing_id"] for row in bound.values()], now)
    return outcome


def _unbound(tx: Transaction, seen: ObservedLevel) -> Difference:
    product = tx.row_as(_ProductName, "SELECT id, name FROM product WHERE sku = :sku", sku=seen.sku)
    remote = {"quantity": seen.quantity, "title": seen.title, "remote": dict(seen.remote)}
    if product is not None:
        return Difference(
            kind=Kind.UNBOUND_LISTING,
            subject=seen.sku,
            ledger={"product": product["name"]},
            remote=remote,
            cause=Cause.MAPPING_GAP,
            evidence=f"{seen.sku} is listed there and is not bound to the product here.",
            fix=Fix.BIND_LISTING,
            product_id=product["id"],
        )
    return Difference(
        kind=Kind.UNKNOWN_LISTING,
        subject=seen.sku or seen.title,
        ledger={},
        remote=remote,
        cause=Cause.MAPPING_GAP,
        evidence=f"{seen.sku or seen.title!r} is listed there and is no product of ours.",
        fix=Fix.ASK,
        severity=Severity.LOW,
    )


def _quantity(seen: ObservedLevel, level: BoundLevel, desired: int) -> Difference:
    sent, at = level["acknowledged"], level["acknowledged_at"]
    since = f"{moment(at):%Y-%m-%d %H:%M:%S} UTC" if at else "never"
    if level["state"] == "dead":
        cause = Cause.FAILED_PUSH
        evidence = f"The channel refused the last change: {level['last_error']}"
    elif sent is not None and seen.quantity != sent:
        cause = Cause.FOREIGN_EDIT
        evidence = f"We set {sent} at {since} and sent nothing since; somebody else changed it."
    elif sent is not None:
        cause = Cause.UNPUSHED_CHANGE
        evidence = f"The channel still shows the {sent} that we set at {since}."
    else:
        cause, evidence = Cause.UNEXPLAINED, "The channel was never sent a quantity."
    return Difference(
        kind=Kind.QUANTITY,
        subject=seen.sku,
        ledger={"quantity": desired},
        remote={"quantity": seen.quantity},
        cause=cause,
        evidence=evidence,
        fix=Fix.PUSH_LEVEL,
        # More shown than in stock: customers can buy units that do not exist.
        severity=Severity.HIGH if seen.quantity > desired else Severity.MEDIUM,
        listing_id=level["listing_id"],
        product_id=level["product_id"],
    )


def missing_listings(tx: Transaction, channel: ChannelRow, since: datetime) -> list[Difference]:
    """Find bound listings that the channel did not show since a run started."""
    rows = tx.rows_as(
        BoundLevel,
        "SELECT listing.sku, listing_level.* FROM listing "
        "JOIN listing_level ON listing_level.listing_id = listing.id "
        "WHERE listing.channel_id = :channel "
        "AND (listing_level.observed_at IS NULL OR listing_level.observed_at < :since)",
        channel=channel["id"],
        since=micros(since),
    )
    return [
        Difference(
            kind=Kind.MISSING_LISTING,
            subject=row["sku"],
            ledger={"acknowledged": row["acknowledged"]},
            remote={},
            cause=Cause.FOREIGN_EDIT,
            evidence=f"{row['sku']} is bound here and the channel does not list it any more.",
            fix=Fix.ASK,
            listing_id=row["listing_id"],
            product_id=row["product_id"],
        )
        for row in rows
    ]


def order(
    tx: Transaction, channel: ChannelRow, remote: Order, now: datetime, grace: timedelta
) -> Difference | str:
    """Compare one order; return the difference, or "matched" or "in_flight".

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
            return "in_flight"
        return _missing_order(tx, channel, remote)
    lines = _lines(tx, known["id"])
    if _edited(remote, known, lines):
        return _order_state(remote, known, lines)
    return _fulfillment(tx, channel, remote, known, lines, now - grace)


def _missing_order(tx: Transaction, channel: ChannelRow, remote: Order) -> Difference:
    hints = tx.value(
        "SELECT COUNT(*) FROM inbox WHERE channel_id = :channel AND subject = :ref "
        "AND source IN ('webhook', 'queue')",
        channel=channel["id"],
        ref=remote.ref,
    )
    able = channels.can(channel, "receive_webhooks") or channels.can(channel, "receive_queue")
    lost = able and not hints
    return Difference(
        kind=Kind.MISSING_ORDER,
        subject=remote.number,
        ledger={},
        remote={
            "ref": remote.ref,
            "state": remote.remote_state,
            "placed_at": remote.placed_at.isoformat(),
            "lines": {line.sku: line.quantity for line in remote.lines},
        },
        cause=Cause.LOST_WEBHOOK if lost else Cause.MISSED_ORDER,
        evidence=f"Order {remote.number} was placed at {remote.placed_at:%Y-%m-%d %H:%M:%S} UTC "
        + ("and no webhook for it ever came." if lost else "and was never processed."),
        fix=Fix.ACCEPT_ORDER,
        severity=Severity.HIGH,
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


def _order_state(remote: Order, known: OrderRow, lines: dict[str, ComparedLine]) -> Difference:
    return Difference(
        kind=Kind.ORDER_STATE,
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


def _fulfillment(
    tx: Transaction,
    channel: ChannelRow,
    remote: Order,
    known: OrderRow,
    lines: dict[str, ComparedLine],
    since: datetime,
) -> Difference | str:
    if remote.at_counter or not channels.can(channel, "push_fulfillment"):
        return "matched"
    if known["same_verdict"] in REPEATED:
        return "matched"  # the order that it repeats is served, and its channel informed
    there = sum(line.fulfilled for line in remote.lines)
    here = sum(row["left_here"] for row in lines.values())
    back = sum(row["back_here"] for row in lines.values())
    taken_off = sum(row["taken_off"] for row in lines.values())
    # A channel may count returned units as fulfilled or not: both match.
    if here - taken_off <= there <= here + back:
        return "matched"
    if here > there and _is_pushing(tx, channel, known, since):
        return "in_flight"
    unsent = here > there
    return Difference(
        kind=Kind.MISSING_FULFILLMENT if unsent else Kind.FOREIGN_FULFILLMENT,
        subject=remote.number,
        ledger={"left": here},
        remote={"ref": remote.ref, "fulfilled": there, "state": remote.remote_state},
        cause=Cause.FAILED_PUSH if unsent else Cause.FOREIGN_EDIT,
        evidence=f"{here} units of order {remote.number} left here, the channel says {there}.",
        fix=Fix.PUSH_FULFILLMENT if unsent else Fix.ASK,
        severity=Severity.MEDIUM if unsent else Severity.HIGH,
        order_id=known["id"],
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


def sold_units(
    tx: Transaction, channel: ChannelRow, after: str, *, limit: int
) -> list[RegisteredUnit]:
    """Return the next sold units with a registration at the manufacturer, in order of their ids."""
    return tx.rows_as(
        RegisteredUnit,
        "SELECT unit.id, unit.serial, product.sku, product.model_number, unit.product_id, "
        "SUM(CASE WHEN outbox.state IN ('waiting', 'leased') THEN 1 ELSE 0 END) AS telling "
        "FROM outbox JOIN unit ON unit.id = outbox.subject "
        "JOIN product ON product.id = unit.product_id "
        "WHERE outbox.channel_id = :channel AND outbox.topic = 'registration' "
        "AND unit.id > :after AND unit.status IN ('shipped', 'sold') "
        "GROUP BY unit.id, unit.serial, product.sku, product.model_number, unit.product_id "
        "ORDER BY unit.id LIMIT :limit",
        channel=channel["id"],
        after=after,
        limit=limit,
    )


def registration(unit: RegisteredUnit, answer: Warranty) -> Difference | str:
    """Compare one sold unit with its registration at the manufacturer."""
    if answer.registered:
        return "matched"
    if unit["telling"]:
        return "in_flight"
    foreign = answer.status in {WarrantyStatus.UNKNOWN, WarrantyStatus.INVALID}
    return Difference(
        kind=Kind.UNKNOWN_SERIAL if foreign else Kind.MISSING_REGISTRATION,
        subject=unit["serial"],
        ledger={"sold": True, "sku": unit["sku"]},
        remote={"status": str(answer.status), "registered": False},
        cause=Cause.UNKNOWN_SERIAL if foreign else Cause.FAILED_PUSH,
        evidence=f"{unit['serial']} was sold, and the manufacturer "
        + ("does not know the serial." if foreign else "has no registration of it."),
        fix=Fix.ASK if foreign else Fix.REGISTER_AGAIN,
        severity=Severity.HIGH if foreign else Severity.MEDIUM,
        unit_id=unit["id"],
        product_id=unit["product_id"],
    )
