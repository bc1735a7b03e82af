"""Pre-orders: agreed back-orders on incoming units, until the units fail to arrive.

A channel may sell announced units up to its limit (`hub.availability`). Units that such an order
lacks are no oversale until fewer units arrive than were sold.
"""

from typing import TypedDict

from hub import cases
from hub.availability import incoming
from hub.availability.demand import WANTS_UNITS
from hub.availability.policy import of_products
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.storage.rows import ChannelRow, OrderLineRow
from hub.storage.sql import Transaction
from hub.sync import channels

LACKING = (
    "SELECT * FROM (SELECT order_line.*, sales_order.channel_id, sales_order.number, "
    "sales_order.placed_at, sales_order.ref AS order_ref, "
    f"order_line.quantity - order_line.withheld - {incoming.BOUND} AS lacking FROM order_line "
    "JOIN sales_order ON sales_order.id = order_line.order_id "
    f"WHERE {WANTS_UNITS} AND order_line.product_id IN (:products...)"
    ") AS line WHERE lacking > 0 ORDER BY placed_at, id LIMIT :limit"
)
EARLY = (
    "SELECT listing.product_id FROM listing JOIN channel ON channel.id = listing.channel_id "
    "WHERE listing.policy LIKE '%\"pre_order\"%' OR channel.policy LIKE '%\"pre_order\"%'"
)


class LackingLineRow(OrderLineRow):
    """A row of `LACKING`: an order line with its order and the number of units it lacks."""

    channel_id: str
    number: str
    placed_at: int
    order_ref: str
    lacking: int


class _ProductId(TypedDict):
    product_id: str


class _Subject(TypedDict):
    subject: str
    channel_id: str


def covers(tx: Transaction, channel: ChannelRow, product_id: str) -> bool:
    """Return whether incoming units cover all that a channel's orders lack of a product."""
    policy = of_products(tx, channel, [product_id])[product_id]
    if not policy.pre_order:
        return False
    coming = incoming.of_products(tx, channel, policy, [product_id])[product_id]
    return coming.covers(policy.pre_order)


def review(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Open cases for orders on units that will not arrive, close those of covered orders.

    Checks only products with pre-orders in some channel. Returns the number of changed cases.
    """
    products = sorted({row["product_id"] for row in tx.rows_as(_ProductId, EARLY)})
    lines = tx.rows_as(LackingLineRow, LACKING, products=products, limit=limit) if products else []
    known = _open_subjects(tx)
    covered: dict[tuple[str, str], bool] = {}
    changed = 0
    for line in lines:
        product_id = line["product_id"]
        assert product_id is not None  # selected by it
        key = (line["channel_id"], product_id)
        channel = channels.by_id(tx, line["channel_id"])
        if key not in covered:
            covered[key] = covers(tx, channel, product_id)
        subject = f"{line['order_ref']}/{line['ref']}"
        is_open = (subject, line["channel_id"]) in known
        if covered[key] and is_open:
            cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], context.now)
        elif not covered[key] and not is_open:
            report(tx, context, channel, line, subject)
        changed += covered[key] == is_open
    return changed


def _open_subjects(tx: Transaction) -> set[tuple[str, str]]:
    rows = tx.rows_as(
        _Subject,
        "SELECT subject, channel_id FROM exception_case WHERE kind = :kind AND state <> 'resolved'",
        kind=str(CaseKind.OVERSOLD),
    )
    return {(row["subject"], row["channel_id"]) for row in rows}


def report(
    tx: Transaction,
    context: CommandContext,
    channel: ChannelRow,
    line: LackingLineRow,
    subject: str,
) -> None:
    """Open a case for an order line that lacks units that will not arrive."""
    lacking = line["lacking"]
    finding = Finding(
        kind=CaseKind.OVERSOLD,
        subject=subject,
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"Order {line['number']} waits for {lacking} of {line['sku']}, "
        "and fewer units will arrive than were sold.",
        details={"order": line["number"], "sku": line["sku"], "lacking": lacking},
    )
    cases.report(tx, finding, context.now)
