"""What an Amazon order and its items cost, and when they are promised; amounts are text.

The proceeds of an item are broken down by what they are for: item, shipping, tax, discount.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    listed,
    per_unit,
    positive,
    promised_time,
    total,
)
from connectors.toolkit.json_fields import whole
from hub.vocabulary import Order, OrderLine


def with_money(read: Order, order: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> Order:
    """Return an order with what it costs, its promised times, and whether it is a gift.

    Amazon shows no amounts of an order that is not paid yet.
    """
    paid = amount(order, "proceeds", "grandTotal", "amount")
    gifts = (_at(item, "fulfillment", "packing", "giftOption") for item in items)
    return replace(
        read,
        currency=currency_code(order, "proceeds", "grandTotal", "currencyCode")
        or next((found for item in items if (found := _currency(item))), None),
        total=paid,
        discount=_of_order(order, items, "DISCOUNT"),
        tax=_of_order(order, items, "TAX"),
        shipping=_of_order(order, items, "SHIPPING"),
        ship_by=promised_time(order, "fulfillment", "shipByWindow", "latestDateTime"),
        deliver_by=promised_time(order, "fulfillment", "deliverByWindow", "latestDateTime"),
        is_gift=any(gifts),
    )


def with_price(read: OrderLine, item: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price: that of its product, else its share of what the items cost."""
    price = amount(item, "product", "price", "unitPrice", "amount")
    if price is None:
        price = per_unit(_subtotal(item, "ITEM"), whole(item, "quantityOrdered", 0))
    return replace(
        read,
        unit_price=price,
        discount=_known(item, "DISCOUNT"),
        tax=_subtotal(item, "TAX"),
    )


def _of_order(
    order: Mapping[str, Any], items: Sequence[Mapping[str, Any]], kind: str
) -> Decimal | None:
    """Return a part of an order's proceeds, else that of all its items."""
    stated = _subtotal(order, kind)
    if stated is not None:
        return stated
    # Where prices contain their tax, none is listed.
    of_item = _subtotal if kind == "TAX" else _known
    return total(of_item(item, kind) for item in items)


def _known(record: Mapping[str, Any], kind: str) -> Decimal | None:
    """Return a part of the proceeds; what is not listed beside others is nothing."""
    found = _subtotal(record, kind)
    return Decimal(0) if found is None and listed(record, "proceeds", "breakdowns") else found


def _subtotal(record: Mapping[str, Any], kind: str) -> Decimal | None:
    parts = listed(record, "proceeds", "breakdowns")
    found = total(amount(each, "subtotal", "amount") for each in parts if each.get("type") == kind)
    return positive(found) if kind == "DISCOUNT" else found


def _currency(item: Mapping[str, Any]) -> str | None:
    return currency_code(item, "product", "price", "unitPrice", "currencyCode")


def _at(record: Any, *path: str) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record
