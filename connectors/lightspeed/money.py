"""What a Lightspeed sale and its lines cost: JSON numbers without tax, in the outlet's currency.

The price of a line is what is left after its discount, as are the totals.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from connectors.toolkit.amounts import amount, decimal_of, listed, per_unit, positive, total
from connectors.toolkit.json_fields import whole
from hub.vocabulary import LineKind, Order, OrderLine

# The product by which a till takes something off a whole sale: a line with a price below zero.
DISCOUNT_SKU = "vend-discount"
AT_REGISTER = "USER"


def with_money(read: Order, sale: Mapping[str, Any], currency: str | None) -> Order:
    """Return a sale with what it costs. What its lines say is in their order."""
    price, tax = decimal_of(sale.get("total_price")), decimal_of(sale.get("total_tax"))
    place = sale.get("outlet_id")
    source = sale.get("source") or AT_REGISTER
    return replace(
        read,
        currency=currency,
        total=total((price, tax)) if price is not None else None,
        discount=total((*(line.discount for line in read.lines), *_off_the_sale(read, sale))),
        tax=tax,
        tax_included=False,
        # At a register the note is the cashier's.
        has_note=source != AT_REGISTER and bool(sale.get("note")),
        location_ref=place if isinstance(place, str) and place else None,
    )


def with_price(read: OrderLine, line: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price before its discount, and what it is."""
    # What was taken off one unit may be a third of a cent: the totals come out even.
    full = total((amount(line, "price_total"), amount(line, "discount_total")))
    price, off = amount(line, "price"), amount(line, "discount")
    if line.get("price_total") is not None:
        unit_price = per_unit(full, whole(line, "quantity", 0))
    else:
        unit_price = total((price, off)) if price is not None else None
    return replace(
        read,
        kind=LineKind.FEE if read.sku.casefold() == DISCOUNT_SKU else LineKind.GOODS,
        unit_price=unit_price,
        discount=amount(line, "discount_total"),
        tax=amount(line, "tax_total"),
    )


def _off_the_sale(read: Order, sale: Mapping[str, Any]) -> Iterable[Any]:
    """List what was taken off the whole sale: by the product for it, or as an adjustment."""
    for line in read.lines:
        if line.kind is LineKind.FEE and line.unit_price is not None:
            yield positive(line.unit_price * line.quantity)
    for each in listed(sale, "adjustments"):
        if each.get("adjustment_type") == "DISCOUNT":
            yield positive(amount(each, "value"))
