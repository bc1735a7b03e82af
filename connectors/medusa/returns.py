"""Medusa: returns, and the refunds of an order's payments.

A return names its lines, what was received and what of that was damaged; it lowers no line. A
refund is of a payment and names no return, so it is taken to be of the earliest return that was
received before it and has none yet; any other refund stands alone, without lines. Units that are
taken off an order before they leave are an edit of the order, which its lines show.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.medusa.mapping import ORDER_FIELDS, changed_at
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import moment, stamp
from connectors.toolkit.json_fields import (
    child,
    identity,
    nodes_of,
    parsed_json,
    records,
    text,
    whole,
)
from connectors.toolkit.records import FieldError, Record, RecordReader
from hub.vocabulary import Return, ReturnLine, ReturnState

RETURNS = RecordReader("return", ref="id")
REFUNDED_FIELDS = f"{ORDER_FIELDS},*payment_collections.payments.refunds"
RETURN_FIELDS = "id,order_id,status,created_at,updated_at,received_at,*items"
RETURNS_MAX = 100
AWAITED_PER_PULL = 20
AWAITED_FOR = timedelta(days=90)
STATES = {
    "open": ReturnState.REQUESTED,
    "received": ReturnState.CLOSED,
    "canceled": ReturnState.CANCELLED,
}
RETURNED = ("return_requested_quantity", "return_received_quantity", "return_dismissed_quantity")


def split_cursor(cursor: str) -> tuple[str, int]:
    """Return the cursor of the changed orders, and how many received returns were looked at."""
    stored = parsed_json(cursor) if cursor else {}
    return str(stored.get("changed", "")), int(stored.get("looked", 0))


def join_cursor(changed: str, looked: int) -> str:
    """Return both places as one cursor."""
    return json.dumps({"changed": changed, "looked": looked})


async def received_returns(
    api: RemoteApi, looked: int, now: datetime
) -> tuple[tuple[str, ...], int]:
    """Return the orders of the next received returns, which may be refunded at any time.

    A refund of a received return need not move a time of change, so they are looked at in turn.
    """
    params = {
        "status": "received",
        "created_at[$gte]": stamp(now - AWAITED_FOR),
        "order": "created_at",
        "limit": AWAITED_PER_PULL,
        "offset": looked,
        "fields": "id,order_id",
    }
    found = nodes_of(await api.json_object("GET", "/admin/returns", params=params), "returns")
    refs = RETURNS.each(found, lambda each: identity(each, "order_id")).items
    whole_page = len(found) == AWAITED_PER_PULL
    return tuple(dict.fromkeys(refs)), looked + len(found) if whole_page else 0


async def read_returns(api: RemoteApi, order: Record) -> Sequence[Return]:
    """Read the returns and refunds of an order, with one call where its lines name returns."""
    lines = records(order, "items", required=True)
    if any(whole(child(line, "detail"), name, 0) for line in lines for name in RETURNED):
        order.attach("returns", await _returns_of(api, identity(order, "id")))
    return parse_returns(order)


async def _returns_of(api: RemoteApi, order_ref: str) -> list[Any]:
    params = {"order_id": order_ref, "limit": RETURNS_MAX, "fields": RETURN_FIELDS}
    answer = await api.json_object("GET", "/admin/returns", params=params)
    found = nodes_of(answer, "returns")
    # A shop that ignores the filter answers with the returns of everybody.
    if any(isinstance(each, dict) and each.get("order_id") != order_ref for each in found):
        raise FieldError("id", order_ref, "has returns that the shop does not filter by order")
    return found


def parse_returns(order: Mapping[str, Any]) -> list[Return]:
    """Read the returns of an order and its refunds, oldest first."""
    returns = sorted(records(order, "returns"), key=lambda each: str(each["created_at"]))
    open_returns, paid = list(returns), dict[str, Mapping[str, Any]]()
    alone = []
    for refund in _refunds(order):
        of = next((each for each in open_returns if _was_received(each, refund)), None)
        if of is None:
            alone.append(_refund(order, refund))
        else:
            open_returns.remove(of)
            paid[identity(of, "id")] = refund
    return [*(_return(order, each, paid.get(each["id"])) for each in returns), *alone]


def _refunds(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [
        refund
        for collection in records(order, "payment_collections")
        for payment in records(collection, "payments")
        for refund in records(payment, "refunds")
    ]
    return sorted(found, key=lambda each: (moment(each["created_at"]), identity(each, "id")))


def _was_received(found: Mapping[str, Any], refund: Mapping[str, Any]) -> bool:
    at = found.get("received_at")
    return bool(at) and moment(str(at)) <= moment(refund["created_at"])


def _return(
    order: Mapping[str, Any], found: Mapping[str, Any], refund: Mapping[str, Any] | None
) -> Return:
    state = STATES.get(text(found, "status"), ReturnState.OPEN)
    changed = moment(found.get("updated_at") or found["created_at"])
    return Return(
        ref=identity(found, "id"),
        order_ref=identity(order, "id"),
        state=state,
        remote_state=text(found, "status"),
        lines=tuple(
            _line(item, paid=refund is not None) for item in records(found, "items", required=True)
        ),
        updated_at=max(changed_at(order), changed, *_times(refund)),
        refund_ref=identity(refund, "id") if refund is not None else None,
        refunded_at=moment(refund["created_at"]) if refund is not None else None,
    )


def _times(refund: Mapping[str, Any] | None) -> list[datetime]:
    return [moment(refund["created_at"])] if refund is not None else []


def _line(item: Mapping[str, Any], *, paid: bool) -> ReturnLine:
    quantity, damaged = whole(item, "quantity"), whole(item, "damaged_quantity", 0)
    arrived = min(quantity, whole(item, "received_quantity", 0) + damaged)
    return ReturnLine(
        order_line_ref=identity(item, "item_id"),
        quantity=quantity,
        arrived=arrived,
        refunded=arrived if paid else 0,
        restock=arrived == quantity and not damaged,
        reason=text(item, "note"),
    )


def _refund(order: Mapping[str, Any], refund: Mapping[str, Any]) -> Return:
    at = moment(refund["created_at"])
    return Return(
        ref=identity(refund, "id"),
        order_ref=identity(order, "id"),
        state=ReturnState.CLOSED,
        remote_state="refunded",
        lines=(),
        updated_at=max(changed_at(order), at),
        refund_ref=identity(refund, "id"),
        refunded_at=at,
    )
