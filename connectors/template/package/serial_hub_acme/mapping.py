"""Ask Acme, and read its answers in the words of the hub."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected
from connectors.toolkit.json_fields import child, identity, records, text, time, whole
from connectors.toolkit.records import RecordReader
from hub.vocabulary import (
    ObservedLevel,
    Order,
    OrderLine,
    OrderState,
    Return,
    ReturnLine,
    ReturnState,
    StockLevel,
)

# Each record is read for itself: one that has another shape than the API says stops no other.
ORDERS = RecordReader("order", ref="id")
RETURNS = RecordReader("return", ref="order_id")
ARTICLES = RecordReader("listing", ref="id")
# A word that is not here stops nothing: an order is then PENDING, a return OPEN.
STATES = {
    "unpaid": OrderState.PENDING,
    "to_ship": OrderState.OPEN,
    "shipped": OrderState.FULFILLED,
    "cancelled": OrderState.CANCELLED,
}
RETURN_STATES = {
    "asked": ReturnState.REQUESTED,
    "agreed": ReturnState.OPEN,
    "done": ReturnState.CLOSED,
    "declined": ReturnState.CANCELLED,
}


def parse_order(order: Mapping[str, Any]) -> Order:
    """Read an order."""
    word = str(order.get("status") or "")
    return Order(
        ref=identity(order, "id"),
        number=text(order, "number") or identity(order, "id"),
        state=STATES.get(word, OrderState.PENDING),
        remote_state=word,
        lines=tuple(
            OrderLine(
                ref=identity(line, "id"),
                sku=text(line, "sku"),
                quantity=whole(line, "quantity"),
                fulfilled=whole(line, "shipped", 0),
                title=text(line, "title"),
            )
            for line in records(order, "lines", required=True)
        ),
        placed_at=time(order, "createdAt"),
        updated_at=changed_at(order),
        customer_ref=text(child(order, "customer"), "id") or None,
    )


def changed_at(record: Mapping[str, Any]) -> datetime:
    """Return when an order or a return changed last."""
    return time(record, "lastModifiedAt", "createdAt")


def parse_return(back: Mapping[str, Any]) -> Return:
    """Read a return."""
    word = str(back.get("status") or "")
    state = RETURN_STATES.get(word, ReturnState.OPEN)
    paid = back.get("refunded_at")
    return Return(
        ref=identity(back, "id"),
        order_ref=identity(back, "order_id"),
        state=state,
        remote_state=word,
        lines=tuple(
            ReturnLine(
                order_line_ref=identity(line, "line_id"),
                quantity=whole(line, "quantity"),
                arrived=whole(line, "quantity") if state is ReturnState.CLOSED else 0,
                refunded=whole(line, "quantity") if paid else 0,
                reason=text(line, "reason"),
                serials=tuple(line.get("serials") or ()),
            )
            for line in records(back, "lines", required=True)
        ),
        updated_at=changed_at(back),
        refund_ref=identity(back, "id") if paid else None,
        refunded_at=time(back, "refunded_at") if paid else None,
    )


def parse_article(article: Mapping[str, Any]) -> ObservedLevel:
    """Read what the shop shows of one article."""
    return ObservedLevel(
        sku=text(article, "sku"),
        quantity=whole(article, "quantity"),
        remote={"article_id": identity(article, "id")},
        title=text(article, "title"),
    )


def parse_pushed_level(level: StockLevel, result: Mapping[str, Any]) -> PushedLevel:
    """Read what became of one level."""
    errors: dict[Any, ConnectorError] = {
        "stale": Conflict("the quantity has changed", observed=result.get("quantity")),
        "unknown_article": NotFound(f"no article {level.remote['article_id']}"),
    }
    word = result.get("error")
    if word is None:
        return PushedLevel(level.listing, result.get("quantity"))
    return PushedLevel(level.listing, error=errors.get(word) or Rejected(str(word)[:200]))
