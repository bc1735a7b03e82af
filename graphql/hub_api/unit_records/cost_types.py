"""Costs: what units cost, what the house holds, and what the books must follow."""

from datetime import datetime
from typing import NewType

import strawberry

from hub.clock import moment
from hub.lifecycle import Action
from hub.storage.sql import Row
from hub.unit_records import costs as ledger_costs
from hub.unit_records.costs import CostKind
from hub_api.common.command_inputs import (
    UnitInput,
)
from hub_api.common.problems import Problem

USUAL_LINES = 5


AmountValue = NewType("AmountValue", int)


Amount = strawberry.scalar(
    name="Amount",
    description="A whole number of the smallest part of a currency: cents, pence, yen. It may be "
    "larger than an Int.",
    serialize=int,
    parse_value=lambda value: _amount(value),
)


def _amount(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("an amount is a whole number")
    return value


@strawberry.input(description="Cost of one unit.")
class CostInput:
    """What was paid for one unit."""

    unit: UnitInput
    kind: CostKind
    amount: AmountValue
    currency: str = strawberry.field(description="ISO 4217: EUR, GBP …")


@strawberry.type(description="Result of one cost line.")
class CostResult:
    index: int
    cost_id: strawberry.ID | None
    problem: Problem | None


@strawberry.type(description="Result of recording costs.")
class CostsRecorded:
    replayed: bool
    accepted: int
    results: list[CostResult]


@strawberry.type(description="One line of what a unit cost; a negative amount takes one back.")
class UnitCost:
    id: strawberry.ID
    kind: CostKind
    amount: AmountValue
    currency: str
    reverses: strawberry.ID | None
    document_type: str | None
    document_ref: str | None
    actor: str
    occurred_at: datetime
    recorded_at: datetime

    @classmethod
    def of(cls, row: Row) -> "UnitCost":
        """Show a row."""
        return cls(
            id=strawberry.ID(row["id"]),
            kind=CostKind(row["kind"]),
            amount=AmountValue(row["amount"]),
            currency=row["currency"],
            reverses=strawberry.ID(row["takes_back"]) if row["takes_back"] else None,
            document_type=row["document_type"],
            document_ref=row["document_ref"],
            actor=row["actor"],
            occurred_at=moment(row["occurred_at"]),
            recorded_at=moment(row["recorded_at"]),
        )


@strawberry.type(description="A sum in one currency.")
class Money:
    currency: str
    amount: AmountValue


def sums(found: dict[str, int]) -> list[Money]:
    """Show sums by currency."""
    return [Money(currency=each, amount=AmountValue(found[each])) for each in sorted(found)]


@strawberry.type(description="Costs of one unit.")
class UnitCosts:
    lines: list[UnitCost] = strawberry.field(metadata={"size": USUAL_LINES})
    totals: list[Money] = strawberry.field(metadata={"size": 1})


@strawberry.type(description="The units of one part of the house, and what they cost.")
class ValuationLine:
    key: str = strawberry.field(description="A SKU, a location's or a client's code; '': our own.")
    units: int
    currency: str | None
    amount: AmountValue


@strawberry.type(description="Value of the stock at an instant: units and costs.")
class Valuation:
    units: int = strawberry.field(description="As many as in the trial balance of that instant.")
    uncosted: int = strawberry.field(description="Units without a cost of acquisition.")
    lines: list[ValuationLine]

    @classmethod
    def of(cls, found: ledger_costs.Valuation) -> "Valuation":
        """Show a valuation."""
        return cls(
            units=found.units,
            uncosted=found.uncosted,
            lines=[
                ValuationLine(
                    key=line.key,
                    units=line.units,
                    currency=line.currency,
                    amount=AmountValue(line.amount),
                )
                for line in found.lines
            ],
        )


@strawberry.type(description="One event that the books must follow.")
class FinancialEvent:
    cursor: str
    event_id: strawberry.ID
    unit_id: strawberry.ID
    serial: str
    sku: str
    action: Action
    from_location: str | None
    to_location: str
    document_type: str | None
    document_ref: str | None
    reason: str | None
    occurred_at: datetime
    recorded_at: datetime
    costs: list[Money] = strawberry.field(description="Of the unit, up to the event.")

    @classmethod
    def of(cls, row: Row) -> "FinancialEvent":
        """Show a row."""
        return cls(
            cursor=f"{row['transaction_id']}.{row['seq']}",
            event_id=strawberry.ID(row["id"]),
            unit_id=strawberry.ID(row["unit_id"]),
            serial=row["serial"],
            sku=row["sku"],
            action=Action(row["action"]),
            from_location=row["from_code"],
            to_location=row["to_code"],
            document_type=row["document_type"],
            document_ref=row["document_ref"],
            reason=row["reason"],
            occurred_at=moment(row["occurred_at"]),
            recorded_at=moment(row["recorded_at"]),
            costs=sums(row["costs"]),
        )
