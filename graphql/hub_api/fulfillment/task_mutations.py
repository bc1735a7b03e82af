"""Mutations for fulfillment tasks."""

from datetime import date

import strawberry

from hub.access.keys import Scope
from hub.commands.work import Work
from hub.fulfillment import priorities
from hub_api.common.commands import Call, command
from hub_api.common.problems import answer
from hub_api.fulfillment.task_types import OrderPriority

OrderPriorityResult = answer("OrderPriorityResult", OrderPriority)


@strawberry.type
class WorkMutation:
    """What is to be done first."""

    @command(
        Scope.OPS,
        description="Say what is special about an order, such as express, and by which day it is "
        "to leave; the rules of the topic PRIORITY look at both.",
        result=OrderPriorityResult,
    )
    async def set_order_priority(
        self,
        call: Call,
        order_id: strawberry.ID,
        tags: list[str],
        promised_on: date | None = None,
    ) -> OrderPriority:
        """Set both; what is left out is taken away."""

        def do(work: Work) -> list[str]:
            return priorities.put(work.tx, order_id, tags, promised_on)

        context = call.context.command_context()
        done = await call.once(context, do)
        return OrderPriority(
            order_id=order_id, tags=done.value, promised_on=promised_on, replayed=done.replayed
        )
