"""Mutations for returns."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.decision_rules import Route
from hub.ledger.commissioning import Condition
from hub.returns import receive
from hub.returns.check import check
from hub.returns.facts import Question
from hub.returns.receive import Inspection
from hub.storage.sql import Transaction
from hub_api.common.command_inputs import place_of
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.returns.types import ReturnCase, show

ReturnResult = answer("ReturnResult", ReturnCase)


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
        return await show(info, done.value)

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
        return await show(info, done.value)

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
        return await show(info, done.value)

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
        return await show(info, done.value)
