"""What a Saleor order and its lines cost: GraphQL floats, net and gross beside each other.

The prices that the channel shows to buyers are taken, gross or net.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import amount, currency_code, difference
from hub.vocabulary import LineKind, Order, OrderLine


def with_money(read: Order, node: Mapping[str, Any]) -> Order:
    """Return an order with what it costs, and whether the buyer wrote."""
    shown = _shown(node)
    full = amount(node, "undiscountedTotal", shown, "amount")
    return replace(
        read,
        currency=currency_code(node, "total", "currency"),
        total=amount(node, "total", "gross", "amount"),
        discount=difference(full, amount(node, "total", shown, "amount")),
        tax=amount(node, "total", "tax", "amount"),
        shipping=amount(node, "shippingPrice", shown, "amount"),
        refunded=amount(node, "totalRefunded", "amount"),
        tax_included=shown == "gross",
        has_note=bool(node.get("customerNote")),
    )


def with_price(read: OrderLine, line: Mapping[str, Any], order: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price, and what it is."""
    shown = _shown(order)
    return replace(
        read,
        kind=_kind(line),
        unit_price=amount(line, "undiscountedUnitPrice", shown, "amount"),
        discount=difference(
            _whole(line, "undiscountedTotalPrice", shown), _whole(line, "totalPrice", shown)
        ),
        tax=amount(line, "totalPrice", "tax", "amount"),
    )


def _whole(line: Mapping[str, Any], name: str, shown: str) -> Decimal | None:
    return amount(line, name, shown, "amount")


def _shown(order: Mapping[str, Any]) -> str:
    return "net" if order.get("displayGrossPrices") is False else "gross"


def _kind(line: Mapping[str, Any]) -> LineKind:
    """Read what a line sells; the variant of one that was deleted since is gone."""
    found: Any = line
    for name in ("variant", "product", "productType", "kind"):
        found = found.get(name) if isinstance(found, Mapping) else None
    if found == "GIFT_CARD":
        return LineKind.GIFT_CARD
    return LineKind.DIGITAL if line.get("isShippingRequired") is False else LineKind.GOODS
