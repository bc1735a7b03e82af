"""What a Walmart order and its lines cost, and when they are promised; amounts are JSON numbers.

A line has charges, each of all its units: the product, what is taken off it, and the shipping.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    decimal_of,
    listed,
    per_unit,
    positive,
    promised_time,
    total,
)
from connectors.toolkit.json_fields import child, whole
from hub.vocabulary import Order, OrderLine

PRODUCT, SHIPPING = "PRODUCT", "SHIPPING"
EXCLUDES_TAX = frozenset({"USD", "CAD"})
Charge = Mapping[str, Any]


def with_money(read: Order, order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Order:
    """Return an order with what it costs, its promised times, and where it leaves from."""
    charges = [each for line in lines for each in listed(line, "charges", "charge")]
    money = (currency_code(each, "chargeAmount", "currency") for each in charges)
    currency = next((each for each in money if each), None)
    tax = _tax(charges)
    refunds = [each for line in lines for each in _refunds(line)]
    place = child(order, "shipNode").get("id")
    return replace(
        read,
        currency=currency,
        total=total((_sum(charges), tax)),
        discount=total(line.discount for line in read.lines),
        tax=tax,
        shipping=_sum(each for each in charges if each.get("chargeType") == SHIPPING),
        refunded=positive(total((_sum(refunds), _tax(refunds)))),
        tax_included=False if currency in EXCLUDES_TAX else None,
        ship_by=_promised(order, "estimatedShipDate"),
        deliver_by=_promised(order, "estimatedDeliveryDate"),
        location_ref=place if isinstance(place, str) and place else None,
    )


def with_price(read: OrderLine, line: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price; a product's charge below zero is a discount."""
    charges = listed(line, "charges", "charge")
    product = [each for each in charges if each.get("chargeType") == PRODUCT]
    full = [each for each in product if not _is_discount(each)]
    quantity = whole(child(line, "orderLineQuantity"), "amount", 0)
    off = _sum(each for each in product if _is_discount(each))
    return replace(
        read,
        unit_price=per_unit(_sum(full), quantity),
        discount=positive(off) if off is not None or not full else Decimal(0),
        tax=_tax(product),
    )


def _is_discount(charge: Charge) -> bool:
    value = amount(charge, "chargeAmount", "amount")
    return value is not None and value < 0


def _sum(charges: Iterable[Charge]) -> Decimal | None:
    return total(amount(each, "chargeAmount", "amount") for each in charges)


def _tax(charges: Iterable[Charge]) -> Decimal | None:
    return total(amount(each, "tax", "taxAmount", "amount") for each in charges)


def _refunds(line: Mapping[str, Any]) -> Iterable[Charge]:
    for each in listed(line, "refund", "refundCharges", "refundCharge"):
        charge = each.get("charge")
        if isinstance(charge, Mapping):
            yield charge


def _promised(order: Mapping[str, Any], name: str) -> datetime | None:
    """Return a promised time: milliseconds since 1970, or RFC 3339 as one page says."""
    shipping = order.get("shippingInfo")
    stated = shipping.get(name) if isinstance(shipping, Mapping) else None
    number = decimal_of(stated)
    if number is None:
        return promised_time(order, "shippingInfo", name)
    try:
        return datetime.fromtimestamp(float(number) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
