"""Mutations for orders."""

import strawberry

from hub import orders
from hub.access.keys import Scope
from hub.commands.work import Work
from hub.orders import order_views
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
