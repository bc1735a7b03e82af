"""What an eBay order and its lines cost, and when they are promised; amounts are text.

Tax that eBay collects and remits itself is the buyer's money too: it is in the tax of a line. It
is in the totals of an order only where the answer lists it among the taxes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.toolkit.amounts import (
    amount,
    currency_code,
    difference,
    earliest,
    listed,
    per_unit,
    positive,
    promised_time,
    total,
)
from connectors.toolkit.json_fields import whole
from hub.vocabulary import LineKind, Order, OrderLine

CENT = Decimal("0.01")
INSTRUCTIONS = "lineItemFulfillmentInstructions"


def with_money(read: Order, order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Order:
    """Return an order with what it costs, its promised times, and where it is picked up."""
    remitted = total(_collected(line) for line in lines)
    return replace(
        read,
        currency=currency_code(order, "pricingSummary", "total", "currency"),
        total=total((_sum(order, "total"), remitted)) if _sum(order, "total") is not None else None,
        discount=_discount(order),
        tax=total((_sum(order, "tax"), remitted)),
        shipping=_sum(order, "deliveryCost"),
        refunded=paid_back(order, lines),
        ship_by=earliest(promised_time(line, INSTRUCTIONS, "shipByDate") for line in lines),
        deliver_by=earliest(
            promised_time(line, INSTRUCTIONS, "maxEstimatedDeliveryDate") for line in lines
        ),
        has_note=bool(order.get("buyerCheckoutNotes")),
        location_ref=next(_pickup_places(order), None),
    )


def with_price(read: OrderLine, line: Mapping[str, Any]) -> OrderLine:
    """Return a line with its price; one with details of a gift is a digital gift card."""
    before, after = (
        amount(line, "lineItemCost", "value"),
        amount(line, "discountedLineItemCost", "value"),
    )
    taxes = [amount(each, "amount", "value") for each in listed(line, "taxes")]
    return replace(
        read,
        kind=LineKind.GIFT_CARD if line.get("giftDetails") else LineKind.GOODS,
        unit_price=per_unit(before, whole(line, "quantity", 0)),
        discount=difference(before, after if after is not None else before),
        tax=total((*taxes, _collected(line))),
    )


def refunds_of(
    order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the refunds of an order and of its lines, each once; those that failed are none."""
    return [refund for refund, _ in _refunds(order, lines)]


def paid_back(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """Return what a buyer got back, the tax that eBay collects included; None for nothing.

    eBay lists its refunds without that tax, and pays it back in proportion.
    """
    return total(
        None if net is None else (net / (1 - share)).quantize(CENT) if share else net
        for net, share in (
            (amount(refund, "amount", "value"), share) for refund, share in _refunds(order, lines)
        )
    )


def collected_share(*lines: Mapping[str, Any]) -> Decimal:
    """Return which share of what a buyer paid for lines is tax that eBay collects: 0 to 1."""
    gross, remitted = Decimal(), Decimal()
    for line in lines:
        cost = amount(line, "discountedLineItemCost", "value")
        if cost is None:
            cost = amount(line, "lineItemCost", "value")
        taxes = [amount(each, "amount", "value") for each in listed(line, "taxes")]
        gross += total((cost, *taxes, _collected(line))) or Decimal()
        remitted += (
            total(
                amount(each, "amount", "value") for each in listed(line, "ebayCollectAndRemitTaxes")
            )
            or Decimal()
        )
    return remitted / gross if 0 < remitted < gross else Decimal()


def _refunds(
    order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Decimal]]:
    """Return each refund with the share of tax that comes on top of it."""
    found: list[tuple[Mapping[str, Any], Decimal]] = []
    known: set[Any] = set()
    of_lines = [(each, collected_share(line)) for line in lines for each in listed(line, "refunds")]
    share = collected_share(*lines)
    of_order = [(each, share) for each in listed(order, "paymentSummary", "refunds")]
    for refund, taxed in (*of_lines, *of_order):
        ref = refund.get("refundId") or refund.get("refundReferenceId")
        if refund.get("refundStatus") == "FAILED" or (ref is not None and ref in known):
            continue
        known.add(ref)
        found.append((refund, taxed))
    return found


def refunded_in_full(line: Mapping[str, Any]) -> bool:
    """Say whether what a line cost was paid back; the tax that eBay collects is not counted."""
    cost = amount(line, "discountedLineItemCost", "value")
    if cost is None:
        cost = amount(line, "lineItemCost", "value")
    paid = total(amount(each, "amount", "value") for each in listed(line, "refunds"))
    return cost is not None and cost > 0 and paid is not None and paid >= cost


def _sum(order: Mapping[str, Any], name: str) -> Decimal | None:
    return amount(order, "pricingSummary", name, "value")


def _discount(order: Mapping[str, Any]) -> Decimal | None:
    """Return the discount of the items; none is stated where there is none."""
    if _sum(order, "total") is None:
        return None
    return positive(_sum(order, "priceDiscount")) or Decimal(0)


def _collected(line: Mapping[str, Any]) -> Decimal | None:
    """Return the tax that eBay remits and that the taxes of a line do not list again."""
    if any(amount(each, "amount", "value") is not None for each in listed(line, "taxes")):
        return None
    return total(
        amount(each, "amount", "value") for each in listed(line, "ebayCollectAndRemitTaxes")
    )


def _pickup_places(order: Mapping[str, Any]) -> Iterator[str]:
    for each in listed(order, "fulfillmentStartInstructions"):
        step = each.get("pickupStep")
        place = step.get("merchantLocationKey") if isinstance(step, Mapping) else None
        if isinstance(place, str) and place:
            yield place
