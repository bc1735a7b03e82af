"""Shipments pushed to Saleor: a fulfillment, and our reference and serials in its metadata.

Saleor has no key for a repeat. So a fulfillment that names our reference was reported; one of
the same
units and tracking that names none is ours too: the answer to its creation got lost.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from connectors.errors import Conflict, NotFound
from connectors.saleor import documents
from connectors.saleor.mapping import NOT_SHIPPED, first_error, recorded_serials
from hub.vocabulary import Fulfillment

REFERENCE, SERIALS = "serial_hub.reference", "serial_hub.serials"
Execute = Callable[..., Awaitable[Any]]


async def push_fulfillment(
    execute: Execute, fulfillment: Fulfillment, warehouse: str, *, notify: bool
) -> str:
    """Create the fulfillment that is not there yet, and name its serials. Returns its id."""
    data = await execute(documents.FULFILLMENTS, id=fulfillment.order_ref)
    order = data["order"]
    if order is None:
        raise NotFound(f"no order {fulfillment.order_ref}")
    known = _known(order["fulfillments"], fulfillment)
    if known is None:
        known = {"id": await _create(execute, fulfillment, warehouse, notify=notify)}
    serials = {line.order_line_ref: list(line.serials) for line in fulfillment.lines}
    if recorded_serials(known) != serials or known.get("reference") != fulfillment.reference:
        said = [
            {"key": REFERENCE, "value": fulfillment.reference},
            {"key": SERIALS, "value": json.dumps(serials)},
        ]
        data = await execute(documents.NAME_SERIALS, id=known["id"], input=said)
        if refusal := first_error(data["updatePrivateMetadata"]["errors"]):
            raise refusal
    return str(known["id"])


def _known(
    fulfillments: Sequence[Mapping[str, Any]], ours: Fulfillment
) -> Mapping[str, Any] | None:
    alive = [each for each in fulfillments if each["status"] not in NOT_SHIPPED]
    for each in alive:
        if each["reference"] == ours.reference:
            return each
    wanted = {line.order_line_ref: line.units for line in ours.lines}
    for each in alive:
        there = {
            (line["orderLine"] or {}).get("id"): line["quantity"] for line in each["lines"] or ()
        }
        same = there == wanted and each["trackingNumber"] == (ours.tracking or "")
        if same and not each["reference"]:
            return each
    return None


async def _create(
    execute: Execute, fulfillment: Fulfillment, warehouse: str, *, notify: bool
) -> str:
    wanted: dict[str, Any] = {
        "lines": [
            {
                "orderLineId": line.order_line_ref,
                "stocks": [{"quantity": line.units, "warehouse": warehouse}],
            }
            for line in fulfillment.lines
        ],
        "notifyCustomer": notify,
        # It has left, whatever the shop believes of its stock.
        "allowStockToBeExceeded": True,
    }
    if fulfillment.tracking:
        wanted["trackingNumber"] = fulfillment.tracking
    data = await execute(documents.FULFILL, repeat=False, order=fulfillment.order_ref, input=wanted)
    answer = data["orderFulfill"]
    if refusal := first_error(answer["errors"]):
        raise refusal
    if not answer["fulfillments"]:
        raise Conflict("Saleor made no fulfilment")
    return str(answer["fulfillments"][0]["id"])
