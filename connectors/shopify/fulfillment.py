"""Shipments pushed to Shopify: a fulfillment, and the serials in the order's metafield.

Shopify keeps neither our reference nor a serial at a fulfillment. So the metafield is written last
and read first: what it names was reported, and what left without being named was reported by a
call whose
answer got lost.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.errors import Conflict, NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.shipments import require_serials
from connectors.shopify import documents
from connectors.shopify.mapping import METAFIELD, execute, pages, recorded_serials, said
from hub.vocabulary import Fulfillment

METAFIELD_ATTEMPTS_MAX = 3
DEAD_FULFILLMENTS = frozenset({"CANCELLED", "ERROR", "FAILURE"})
OPEN_FULFILLMENT_ORDERS = frozenset({"OPEN", "IN_PROGRESS"})


async def push_fulfillment(
    api: RemoteApi, fulfillment: Fulfillment, *, notify_customer: bool
) -> None:
    """Fulfil what is not fulfilled yet and name the serials. Safe to repeat: it looks first."""
    require_serials(fulfillment)
    ref = fulfillment.order_ref
    ours = {line.order_line_ref: line.serials for line in fulfillment.lines}
    for _ in range(METAFIELD_ATTEMPTS_MAX):
        order = await _fulfillable(api, ref)
        recorded = recorded_serials(order["metafield"])
        merged = merge_serials(recorded, ours)
        if merged == recorded:
            return
        # Whatever has left without a serial on record is ours: an answer of last time got lost.
        shipped = await _shipped(api, order)
        missing = {
            line: min(len(serials), len(merged[line]) - shipped.get(line, 0))
            for line, serials in ours.items()
        }
        await _fulfill(api, order, missing, fulfillment, notify_customer)
        if await _record(api, order, merged):
            return
    raise Conflict(f"somebody else keeps writing the serials of order {ref}")


def merge_serials(
    known: Mapping[str, Sequence[str]], ours: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Add our serials to those on record; a repeat adds nothing."""
    merged = {line: tuple(serials) for line, serials in known.items()}
    for line, serials in ours.items():
        merged[line] = tuple(dict.fromkeys((*merged.get(line, ()), *serials)))
    return merged


def allocate(nodes: Sequence[Mapping[str, Any]], left: dict[str, int]) -> list[dict[str, Any]]:
    """Take as much of `left` (by order line) as these fulfillment order lines still hold."""
    parts = []
    for node in nodes:
        line = node["lineItem"]["id"]
        quantity = min(left.get(line, 0), node["remainingQuantity"])
        if quantity > 0:
            parts.append({"id": node["id"], "quantity": quantity})
            left[line] -= quantity
            if not left[line]:
                del left[line]
    return parts


async def _fulfillable(api: RemoteApi, ref: str) -> Any:
    namespace, key = METAFIELD
    data = await execute(api, documents.FULFILLABLE, id=ref, namespace=namespace, key=key)
    if data["order"] is None:
        raise NotFound(f"no order {ref}")
    return data["order"]


async def _shipped(api: RemoteApi, order: Mapping[str, Any]) -> dict[str, int]:
    """Count what has left, by line."""
    shipped: dict[str, int] = {}
    for fulfillment in order["fulfillments"]:
        if fulfillment["status"] in DEAD_FULFILLMENTS:
            continue
        nodes = pages(
            api, documents.SHIPPED_LINES, "fulfillment", "fulfillmentLineItems", fulfillment["id"]
        )
        async for node in nodes:
            line = node["lineItem"]["id"]
            shipped[line] = shipped.get(line, 0) + (node["quantity"] or 0)
    return shipped


async def _fulfill(
    api: RemoteApi,
    order: Mapping[str, Any],
    missing: dict[str, int],
    fulfillment: Fulfillment,
    notify_customer: bool,
) -> None:
    """Create a fulfillment at each location that still holds some of the missing units."""
    left = {line: quantity for line, quantity in missing.items() if quantity > 0}
    groups: dict[str | None, list[dict[str, Any]]] = {}
    for holder in order["fulfillmentOrders"]["nodes"] if left else ():
        if holder["status"] in OPEN_FULFILLMENT_ORDERS and left:
            lines = pages(api, documents.OPEN_LINES, "fulfillmentOrder", "lineItems", holder["id"])
            if parts := allocate([node async for node in lines], left):
                location = (holder["assignedLocation"]["location"] or {}).get("id")
                groups.setdefault(location, []).append(
                    {"fulfillmentOrderId": holder["id"], "fulfillmentOrderLineItems": parts}
                )
    if left:
        # On hold, cancelled, or edited meanwhile: nothing may leave in part.
        raise Conflict(f"order {order['id']} has no open fulfilment order for all units")
    for each in groups.values():
        await _create(api, each, fulfillment, notify_customer)


async def _create(
    api: RemoteApi, groups: list[dict[str, Any]], fulfillment: Fulfillment, notify_customer: bool
) -> None:
    wanted: dict[str, Any] = {
        "lineItemsByFulfillmentOrder": groups,
        "notifyCustomer": notify_customer,
    }
    if fulfillment.tracking:
        company, number = fulfillment.carrier, fulfillment.tracking
        wanted["trackingInfo"] = {"company": company, "number": number}
    data = await execute(api, documents.FULFILL, repeat=False, fulfillment=wanted)
    if problems := data["fulfillmentCreate"]["userErrors"]:
        raise Rejected(said(problems[0]["message"]))


async def _record(
    api: RemoteApi, order: Mapping[str, Any], serials: Mapping[str, Sequence[str]]
) -> bool:
    """Write the serials if nobody wrote since we read; False asks to read again."""
    namespace, key = METAFIELD
    entries = [{"line": line, "serials": list(named)} for line, named in serials.items()]
    known = order["metafield"]
    wanted = {
        "ownerId": order["id"],
        "namespace": namespace,
        "key": key,
        "type": "json",
        "value": json.dumps(entries),
        "compareDigest": known["compareDigest"] if known else None,
    }
    data = await execute(api, documents.SET_METAFIELDS, repeat=False, metafields=[wanted])
    problems = data["metafieldsSet"]["userErrors"]
    if any(each["code"] == "STALE_OBJECT" for each in problems):
        return False
    if problems:
        raise Rejected(said(problems[0]["message"]))
    return True
