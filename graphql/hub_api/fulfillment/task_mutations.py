"""Mutations for fulfillment tasks."""

from datetime import date

import strawberry

from hub.access.keys import Scope
from hub.fulfillment import priorities
from hub.storage.sql import Transaction
from hub_api.common.context import Info
from hub_api.common.once import once
from hub_api.common.problems import answer
from hub_api.fulfillment.task_types import OrderPriority

OrderPriorityResult = answer("OrderPriorityResult", OrderPriority)


@strawberry.type
class WorkMutation:
    """What is to be done first."""

    @strawberry.mutation(
        description="Say what is special about an order, such as express, and by which day it is "
        "to leave; the rules of the topic PRIORITY look at both.",
        graphql_type=OrderPriorityResult,
    )
    async def set_order_priority(
        self,
        info: Info,
        idempotency_key: str,
        order_id: strawberry.ID,
        tags: list[str],
        promised_on: date | None = None,
    ) -> OrderPriority:
        """Set both; what is left out is taken away."""
        info.context.require(Scope.OPS)

        def do(tx: Transaction, _: str) -> list[str]:
            return priorities.put(tx, order_id, tags, promised_on)

        given = [order_id, tags, promised_on]
        context = info.context.command_context()
        done = await once(info.context, context, idempotency_key, "set_order_priority", given, do)
        return OrderPriority(
            order_id=order_id, tags=done.value, promised_on=promised_on, replayed=done.replayed
        )
