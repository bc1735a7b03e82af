"""Refunds by the channels: asking for one, and reading what came of it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.returns import refund_requests, views
from hub.returns.refund_requests import RefundState
from hub_api.common.commands import Call, command
from hub_api.common.context import Info
from hub_api.common.paging import Connection, page, position
from hub_api.common.problems import AnyProblem
from hub_api.returns.refund_types import Refund, RefundLineInput, show_refund

RefundResult = Annotated[Refund | AnyProblem, strawberry.union("RefundResult")]


@strawberry.type
class RefundMutation:
    """Asking channels to pay back."""

    @command(
        Scope.REFUNDS,
        description="Ask the channel of an order to pay back units of its lines, or an amount. "
        "It is paid once, and never more than is left.",
        result=RefundResult,
    )
    async def refund_order(
        self,
        call: Call,
        order_id: strawberry.ID,
        reason: str,
        lines: list[RefundLineInput] | None = None,
        amount: Decimal | None = None,
    ) -> Refund:
        """Ask for a refund; without an amount, of what was paid for the units of the lines."""

        def do(work: Work) -> str:
            return refund_requests.request(
                work,
                order_id,
                reason=reason,
                lines=[line.plain() for line in lines or []],
                amount=amount,
            )

        return await _done(call, do)

    @command(
        Scope.REFUNDS,
        description="Ask the channel that sold a returned unit to pay it back. The return is "
        "refunded once the channel has paid.",
        result=RefundResult,
    )
    async def refund_return(
        self,
        call: Call,
        return_id: strawberry.ID,
        amount: Decimal | None = None,
        reason: str | None = None,
    ) -> Refund:
        """Ask for the refund of a return; without an amount, of what was paid for the unit."""

        def do(work: Work) -> str:
            return refund_requests.request_of_return(work, return_id, amount=amount, reason=reason)

        return await _done(call, do)


@strawberry.type
class RefundQuery:
    """Reading refunds."""

    @strawberry.field(description="Refunds that channels were asked for, the newest first.")
    async def refunds(
        self,
        info: Info,
        first: int = 50,
        after: str | None = None,
        order_id: strawberry.ID | None = None,
        state: RefundState | None = None,
    ) -> Connection[Refund]:
        info.context.require(Scope.POS, Scope.OPS, Scope.REFUNDS)
        rows = await info.context.read(
            lambda tx: views.refunds(
                tx,
                first=first,
                before=position(after),
                order=order_id,
                state=str(state) if state else None,
            )
        )
        return page(rows, first, after, Refund.of)


async def _done(call: Call, do: Callable[[Work], str]) -> Refund:
    done = await call.once(call.context.command_context(), do)
    return await show_refund(call.info, done.value)
