"""Order bindings: the units an order ever had, and when, read from the permanent events.

Restocking clears the line of a unit, which may then be sold again; its history keeps the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypedDict

from hub.history import unit_history
from hub.history.sales import Sale, details_of, stories
from hub.lifecycle import LEAVING, Action
from hub.storage.sql import Row, Transaction

BACK = frozenset({Action.ACCEPT_RETURN, Action.LEAVE_KIT})
PROMISES = frozenset({Action.ALLOCATE, Action.REALLOCATE})
FREED = frozenset({Action.RELEASE, Action.LOSE, Action.REPORT_STOLEN})


class _LineOrder(TypedDict):
    id: str
    order_id: str


class _UnitId(TypedDict):
    unit_id: str


@dataclass(slots=True, kw_only=True)
class Binding:
    """Allocation of a unit to a line, or its shipment; times in microseconds since 1970.

    `left_event` is the id of the event of the shipment.
    """

    unit_id: str
    line_id: str
    bound_at: int
    left_at: int | None = None
    left_event: str | None = None
    returned_at: int | None = None
    released_at: int | None = None


def of_orders(tx: Transaction, order_ids: Sequence[str]) -> dict[str, list[Binding]]:
    """Return the bindings of orders by order id, oldest first."""
    lines = {
        row["id"]: row["order_id"]
        for row in tx.rows_as(
            _LineOrder,
            "SELECT id, order_id FROM order_line WHERE order_id IN (:ids...)",
            ids=list(order_ids),
        )
    }
    found: dict[str, list[Binding]] = {order_id: [] for order_id in order_ids}
    histories = _histories(tx, _candidates(tx, order_ids, list(lines)))
    for each in chain.from_iterable(_bindings(unit, rows) for unit, rows in histories.items()):
        if each.line_id in lines:
            found[lines[each.line_id]].append(each)
    for bindings in found.values():
        bindings.sort(key=lambda each: (each.bound_at, each.unit_id))
    return found


def sales_of(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[tuple[Sale, int | None]]]:
    """Return all sales of units by unit id, oldest first, each with the time of its return."""
    return {
        unit_id: [(sale, _returned(story.events, sale)) for sale in story.sales]
        for unit_id, story in stories(tx, unit_ids).items()
    }


def _candidates(tx: Transaction, order_ids: Sequence[str], line_ids: Sequence[str]) -> list[str]:
    """Return the ids of units that may be bound: by hold, by line, or by the order's number."""
    rows = tx.rows_as(
        _UnitId,
        "SELECT unit_id FROM hold WHERE order_line_id IN (:lines...) "
        "UNION SELECT id FROM unit WHERE order_line_id IN (:lines...) "
        "UNION SELECT event.unit_id FROM sales_order "
        "JOIN event ON event.document_ref = sales_order.number "
        "WHERE sales_order.id IN (:orders...)",
        lines=list(line_ids),
        orders=list(order_ids),
    )
    return [row["unit_id"] for row in rows]


def _histories(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Row]]:
    """Return the histories of units and of the units exchanged for them, by unit id."""
    histories: dict[str, list[Row]] = {}
    unread = list(unit_ids)
    while unread:
        histories |= unit_history.as_corrected(tx, unread)
        named = {
            details_of(row).get(name)
            for unit_id in unread
            for row in histories[unit_id]
            for name in ("replaced_by", "exchanged_for")
        }
        unread = sorted(each for each in named if each and each not in histories)
    return histories


def _bindings(unit_id: str, rows: Sequence[Row]) -> list[Binding]:
    found: list[Binding] = []
    now: Binding | None = None
    for row in rows:
        details, at = details_of(row), row["occurred_at"]
        action, line = _action(row, details), details.get("line")
        if action in PROMISES and line:
            now = Binding(unit_id=unit_id, line_id=line, bound_at=at)
            found.append(now)
        elif action in LEAVING:
            if line and (now is None or now.line_id != line):
                now = Binding(unit_id=unit_id, line_id=line, bound_at=at)
                found.append(now)
            if now is not None:
                now.left_at, now.left_event = at, row["id"]
        elif now is not None and action in BACK and now.left_at is not None:
            now.returned_at = now.returned_at or at
        elif now is not None and action in FREED and now.left_at is None:
            now.released_at, now = at, None
        elif action is Action.RESTOCK:
            now = None
    return found


def _returned(rows: Sequence[Row], sale: Sale) -> int | None:
    at = next(index for index, row in enumerate(rows) if row["id"] == sale.event_id)
    for row in rows[at + 1 :]:
        action = _action(row, details_of(row))
        if action in LEAVING:
            return None
        if action in BACK:
            return int(row["occurred_at"])
    return None


def _action(row: Row, details: dict[str, Any]) -> Action:
    """Return the action of an event; for a part of a kit, the action of the kit."""
    action = Action(row["action"])
    return Action(details.get("action", action)) if action is Action.FOLLOW_KIT else action
