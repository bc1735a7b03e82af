"""Vendure: goods that come back, and of money that goes back.

Vendure knows no returns. A refund names units of order lines and takes nothing off them; what is
cancelled after it was in a parcel is in stock again and off its line. So of the units of a refund
those that were cancelled before they were in a parcel count as never sent, then those that were
cancelled after it as come back; for the rest the customer keeps the goods. What was cancelled out
of a parcel and not refunded is reported by itself.
"""

from collections.abc import Mapping
from typing import Any

from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import identity, records, text, whole
from connectors.vendure.mapping import changed_at
from hub.vocabulary import Return, ReturnLine, ReturnState

STATES = {"Settled": ReturnState.CLOSED, "Failed": ReturnState.CANCELLED}
TAKEN_BACK = "taken-back"


def parse_returns(order: Mapping[str, Any]) -> list[Return]:
    """Read the refunds of an order, and what was returned without one."""
    unsent, back = _taken_off(order)
    refunds = sorted(
        (
            refund
            for payment in records(order, "payments")
            for refund in records(payment, "refunds")
        ),
        key=lambda refund: (moment(refund["createdAt"]), identity(refund, "id")),
    )
    found = [
        _refund(order, refund, unsent, back) for refund in refunds if refund["state"] != "Failed"
    ]
    unpaid = {ref: number for ref, number in back.items() if number}
    if unpaid:
        found.append(_taken_back(order, unpaid))
    return [
        *(each for each in found if each is not None),
        *(_failed(order, refund) for refund in refunds if refund["state"] == "Failed"),
    ]


def _taken_off(order: Mapping[str, Any]) -> tuple[dict[str, int], dict[str, int]]:
    """Count, by line, what was cancelled before it was in a parcel, and after."""
    left: dict[str, int] = {}
    for each in records(order, "fulfillments"):
        for line in records(each, "lines", required=True) if each["state"] != "Cancelled" else ():
            ref = identity(line, "orderLineId")
            left[ref] = left.get(ref, 0) + whole(line, "quantity")
    unsent, back = {}, {}
    for line in records(order, "lines", required=True):
        ref, quantity = identity(line, "id"), whole(line, "quantity")
        off = max(0, whole(line, "orderPlacedQuantity") - quantity)
        back[ref] = min(off, max(0, left.get(ref, 0) - quantity))
        unsent[ref] = off - back[ref]
    return unsent, back


def _refund(
    order: Mapping[str, Any],
    refund: Mapping[str, Any],
    unsent: dict[str, int],
    back: dict[str, int],
) -> Return | None:
    """Read a refund; None where it only paid for what never left."""
    lines: list[ReturnLine] = []
    for line in records(refund, "lines", required=True):
        ref, quantity = identity(line, "orderLineId"), whole(line, "quantity")
        quantity -= _take(unsent, ref, quantity)
        came = _take(back, ref, quantity)
        reason = text(refund, "reason")
        if came:
            lines.append(_line(ref, came, refunded=came, reason=reason))
        if kept := quantity - came:
            lines.append(
                ReturnLine(
                    order_line_ref=ref,
                    quantity=kept,
                    comes_back=False,
                    refunded=kept,
                    reason=reason,
                )
            )
    if refund["lines"] and not lines:
        return None
    paid = refund["state"] == "Settled"
    return Return(
        ref=identity(refund, "id"),
        order_ref=identity(order, "id"),
        state=STATES.get(refund["state"], ReturnState.OPEN),
        remote_state=refund["state"],
        lines=tuple(lines),
        updated_at=changed_at(order),
        refund_ref=identity(refund, "id"),
        refunded_at=moment(refund["updatedAt"]) if paid else None,
    )


def _failed(order: Mapping[str, Any], refund: Mapping[str, Any]) -> Return:
    return Return(
        ref=identity(refund, "id"),
        order_ref=identity(order, "id"),
        state=ReturnState.CANCELLED,
        remote_state=refund["state"],
        lines=(),
        updated_at=changed_at(order),
    )


def _taken_back(order: Mapping[str, Any], unpaid: Mapping[str, int]) -> Return:
    return Return(
        ref=f"{identity(order, 'id')}/{TAKEN_BACK}",
        order_ref=identity(order, "id"),
        state=ReturnState.CLOSED,
        remote_state="Cancelled",
        lines=tuple(_line(ref, number) for ref, number in unpaid.items()),
        updated_at=changed_at(order),
    )


def _line(ref: str, quantity: int, *, refunded: int = 0, reason: str = "") -> ReturnLine:
    return ReturnLine(
        order_line_ref=ref,
        quantity=quantity,
        arrived=quantity,
        refunded=refunded,
        taken_off=quantity,
        restock=True,
        reason=reason,
    )


def _take(stock: dict[str, int], ref: str, wanted: int) -> int:
    taken = min(stock.get(ref, 0), wanted)
    stock[ref] = stock.get(ref, 0) - taken
    return taken
