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
from connectors.shopify.mapping import execute, next_page, said
from connectors.shopify.selection import Selection
from connectors.toolkit.cursors import IncrementalCursor, moment, stamp
from hub.vocabulary import Cancellation, Return, ReturnLine, ReturnState

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
    found: list[Return] = []
    for node in nodes:
        if selection.holds(node) and (node["refunds"] or node["returns"]["nodes"]):
            found += await fetch_returns(api, node["id"])
    newest = max((moment(node["updatedAt"]) for node in nodes), default=None)
    position, more = position.step(newest, next_page(data["orders"]))
    return Page(tuple(found), position.cursor(), more)


async def fetch_returns(api: RemoteApi, order_ref: str) -> list[Return]:
    """Read the returns and the refunds of one order."""
    data = await execute(api, documents.REFUNDS, id=order_ref, first=REFUNDS_MAX)
    order = data["order"]
    if order is None:
        raise NotFound(f"no order {order_ref}")
    data = await execute(api, documents.RETURNS, id=order_ref, first=RETURNS_MAX)
    returns = data["order"]["returns"]["nodes"] if data["order"] else []
    refunds = order["refunds"]
    alone = (_refund(order, each) for each in refunds if each["return"] is None)
    return [
        *(_return(order, each, refunds) for each in returns),
        *(each for each in alone if each is not None),
    ]


def _return(
    order: Mapping[str, Any], node: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]]
) -> Return:
    state = STATES.get(node["status"], ReturnState.OPEN)
    paid = [each for each in refunds if (each["return"] or {}).get("id") == node["id"]]
    lines = node["returnLineItems"]["nodes"]
    exchanges = node["exchangeLineItems"]["nodes"]
    return Return(
        ref=node["id"],
        order_ref=order["id"],
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
    done = node["quantity"] if state is ReturnState.CLOSED else node["processedQuantity"]
    return ReturnLine(
        order_line_ref=node["fulfillmentLineItem"]["lineItem"]["id"],
        quantity=node["quantity"],
        arrived=done,
        refunded=node["refundedQuantity"],
        taken_off=node["refundedQuantity"],
        reason=reason,
    )


def _refund(order: Mapping[str, Any], node: Mapping[str, Any]) -> Return | None:
    """Read a refund that belongs to no return; None where it only took back what had not left."""
    items = node["refundLineItems"]["nodes"]
    lines = tuple(
        _refunded(item, node["note"] or "") for item in items if item["restockType"] != "CANCEL"
    )
    if items and not lines:
        return None
    return Return(
        ref=node["id"],
        order_ref=order["id"],
        state=ReturnState.CLOSED,
        remote_state="REFUNDED",
        lines=lines,
        updated_at=moment(order["updatedAt"]),
        refund_ref=node["id"],
        refunded_at=_paid_at(node, order),
    )


def _refunded(item: Mapping[str, Any], note: str) -> ReturnLine:
    comes_back = item["restockType"] != "NO_RESTOCK"
    return ReturnLine(
        order_line_ref=item["lineItem"]["id"],
        quantity=item["quantity"],
        comes_back=comes_back,
        arrived=item["quantity"] if comes_back else 0,
        refunded=item["quantity"],
        taken_off=item["quantity"],
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
