"""Shipments pushed to Medusa: a fulfillment with our reference and the serials, then its parcel."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.errors import NotFound, Unknown
from connectors.medusa.mapping import ORDER_FIELDS
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import object_field
from hub.vocabulary import Fulfillment

MARK = "serial_hub"


async def push_fulfillment(api: RemoteApi, fulfillment: Fulfillment, location: str) -> str:
    """Create the fulfillment and ship it. Safe to repeat: both are looked at first."""
    path = f"/admin/orders/{quote(fulfillment.order_ref, safe='')}"
    order = await _order(api, path)
    lines = {item["id"] for item in order.get("items") or []}
    for line in fulfillment.lines:
        if line.order_line_ref not in lines:
            raise NotFound(f"the order has no line {line.order_line_ref}")
    known = _ours(order, fulfillment.reference)
    if known is None:
        body = {**_items(fulfillment), "location_id": location}
        # There is no key, and a repeat is refused as 400: the mark is what is looked for.
        await api.json_object("POST", f"{path}/fulfillments", json=body)
        known = _ours(await _order(api, path), fulfillment.reference)
    if known is None:
        raise Unknown("the fulfilment that was made does not show")
    if not known.get("shipped_at"):
        parcel = {**_items(fulfillment), "labels": _labels(fulfillment)}
        ref = quote(known["id"], safe="")
        await api.json_object("POST", f"{path}/fulfillments/{ref}/shipments", json=parcel)
    return f"order {order.get('display_id') or order['id']} / fulfilment {known['id']}"


async def _order(api: RemoteApi, path: str) -> Mapping[str, Any]:
    return object_field(
        await api.json_object("GET", path, params={"fields": ORDER_FIELDS}), "order"
    )


def _ours(order: Mapping[str, Any], reference: str) -> Mapping[str, Any] | None:
    for each in order.get("fulfillments") or []:
        marked = (each.get("metadata") or {}).get(MARK) == reference
        if marked and not each.get("canceled_at"):
            return dict(each)
    return None


def _items(fulfillment: Fulfillment) -> dict[str, Any]:
    lines = fulfillment.lines
    serials = {line.order_line_ref: list(line.serials) for line in lines}
    return {
        "items": [{"id": line.order_line_ref, "quantity": line.units} for line in lines],
        "metadata": {MARK: fulfillment.reference, "serials": serials},
    }


def _labels(fulfillment: Fulfillment) -> list[dict[str, str]]:
    if not fulfillment.tracking:
        return []
    return [{"tracking_number": fulfillment.tracking, "tracking_url": "", "label_url": ""}]
