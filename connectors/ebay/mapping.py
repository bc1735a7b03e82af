"""eBay mapping: orders, quantities, refusals of single items."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.contract import OrderRef
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected, Transient, Unknown
from connectors.remote import ERROR_TEXT_CHARS_MAX
from connectors.toolkit.cursors import moment
from hub.vocabulary import Order, OrderLine, OrderState

UNKNOWN_SKU = frozenset({25702, 25710, 25713})
DEPTH_MAX = 4


def list_field(answer: Mapping[str, Any], name: str) -> list[Any]:
    """Take a list out of an answer; eBay leaves empty ones out."""
    found = answer.get(name) or []
    if not isinstance(found, list):
        raise Unknown(f"the answer's {name} is not a list")
    return found


def parse_order(order: Mapping[str, Any]) -> Order:
    """Read an order. Who bought stays at eBay."""
    state = _state(order)
    placed = moment(order["creationDate"])
    changed = order.get("lastModifiedDate")
    return Order(
        ref=order["orderId"],
        number=order["orderId"],
        state=state,
        remote_state=str(order.get("orderFulfillmentStatus") or ""),
        lines=tuple(_line(line) for line in order.get("lineItems") or []),
        placed_at=placed,
        updated_at=moment(changed) if changed else placed,
    )


def _state(order: Mapping[str, Any]) -> OrderState:
    shipped, paid = order.get("orderFulfillmentStatus"), order.get("orderPaymentStatus")
    cancelled = (order.get("cancelStatus") or {}).get("cancelState") == "CANCELED"
    if cancelled or (paid == "FULLY_REFUNDED" and shipped == "NOT_STARTED"):
        return OrderState.CANCELLED
    if shipped == "FULFILLED":
        return OrderState.FULFILLED
    return OrderState.PENDING if paid in ("PENDING", "FAILED") else OrderState.OPEN


def _line(line: Mapping[str, Any]) -> OrderLine:
    quantity = int(line.get("quantity") or 0)
    return OrderLine(
        ref=line["lineItemId"],
        sku=line.get("sku") or "",
        quantity=quantity,
        fulfilled=quantity if line.get("lineItemFulfillmentStatus") == "FULFILLED" else 0,
        title=line.get("title") or "",
    )


def parse_quantity(item: Mapping[str, Any]) -> int | None:
    """Read how many pieces of an inventory item are for sale."""
    shipped = (item.get("availability") or {}).get("shipToLocationAvailability") or {}
    quantity = shipped.get("quantity")
    return None if quantity is None else int(quantity)


def first_error(responses: Iterable[Mapping[str, Any]]) -> ConnectorError | None:
    """Read the first error among the answers for one SKU and its offer."""
    for each in responses:
        status, errors = int(each.get("statusCode") or 200), each.get("errors") or []
        if status < 400 and not errors:
            continue
        first: Mapping[str, Any] = errors[0] if errors else {}
        number, words = first.get("errorId"), first.get("longMessage") or first.get("message")
        message = f"{status} {number or ''} {words or ''}".strip()[:ERROR_TEXT_CHARS_MAX]
        if status == 404 or number in UNKNOWN_SKU:
            return NotFound(message)
        if status == 409:
            return Conflict(message)
        return Transient(message) if status >= 500 else Rejected(message)
    return None


def parse_notification(body: bytes) -> tuple[str, str, Any]:
    """Decode a notification: its id, its topic and its data."""
    try:
        event = json.loads(body)
    except ValueError:
        return "", "", None
    event = event if isinstance(event, dict) else {}
    message, about = event.get("notification"), event.get("metadata")
    message = message if isinstance(message, dict) else {}
    about = about if isinstance(about, dict) else {}
    return (
        str(message.get("notificationId") or ""),
        str(about.get("topic") or ""),
        message.get("data"),
    )


def order_refs(data: Any) -> Sequence[OrderRef]:
    """Name the orders that a notification's data speaks of, wherever it does."""
    return tuple(OrderRef(ref) for ref in dict.fromkeys(_order_ids(data, DEPTH_MAX)))


def _order_ids(data: Any, depth: int) -> list[str]:
    if depth == 0:
        return []
    if isinstance(data, list):
        return [ref for each in data for ref in _order_ids(each, depth - 1)]
    if not isinstance(data, dict):
        return []
    own = data.get("orderId")
    deeper = [ref for each in data.values() for ref in _order_ids(each, depth - 1)]
    return [own, *deeper] if isinstance(own, str) and own else deeper
