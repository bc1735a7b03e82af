"""Returns: the answer at the counter, and what follows it."""

from datetime import date, datetime
from typing import Any

import orjson
import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.clock import moment
from hub.commands.work import Work
from hub.decision_rules import ReturnDecision, Route
from hub.errors import UnknownReference
from hub.ledger import units
from hub.ledger.commissioning import Condition
from hub.returns import receive
from hub.returns.check import check
from hub.returns.facts import Question
from hub.returns.findings import ReturnFinding
from hub.returns.receive import Disposal, Inspection
from hub.storage import paging
from hub.storage.paging import Filter
from hub.storage.sql import Row, Transaction
from hub_api.command import place_of
from hub_api.context import Context
from hub_api.once import once
from hub_api.paging import Connection, page, position
from hub_api.problems import answer
from hub_api.units import Unit

Info = strawberry.Info[Context, None]
RETURNS = (
    "SELECT return_case.*, location.code AS location_code FROM return_case "
    "JOIN location ON location.id = return_case.location_id "
)

strawberry.enum(ReturnDecision, description="What is answered; REFER: a person decides.")
strawberry.enum(ReturnFinding, description="What was noticed; it never changes: act on it.")
strawberry.enum(Route, name="ReturnRoute", description="What becomes of a unit that came back.")
strawberry.enum(Disposal, description="The final disposition of a unit.")


@strawberry.type(description="One thing that was noticed about what is brought back.")
class NoticedReturn:
    """One thing that was noticed."""

    code: ReturnFinding
    message: str


@strawberry.type(description="One fact that a decision stands on.")
class Evidence:
    """One fact."""

    name: str
    value: str | None = strawberry.field(description="Null: it is not known.")
    source: str
    at: datetime


@strawberry.type(description="How the unit was sold.")
class ReturnedSale:
    """How the unit was sold."""

    sold_at: datetime
    place: str | None
    channel: str | None
    channel_name: str | None
    order_id: strawberry.ID | None
    order: str | None
    line: str | None
    customer_ref: str | None
    document_type: str | None
    document: str | None
    price: int | None = strawberry.field(
        description="Null: it is not known here; its channel, or the receipt, has it.", default=None
    )


@strawberry.type(description="What a channel had announced of a unit that is brought back.")
class ChannelReturnFact:
    """What a channel had announced."""

    ref: str
    state: str
    comes_back: bool = strawberry.field(description="False: the customer was to keep it.")
    reason: str
    refund_reference: str | None = strawberry.field(description="Null: it has not refunded yet.")


def _announced(said: dict[str, Any] | None) -> ChannelReturnFact | None:
    if said is None:
        return None
    return ChannelReturnFact(
        ref=said["ref"],
        state=said["state"],
        comes_back=said["comes_back"],
        reason=said["reason"],
        refund_reference=said["refund_ref"],
    )


@strawberry.type(description="An answer at the counter, kept with all that it stands on.")
class ReturnCase:
    """An answer at the counter."""

    id: strawberry.ID
    identifier: str = strawberry.field(description="As it was read.")
    decision: ReturnDecision
    rule: str = strawberry.field(description="The code of the rule that decided.")
    rule_name: str
    findings: list[NoticedReturn] = strawberry.field(metadata={"size": 5})
    next_step: str = strawberry.field(description="What to do, for the person at the counter.")
    sale: ReturnedSale | None
    announced: ChannelReturnFact | None = strawberry.field(
        description="What its channel had announced when it was checked."
    )
    buyer_matches: bool | None = strawberry.field(description="Null: nothing to compare.")
    days_since_sale: int | None
    may_return_until: date | None
    evidence: list[Evidence] = strawberry.field(metadata={"size": 12})
    case_id: strawberry.ID | None = strawberry.field(description="The case that it opened.")
    location: str
    reason: str
    customer_ref: str | None
    state: str = strawberry.field(description="decided, received, refunded or closed.")
    route: Route | None
    route_rule: str | None
    refund_reference: str | None
    decided_by: str
    decided_at: datetime
    received_at: datetime | None
    refunded_at: datetime | None
    closed_at: datetime | None
    unit_id: strawberry.Private[str | None]

    @classmethod
    def of(cls, row: Row) -> "ReturnCase":
        """Show a row."""
        told = orjson.loads(row["evidence"])
        sale = told["sale"]
        until = told["may_return_until"]
        return cls(
            id=strawberry.ID(row["id"]),
            identifier=row["identifier"],
            decision=ReturnDecision(row["decision"]),
            rule=row["rule"],
            rule_name=told["rule_name"],
            findings=[
                NoticedReturn(code=ReturnFinding(code), message=message)
                for code, message in told["findings"]
            ],
            next_step=told["next_step"],
            sale=ReturnedSale(**sale | {"sold_at": moment(sale["sold_at"])}) if sale else None,
            announced=_announced(told.get("announced")),
            buyer_matches=told["buyer_matches"],
            days_since_sale=told["days"],
            may_return_until=date.fromisoformat(until) if until else None,
            evidence=[
                Evidence(**each | {"at": datetime.fromisoformat(each["at"])})
                for each in told["facts"]
            ],
            case_id=strawberry.ID(told["case"]) if told["case"] else None,
            location=row["location_code"],
            reason=row["reason"],
            customer_ref=row["customer_ref"],
            state=row["state"],
            route=Route(row["route"]) if row["route"] else None,
            route_rule=row["route_rule"],
            refund_reference=row["refund_ref"],
            decided_by=row["decided_by"],
            decided_at=moment(row["decided_at"]),
            received_at=_moment(row["received_at"]),
            refunded_at=_moment(row["refunded_at"]),
            closed_at=_moment(row["closed_at"]),
            unit_id=row["unit_id"],
        )

    @strawberry.field(description="The unit as it is now; null for a serial that nobody knows.")
    async def unit(self, info: Info) -> Unit | None:
        """Load the unit."""
        row = await info.context.units(self.unit_id) if self.unit_id else None
        return Unit.of(row) if row else None


ReturnResult = answer("ReturnResult", ReturnCase)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


async def _show(info: Info, return_id: str) -> ReturnCase:
    row = await info.context.read(
        lambda tx: tx.row(f"{RETURNS}WHERE return_case.id = :id", id=return_id)
    )
    if row is None:
        raise UnknownReference(f"there is no return {return_id!r}", field="id")
    return ReturnCase.of(row)


@strawberry.type
class ReturnQuery:
    """Reading returns."""

    @strawberry.field(description="Answers at the counter, the newest first.")
    async def returns(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        unit: str | None = None,
        decision: ReturnDecision | None = None,
        state: str | None = None,
    ) -> Connection[ReturnCase]:
        """List returns; `unit` is any identifier of a unit."""
        info.context.require(Scope.POS, Scope.OPS)

        def read(tx: Transaction) -> list[Row]:
            wanted = Filter()
            wanted.add("return_case.id < :before", before=position(after))
            wanted.add("return_case.unit_id = :unit", unit=unit and units.find(tx, unit)["id"])
            wanted.add("return_case.decision = :decision", decision=decision and str(decision))
            wanted.add("return_case.state = :state", state=state)
            return tx.rows(
                f"{RETURNS}{wanted.where()}ORDER BY return_case.id DESC LIMIT :limit",
                limit=paging.page_size(first) + 1,
                **wanted.values,
            )

        return page(await info.context.read(read), first, after, ReturnCase.of)

    @strawberry.field(description="One answer at the counter.")
    async def return_case(self, info: Info, id: strawberry.ID) -> ReturnCase:
        """Find one return."""
        info.context.require(Scope.POS, Scope.OPS)
        return await _show(info, id)


@strawberry.type
class ReturnMutation:
    """Deciding about returns."""

    @strawberry.mutation(
        description="Check what is brought back, in one call: what it is, where it was sold, "
        "whether it may come back, and what to do. The answer is kept.",
        graphql_type=ReturnResult,
    )
    async def check_return(
        self,
        info: Info,
        idempotency_key: str,
        identifier: str,
        location: str,
        reason: str,
        order: str | None = None,
        customer_ref: str | None = None,
        product_expected: str | None = None,
        condition: str | None = None,
    ) -> ReturnCase:
        """Check; `order` is an order's id, number or reference, or the number of a receipt."""
        info.context.require(Scope.POS, Scope.SCANNER)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            question = Question(
                identifier=identifier,
                location=catalogue.location(tx, location),
                reason=reason,
                order=order,
                customer_ref=customer_ref,
                product=product_expected,
                condition=condition,
            )
            return check(tx, context, question)

        given = [identifier, location, reason, order, customer_ref, product_expected, condition]
        done = await once(info.context, context, idempotency_key, "check_return", given, do)
        return await _show(info, done.value)

    @strawberry.mutation(
        description="Take the unit of a return in. One that was referred to a person needs the "
        "scope OPS and a reason.",
        graphql_type=ReturnResult,
    )
    async def accept_return(
        self,
        info: Info,
        idempotency_key: str,
        return_id: strawberry.ID,
        location: str | None = None,
        override: str | None = None,
    ) -> ReturnCase:
        """Accept; `override` says why a return that was referred is accepted."""
        info.context.require(Scope.POS, Scope.SCANNER)
        if override is not None:
            info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, command_id: str) -> str:
            place = place_of(tx, location)
            receive.accept(
                Work(tx, context, command_id), return_id, location=place, override=override
            )
            return return_id

        given = [return_id, location, override]
        done = await once(info.context, context, idempotency_key, "accept_return", given, do)
        return await _show(info, done.value)

    @strawberry.mutation(
        description="Record that a return was refunded. A second refund is refused.",
        graphql_type=ReturnResult,
    )
    async def record_refund(
        self, info: Info, idempotency_key: str, return_id: strawberry.ID, reference: str
    ) -> ReturnCase:
        """Record a refund; `reference` is that of the credit note or the payment."""
        info.context.require(Scope.POS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            receive.refund(tx, context, return_id, reference)
            return return_id

        given = [return_id, reference]
        done = await once(info.context, context, idempotency_key, "record_refund", given, do)
        return await _show(info, done.value)

    @strawberry.mutation(
        description="Decide by rule what becomes of a unit that was taken in, and do it. With "
        "`outcome`, which needs the scope OPS and a reason, a person decides.",
        graphql_type=ReturnResult,
    )
    async def route_return(
        self,
        info: Info,
        idempotency_key: str,
        return_id: strawberry.ID,
        grade: str | None = None,
        condition: Condition | None = None,
        location: str | None = None,
        outcome: Route | None = None,
        reason: str | None = None,
    ) -> ReturnCase:
        """Route; where the rules refer to a person nothing is done."""
        info.context.require(Scope.SCANNER)
        if outcome is not None:
            info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, command_id: str) -> str:
            inspection = Inspection(
                grade=grade,
                condition=str(condition) if condition else None,
                location=place_of(tx, location),
                outcome=outcome,
                why=reason,
            )
            receive.route(Work(tx, context, command_id), return_id, inspection)
            return return_id

        given = [return_id, grade, condition, location, outcome, reason]
        done = await once(info.context, context, idempotency_key, "route_return", given, do)
        return await _show(info, done.value)
