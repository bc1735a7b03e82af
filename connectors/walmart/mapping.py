"""Walmart requests and mapping: orders, quantities, notices, and how many calls are left."""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from connectors.contract import OrderRef, WebhookCall
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text, whole
from connectors.toolkit.rate_limits import RateLimit, RateLimitReading
from connectors.toolkit.records import RecordReader
from connectors.walmart.money import with_money, with_price
from hub.vocabulary import HoldReason, Order, OrderLine, OrderState

ORDERS = "/v3/orders"
INVENTORY = "/v3/inventory"
INVENTORIES = "/v3/inventories"
FEEDS = "/v3/feeds"
RETURNS = "/v3/returns"
ORDERS_READER = RecordReader("order", ref="purchaseOrderId")
GONE = frozenset({"Shipped", "Delivered", "Refund"})
OWN_NODES = frozenset({"", "SellerFulfilled"})
DEPTH_MAX = 4
MILLISECONDS_FROM = 1e11  # larger numbers are no seconds since 1970
# What a minute holds until an answer tells: the vendor publishes few numbers, and changes them.
BUDGETS = tuple(
    RateLimit(name=name, capacity=each, window_seconds=60.0, operations=frozenset({name}))
    for name, each in (
        (f"GET {ORDERS}", 60.0),
        (f"GET {INVENTORIES}", 200.0),
        (f"PUT {INVENTORY}", 1500.0),
        (f"POST {FEEDS}", 10.0),
        (f"GET {RETURNS}", 60.0),
    )
)
_NAMES = frozenset(rate_limit.name for rate_limit in BUDGETS)
EMPTY_LIST = "CONTENT_NOT_FOUND"  # how the code of Walmart's error begins


def common_headers() -> dict[str, str]:
    """Name what every call must carry: who asks, and a number of its own."""
    return {
        "accept": "application/json",
        "WM_SVC.NAME": "Walmart Marketplace",
        "WM_QOS.CORRELATION_ID": str(uuid.uuid4()),
    }


def operation_of(method: str, path: str) -> str:
    """Name the rate limit of a call by its method and the first two parts of its path."""
    name = f"{method} {'/'.join(path.partition('?')[0].split('/')[:3])}"
    return name if name in _NAMES else ""


def read_rate_limits(response: httpx.Response) -> Sequence[RateLimitReading]:
    """Learn from an answer how many calls are left, and until when."""
    request = response.request
    name = operation_of(request.method, request.url.path)
    try:
        left = float(response.headers["x-current-token-count"])
        at = float(response.headers.get("x-next-replenishment-time") or 0)
    except (KeyError, ValueError):
        return ()
    at = at / 1000 if at > MILLISECONDS_FROM else at
    ahead = at - time.time()
    resets_in = ahead if 0 < ahead <= 3600 else None
    return (RateLimitReading(rate_limit=name, remaining=left, resets_in=resets_in),) if name else ()


async def request_object(
    api: RemoteApi,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Mapping[str, Any]:
    """Ask for one object."""
    return await api.json_object(
        method,
        path,
        operation=operation_of(method, path),
        headers={**common_headers(), **(headers or {})},
        **options,
    )


async def request_page(api: RemoteApi, path: str, **options: Any) -> Mapping[str, Any]:
    """Ask for one page of a list; {} for an empty one, which Walmart answers with 404."""
    return await api.json_page(
        path, EMPTY_LIST, operation=operation_of("GET", path), headers=common_headers(), **options
    )


def parse_order(order: Mapping[str, Any]) -> Order:
    """Read an order. Who bought stays at Walmart.

    An order has no time of change: the latest status of its lines stands for it.
    """
    lines = order_lines(order)
    statuses = sorted({str(each.get("status")) for line in lines for each in _statuses(line)})
    read = Order(
        ref=identity(order, "purchaseOrderId"),
        number=text(order, "customerOrderId") or identity(order, "purchaseOrderId"),
        state=_state(lines),
        hold=_hold(lines),
        remote_state=" ".join(statuses),
        lines=tuple(with_price(_line(line), line) for line in lines),
        placed_at=parse_time(order["orderDate"]),
        updated_at=changed_at(order),
    )
    return with_money(read, order, lines)


def order_lines(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the lines of an order."""
    return records(child(order, "orderLines", required=True), "orderLine", required=True)


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last, as far as it says: at the latest status of its lines."""
    lines = order_lines(order)
    times = [parse_time(line["statusDate"]) for line in lines if line.get("statusDate")]
    return max([parse_time(order["orderDate"]), *times])


def lines_by_number(order: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the lines of an order by their numbers."""
    return {identity(line, "lineNumber"): line for line in order_lines(order)}


def count_units(line: Mapping[str, Any], statuses: frozenset[str]) -> int:
    """Count the units of a line that are in one of the statuses."""
    return sum(
        whole(child(each, "statusQuantity"), "amount", 0)
        for each in _statuses(line)
        if each.get("status") in statuses
    )


def count_tracked_units(line: Mapping[str, Any], tracking: str) -> int:
    """Count the units of a line that left under a tracking number."""
    return sum(
        whole(child(each, "statusQuantity"), "amount", 0)
        for each in _statuses(line)
        if each.get("status") in GONE
        and (each.get("trackingInfo") or {}).get("trackingNumber") == tracking
    )


def _statuses(line: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return records(child(line, "orderLineStatuses"), "orderLineStatus")


def _state(lines: Sequence[Mapping[str, Any]]) -> OrderState:
    wanted = [_line(line) for line in lines]
    if lines and not any(line.quantity for line in wanted):
        return OrderState.CANCELLED
    if lines and all(line.fulfilled >= line.quantity for line in wanted):
        return OrderState.FULFILLED
    return OrderState.OPEN


def _hold(lines: Sequence[Mapping[str, Any]]) -> HoldReason | None:
    """Say whether the buyer asks to cancel a line of which units are still here."""
    asked = any(
        text(line, "intentToCancel").upper() in ("Y", "YES", "TRUE")
        and (read := _line(line)).quantity > read.fulfilled
        for line in lines
    )
    return HoldReason.CANCELLATION_REQUESTED if asked else None


def _line(line: Mapping[str, Any]) -> OrderLine:
    item = child(line, "item")
    ordered = whole(child(line, "orderLineQuantity", required=True), "amount")
    quantity = max(0, ordered - count_units(line, frozenset({"Cancelled"})))
    return OrderLine(
        ref=identity(line, "lineNumber"),
        sku=text(item, "sku"),
        quantity=quantity,
        fulfilled=min(quantity, count_units(line, GONE)),
        serials=tuple(str(serial) for serial in line.get("serialNumbers") or () if serial),
        title=text(item, "productName"),
    )


def parse_time(value: object) -> datetime:
    """Read a time: milliseconds since 1970, or RFC 3339, as one page of the contract says."""
    text = str(value)
    if text.isdecimal():
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    read = datetime.fromisoformat(text)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def shipped_by_seller(order: Mapping[str, Any]) -> bool:
    """Say whether an order leaves the seller's own place."""
    return text(child(order, "shipNode"), "type") in OWN_NODES


def leaves_from(order: Mapping[str, Any], ship_node: str | None) -> bool:
    """Say whether an order leaves a place of the seller's; every place where none is named.

    An order that names no place is taken, so that none is lost.
    """
    place = text(child(order, "shipNode"), "id")
    return ship_node is None or place in ("", ship_node)


def parse_notice(body: bytes) -> tuple[WebhookCall, str | None]:
    """Read a notice: its id, its topic, and the order that it names anywhere in it."""
    try:
        said = parsed_json(body)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    source = said.get("source")
    source = source if isinstance(source, dict) else said
    topic, ref = source.get("eventType"), source.get("eventId")
    # Not every notice has an id: the same words are the same notice.
    call_id = ref if isinstance(ref, str) and ref else hashlib.sha256(body).hexdigest()
    return WebhookCall(call_id, topic if isinstance(topic, str) else ""), _order_in(said)


def order_refs(topic: str, body: bytes) -> tuple[OrderRef, ...]:
    """Name the order of a ``PO_…`` notice, or of any other topic about an order."""
    ref = parse_notice(body)[1] if topic.startswith(("PO_", "ORDER_")) else None
    return (OrderRef(ref),) if ref else ()


def _order_in(said: object, depth: int = 0) -> str | None:
    if isinstance(said, list) and depth < DEPTH_MAX:
        return next((found for each in said if (found := _order_in(each, depth + 1))), None)
    if not isinstance(said, dict) or depth >= DEPTH_MAX:
        return None
    own = said.get("purchaseOrderId")
    if isinstance(own, str | int) and str(own):
        return str(own)
    return next((found for each in said.values() if (found := _order_in(each, depth + 1))), None)
