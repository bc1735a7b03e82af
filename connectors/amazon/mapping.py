"""Amazon mapping: orders, notices, listings; and how much may be asked of each operation."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from connectors.amazon.money import with_money, with_price
from connectors.contract import OrderRef, WebhookCall
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text, whole
from connectors.toolkit.rate_limits import RateLimit, RateLimitReading
from connectors.toolkit.records import FieldError, RecordReader
from hub.vocabulary import HoldReason, ObservedLevel, Order, OrderLine, OrderState

ORDERS = "/orders/2026-01-01/orders"
LISTINGS = "/listings/2021-08-01/items"
FEEDS = "/feeds/2021-06-30/feeds"
DOCUMENTS = "/feeds/2021-06-30/documents"
REPORTS = "/reports/2021-06-30/reports"
REPORT_DOCUMENTS = "/reports/2021-06-30/documents"
CONFIRMATIONS = "/orders/v0/orders"
MESSAGES = "/messaging/v1/orders"
SELLERS = "/sellers/v1/marketplaceParticipations"
EASY_SHIP = "/easyShip/2022-03-23"

READER = RecordReader("order", ref="orderId")
ITEMS = RecordReader("listing", ref="sku")
STATES = {
    "PENDING_AVAILABILITY": OrderState.PENDING,
    "PENDING": OrderState.PENDING,
    "UNSHIPPED": OrderState.OPEN,
    "PARTIALLY_SHIPPED": OrderState.OPEN,
    "SHIPPED": OrderState.FULFILLED,
    "CANCELLED": OrderState.CANCELLED,
    "UNFULFILLABLE": OrderState.PENDING,
}
# Amazon releases a pre-order itself, and cancels what is not paid.
HOLDS = {
    "PENDING_AVAILABILITY": HoldReason.ON_HOLD,
    "UNFULFILLABLE": HoldReason.ON_HOLD,
}
TYPE_DEFAULT = "PRODUCT"  # what every listing is at least
BY_AMAZON = "AMAZON"
OWN_STOCK = "DEFAULT"  # the fulfillment channel of what the seller ships
ORDER_CHANGE = "ORDER_CHANGE"
SHIPMENT_CHANGE = "EXTERNAL_FULFILLMENT_SHIPMENT_STATUS_CHANGE"

# The default usage plans of the contract: calls a second, and how many may come at once.
PLANS: Mapping[str, tuple[float, float]] = {
    f"GET {ORDERS}": (0.0056, 20),
    f"GET {ORDERS}/": (0.5, 30),
    f"GET {LISTINGS}/": (5, 5),
    f"PATCH {LISTINGS}/": (5, 5),
    f"GET {FEEDS}": (0.0222, 10),
    f"POST {FEEDS}": (0.0083, 15),
    f"GET {FEEDS}/": (2, 15),
    f"DELETE {FEEDS}/": (2, 15),
    f"POST {DOCUMENTS}": (0.5, 15),
    f"GET {DOCUMENTS}/": (0.0222, 10),
    f"POST {REPORTS}": (0.0167, 15),
    f"GET {REPORTS}/": (2, 15),
    f"GET {REPORT_DOCUMENTS}/": (0.0167, 15),
    f"POST {CONFIRMATIONS}/": (2, 10),
    f"POST {MESSAGES}/": (1, 5),
    f"GET {SELLERS}": (0.016, 15),
    f"GET {EASY_SHIP}/": (1, 5),
    f"POST {EASY_SHIP}/": (1, 5),
}
BUDGETS = tuple(
    RateLimit(name=name, capacity=burst, per_second=rate, operations=frozenset({name}))
    for name, (rate, burst) in PLANS.items()
)


def operation_of(method: str, path: str) -> str:
    """Name the usage plan that a call draws from: its method and the beginning of its path."""
    asked = f"{method} {path}"
    if asked in PLANS:
        return asked
    found = (name for name in PLANS if name.endswith("/") and asked.startswith(name))
    return max(found, key=len, default="")


def read_rate_limits(response: httpx.Response) -> Sequence[RateLimitReading]:
    """Learn from an answer how many calls a second this account may make of an operation."""
    request = response.request
    name = operation_of(request.method, request.url.path)
    try:
        rate = float(response.headers["x-amzn-ratelimit-limit"])
    except (KeyError, ValueError):
        return ()
    return (RateLimitReading(rate_limit=name, per_second=rate),) if name and rate > 0 else ()


async def request_object(
    api: RemoteApi, method: str, path: str, **options: Any
) -> Mapping[str, Any]:
    """Ask for one object, out of the rate limit of its operation."""
    return await api.json_object(method, path, operation=operation_of(method, path), **options)


def parse_order(order: Mapping[str, Any]) -> Order:
    """Read an order. Who bought, and where it goes, stays at Amazon."""
    status = str((order.get("fulfillment") or {}).get("fulfillmentStatus") or "")
    aliases = records(order, "orderAliases")
    own = (text(each, "aliasId") for each in aliases if each.get("aliasType") == "SELLER_ORDER_ID")
    items = records(order, "orderItems", required=True)
    read = Order(
        ref=identity(order, "orderId"),
        number=next(own, "") or identity(order, "orderId"),
        state=STATES.get(status, OrderState.OPEN),
        hold=_hold(order, status),
        remote_state=status,
        lines=tuple(_line(item) for item in items),
        placed_at=moment(order["createdTime"]),
        updated_at=changed_at(order),
    )
    return with_money(read, order, items)


def _hold(order: Mapping[str, Any], status: str) -> HoldReason | None:
    """Read why nothing may leave: a buyer asks to cancel an item, or Amazon holds the order."""
    waits = STATES.get(status) in (OrderState.OPEN, OrderState.PENDING)
    for item in records(order, "orderItems", required=True) if waits else ():
        asked = child(item, "cancellation")
        if asked.get("cancellationRequest") and not asked.get("cancellationExecution"):
            return HoldReason.CANCELLATION_REQUESTED
    return HOLDS.get(status)


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last."""
    return moment(order["lastUpdatedTime"])


def _line(item: Mapping[str, Any]) -> OrderLine:
    product, progress = child(item, "product"), child(item, "fulfillment")
    fulfilled = whole(progress, "quantityFulfilled", 0)
    quantity = whole(item, "quantityOrdered")
    if child(item, "cancellation").get("cancellationExecution"):
        # What was cancelled still counts as ordered; what is left of it is done or to be done.
        quantity = min(quantity, fulfilled + whole(progress, "quantityUnfulfilled", 0))
    read = OrderLine(
        ref=identity(item, "orderItemId"),
        sku=text(product, "sellerSku"),
        quantity=quantity,
        fulfilled=fulfilled,
        serials=serial_numbers(product),
        title=text(product, "title"),
    )
    return with_price(read, item)


def serial_numbers(part: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the serials of a product; a single one may stand alone."""
    found = part.get("serialNumbers") or ()
    if not isinstance(found, list | tuple):
        raise FieldError(f"{getattr(part, 'path', '')}.serialNumbers", found, "is no list")
    return tuple(found)


def sold_by_seller(order: Mapping[str, Any], marketplaces: Collection[str]) -> bool:
    """Say whether the seller ships an order of one of these marketplaces.

    What leaves Amazon's own warehouses is none of our units. An order that names no marketplace is
    taken, so that none is lost.
    """
    place = text(child(order, "salesChannel"), "marketplaceId")
    ours = place in ("", *marketplaces)
    return ours and child(order, "fulfillment").get("fulfilledBy") != BY_AMAZON


def next_token(answer: Mapping[str, Any]) -> str | None:
    """Return what asks for the next page, None after the last."""
    return (answer.get("pagination") or {}).get("nextToken") or None


def product_type(item: Mapping[str, Any], fallback: str) -> str:
    """Read the product type of a listing, which every change of it must name."""
    found = (text(each, "productType") for each in records(item, "summaries"))
    return next((each for each in found if each), fallback)


def own_quantity(item: Mapping[str, Any]) -> int | None:
    """Read how much of a listing the seller has for sale; None where Amazon does not say."""
    return next(
        (
            whole(each, "quantity")
            for each in records(item, "fulfillmentAvailability")
            if each.get("fulfillmentChannelCode") == OWN_STOCK and each.get("quantity") is not None
        ),
        None,
    )


def parse_listing(item: Mapping[str, Any]) -> ObservedLevel | None:
    """Read a listing that the seller serves; None for any other."""
    quantity, sku = own_quantity(item), identity(item, "sku")
    if quantity is None:
        return None
    summaries = records(item, "summaries")
    return ObservedLevel(
        sku=sku,
        quantity=quantity,
        remote={"sku": sku, "product_type": product_type(item, TYPE_DEFAULT)},
        title=text(summaries[0], "itemName") if summaries else "",
    )


def parse_named(item: Mapping[str, Any]) -> ObservedLevel:
    """Read what a listing is called, whoever serves it; its quantity is not its own."""
    summaries = records(item, "summaries")
    return ObservedLevel(
        sku=identity(item, "sku"),
        quantity=0,
        remote={"sku": identity(item, "sku"), "product_type": product_type(item, TYPE_DEFAULT)},
        title=text(summaries[0], "itemName") if summaries else "",
    )


def stocked_by_amazon(item: Mapping[str, Any]) -> bool:
    """Say whether a listing is only served from Amazon's warehouses."""
    places = records(item, "fulfillmentAvailability")
    codes = {text(each, "fulfillmentChannelCode") for each in places}
    return bool(codes) and OWN_STOCK not in codes


def parse_notice(body: bytes) -> tuple[WebhookCall, Mapping[str, Any]] | None:
    """Read a notice of a queue, also one that came by EventBridge; None where it is none."""
    try:
        said = parsed_json(body)
    except ValueError:
        return None
    if isinstance(said, dict) and isinstance(said.get("detail"), dict):
        said = said["detail"]
    if not isinstance(said, dict):
        return None
    metadata = _part(said, "NotificationMetadata")
    ref = _part(metadata, "NotificationId")
    if not isinstance(ref, str) or not ref:
        return None
    return WebhookCall(ref, str(_part(said, "NotificationType") or "")), said


def _part(found: Any, name: str) -> Any:
    """Return a field of a notice; newer kinds of notices begin their names in lower case."""
    if not isinstance(found, dict):
        return None
    return found.get(name, found.get(f"{name[0].lower()}{name[1:]}"))


def order_refs(topic: str, body: bytes) -> tuple[OrderRef, ...]:
    """Name the order of an ORDER_CHANGE, unless it leaves Amazon's own warehouses."""
    found = parse_notice(body)
    payload = _part(found[1], "Payload") if found and topic == ORDER_CHANGE else None
    change = _part(payload, "OrderChangeNotification")
    if _part(_part(change, "Summary"), "FulfillmentType") == "AFN":
        return ()
    return _refs(_part(change, "AmazonOrderId"))


def shipment_refs(topic: str, body: bytes, location: str) -> tuple[OrderRef, ...]:
    """Name the shipment of a change of its status, unless it is of another location."""
    found = parse_notice(body)
    payload = _part(found[1], "Payload") if found and topic == SHIPMENT_CHANGE else None
    change = _part(payload, "ExternalFulfillmentShipmentNotification")
    if _part(change, "LocationId") not in (None, location):
        return ()
    return _refs(_part(change, "ShipmentId"))


def _refs(ref: Any) -> tuple[OrderRef, ...]:
    return (OrderRef(ref),) if isinstance(ref, str) and ref else ()
