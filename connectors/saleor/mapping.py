"""Saleor requests and mapping: orders, stock, returns, refusals."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.contract import OrderRef
from connectors.errors import AuthFailed, Conflict, ConnectorError, NotFound, Rejected, Transient
from connectors.remote import ERROR_TEXT_CHARS_MAX, RemoteApi
from connectors.saleor.money import with_money, with_price
from connectors.toolkit.cursors import moment
from connectors.toolkit.json_fields import (
    child,
    identity,
    nodes_of,
    parsed_json,
    records,
    text,
    whole,
)
from connectors.toolkit.records import RecordReader
from hub.vocabulary import (
    HoldReason,
    ObservedLevel,
    Order,
    OrderLine,
    OrderState,
    Return,
    ReturnLine,
    ReturnState,
)

ORDERS = RecordReader("order", ref="id")
RETURNS = RecordReader("return", ref="id")
VARIANTS = RecordReader("listing", ref="id")
STATES = {
    "DRAFT": OrderState.DRAFT,
    "UNCONFIRMED": OrderState.PENDING,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.CANCELLED,
    "FULFILLED": OrderState.FULFILLED,
    "RETURNED": OrderState.FULFILLED,
}
# What a fulfillment becomes when its goods come back, or are paid back.
BACK = frozenset({"RETURNED", "REFUNDED_AND_RETURNED", "REPLACED"})
PAID_BACK = frozenset({"REFUNDED", "REFUNDED_AND_RETURNED"})
NOT_SHIPPED = frozenset({"CANCELED"}) | BACK | PAID_BACK
SHIPPED = frozenset({"FULFILLED", "CANCELED", "WAITING_FOR_APPROVAL"})
NOT_LET_IN = frozenset(
    {"PermissionDenied", "InvalidTokenError", "ExpiredSignatureError", "InvalidSignatureError"}
)
MOVED_ON = frozenset({"INSUFFICIENT_STOCK", "FULFILL_ORDER_LINE", "CANNOT_FULFILL_UNPAID_ORDER"})
DEPTH_MAX = 4


async def execute(
    api: RemoteApi, path: str, document: str, *, repeat: bool = True, **variables: Any
) -> Any:
    """Execute a document and return its data, or raise one of the six."""
    body = {"query": document, "variables": variables}
    answer = await api.json("POST", path, repeat=repeat, json=body)
    if not isinstance(answer, dict):
        raise Transient("Saleor answered something that is not GraphQL")
    if answer.get("errors"):
        raise _error_of(answer["errors"][0])
    if answer.get("data") is None:
        raise Transient("Saleor answered without data")
    return answer["data"]


def _error_of(error: Mapping[str, Any]) -> ConnectorError:
    extensions = error.get("extensions") or {}
    code = str((extensions.get("exception") or {}).get("code") or extensions.get("code") or "")
    said = f"{code} {error.get('message', '')}".strip()[:ERROR_TEXT_CHARS_MAX]
    if code in NOT_LET_IN:
        return AuthFailed(said)
    if code in ("Internal Server Error", "OperationalError", "DatabaseError"):
        return Transient(said)
    return Rejected(said)


def first_error(errors: Sequence[Mapping[str, Any]] | None) -> ConnectorError | None:
    """Read the first error of a mutation, None where there is none."""
    if not errors:
        return None
    first = errors[0]
    code = str(first.get("code") or "")
    message = f"{code} {first.get('field') or ''} {first.get('message') or ''}"
    message = " ".join(message.split())[:ERROR_TEXT_CHARS_MAX]
    if code == "NOT_FOUND":
        return NotFound(message)
    return Conflict(message) if code in MOVED_ON else Rejected(message)


def nodes(connection: Mapping[str, Any]) -> list[Any]:
    """Return what a connection holds."""
    edges = nodes_of(connection, "edges")
    return [edge.get("node") if isinstance(edge, dict) else edge for edge in edges]


def next_page(connection: Mapping[str, Any]) -> str | None:
    """Return the cursor of the next page, or None after the last."""
    info = connection["pageInfo"]
    return info["endCursor"] if info["hasNextPage"] else None


def parse_order(node: Mapping[str, Any]) -> Order:
    """Read an order. Only the pseudonym of a customer is kept."""
    shown = _shown_serials(node)
    read = Order(
        ref=identity(node, "id"),
        number=identity(node, "number"),
        state=_state(node),
        # The shop confirms it first.
        hold=HoldReason.ON_HOLD if node["status"] == "UNCONFIRMED" else None,
        remote_state=node["status"],
        payment_state=node["chargeStatus"],
        lines=tuple(_line(line, node, shown) for line in records(node, "lines", required=True)),
        placed_at=moment(node["created"]),
        updated_at=changed_at(node),
        customer_ref=text(child(node, "user"), "id") or None,
    )
    return with_money(read, node)


def changed_at(node: Mapping[str, Any]) -> datetime:
    """Return when an order changed last."""
    return moment(node["updatedAt"])


def _state(node: Mapping[str, Any]) -> OrderState:
    known = STATES.get(node["status"])
    if known is not None:
        return known
    left = sum(line["quantityToFulfill"] for line in node["lines"])
    if node["status"] == "PARTIALLY_RETURNED" and not left:
        return OrderState.FULFILLED
    unpaid = (node["chargeStatus"], node["authorizeStatus"]) == ("NONE", "NONE")
    return OrderState.PENDING if unpaid else OrderState.OPEN


def recorded_serials(fulfillment: Mapping[str, Any]) -> dict[str, list[str]]:
    """Read the serials that a fulfillment names, by order line; what is not ours is left out."""
    try:
        found = parsed_json(fulfillment.get("serials") or "{}")
        return {str(line): [str(serial) for serial in named] for line, named in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _shown_serials(order: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """Return the serials that the shipped fulfillments of an order name, by line."""
    found: dict[str, tuple[str, ...]] = {}
    for each in records(order, "fulfillments"):
        for line, serials in recorded_serials(each).items():
            if each["status"] not in NOT_SHIPPED:
                found[line] = (*found.get(line, ()), *serials)
    return found


def _line(
    line: Mapping[str, Any], order: Mapping[str, Any], shown: Mapping[str, tuple[str, ...]]
) -> OrderLine:
    parts = (text(line, "productName"), text(line, "variantName"))
    quantity = whole(line, "quantity")
    read = OrderLine(
        ref=identity(line, "id"),
        sku=text(line, "productSku"),
        quantity=quantity,
        fulfilled=min(quantity, whole(line, "quantityFulfilled")),
        shown_serials=shown.get(identity(line, "id"), ()),
        title=" ".join(part for part in parts if part),
    )
    return with_price(read, line, order)


@dataclass(frozen=True, slots=True)
class VariantStock:
    """One variant at one warehouse."""

    on_hand: int
    allocated: int

    @property
    def available(self) -> int:
        """Say what can still be sold."""
        return self.on_hand - self.allocated


def variant_stock(variant: Mapping[str, Any], warehouse: str) -> VariantStock | None:
    """Find a variant's stock at a warehouse; None where it was never stocked there."""
    for stock in records(variant, "stocks"):
        if stock["warehouse"]["id"] == warehouse:
            return VariantStock(whole(stock, "quantity"), whole(stock, "quantityAllocated"))
    return None


def parse_variant(variant: Mapping[str, Any], warehouse: str) -> ObservedLevel | None:
    """Read what a warehouse has of a variant; None where its stock is not kept there."""
    shelf = variant_stock(variant, warehouse)
    if shelf is None or not variant["trackInventory"]:
        return None
    return ObservedLevel(
        sku=text(variant, "sku"),
        quantity=shelf.available,
        remote={"variant_id": identity(variant, "id")},
        title=f"{text(child(variant, 'product'), 'name')} {text(variant, 'name')}".strip(),
    )


def untracked_ref(variant: Mapping[str, Any]) -> str | None:
    """Return the id of a variant whose stock the shop does not keep; None for any other."""
    return identity(variant, "id") if variant.get("trackInventory") is False else None


def parse_returns(order: Mapping[str, Any]) -> list[Return]:
    """Parse the returns and refunds of an order, which Saleor moves to fulfillments of their own.

    It is moved when a person has done it, so nothing of it is on its way any more.
    """
    found = []
    for each in records(order, "fulfillments", required=True):
        status = identity(each, "status")
        if status in SHIPPED:
            continue
        known = status in BACK | PAID_BACK
        paid = moment(each["created"]) if status in PAID_BACK else None
        found.append(
            Return(
                ref=identity(each, "id"),
                order_ref=identity(order, "id"),
                # A word that is new may mean that something is still to come.
                state=ReturnState.CLOSED if known else ReturnState.OPEN,
                remote_state=status,
                lines=tuple(_returned(line, status) for line in records(each, "lines")),
                updated_at=changed_at(order),
                refund_ref=identity(each, "id") if paid else None,
                refunded_at=paid,
            )
        )
    return found


def _returned(line: Mapping[str, Any], status: str) -> ReturnLine:
    quantity, back = whole(line, "quantity"), status in BACK
    return ReturnLine(
        order_line_ref=text(child(line, "orderLine"), "id"),
        quantity=quantity,
        comes_back=back,
        arrived=quantity if back else 0,
        refunded=quantity if status in PAID_BACK else 0,
    )


def call_id(body: bytes, received_at: str) -> str:
    """Name a delivery. Saleor gives none an id, and what it sends may say the same twice.

    A payload that says when it was issued is known by its content; any other is one of its own
    each time it comes, so that none is taken for another.
    """
    digest = hashlib.sha256(body).hexdigest()
    return digest if b'"issuedAt"' in body else f"{digest[:40]}:{received_at}"


def order_refs(topic: str, body: bytes) -> tuple[OrderRef, ...]:
    """Name the order of ``order_*`` and ``fulfillment_*``, in whatever payload was subscribed."""
    if not topic.startswith(("order_", "fulfillment_")):
        return ()
    try:
        said = parsed_json(body)
    except ValueError:
        return ()
    ref = _order_in(said)
    return (OrderRef(ref),) if ref else ()


def _order_in(said: object, depth: int = 0) -> str | None:
    if depth > DEPTH_MAX:
        return None
    if isinstance(said, list):
        return next((found for each in said if (found := _order_in(each, depth + 1))), None)
    if not isinstance(said, dict):
        return None
    order = said.get("order")
    inner = order.get("id") if isinstance(order, dict) else None
    own = said.get("id") if said.get("type") == "Order" else None
    for ref in (inner, own):
        if isinstance(ref, str) and ref:
            return ref
    return next((found for each in said.values() if (found := _order_in(each, depth + 1))), None)
