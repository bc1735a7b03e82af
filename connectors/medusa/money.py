"""What a Medusa order and its lines cost: JSON numbers in major units, 0.1 for ten cents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.toolkit.amounts import amount, currency_code
from hub.vocabulary import LineKind, Order, OrderLine

# Asked for on the order alone: the server then works them out for each of its items too.
TOTALS = "total,discount_total,tax_total,shipping_total,currency_code,summary"


def with_money(read: Order, order: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Order:
    """Return an order with what it costs."""
    included = {item.get("is_tax_inclusive") for item in items}
    return replace(
        read,
        currency=currency_code(order, "currency_code"),
        total=amount(order, "total"),
        discount=amount(order, "discount_total"),
        tax=amount(order, "tax_total"),
        shipping=amount(order, "shipping_total"),
        refunded=amount(order, "summary", "refunded_total"),
        tax_included=included == {True} if included in ({True}, {False}) else None,
    )


def with_price(read: OrderLine, item: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price, and what it is."""
    return replace(
        read,
        kind=_kind(item),
        unit_price=amount(item, "unit_price"),
        discount=amount(item, "discount_total"),
        tax=amount(item, "tax_total"),
    )


def _kind(item: Mapping[str, Any]) -> LineKind:
    """Read what a line sells. Goods whose product has no shipping profile need no shipping either.

    They are goods all the same where the shop counts their stock.
    """
    if item.get("is_giftcard") is True:
        return LineKind.GIFT_CARD
    variant = item.get("variant")
    counted = isinstance(variant, Mapping) and variant.get("manage_inventory") is True
    digital = item.get("requires_shipping") is False and not counted
    return LineKind.DIGITAL if digital else LineKind.GOODS
