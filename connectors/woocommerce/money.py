"""What a WooCommerce order and its lines cost. Amounts are text; those of lines exclude tax."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    difference,
    listed,
    per_unit,
    positive,
    total,
)
from connectors.toolkit.json_fields import whole
from hub.vocabulary import Order, OrderLine


def with_money(read: Order, order: Mapping[str, Any]) -> Order:
    """Return an order with what it costs, what was paid back, and whether the buyer wrote."""
    refunds = [positive(amount(each, "total")) for each in listed(order, "refunds")]
    return replace(
        read,
        currency=currency_code(order, "currency"),
        total=amount(order, "total"),
        discount=amount(order, "discount_total"),
        tax=amount(order, "total_tax"),
        shipping=amount(order, "shipping_total"),
        refunded=total(refunds),
        tax_included=False,
        has_note=bool(order.get("customer_note")),
    )


def with_price(read: OrderLine, line: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price: `subtotal` is before discounts, `total` after them."""
    before = amount(line, "subtotal")
    return replace(
        read,
        unit_price=per_unit(before, whole(line, "quantity", 0)),
        discount=difference(before, amount(line, "total")),
        tax=amount(line, "total_tax"),
    )
