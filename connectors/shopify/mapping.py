"""Shopify requests and mapping: orders, refusals and errors in the hub vocabulary."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from connectors.contact_fields import shown_contact
from connectors.contract import OrderRef, PushedLevel
from connectors.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.shopify.money import with_money, with_price
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import child, identity, parsed_json, records, text, whole
from connectors.toolkit.rate_limits import RateLimit, RateLimitReading
from connectors.toolkit.records import RecordReader
from connectors.toolkit.retry_after import RETRY_AFTER_SECONDS_MIN
from hub.vocabulary import Contact, HoldReason, Order, OrderLine, OrderState, StockLevel

ORDERS = RecordReader("order", ref="id")
ITEMS = RecordReader("listing", ref="id")
# The quantity was not set because of what happened before: say what is there now.
LOOK_AGAIN = frozenset({"CHANGE_FROM_QUANTITY_STALE", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})
UNKNOWN_LISTING = frozenset({"INVALID_INVENTORY_ITEM", "INVALID_LOCATION"})
METAFIELD = ("serial_hub", "serials")  # of an order: namespace and key
UNPAID = frozenset({"PENDING", "EXPIRED", "VOIDED", "PARTIALLY_PAID"})
THROTTLE_SECONDS_DEFAULT = 2.0
PARTS_PER_PAGE = 100
# The smallest plan's bucket, until an answer tells the shop's own. What a query costs is known only
# afterwards: each draws what a page of orders is charged, and is corrected by the answer.
POINTS = RateLimit(name="points", capacity=1_000.0, per_second=50.0, weighted=True)
POINTS_ASKED = 50.0


def read_points(response: httpx.Response) -> Sequence[RateLimitReading]:
    """Read from an answer how full the bucket is, how large, and how fast it fills."""
    try:
        status = response.json()["extensions"]["cost"]["throttleStatus"]
        return (
            RateLimitReading(
                rate_limit=POINTS.name,
                remaining=float(status["currentlyAvailable"]),
                capacity=float(status["maximumAvailable"]),
                per_second=float(status["restoreRate"]),
            ),
        )
    except (ValueError, LookupError, TypeError):
        return ()


async def execute(api: RemoteApi, document: str, *, repeat: bool = True, **variables: Any) -> Any:
    """Execute a document and return its data, or raise one of the six."""
    body = {"query": document, "variables": variables}
    answer = await api.json("POST", "/graphql.json", repeat=repeat, cost=POINTS_ASKED, json=body)
    if not isinstance(answer, dict):
        raise Transient("Shopify answered something that is not GraphQL")
    if answer.get("errors"):
        raise _error_of(answer)
    if answer.get("data") is None:
        raise Transient("Shopify answered without data")
    return answer["data"]


async def pages(
    api: RemoteApi, document: str, root: str, connection: str, ref: str
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the nodes of a connection that hangs at one object, page by page."""
    after: str | None = None
    while True:
        data = await execute(api, document, id=ref, first=PARTS_PER_PAGE, after=after)
        for node in data[root][connection]["nodes"]:
            yield node
        after = next_page(data[root][connection])
        if after is None:
            return


def parse_order(node: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Order:
    """Read an order with all its lines."""
    shown = recorded_serials(node.get("metafield"))
    left = sum(whole(line, "unfulfilledQuantity") for line in lines)
    read = Order(
        ref=identity(node, "id"),
        number=identity(node, "name"),
        state=_state(node, left),
        hold=_hold(node, left),
        test=bool(node.get("test")),
        remote_state="CANCELLED" if node.get("cancelledAt") else "OPEN",
        payment_state=text(node, "displayFinancialStatus"),
        shipment_state=text(node, "displayFulfillmentStatus"),
        lines=tuple(_line(line, shown) for line in lines),
        placed_at=moment(node["createdAt"]),
        updated_at=changed_at(node),
        # A till can also take an order that is to be shipped.
        at_counter=node["sourceName"] == "pos" and left == 0,
        customer_ref=text(child(node, "customer"), "id") or None,
        staff_ref=text(child(node, "staffMember"), "id") or None,
        # A till numbers its own receipts in the same field.
        origin_ref=None if node["sourceName"] == "pos" else text(node, "sourceIdentifier") or None,
    )
    return with_money(read, node)


def parse_contact(node: Mapping[str, Any]) -> Contact | None:
    """Read how the buyer of an order is reached."""
    billed = child(node, "billingAddress")
    return shown_contact(
        text(node, "email"),
        text(node, "phone") or text(billed, "phone"),
        text(billed, "name"),
        text(node, "customerLocale") or "en",
    )


def changed_at(node: Mapping[str, Any]) -> datetime:
    """Return when an order changed last."""
    return moment(node["updatedAt"])


def _state(node: Mapping[str, Any], left: int) -> OrderState:
    if node["cancelledAt"]:
        return OrderState.CANCELLED
    if node["displayFulfillmentStatus"] == "FULFILLED":
        return OrderState.FULFILLED
    return OrderState.OPEN if _hold(node, left) is None else OrderState.PENDING


def _hold(node: Mapping[str, Any], left: int) -> HoldReason | None:
    """Read why nothing of what is `left` may leave: not paid, paid back, or held by somebody."""
    if node["cancelledAt"] or not left:
        return None
    if node["displayFinancialStatus"] == "REFUNDED":
        return HoldReason.REFUNDED
    if node["displayFinancialStatus"] in UNPAID:
        return HoldReason.PAYMENT_PENDING
    return HoldReason.ON_HOLD if node["displayFulfillmentStatus"] == "ON_HOLD" else None


def recorded_serials(metafield: Mapping[str, Any] | None) -> dict[str, tuple[str, ...]]:
    """Read the serials that an order's metafield names, by line; what is not ours is left out."""
    try:
        entries = parsed_json(metafield["value"]) if metafield else []
        return {entry["line"]: tuple(entry["serials"]) for entry in entries}
    except (ValueError, TypeError, KeyError):
        return {}


def _line(node: Mapping[str, Any], shown: Mapping[str, tuple[str, ...]]) -> OrderLine:
    read = OrderLine(
        ref=identity(node, "id"),
        sku=text(node, "sku"),
        quantity=whole(node, "currentQuantity"),
        fulfilled=max(0, whole(node, "currentQuantity") - whole(node, "unfulfilledQuantity")),
        shown_serials=shown.get(identity(node, "id"), ()),
        title=text(node, "name"),
    )
    return with_price(read, node)


def next_page(connection: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page, or None after the last."""
    info = connection["pageInfo"]
    return info["endCursor"] if info["hasNextPage"] else None


def available(node: Mapping[str, Any]) -> int | None:
    """Return the available quantity of an inventory item, None where it is not stocked."""
    quantities = records(child(node, "inventoryLevel"), "quantities")
    return next(
        (whole(each, "quantity") for each in quantities if each["name"] == "available"), None
    )


def refused_index(problem: Mapping[str, Any]) -> int | None:
    """Find which quantity a refusal is about: its field is ``input.quantities.3.quantity``."""
    return next((int(part) for part in problem["field"] or () if str(part).isdigit()), None)


def explain_refusal(
    level: StockLevel, problem: Mapping[str, Any], present: int | None
) -> PushedLevel:
    """Turn the refusal of one level into its answer; `present` is what the shop shows now."""
    code, message = problem["code"] or "", said(problem["message"])
    if code in LOOK_AGAIN:
        if present == level.available:
            return PushedLevel(level.listing, present)
        return PushedLevel(level.listing, error=Conflict(message, observed=present))
    error: ConnectorError
    error = NotFound(message) if code in UNKNOWN_LISTING else Rejected(f"{code} {message}")
    return PushedLevel(level.listing, error=error)


def _error_of(answer: Mapping[str, Any]) -> ConnectorError:
    """Turn top-level errors into one of the six; throttling comes with status 200."""
    errors = answer["errors"]
    first: Any = errors[0] if isinstance(errors, list) else {"message": str(errors)}
    code = (first.get("extensions") or {}).get("code", "")
    message = said(first.get("message", code))
    if code == "THROTTLED":
        return RateLimited("THROTTLED", _throttled_seconds(answer))
    if code in ("ACCESS_DENIED", "SHOP_INACTIVE"):
        return AuthFailed(message)
    if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT"):
        return Transient(message)
    return Rejected(message)


def _throttled_seconds(answer: Mapping[str, Any]) -> float:
    """Work out when the bucket will hold what the query costs."""
    cost = (answer.get("extensions") or {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    if not status.get("restoreRate"):
        return THROTTLE_SECONDS_DEFAULT
    short = cost.get("requestedQueryCost", 0) - status.get("currentlyAvailable", 0)
    return max(RETRY_AFTER_SECONDS_MIN, float(short) / float(status["restoreRate"]))


def said(message: object) -> str:
    """Shorten the remote's own words."""
    return str(message)[:ERROR_TEXT_CHARS_MAX]


def webhook_header(headers: Mapping[str, str], name: str) -> str:
    """Read a webhook header under its old name or its new one."""
    return headers.get(f"x-shopify-{name}") or headers.get(f"shopify-{name}") or ""


def order_refs(order_id: object) -> tuple[OrderRef, ...]:
    """Name an order by the id that a payload gives: a global id or a plain number."""
    text = str(order_id or "")
    if text.isdigit():
        text = f"gid://shopify/Order/{text}"
    return (OrderRef(text),) if text.startswith("gid://shopify/Order/") else ()
