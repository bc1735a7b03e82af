"""BigCommerce: refunds as returns.

A line says how many of its units were shipped and how many refunded: those refunded that were not
shipped never leave, the order no longer wants them, and they are no return. A refund says nothing
of the goods, so those that had left are expected back. A refund whose payments were all declined is
cancelled; one of an amount alone has no lines.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connectors.bigcommerce.mapping import changed_at, line_quantity, parse_time
from connectors.errors import NotFound
from connectors.remote import RemoteApi
from connectors.toolkit.json_fields import identity, nodes_of, records, text, whole
from connectors.toolkit.records import FieldError, Record, RecordReader
from connectors.toolkit.refunded_units import units_that_left
from hub.vocabulary import Return, ReturnLine, ReturnState

RETURNS = RecordReader("return", ref="id")
REFUNDED = frozenset({4, 14})  # refunded, partially refunded


async def read_refunds(
    api: RemoteApi, order: Record, lines: Sequence[Mapping[str, Any]]
) -> list[Return]:
    """Read the refunds of an order with one call, unless its lines and its status name none.

    Raises FieldError for an order whose refunds are not found.
    """
    some = any(whole(line, "quantity_refunded", 0) for line in lines)
    if not some and whole(order, "status_id", 0) not in REFUNDED:
        return []
    path = f"/v3/orders/{quote(identity(order, 'id'), safe='')}/payment_actions/refunds"
    try:
        answer = await api.json_object("GET", path)
    except NotFound as missing:
        raise FieldError("id", order["id"], "has refunds that are not found") from missing
    order.attach("refunds", nodes_of(answer, "data"))
    return parse_returns(order, lines)


def parse_returns(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> list[Return]:
    """Read the refunds of an order, oldest first, without those of units that never left."""
    refunds = sorted(
        records(order, "refunds", required=True),
        key=lambda each: (_refunded_at(each), whole(each, "id")),
    )
    units = [_units(each) for each in refunds]
    unsent = {identity(line, "id"): whole(line, "quantity") - line_quantity(line) for line in lines}
    paid = [{} if _declined(each) else of for each, of in zip(refunds, units, strict=True)]
    return [
        _return(order, refund, left)
        for refund, of, left in zip(refunds, units, units_that_left(paid, unsent), strict=True)
        if left or not of or _declined(refund)
    ]


def _units(refund: Mapping[str, Any]) -> dict[str, int]:
    """Return the refunded units by line."""
    units: Counter[str] = Counter()
    for item in records(refund, "items"):
        if item.get("item_type") == "PRODUCT":
            units[identity(item, "item_id")] += whole(item, "quantity")
    return dict(units)


def _return(order: Mapping[str, Any], refund: Mapping[str, Any], left: Mapping[str, int]) -> Return:
    declined = _declined(refund)
    ref = identity(refund, "id")
    return Return(
        ref=ref,
        order_ref=identity(order, "id"),
        state=ReturnState.CANCELLED if declined else ReturnState.CLOSED,
        remote_state="declined" if declined else "refunded",
        lines=tuple(
            ReturnLine(
                order_line_ref=line, quantity=units, refunded=units, reason=text(refund, "reason")
            )
            for line, units in left.items()
        ),
        updated_at=changed_at(order),
        refund_ref=None if declined else ref,
        refunded_at=None if declined else _refunded_at(refund),
    )


def _declined(refund: Mapping[str, Any]) -> bool:
    payments = records(refund, "payments")
    return bool(payments) and all(each.get("is_declined") is True for each in payments)


def _refunded_at(refund: Mapping[str, Any]) -> datetime:
    return parse_time(refund["created"])
