"""Mutations for returns."""

import strawberry

from hub import catalogue
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.decision_rules import Route
from hub.ledger.arrivals import Condition
from hub.returns import receive
from hub.returns.check import check
from hub.returns.facts import Question
from hub.returns.receive import Inspection
from hub_api.common.command_inputs import place_of
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.returns.types import ReturnCase, show

ReturnResult = answer("ReturnResult", ReturnCase)


@strawberry.type
class ReturnMutation:
    """Deciding about returns."""

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Check what is brought back, in one call: what it is, where it was sold, "
        "whether it may come back, and what to do. The answer is kept.",
        result=ReturnResult,
    )
    async def check_return(
        self,
        call: Call,
        identifier: str,
        location: str,
        reason: str,
        order: str | None = None,
        customer_ref: str | None = None,
        product_expected: str | None = None,
        condition: str | None = None,
    ) -> ReturnCase:
        """Check; `order` is an order's id, number or reference, or the number of a receipt."""
        context = call.context.command_context()

        def do(work: Work) -> str:
            question = Question(
                identifier=identifier,
                location=catalogue.location(work.tx, location),
                reason=reason,
                order=order,
                customer_ref=customer_ref,
                product=product_expected,
                condition=condition,
            )
            return check(work.tx, context, question)

        done = await call.once(context, do)
        return await show(call.info, done.value)

    @command(
        Scope.POS,
        Scope.SCANNER,
        description="Take the unit of a return in. One that was referred to a person needs the "
        "scope OPS and a reason.",
        result=ReturnResult,
    )
    async def accept_return(
        self,
        call: Call,
        return_id: strawberry.ID,
        location: str | None = None,
        override: str | None = None,
    ) -> ReturnCase:
        """Accept; `override` says why a return that was referred is accepted."""
        if override is not None:
            call.context.require(Scope.OPS)
        context = call.context.command_context()

        def do(work: Work) -> str:
            place = place_of(work.tx, location)
            receive.accept(work, return_id, location=place, override=override)
            return return_id

        done = await call.once(context, do)
        return await show(call.info, done.value)

    @command(
        Scope.POS,
        description="Record that a return was refunded. A second refund is refused.",
        result=ReturnResult,
    )
    async def record_refund(
        self, call: Call, return_id: strawberry.ID, reference: str
    ) -> ReturnCase:
        """Record a refund; `reference` is that of the credit note or the payment."""
        context = call.context.command_context()

        def do(work: Work) -> str:
            receive.refund(work.tx, context, return_id, reference)
            return return_id

        done = await call.once(context, do)
        return await show(call.info, done.value)

    @command(
        Scope.SCANNER,
        description="Decide by rule what becomes of a unit that was taken in, and do it. With "
        "`outcome`, which needs the scope OPS and a reason, a person decides.",
        result=ReturnResult,
    )
    async def route_return(
        self,
        call: Call,
        return_id: strawberry.ID,
        grade: str | None = None,
        condition: Condition | None = None,
        location: str | None = None,
        outcome: Route | None = None,
        reason: str | None = None,
    ) -> ReturnCase:
        """Route; where the rules refer to a person nothing is done."""
        if outcome is not None:
            call.context.require(Scope.OPS)
        context = call.context.command_context()

        def do(work: Work) -> str:
            inspection = Inspection(
                grade=grade,
                condition=str(condition) if condition else None,
                location=place_of(work.tx, location),
                outcome=outcome,
                why=reason,
            )
            receive.route(work, return_id, inspection)
            return return_id

        done = await call.once(context, do)
        return await show(call.info, done.value)
