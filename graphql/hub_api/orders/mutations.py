"""Mutations for orders."""

import strawberry

from hub import orders
from hub.access.keys import Scope
from hub.orders import order_views
from hub.storage.sql import Transaction
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.orders.types import Order


@strawberry.type
class OrderMutation:
    """Deciding about orders."""

    @strawberry.mutation(
        description="Say of an order that seems to repeat one of another channel whether it is a "
        "different one: then it is served from now on.",
        graphql_type=answer("DecideDuplicateOrderResult", Order),
    )
    async def decide_duplicate_order(
        self, info: Info, idempotency_key: str, order_id: strawberry.ID, different: bool
    ) -> Order:
        """Decide about an order that came in twice."""
        info.context.require(Scope.OPS)
        context = info.context.command_context()

        def do(tx: Transaction, _: str) -> str:
            orders.decide_duplicate(tx, context, order_id, different=different)
            return str(order_id)

        given = [order_id, different]
        await once(info.context, context, idempotency_key, "decide_duplicate_order", given, do)
        found = await info.context.read(lambda tx: order_views.orders_by_id(tx, [order_id]))
        return Order.of(found[order_id])
