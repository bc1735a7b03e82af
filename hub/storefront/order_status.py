"""Order status: what the holder of an order's public token may know of it.

Nothing here names a unit, a person or a place.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from hub.lifecycle import Action
from hub.storage.documents import document
from hub.storage.rows import OrderRow
from hub.storage.sql import Transaction
from hub.storefront.checkout import digest
from hub.vocabulary import LineKind, OrderState

TOKEN_CHARS_MAX = 100


class Progress(StrEnum):
    """How far an order is."""

    PLACED = "placed"
    ON_HOLD = "on_hold"  # not paid yet, or somebody looks at it
    WAITING = "waiting"  # units are to arrive first
    IN_PREPARATION = "in_preparation"  # picked or packed
    PARTLY_SHIPPED = "partly_shipped"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusLine:
    """One line of goods, and how many of it have left."""

    sku: str
    title: str
    quantity: int
    shipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What left together; `shipped_at` in microseconds."""

    carrier: str | None
    tracking: str | None
    shipped_at: int
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderStatus:
    """What is shown of an order; `placed_at` in microseconds."""

    number: str
    progress: Progress
    placed_at: int
    lines: list[StatusLine]
    parcels: list[Parcel]


class _Line(TypedDict):
    id: str
    sku: str
    title: str
    quantity: int
    waiting: int
    prepared: int
    shipped: int


class _Left(TypedDict):
    command_id: str
    details: str | None
    occurred_at: int


def order_of_token(tx: Transaction, token: str) -> str | None:
    """Return the id of the order whose public token this is; None for any other text."""
    if not 0 < len(token) <= TOKEN_CHARS_MAX:
        return None
    found: str | None = tx.value(
        "SELECT order_id FROM checkout WHERE token_digest = :digest", digest=digest(token)
    )
    return found


def by_token(tx: Transaction, token: str) -> OrderStatus | None:
    """Return the status of the order whose public token this is; None for any other text."""
    if not 0 < len(token) <= TOKEN_CHARS_MAX:
        return None
    order = tx.row_as(
        OrderRow,
        "SELECT sales_order.* FROM checkout JOIN sales_order ON sales_order.id = checkout.order_id "
        "WHERE checkout.token_digest = :digest",
        digest=digest(token),
    )
    if order is None:
        return None
    lines = _lines(tx, order["id"])
    return OrderStatus(
        number=order["number"],
        progress=_progress(order, lines),
        placed_at=order["placed_at"],
        lines=[
            StatusLine(
                sku=line["sku"],
                title=line["title"],
                quantity=line["quantity"],
                shipped=line["shipped"],
            )
            for line in lines
        ],
        parcels=_parcels(tx, order["id"]),
    )


def _lines(tx: Transaction, order_id: str) -> list[_Line]:
    return tx.rows_as(
        _Line,
        "SELECT order_line.id, order_line.sku, order_line.title, order_line.quantity, "
        "COALESCE(SUM(CASE WHEN unit.promised_to IS NOT NULL AND unit.status = 'in_stock' "
        "THEN 1 ELSE 0 END), 0) AS waiting, "
        "COALESCE(SUM(CASE WHEN unit.status IN ('picked', 'packed') THEN 1 ELSE 0 END), 0) "
        "AS prepared, "
        "COALESCE(SUM(CASE WHEN unit.status IN ('shipped', 'sold') THEN 1 ELSE 0 END), 0) "
        "AS shipped FROM order_line LEFT JOIN unit ON unit.order_line_id = order_line.id "
        "WHERE order_line.order_id = :id AND order_line.kind = :goods "
        "AND order_line.quantity > 0 GROUP BY order_line.id, order_line.sku, order_line.title, "
        "order_line.quantity ORDER BY order_line.id",
        id=order_id,
        goods=str(LineKind.GOODS),
    )


def _progress(order: OrderRow, lines: list[_Line]) -> Progress:
    wanted = sum(line["quantity"] for line in lines)
    shipped = sum(line["shipped"] for line in lines)
    prepared = sum(line["prepared"] for line in lines)
    bound = sum(line["waiting"] for line in lines) + prepared + shipped
    if order["state"] == OrderState.CANCELLED:
        return Progress.CANCELLED
    if shipped >= wanted:
        return Progress.SHIPPED
    if shipped:
        return Progress.PARTLY_SHIPPED
    if order["hold"] is not None and order["hold"] != order["hold_override"]:
        return Progress.ON_HOLD
    if prepared:
        return Progress.IN_PREPARATION
    return Progress.PLACED if bound >= wanted else Progress.WAITING


def _parcels(tx: Transaction, order_id: str) -> list[Parcel]:
    rows = tx.rows_as(
        _Left,
        "SELECT event.command_id, event.details, event.occurred_at FROM order_line "
        "JOIN unit ON unit.order_line_id = order_line.id "
        "JOIN event ON event.unit_id = unit.id AND event.action = :ship "
        # A unit that came back and was sold again left more than once: here it left last.
        "WHERE order_line.order_id = :id AND unit.status = 'shipped' AND event.version = ("
        "SELECT MAX(version) FROM event AS last WHERE last.unit_id = unit.id "
        "AND last.action = :ship) ORDER BY event.seq",
        id=order_id,
        ship=str(Action.SHIP),
    )
    found: dict[str, Parcel] = {}
    for row in rows:
        details = document(row["details"]) if row["details"] else {}
        before = found.get(row["command_id"])
        found[row["command_id"]] = Parcel(
            carrier=details.get("carrier"),
            tracking=details.get("tracking"),
            shipped_at=row["occurred_at"],
            units=1 + (before.units if before else 0),
        )
    return list(found.values())
