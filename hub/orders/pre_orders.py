"""Orders on units that are still to come: agreed back-orders, until the units fail to come.

A channel may sell what is announced, up to its limit (`hub.availability`). What such an order
lacks is no oversale; it becomes one when less comes than was sold.
"""

from hub import cases
from hub.availability import incoming
from hub.availability.policy import of_products
from hub.cases import CaseKind, Finding, Severity
from hub.commands.context import CommandContext
from hub.storage.sql import Row, Transaction
from hub.sync import channels

LACKING = (
    "SELECT * FROM (SELECT order_line.*, sales_order.channel_id, sales_order.number, "
    "sales_order.placed_at, sales_order.ref AS order_ref, "
    f"order_line.quantity - {incoming.BOUND} AS lacking FROM order_line "
    "JOIN sales_order ON sales_order.id = order_line.order_id "
    "WHERE sales_order.state IN ('open', 'pending') AND order_line.product_id IN (:products...)"
    ") AS line WHERE lacking > 0 ORDER BY placed_at, id LIMIT :limit"
)
EARLY = (
    "SELECT listing.product_id FROM listing JOIN channel ON channel.id = listing.channel_id "
    "WHERE listing.policy LIKE '%\"pre_order\"%' OR channel.policy LIKE '%\"pre_order\"%'"
)


def covers(tx: Transaction, channel: Row, product_id: str) -> bool:
    """Say whether all that a channel's orders lack of a product is agreed and will come."""
    policy = of_products(tx, channel, [product_id])[product_id]
    if not policy.pre_order:
        return False
    coming = incoming.of_products(tx, channel, policy, [product_id])[product_id]
    return coming.covers(policy.pre_order)


def review(tx: Transaction, context: CommandContext, *, limit: int) -> int:
    """Open cases for orders on units that will not come, close those that will; return how many.

    Only products that some channel sells early are looked at.
    """
    products = sorted({row["product_id"] for row in tx.rows(EARLY)})
    lines = tx.rows(LACKING, products=products, limit=limit) if products else []
    known = _open_subjects(tx)
    covered: dict[tuple[str, str], bool] = {}
    changed = 0
    for line in lines:
        key = (line["channel_id"], line["product_id"])
        channel = channels.by_id(tx, line["channel_id"])
        if key not in covered:
            covered[key] = covers(tx, channel, line["product_id"])
        subject = f"{line['order_ref']}/{line['ref']}"
        is_open = (subject, line["channel_id"]) in known
        if covered[key] and is_open:
            cases.settle(tx, CaseKind.OVERSOLD, subject, channel["id"], context.now)
        elif not covered[key] and not is_open:
            report(tx, context, channel, line, subject)
        changed += covered[key] == is_open
    return changed


def _open_subjects(tx: Transaction) -> set[tuple[str, str]]:
    rows = tx.rows(
        "SELECT subject, channel_id FROM exception_case WHERE kind = :kind AND state <> 'resolved'",
        kind=str(CaseKind.OVERSOLD),
    )
    return {(row["subject"], row["channel_id"]) for row in rows}


def report(tx: Transaction, context: CommandContext, channel: Row, line: Row, subject: str) -> None:
    """Open a case for an order line that lacks units which are not to come."""
    lacking = line["lacking"]
    finding = Finding(
        kind=CaseKind.OVERSOLD,
        subject=subject,
        channel_id=channel["id"],
        severity=Severity.HIGH,
        summary=f"Order {line['number']} waits for {lacking} of {line['sku']}, "
        "and less is to come than was sold.",
        details={"order": line["number"], "sku": line["sku"], "lacking": lacking},
    )
    cases.report(tx, finding, context.now)
