"""Shipments pushed to BigCommerce: one shipment an address, and the serials as a metafield."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from connectors.bigcommerce.mapping import request_list
from connectors.errors import NotFound, Unknown
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import parsed_json
from hub.vocabulary import Fulfillment, FulfillmentLine

NAMESPACE, KEY = "serial_hub", "serials"
TRACKING_CHARS_MAX = 50
TEXT_CHARS_MAX = 65_535
PER_PAGE = 250


async def push_fulfillment(api: RemoteApi, fulfillment: Fulfillment) -> None:
    """Create the shipments and write the metafield. Both are looked at first."""
    ref = quote(fulfillment.order_ref, safe="")
    lines = await request_list(api, f"/v2/orders/{ref}/products", limit=PER_PAGE)
    addresses = {str(line["id"]): int(line.get("order_address_id") or 0) for line in lines}
    by_address: dict[int, list[FulfillmentLine]] = defaultdict(list)
    for line in fulfillment.lines:
        if line.order_line_ref not in addresses:
            raise NotFound(f"the order has no line {line.order_line_ref}")
        by_address[addresses[line.order_line_ref]].append(line)
    known = await request_list(api, f"/v2/orders/{ref}/shipments", limit=PER_PAGE)
    known_comments = [str(each.get("comments") or "") for each in known]
    for address, on_it in by_address.items():
        mark = f"[{fulfillment.reference} {address}]"
        if not any(mark in comments for comments in known_comments):
            body = _shipment(fulfillment, address, on_it, mark)
            # There is no key: after silence, the repeat finds the mark above.
            await api.json_object("POST", f"/v2/orders/{ref}/shipments", json=body)
    await _record(api, ref, fulfillment)


def _shipment(
    fulfillment: Fulfillment, address: int, lines: Sequence[FulfillmentLine], mark: str
) -> dict[str, Any]:
    serials = ", ".join(serial for line in lines for serial in line.serials)
    body: dict[str, Any] = {
        "order_address_id": address,
        "items": [
            {"order_product_id": int(line.order_line_ref), "quantity": line.units} for line in lines
        ],
        "comments": f"{mark} Serial numbers: {serials}"[:TEXT_CHARS_MAX],
    }
    if fulfillment.carrier:
        body["shipping_method"] = fulfillment.carrier
    if fulfillment.tracking:
        body["tracking_number"] = fulfillment.tracking[:TRACKING_CHARS_MAX]
    return body


async def _record(api: RemoteApi, ref: str, fulfillment: Fulfillment) -> None:
    """Name the serials of everything that left, by line, in one metafield of the order."""
    path = f"/v3/orders/{ref}/metafields"
    answer = await api.json_object("GET", path, params={"namespace": NAMESPACE, "key": KEY})
    found = answer.get("data")
    if not isinstance(found, list):
        raise Unknown("the answer holds no metafields")
    known = _serials_in(found[0].get("value")) if found else {}
    serials = dict(known)
    for line in fulfillment.lines:
        ours = serials.get(line.order_line_ref, [])
        serials[line.order_line_ref] = list(dict.fromkeys((*ours, *line.serials)))
    value = json.dumps(serials, separators=(",", ":"))
    if serials == known or len(value) > TEXT_CHARS_MAX:
        return  # the comments of the shipments name them all the same
    field = {"namespace": NAMESPACE, "key": KEY, "permission_set": "read", "value": value}
    if found:
        await api.json_object("PUT", f"{path}/{int(found[0]['id'])}", json=field)
    else:
        await api.json_object("POST", path, json=field)


def _serials_in(value: Any) -> dict[str, list[str]]:
    try:
        named = parsed_json(value)
        return {str(line): [str(each) for each in serials] for line, serials in named.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # somebody typed over it
