"""Shipments pushed to eBay. It has no key and no field for ours: the repeat looks for its like."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.ebay.mapping import list_field
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment, stamp
from hub.vocabulary import Fulfillment

CARRIER_DEFAULT = "OTHER"  # tracking goes with a carrier or not at all


async def push_fulfillment(api: RemoteApi, root: str, fulfillment: Fulfillment) -> None:
    """Create the shipment, unless one of the same lines and the same second is there."""
    path = f"{root}/{quote(fulfillment.order_ref, safe='')}/shipping_fulfillment"
    wanted = build_shipment(fulfillment)
    known = list_field(await api.json_object("GET", path), "fulfillments")
    if not any(is_same_shipment(each, wanted) for each in known):
        await api.request("POST", path, json=wanted)


def build_shipment(fulfillment: Fulfillment) -> dict[str, Any]:
    """Build the shipment; its time is that of the hub and the same in every repeat."""
    lines = [
        {"lineItemId": line.order_line_ref, "quantity": line.units} for line in fulfillment.lines
    ]
    shipment: dict[str, Any] = {"lineItems": lines, "shippedDate": stamp(fulfillment.shipped_at)}
    if fulfillment.tracking:
        shipment["shippingCarrierCode"] = fulfillment.carrier or CARRIER_DEFAULT
        shipment["trackingNumber"] = "".join(filter(str.isalnum, fulfillment.tracking))
    return shipment


def is_same_shipment(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Compare by lines and second of shipping, or by lines and tracking where there is one."""
    if _lines(known) != _lines(wanted):
        return False
    tracking = wanted.get("trackingNumber")
    if tracking and known.get("shipmentTrackingNumber") == tracking:
        return True
    at = known.get("shippedDate")
    return bool(at) and _second(str(at)) == _second(wanted["shippedDate"])


def _second(text: str) -> Any:
    return moment(text).replace(microsecond=0)


def _lines(shipment: Mapping[str, Any]) -> set[tuple[str, int]]:
    # eBay leaves the quantity out where it is the whole line; one is what it means by default.
    lines = shipment.get("lineItems") or []
    return {(str(line["lineItemId"]), int(line.get("quantity") or 1)) for line in lines}
