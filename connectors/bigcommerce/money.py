"""What a BigCommerce order and its lines cost, and what its lines are; amounts are text.

Prices are stated with tax and without it: those are taken that the store itself shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import amount, currency_code, share_of, total
from connectors.toolkit.json_fields import whole
from hub.vocabulary import LineKind, Order, OrderLine

KINDS = {"digital": LineKind.DIGITAL, "giftcertificate": LineKind.GIFT_CARD}
TEST_GATEWAY = "test payment gateway"
UNUSED = ("", "0", "None")


def with_money(read: Order, order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Order:
    """Return an order with what it costs, and with its flags: test, gift, note.

    `refunded_amount` is always 0 in this version of the API, so that only another number counts.
    """
    with_tax = _with_tax(order)
    shipping = "shipping_cost_inc_tax" if with_tax else "shipping_cost_ex_tax"
    return replace(
        read,
        currency=currency_code(order, "default_currency_code")
        or currency_code(order, "currency_code"),
        total=amount(order, "total_inc_tax"),
        discount=total((amount(order, "discount_amount"), amount(order, "coupon_discount"))),
        tax=amount(order, "total_tax"),
        shipping=amount(order, shipping),
        refunded=amount(order, "refunded_amount") or None,
        tax_included=with_tax,
        is_gift=any(str(line.get("wrapping_id") or "") not in UNUSED for line in lines),
        has_note=bool(order.get("customer_message")),
        test=str(order.get("payment_method") or "").casefold() == TEST_GATEWAY,
    )


def with_price(read: OrderLine, line: Mapping[str, Any], order: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price, and with what it is; amounts are of the units that it wants."""
    ordered = whole(line, "quantity", read.quantity)
    price = amount(line, "price_inc_tax" if _with_tax(order) else "price_ex_tax")
    return replace(
        read,
        kind=KINDS.get(str(line.get("type")), LineKind.GOODS),
        unit_price=price if price is not None else amount(line, "base_price"),
        discount=share_of(_discount(line), read.quantity, ordered),
        tax=share_of(amount(line, "total_tax"), read.quantity, ordered),
    )


def _with_tax(order: Mapping[str, Any]) -> bool | None:
    stated = order.get("is_tax_inclusive_pricing")
    return stated if isinstance(stated, bool) else None


def _discount(line: Mapping[str, Any]) -> Decimal | None:
    """Return the discounts of a line; those of the order are shared out among its lines."""
    applied = line.get("applied_discounts")
    if not isinstance(applied, list):
        return None
    return total(amount(each, "amount") for each in applied) if applied else Decimal(0)
