"""BigCommerce requests and mapping: orders of v2, levels of v3, webhooks."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.contract import OrderRef
from connectors.errors import Unknown
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment
from hub.vocabulary import Order, OrderLine, OrderState

INCOMPLETE = 0  # a checkout that somebody left: no order yet
STATES = {
    0: OrderState.PENDING,
    1: OrderState.PENDING,
    2: OrderState.FULFILLED,  # shipped
    3: OrderState.OPEN,  # partially shipped
    4: OrderState.CANCELLED,  # refunded
    5: OrderState.CANCELLED,
    6: OrderState.CANCELLED,  # declined
    7: OrderState.PENDING,  # awaiting payment
    8: OrderState.OPEN,  # awaiting pickup
    9: OrderState.OPEN,  # awaiting shipment
    10: OrderState.FULFILLED,  # completed
    11: OrderState.OPEN,  # awaiting fulfillment
    12: OrderState.PENDING,  # to be verified by a person
    13: OrderState.PENDING,  # disputed
    14: OrderState.OPEN,  # partially refunded: the lines say what is left
}


async def request_list(api: RemoteApi, path: str, **params: Any) -> list[Any]:
    """Read a list of v2; no content is an empty one."""
    response = await api.request("GET", path, params=params)
    if response.status_code == 204:
        return []
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unknown(f"GET {path}: the answer is not a list of objects")
    return found


def embedded_lines(order: Mapping[str, Any]) -> list[Any] | None:
    """Find the lines that came with an order; None where they are to be asked for."""
    consignments = order.get("consignments")
    if not isinstance(consignments, dict):
        return None
    kinds = (consignments.get(kind) or [] for kind in ("pickups", "shipping", "downloads"))
    found = [each.get("line_items") for kind in kinds for each in kind]
    if not all(isinstance(lines, list) for lines in found):
        return None
    return [line for lines in found for line in lines or []]


def parse_order(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Order:
    """Read an order and its lines."""
    status = int(order.get("status_id") or 0)
    state = STATES.get(status, OrderState.PENDING)
    read = tuple(_line(line, state is OrderState.FULFILLED) for line in lines)
    if state is OrderState.OPEN and read and all(each.fulfilled >= each.quantity for each in read):
        state = OrderState.FULFILLED
    if order.get("is_deleted"):
        state = OrderState.CANCELLED
    placed = parse_time(order["date_created"])
    customer = order.get("customer_id")
    return Order(
        ref=str(order["id"]),
        number=str(order["id"]),
        state=state,
        remote_state=str(order.get("status") or status),
        lines=read,
        placed_at=placed,
        updated_at=parse_time(order.get("date_modified") or order["date_created"]),
        customer_ref=str(customer) if customer else None,
    )


def _line(line: Mapping[str, Any], done: bool) -> OrderLine:
    ordered, shipped = _whole(line.get("quantity")), _whole(line.get("quantity_shipped"))
    quantity = max(shipped, ordered - _whole(line.get("quantity_refunded")))
    return OrderLine(
        ref=str(line["id"]),
        sku=line.get("sku") or "",
        quantity=quantity,
        fulfilled=quantity if done else min(shipped, quantity),
        title=line.get("name") or "",
    )


def _whole(number: Any) -> int:
    return math.ceil(float(number or 0))


def parse_time(text: str) -> datetime:
    """Read a time: v2 writes RFC 2822, v3 writes ISO 8601."""
    if text[:1].isdigit():
        return moment(text)
    read = parsedate_to_datetime(text)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def parse_event(body: bytes) -> Mapping[str, Any]:
    """Decode a webhook; what is not an object is an empty one."""
    try:
        event = json.loads(body)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def order_refs(body: bytes) -> Sequence[OrderRef]:
    """Name the order of ``store/order/*`` and ``store/shipment/*``."""
    data = parse_event(body).get("data")
    if not isinstance(data, dict):
        return ()
    named = data.get("orderId") or (data.get("id") if data.get("type") == "order" else None)
    return (OrderRef(str(named)),) if named else ()
