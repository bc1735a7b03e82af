"""Medusa requests and mapping: orders, levels, events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import OrderRef
from connectors.medusa.money import TOTALS, with_money, with_price
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text, whole
from connectors.toolkit.records import RecordReader
from hub.vocabulary import HoldReason, ObservedLevel, Order, OrderLine, OrderState

ORDERS = RecordReader("order", ref="id")
ITEMS = RecordReader("listing", ref="id")
# The state of fulfillment is worked out from the fields that are asked for: never ask without
# items.
ORDER_FIELDS = ",".join(
    (
        "id,display_id,status,payment_status,fulfillment_status,customer_id,sales_channel_id",
        TOTALS,
        "created_at,updated_at,*items,*items.detail,items.variant.manage_inventory,*fulfillments",
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
    items = records(order, "items", required=True)
    shown = _shown_serials(order)
    lines = tuple(_line(item, shown) for item in items)
    read = Order(
        ref=identity(order, "id"),
        number=text(order, "display_id") or identity(order, "id"),
        state=_state(order, lines),
        hold=_hold(order, lines),
        remote_state=text(order, "status"),
        payment_state=text(order, "payment_status"),
        shipment_state=text(order, "fulfillment_status"),
        lines=lines,
        placed_at=placed_at(order),
        updated_at=changed_at(order),
        customer_ref=text(order, "customer_id") or None,
    )
    return with_money(read, order, items)


def placed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order was placed."""
    return moment(order["created_at"])


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last."""
    return moment(order.get("updated_at") or order["created_at"])


def _state(order: Mapping[str, Any], lines: Sequence[OrderLine]) -> OrderState:
    if order.get("status") == "canceled":
        return OrderState.CANCELLED
    if lines and all(line.fulfilled >= line.quantity for line in lines):
        return OrderState.FULFILLED
    if order.get("fulfillment_status") in ("shipped", "delivered"):
        return OrderState.FULFILLED
    if order.get("status") == "draft":
        return OrderState.DRAFT
    ready = order.get("status") != "requires_action"
    payable = ready and order.get("payment_status") in PAYABLE
    return OrderState.OPEN if payable else OrderState.PENDING


def _hold(order: Mapping[str, Any], lines: Sequence[OrderLine]) -> HoldReason | None:
    """Say whether an order was paid back in full before anything of it left."""
    paid_back = order.get("payment_status") == "refunded"
    waits = order.get("status") not in ("canceled", "draft")
    untouched = lines and not any(line.fulfilled for line in lines)
    return HoldReason.REFUNDED if waits and paid_back and untouched else None


def _shown_serials(order: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Return the serials that the fulfillments of an order name by line; odd metadata none."""
    found: dict[str, tuple[str, ...]] = {}
    for each in records(order, "fulfillments"):
        named = (each.get("metadata") or {}).get("serials")
        if each.get("canceled_at") or not isinstance(named, dict):
            continue
        for line, serials in named.items():
            if isinstance(serials, list):
                found[line] = (*found.get(line, ()), *(str(serial) for serial in serials))
    return found


def _line(item: Mapping[str, Any], shown: Mapping[str, tuple[str, ...]]) -> OrderLine:
    detail = child(item, "detail")
    quantity = whole(item, "quantity") - whole(detail, "written_off_quantity", 0)
    left = max(whole(detail, "shipped_quantity", 0), whole(detail, "delivered_quantity", 0))
    read = OrderLine(
        ref=identity(item, "id"),
        sku=text(item, "variant_sku"),
        quantity=quantity,
        fulfilled=min(left, quantity),
        shown_serials=shown.get(identity(item, "id"), ()),
        title=text(item, "product_title") or text(item, "title"),
    )
    return with_price(read, item)


def location_level(item: Mapping[str, Any], location: str) -> tuple[int, int] | None:
    """Read what is stocked and what is reserved at a location; None where it keeps no level."""
    for level in records(item, "location_levels"):
        if level.get("location_id") == location:
            return whole(level, "stocked_quantity", 0), whole(level, "reserved_quantity", 0)
    return None


def parse_level(item: Mapping[str, Any], location: str) -> ObservedLevel | None:
    """Read what is available of an item at a location; None where it keeps no level."""
    shelf = location_level(item, location)
    if shelf is None:
        return None
    return ObservedLevel(
        sku=text(item, "sku"),
        quantity=shelf[0] - shelf[1],
        remote={"inventory_item_id": identity(item, "id"), "location_id": location},
        title=text(item, "title"),
    )


def order_refs(body: bytes) -> Sequence[OrderRef]:
    """Name the order that the data of an event speaks of."""
    try:
        data = parsed_json(body)
    except ValueError:
        return ()
    if not isinstance(data, dict):
        return ()
    named, own = data.get("order_id"), str(data.get("id") or "")
    if isinstance(named, str) and named:
        return (OrderRef(named),)
    return (OrderRef(own),) if own.startswith("order_") else ()
