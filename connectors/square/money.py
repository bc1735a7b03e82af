"""What a Square order and its lines cost: whole numbers of the smallest unit of a currency."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    earliest,
    from_minor,
    listed,
    per_unit,
    promised_time,
    total,
)
from connectors.toolkit.json_fields import whole
from hub.vocabulary import LineKind, Order, OrderLine

KINDS = {"GIFT_CARD": LineKind.GIFT_CARD, "CUSTOM_AMOUNT": LineKind.CUSTOM}
PAID_BACK = frozenset({"APPROVED", "COMPLETED"})
# What a buyer writes, by the kind of fulfillment.
NOTES = (("pickup_details", "note"), ("shipment_details", "shipping_note"))


def with_money(read: Order, order: Mapping[str, Any]) -> Order:
    """Return an order with what it costs, when it is promised, and from where."""
    refunds = [each for each in listed(order, "refunds") if each.get("status") in PAID_BACK]
    place = order.get("location_id")
    return replace(
        read,
        currency=currency_code(order, "total_money", "currency"),
        total=money(order, "total_money"),
        discount=money(order, "total_discount_money"),
        tax=money(order, "total_tax_money"),
        refunded=total(money(each, "amount_money") for each in refunds),
        tax_included=_tax_included(order),
        ship_by=_promised(
            order, ("shipment_details", "expected_shipped_at"), ("pickup_details", "pickup_at")
        ),
        deliver_by=_promised(order, ("delivery_details", "deliver_at")),
        has_note=any(_at(each, *path) for each in listed(order, "fulfillments") for path in NOTES),
        location_ref=place if isinstance(place, str) and place else None,
    )


def with_price(read: OrderLine, line: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price, modifiers such as an engraving included, and what it is."""
    base = money(line, "base_price_money")
    if listed(line, "modifiers"):
        base = per_unit(money(line, "gross_sales_money"), whole(line, "quantity", 0)) or base
    return replace(
        read,
        kind=KINDS.get(str(line.get("item_type")), LineKind.GOODS),
        unit_price=base,
        discount=money(line, "total_discount_money"),
        tax=money(line, "total_tax_money"),
    )


def money(record: Mapping[str, Any], name: str) -> Decimal | None:
    """Return the amount in a field that holds money; None where there is none."""
    return from_minor(amount(record, name, "amount"), currency_code(record, name, "currency"))


def _tax_included(order: Mapping[str, Any]) -> bool | None:
    """Say whether prices contain the tax; None where there is no tax, or one of each kind."""
    kinds = {each.get("type") for each in listed(order, "taxes")}
    return kinds == {"INCLUSIVE"} if kinds in ({"INCLUSIVE"}, {"ADDITIVE"}) else None


def _promised(order: Mapping[str, Any], *paths: tuple[str, str]) -> datetime | None:
    fulfillments = listed(order, "fulfillments")
    return earliest(promised_time(each, *path) for each in fulfillments for path in paths)


def _at(record: Mapping[str, Any], name: str, part: str) -> Any:
    found = record.get(name)
    return found.get(part) if isinstance(found, Mapping) else None
