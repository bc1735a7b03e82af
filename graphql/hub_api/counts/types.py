"""What the API shows of counts."""

from datetime import datetime
from typing import Any

import strawberry

from hub import counts
from hub.access.keys import Scope
from hub.clock import moment
from hub.counts import Adjusted, Answer, Kind, Noted, Tally
from hub.lifecycle import Action
from hub.storage.documents import document
from hub.storage.sql import Row
from hub_api.common.context import Info
from hub_api.common.nodes import Node
from hub_api.common.paging import Connection, page, position
from hub_api.common.problems import Problem, problem
from hub_api.units.types import Unit


@strawberry.type(description="How many serials of each kind a count found.")
class CountTally:
    confirmed: int
    missing: int
    unexpected: int
    misplaced: int
    accuracy: float | None = strawberry.field(
        description="The share that was as recorded, 0 to 1; null if there was nothing."
    )

    @classmethod
    def of(cls, tally: Tally) -> "CountTally":
        """Show a tally."""
        return cls(
            confirmed=tally.confirmed,
            missing=tally.missing,
            unexpected=tally.unexpected,
            misplaced=tally.misplaced,
            accuracy=tally.accuracy,
        )


@strawberry.type(description="Last sighting of a unit: its time, place and operator.")
class LastSeen:
    at: datetime
    location: str
    by: str
    action: Action


@strawberry.type(description="One reading of a serial at a place.")
class CountReading:
    location: str
    counter: str
    at: datetime


@strawberry.type(description="Result of a count for one serial, and its resolution.")
class CountResult:
    """What a count found about one serial."""

    id: strawberry.ID
    subject: str = strawberry.field(description="Name it to adjust this one.")
    identifier: str
    kind: Kind
    expected_at: str | None = strawberry.field(description="The place in the ledger.")
    found_at: str | None
    conflict: bool = strawberry.field(description="It was read at two places at once.")
    promised_to: str | None = strawberry.field(description="Whose a missing unit was.")
    last_seen: LastSeen | None = strawberry.field(description="Of a missing unit.")
    readings: list[CountReading] = strawberry.field(metadata={"size": 2})
    state: str = strawberry.field(description="open, adjusted or left.")
    reason: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    unit_id: strawberry.Private[str | None]

    @classmethod
    def of(cls, row: Row) -> "CountResult":
        """Show a row."""
        evidence = document(row["evidence"])
        seen = evidence.get("last_seen")
        return cls(
            id=strawberry.ID(row["id"]),
            subject=row["subject"],
            identifier=row["identifier"],
            kind=Kind(row["kind"]),
            expected_at=row["expected_code"],
            found_at=row["found_code"],
            conflict=bool(evidence.get("conflict")),
            promised_to=evidence.get("promised_to"),
            last_seen=LastSeen(
                at=moment(seen["at"]),
                location=seen["location"],
                by=seen["by"],
                action=Action(seen["action"]),
            )
            if seen
            else None,
            readings=[
                CountReading(
                    location=each["location"], counter=each["counter"], at=moment(each["at"])
                )
                for each in evidence.get("scans", ())
            ],
            state=row["state"],
            reason=row["reason"],
            resolved_by=row["resolved_by"],
            resolved_at=moment(row["resolved_at"]) if row["resolved_at"] else None,
            unit_id=row["unit_id"],
        )

    @strawberry.field(description="The unit as it is now; null for an unknown serial.")
    async def unit(self, info: Info) -> Unit | None:
        row = await info.context.units(self.unit_id) if self.unit_id else None
        return Unit.of(row) if row else None


@strawberry.type(description="A count by serial of a site or a bin.")
class StockCount(Node):
    id: strawberry.ID
    ref: str
    location: str
    category: str | None
    value_from: int | None = strawberry.field(
        description="Only products worth at least this, in the smallest part of their currency."
    )
    blind: bool
    state: str = strawberry.field(description="open, compared, closed or cancelled.")
    opened_by: str
    opened_at: datetime
    compared_at: datetime | None
    closed_at: datetime | None
    product_id: strawberry.ID | None

    @classmethod
    def of(cls, row: Row) -> "StockCount":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            ref=row["ref"],
            location=row["code"],
            category=row["category"],
            value_from=row["value_from"],
            blind=bool(row["blind"]),
            state=row["state"],
            opened_by=row["opened_by"],
            opened_at=moment(row["opened_at"]),
            compared_at=_moment(row["compared_at"]),
            closed_at=_moment(row["closed_at"]),
            product_id=strawberry.ID(row["product_id"]) if row["product_id"] else None,
        )

    @strawberry.field(description="Totals of the comparison so far.")
    async def tally(self, info: Info) -> CountTally:
        info.context.require(Scope.OPS)
        return CountTally.of(await info.context.loaders.of(counts.tally).load(self.id))

    @strawberry.field(description="Results of the comparison, serial by serial.")
    async def results(
        self, info: Info, first: int = 50, after: str | None = None, kind: Kind | None = None
    ) -> Connection[CountResult]:
        info.context.require(Scope.OPS)
        rows = await info.context.read(
            lambda tx: counts.results(
                tx, self.ref, first=first, after=position(after), kind=str(kind) if kind else None
            )
        )
        return page(rows, first, after, CountResult.of)


@strawberry.type(description="The last counts of a place, oldest first, and their drift.")
class CountAccuracy:
    drift: float | None = strawberry.field(
        description="The accuracy of the last count less that of the first."
    )
    counts: list[StockCount] = strawberry.field(metadata={"size": 10})


@strawberry.type(description="Result of one reading.")
class CountedUnit:
    index: int
    identifier: str
    answer: Answer | None = strawberry.field(description="Null where the reading is no serial.")
    problem: Problem | None


@strawberry.type(description="Result of the readings of one counter.")
class Counted:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    results: list[CountedUnit]


@strawberry.type(description="Result for one difference.")
class AdjustmentResult:
    index: int
    subject: str
    identifier: str
    kind: Kind
    action: Action | None = strawberry.field(description="Movement that was recorded for the unit.")
    case: str | None = strawberry.field(description="The kind of the case that was opened.")
    problem: Problem | None


@strawberry.type(description="Result of an adjustment.")
class Adjustment:
    command_id: strawberry.ID
    replayed: bool = strawberry.field(
        description="The key was used before: this is the first answer again."
    )
    results: list[AdjustmentResult]


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def plain_noted(each: Noted) -> dict[str, Any]:
    """Return what is kept for the idempotency key of a reading."""
    refusal = each.refusal
    return {
        "index": each.index,
        "identifier": each.identifier,
        "answer": each.answer,
        "code": refusal.code if refusal else None,
        "message": str(refusal) if refusal else None,
        "details": dict(refusal.details) if refusal else None,
    }


def plain_adjusted(each: Adjusted) -> dict[str, Any]:
    """Return what is kept for the idempotency key of an adjustment."""
    return {
        "index": each.index,
        "subject": each.subject,
        "identifier": each.identifier,
        "kind": each.kind,
        "action": each.action,
        "case": each.case,
        "code": each.code,
        "message": each.message,
        "details": each.details,
    }


def problem_of(row: dict[str, Any]) -> Problem | None:
    """Show why a row was refused."""
    return problem(row["code"], row["message"], row["details"]) if row["code"] else None
