"""Ownership periods of a unit, derived from its corrected history.

Customers appear by their pseudonyms only; their contacts are stored apart and can be erased. A
transfer between customers (second-hand sale) is recorded as an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from hub import ledger
from hub.commands.work import Work
from hub.errors import InvalidInput
from hub.history import sales
from hub.ledger.command import UnitCommand
from hub.ledger.event_writer import Verdict
from hub.ledger.rules.client import title_of
from hub.ledger.units import Scan
from hub.lifecycle import Action
from hub.storage.sql import Transaction

OWNER_CHARS_MAX = 200


class OwnerKind(StrEnum):
    """Kind of the owner of a unit."""

    OWN = "own"  # ourselves
    CLIENT = "client"  # whose goods we keep
    CUSTOMER = "customer"


@dataclass(slots=True)
class Period:
    """A period of ownership, in microseconds since 1970; `until` None: the current owner.

    `owner` is a client's code or a customer's pseudonym; None if the owner is unnamed.
    """

    kind: OwnerKind
    owner: str | None
    since: int
    until: int | None = None
    document_type: str | None = None
    document_ref: str | None = None


def change(work: Work, owner: str, scans: Sequence[Scan]) -> list[Verdict]:
    """Record the transfer of sold units to another customer (CBV business step accepting)."""
    if not 0 < len(owner.strip()) <= OWNER_CHARS_MAX:
        raise InvalidInput(f"an owner has 1 to {OWNER_CHARS_MAX} characters", field="owner")
    command = UnitCommand(action=Action.CHANGE_OWNER, details={"owner": owner.strip()})
    return ledger.record(work, command, scans)


class _ClientOfUnit(TypedDict):
    id: str
    code: str


def periods(tx: Transaction, unit_ids: Sequence[str]) -> dict[str, list[Period]]:
    """Return the ownership periods of units, oldest first."""
    clients = {
        row["id"]: row["code"]
        for row in tx.rows_as(
            _ClientOfUnit,
            "SELECT unit.id, client.code FROM unit JOIN client ON client.id = unit.client_id "
            "WHERE unit.id IN (:ids...)",
            ids=list(unit_ids),
        )
    }
    return {
        unit_id: _periods(story, clients.get(unit_id))
        for unit_id, story in sales.stories(tx, unit_ids).items()
    }


def _periods(story: sales.Story, client: str | None) -> list[Period]:
    sold = {sale.event_id: sale for sale in story.sales}
    titles = [title for row in story.events if (title := title_of(row))]
    client = titles[0]["from"] if titles else client
    found: list[Period] = []
    for row in story.events:
        period = None
        if title := title_of(row):
            client = title["to"]
        keeper = OwnerKind.CLIENT if client else OwnerKind.OWN
        if (sale := sold.get(row["id"])) is not None:
            buyer = sale.order["customer_ref"] if sale.order else None
            period = Period(OwnerKind.CUSTOMER, buyer, row["occurred_at"])
        elif row["action"] == Action.CHANGE_OWNER:
            owner = sales.details_of(row)["owner"]
            period = Period(OwnerKind.CUSTOMER, owner, row["occurred_at"])
        elif not found or title or row["action"] == Action.ACCEPT_RETURN:
            period = Period(keeper, client, row["occurred_at"])
        if period is None:
            continue
        period.document_type, period.document_ref = row["document_type"], row["document_ref"]
        if found:
            found[-1].until = period.since
        found.append(period)
    return found
