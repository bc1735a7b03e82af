"""Mutations for orders."""

from dataclasses import replace

import strawberry

from hub import orders
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.orders import order_holds, order_views
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.orders.types import Order


@strawberry.type
class OrderMutation:
    """Deciding about orders."""

    @command(
        Scope.OPS,
        description="Say of an order that seems to repeat one of another channel whether it is a "
        "different one: then it is served from now on.",
        result=answer("DecideDuplicateOrderResult", Order),
    )
    async def decide_duplicate_order(
        self, call: Call, order_id: strawberry.ID, different: bool
    ) -> Order:
        """Decide about an order that came in twice."""
        context = call.context.command_context()

        def do(work: Work) -> str:
            orders.decide_duplicate(work.tx, context, order_id, different=different)
            return str(order_id)

        await call.once(context, do)
        found = await call.context.read(lambda tx: order_views.orders_by_id(tx, [order_id]))
        return Order.of(found[order_id])

    @command(
        Scope.OVERRIDE,
        description="Let an order leave although it is on hold. The reason stays in the history "
        "of each promised unit; another hold stops the order again.",
        result=answer("OverrideOrderHoldResult", Order),
    )
    async def override_order_hold(self, call: Call, order_id: strawberry.ID, reason: str) -> Order:
        """Let the present hold of an order pass."""
        context = replace(call.context.command_context(), reason=reason)
        await call.once(context, lambda work: order_holds.override(work, order_id))
        found = await call.context.read(lambda tx: order_views.orders_by_id(tx, [order_id]))
        return Order.of(found[order_id])

    @command(
        Scope.OPS,
        description="Allocate the units again that a person took off an order, and those that it "
        "lost because it was not paid in time.",
        result=answer("AllocateOrderResult", Order),
    )
    async def allocate_order(self, call: Call, order_id: strawberry.ID) -> Order:
        """Allocate an order's units again."""
        context = call.context.command_context()
        await call.once(context, lambda work: orders.allocate_again(work, order_id))
        found = await call.context.read(lambda tx: order_views.orders_by_id(tx, [order_id]))
        return Order.of(found[order_id])
