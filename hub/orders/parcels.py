"""Parcels: what of an order left together, as the last leaving events of its units state it."""

from typing import TypedDict

from hub.clock import moment
from hub.lifecycle import Action
from hub.storage.documents import document
from hub.storage.sql import Transaction
from hub.vocabulary import FulfillmentLine, Parcel

LEAVING = (Action.SHIP, Action.SELL, Action.COLLECT)


class LeftUnit(TypedDict):
    """A unit that left, and the command that recorded it."""

    id: str
    serial: str
    line_ref: str
    command_id: str
    details: str | None
    occurred_at: int


def left(tx: Transaction, order_id: str) -> dict[str, list[LeftUnit]]:
    """Return the units of an order that are with the customer, by command, oldest first."""
    parcels: dict[str, list[LeftUnit]] = {}
    for row in tx.rows_as(
        LeftUnit,
        "SELECT unit.id, unit.serial, order_line.ref AS line_ref, event.command_id, "
        "event.details, event.occurred_at FROM unit "
        "JOIN order_line ON order_line.id = unit.order_line_id "
        "JOIN event ON event.unit_id = unit.id AND event.version = (SELECT MAX(last.version) "
        "FROM event AS last WHERE last.unit_id = unit.id AND last.action IN (:leaving...)) "
        "WHERE order_line.order_id = :order_id AND unit.status IN ('shipped', 'sold') "
        "ORDER BY event.occurred_at, unit.id",
        order_id=order_id,
        leaving=[str(action) for action in LEAVING],
    ):
        parcels.setdefault(row["command_id"], []).append(row)
    return parcels


def reference_of(command_id: str, order_id: str) -> str:
    """Return the reference by which channels know what of an order left by a command."""
    return f"{command_id}-{order_id[-12:]}"


def others(tx: Transaction, order_id: str, reference: str) -> tuple[Parcel, ...]:
    """Return the parcels of an order except the one of a reference, oldest first."""
    found = []
    for command_id, units in left(tx, order_id).items():
        own = reference_of(command_id, order_id)
        if own != reference:
            found.append(_parcel(own, units))
    return tuple(found)


def _parcel(reference: str, units: list[LeftUnit]) -> Parcel:
    details = document(units[0]["details"]) if units[0]["details"] else {}
    lines: dict[str, list[str]] = {}
    for unit in units:
        lines.setdefault(unit["line_ref"], []).append(unit["serial"])
    return Parcel(
        reference=reference,
        lines=tuple(
            FulfillmentLine(order_line_ref=ref, serials=tuple(serials))
            for ref, serials in lines.items()
        ),
        shipped_at=moment(units[0]["occurred_at"]),
        carrier=details.get("carrier"),
        tracking=details.get("tracking"),
    )
