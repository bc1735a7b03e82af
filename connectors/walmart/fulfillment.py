"""Shipments pushed to Walmart: it charges the buyer then, so it must be reported once.

There is no key. What left under our tracking number is counted first; the reference of the shipment
travels as the seller's own order number of the line, and tells two parcels of one number apart.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.errors import Conflict, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.walmart.mapping import (
    ORDERS,
    count_tracked_units,
    count_units,
    lines_by_number,
    request_object,
)
from hub.vocabulary import Cancellation, Fulfillment

CREATED, OPEN = frozenset({"Created"}), frozenset({"Created", "Acknowledged"})
LEFT = frozenset({"Shipped", "Delivered"})
OUT_OF_STOCK = "SELLER_CANCEL_OUT_OF_STOCK"
METHODS = frozenset({"Standard", "Express", "OneDay", "Freight", "WhiteGlove", "Value"})
CARRIERS = {
    name.upper(): name
    for name in (
        *("UPS", "USPS", "FedEx", "OnTrac", "DHL", "DHL Ecommerce - US", "LS", "UDS", "UPSMI"),
        *("PILOT", "ESTES", "SAIA", "GLS", "LSO", "Royal Mail", "Canada Post", "Japan Post"),
        *("Deutsche Post", "Asendia", "SF Express", "XPO Logistics", "Better Trucks", "Sendle"),
    )
}
REFERENCE_CHARS_MAX = 40


async def fetch_order(api: RemoteApi, ref: str) -> Mapping[str, Any]:
    """Read one order; the contract and its own example disagree about what wraps it."""
    answer = await request_object(api, "GET", f"{ORDERS}/{quote(ref, safe='')}")
    order = answer.get("order", answer)
    if not isinstance(order, dict) or not order.keys() & {"purchaseOrderId", "orderLines"}:
        raise NotFound(f"no order {ref}")
    return order


async def acknowledge(api: RemoteApi, ref: str) -> None:
    """Promise an order; one that was promised, or is no more, needs no promise."""
    try:
        await request_object(
            api, "POST", f"{ORDERS}/{quote(ref, safe='')}/acknowledge", repeat=True
        )
    except (Rejected, NotFound, Conflict):
        return


async def push_fulfillment(api: RemoteApi, fulfillment: Fulfillment) -> None:
    """Report one shipment what Walmart does not know of it."""
    order = await fetch_order(api, fulfillment.order_ref)
    if not fulfillment.tracking:
        raise Rejected("Walmart takes no shipment without a tracking number")
    known = lines_by_number(order)
    if any(count_units(line, CREATED) for line in known.values()):
        await acknowledge(api, fulfillment.order_ref)
    method = str((order.get("shippingInfo") or {}).get("methodCode") or "")
    lines = []
    for each in fulfillment.lines:
        line = known.get(each.order_line_ref)
        if line is None:
            raise NotFound(f"the order has no line {each.order_line_ref}")
        if not _told(line, each.units, fulfillment):
            lines.append(_shipped(each.order_line_ref, each.units, fulfillment, method))
    if lines:
        path = f"{ORDERS}/{quote(fulfillment.order_ref, safe='')}/shipping"
        await request_object(
            api, "POST", path, json={"orderShipment": {"orderLines": {"orderLine": lines}}}
        )


async def cancel_order(api: RemoteApi, cancellation: Cancellation) -> None:
    """Cancel the units of an order that have not left; those that did stay.

    Raises Rejected for an order of which everything left.
    """
    order = await fetch_order(api, cancellation.order_ref)
    lines = [
        _cancelled(number, units)
        for number, line in lines_by_number(order).items()
        if (units := count_units(line, OPEN))
    ]
    if not lines:
        if any(count_units(line, LEFT) for line in lines_by_number(order).values()):
            raise Rejected("the order has left: it cannot be cancelled")
        return  # it is cancelled
    path = f"{ORDERS}/{quote(cancellation.order_ref, safe='')}/cancel"
    body = {"orderCancellation": {"orderLines": {"orderLine": lines}}}
    await request_object(api, "POST", path, json=body)


def _cancelled(number: str, units: int) -> dict[str, Any]:
    status = {
        "status": "Cancelled",
        "cancellationReason": OUT_OF_STOCK,
        "statusQuantity": {"unitOfMeasurement": "EACH", "amount": str(units)},
    }
    return {"lineNumber": number, "orderLineStatuses": {"orderLineStatus": [status]}}


def line_reference(fulfillment: Fulfillment) -> str:
    """Return our reference as the line keeps it."""
    return fulfillment.reference[:REFERENCE_CHARS_MAX]


def _told(line: Mapping[str, Any], quantity: int, fulfillment: Fulfillment) -> bool:
    if count_tracked_units(line, fulfillment.tracking or "") < quantity:
        return False
    last = str(line.get("sellerOrderId") or "")
    return last in ("", line_reference(fulfillment)) or count_units(line, OPEN) < quantity


def _shipped(ref: str, quantity: int, fulfillment: Fulfillment, method: str) -> dict[str, Any]:
    named = (fulfillment.carrier or "").strip()
    carrier = CARRIERS.get(named.upper())
    tracking = {
        "shipDateTime": int(fulfillment.shipped_at.timestamp() * 1000),
        "carrierName": {"carrier": carrier} if carrier else {"otherCarrier": named or "Other"},
        "methodCode": method if method in METHODS else "Standard",
        "trackingNumber": fulfillment.tracking,
    }
    status = {
        "status": "Shipped",
        "statusQuantity": {"unitOfMeasurement": "EACH", "amount": str(quantity)},
        "trackingInfo": tracking,
    }
    return {
        "lineNumber": ref,
        "sellerOrderId": line_reference(fulfillment),
        "orderLineStatuses": {"orderLineStatus": [status]},
    }
