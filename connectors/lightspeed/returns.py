"""Lightspeed: a return is a sale of its own that names the sale it is for (``return_for``).

Its lines have negative quantities and name products alone, so each is taken to be of the lines of
the first sale that sold the product. A closed return has its goods back and its money paid. One
that sells something too is an exchange. A return belongs to the outlet of the first sale.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.lightspeed.mapping import STATES, sold_lines
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import identity, records, text, whole
from connectors.toolkit.records import FieldError, RecordReader
from hub.vocabulary import OrderState, Return, ReturnLine, ReturnState

RETURNS = RecordReader("return", ref="id")


def parse_return(sale: Mapping[str, Any], first: Mapping[str, Any]) -> Return:
    """Read a sale that was made for a return; `first` is the sale that it is for."""
    state = STATES.get(text(sale, "status"), OrderState.PENDING)
    done = state is OrderState.FULFILLED
    cancelled = state is OrderState.CANCELLED or bool(sale.get("deleted_at"))
    changed = _changed_at(sale)
    paid = done and not cancelled
    return Return(
        ref=identity(sale, "id"),
        order_ref=identity(first, "id"),
        state=_state(done=done, cancelled=cancelled),
        remote_state=text(sale, "status"),
        lines=tuple(
            ReturnLine(
                order_line_ref=ref,
                quantity=units,
                arrived=units if paid else 0,
                refunded=units if paid else 0,
                restock=paid,
                reason=text(sale, "note"),
            )
            for ref, units in _returned(sale, first).items()
        ),
        updated_at=changed,
        refund_ref=identity(sale, "id") if paid else None,
        refunded_at=changed if paid else None,
        exchange_order_ref=identity(sale, "id") if sold_lines(sale) else None,
    )


def _state(*, done: bool, cancelled: bool) -> ReturnState:
    if cancelled:
        return ReturnState.CANCELLED
    return ReturnState.CLOSED if done else ReturnState.OPEN


def _returned(sale: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, int]:
    """Return the units by line of the first sale; more than it sold of a product is refused."""
    left = {identity(line, "id"): whole(line, "quantity") for line in sold_lines(first)}
    product = {identity(line, "id"): text(line, "product_id") for line in sold_lines(first)}
    units: Counter[str] = Counter()
    for line in _return_lines(sale):
        rest = abs(whole(line, "quantity"))
        for ref in (each for each in left if product[each] == text(line, "product_id")):
            here = min(rest, left[ref])
            left[ref], rest = left[ref] - here, rest - here
            units[ref] += here
        if rest:
            raise FieldError("line_items", line.get("product_id"), "is not in the sale it is for")
    return {ref: count for ref, count in units.items() if count}


def _return_lines(sale: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [
        line
        for line in records(sale, "line_items", required=True)
        if line.get("status") != "VOIDED" and (whole(line, "quantity") < 0 or line.get("is_return"))
    ]


def _changed_at(sale: Mapping[str, Any]) -> datetime:
    return moment(sale.get("updated_at") or sale.get("sale_date") or sale["created_at"])
