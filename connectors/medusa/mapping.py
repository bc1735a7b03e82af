"""Medusa requests and mapping: orders, levels, events."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.contract import OrderRef
from connectors.toolkit.cursors import moment
from hub.vocabulary import Order, OrderLine, OrderState

# The state of fulfillment is worked out from the fields that are asked for: never ask without
# items.
ORDER_FIELDS = ",".join(
    (
        "id,display_id,status,payment_status,fulfillment_status,customer_id",
        "created_at,updated_at,*items,*items.detail,*fulfillments",
    )
)
LEVEL_FIELDS = "id,sku,title,*location_levels"
# An order is made once its payment is authorised; capturing it later does not move `updated_at`.
PAYABLE = frozenset(
    {
        "authorized",
        "partially_captured",
        "captured",
        "partially_refunded",
        "refunded",
    }
)


def parse_order(order: Mapping[str, Any]) -> Order:
    """Read an order."""
    lines = tuple(_line(item) for item in order.get("items") or [])
    placed = moment(order["created_at"])
    changed = order.get("updated_at")
    return Order(
        ref=order["id"],
        number=str(order.get("display_id") or order["id"]),
        state=_state(order, lines),
        remote_state=f"{order.get('status') or ''} {order.get('fulfillment_status') or ''}".strip(),
        lines=lines,
        placed_at=placed,
        updated_at=moment(changed) if changed else placed,
        customer_ref=order.get("customer_id") or None,
    )


def _state(order: Mapping[str, Any], lines: Sequence[OrderLine]) -> OrderState:
    if order.get("status") == "canceled":
        return OrderState.CANCELLED
    if lines and all(line.fulfilled >= line.quantity for line in lines):
        return OrderState.FULFILLED
    if order.get("fulfillment_status") in ("shipped", "delivered"):
        return OrderState.FULFILLED
    ready = order.get("status") not in ("draft", "requires_action")
    payable = ready and order.get("payment_status") in PAYABLE
    return OrderState.OPEN if payable else OrderState.PENDING


def _line(item: Mapping[str, Any]) -> OrderLine:
    detail = item.get("detail") or {}
    quantity = _whole(item.get("quantity")) - _whole(detail.get("written_off_quantity"))
    left = max(_whole(detail.get("shipped_quantity")), _whole(detail.get("delivered_quantity")))
    return OrderLine(
        ref=item["id"],
        sku=item.get("variant_sku") or "",
        quantity=quantity,
        fulfilled=min(left, quantity),
        title=item.get("product_title") or item.get("title") or "",
    )


def _whole(number: Any) -> int:
    return math.ceil(float(number or 0))


def location_level(item: Mapping[str, Any], location: str) -> tuple[int, int] | None:
    """Read what is stocked and what is reserved at a location; None where it keeps no level."""
    for level in item.get("location_levels") or []:
        if level.get("location_id") == location:
            return _whole(level.get("stocked_quantity")), _whole(level.get("reserved_quantity"))
    return None


def order_refs(body: bytes) -> Sequence[OrderRef]:
    """Name the order that the data of an event speaks of."""
    try:
        data = json.loads(body)
    except ValueError:
        return ()
    if not isinstance(data, dict):
        return ()
    named, own = data.get("order_id"), str(data.get("id") or "")
    if isinstance(named, str) and named:
        return (OrderRef(named),)
    return (OrderRef(own),) if own.startswith("order_") else ()
