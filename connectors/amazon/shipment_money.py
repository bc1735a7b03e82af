"""What an External Fulfillment shipment and its lines cost, and when it is to leave.

Charges exclude tax, and are listed by what they are for; those of a line are of all its units.
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
    promised_time,
    total,
)
from connectors.toolkit.json_fields import whole
from hub.vocabulary import Order, OrderLine

PRODUCT, SHIPPING, TOTAL = "PRODUCT", "SHIPPING", "TOTAL"


def with_money(
    read: Order, shipment: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> Order:
    """Return a shipment with what it costs, its promised time, and its location."""
    whole_of_it = _charge(shipment, TOTAL)
    place = shipment.get("locationId")
    return replace(
        read,
        currency=currency_code(whole_of_it, "totalCharge", "netAmount", "currencyCode")
        or next((found for line in lines if (found := _currency(line))), None),
        total=amount(whole_of_it, "totalCharge", "netAmount", "value"),
        discount=amount(whole_of_it, "baseCharge", "discountAmount", "value"),
        tax=_tax(whole_of_it),
        shipping=amount(_charge(shipment, SHIPPING), "baseCharge", "netAmount", "value"),
        tax_included=False,
        ship_by=promised_time(shipment, "shippingInfo", "expectedShippingDateTimeInUTC"),
        is_gift=any(_is_gift(line) for line in lines),
        location_ref=place if isinstance(place, str) and place else None,
    )


def with_price(read: OrderLine, line: Mapping[str, Any]) -> OrderLine:
    """Return a line with the price of its product."""
    charge = _charge(line, PRODUCT)
    base = amount(charge, "baseCharge", "baseAmount", "value")
    return replace(
        read,
        unit_price=per_unit(base, whole(line, "numberOfUnits", 0)),
        discount=amount(charge, "baseCharge", "discountAmount", "value"),
        tax=_tax(charge),
    )


def _charge(record: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found = (each for each in listed(record, "charges") if each.get("chargeType") == kind)
    return next(found, {})


def _tax(charge: Mapping[str, Any]) -> Decimal | None:
    """Return the tax of a charge: its sum, else what it is made of."""
    stated = amount(charge, "totalTax", "charge", "netAmount", "value")
    parts = (
        amount(each, "charge", "netAmount", "value")
        for each in listed(charge, "taxBreakup")
        if each.get("type") != TOTAL
    )
    return stated if stated is not None else total(parts)


def _currency(line: Mapping[str, Any]) -> str | None:
    return currency_code(_charge(line, PRODUCT), "baseCharge", "baseAmount", "currencyCode")


def _is_gift(line: Mapping[str, Any]) -> bool:
    gift = line.get("giftAttributes")
    gift = gift if isinstance(gift, Mapping) else {}
    wrapped = gift.get("giftWrapRequirement") == "REQUIRED"
    return wrapped or gift.get("giftMessagePresence") == "PRESENT"
