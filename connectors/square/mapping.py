"""Square requests and mapping: orders, notes, counts and errors in the hub vocabulary."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import OrderRef
from connectors.errors import (
    AuthFailed,
    Conflict,
    ConnectorError,
    NotFound,
    RateLimited,
    Rejected,
    Transient,
    Unknown,
)
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.square.money import with_money, with_price
from connectors.square.patterns import Pattern
from connectors.toolkit.json_fields import (
    child,
    identity,
    nodes_of,
    parsed_json,
    records,
    text,
    time,
    whole,
)
from connectors.toolkit.records import Batch, RecordReader
from connectors.toolkit.retry_after import RETRY_AFTER_SECONDS_DEFAULT
from hub.vocabulary import HoldReason, Order, OrderLine, OrderState

ORDERS = RecordReader("order", ref="id")
RETURNS = RecordReader("return", ref="id")
ARTICLES = RecordReader("listing", ref="id")
COUNTS = RecordReader("listing", ref="catalog_object_id")
# The statuses whose body says more than the status does.
REFUSALS = (400, 404, 409)
STATES = {
    "DRAFT": OrderState.DRAFT,
    "COMPLETED": OrderState.FULFILLED,
    "CANCELED": OrderState.CANCELLED,
}
MOVED_ON = frozenset({"VERSION_MISMATCH", "CONFLICT"})
_BETWEEN_SERIALS = re.compile(r"[,;\s]+")


class KeyReused(Rejected):
    """The idempotency key came before with another body: an earlier call was understood."""


async def call(api: RemoteApi, method: str, path: str, **options: Any) -> Any:
    """Call Square and return the decoded answer, or raise what its error codes mean."""
    response = await api.request(method, path, accept=REFUSALS, **options)
    refused = response.status_code in REFUSALS
    try:
        answer = response.json()
    except ValueError:
        answer = {} if refused else None
    if not isinstance(answer, dict):
        raise Unknown(f"{method} {path}: the answer is not a JSON object")
    if refused or answer.get("errors"):
        raise parse_error(answer, response.status_code)
    return answer


def parse_error(answer: Mapping[str, Any], status: int = 200) -> ConnectorError:
    """Turn Square's ``errors`` into one of the six; the code says more than the status."""
    first: Mapping[str, Any] = (answer.get("errors") or [{}])[0]
    category, code = first.get("category", ""), first.get("code", "")
    message = f"{status} {code} {first.get('field', '')} {first.get('detail', '')}"
    message = " ".join(message.split())[:ERROR_TEXT_CHARS_MAX]
    if code == "IDEMPOTENCY_KEY_REUSED":
        return KeyReused(message)
    if code in MOVED_ON or status == 409:
        return Conflict(message)
    if code == "NOT_FOUND" or status == 404:
        return NotFound(message)
    if category == "AUTHENTICATION_ERROR":
        return AuthFailed(message)
    if category == "RATE_LIMIT_ERROR":
        return RateLimited(message, RETRY_AFTER_SECONDS_DEFAULT)
    if category == "API_ERROR":
        return Transient(message)
    return Rejected(message)


def parse_order(order: Mapping[str, Any], skus: Mapping[str, str], introducer: Pattern) -> Order:
    """Read an order; `skus` are those of the catalog objects that its lines name."""
    fulfillments = records(order, "fulfillments")
    at_counter = order.get("state") == "COMPLETED" and not fulfillments
    lines = tuple(
        _line(line, skus, introducer, _fulfilled(line, fulfillments, at_counter))
        for line in records(order, "line_items")
    )
    read = Order(
        ref=identity(order, "id"),
        number=text(order, "ticket_name") or text(order, "reference_id") or identity(order, "id"),
        state=_state(order, lines),
        hold=_hold(order, lines),
        remote_state=order.get("state") or "",
        lines=lines,
        placed_at=time(order, "created_at", "updated_at"),
        updated_at=changed_at(order),
        at_counter=at_counter,
        customer_ref=text(order, "customer_id") or None,
    )
    return with_money(read, order)


def changed_at(order: Mapping[str, Any]) -> datetime:
    """Return when an order changed last; either time may be left out."""
    return time(order, "updated_at", "created_at")


def _state(order: Mapping[str, Any], lines: Sequence[OrderLine]) -> OrderState:
    state = STATES.get(order.get("state") or "")
    if state is not None:
        return state
    if lines and all(line.fulfilled >= line.quantity for line in lines):
        return OrderState.FULFILLED
    due = (order.get("net_amount_due_money") or {}).get("amount") or 0
    return OrderState.PENDING if due > 0 else OrderState.OPEN


def _hold(order: Mapping[str, Any], lines: Sequence[OrderLine]) -> HoldReason | None:
    """Say whether an open order was paid back in full before anything of it left."""
    if order.get("state") != "OPEN" or any(line.fulfilled for line in lines):
        return None
    total = whole(child(order, "total_money"), "amount", 0)
    back = sum(
        whole(child(refund, "amount_money"), "amount", 0)
        for refund in records(order, "refunds")
        if refund.get("status") in ("APPROVED", "COMPLETED")
    )
    return HoldReason.REFUNDED if 0 < total <= back else None


def _line(
    line: Mapping[str, Any], skus: Mapping[str, str], introducer: Pattern, fulfilled: int
) -> OrderLine:
    read = OrderLine(
        ref=text(line, "uid"),
        sku=skus.get(text(line, "catalog_object_id"), ""),
        quantity=whole(line, "quantity"),
        fulfilled=fulfilled,
        serials=parse_serials(text(line, "note"), introducer),
        title=text(line, "name"),
    )
    return with_price(read, line)


def _fulfilled(
    line: Mapping[str, Any], fulfillments: Sequence[Mapping[str, Any]], at_counter: bool
) -> int:
    quantity = whole(line, "quantity")
    if at_counter:
        return quantity
    done = 0
    for each in fulfillments:
        if each.get("state") == "COMPLETED":
            if each.get("entries") is None:
                return quantity
            entries = records(each, "entries")
            of_line = (entry for entry in entries if entry.get("line_item_uid") == line.get("uid"))
            done += sum(whole(entry, "quantity") for entry in of_line)
    return min(done, quantity)


def parse_serials(note: str, introducer: Pattern) -> tuple[str, ...]:
    """Read the serials that a cashier typed: after each introducer, up to a word without digit."""
    starts = list(introducer.finditer(note))
    found: list[str] = []
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(note)
        for word in _BETWEEN_SERIALS.split(note[start.end() : end].strip()):
            serial = word.strip(".:#()[]\"'")
            if not any(letter.isdigit() for letter in serial):
                break
            found.append(serial)
    return tuple(dict.fromkeys(found))


def variation_ids(orders: Sequence[Any]) -> list[str]:
    """List the catalog objects that orders name, each once; orders of another shape name none."""
    named = ORDERS.each_of_many(orders, _variation_ids)
    return list(dict.fromkeys(named.items))


def _variation_ids(order: Mapping[str, Any]) -> list[str]:
    named = (text(line, "catalog_object_id") for line in records(order, "line_items"))
    return [each for each in named if each]


def parse_counts(answer: Mapping[str, Any]) -> Batch[tuple[str, int]]:
    """Read the stock of each catalog object in an inventory answer."""
    return COUNTS.each(nodes_of(answer, "counts", required=False), _count)


def _count(count: Mapping[str, Any]) -> tuple[str, int] | None:
    if count.get("state") != "IN_STOCK":
        return None
    return identity(count, "catalog_object_id"), whole(count, "quantity")


def parse_event(body: bytes) -> Mapping[str, Any]:
    """Decode a webhook's event; what is not an object is an empty one."""
    try:
        event = parsed_json(body)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def order_refs(topic: str, event: Mapping[str, Any]) -> tuple[OrderRef, ...]:
    """Name the order that an event is about, wherever the event says so."""
    data = event.get("data")
    if not isinstance(data, dict):
        return ()
    objects = data.get("object")
    for each in objects.values() if isinstance(objects, dict) else ():
        if isinstance(each, dict) and each.get("order_id"):
            return (OrderRef(str(each["order_id"])),)
    named = data.get("id") if topic.startswith("order.") else None
    return (OrderRef(str(named)),) if named else ()


def digest(*parts: str) -> str:
    """Derive an idempotency key (64 characters; Square takes 128) from what makes a call itself."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_counted(article: Mapping[str, Any], location: str) -> bool:
    """Say whether the stock of an article is kept at a location.

    The location's own word goes before that of the article; one that says nothing may be counted.
    """
    data = child(article, "item_variation_data")
    for override in records(data, "location_overrides"):
        if override.get("location_id") == location and "track_inventory" in override:
            return override["track_inventory"] is not False
    return data.get("track_inventory") is not False
