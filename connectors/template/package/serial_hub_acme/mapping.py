"""Ask Acme, and read its answers in the words of the hub."""

from collections.abc import Mapping
from typing import Any

from connectors.contract import PushedLevel
from connectors.errors import Conflict, ConnectorError, NotFound, Rejected
from connectors.toolkit.cursors import moment
from hub.vocabulary import Order, OrderLine, OrderState, Return, ReturnLine, ReturnState, StockLevel

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
        ref=str(order["id"]),
        number=str(order.get("number") or order["id"]),
        state=STATES.get(word, OrderState.PENDING),
        remote_state=word,
        lines=tuple(
            OrderLine(
                ref=str(line["id"]),
                sku=line.get("sku") or "",
                quantity=line["quantity"],
                fulfilled=line.get("shipped") or 0,
                title=line.get("title") or "",
            )
            for line in order.get("lines") or []
        ),
        placed_at=moment(order["placed_at"]),
        updated_at=moment(order.get("changed_at") or order["placed_at"]),
    )


def parse_return(back: Mapping[str, Any]) -> Return:
    """Read a return."""
    word = str(back.get("status") or "")
    state = RETURN_STATES.get(word, ReturnState.OPEN)
    paid = back.get("refunded_at")
    return Return(
        ref=str(back["id"]),
        order_ref=str(back["order_id"]),
        state=state,
        remote_state=word,
        lines=tuple(
            ReturnLine(
                order_line_ref=str(line["line_id"]),
                quantity=line["quantity"],
                arrived=line["quantity"] if state is ReturnState.CLOSED else 0,
                refunded=line["quantity"] if paid else 0,
                reason=line.get("reason") or "",
                serials=tuple(line.get("serials") or ()),
            )
            for line in back.get("lines") or []
        ),
        updated_at=moment(back["changed_at"]),
        refund_ref=str(back["id"]) if paid else None,
        refunded_at=moment(paid) if paid else None,
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
