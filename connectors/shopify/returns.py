"""Shopify: returns and refunds, and how an order is cancelled there.

A refund lowers the current quantity of its order lines at once. One of units that had not left
(restock type CANCEL) is a change of the order and no return. One that belongs to a return is
reported
with it; any other stands for itself: put into stock again, the goods are back; else the customer
keeps them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.contract import Page
from connectors.errors import NotFound, Rejected
from connectors.remote import RemoteApi
from connectors.shopify import documents
from connectors.shopify.mapping import changed_at, execute, next_page, said
from connectors.shopify.selection import Selection
from connectors.toolkit.cursors import IncrementalCursor, moment, stamp
from connectors.toolkit.json_fields import child, identity, records, whole
from connectors.toolkit.records import Batch, RecordReader
from hub.vocabulary import Cancellation, Return, ReturnLine, ReturnState

READER = RecordReader("return", ref="id")
ORDERS_PER_PAGE = 50
REFUNDS_MAX = 20
RETURNS_MAX = 10
STATES = {
    "REQUESTED": ReturnState.REQUESTED,
    "CLOSED": ReturnState.CLOSED,
    "CANCELED": ReturnState.CANCELLED,
    "DECLINED": ReturnState.CANCELLED,
}


async def pull_returns(
    api: RemoteApi, cursor: str, now: datetime, selection: Selection
) -> Page[Return]:
    """Return the returns of the next orders that changed."""
    position = IncrementalCursor.resume(cursor, now)
    terms = (f"updated_at:>='{stamp(position.since)}'",) if position.since else ()
    data = await execute(
        api,
        documents.CHANGED,
        first=ORDERS_PER_PAGE,
        after=position.after,
        query=selection.query(*terms),
    )
    nodes = data["orders"]["nodes"]
    refs = READER.each(nodes, lambda node: _of_returns(node, selection))
    items: list[Return] = []
    unreadable = list(refs.unreadable)
    for ref in refs.items:
        found = await fetch_returns(api, ref)
        items += found.items
        unreadable += found.unreadable
    newest = READER.newest(nodes, changed_at)
    position, more = position.step(newest, next_page(data["orders"]))
    return Page(tuple(items), position.cursor(), more, tuple(unreadable))


def _of_returns(node: Mapping[str, Any], selection: Selection) -> str | None:
    """Return the reference of an order of this channel that has returns or refunds."""
    has_any = bool(node["refunds"] or node["returns"]["nodes"])
    return identity(node, "id") if has_any and selection.holds(node) else None


async def fetch_returns(api: RemoteApi, order_ref: str) -> Batch[Return]:
    """Read the returns and the refunds of one order; one that cannot be read spoils no other."""
    data = await execute(api, documents.REFUNDS, id=order_ref, first=REFUNDS_MAX)
    order = data["order"]
    if order is None:
        raise NotFound(f"no order {order_ref}")
    data = await execute(api, documents.RETURNS, id=order_ref, first=RETURNS_MAX)
    returns = data["order"]["returns"]["nodes"] if data["order"] else []
    held = {"order": order, "returns": returns}
    return READER.each_of_many([held], _parse_returns, order_ref)


def _parse_returns(held: Mapping[str, Any]) -> list[Return]:
    order = child(held, "order", required=True)
    refunds = records(order, "refunds")
    alone = (_refund(order, each) for each in refunds if each["return"] is None)
    return [
        *(_return(order, each, refunds) for each in records(held, "returns")),
        *(each for each in alone if each is not None),
    ]


def _return(
    order: Mapping[str, Any], node: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]]
) -> Return:
    state = STATES.get(node["status"], ReturnState.OPEN)
    paid = [each for each in refunds if (each["return"] or {}).get("id") == node["id"]]
    lines = records(node["returnLineItems"], "nodes", required=True)
    exchanges = node["exchangeLineItems"]["nodes"]
    return Return(
        ref=identity(node, "id"),
        order_ref=identity(order, "id"),
        state=state,
        remote_state=node["status"],
        lines=tuple(
            _line(line, state) for line in lines if line.get("fulfillmentLineItem") is not None
        ),
        updated_at=moment(order["updatedAt"]),
        refund_ref=paid[-1]["id"] if paid else None,
        refunded_at=max((_paid_at(each, order) for each in paid), default=None),
        exchange_line_refs=tuple(
            item["id"] for exchange in exchanges for item in exchange["lineItems"] or ()
        ),
    )


def _line(node: Mapping[str, Any], state: ReturnState) -> ReturnLine:
    definition = node.get("returnReasonDefinition") or {}
    reason = ": ".join(part for part in (definition.get("name"), node["returnReasonNote"]) if part)
    quantity, refunded = whole(node, "quantity"), whole(node, "refundedQuantity")
    done = quantity if state is ReturnState.CLOSED else whole(node, "processedQuantity")
    return ReturnLine(
        order_line_ref=identity(node["fulfillmentLineItem"]["lineItem"], "id"),
        quantity=quantity,
        arrived=done,
        refunded=refunded,
        taken_off=refunded,
        reason=reason,
    )


def _refund(order: Mapping[str, Any], node: Mapping[str, Any]) -> Return | None:
    """Read a refund that belongs to no return; None where it only took back what had not left."""
    items = records(node["refundLineItems"], "nodes", required=True)
    lines = tuple(
        _refunded(item, node["note"] or "") for item in items if item["restockType"] != "CANCEL"
    )
    if items and not lines:
        return None
    return Return(
        ref=identity(node, "id"),
        order_ref=identity(order, "id"),
        state=ReturnState.CLOSED,
        remote_state="REFUNDED",
        lines=lines,
        updated_at=moment(order["updatedAt"]),
        refund_ref=node["id"],
        refunded_at=_paid_at(node, order),
    )


def _refunded(item: Mapping[str, Any], note: str) -> ReturnLine:
    comes_back, quantity = item["restockType"] != "NO_RESTOCK", whole(item, "quantity")
    return ReturnLine(
        order_line_ref=identity(item["lineItem"], "id"),
        quantity=quantity,
        comes_back=comes_back,
        arrived=quantity if comes_back else 0,
        refunded=quantity,
        taken_off=quantity,
        restock=comes_back,
        reason=note,
    )


def _paid_at(refund: Mapping[str, Any], order: Mapping[str, Any]) -> datetime:
    return moment(refund["createdAt"] or order["updatedAt"])


async def cancel_order(api: RemoteApi, cancellation: Cancellation) -> None:
    """Cancel an order and refund it, unless it is cancelled already."""
    data = await execute(api, documents.CANCELLED, id=cancellation.order_ref)
    if data["order"] is None:
        raise NotFound(f"no order {cancellation.order_ref}")
    if data["order"]["cancelledAt"] is not None:
        return
    data = await execute(
        api,
        documents.CANCEL,
        repeat=False,
        id=cancellation.order_ref,
        note=cancellation.reason,
    )
    problems = data["orderCancel"]["orderCancelUserErrors"]
    if problems:
        raise Rejected("; ".join(said(each["message"]) for each in problems))
