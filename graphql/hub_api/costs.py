"""Costs: what units cost, what the house holds, and what the books must follow."""

from datetime import datetime
from typing import Any, NewType

import strawberry

from hub.access.keys import Scope
from hub.clock import moment
from hub.errors import InvalidInput, Refused
from hub.ledger import units
from hub.lifecycle import Action
from hub.storage import paging
from hub.storage.sql import Row, Transaction
from hub.unit_records import costs as ledger_costs
from hub.unit_records.costs import By, Cost, CostKind
from hub_api.command import CommandContextInput, UnitInput, command_context_of, scans_of
from hub_api.context import Context
from hub_api.once import once
from hub_api.problems import Problem, answer, problem

Info = strawberry.Info[Context, None]

strawberry.enum(CostKind, description="What was paid for.")
strawberry.enum(By, name="ValuationBy", description="What a valuation is divided by.")

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


@strawberry.input(description="What was paid for one unit.")
class CostInput:
    """What was paid for one unit."""

    unit: UnitInput
    kind: CostKind
    amount: AmountValue
    currency: str = strawberry.field(description="ISO 4217: EUR, GBP …")


@strawberry.type(description="What became of one line of costs.")
class CostVerdict:
    """What became of one line."""

    index: int
    cost_id: strawberry.ID | None
    problem: Problem | None


@strawberry.type(description="What became of costs.")
class CostsRecorded:
    """What became of costs."""

    replayed: bool
    accepted: int
    verdicts: list[CostVerdict]


@strawberry.type(description="One line of what a unit cost; a negative amount takes one back.")
class UnitCost:
    """One line."""

    id: strawberry.ID
    kind: CostKind
    amount: AmountValue
    currency: str
    takes_back: strawberry.ID | None
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
            takes_back=strawberry.ID(row["takes_back"]) if row["takes_back"] else None,
            document_type=row["document_type"],
            document_ref=row["document_ref"],
            actor=row["actor"],
            occurred_at=moment(row["occurred_at"]),
            recorded_at=moment(row["recorded_at"]),
        )


@strawberry.type(description="A sum in one currency.")
class Money:
    """A sum."""

    currency: str
    amount: AmountValue


def sums(found: dict[str, int]) -> list[Money]:
    """Show sums by currency."""
    return [Money(currency=each, amount=AmountValue(found[each])) for each in sorted(found)]


@strawberry.type(description="What one unit cost.")
class UnitCosts:
    """What one unit cost."""

    lines: list[UnitCost] = strawberry.field(metadata={"size": USUAL_LINES})
    totals: list[Money] = strawberry.field(metadata={"size": 1})


@strawberry.type(description="The units of one part of the house, and what they cost.")
class ValuationLine:
    """One part of the house."""

    key: str = strawberry.field(description="A SKU, a location's or a client's code; '': our own.")
    units: int
    currency: str | None
    amount: AmountValue


@strawberry.type(description="What was in the house at an instant, and what it cost.")
class Valuation:
    """What was in the house."""

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
    """One event for the books."""

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


def _position(cursor: str | None) -> tuple[int, int]:
    try:
        transaction_id, seq = (int(each) for each in (cursor or "0.0").split("."))
    except ValueError as error:
        raise InvalidInput("this is no cursor of this feed", field="after") from error
    return transaction_id, seq


@strawberry.type
class CostQuery:
    """Reading costs."""

    @strawberry.field(description="What a unit cost, line by line, and in total.")
    async def unit_costs(self, info: Info, identifier: str, sku: str | None = None) -> UnitCosts:
        """Read the costs of one unit."""
        info.context.require(Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            unit_id = units.find(tx, identifier, sku)["id"]
            return ledger_costs.of_units(tx, [unit_id])[unit_id]

        lines = await info.context.read(read)
        return UnitCosts(
            lines=[UnitCost.of(row) for row in lines], totals=sums(ledger_costs.totals(lines))
        )

    @strawberry.field(
        description="What was in the house at an instant, and what it cost.", metadata={"cost": 100}
    )
    async def valuation(self, info: Info, at: datetime, by: By = By.PRODUCT) -> Valuation:
        """Value the stock."""
        info.context.require(Scope.OPS)
        if at.tzinfo is None:
            raise InvalidInput("a time comes with its zone", field="at")
        found = await info.context.database.report(lambda tx: ledger_costs.valuation(tx, at, by))
        return Valuation.of(found)

    @strawberry.field(
        description="Receipts, sales, returns, losses, write-offs and corrections for the books, "
        "in the order of their commits; give the last `cursor` as `after` to go on.",
    )
    async def financial_events(
        self, info: Info, first: int = 100, after: str | None = None
    ) -> list[FinancialEvent]:
        """Read the feed."""
        info.context.require(Scope.OPS)
        here, limit = _position(after), paging.page_size(first)
        rows = await info.context.read(lambda tx: ledger_costs.booked_after(tx, *here, limit=limit))
        return [FinancialEvent.of(row) for row in rows]


@strawberry.type
class CostMutation:
    """Recording costs."""

    @strawberry.mutation(
        description="Record what units cost; each line is answered by itself.",
        graphql_type=answer("RecordCostsResult", CostsRecorded),
    )
    async def record_costs(
        self,
        info: Info,
        idempotency_key: str,
        costs: list[CostInput],
        context: CommandContextInput | None = None,
    ) -> CostsRecorded:
        """Record costs; the occasion's document is the invoice."""
        info.context.require(Scope.OPS)
        command_context = command_context_of(info.context, context)
        lines = [_line(each) for each in costs]

        def do(tx: Transaction, _: str) -> list[dict[str, Any]]:
            return [_kept(each) for each in ledger_costs.record(tx, command_context, lines)]

        given = [_plain(lines), vars(context) if context else None]
        done = await once(info.context, command_context, idempotency_key, "record_costs", given, do)
        verdicts = [_verdict(index, each) for index, each in enumerate(done.value)]
        return CostsRecorded(
            replayed=done.replayed,
            accepted=sum(each.problem is None for each in verdicts),
            verdicts=verdicts,
        )

    @strawberry.mutation(
        description="Take a line of costs back: a line of the negative amount is added.",
        graphql_type=answer("ReverseCostResult", UnitCost),
    )
    async def reverse_cost(
        self, info: Info, idempotency_key: str, cost_id: strawberry.ID
    ) -> UnitCost:
        """Take a line back, once."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()
        done = await once(
            info.context,
            context,
            idempotency_key,
            "reverse_cost",
            [cost_id],
            lambda tx, _: ledger_costs.reverse(tx, context, cost_id),
        )
        rows = await info.context.read(
            lambda tx: tx.rows("SELECT * FROM unit_cost WHERE id = :id", id=done.value)
        )
        return UnitCost.of(rows[0])


def _line(given: CostInput) -> Cost:
    (scan,) = scans_of([given.unit])
    return Cost(scan, given.kind, given.amount, given.currency)


def _plain(lines: list[Cost]) -> list[Any]:
    return [
        [line.scan.identifier, line.scan.sku, line.kind, line.amount, line.currency]
        for line in lines
    ]


def _kept(answered: str | Refused) -> dict[str, Any]:
    if isinstance(answered, str):
        return {"id": answered, "code": None}
    details = dict(answered.details) or None
    return {"id": None, "code": answered.code, "message": str(answered), "details": details}


def _verdict(index: int, kept: dict[str, Any]) -> CostVerdict:
    refused = kept["code"]
    return CostVerdict(
        index=index,
        cost_id=strawberry.ID(kept["id"]) if kept["id"] else None,
        problem=problem(refused, kept["message"], kept["details"]) if refused else None,
    )
