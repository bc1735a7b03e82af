"""Which units an order ever had, and when: read from the events, so that the link is permanent.

A unit forgets its line when it goes back into stock, and is sold anew; its history does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from hub.history import unit_history
from hub.history.sales import Sale, details_of, stories
from hub.lifecycle import LEAVING, Action
from hub.storage.sql import Row, Transaction

BACK = frozenset({Action.ACCEPT_RETURN, Action.LEAVE_KIT})
FREED = frozenset({Action.RELEASE, Action.LOSE, Action.REPORT_STOLEN})


@dataclass(slots=True, kw_only=True)
class Binding:
    """A unit was promised to a line, or left on it; times in microseconds since 1970.

    `left_event` is the event by which it left.
    """

    unit_id: str
    line_id: str
    bound_at: int
    left_at: int | None = None
    left_event: str | None = None
    returned_at: int | None = None
    released_at: int | None = None


def of_orders(tx: Transaction, order_ids: Sequence[str]) -> dict[str, list[Binding]]:
    """Return the bindings of orders, the oldest first."""
    lines = {
        row["id"]: row["order_id"]
        for row in tx.rows(
            "SELECT id, order_id FROM order_line WHERE order_id IN (:ids...)", ids=list(order_ids)
        )
    }
    found: dict[str, list[Binding]] = {order_id: [] for order_id in order_ids}
    told = _histories(tx, _candidates(tx, order_ids, list(lines)))
    for each in chain.from_iterable(_bindings(unit, rows) for unit, rows in told.items()):
        if each.line_id in lines:
            found[lines[each.line_id]].append(each)
    for bindings in found.values():
        bindings.sort(key=lambda each: (each.bound_at, each.unit_id))
    return found


def sales_of(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[tuple[Sale, int | None]]]:
    """Return all sales of units, oldest first, each with when the unit came back from it."""
    return {
        unit_id: [(sale, _returned(story.events, sale)) for sale in story.sales]
        for unit_id, story in stories(tx, unit_ids).items()
    }


def _candidates(tx: Transaction, order_ids: Sequence[str], line_ids: Sequence[str]) -> list[str]:
    """Return the units that may have been bound: by a promise, now, or by the order's number."""
    rows = tx.rows(
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
    """Read histories, and those of the units that were given in exchange for them."""
    told: dict[str, list[Row]] = {}
    unread = list(unit_ids)
    while unread:
        told |= unit_history.as_corrected(tx, unread)
        named = {
            details_of(row).get(name)
            for unit_id in unread
            for row in told[unit_id]
            for name in ("replaced_by", "exchanged_for")
        }
        unread = sorted(each for each in named if each and each not in told)
    return told


def _bindings(unit_id: str, rows: Sequence[Row]) -> list[Binding]:
    found: list[Binding] = []
    now: Binding | None = None
    for row in rows:
        details, at = details_of(row), row["occurred_at"]
        action, line = _action(row, details), details.get("line")
        if action is Action.ALLOCATE and line:
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
    """Return what was done; a part of a kit goes where the kit goes."""
    action = Action(row["action"])
    return Action(details.get("action", action)) if action is Action.FOLLOW_KIT else action
