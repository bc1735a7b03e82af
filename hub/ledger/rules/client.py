"""Clients: an order takes only goods of the owner that its channel sells for.

A third-party warehouse keeps goods of its clients beside its own. A client sees its own units, and
of these what is recorded since they became its own; an order takes only goods of the client that
its channel sells for, and a channel without a client only our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson

from hub.errors import StepNotAllowed
from hub.ledger.command import UnitCommand
from hub.ledger.former_names import OF_OWNER
from hub.ledger.rules.rule import Attempt, Rule
from hub.ledger.units import UnitState
from hub.storage.documents import document
from hub.storage.sql import Row, Transaction

TITLE = "title"  # the detail of the event by which a unit changed hands: codes from and to
# What an earlier owner's trade would show of a unit.
OF_EARLIER_OWNERS = ("supplier", "purchase_order", "delivery_id", "order_line_id", "sold_at")


@dataclass(frozen=True, slots=True)
class ClientRule(Rule):
    """The client whose goods the order line takes; empty where no line is named."""

    owners: Sequence[str | None]

    @classmethod
    def prepare(cls, attempt: Attempt) -> Self:
        """Read the client of the order line's channel; parts follow their kit."""
        return cls([] if attempt.follows else _line_client(attempt.work.tx, attempt.command))

    def check(self, command: UnitCommand, unit: UnitState) -> None:  # noqa: ARG002
        """Raise StepNotAllowed for a unit of another owner than the channel sells for."""
        if self.owners and unit.client_id not in self.owners:
            raise StepNotAllowed("the order's channel does not sell this owner's goods", allowed=[])


def one_owner(unit: UnitState, owner: str | None) -> None:
    """Refuse to make a unit part of a kit of another owner's."""
    if unit.client_id != owner:
        raise StepNotAllowed("a kit and its parts belong to one owner", allowed=[])


def title_of(event: Row) -> dict[str, Any] | None:
    """Return the codes `from` and `to` of an event by which a unit changed hands, else None."""
    if event["action"] != "annotate" or not event["details"]:
        return None
    title: dict[str, Any] | None = document(event["details"]).get(TITLE)
    return title


def shown_to(client_id: str, unit: Row) -> Row | None:
    """Return what a client may see of a unit: nothing of another's, or of an earlier owner's."""
    if unit["client_id"] != client_id:
        return None
    if unit["client_since"] is None:
        return unit
    return {**unit, **dict.fromkeys(OF_EARLIER_OWNERS)}


def history_of_owner(events: Sequence[Row]) -> list[Row]:
    """Leave out what was recorded before the last owner had the unit, and who had it before."""
    titles = [row for row in events if title_of(row)]
    if not titles:
        return list(events)
    begins = max(row["version"] for row in titles)
    kept = [row for row in events if row["version"] >= begins]
    ids = {row["id"] for row in kept}
    return [
        {**row, "details": _shown_details(row, begins)}
        for row in kept
        if row["corrects"] is None or row["corrects"] in ids
    ]


def _shown_details(event: Row, begins: int) -> str | None:
    """Return an event's details without the owner before, and what was restated of his time."""
    if not event["details"]:
        return None
    shown = document(event["details"])
    if title := title_of(event):
        shown[TITLE] = {"to": title["to"]}
    if event["corrects"] is not None:
        told = shown.get("as_corrected", [])
        shown["as_corrected"] = [each for each in told if each["version"] >= begins]
    return orjson.dumps(shown).decode()


def fields_of_owner(unit: Row, fields: Sequence[Row]) -> list[Row]:
    """Leave out the custom fields that were last written before the owner had the unit."""
    since = unit["client_since"]
    return [row for row in fields if since is None or row["changed_at"] >= since]


def names_of_owner(unit: Row, names: Sequence[Row]) -> list[Row]:
    """Leave out what an earlier owner called a unit; the maker's names go with it."""
    since = unit["client_since"]
    return [
        row
        for row in names
        if since is None or row["created_at"] >= since or row["scheme"] not in OF_OWNER
    ]


def _line_client(tx: Transaction, command: UnitCommand) -> list[str | None]:
    """Return the client whose goods an order line takes; nothing where no line is named."""
    if command.line is None:
        return []
    rows = tx.rows(
        "SELECT channel.client_id FROM order_line "
        "JOIN sales_order ON sales_order.id = order_line.order_id "
        "JOIN channel ON channel.id = sales_order.channel_id WHERE order_line.id = :line",
        line=command.line,
    )
    return [row["client_id"] for row in rows]
