"""eBay mapping: orders, quantities, refusals of single items."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import OrderRef
from connectors.ebay.money import refunded_in_full, with_money, with_price
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected, Transient, Unknown
from connectors.remote import ERROR_TEXT_CHARS_MAX
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text, whole
from connectors.toolkit.records import RecordReader
from hub.vocabulary import HoldReason, ObservedLevel, Order, OrderLine, OrderState

ORDERS = RecordReader("order", ref="orderId")
ITEMS = RecordReader("listing", ref="sku")
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
    state, lines = _state(order), records(order, "lineItems", required=True)
    read = Order(
        ref=identity(order, "orderId"),
        number=identity(order, "orderId"),
        state=state,
        hold=_hold(order) if state in (OrderState.OPEN, OrderState.PENDING) else None,
        remote_state=str(order.get("orderFulfillmentStatus") or ""),
        lines=tuple(_line(line) for line in lines),
        placed_at=moment(order["creationDate"]),
        updated_at=changed_at(order),
    )
    return with_money(read, order, lines)


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last."""
    return moment(order.get("lastModifiedDate") or order["creationDate"])


def sold_on(order: Mapping[str, Any], marketplaces: Collection[str]) -> bool:
    """Say whether an order was bought on one of the marketplaces; all of them where none is named.

    One that names no marketplace is taken, so that none is lost.
    """
    lines = records(order, "lineItems", required=True)
    bought = {text(line, "purchaseMarketplaceId") for line in lines} - {""}
    return not marketplaces or not bought or bool(bought.intersection(marketplaces))


def _state(order: Mapping[str, Any]) -> OrderState:
    shipped, paid = order.get("orderFulfillmentStatus"), order.get("orderPaymentStatus")
    cancelled = (order.get("cancelStatus") or {}).get("cancelState") == "CANCELED"
    if cancelled or (paid == "FULLY_REFUNDED" and shipped == "NOT_STARTED"):
        return OrderState.CANCELLED
    if shipped == "FULFILLED":
        return OrderState.FULFILLED
    return OrderState.PENDING if paid in ("PENDING", "FAILED") else OrderState.OPEN


def _hold(order: Mapping[str, Any]) -> HoldReason | None:
    """Read why nothing may leave: a cancellation that nobody has decided, or no payment."""
    cancelling = child(order, "cancelStatus").get("cancelState") or "NONE_REQUESTED"
    if cancelling != "NONE_REQUESTED":
        return HoldReason.CANCELLATION_REQUESTED
    paid = order.get("orderPaymentStatus")
    if paid == "FULLY_REFUNDED":
        return HoldReason.REFUNDED
    return HoldReason.PAYMENT_PENDING if paid in ("PENDING", "FAILED") else None


def _line(line: Mapping[str, Any]) -> OrderLine:
    quantity = whole(line, "quantity")
    if refunded_in_full(line) and not has_left(line):
        quantity = 0  # paid back before it left: nobody waits for it
    read = OrderLine(
        ref=identity(line, "lineItemId"),
        sku=text(line, "sku"),
        quantity=quantity,
        fulfilled=quantity if line.get("lineItemFulfillmentStatus") == "FULFILLED" else 0,
        title=text(line, "title"),
    )
    return with_price(read, line)


def has_left(line: Mapping[str, Any]) -> bool:
    """Say whether a line left, in part or in full."""
    return line.get("lineItemFulfillmentStatus") in ("FULFILLED", "IN_PROGRESS")


def parse_quantity(item: Mapping[str, Any]) -> int | None:
    """Read how many pieces of an inventory item are for sale."""
    shipped = child(child(item, "availability"), "shipToLocationAvailability")
    return None if shipped.get("quantity") is None else whole(shipped, "quantity")


def shown_quantity(response: Mapping[str, Any]) -> tuple[str, int | None]:
    """Read the answer for one SKU: what is for sale, None where there is no such item."""
    return identity(response, "sku"), parse_quantity(child(response, "inventoryItem"))


def parse_item(item: Mapping[str, Any]) -> ObservedLevel | None:
    """Read what an inventory item has for sale; None where it does not say."""
    quantity, sku = parse_quantity(item), identity(item, "sku")
    if quantity is None:
        return None
    title = text(child(item, "product"), "title")
    return ObservedLevel(sku=sku, quantity=quantity, remote={"sku": sku}, title=title)


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
        event = parsed_json(body)
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
