"""WooCommerce: refunds, and what an order wants after them.

A refund names the refunded units of each line; WooCommerce lowers no line by it. Units that were
refunded before they left are taken off the line here and are no return. A unit has left if its
serial was written to the line, or if the order was completed before the refund. WooCommerce notes
on a line how many refunded units were put into stock again: those arrived. Whether the others come
back it does not say; they are expected. A refund without lines in an order that is refunded as a
whole is of all that is left.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connectors.errors import NotFound
from connectors.remote import RemoteApi
from connectors.toolkit.amounts import share_of
from connectors.toolkit.json_fields import identity, nodes_of, records, text, time, whole
from connectors.toolkit.records import FieldError, Record, RecordReader
from connectors.toolkit.refunded_units import share, units_that_left
from connectors.woocommerce.mapping import changed_at, serials_from_hub
from hub.vocabulary import Order, Return, ReturnLine, ReturnState

RETURNS = RecordReader("return", ref="id")
REFUNDS_PER_PAGE = 100
DETAILS = "refund_details"
REFUNDED_LINE = "_refunded_item_id"
RESTOCKED = "_restock_refunded_items"
# An order that somebody moved back keeps the time of its completion.
BEFORE_LEAVING = frozenset({"pending", "on-hold", "failed", "processing"})


async def attach_refunds(api: RemoteApi, order: Record) -> None:
    """Read the refunds of an order in full, beside its own list, which names only their amounts.

    Raises FieldError for an order whose refunds are not found.
    """
    if not records(order, "refunds"):
        return
    path = f"/orders/{quote(identity(order, 'id'), safe='')}/refunds"
    found, page = list[Any](), 0
    while len(found) == page * REFUNDS_PER_PAGE:
        page += 1
        params = {"per_page": REFUNDS_PER_PAGE, "page": page}
        try:
            found += nodes_of(await api.json("GET", path, params=params))
        except NotFound as missing:
            raise FieldError("id", order["id"], "has refunds that are not found") from missing
    order.attach(DETAILS, found)


def unsent_units(order: Mapping[str, Any], key: str) -> dict[str, int]:
    """Return by line the units that were refunded before they left; `key` marks our serials."""
    completed = _completed_at(order)
    if order.get("status") == "completed" and completed is None:
        return {}
    counted: Counter[str] = Counter()
    for refund, units in zip(_by_time(order), _refunded(order), strict=True):
        if completed is None or _refunded_at(refund) < completed:
            counted.update(units)
    unsent = {}
    for line in records(order, "line_items"):
        ref, stayed = identity(line, "id"), whole(line, "quantity")
        stayed -= len(serials_from_hub(line, key)[0])
        unsent[ref] = max(0, min(counted[ref], stayed))
    return unsent


def without_unsent(order: Order, unsent: Mapping[str, int]) -> Order:
    """Return an order whose lines want only what is still to be sent or has left."""
    lines = []
    for line in order.lines:
        quantity = line.quantity - unsent.get(line.ref, 0)
        changed = replace(
            line,
            quantity=quantity,
            fulfilled=min(line.fulfilled, quantity),
            discount=share_of(line.discount, quantity, line.quantity),
            tax=share_of(line.tax, quantity, line.quantity),
        )
        lines.append(changed)
    return replace(order, lines=tuple(lines))


def parse_returns(order: Mapping[str, Any], key: str) -> list[Return]:
    """Read the refunds of an order, oldest first, without those of units that never left."""
    unsent, refunded = unsent_units(order, key), _refunded(order)
    restocked = Counter(_restocked(order))
    share(unsent, restocked)
    found = []
    parts = units_that_left(refunded, unsent)
    for refund, units, left in zip(_by_time(order), refunded, parts, strict=True):
        if left or not units:
            found.append(_return(order, refund, left, share(left, restocked)))
    return found


def _return(
    order: Mapping[str, Any],
    refund: Mapping[str, Any],
    left: Mapping[str, int],
    back: Mapping[str, int],
) -> Return:
    return Return(
        ref=identity(refund, "id"),
        order_ref=identity(order, "id"),
        state=ReturnState.CLOSED,
        remote_state="refunded",
        lines=tuple(
            ReturnLine(
                order_line_ref=ref,
                quantity=units,
                arrived=back[ref],
                refunded=units,
                restock=back[ref] == units,
                reason=text(refund, "reason"),
            )
            for ref, units in left.items()
        ),
        updated_at=changed_at(order),
        refund_ref=identity(refund, "id"),
        refunded_at=_refunded_at(refund),
    )


def _by_time(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the refunds of an order, oldest first."""
    return sorted(records(order, DETAILS), key=lambda each: (_refunded_at(each), each["id"]))


def _refunded(order: Mapping[str, Any]) -> Sequence[Mapping[str, int]]:
    """Return the refunded units by line of each refund, oldest first."""
    rest = Counter(
        {identity(line, "id"): whole(line, "quantity") for line in records(order, "line_items")}
    )
    found: list[dict[str, int]] = []
    for refund in _by_time(order):
        units: Counter[str] = Counter()
        for line in records(refund, "line_items"):
            ref = _meta(line, REFUNDED_LINE)
            if ref and whole(line, "quantity", 0):
                units[ref] += abs(whole(line, "quantity"))
        found.append(dict(units))
        rest.subtract(units)
    if found and order.get("status") == "refunded" and not found[-1]:
        found[-1] = {ref: units for ref, units in rest.items() if units > 0}
    return found


def _restocked(order: Mapping[str, Any]) -> dict[str, int]:
    """Return by line how many refunded units were put into stock again."""
    noted = {identity(line, "id"): _meta(line, RESTOCKED) for line in records(order, "line_items")}
    return {ref: int(units) for ref, units in noted.items() if units.isdecimal()}


def _meta(line: Mapping[str, Any], key: str) -> str:
    """Return a text or a number that the meta data of a line hold; "" where they do not."""
    return next(
        (text(meta, "value") for meta in records(line, "meta_data") if meta.get("key") == key), ""
    )


def _completed_at(order: Mapping[str, Any]) -> datetime | None:
    if order.get("status") in BEFORE_LEAVING or not order.get("date_completed_gmt"):
        return None
    return time(order, "date_completed_gmt")


def _refunded_at(refund: Mapping[str, Any]) -> datetime:
    return time(refund, "date_created_gmt", "date_created")
