"""BigCommerce requests and mapping: orders of v2, levels of v3, webhooks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.bigcommerce.money import with_money, with_price
from connectors.contract import OrderRef
from connectors.errors import Unknown
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import (
    child,
    identity,
    nodes_of,
    parsed_json,
    records,
    text,
    whole,
)
from connectors.toolkit.records import RecordReader
from hub.vocabulary import HoldReason, ObservedLevel, Order, OrderLine, OrderState

ORDERS = RecordReader("order", ref="id")
ITEMS = RecordReader("listing", ref="identity.variant_id")
INCOMPLETE = 0  # a checkout that somebody left: no order yet
STATES = {
    0: OrderState.DRAFT,
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
HOLDS = {12: HoldReason.FRAUD_REVIEW, 13: HoldReason.ON_HOLD}


async def request_list(api: RemoteApi, path: str, **params: Any) -> list[Any]:
    """Read a list of v2; no content is an empty one."""
    response = await api.request("GET", path, params=params)
    if response.status_code == 204:
        return []
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, list | dict):
        raise Unknown(f"GET {path}: the answer is not a list")
    return nodes_of(found)


def embedded_lines(order: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Find the lines that came with an order; None where they are to be asked for."""
    consignments = order.get("consignments")
    if not isinstance(consignments, dict) or consignments.get("shipping") is None:
        return None
    found = [
        each
        for kind in ("pickups", "shipping", "downloads")
        for each in records(consignments, kind)
    ]
    found += records(child(consignments, "email"), "gift_certificates")
    if any(isinstance(each.get("line_items"), dict | None) for each in found):
        return None  # the address at which they are to be asked for
    return [line for each in found for line in records(each, "line_items", required=True)]


def parse_order(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Order:
    """Read an order and its lines."""
    status = whole(order, "status_id", 0)
    state = STATES.get(status, OrderState.PENDING)
    done = state is OrderState.FULFILLED
    read = tuple(with_price(_line(line, done), line, order) for line in lines)
    if state is OrderState.OPEN and read and all(each.fulfilled >= each.quantity for each in read):
        state = OrderState.FULFILLED
    if order.get("is_deleted"):
        state = OrderState.CANCELLED
    placed = parse_time(order["date_created"])
    customer = text(order, "customer_id")
    made = Order(
        ref=identity(order, "id"),
        number=identity(order, "id"),
        state=state,
        hold=HOLDS.get(status) if state is OrderState.PENDING else None,
        remote_state=str(order.get("status") or status),
        lines=read,
        placed_at=placed,
        updated_at=changed_at(order),
        customer_ref=customer if customer not in ("", "0") else None,
    )
    return with_money(made, order, lines)


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last."""
    return parse_time(order.get("date_modified") or order["date_created"])


def _line(line: Mapping[str, Any], done: bool) -> OrderLine:
    quantity, shipped = line_quantity(line), whole(line, "quantity_shipped", 0)
    return OrderLine(
        ref=identity(line, "id"),
        sku=text(line, "sku"),
        quantity=quantity,
        fulfilled=quantity if done else min(shipped, quantity),
        title=text(line, "name"),
    )


def line_quantity(line: Mapping[str, Any]) -> int:
    """Return what a line still wants or has shipped: without what was refunded before it left."""
    wanted = whole(line, "quantity") - whole(line, "quantity_refunded", 0)
    return max(whole(line, "quantity_shipped", 0), wanted)


def parse_item(item: Mapping[str, Any]) -> ObservedLevel:
    """Read what a location has available to sell of one variant."""
    named = child(item, "identity", required=True)
    return ObservedLevel(
        sku=text(named, "sku"),
        quantity=whole(item, "available_to_sell", 0),
        remote={name: identity(named, name) for name in ("variant_id", "product_id")},
    )


def parse_time(text: str) -> datetime:
    """Read a time: v2 writes RFC 2822, v3 writes ISO 8601."""
    if text[:1].isdigit():
        return moment(text)
    read = parsedate_to_datetime(text)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def parse_event(body: bytes) -> Mapping[str, Any]:
    """Decode a webhook; what is not an object is an empty one."""
    try:
        event = parsed_json(body)
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
