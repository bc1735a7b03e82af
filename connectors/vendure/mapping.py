"""Vendure requests and mapping. It has three ways to say no; each becomes one of the six."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.errors import AuthFailed, Conflict, ConnectorError, NotFound, Rejected, Transient
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import child, identity, records, text, whole
from connectors.toolkit.records import RecordReader
from connectors.vendure.money import with_money, with_price
from hub.vocabulary import HoldReason, ObservedLevel, Order, OrderLine, OrderState

ORDERS = RecordReader("order", ref="id")
RETURNS = RecordReader("return", ref="id")
VARIANTS = RecordReader("listing", ref="id")
STATES = {
    "Cancelled": OrderState.CANCELLED,
    "Shipped": OrderState.FULFILLED,
    "Delivered": OrderState.FULFILLED,
    "Draft": OrderState.DRAFT,
    "Created": OrderState.DRAFT,
    "AddingItems": OrderState.DRAFT,  # a cart
    "ArrangingPayment": OrderState.DRAFT,
    "ArrangingAdditionalPayment": OrderState.PENDING,
    "Modifying": OrderState.PENDING,
}
HAS_LEFT = frozenset({"Shipped", "Delivered"})
MOVED_ON = frozenset({"INSUFFICIENT_STOCK_ON_HAND_ERROR", "FULFILLMENT_STATE_TRANSITION_ERROR"})


async def execute(
    api: RemoteApi, path: str, document: str, variables: Mapping[str, Any], *, repeat: bool
) -> Any:
    """Execute a document and return its data, or raise one of the six.

    An invalid document is HTTP 400, a lack of permission is HTTP 200 with a code, and a business
    refusal is a member of a union inside the data (see `result_or_raise`).
    """
    body = {"query": document, "variables": variables}
    answer = await api.json("POST", path, repeat=repeat, json=body)
    if not isinstance(answer, dict):
        raise Transient("Vendure answered something that is not GraphQL")
    if answer.get("errors"):
        raise _error_of(answer["errors"][0])
    if answer.get("data") is None:
        raise Transient("Vendure answered without data")
    return answer["data"]


def _error_of(error: Mapping[str, Any]) -> ConnectorError:
    code = (error.get("extensions") or {}).get("code", "")
    said = f"{code} {error.get('message', '')}"[:ERROR_TEXT_CHARS_MAX]
    if code in ("FORBIDDEN", "UNAUTHORIZED", "UNAUTHENTICATED"):
        return AuthFailed(said)
    if code == "ENTITY_NOT_FOUND":
        return NotFound(said)
    if code == "INTERNAL_SERVER_ERROR":
        return Transient(said)
    return Rejected(said)


def result_or_raise(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the result of a mutation, or raise the refusal that stands in its place."""
    code = result.get("errorCode")
    if code is None:
        return result
    said = f"{code} {result.get('message', '')}"[:ERROR_TEXT_CHARS_MAX]
    raise Conflict(said) if code in MOVED_ON else Rejected(said)


def parse_order(node: Mapping[str, Any]) -> Order:
    """Read an order. Its time of change is the latest of all its parts: its own stands still."""
    shipped: dict[str, int] = {}
    for each in records(node, "fulfillments"):
        for line in records(each, "lines", required=True) if each["state"] in HAS_LEFT else ():
            ref = identity(line, "orderLineId")
            shipped[ref] = shipped.get(ref, 0) + whole(line, "quantity")
    read = Order(
        ref=identity(node, "id"),
        number=identity(node, "code"),
        state=STATES.get(node["state"], OrderState.OPEN),
        # Somebody edits the order in the shop.
        hold=HoldReason.ON_HOLD if node["state"] == "Modifying" else None,
        remote_state=node["state"],
        lines=tuple(_line(line, node, shipped) for line in records(node, "lines", required=True)),
        placed_at=placed_at(node),
        updated_at=changed_at(node),
        customer_ref=text(child(node, "customer"), "id") or None,
        # A fulfillment names its serials without saying of which line each is.
        shown_serials=tuple(
            serial
            for each in records(node, "fulfillments")
            if each["state"] != "Cancelled"
            for serial in fulfillment_serials(each)
        ),
    )
    return with_money(read, node)


def _line(
    line: Mapping[str, Any], order: Mapping[str, Any], shipped: Mapping[str, int]
) -> OrderLine:
    read = OrderLine(
        ref=identity(line, "id"),
        sku=text(child(line, "productVariant", required=True), "sku"),
        quantity=whole(line, "quantity"),
        fulfilled=shipped.get(identity(line, "id"), 0),
        title=text(child(line, "productVariant"), "name"),
    )
    return with_price(read, line, order)


def changed_at(node: Mapping[str, Any]) -> datetime:
    """Say when an order was changed last: the latest time of all its parts."""
    times = [moment(node["updatedAt"]), moment(node["orderPlacedAt"] or node["createdAt"])]
    for payment in records(node, "payments"):
        times += [moment(each["updatedAt"]) for each in (payment, *records(payment, "refunds"))]
    times += [moment(each["updatedAt"]) for each in records(node, "fulfillments")]
    return max(times)


def own_change(node: Mapping[str, Any]) -> datetime:
    """Return the time of change of the order alone, by which the server sorts."""
    return moment(node["updatedAt"])


def placed_at(node: Mapping[str, Any]) -> datetime:
    """Return when an order was placed."""
    return moment(node["orderPlacedAt"] or node["createdAt"])


def fingerprint(order: Order) -> str:
    """Shorten an order to what tells whether it changed."""
    return hashlib.sha256(repr(order).encode()).hexdigest()[:12]


def fulfillment_serials(fulfillment: Mapping[str, Any]) -> list[str]:
    """Read the serials of a fulfillment."""
    return list((fulfillment["customFields"] or {}).get("serials") or [])


INHERITED = "inheritedTracking"  # what the settings of the server say, put beside a variant


@dataclass(frozen=True, slots=True)
class VariantStock:
    """One variant at one location."""

    on_hand: int
    allocated: int

    @property
    def available(self) -> int:
        """Say what can still be sold."""
        return self.on_hand - self.allocated


def variant_stock(variant: Mapping[str, Any], location: str) -> VariantStock | None:
    """Find a variant's stock at a location; None where it was never stocked there."""
    for level in records(variant, "stockLevels", required=True):
        if level["stockLocationId"] == location:
            return VariantStock(whole(level, "stockOnHand"), whole(level, "stockAllocated"))
    return None


def is_tracked(variant: Mapping[str, Any]) -> bool:
    """Say whether the server counts a variant: by its own word, or by that of all (`INHERITED`)."""
    flag = text(variant, "trackInventory")
    return flag != "FALSE" and (flag == "TRUE" or variant.get(INHERITED) is not False)


def parse_variant(variant: Mapping[str, Any], location: str) -> ObservedLevel | None:
    """Read what a location has of a variant; None where it was never stocked there, or counted."""
    shelf = variant_stock(variant, location)
    if shelf is None or not is_tracked(variant):
        return None
    return ObservedLevel(
        sku=text(variant, "sku"),
        quantity=shelf.available,
        remote={"variant_id": identity(variant, "id"), "location_id": location},
        title=text(variant, "name"),
    )
