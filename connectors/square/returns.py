"""Square: returns and refunds.

Goods that are brought back make an order of their own at Square, whose ``returns`` name the order
and the lines that they are from; if it sells something too, it is an exchange. A refund of money
alone stands with the order that it is of. Square lowers no line for any of it.
"""

from collections.abc import Mapping
from typing import Any

from connectors.square.mapping import changed_at, parse_serials
from connectors.square.patterns import Pattern
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import identity, records, text, whole
from hub.vocabulary import Return, ReturnLine, ReturnState

STATES = {"COMPLETED": ReturnState.CLOSED, "CANCELED": ReturnState.CANCELLED}
FAILED = frozenset({"REJECTED", "FAILED"})


def is_only_a_return(order: Mapping[str, Any]) -> bool:
    """Say whether an order of Square sells nothing: it was made for what came back."""
    return bool(order.get("returns")) and not order.get("line_items")


def parse_returns(order: Mapping[str, Any], introducer: Pattern) -> list[Return]:
    """Read the returns of an order of Square, or the refunds of money alone that it had."""
    returns = records(order, "returns")
    if returns:
        return [_return(order, each, introducer) for each in returns]
    return [_refund(order, each) for each in records(order, "refunds")]


def _return(order: Mapping[str, Any], said: Mapping[str, Any], introducer: Pattern) -> Return:
    state = STATES.get(order.get("state") or "", ReturnState.OPEN)
    refunds = [each for each in records(order, "refunds") if each.get("status") not in FAILED]
    paid = bool(refunds) or state is ReturnState.CLOSED
    lines = records(said, "return_line_items")
    return Return(
        ref=f"{identity(order, 'id')}:{text(said, 'uid') or 0}",
        order_ref=text(said, "source_order_id") or identity(order, "id"),
        state=state,
        remote_state=order.get("state") or "",
        lines=tuple(
            _line(line, state, introducer, refunded=paid)
            for line in lines
            if line.get("source_line_item_uid")
        ),
        updated_at=changed_at(order),
        refund_ref=identity(refunds[-1] if refunds else order, "id") if paid else None,
        refunded_at=changed_at(order) if paid else None,
        exchange_order_ref=identity(order, "id") if order.get("line_items") else None,
    )


def _line(
    line: Mapping[str, Any], state: ReturnState, introducer: Pattern, *, refunded: bool
) -> ReturnLine:
    quantity, note = whole(line, "quantity"), text(line, "note")
    done = state is ReturnState.CLOSED
    return ReturnLine(
        order_line_ref=identity(line, "source_line_item_uid"),
        quantity=quantity,
        arrived=quantity if done else 0,
        refunded=quantity if refunded else 0,
        restock=done,
        reason=note,
        serials=parse_serials(note, introducer),
    )


def _refund(order: Mapping[str, Any], said: Mapping[str, Any]) -> Return:
    failed = said.get("status") in FAILED
    paid_at = moment(said["created_at"]) if said.get("created_at") else changed_at(order)
    return Return(
        ref=identity(said, "id"),
        order_ref=identity(order, "id"),
        state=ReturnState.CANCELLED if failed else ReturnState.CLOSED,
        remote_state=said.get("status") or "",
        lines=(),
        updated_at=changed_at(order),
        refund_ref=identity(said, "id"),
        refunded_at=None if failed else paid_at,
    )
