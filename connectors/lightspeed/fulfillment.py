"""Shipments pushed to Lightspeed: serials off the outlet's list, then the fulfillment."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.errors import NotFound
from connectors.lightspeed.mapping import response_data, sold_lines
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import whole
from hub.vocabulary import Fulfillment

WAITING = {"AWAITING_DISPATCH": "SHIPPED", "AWAITING_PICKUP": "PICKED_UP"}


async def push_fulfillment(api: RemoteApi, root: str, fulfillment: Fulfillment, outlet: str) -> str:
    """Report a shipment. Safe to repeat: serials and fulfillments are looked at first."""
    path = f"{root}/sales/{quote(fulfillment.order_ref, safe='')}"
    sale = response_data(await api.json("GET", path), dict)
    products = {line["id"]: line for line in sold_lines(sale)}
    left = 0
    for line in fulfillment.lines:
        if line.order_line_ref not in products:
            raise NotFound(f"the sale has no line {line.order_line_ref}")
        product = products[line.order_line_ref].get("product_id") or ""
        for serial in line.serials:
            await _take_off(api, root, product, outlet, serial)
        left += line.units
    known = response_data(await api.json("GET", f"{path}/fulfillments"), list)
    number = sale.get("invoice_number") or sale["id"]
    kind = WAITING.get(str(sale.get("status")))
    if known or kind is None or left < _ordered(sale):
        return f"sale {number}"
    # There is no key: after silence, the repeat finds the fulfillment above.
    await api.request("POST", f"{path}/fulfill", json={"fulfillment_type": kind})
    return f"sale {number}"


def _ordered(sale: Mapping[str, Any]) -> int:
    return sum(whole(line, "quantity") for line in sold_lines(sale))


async def _take_off(api: RemoteApi, root: str, product: str, outlet: str, serial: str) -> None:
    """Delete a serial that the outlet still lists as its own; one that was sold stays."""
    after = 0
    while True:
        params = {"product_id": product, "outlet_id": outlet, "after": after, "page_size": 200}
        found = response_data(await api.json("GET", f"{root}/serialnumbers", params=params), list)
        for each in found:
            if each.get("code") == serial and not each.get("sale_id"):
                await api.request(
                    "DELETE", f"{root}/serialnumbers/{quote(each['id'], safe='')}", accept=(404,)
                )
                return
        newest = max((int(each.get("version") or 0) for each in found), default=0)
        if newest <= after:
            return
        after = newest
