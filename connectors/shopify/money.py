"""What a Shopify order and its lines cost, in the shop's currency, and what its lines are.

What is asked for is priced by its objects, and a page has hundreds of lines: amounts that the shop
gives as plain text are asked for as such.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import amount, currency_code, listed, total
from hub.vocabulary import LineKind, Order, OrderLine

KINDS = frozenset({LineKind.CUSTOM, LineKind.DIGITAL, LineKind.GIFT_CARD})
TAX_LINES = 5  # that are asked for: where so many come, there may be more


def with_money(read: Order, node: Mapping[str, Any]) -> Order:
    """Return an order with what it costs, before anything of it came back."""
    included = node.get("taxesIncluded")
    return replace(
        read,
        currency=currency_code(node, "currencyCode"),
        total=amount(node, "totalPrice"),
        discount=amount(node, "totalDiscounts"),
        tax=amount(node, "totalTax"),
        shipping=amount(node, "totalShippingPrice"),
        refunded=amount(node, "totalRefunded"),
        tax_included=included if isinstance(included, bool) else None,
        has_note=bool(node.get("note")),
        location_ref=read.location_ref or _place(node),
    )


def with_price(read: OrderLine, node: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price, and what it is."""
    taxes = listed(node, "taxLines")
    return replace(
        read,
        kind=_kind(node, read.sku),
        unit_price=amount(node, "originalUnitPrice"),
        discount=_sum(node, "discountAllocations", "allocatedAmount", "amount"),
        tax=_sum(node, "taxLines", "price") if len(taxes) < TAX_LINES else None,
    )


def _sum(node: Mapping[str, Any], name: str, *path: str) -> Decimal | None:
    """Add what a list names; an empty one is nothing, a missing one is not known."""
    found = node.get(name)
    if not isinstance(found, list):
        return None
    return total(amount(each, *path) for each in found) if found else Decimal(0)


def _kind(node: Mapping[str, Any], sku: str) -> LineKind:
    """Read what a line sells. A custom line has no product, and may have to be shipped or not."""
    if node.get("isGiftCard") is True:
        return LineKind.GIFT_CARD
    if "product" in node and node["product"] is None and not sku:
        return LineKind.CUSTOM
    return LineKind.DIGITAL if node.get("requiresShipping") is False else LineKind.GOODS


def _place(node: Mapping[str, Any]) -> str | None:
    """Return the location of the till that sold it; where else it leaves from is not stated."""
    found = node.get("retailLocation")
    place = found.get("id") if isinstance(found, Mapping) else None
    return place if isinstance(place, str) and place else None
