"""Returns to a location of External Fulfillment (contract: returns 2024-09-11).

A return is of one SKU of one shipment. It says where the goods are, not what was paid back. Changes
are listed by location and status, so a pass reads one status after the other.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.amazon.mapping import request_object
from connectors.amazon.status_walk import next_page, window
from connectors.contract import Page
from connectors.errors import NotFound
from connectors.remote import RemoteApi
from connectors.toolkit.cursors import IncrementalCursor, moment, stamp
from connectors.toolkit.json_fields import child, identity, nodes_of, records, text, whole
from connectors.toolkit.records import FieldError, Record, RecordReader
from connectors.unreadable import Unreadable
from hub.vocabulary import Return, ReturnLine, ReturnState

READER = RecordReader("return", ref="returnMetadata.fulfillmentOrderId")
RETURNS = "/externalFulfillment/2024-09-11/returns"
RETURNS_PER_PAGE = 100
PAGES_MAX = 100
STATES = {
    "CREATED": ReturnState.OPEN,
    "CARRIER_NOTIFIED_TO_PICK_UP_FROM_CUSTOMER": ReturnState.OPEN,
    "CARRIER_OUT_FOR_PICK_UP_FROM_CUSTOMER": ReturnState.OPEN,
    "CUSTOMER_RESCHEDULED_PICK_UP": ReturnState.OPEN,
    "CUSTOMER_DROPPED_OFF": ReturnState.OPEN,
    "PICKED_FROM_CUSTOMER": ReturnState.OPEN,
    "IN_TRANSIT": ReturnState.OPEN,
    "REPLANNED": ReturnState.OPEN,
    "OUT_FOR_DELIVERY": ReturnState.OPEN,
    "DELIVERED": ReturnState.OPEN,
    "PARTIALLY_PROCESSED": ReturnState.OPEN,
    "PROCESSED": ReturnState.CLOSED,
    "CUSTOMER_CANCELLED_PICK_UP": ReturnState.CANCELLED,
    "REJECTED": ReturnState.CANCELLED,
    "CANCELLED": ReturnState.CANCELLED,
}
STATUSES = tuple(STATES)  # in the order in which a return passes through them
ARRIVED = frozenset({"DELIVERED", "PARTIALLY_PROCESSED", "PROCESSED"})
ReadShipment = Callable[[str], Awaitable[Mapping[str, Any]]]


class LocationReturns:
    """The returns of one location; `shipment` reads a shipment of it by its id."""

    def __init__(self, api: RemoteApi, location: str, shipment: ReadShipment) -> None:
        self._api, self._location, self._shipment = api, location, shipment

    async def pull(self, cursor: str, now: datetime) -> Page[Return]:
        """Read the next page of returns by the time of their change."""
        position = IncrementalCursor.resume(cursor, now)
        ends = window(position, "lastUpdatedSince", "lastUpdatedUntil")
        asked = {name: stamp(at) for name, at in ends.items()}

        async def ask(status: str, token: str) -> tuple[Sequence[Any], str]:
            return await self._listed({"status": status, **asked}, token)

        found, position, more = await next_page(position, STATUSES, ask, READER, changed_at)
        read = await READER.each_async(found, self._read)
        return Page(read.items, position.cursor(), more, read.unreadable)

    async def of_shipment(self, ref: str) -> Sequence[Return]:
        """Read the returns of one shipment: those to its location since it was created."""
        shipment = await self._shipment(ref)
        asked, token = {"createdSince": stamp(moment(shipment["creationDateTime"]))}, ""
        returns: list[Return] = []
        for _ in range(PAGES_MAX):
            found, token = await self._listed(asked, token)
            read = READER.each(found, lambda each: _of(each, shipment, ref))
            if odd := [each for each in read.unreadable if each.ref == ref]:
                raise Unreadable(odd[0])
            returns += read.items
            if not token:
                break
        return returns

    async def _listed(self, asked: Mapping[str, str], token: str) -> tuple[Sequence[Any], str]:
        params = {
            "returnLocationId": self._location,
            "maxResults": str(RETURNS_PER_PAGE),
            **asked,
            **({"nextToken": token} if token else {}),
        }
        answer = await request_object(self._api, "GET", RETURNS, params=params)
        found = nodes_of(answer, "returns", required=False)
        return found, str(answer.get("nextToken") or "")

    async def _read(self, found: Record) -> Return:
        ref = _order_ref(found)
        try:
            found.attach("shipment", await self._shipment(ref))
        except NotFound as missing:
            raise FieldError(
                "returnMetadata.fulfillmentOrderId", ref, "names no shipment of the location"
            ) from missing
        return parse_return(found)


def _of(found: Record, shipment: Mapping[str, Any], ref: str) -> Return | None:
    """Read a return of a shipment; None for one of another."""
    if _order_ref(found) != ref:
        return None
    found.attach("shipment", dict(shipment))
    return parse_return(found)


def parse_return(found: Mapping[str, Any]) -> Return:
    """Read a return with the shipment that it is of. Who returns it stays at Amazon."""
    status = text(found, "status")
    shipment, sku = child(found, "shipment", required=True), text(found, "merchantSku")
    lines = records(shipment, "lineItems", required=True)
    line = next((each for each in lines if text(each, "merchantSku") == sku), None)
    if line is None:
        raise FieldError("merchantSku", sku, "is not in the shipment that the return is of")
    quantity = whole(found, "numberOfUnits", 1)
    exchange = text(child(found, "marketplaceChannelDetails"), "exchangeOrderId")
    return Return(
        ref=identity(found, "id"),
        order_ref=identity(shipment, "id"),
        state=STATES.get(status, ReturnState.OPEN),
        remote_state=status,
        lines=(
            ReturnLine(
                order_line_ref=identity(line, "shipmentLineItemId"),
                quantity=quantity,
                arrived=quantity if status in ARRIVED else 0,
                reason=text(child(found, "returnMetadata"), "returnReason"),
            ),
        ),
        updated_at=changed_at(found),
        exchange_order_ref=exchange or None,
    )


def changed_at(found: Mapping[str, Any]) -> datetime:
    """Return when a return changed last."""
    return moment(found["lastUpdatedDateTime"])


def _order_ref(found: Mapping[str, Any]) -> str:
    """Return the shipment that a return is of."""
    ours = text(child(found, "returnMetadata"), "fulfillmentOrderId")
    ref = ours or text(child(found, "marketplaceChannelDetails"), "shipmentId")
    if not ref:
        raise FieldError("returnMetadata.fulfillmentOrderId", None, "is missing")
    return ref
