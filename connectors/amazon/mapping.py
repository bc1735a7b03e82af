"""Amazon mapping: orders, notices, listings; and how much may be asked of each operation."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from connectors.contract import OrderRef, WebhookCall
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment
from connectors.toolkit.rate_limits import RateLimit, RateLimitReading
from hub.vocabulary import Order, OrderLine, OrderState

ORDERS = "/orders/2026-01-01/orders"
LISTINGS = "/listings/2021-08-01/items"
FEEDS = "/feeds/2021-06-30/feeds"
DOCUMENTS = "/feeds/2021-06-30/documents"
CONFIRMATIONS = "/orders/v0/orders"
SELLERS = "/sellers/v1/marketplaceParticipations"
EASY_SHIP = "/easyShip/2022-03-23"

STATES = {
    "PENDING_AVAILABILITY": OrderState.PENDING,
    "PENDING": OrderState.PENDING,
    "UNSHIPPED": OrderState.OPEN,
    "PARTIALLY_SHIPPED": OrderState.OPEN,
    "SHIPPED": OrderState.FULFILLED,
    "CANCELLED": OrderState.CANCELLED,
    "UNFULFILLABLE": OrderState.PENDING,
}
BY_AMAZON = "AMAZON"
OWN_STOCK = "DEFAULT"  # the fulfillment channel of what the seller ships
ORDER_CHANGE = "ORDER_CHANGE"

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
    f"POST {CONFIRMATIONS}/": (2, 10),
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
    aliases = order.get("orderAliases") or []
    own = (each["aliasId"] for each in aliases if each.get("aliasType") == "SELLER_ORDER_ID")
    return Order(
        ref=order["orderId"],
        number=next(own, order["orderId"]),
        state=STATES.get(status, OrderState.OPEN),
        remote_state=status,
        lines=tuple(_line(item) for item in order.get("orderItems") or []),
        placed_at=moment(order["createdTime"]),
        updated_at=moment(order["lastUpdatedTime"]),
    )


def _line(item: Mapping[str, Any]) -> OrderLine:
    product, progress = item.get("product") or {}, item.get("fulfillment") or {}
    fulfilled = int(progress.get("quantityFulfilled") or 0)
    quantity = int(item["quantityOrdered"])
    if (item.get("cancellation") or {}).get("cancellationExecution"):
        # What was cancelled still counts as ordered; what is left of it is done or to be done.
        quantity = min(quantity, fulfilled + int(progress.get("quantityUnfulfilled") or 0))
    return OrderLine(
        ref=item["orderItemId"],
        sku=product.get("sellerSku") or "",
        quantity=quantity,
        fulfilled=fulfilled,
        serials=tuple(product.get("serialNumbers") or ()),
        title=product.get("title") or "",
    )


def fulfilled_by_amazon(order: Mapping[str, Any]) -> bool:
    """Say whether an order leaves Amazon's own warehouses: its units are none of ours."""
    return (order.get("fulfillment") or {}).get("fulfilledBy") == BY_AMAZON


def next_token(answer: Mapping[str, Any]) -> str | None:
    """Return what asks for the next page, None after the last."""
    return (answer.get("pagination") or {}).get("nextToken") or None


def product_type(item: Mapping[str, Any], fallback: str) -> str:
    """Read the product type of a listing, which every change of it must name."""
    summaries = item.get("summaries") or []
    found = (each["productType"] for each in summaries if each.get("productType"))
    return str(next(found, fallback))


def own_quantity(item: Mapping[str, Any]) -> int | None:
    """Read how much of a listing the seller has for sale; None where Amazon does not say."""
    return next(
        (
            int(each["quantity"])
            for each in item.get("fulfillmentAvailability") or []
            if each.get("fulfillmentChannelCode") == OWN_STOCK and each.get("quantity") is not None
        ),
        None,
    )


def stocked_by_amazon(item: Mapping[str, Any]) -> bool:
    """Say whether a listing is only served from Amazon's warehouses."""
    codes = {
        each.get("fulfillmentChannelCode") for each in item.get("fulfillmentAvailability") or []
    }
    return bool(codes) and OWN_STOCK not in codes


def parse_notice(body: bytes) -> tuple[WebhookCall, Mapping[str, Any]] | None:
    """Read a notice of a queue, also one that came by EventBridge; None where it is none."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    if isinstance(said, dict) and isinstance(said.get("detail"), dict):
        said = said["detail"]
    if not isinstance(said, dict):
        return None
    metadata = said.get("NotificationMetadata")
    ref = metadata.get("NotificationId") if isinstance(metadata, dict) else None
    if not isinstance(ref, str) or not ref:
        return None
    return WebhookCall(ref, str(said.get("NotificationType") or "")), said


def order_refs(topic: str, body: bytes) -> tuple[OrderRef, ...]:
    """Name the order of an ORDER_CHANGE, unless it leaves Amazon's own warehouses."""
    found = parse_notice(body)
    payload = found[1].get("Payload") if found and topic == ORDER_CHANGE else None
    change = payload.get("OrderChangeNotification") if isinstance(payload, dict) else None
    if not isinstance(change, dict):
        return ()
    summary = change.get("Summary")
    if isinstance(summary, dict) and summary.get("FulfillmentType") == "AFN":
        return ()
    ref = change.get("AmazonOrderId")
    return (OrderRef(ref),) if isinstance(ref, str) and ref else ()
