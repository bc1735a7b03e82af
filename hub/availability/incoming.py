"""Incoming stock that may be sold before it arrives: expected units, announced deliveries.

An order on them is a back-order until they arrive; then the sweep allocates them, oldest order
first. The quantity open to early sale is the incoming quantity less all back-orders on it, and at
most the limit of the channel less its own back-orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.availability.demand import WANTS_UNITS
from hub.availability.policy import Policy
from hub.availability.rows import AnnouncedLine, ChannelBackOrders, ChannelLike, ProductUnits
from hub.storage.sql import Transaction

NEW = "new"  # units announced without serials count as new, without a grade
BOUND = (
    "(SELECT COUNT(*) FROM unit WHERE unit.order_line_id = order_line.id "
    "AND (unit.promised_to IS NOT NULL OR unit.status IN ('shipped', 'sold')))"
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """Incoming units of a product, and the back-orders on them."""

    expected: int
    back_ordered: int  # on all channels that sell goods of the same owner
    back_ordered_here: int

    def open_to(self, limit: int) -> int:
        """Return the number of units that may still be sold early."""
        free = min(self.expected - self.back_ordered, limit - self.back_ordered_here)
        return max(0, free)

    def covers(self, limit: int) -> bool:
        """Return whether the incoming units and the limit cover all back-orders of a channel."""
        return self.back_ordered <= self.expected and self.back_ordered_here <= limit


def open_to(
    tx: Transaction, channel: ChannelLike, policy: Policy, product_ids: Sequence[str]
) -> dict[str, int]:
    """Return the number of units of each product that a channel may still sell early."""
    found = of_products(tx, channel, policy, product_ids)
    return {product_id: each.open_to(policy.pre_order) for product_id, each in found.items()}


def of_products(
    tx: Transaction, channel: ChannelLike, policy: Policy, product_ids: Sequence[str]
) -> dict[str, Incoming]:
    """Return the incoming units of each product, and the back-orders on them."""
    ids = list(product_ids)
    named, unnamed = _named(tx, policy, ids), _unnamed(tx, policy, ids)
    waiting = _back_orders(tx, policy, ids)
    return {
        each: Incoming(
            expected=named.get(each, 0) + unnamed.get(each, 0),
            back_ordered=sum(waiting.get(each, {}).values()),
            back_ordered_here=waiting.get(each, {}).get(channel["id"], 0),
        )
        for each in ids
    }


def _named(tx: Transaction, policy: Policy, ids: list[str]) -> dict[str, int]:
    """Count expected units by product; their site is not known yet."""
    condition = ""
    values: dict[str, Any] = {}
    for name, wanted in (("condition", policy.conditions), ("grade", policy.grades)):
        if wanted:
            condition += f"AND {name} IN (:{name}s...) "
            values[f"{name}s"] = list(wanted)
    rows = tx.rows_as(
        ProductUnits,
        "SELECT product_id, COUNT(*) AS units FROM unit WHERE product_id IN (:ids...) "
        "AND status = 'expected' AND blocks = 0 AND COALESCE(client_id, '') = :client "
        f"{condition}GROUP BY product_id",
        ids=ids,
        client=policy.client_id or "",
        **values,
    )
    return {row["product_id"]: row["units"] for row in rows}


def _unnamed(tx: Transaction, policy: Policy, ids: list[str]) -> dict[str, int]:
    """Count units that open deliveries announce without serials and that have not arrived."""
    if policy.client_id is not None or policy.grades or NEW not in (policy.conditions or (NEW,)):
        return {}
    rows = tx.rows_as(
        AnnouncedLine,
        "SELECT line.product_id, SUM(line.quantity) AS announced, "
        "(SELECT COUNT(*) FROM unit WHERE unit.delivery_id = delivery.id "
        "AND unit.product_id = line.product_id) AS known FROM delivery_line AS line "
        "JOIN delivery ON delivery.id = line.delivery_id WHERE line.product_id IN (:ids...) "
        "AND delivery.state = 'open' GROUP BY delivery.id, line.product_id",
        ids=ids,
    )
    found: dict[str, int] = {}
    for row in rows:
        left = max(0, int(row["announced"]) - row["known"])
        found[row["product_id"]] = found.get(row["product_id"], 0) + left
    return found


def _back_orders(tx: Transaction, policy: Policy, ids: list[str]) -> dict[str, dict[str, int]]:
    """Count the units that open orders lack, by product and channel."""
    rows = tx.rows_as(
        ChannelBackOrders,
        f"SELECT product_id, channel_id, SUM(lacking) AS units FROM (SELECT order_line.product_id, "
        f"sales_order.channel_id, order_line.quantity - order_line.withheld - {BOUND} AS lacking "
        "FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id "
        f"WHERE order_line.product_id IN (:ids...) AND {WANTS_UNITS} "
        "AND COALESCE(channel.client_id, '') = :client) AS line WHERE lacking > 0 "
        "GROUP BY product_id, channel_id",
        ids=ids,
        client=policy.client_id or "",
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["product_id"], {})[row["channel_id"]] = int(row["units"])
    return found
